/*
 * An import: tables eds_import_<job>_<table> beside the live ones, filled in one
 * transaction for each file, and all of them put in the place of the live ones in one
 * more.  A table beside that is gone after import_end() began has taken its place.
 */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/sql/quote.h"
#include "drivers/sqlite/sqlite_private.h"

#define PREFIX		"eds_import_"
#define CACHE_KIB	24576	/* pages of the index that rows of random keys go to */

struct beside {
	struct slice		 live;		/* name, ended by a NUL */
	char			*name;
	struct sql_table	*table;
	struct sql_version	*version;
	bool			 gone;		/* it is live already */
};

struct lite_import {
	bool			 keep;
	bool			 in_file;	/* a transaction is open */
	struct sql_tables	 tables;
	struct beside		*v;
	size_t			 n;
	struct json_val		*row;		/* room for the columns of the widest table */
};

void
lite_import_free(struct drv *d)
{
	struct lite_import	*im = d->import;

	if (im == NULL)
		return;
	sql_tables_free(&im->tables);
	for (size_t i = 0; i < im->n; i++) {
		free(im->v[i].name);
		free((void *)(uintptr_t)im->v[i].live.p);
	}
	free(im->v);
	free(im->row);
	free(im);
	d->import = NULL;
}

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for an import");
	return DRV_RETRY;
}

/* One statement made of words and quoted names: NULL-ended pairs of text and name, name NULL for none. */
static enum drv_result
run(struct drv *d, struct err *err, const char *before, const char *name, const char *between, const char *second, const char *end)
{
	struct buf	 sql = { 0 };
	enum drv_result	 r = DRV_CONFIG;

	buf_adds(&sql, before);
	if (sql_quote(&sql, slice_of(name), err) == 0) {
		buf_adds(&sql, between);
		if (second == NULL || sql_quote(&sql, slice_of(second), err) == 0) {
			buf_adds(&sql, end);
			r = sql.oom ? nomem(err) : lite_exec(d, buf_cstr(&sql), err, "changing a table");
		}
	}
	buf_free(&sql);
	return r;
}

static void
undo(struct drv *d)
{
	if (sqlite3_get_autocommit(d->db) == 0)
		(void)sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
	d->import->in_file = false;
}

/* --- beginning --- */

