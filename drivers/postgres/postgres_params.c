/* The parameters of a statement: one binary array per column. */

#include <stdlib.h>

#include "drivers/postgres/postgres_private.h"

struct pg_params {
	struct buf	 *arrays;	/* kept from statement to statement */
	size_t		  narrays;
	const char	**values;
	int		 *lengths, *formats;
	int		  n;		/* of the statement at hand */
};

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for the parameters of a statement");
	return DRV_RETRY;
}

static bool
reserve(struct drv *d, size_t n)
{
	struct pg_params	*p = d->params;

	if (p == NULL && (p = d->params = calloc(1, sizeof(*p))) == NULL)
		return false;
	if (n <= p->narrays)
		return true;
	pg_params_free(d);
	if ((p = d->params = calloc(1, sizeof(*p))) == NULL)
		return false;
	p->arrays = calloc(n, sizeof(*p->arrays));
	p->values = calloc(n, sizeof(*p->values));
	p->lengths = calloc(n, sizeof(*p->lengths));
	p->formats = calloc(n, sizeof(*p->formats));
	p->narrays = n;
	return p->arrays != NULL && p->values != NULL && p->lengths != NULL && p->formats != NULL;
}

void
pg_params_free(struct drv *d)
{
	struct pg_params	*p = d->params;

	if (p == NULL)
		return;
	for (size_t i = 0; p->arrays != NULL && i < p->narrays; i++)
		buf_free(&p->arrays[i]);
	free(p->arrays);
	free(p->values);
	free(p->lengths);
	free(p->formats);
	free(p);
	d->params = NULL;
}

static void
begin_array(struct buf *b, uint32_t oid, size_t n)
{
	buf_reset(b);
	pg_add_u32(b, 1);		/* dimensions */
	pg_add_u32(b, 1);		/* may have NULLs */
	pg_add_u32(b, oid);
	pg_add_u32(b, (uint32_t)n);
	pg_add_u32(b, 1);		/* lower bound */
}

void
pg_say_finer(struct drv *d, const struct sql_table *t, size_t i)
{
	if (!d->said_finer)
		log_warn(d->log, "times such as table %s has in column %s are finer than the microseconds PostgreSQL holds: "
		    "further digits are left away; this is said once", t->name.p, t->cols[i].name.p);
	d->said_finer = true;
}

/* PG_FITS, or what kept an element of the column from its place: *row_r. */
static enum pg_fit
fill_array(struct drv *d, struct buf *b, const struct sql_table *t, size_t i, bool native, struct sql_row *const *rows,
    size_t n, struct sql_row **row_r, const char **why_r)
{
	const struct sql_held	*held = &t->held[i];
	enum pg_fit		 fit = PG_FITS;

	begin_array(b, native ? held->type : PG_TEXT, n);
	for (size_t r = 0; r < n && fit == PG_FITS; r++) {
		const struct json_val	*v = &rows[r]->v[i];

		fit = native ? pg_value_native(b, held->type, v, &d->scratch, why_r) :
		    pg_value_text(b, &t->cols[i], held, v, &d->scratch, why_r);
		if (fit == PG_FINER) {
			pg_say_finer(d, t, i);
			fit = PG_FITS;
		}
		*row_r = rows[r];
	}
	return b->oom ? PG_NOMEM : fit;
}

static enum drv_result
fill_column(struct drv *d, const struct sql_table *t, size_t i, struct sql_row *const *rows, size_t n, uint64_t *native,
    struct sql_blame *blame, struct err *err)
{
	struct buf	*b = &d->params->arrays[d->params->n];
	const char	*why = "";
	enum pg_fit	 fit = PG_AS_TEXT;
	bool		 as_is = pg_is_native(t->held[i].type);

	if (as_is)
		fit = fill_array(d, b, t, i, true, rows, n, &blame->row, &why);
	if (fit == PG_AS_TEXT) {
		as_is = false;
		fit = fill_array(d, b, t, i, false, rows, n, &blame->row, &why);
	}
	if (fit == PG_UNFIT) {
		err_set(err, ERR_INVALID, "column \"%s\" in %s %s; change the column's type, then retry the event",
		    t->cols[i].name.p, d->url.where, why);
		return DRV_REJECT;
	}
	blame->row = NULL;
	if (fit == PG_NOMEM)
		return nomem(err);
	if (as_is)
		native[i / 64] |= UINT64_C(1) << (i % 64);
	d->params->n++;
	return DRV_STORED;
}

enum drv_result
pg_params_fill(struct drv *d, const struct sql_table *t, struct sql_row *const *rows, size_t n, size_t ncols,
    uint64_t *mask, struct sql_blame *blame, struct err *err)
{
	uint64_t	*native = mask + sql_mask_words(t);
	enum drv_result	 r = DRV_STORED;

	if (!reserve(d, t->ncols))
		return nomem(err);
	d->params->n = 0;
	memset(native, 0, sql_mask_words(t) * sizeof(*native));
	for (size_t i = 0; i < ncols && r == DRV_STORED; i++)
		if (sql_mask_has(mask, i))
			r = fill_column(d, t, i, rows, n, native, blame, err);
	return r;
}

int
pg_params_send(struct drv *d, const char *name, const char *sql)
{
	struct pg_params	*p = d->params;

	for (int i = 0; i < p->n; i++) {
		p->values[i] = (const char *)p->arrays[i].data;
		p->lengths[i] = (int)p->arrays[i].len;
		p->formats[i] = 1;
	}
	if (name != NULL)
		return PQsendQueryPrepared(d->conn, name, p->n, p->values, p->lengths, p->formats, 0);
	return PQsendQueryParams(d->conn, sql, p->n, NULL, p->values, p->lengths, p->formats, 0);
}
