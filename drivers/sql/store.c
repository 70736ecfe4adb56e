/* A batch of events to an SQL database. */

#include <stdlib.h>

#include "drivers/sql/culprit.h"
#include "drivers/sql/place.h"

#define REMEMBERED_ROWS	65536
#define MANY		500	/* events of a batch behind which the next one is worth taking early */

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
	sql_fold_free(&s->next.fold);
	free(s->next.targets);
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
fold_batch(struct sql_store *s, const struct drv_batch *b, const struct sql_fold *before, struct drv_outcome *out)
{
	enum drv_result	 r = DRV_STORED;

	if (sql_fold_begin(&s->fold, b->n, s->seen, &out->err) != 0)
		return DRV_RETRY;
	sql_fold_behind(&s->fold, before);
	for (size_t i = 0; i < b->n && r == DRV_STORED; i++) {
		out->index = i;
		r = sql_store_fold(s, &s->fold, b, i, i, &out->err);
	}
	return r;
}

/* --- the batch that follows --- */

/* Targets and fold of the batch at hand and those of the next one change places. */
static void
change_places(struct sql_store *s)
{
	struct sql_next		 was = s->next;

	s->next.targets = s->targets;
	s->next.ntargets = s->ntargets;
	s->next.fold = s->fold;
	s->targets = was.targets;
	s->ntargets = was.ntargets;
	s->fold = was.fold;
}

void
sql_store_ahead(struct sql_store *s)
{
	struct sql_next		*n = &s->next;
	struct drv_outcome	 out;

	if (n->flow == NULL || n->batch.n > 0 || s->fold.nevents < MANY || !n->flow->more(n->flow->ctx, &n->batch))
		return;
	change_places(s);
	if (sql_place_known(s, &n->batch) && fold_batch(s, &n->batch, &n->fold, &out) == DRV_STORED)
		n->folded_in = s->generation;
	change_places(s);
}

/* The one at hand is stored. */
static void
move_on(struct sql_store *s, struct drv_batch *b)
{
	change_places(s);
	*b = s->next.batch;
	s->folded_in = s->next.folded_in;
	s->next.batch.n = 0;
	s->next.folded_in = 0;
}

/* Folded already, by what still holds, and not tried yet. */
static bool
take_folded(struct sql_store *s)
{
	bool	 folded = s->folded_in == s->generation;

	s->folded_in = 0;
	return folded;
}

/* --- the batch at hand --- */

/* *refused_r: it was the rows that were refused, which of them is open. */
static enum drv_result
attempt(struct sql_store *s, const struct drv_batch *b, struct sql_blame *blame, bool *refused_r, struct drv_outcome *out)
{
	enum drv_result	 r;

	*blame = (struct sql_blame){ .group = NULL };
	*refused_r = false;
	if ((r = sql_store_begin(s, b, out)) == DRV_STORED &&
	    (take_folded(s) || (r = fold_batch(s, b, NULL, out)) == DRV_STORED)) {
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
sql_store_deliver(struct sql_store *s, const struct drv_batch *first, struct drv_outcome *out)
{
	struct drv_batch	 b = *first;
	enum drv_result		 r;
	size_t			 stored = 0;

	s->next.flow = first->flow;
	*out = (struct drv_outcome){ .index = 0 };
	while ((r = sql_place_versions(s, &b, out)) == DRV_STORED && (r = sql_store_apply(s, &b, out)) == DRV_STORED) {
		sql_place_announce(s, &b);
		stored += b.n;
		if (s->next.batch.n == 0)
			break;
		first->flow->stored(first->flow->ctx, stored);
		move_on(s, &b);
	}
	out->index += stored;
	s->next.flow = NULL;
	s->next.batch.n = 0;
	s->next.folded_in = s->folded_in = 0;
	return r;
}
