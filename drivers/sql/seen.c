/*
 * A hash table over a ring of rows.  The ring's hand goes round looking for a
 * row to forget and spares each one that was written again since it last passed.
 */

#include <stdlib.h>

#include "drivers/sql/seen.h"
#include "ipc/base/hash.h"

#define FRACTION_DIGITS	18
#define NONE		UINT32_MAX

struct remembered {
	char		*key;
	uint32_t	 key_len;
	uint32_t	 table;
	uint32_t	 hash;
	uint32_t	 next;		/* in the same chain */
	bool		 again;		/* written since the hand passed */
	struct sql_mvcc	 mvcc;
};

struct sql_seen {
	struct remembered	*ring;
	uint32_t		*chains;	/* heads, `limit` of them rounded up to a power of two */
	uint32_t		 mask;
	uint32_t		 limit;
	uint32_t		 n;
	uint32_t		 hand;
};

struct sql_mvcc
sql_mvcc_parse(struct slice text)
{
	struct sql_mvcc	 m = { .known = true };
	struct slice	 whole, fraction;
	const char	*dot = text.n == 0 ? NULL : memchr(text.p, '.', text.n);

	whole = dot == NULL ? text : (struct slice){ text.p, (size_t)(dot - text.p) };
	fraction = dot == NULL ? (struct slice){ "", 0 } :
	    (struct slice){ dot + 1, text.n - whole.n - 1 };
	while (fraction.n > FRACTION_DIGITS && fraction.p[fraction.n - 1] == '0')
		fraction.n--;
	if (!slice_u64(whole, &m.whole) || fraction.n > FRACTION_DIGITS)
		return (struct sql_mvcc){ .known = false };
	if (fraction.n > 0 && !slice_u64(fraction, &m.fraction))
		return (struct sql_mvcc){ .known = false };
	for (size_t i = fraction.n; i < FRACTION_DIGITS; i++)
		m.fraction *= 10;
	return m;
}

bool
sql_mvcc_older(struct sql_mvcc a, struct sql_mvcc b)
{
	if (!a.known || !b.known)
		return false;
	return a.whole != b.whole ? a.whole < b.whole : a.fraction < b.fraction;
}

struct sql_seen *
sql_seen_new(size_t limit)
{
	struct sql_seen	*s;
	uint32_t	 chains = 16;

	if (limit == 0 || limit > UINT32_MAX / 4 || (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	while (chains < limit)
		chains *= 2;
	s->limit = (uint32_t)limit;
	s->mask = chains - 1;
	s->ring = calloc(limit, sizeof(*s->ring));
	s->chains = malloc(chains * sizeof(*s->chains));
	if (s->ring == NULL || s->chains == NULL) {
		sql_seen_free(&s);
		return NULL;
	}
	memset(s->chains, 0xff, chains * sizeof(*s->chains));	/* NONE */
	return s;
}

void
sql_seen_free(struct sql_seen **sp)
{
	struct sql_seen	*s = *sp;

	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		free(s->ring[i].key);
	free(s->ring);
	free(s->chains);
	free(s);
	*sp = NULL;
}

static uint32_t
hash_of(uint32_t table, struct slice key)
{
	uint64_t	 h = hash_xxh64(key) + table * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h ^ h >> 32);
}

static struct remembered *
find(const struct sql_seen *s, uint32_t table, struct slice key, uint32_t hash)
{
	for (uint32_t at = s->chains[hash & s->mask]; at != NONE; at = s->ring[at].next) {
		struct remembered *r = &s->ring[at];

		if (r->hash == hash && r->table == table && r->key != NULL &&
		    slice_eq((struct slice){ r->key, r->key_len }, key))
			return r;
	}
	return NULL;
}

struct sql_mvcc
sql_seen_get(const struct sql_seen *s, uint32_t table, struct slice key)
{
	const struct remembered	*r = find(s, table, key, hash_of(table, key));

	return r == NULL ? (struct sql_mvcc){ .known = false } : r->mvcc;
}

static void
unchain(struct sql_seen *s, uint32_t victim)
{
	uint32_t	*at = &s->chains[s->ring[victim].hash & s->mask];

	while (*at != victim)
		at = &s->ring[*at].next;
	*at = s->ring[victim].next;
}

/* A place in the ring that holds no row. */
static uint32_t
make_room(struct sql_seen *s)
{
	uint32_t	 at;

	if (s->n < s->limit)
		return s->n++;
	for (; s->ring[s->hand].again; s->hand = (s->hand + 1) % s->limit)
		s->ring[s->hand].again = false;
	at = s->hand;
	s->hand = (s->hand + 1) % s->limit;
	unchain(s, at);
	free(s->ring[at].key);
	return at;
}

void
sql_seen_put(struct sql_seen *s, uint32_t table, struct slice key, struct sql_mvcc mvcc)
{
	uint32_t		 hash = hash_of(table, key), at;
	struct remembered	*r = find(s, table, key, hash);

	if (!mvcc.known || key.n > UINT32_MAX)
		return;
	if (r != NULL) {
		r->mvcc = mvcc;
		r->again = true;
		return;
	}
	at = make_room(s);
	s->ring[at] = (struct remembered){ .key = slice_dup(key), .key_len = (uint32_t)key.n, .table = table,
	    .hash = hash, .next = s->chains[hash & s->mask], .mvcc = mvcc };
	s->chains[hash & s->mask] = at;
}
