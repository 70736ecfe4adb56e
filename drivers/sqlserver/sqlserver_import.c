/*
 * Import: rows go into tables beside the live ones, named eds_import_<job>_<number>, the same way as events do;
 * each import_rows() is durable by itself.  In the end one transaction puts all of them in the place of the live
 * ones, by sp_rename, or merges them in.
 *
 * FreeTDS has a bulk copy, but takes every text of length zero for NULL and garbles others (contract/tds.md).
 */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/sql/quote.h"
#include "drivers/sqlserver/sqlserver_private.h"

#define NAME_SIZE	128		/* what SQL Server allows */

struct beside {
	char			 name[NAME_SIZE];
	struct sql_table	*table;
	struct sql_version	*version;
	bool			 exists;
};

struct ms_import {
	struct sql_store	 store;
	struct beside		*v;
	size_t			 n;
	bool			 keep;
};

/* What the catalogue says of a live table. */
struct live {
	bool		 exists, other;		/* `other`: a view or synonym, or a table of another spelling */
	struct slice	 wanted;
	struct buf	 names;			/* of columns, each ended by a NUL */
	struct buf	 collations;		/* of these, likewise; empty for what is no text */
};

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for an import");
	return DRV_RETRY;
}

struct slice
ms_name_of(const struct drv *d, struct slice table)
{
	for (size_t i = 0; d->import != NULL && i < d->import->n; i++)
		if (slice_eq(d->import->v[i].table->name, table))
			return slice_of(d->import->v[i].name);
	return table;
}

void
ms_import_free(struct drv *d)
{
	struct ms_import	*im = d->import;

	if (im == NULL)
		return;
	sql_store_free(&im->store);
	free(im->v);
	free(im);
	d->import = NULL;
}

/* --- the catalogue --- */

static enum drv_result
take_live(void *arg, const struct slice *c, size_t n, struct err *err)
{
	struct live	*l = arg;

	if (n < MS_C_COUNT || c[MS_C_KIND].n == 0)
		return DRV_STORED;
	l->exists = true;
	l->other |= c[MS_C_KIND].p[0] != 'U' || !slice_eq(c[MS_C_TABLE], l->wanted);
	buf_adds_slice(&l->names, c[MS_C_NAME]);
	buf_addc(&l->names, '\0');
	buf_adds_slice(&l->collations, c[MS_C_COLLATION]);
	buf_addc(&l->collations, '\0');
	return l->names.oom || l->collations.oom ? nomem(err) : DRV_STORED;
}

static void
live_free(struct live *l)
{
	buf_free(&l->names);
	buf_free(&l->collations);
}

static enum drv_result
look(struct drv *d, struct slice name, struct live *l, struct err *err)
{
	enum drv_result	 r;

	*l = (struct live){ .wanted = name };
	if ((r = ms_columns(d, name, take_live, l, err)) == DRV_STORED && l->other) {
		err_set(err, ERR_CONFIG, "table \"" SLICE_FMT "\" cannot be kept in %s: something else there has that name; "
		    "rename it", SLICE_ARG(name), d->conn.where);
		r = DRV_CONFIG;
	}
	return r;
}

static enum drv_result
exists(struct drv *d, const char *name, bool *exists_r, struct err *err)
{
	struct live	 l;
	enum drv_result	 r = look(d, slice_of(name), &l, err);

	*exists_r = l.exists;
	live_free(&l);
	return r;
}

/* --- statements --- */

static int
full_name(struct buf *b, const struct drv *d, struct slice name, struct err *err)
{
	buf_adds(b, d->qualifier);
	return sql_quote_with(b, name, '[', ']', err);
}

static int
column(struct buf *b, const char *of, const struct sql_column *c, struct err *err)
{
	buf_adds(b, of);
	return sql_quote_with(b, c->name, '[', ']', err);
}

static int
add_drop(struct buf *b, const struct drv *d, struct slice name, struct err *err)
{
	buf_adds(b, "DROP TABLE ");
	if (full_name(b, d, name, err) != 0)
		return -1;
	buf_adds(b, ";\n");
	return 0;
}