/* What the catalogue would say of the table that was just made by this schema. */
static int
describe(struct sql_table *t, struct err *err)
{
	if ((t->held = calloc(t->ncols, sizeof(*t->held))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for an import");
	t->nheld = t->ncols;
	t->exists = true;
	for (size_t i = 0; i < t->ncols; i++)
		t->held[i] = (struct sql_held){ .exists = true, .demands = i < t->nkeys || sql_column_not_null(&t->cols[i]),
		    .type = lite_affinity_of(lite_type(&t->cols[i], i < t->nkeys)) };
	return 0;
}

static int
prepare_table(struct lite_import *im, struct beside *b, const struct drv_import_table *t, struct slice job, struct err *err)
{
	struct sql_schema	*schema;
	struct buf		 name = { 0 };

	buf_adds(&name, PREFIX);
	buf_adds_slice(&name, job);
	buf_addc(&name, '_');
	buf_adds_slice(&name, t->table);
	b->name = buf_steal(&name);
	b->live.p = slice_dup(t->table);
	b->live.n = t->table.n;
	if (b->name == NULL || b->live.p == NULL)
		return err_set(err, ERR_NOMEM, "no memory for an import");
	if (sql_schema_parse(&schema, t->schema, err) != 0)
		return -1;
	schema->table = slice_of(b->name);	/* stays ours, and outlives the schema */
	if ((b->version = sql_tables_take(&im->tables, schema, err)) == NULL)
		return -1;
	b->table = sql_tables_find(&im->tables, slice_of(b->name));
	return describe(b->table, err);
}

static enum drv_result
prepare_import(struct drv *d, const struct drv_import *import, struct err *err)
{
	struct lite_import	*im;
	size_t			 widest = 1;

	lite_import_free(d);
	if ((im = d->import = calloc(1, sizeof(*im))) == NULL || (im->v = calloc(import->ntables + 1, sizeof(*im->v))) == NULL)
		return nomem(err);
	im->keep = import->keep;
	for (size_t i = 0; i < import->ntables; i++) {
		im->n++;
		if (prepare_table(im, &im->v[i], &import->tables[i], import->job, err) != 0)
			return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
		if (im->v[i].table->ncols > widest)
			widest = im->v[i].table->ncols;
	}
	return (im->row = calloc(widest, sizeof(*im->row))) == NULL ? nomem(err) : DRV_STORED;
}

/* Names of tables that imports left behind: all of them, one in a row. */
static enum drv_result
leftovers(struct drv *d, struct buf *names, struct err *err)
{
	sqlite3_stmt	*q = NULL;
	enum drv_result	 r = lite_result(d, sqlite3_prepare_v2(d->db,
	    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '" PREFIX "*'", -1, &q, NULL), err, "reading the catalogue");
	int		 rc = SQLITE_DONE;

	while (r == DRV_STORED && (rc = sqlite3_step(q)) == SQLITE_ROW)
		buf_printf(names, "%s\n", (const char *)sqlite3_column_text(q, 0));
	(void)sqlite3_finalize(q);
	return r != DRV_STORED || rc == SQLITE_DONE ? r : lite_result(d, rc, err, "reading the catalogue");
}

static bool
is_ours(const struct lite_import *im, struct slice name)
{
	for (size_t i = 0; i < im->n; i++)
		if (slice_is(name, im->v[i].name))
			return true;
	return false;
}

/* Drops what imports left behind: those of others, or with `ours` this one's. */
static enum drv_result
drop_leftovers(struct drv *d, bool ours, struct err *err)
{
	struct buf	 names = { 0 };
	enum drv_result	 r = leftovers(d, &names, err);
	struct slice	 rest = buf_slice(&names), name;
	char		*copy;

	while (r == DRV_STORED && slice_cut(&rest, '\n', &name)) {
		if (name.n == 0 || is_ours(d->import, name) != ours)
			continue;
		if ((copy = slice_dup(name)) == NULL)
			r = nomem(err);
		else
			r = run(d, err, "DROP TABLE ", copy, "", NULL, "");
		free(copy);
	}
	buf_free(&names);
	return r;
}

/* Makes the tables that are missing; what `ending` means is in driver.h. */
static enum drv_result
make_tables(struct drv *d, const struct drv_import *import, struct err *err)
{
	struct lite_import	*im = d->import;
	struct buf		 sql = { 0 };
	enum drv_result		 r = DRV_STORED;

	for (size_t i = 0; i < im->n && r == DRV_STORED; i++) {
		struct beside *b = &im->v[i];
		bool exists;

		if ((r = lite_table_exists(d, b->live, &exists, err)) != DRV_STORED ||
		    (r = lite_table_exists(d, slice_of(b->name), &exists, err)) != DRV_STORED)
			break;
		b->gone = import->ending && !exists;
		if (exists || b->gone)
			continue;
		buf_reset(&sql);
		if (sql_ddl_create(&sql, lite_dialect(), b->version->schema, err) != 0)
			r = DRV_CONFIG;
		else
			r = sql.oom ? nomem(err) : lite_exec(d, buf_cstr(&sql), err, "making a table for the import");
	}
	buf_free(&sql);
	return r;
}

enum drv_result
lite_import_begin(struct drv *d, const struct drv_import *import, struct err *err)
{
	enum drv_result	 r;
	char		 pragma[60];

	(void)snprintf(pragma, sizeof(pragma), "PRAGMA cache_size = -%d", CACHE_KIB);
	if ((r = prepare_import(d, import, err)) != DRV_STORED || (r = lite_exec(d, pragma, err, "beginning an import")) != DRV_STORED ||
	    (r = lite_exec(d, "BEGIN IMMEDIATE", err, "beginning an import")) != DRV_STORED)
		return r;
	if ((r = drop_leftovers(d, false, err)) == DRV_STORED && (import->resumed || (r = drop_leftovers(d, true, err)) == DRV_STORED) &&
	    (r = make_tables(d, import, err)) == DRV_STORED)
		r = lite_exec(d, "COMMIT", err, "beginning an import");
	if (r != DRV_STORED)
		undo(d);
	return r;
}

/* --- rows --- */

static enum drv_result
store_row(struct drv *d, const struct beside *b, const struct event *ev, struct err *err)
{
	struct sql_row	 row = { .table = b->table, .what = SQL_UPSERT, .v = d->import->row };

	if (sql_row_map(b->table, b->version, ev, row.v, err) != 0 || sql_row_key(b->table, ev, row.v, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
	sql_fill_demanded(&row);
	return lite_upsert(d, &row, err);
}

enum drv_result
lite_import_rows(struct drv *d, size_t table, const struct drv_batch *batch, struct drv_outcome *out)
{
	struct lite_import	*im = d->import;
	enum drv_result		 r = lite_check_file(d, &out->err);

	if (r == DRV_STORED && !im->in_file && (r = lite_exec(d, "BEGIN IMMEDIATE", &out->err, "beginning a file")) == DRV_STORED)
		im->in_file = true;
	for (size_t i = 0; i < batch->n && r == DRV_STORED; i++) {
		out->index = i;
		r = store_row(d, &im->v[table], batch->v[i].ev, &out->err);
	}
	/* A refused row leaves the transaction as it was; anything else leaves nothing to rely on. */
	if (r != DRV_STORED && r != DRV_REJECT)
		undo(d);
	return r;
}

enum drv_result
lite_import_commit(struct drv *d, struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	if (d->import->in_file)
		r = lite_exec(d, "COMMIT", err, "committing a file");
	if (r != DRV_STORED)
		undo(d);
	d->import->in_file = false;
	return r;
}

/* --- the end --- */

static int
add_columns(struct buf *sql, const struct sql_table *t, const char *before, size_t from, struct err *err)
{
	for (size_t i = from; i < t->ncols; i++) {
		buf_adds(sql, i == from ? "" : ", ");
		if (sql_quote(sql, t->cols[i].name, err) != 0)
			return -1;
		if (before == NULL)
			continue;
		buf_adds(sql, before);
		if (sql_quote(sql, t->cols[i].name, err) != 0)
			return -1;
	}
	return 0;
}

static int
merge_sql(struct buf *sql, const struct beside *b, struct err *err)
{
	const struct sql_table	*t = b->table;

	buf_adds(sql, "INSERT INTO ");
	if (sql_quote(sql, b->live, err) != 0)
		return -1;
	buf_adds(sql, " (");
	if (add_columns(sql, t, NULL, 0, err) != 0)
		return -1;
	buf_adds(sql, ") SELECT ");
	if (add_columns(sql, t, NULL, 0, err) != 0)
		return -1;
	buf_adds(sql, " FROM ");
	if (sql_quote(sql, slice_of(b->name), err) != 0)
		return -1;
	buf_adds(sql, " WHERE true ON CONFLICT (");
	for (size_t i = 0; i < t->nkeys; i++) {
		buf_adds(sql, i == 0 ? "" : ", ");
		if (sql_quote(sql, t->cols[i].name, err) != 0)
			return -1;
	}
	if (t->ncols == t->nkeys) {
		buf_adds(sql, ") DO NOTHING");
		return 0;
	}
	buf_adds(sql, ") DO UPDATE SET ");
	return add_columns(sql, t, " = excluded.", t->nkeys, err);
}

/* The live table gets the columns that it lacks. */
static enum drv_result
widen(struct drv *d, const struct beside *b, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 r = DRV_STORED;

	for (size_t i = 0; i < b->table->ncols && r == DRV_STORED; i++) {
		const struct sql_column *c = &b->table->cols[i];
		bool there;

		if ((r = lite_column_exists(d, b->live, c->name, &there, err)) != DRV_STORED || there)
			continue;
		buf_reset(&sql);
		buf_adds(&sql, "ALTER TABLE ");
		if (sql_quote(&sql, b->live, err) != 0)
			r = DRV_CONFIG;
		buf_adds(&sql, " ADD COLUMN ");
		if (r == DRV_STORED && sql_quote(&sql, c->name, err) != 0)
			r = DRV_CONFIG;
		buf_printf(&sql, " %s", lite_type(c, false));
		if (r == DRV_STORED)
			r = lite_exec(d, buf_cstr(&sql), err, "widening a table");
	}
	buf_free(&sql);
	return r;
}

static enum drv_result
merge(struct drv *d, const struct beside *b, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 r = widen(d, b, err);

	if (r == DRV_STORED && merge_sql(&sql, b, err) != 0)
		r = DRV_CONFIG;
	if (r == DRV_STORED)
		r = sql.oom ? nomem(err) : lite_exec(d, buf_cstr(&sql), err, "adding the imported rows");
	buf_free(&sql);
	return r != DRV_STORED ? r : run(d, err, "DROP TABLE ", b->name, "", NULL, "");
}

static enum drv_result
make_live(struct drv *d, struct beside *b, struct err *err)
{
	char		*live = slice_dup(b->live);
	enum drv_result	 r;
	bool		 exists;

	if (live == NULL)
		return nomem(err);
	r = lite_table_exists(d, b->live, &exists, err);
	if (r == DRV_STORED && exists && d->import->keep)
		r = merge(d, b, err);
	else if (r == DRV_STORED) {
		if (exists)
			r = run(d, err, "DROP TABLE ", live, "", NULL, "");
		if (r == DRV_STORED)
			r = run(d, err, "ALTER TABLE ", b->name, " RENAME TO ", live, "");
	}
	free(live);
	return r;
}

enum drv_result
lite_import_end(struct drv *d, struct err *err)
{
	struct lite_import	*im = d->import;
	enum drv_result		 r;

	/* Views and triggers that name a table which is dropped and comes back would be in the way of renaming. */
	if ((r = lite_exec(d, "PRAGMA legacy_alter_table = ON", err, "ending an import")) != DRV_STORED ||
	    (r = lite_exec(d, "BEGIN IMMEDIATE", err, "ending an import")) != DRV_STORED)
		return r;
	lite_cache_flush(d);	/* statements keep tables from being dropped */
	for (size_t i = 0; i < im->n && r == DRV_STORED; i++)
		if (!im->v[i].gone)
			r = make_live(d, &im->v[i], err);
	if (r == DRV_STORED)
		r = lite_exec(d, "COMMIT", err, "ending an import");
	if (r != DRV_STORED) {
		undo(d);
		return r;
	}
	for (size_t i = 0; i < im->n; i++)
		im->v[i].gone = true;
	return DRV_STORED;
}

void
lite_import_abort(struct drv *d)
{
	struct err	 err = { 0 };

	if (d->import == NULL)
		return;
	undo(d);
	lite_cache_flush(d);
	if (drop_leftovers(d, true, &err) != DRV_STORED)
		log_warn(d->store.log, "what an import left behind is removed by the next one: %s", err.text);
}
