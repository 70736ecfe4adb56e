/* Prepared statements by what they are for. */

#include <stdlib.h>

#include "drivers/sql/stmts.h"

#define MOST	256

size_t
sql_mask_words(const struct sql_table *t)
{
	return (t->ncols + 63) / 64;
}

void
sql_mask_of(const struct sql_row *r, uint64_t *mask)
{
	memset(mask, 0, sql_mask_words(r->table) * sizeof(*mask));
	for (size_t i = 0; i < r->table->ncols; i++)
		mask[i / 64] |= (uint64_t)(r->v[i].type != JV_ABSENT) << (i % 64);
}

static uint64_t
hash_of(const struct sql_table *t, unsigned kind, const uint64_t *mask, size_t words)
{
	uint64_t	hash = UINT64_C(0xcbf29ce484222325) + kind + (uint64_t)t->id * 4;

	for (size_t i = 0; i < words; i++)
		hash = (hash ^ mask[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return hash;
}

static struct sql_stmt *
find(const struct sql_stmts *c, const struct sql_stmt *like)
{
	for (size_t i = 0; i < c->n; i++) {
		struct sql_stmt *s = &c->v[i];

		if (s->hash == like->hash && s->table == like->table && s->kind == like->kind && s->words == like->words &&
		    memcmp(s->mask, like->mask, s->words * sizeof(*s->mask)) == 0)
			return s;
	}
	return NULL;
}

/* Leaves a place without a table, which nobody finds. */
void
sql_stmts_forget(struct sql_stmts *c, struct sql_stmt *s)
{
	if (s->table != NULL && c->drop != NULL)
		c->drop(s);
	free(s->mask);
	*s = (struct sql_stmt){ .table = NULL };
}

/* A free place, if need be that of the statement not used for longest. */
static struct sql_stmt *
place(struct sql_stmts *c)
{
	struct sql_stmt	*oldest;

	if (c->v == NULL && (c->v = calloc(MOST, sizeof(*c->v))) == NULL)
		return NULL;
	if (c->n < MOST)
		return &c->v[c->n++];
	oldest = &c->v[0];
	for (size_t i = 1; i < c->n; i++)
		if (c->v[i].used < oldest->used)
			oldest = &c->v[i];
	sql_stmts_forget(c, oldest);
	return oldest;
}

struct sql_stmt *
sql_stmts_get(struct sql_stmts *c, const struct sql_table *t, unsigned kind, const uint64_t *mask, size_t words)
{
	struct sql_stmt	 like = { .table = t, .kind = kind, .words = words }, *s;
	size_t		 bytes = words * sizeof(*mask);

	like.mask = (uint64_t *)(uintptr_t)mask;
	like.hash = hash_of(t, kind, mask, words);
	if ((s = find(c, &like)) == NULL) {
		if ((s = place(c)) == NULL || (like.mask = malloc(bytes)) == NULL)
			return NULL;
		memcpy(like.mask, mask, bytes);
		for (size_t i = 0; i < t->ncols; i++)
			like.partial |= t->held[i].demands && !sql_mask_has(mask, i);
		*s = like;
	}
	s->used = ++c->clock;
	return s;
}

void
sql_stmts_flush(struct sql_stmts *c)
{
	for (size_t i = 0; i < c->n; i++)
		sql_stmts_forget(c, &c->v[i]);
	c->n = 0;
}

void
sql_stmts_free(struct sql_stmts *c)
{
	sql_stmts_flush(c);
	free(c->v);
	c->v = NULL;
}
