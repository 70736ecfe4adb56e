/* One change per row and batch. */

#include <stdlib.h>

#include "drivers/sql/fold.h"
#include "ipc/base/hash.h"

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for a batch");
}

int
sql_fold_begin(struct sql_fold *f, size_t nevents, const struct sql_seen *seen, struct err *err)
{
	arena_reset(&f->arena);
	f->seen = seen;
	f->before = NULL;
	f->nevents = nevents;
	f->ngroups = f->groups_cap = f->nrows = f->nstale = 0;
	f->groups = NULL;
	for (f->nslots = 16; f->nslots < nevents * 2; )
		f->nslots *= 2;
	f->slots = arena_get(&f->arena, f->nslots * sizeof(struct sql_row *));
	f->of_event = arena_get(&f->arena, (nevents + 1) * sizeof(struct sql_row *));
	if (f->slots == NULL || f->of_event == NULL)
		return nomem(err);
	memset(f->slots, 0, f->nslots * sizeof(struct sql_row *));
	memset(f->of_event, 0, (nevents + 1) * sizeof(struct sql_row *));
	return 0;
}

void
sql_fold_behind(struct sql_fold *f, const struct sql_fold *before)
{
	f->before = before;
}

void
sql_fold_free(struct sql_fold *f)
{
	arena_free(&f->arena);
	free(f->scratch);
	buf_free(&f->keybuf);
	*f = (struct sql_fold){ 0 };
}

static int
scratch_reserve(struct sql_fold *f, size_t n, struct err *err)
{
	struct json_val	*p;

	if (n <= f->scratch_cap)
		return 0;
	if ((p = reallocarray(f->scratch, n, sizeof(*p))) == NULL)
		return nomem(err);
	f->scratch = p;
	f->scratch_cap = n;
	return 0;
}

/*
 * What identifies a row: for each key column its length and text.  A number and a string of the same
 * text are the same key, because `key` holds strings only.
 */
static int
identity(struct sql_fold *f, const struct sql_table *t, const struct json_val *v, struct slice *key_r, struct err *err)
{
	buf_reset(&f->keybuf);
	for (size_t i = 0; i < t->nkeys; i++) {
		size_t	 at = f->keybuf.len, n;

		buf_add(&f->keybuf, &n, sizeof(n));
		if (v[i].type == JV_STRING)
			json_unescape(&f->keybuf, &v[i]);
		else
			buf_adds_slice(&f->keybuf, v[i].raw);
		if (f->keybuf.oom)
			return nomem(err);
		n = f->keybuf.len - at - sizeof(n);
		memcpy(f->keybuf.data + at, &n, sizeof(n));
	}
	*key_r = buf_slice(&f->keybuf);
	return 0;
}

/* Where the row is, or the free place where it would be. */
static struct sql_row **
slot_of(const struct sql_fold *f, const struct sql_table *t, struct slice key)
{
	uint64_t	 h = hash_xxh64(key) + t->id * UINT64_C(0x9e3779b97f4a7c15);
	size_t		 at = (size_t)(h ^ h >> 29) & (f->nslots - 1);

	for (; f->slots[at] != NULL; at = (at + 1) & (f->nslots - 1))
		if (f->slots[at]->table == t && slice_eq(f->slots[at]->key, key))
			break;
	return &f->slots[at];
}

static struct sql_group *
group_of(struct sql_fold *f, struct sql_table *t, struct err *err)
{
	struct sql_group	*g;
	size_t			 capacity = f->groups_cap == 0 ? 16 : f->groups_cap * 2;

	for (size_t i = 0; i < f->ngroups; i++)
		if (f->groups[i].table == t)
			return &f->groups[i];
	if (f->ngroups == f->groups_cap) {
		if ((g = arena_get(&f->arena, capacity * sizeof(*g))) == NULL) {
			nomem(err);
			return NULL;
		}
		if (f->ngroups > 0)
			memcpy(g, f->groups, f->ngroups * sizeof(*g));
		f->groups = g;
		f->groups_cap = capacity;
	}
	g = &f->groups[f->ngroups++];
	*g = (struct sql_group){ .table = t };
	return g;
}

