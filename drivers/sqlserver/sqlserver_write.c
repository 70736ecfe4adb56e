/*
 * A folded batch in one round trip: sp_executesql with a text that depends on the number of tables alone, whose
 * parameters are, for each table, a statement that depends on its columns alone and the rows as one JSON
 * document.  So the server keeps one plan for each table, and no value stands in any text.
 */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/sqlserver/sqlserver_json.h"
#include "drivers/sqlserver/sqlserver_private.h"

#define NAME_SIZE	24

struct ms_statement {
	struct buf	 sql, rows;
};

static void
statements_free(struct ms_statement *s, size_t n)
{
	for (size_t i = 0; s != NULL && i < n; i++) {
		buf_free(&s[i].sql);
		buf_free(&s[i].rows);
	}
	free(s);
}

/* --- code pages --- */

static enum drv_result
take_row_number(void *arg, const struct slice *c, size_t n, struct err *err)
{
	uint64_t	*row = arg;

	(void)err;
	if (n > 0 && !slice_u64(c[0], row))
		*row = UINT64_MAX;
	return DRV_STORED;
}

/* Asks the server, who alone knows its code pages.  DRV_REJECT: *bad_r has a text that would become ?. */
static enum drv_result
check_column(struct drv *d, const struct ms_target *t, struct sql_row *first, size_t n, size_t at, struct sql_row **bad_r,
    struct err *err)
{
	struct buf	 sql = { 0 }, rows = { 0 };
	uint64_t	 row = UINT64_MAX;
	enum drv_result	 r = DRV_RETRY;
	size_t		 found;

	if (ms_json_foreign(&rows, t, first, n, at, &found, err) != 0 || ms_sql_code_page(&sql, t, at, err) != 0)
		goto out;
	r = DRV_STORED;
	if (found > 0)
		r = ms_call(&d->conn, buf_cstr(&sql), MS_DECLARED_J, &(struct ms_param){ "@j", buf_slice(&rows) }, 1,
		    take_row_number, &row, "asking about a code page", err);
	if (r == DRV_STORED && row < n) {
		for (*bad_r = first; row > 0; row--)
			*bad_r = (*bad_r)->next;
		err_set(err, ERR_INVALID, "column \"" SLICE_FMT "\" of table \"" SLICE_FMT "\" (%s): the text has characters "
		    "that the column's code page does not have; make it an NVARCHAR column",
		    SLICE_ARG(t->table->cols[at].name), SLICE_ARG(t->table->name),
		    t->types->v[t->table->held[at].type].name);
		r = DRV_REJECT;
	}
out:
	buf_free(&sql);
	buf_free(&rows);
	return r;
}

static enum drv_result
check_code_pages(struct drv *d, const struct ms_target *t, struct sql_row *first, size_t n, struct sql_row **bad_r,
    struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	for (size_t i = 0; i < t->table->ncols && r == DRV_STORED; i++)
		if (t->table->held[i].exists && t->types->v[t->table->held[i].type].class == MS_CTEXT)
			r = check_column(d, t, first, n, i, bad_r, err);
	return r;
}

/* --- statements --- */

static enum drv_result
statement_make(struct drv *d, struct ms_statement *s, const struct ms_target *t, struct sql_row *first, size_t n,
    struct sql_row **bad_r, struct err *err)
{
	unsigned	 parts;
	bool		 foreign;

	if (ms_json_rows(&s->rows, t, first, n, &parts, &foreign, bad_r, err) != 0 ||
	    ms_sql_write(&s->sql, t, parts, err) != 0)
		return err->code == ERR_INVALID ? DRV_REJECT : DRV_RETRY;
	return foreign ? check_code_pages(d, t, first, n, bad_r, err) : DRV_STORED;
}

/* `names` has room for 2 n of them. */
static void
name_params(struct ms_param *p, char (*names)[NAME_SIZE], const struct ms_statement *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(names[2 * i], NAME_SIZE, "@s%zu", i + 1);
		(void)snprintf(names[2 * i + 1], NAME_SIZE, "@j%zu", i + 1);
		p[2 * i] = (struct ms_param){ names[2 * i], buf_slice(&s[i].sql) };
		p[2 * i + 1] = (struct ms_param){ names[2 * i + 1], buf_slice(&s[i].rows) };
	}
}

static enum drv_result
statements_run(struct drv *d, const struct ms_statement *s, size_t n, bool commit, struct err *err)
{
	struct buf	 sql = { 0 }, declared = { 0 };
	struct ms_param	*params = calloc(2 * n, sizeof(*params));
	char		(*names)[NAME_SIZE] = calloc(2 * n, sizeof(*names));
	enum drv_result	 r = DRV_RETRY;

	ms_sql_frame(&sql, n, commit);
	ms_sql_frame_declared(&declared, n);
	if (params == NULL || names == NULL || sql.oom || declared.oom) {
		err_set(err, ERR_NOMEM, "no memory for a batch");
		goto out;
	}
	name_params(params, names, s, n);
	r = ms_call(&d->conn, buf_cstr(&sql), buf_cstr(&declared), params, 2 * n, NULL, NULL, "writing", err);
	if (r == DRV_RETRY && commit && d->conn.number == 0)
		r = DRV_UNSURE;		/* the line broke or time ran out, perhaps behind the commit */
out:
	buf_free(&sql);
	buf_free(&declared);
	free(params);
	free(names);
	return r;
}

/* Groups whose table is not there are DELETEs from nothing. */
static size_t
count_groups(const struct sql_group *g, size_t n)
{
	size_t	 there = 0;

	for (size_t i = 0; i < n; i++)
		there += g[i].table->exists;
	return there;
}

/* The group of the k-th statement, counted from 1. */
static const struct sql_group *
group_of(const struct sql_group *g, size_t n, long k)
{
	for (size_t i = 0; i < n; i++)
		if (g[i].table->exists && --k == 0)
			return &g[i];
	return NULL;
}

static enum drv_result
make_all(struct drv *d, struct ms_statement *s, const struct sql_group *g, size_t n, struct sql_blame *blame,
    struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	for (size_t i = 0; i < n && r == DRV_STORED; i++) {
		struct ms_target	 t = { .qualifier = d->qualifier, .table = g[i].table,
			.types = &d->types, .by_date = d->by_date };

		if (!g[i].table->exists)
			continue;
		if ((r = statement_make(d, s++, &t, g[i].first, g[i].n, &blame->row, err)) == DRV_REJECT)
			blame->group = &g[i];
	}
	return r;
}

enum drv_result
ms_apply(struct drv *d, const struct sql_group *groups, size_t n, enum sql_end end, struct sql_blame *blame, struct err *err)
{
	size_t			 there = count_groups(groups, n);
	struct ms_statement	*s;
	enum drv_result		 r;

	if (there == 0)
		return DRV_STORED;
	if ((s = calloc(there, sizeof(*s))) == NULL) {
		err_set(err, ERR_NOMEM, "no memory for a batch");
		return DRV_RETRY;
	}
	if ((r = make_all(d, s, groups, n, blame, err)) == DRV_STORED &&
	    (r = statements_run(d, s, there, end == SQL_COMMIT, err)) != DRV_STORED) {
		blame->group = group_of(groups, n, d->conn.mark);
		blame->stale = d->conn.stale;
	}
	statements_free(s, there);
	return r;
}