/* sp_rename takes the old name quoted and the new one as it is. */
static int
add_rename(struct buf *b, const struct drv *d, const struct beside *t, struct err *err)
{
	struct buf	 old = { 0 };
	int		 rc;

	if ((rc = full_name(&old, d, slice_of(t->name), err)) == 0) {
		buf_adds(b, "EXEC sys.sp_rename ");
		ms_sql_text(b, buf_slice(&old));
		buf_adds(b, ", ");
		ms_sql_text(b, t->table->name);
		buf_adds(b, ", N'OBJECT';\n");
	}
	buf_free(&old);
	return rc;
}

/* The collation of a live table's column; absent when it is no text. */
static struct slice
collation_of(const struct live *l, struct slice name)
{
	struct slice	 names = buf_slice(&l->names), collations = buf_slice(&l->collations), one, collation;

	while (slice_cut(&names, '\0', &one) && slice_cut(&collations, '\0', &collation))
		if (slice_eq(one, name))
			return collation;
	return (struct slice){ NULL, 0 };
}

static int
add_same_key(struct buf *b, const struct beside *t, const struct live *l, struct err *err)
{
	const struct sql_table	*table = t->table;
	struct slice		 collation;

	for (size_t i = 0; i < table->nkeys; i++) {
		buf_adds(b, i == 0 ? "" : " AND ");
		if (column(b, "t.", &table->cols[i], err) != 0)
			return -1;
		buf_adds(b, " = ");
		if (column(b, "s.", &table->cols[i], err) != 0)
			return -1;
		collation = collation_of(l, table->cols[i].name);
		if (collation.n > 0)
			buf_printf(b, " COLLATE " SLICE_FMT, SLICE_ARG(collation));
	}
	return 0;
}

static int
add_columns(struct buf *b, const char *of, const struct sql_table *t, struct err *err)
{
	for (size_t i = 0; i < t->ncols; i++) {
		buf_adds(b, i == 0 ? "" : ", ");
		if (column(b, of, &t->cols[i], err) != 0)
			return -1;
	}
	return 0;
}

static int
add_merge_update(struct buf *b, const struct drv *d, const struct beside *t, const struct live *l, struct err *err)
{
	const struct sql_table	*table = t->table;

	if (table->ncols == table->nkeys)
		return 0;
	buf_adds(b, "UPDATE t SET ");
	for (size_t i = table->nkeys; i < table->ncols; i++) {
		buf_adds(b, i == table->nkeys ? "" : ", ");
		if (column(b, "t.", &table->cols[i], err) != 0)
			return -1;
		buf_adds(b, " = ");
		if (column(b, "s.", &table->cols[i], err) != 0)
			return -1;
	}
	buf_adds(b, " FROM ");
	if (full_name(b, d, table->name, err) != 0)
		return -1;
	buf_adds(b, " AS t WITH (UPDLOCK, HOLDLOCK) JOIN ");
	if (full_name(b, d, slice_of(t->name), err) != 0)
		return -1;
	buf_adds(b, " AS s ON ");
	if (add_same_key(b, t, l, err) != 0)
		return -1;
	buf_adds(b, ";\n");
	return 0;
}

static int
add_merge_insert(struct buf *b, const struct drv *d, const struct beside *t, const struct live *l, struct err *err)
{
	buf_adds(b, "INSERT INTO ");
	if (full_name(b, d, t->table->name, err) != 0)
		return -1;
	buf_adds(b, " (");
	if (add_columns(b, "", t->table, err) != 0)
		return -1;
	buf_adds(b, ") SELECT ");
	if (add_columns(b, "s.", t->table, err) != 0)
		return -1;
	buf_adds(b, " FROM ");
	if (full_name(b, d, slice_of(t->name), err) != 0)
		return -1;
	buf_adds(b, " AS s WHERE NOT EXISTS (SELECT 1 FROM ");
	if (full_name(b, d, t->table->name, err) != 0)
		return -1;
	buf_adds(b, " AS t WITH (UPDLOCK, HOLDLOCK) WHERE ");
	if (add_same_key(b, t, l, err) != 0)
		return -1;
	buf_adds(b, ");\n");
	return 0;
}

/* --- begin --- */

