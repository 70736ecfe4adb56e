/* A batch of events to an SQL database. */

#include <stdlib.h>

#include "drivers/sql/culprit.h"
#include "drivers/sql/place.h"

#define REMEMBERED_ROWS	65536

int
sql_store_init(struct sql_store *s, const struct sql_backend *be, struct drv *drv, const struct drv_env *env,
    const char *where, struct err *err)
{
	*s = (struct sql_store){ .be = be, .drv = drv, .host = env->host, .log = env->log, .generation = 1 };
	s->where = strdup(where);
	s->seen = sql_seen_new(REMEMBERED_ROWS);
	if (s->where != NULL && s->seen != NULL)
		return 0;
	sql_store_free(s);
	return err_set(err, ERR_NOMEM, "no memory for the state of the driver");
}

void
sql_store_free(struct sql_store *s)
{
	sql_tables_free(&s->tables);
	sql_fold_free(&s->fold);
	sql_fold_free(&s->probe);
	sql_seen_free(&s->seen);
	free(s->targets);
	free(s->where);
	*s = (struct sql_store){ .be = NULL };
}

void
sql_store_stale(struct sql_store *s)
{
	s->generation++;
	if (s->be->forget != NULL)
		s->be->forget(s->drv);
}

int
sql_store_reset(struct sql_store *s, struct err *err)
{
	struct sql_seen	*seen = sql_seen_new(REMEMBERED_ROWS);

	if (seen == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the state of the driver");
	sql_store_stale(s);
	sql_tables_free(&s->tables);
	sql_seen_free(&s->seen);
	s->seen = seen;
	return 0;
}

enum drv_result
sql_store_begin(struct sql_store *s, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r = s->be->begin == NULL ? DRV_STORED : s->be->begin(s->drv, &out->err);

	return r == DRV_STORED ? sql_place_tables(s, b, out) : r;
}

void
sql_store_undo(struct sql_store *s)
{
	if (s->be->undo != NULL)
		s->be->undo(s->drv);
	sql_place_undo(s);
}

enum drv_result
sql_store_fold(struct sql_store *s, struct sql_fold *f, const struct drv_batch *b, size_t event, size_t slot,
    struct err *err)
{
	const struct sql_target	*at = &s->targets[event];

	if (at->table == NULL)
		return DRV_STORED;	/* a DELETE from nothing */
	if (sql_fold_add(f, at->table, at->version, b->v[event].ev, slot, err) == 0)
		return DRV_STORED;
	return err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
}

static enum drv_result
fold_batch(struct sql_store *s, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r = DRV_STORED;

	if (sql_fold_begin(&s->fold, b->n, s->seen, &out->err) != 0)
		return DRV_RETRY;
	for (size_t i = 0; i < b->n && r == DRV_STORED; i++) {
		out->index = i;
		r = sql_store_fold(s, &s->fold, b, i, i, &out->err);
	}
	return r;
}

/* *refused_r: it was the rows that were refused, which of them is open. */
static enum drv_result
attempt(struct sql_store *s, const struct drv_batch *b, struct sql_blame *blame, bool *refused_r, struct drv_outcome *out)
{
	enum drv_result	 r;

	*blame = (struct sql_blame){ .group = NULL };
	*refused_r = false;
	if ((r = sql_store_begin(s, b, out)) == DRV_STORED && (r = fold_batch(s, b, out)) == DRV_STORED) {
		r = s->be->apply(s->drv, s->fold.groups, s->fold.ngroups, SQL_COMMIT, blame, &out->err);
		*refused_r = r == DRV_REJECT;
	}
	if (r != DRV_STORED)
		sql_store_undo(s);
	return r;
}

enum drv_result
sql_store_apply(struct sql_store *s, const struct drv_batch *b, struct drv_outcome *out)
{
	struct sql_blame	 blame;
	enum drv_result		 r;
	bool			 refused;

	r = attempt(s, b, &blame, &refused, out);
	if (r != DRV_STORED && blame.stale) {
		sql_store_stale(s);
		r = attempt(s, b, &blame, &refused, out);
	}
	if (r != DRV_STORED)
		return refused ? sql_culprit_find(s, b, &blame, out) : r;
	if (s->seen != NULL)
		sql_fold_remember(&s->fold, s->seen);
	s->ddl = false;
	return r;
}

enum drv_result
sql_store_deliver(struct sql_store *s, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r;

	*out = (struct drv_outcome){ .index = 0 };
	if ((r = sql_place_versions(s, b, out)) == DRV_STORED && (r = sql_store_apply(s, b, out)) == DRV_STORED)
		sql_place_announce(s, b);
	return r;
}
