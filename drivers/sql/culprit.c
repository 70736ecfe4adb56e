/* Who is at fault when rows are refused. */

#include <stdlib.h>

#include "drivers/sql/culprit.h"

#define KEY_SHOWN	200	/* bytes: there must be room for the reason */

struct search {
	struct sql_store	*s;
	const struct drv_batch	*b;
	struct drv_outcome	*out;
	struct sql_group	*groups;	/* room for a part of the fold's */
	size_t			*events;	/* those of the row, by index in the batch */
	size_t			 nevents;
	struct sql_row		*named;		/* by the database, in a trial */
	struct err		 why;		/* of the last refusal */
};

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory to find the event that was refused");
	return DRV_RETRY;
}

/* Would these groups be accepted?  DRV_STORED, DRV_REJECT, or what kept us from finding out. */
static enum drv_result
trial(struct search *q, const struct sql_group *groups, size_t n)
{
	struct sql_store	*s = q->s;
	struct sql_blame	 blame = { .group = NULL };
	struct drv_outcome	 out = { .index = 0 };
	enum drv_result		 r = sql_store_begin(s, q->b, &out);

	if (r == DRV_STORED)
		r = s->be->apply(s->drv, groups, n, SQL_ROLLBACK, &blame, &out.err);
	else if (r == DRV_REJECT)
		r = DRV_RETRY;		/* the tables were in place a moment ago */
	sql_store_undo(s);
	q->named = blame.row;
	if (r == DRV_REJECT)
		q->why = out.err;
	else if (r != DRV_STORED)
		q->out->err = out.err;
	return r;
}

/* The first `n` rows of the fold. */
static enum drv_result
try_rows(struct search *q, size_t n)
{
	const struct sql_fold	*f = &q->s->fold;
	size_t			 g = 0;

	for (; g < f->ngroups && n > 0; g++) {
		q->groups[g] = f->groups[g];
		if (n < q->groups[g].n)
			q->groups[g].n = n;
		n -= q->groups[g].n;
	}
	return trial(q, q->groups, g);
}

/* The row's events up to and including the n-th. */
static enum drv_result
try_events(struct search *q, size_t n)
{
	struct sql_fold	*f = &q->s->probe;
	enum drv_result	 r = DRV_STORED;

	if (sql_fold_begin(f, n, NULL, &q->out->err) != 0)
		return DRV_RETRY;
	for (size_t i = 0; i < n && r == DRV_STORED; i++)
		r = sql_store_fold(q->s, f, q->b, q->events[i], i, &q->out->err);
	if (r == DRV_STORED)
		r = trial(q, f->groups, f->ngroups);
	q->named = NULL;	/* which row it is, is known by now */
	return r;
}

/*
 * The smallest n in (low, *high] of which the trial is refused, given that it is for *high and not
 * for `low`.  *seen_r: some trial was refused, so `why` is about that n.
 */
static enum drv_result
bisect(struct search *q, enum drv_result (*try)(struct search *, size_t), size_t low, size_t *high, bool *seen_r)
{
	enum drv_result	 r;
	size_t		 middle;

	*seen_r = false;
	while (*high - low > 1) {
		middle = low + (*high - low) / 2;
		if ((r = try(q, middle)) == DRV_STORED) {
			low = middle;
		} else if (r == DRV_REJECT) {
			*high = middle;
			*seen_r = true;
			if (q->named != NULL)
				break;
		} else {
			return r;
		}
	}
	return DRV_STORED;
}

static struct sql_row *
row_at(const struct sql_fold *f, size_t at)
{
	struct sql_row	*r;

	for (size_t g = 0; g < f->ngroups; at -= f->groups[g++].n)
		if (at < f->groups[g].n) {
			for (r = f->groups[g].first; at > 0; at--)
				r = r->next;
			return r;
		}
	return NULL;
}

/* The rows from the first to the last of the group that is at fault, as far as that is known. */
static void
bounds(const struct sql_fold *f, const struct sql_blame *blame, size_t *low_r, size_t *high_r)
{
	size_t	 at = 0;

	*low_r = 0;
	*high_r = f->nrows;
	for (size_t g = 0; g < f->ngroups; at += f->groups[g++].n)
		if (blame->group == &f->groups[g]) {
			*low_r = at;
			*high_r = at + f->groups[g].n;
		}
}

static enum drv_result
find_row(struct search *q, const struct sql_blame *blame, struct sql_row **row_r)
{
	const struct sql_fold	*f = &q->s->fold;
	size_t			 low, high;
	enum drv_result		 r;
	bool			 seen;

	if ((*row_r = blame->row) != NULL)
		return DRV_STORED;
	bounds(f, blame, &low, &high);
	if ((r = bisect(q, try_rows, low, &high, &seen)) != DRV_STORED)
		return r;
	*row_r = q->named != NULL ? q->named : row_at(f, high - 1);
	if (seen || *row_r == NULL)
		return DRV_STORED;
	/* Nobody but the last can be at fault, if anybody is. */
	r = try_rows(q, high);
	if (r == DRV_STORED) {
		q->out->err = q->why;
		err_prefix(&q->out->err, "the batch was refused, its rows in a trial were not");
		return DRV_RETRY;
	}
	return r == DRV_REJECT ? DRV_STORED : r;
}

/* The row alone may be fine: it was refused because of another, and its last event is set aside. */
static enum drv_result
find_event(struct search *q, const struct sql_row *row)
{
	size_t		 high;
	enum drv_result	 r;
	bool		 seen;

	for (size_t i = 0; i < q->b->n; i++)
		if (q->s->fold.of_event[i] == row)
			q->events[q->nevents++] = i;
	if ((high = q->nevents) == 0) {
		err_set(&q->out->err, ERR_INVALID, "a row was refused that no event of the batch is about");
		return DRV_BROKEN;
	}
	if ((r = bisect(q, try_events, 0, &high, &seen)) != DRV_STORED)
		return r;
	/* Its own refusal says more than that of a statement with many rows. */
	if (!seen && (r = try_events(q, high)) != DRV_STORED && r != DRV_REJECT)
		return r;
	q->out->index = q->events[high - 1];
	return DRV_STORED;
}

static void
say_where(struct err *err, const struct drv_batch *b, size_t event)
{
	const struct event	*ev = b->v[event].ev;
	struct slice		 key = ev->key.type == JV_ARRAY ? ev->key.raw : SLICE("not given");

	err_prefix(err, "table \"" SLICE_FMT "\", key %.*s%s", SLICE_ARG(ev->table),
	    (int)(key.n < KEY_SHOWN ? key.n : KEY_SHOWN), key.p, key.n < KEY_SHOWN ? "" : "...");
}

enum drv_result
sql_culprit_find(struct sql_store *s, const struct drv_batch *b, const struct sql_blame *blame, struct drv_outcome *out)
{
	struct search	 q = { .s = s, .b = b, .out = out, .why = out->err };
	struct sql_row	*row;
	enum drv_result	 r;

	q.groups = calloc(s->fold.ngroups, sizeof(*q.groups));
	q.events = calloc(b->n, sizeof(*q.events));
	if (q.groups == NULL || q.events == NULL)
		r = nomem(&out->err);
	else if ((r = find_row(&q, blame, &row)) == DRV_STORED && (r = find_event(&q, row)) == DRV_STORED) {
		out->err = q.why;
		say_where(&out->err, b, out->index);
		r = DRV_REJECT;
	}
	free(q.groups);
	free(q.events);
	return r;
}