static int
take_schema(struct ms_import *im, const struct drv_import *spec, size_t i, struct err *err)
{
	struct beside		*b = &im->v[i];
	struct sql_schema	*schema;

	(void)snprintf(b->name, sizeof(b->name), "eds_import_" SLICE_FMT "_%zu", SLICE_ARG(spec->job), i + 1);
	if (sql_schema_parse(&schema, spec->tables[i].schema, err) != 0 ||
	    (b->version = sql_tables_take(&im->store.tables, schema, err)) == NULL)
		return -1;
	b->table = sql_tables_find(&im->store.tables, spec->tables[i].table);
	if (b->table == NULL)
		return err_set(err, ERR_INVALID, "the schema of table \"" SLICE_FMT "\" is one of another table",
		    SLICE_ARG(spec->tables[i].table));
	b->version->announced = true;		/* once it is live, not when rows are there */
	im->n++;
	return 0;
}

static enum drv_result
make_import(struct drv *d, const struct drv_import *spec, struct err *err)
{
	const struct drv_env	 env = { .host = d->host, .log = d->log };
	struct ms_import	*im = calloc(1, sizeof(*im));

	if (im == NULL)
		return nomem(err);
	d->import = im;
	im->keep = spec->keep;
	if ((im->v = calloc(spec->ntables + 1, sizeof(*im->v))) == NULL)
		return nomem(err);
	if (sql_store_init(&im->store, &d->backend, d, &env, d->conn.where, err) != 0)
		return DRV_RETRY;
	for (size_t i = 0; i < spec->ntables; i++)
		if (take_schema(im, spec, i, err) != 0)
			return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	return DRV_STORED;
}

static enum drv_result
create_beside(struct drv *d, struct beside *t, struct err *err)
{
	struct sql_schema	 renamed = *t->version->schema;
	struct buf		 sql = { 0 };
	enum drv_result		 r = DRV_CONFIG;

	renamed.table = slice_of(t->name);
	if (sql_ddl_create(&sql, &d->backend.dialect, &renamed, err) == 0)
		r = ms_ddl(d, buf_cstr(&sql), err);
	t->exists = r == DRV_STORED;
	buf_free(&sql);
	return r == DRV_REJECT ? DRV_CONFIG : r;
}

static enum drv_result
drop_beside(struct drv *d, struct beside *t, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 r = DRV_RETRY;

	if (add_drop(&sql, d, slice_of(t->name), err) == 0)
		r = ms_batch(&d->conn, buf_cstr(&sql), NULL, NULL, "removing a table of an import", err);
	buf_free(&sql);
	t->exists = t->exists && r != DRV_STORED;
	return r;
}

/* A job that began before finds what it made; what is missing although it is ending is live already. */
static enum drv_result
prepare(struct drv *d, struct beside *t, const struct drv_import *spec, struct err *err)
{
	enum drv_result	 r = exists(d, t->name, &t->exists, err);

	if (r == DRV_STORED && t->exists && !spec->resumed)
		r = drop_beside(d, t, err);
	if (r == DRV_STORED && !t->exists && !spec->ending)
		r = create_beside(d, t, err);
	return r;
}

enum drv_result
ms_import_begin(struct drv *d, const struct drv_import *spec, struct err *err)
{
	enum drv_result	 r;

	ms_import_free(d);
	if ((r = ms_session_open(d, err)) == DRV_STORED)
		r = make_import(d, spec, err);
	for (size_t i = 0; i < spec->ntables && r == DRV_STORED; i++)
		r = prepare(d, &d->import->v[i], spec, err);
	if (r != DRV_STORED)
		ms_import_free(d);
	return r;
}

/* --- rows --- */

enum drv_result
ms_import_rows(struct drv *d, size_t table, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r = ms_session_open(d, &out->err);

	(void)table;			/* the events name it */
	return r == DRV_STORED ? sql_store_deliver(&d->import->store, b, out) : r;
}

/* Nothing waits: every batch of rows was committed. */
enum drv_result
ms_import_commit(struct drv *d, struct err *err)
{
	(void)d;
	(void)err;
	return DRV_STORED;
}

/* --- end --- */