static struct sql_row *
row_add(struct sql_fold *f, struct sql_table *t, struct sql_row **slot, struct slice key, struct err *err)
{
	struct sql_group	*g;
	struct sql_row		*r;

	if ((g = group_of(f, t, err)) == NULL)
		return NULL;
	r = arena_get(&f->arena, sizeof(*r));
	if (r == NULL) {
		nomem(err);
		return NULL;
	}
	*r = (struct sql_row){ .table = t, .key = arena_copy(&f->arena, key),
	    .v = arena_get(&f->arena, t->ncols * sizeof(*r->v)) };
	if (r->key.p == NULL || r->v == NULL) {
		nomem(err);
		return NULL;
	}
	if (g->last == NULL)
		g->first = r;
	else
		g->last->next = r;
	g->last = r;
	g->n++;
	f->nrows++;
	*slot = r;
	return r;
}

static void
overlay(struct sql_row *r, const struct json_val *v)
{
	for (size_t i = 0; i < r->table->ncols; i++)
		if (v[i].type != JV_ABSENT)
			r->v[i] = v[i];
}

static void
change(struct sql_row *r, bool is_new, enum event_op op, const struct json_val *v)
{
	bool	gone = !is_new && r->what == SQL_DELETE;

	if (op == EVENT_DELETE) {
		r->what = SQL_DELETE;
	} else if (gone) {
		r->what = SQL_REPLACE;
	} else if (!is_new) {
		overlay(r, v);
		return;
	}
	memcpy(r->v, v, r->table->ncols * sizeof(*v));
}

static int
read_event(struct sql_fold *f, const struct sql_table *t, struct sql_version *version, const struct event *ev,
    struct slice *key_r, struct err *err)
{
	if (scratch_reserve(f, t->ncols, err) != 0)
		return -1;
	if (ev->op == EVENT_DELETE)
		memset(f->scratch, 0, t->ncols * sizeof(*f->scratch));
	else if (sql_row_map(t, version, ev, f->scratch, err) != 0)
		return -1;
	if (sql_row_key(t, ev, f->scratch, err) != 0)
		return -1;
	return identity(f, t, f->scratch, key_r, err);
}

/* The change that the batches before made of this row last, as far as is known. */
static struct sql_mvcc
latest_before(const struct sql_fold *f, const struct sql_table *t, struct slice key)
{
	const struct sql_row	*r = f->before == NULL ? NULL : *slot_of(f->before, t, key);

	if (r != NULL)
		return r->mvcc;
	return f->seen == NULL ? (struct sql_mvcc){ .known = false } : sql_seen_get(f->seen, t->id, key);
}

int
sql_fold_add(struct sql_fold *f, struct sql_table *t, struct sql_version *version, const struct event *ev, size_t index,
    struct err *err)
{
	struct sql_mvcc	 mvcc = sql_mvcc_parse(ev->mvcc_timestamp), latest;
	struct sql_row	**slot, *r;
	struct slice	 key;
	bool		 is_new;

	if (read_event(f, t, version, ev, &key, err) != 0)
		return -1;
	slot = slot_of(f, t, key);
	is_new = *slot == NULL;
	latest = is_new ? latest_before(f, t, key) : (*slot)->mvcc;
	if (sql_mvcc_older(mvcc, latest)) {
		f->nstale++;
		return 0;
	}
	if ((r = *slot) == NULL && (r = row_add(f, t, slot, key, err)) == NULL)
		return -1;
	change(r, is_new, ev->op, f->scratch);
	r->mvcc = mvcc.known ? mvcc : latest;
	if (index < f->nevents)
		f->of_event[index] = r;
	return 0;
}

void
sql_fold_remember(const struct sql_fold *f, struct sql_seen *seen)
{
	for (size_t g = 0; g < f->ngroups; g++)
		for (const struct sql_row *r = f->groups[g].first; r != NULL; r = r->next)
			sql_seen_put(seen, r->table->id, r->key, r->mvcc);
}