/* Merging needs the live table to have the columns. */
static enum drv_result
widen(struct drv *d, const struct beside *t, const struct live *l, struct err *err)
{
	const struct sql_schema	*s = t->version->schema;
	struct slice		 rest = buf_slice(&l->names), one;
	struct slice		*have = calloc(l->names.len + 1, sizeof(*have));
	struct sql_plan		 plan = { .what = SQL_PLAN_NOTHING };
	struct buf		 sql = { 0 };
	enum drv_result		 r = DRV_STORED;
	size_t			 n = 0;

	if (have == NULL)
		return nomem(err);
	while (slice_cut(&rest, '\0', &one) && one.n > 0)
		have[n++] = one;
	if (sql_plan_make(&plan, s, have, n, d->backend.names, err) != 0)
		r = err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	for (size_t i = 0; i < plan.n && r == DRV_STORED; i++) {
		buf_reset(&sql);
		r = sql_ddl_add(&sql, &d->backend.dialect, s, plan.add[i], err) != 0 ? DRV_CONFIG : ms_ddl(d, buf_cstr(&sql), err);
	}
	sql_plan_free(&plan);
	buf_free(&sql);
	free(have);
	return r;
}

/* What makes one table live. */
static enum drv_result
add_end(struct drv *d, const struct beside *t, struct buf *sql, struct err *err)
{
	struct live	 l;
	enum drv_result	 r = look(d, t->table->name, &l, err);
	int		 rc = 0;

	if (r == DRV_STORED && d->import->keep && l.exists) {
		if ((r = widen(d, t, &l, err)) == DRV_STORED)
			rc = add_merge_update(sql, d, t, &l, err) != 0 || add_merge_insert(sql, d, t, &l, err) != 0 ||
			    add_drop(sql, d, slice_of(t->name), err) != 0;
	} else if (r == DRV_STORED) {
		rc = (l.exists && add_drop(sql, d, t->table->name, err) != 0) || add_rename(sql, d, t, err) != 0;
	}
	live_free(&l);
	return rc != 0 ? DRV_CONFIG : r;
}

static enum drv_result
look_again(struct drv *d, struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	for (size_t i = 0; i < d->import->n && r == DRV_STORED; i++)
		r = exists(d, d->import->v[i].name, &d->import->v[i].exists, err);
	return r;
}

static void
announce(struct drv *d)
{
	for (size_t i = 0; i < d->import->n; i++)
		d->host->table_version(d->host->ctx, d->import->v[i].table->name, d->import->v[i].version->schema->version);
}

/* All or nothing: a table that is not beside any more went live in an earlier call. */
enum drv_result
ms_import_end(struct drv *d, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 r;

	if ((r = ms_session_open(d, err)) != DRV_STORED || (r = look_again(d, err)) != DRV_STORED)
		return r;
	buf_adds(&sql, "SET XACT_ABORT ON;\nBEGIN TRY\nBEGIN TRANSACTION;\n");
	for (size_t i = 0; i < d->import->n && r == DRV_STORED; i++)
		if (d->import->v[i].exists)
			r = add_end(d, &d->import->v[i], &sql, err);
	buf_adds(&sql, "COMMIT TRANSACTION;\nEND TRY\nBEGIN CATCH\nIF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;\nTHROW;\nEND CATCH");
	if (r == DRV_STORED)
		r = sql.oom ? nomem(err) : ms_batch(&d->conn, buf_cstr(&sql), NULL, NULL, "making an import live", err);
	buf_free(&sql);
	if (r == DRV_STORED) {
		announce(d);
		ms_import_free(d);
		sql_store_stale(&d->store);
	}
	return r == DRV_REJECT ? DRV_CONFIG : r;
}

void
ms_import_abort(struct drv *d)
{
	struct err	 err;
	enum drv_result	 r;

	if (d->import == NULL)
		return;
	if ((r = ms_session_open(d, &err)) == DRV_STORED)
		r = look_again(d, &err);
	for (size_t i = 0; i < d->import->n && r == DRV_STORED; i++)
		if (d->import->v[i].exists)
			r = drop_beside(d, &d->import->v[i], &err);
	if (r != DRV_STORED)
		log_error(d->log, "tables of an import that was given up remain in %s, named eds_import_...: %s", d->conn.where,
		    err.text);
	ms_import_free(d);
}
