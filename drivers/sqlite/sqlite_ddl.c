/*
 * Tables in step with HQ's schemas.  Columns are declared with the types of
 * the PostgreSQL destination (contract/drivers.md section 1.7), of which SQLite
 * derives what it does to values:
 *
 *	property		declared			stored as
 *	string, other		TEXT				text
 *	date-time		TIMESTAMP WITH TIME ZONE	text, as received
 *	integer			BIGINT				integer
 *	number			DOUBLE PRECISION		real
 *	boolean			BOOLEAN				integer 0 or 1
 *	object, array		JSONB				compact JSON text
 *	array with enum		VARCHAR(64)			text
 *
 * What such a column would round or turn into something else is bound as a
 * blob of its text, which SQLite leaves alone; see sqlite_write.c.
 */

#include <stdlib.h>

#include "drivers/sql/plan.h"
#include "drivers/sqlite/sqlite_private.h"

static const char *
column_type(const struct sql_column *c, bool as_key)
{
	(void)as_key;
	return sql_kind_postgres(c->kind);
}

/* SQLite lets NULL into primary keys unless told otherwise. */
static const struct sql_dialect	dialect = {
	.open = '"', .close = '"', .create = "CREATE TABLE IF NOT EXISTS", .create_end = "", .add = "ADD COLUMN",
	.key_not_null = true, .type = column_type,
};

/* --- schemas --- */

static enum drv_result
version_fetch(struct drv *d, const struct event *ev, struct sql_version **version_r, struct err *err)
{
	struct sql_schema	*schema;
	struct slice		 json;
	enum drv_result		 r;

	r = d->host->schema(d->host->ctx, ev->table, ev->model_version, &json, err);
	if (r != DRV_STORED) {
		if (r == DRV_REJECT)
			err_prefix(err, "HQ's schema does not know table \"" SLICE_FMT "\" version \"" SLICE_FMT
			    "\"; retry the event once HQ publishes it", SLICE_ARG(ev->table), SLICE_ARG(ev->model_version));
		return r;
	}
	if (sql_schema_parse(&schema, json, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
	if (!slice_eq(schema->table, ev->table) || !slice_eq(schema->version, ev->model_version)) {
		err_set(err, ERR_INVALID, "asked for table \"" SLICE_FMT "\" version \"" SLICE_FMT
		    "\", HQ answered with table \"" SLICE_FMT "\" version \"" SLICE_FMT "\"", SLICE_ARG(ev->table),
		    SLICE_ARG(ev->model_version), SLICE_ARG(schema->table), SLICE_ARG(schema->version));
		sql_schema_free(&schema);
		return DRV_REJECT;
	}
	if ((*version_r = sql_tables_take(&d->tables, schema, err)) == NULL)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
	return DRV_STORED;
}

static enum drv_result
target_find(struct drv *d, const struct event *ev, struct lite_target *t, struct err *err)
{
	enum drv_result	 r;

	*t = (struct lite_target){ .table = sql_tables_find(&d->tables, ev->table) };
	if (ev->op == EVENT_DELETE)
		return DRV_STORED;
	if (t->table != NULL)
		t->version = sql_table_version(t->table, ev->model_version);
	if (t->version != NULL)
		return DRV_STORED;
	if ((r = version_fetch(d, ev, &t->version, err)) == DRV_STORED)
		t->table = sql_tables_find(&d->tables, ev->table);
	return r;
}

static bool
same_target(const struct event *a, const struct event *b)
{
	return (a->op == EVENT_DELETE) == (b->op == EVENT_DELETE) && slice_eq(a->table, b->table) &&
	    slice_eq(a->model_version, b->model_version);
}

enum drv_result
lite_versions(struct drv *d, const struct drv_batch *b, struct drv_outcome *out)
{
	struct lite_target	*targets;
	enum drv_result		 r = DRV_STORED;

	if (b->n > d->ntargets) {
		if ((targets = reallocarray(d->targets, b->n, sizeof(*targets))) == NULL) {
			err_set(&out->err, ERR_NOMEM, "no memory for a batch");
			return DRV_RETRY;
		}
		d->targets = targets;
		d->ntargets = b->n;
	}
	for (size_t i = 0; i < b->n && r == DRV_STORED; i++) {
		out->index = i;
		if (i > 0 && same_target(b->v[i].ev, b->v[i - 1].ev))
			d->targets[i] = d->targets[i - 1];
		else
			r = target_find(d, b->v[i].ev, &d->targets[i], &out->err);
	}
	return r;
}

/* --- catalogue --- */

static enum drv_result
prepare(struct drv *d, sqlite3_stmt **stmt, const char *sql, struct err *err)
{
	if (*stmt != NULL)
		return DRV_STORED;
	return lite_result(d, sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL), err,
	    "reading the catalogue");
}

enum drv_result
lite_catalogue(struct drv *d, struct err *err)
{
	enum drv_result	 r = prepare(d, &d->ask_cookie, "PRAGMA schema_version", err);
	int64_t		 cookie = -1;
	int		 rc;

	if (r != DRV_STORED)
		return r;
	if ((rc = sqlite3_step(d->ask_cookie)) == SQLITE_ROW)
		cookie = sqlite3_column_int64(d->ask_cookie, 0);
	(void)sqlite3_reset(d->ask_cookie);	/* its error is that of the step */
	if (rc != SQLITE_ROW)
		return lite_result(d, rc, err, "reading the catalogue");
	if (cookie != d->schema_cookie) {
		d->generation++;
		d->schema_cookie = cookie;
		lite_cache_flush(d);
	}
	return DRV_STORED;
}

static bool
contains(const char *type, const char *word)
{
	return strcasestr(type, word) != NULL;
}

static enum lite_affinity
affinity_of(const char *type)
{
	if (contains(type, "INT"))
		return LITE_NUMERIC;
	if (contains(type, "CHAR") || contains(type, "CLOB") || contains(type, "TEXT"))
		return LITE_TEXT;
	if (*type == '\0' || contains(type, "BLOB"))
		return LITE_BLOB;
	if (contains(type, "REAL") || contains(type, "FLOA") || contains(type, "DOUB"))
		return LITE_REAL;
	return LITE_NUMERIC;
}

/* One row of the catalogue, valid until the next. */
struct found_column {
	struct slice	 name;
	const char	*type;
	bool		 demands;
	bool		 key;
};

static bool
column_next(struct drv *d, struct found_column *c, int *rc)
{
	sqlite3_stmt	*q = d->ask_columns;

	if ((*rc = sqlite3_step(q)) != SQLITE_ROW)
		return false;
	c->name.p = (const char *)sqlite3_column_text(q, 0);
	c->name.n = (size_t)sqlite3_column_bytes(q, 0);
	c->type = (const char *)sqlite3_column_text(q, 1);
	c->demands = sqlite3_column_int(q, 2) != 0 && sqlite3_column_type(q, 3) == SQLITE_NULL;
	c->key = sqlite3_column_int(q, 4) != 0;
	if (c->type == NULL)
		c->type = "";
	return true;
}

static enum drv_result
columns_ask(struct drv *d, struct slice table, struct err *err)
{
	enum drv_result	 r = prepare(d, &d->ask_columns,
	    "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo(?1)", err);

	if (r == DRV_STORED)
		r = lite_result(d, sqlite3_bind_text64(d->ask_columns, 1, table.p, table.n, SQLITE_STATIC, SQLITE_UTF8), err,
		    "reading the catalogue");
	return r;
}

static enum drv_result
columns_done(struct drv *d, int rc, struct err *err)
{
	(void)sqlite3_reset(d->ask_columns);
	return rc == SQLITE_DONE ? DRV_STORED : lite_result(d, rc, err, "reading the catalogue");
}

/* SQLite does not tell `Order` from `order`: another spelling is somebody else's table. */
static enum drv_result
table_exists(struct drv *d, struct slice table, bool *exists_r, struct err *err)
{
	enum drv_result	 r = prepare(d, &d->ask_name,
	    "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE", err);
	int		 rc;

	*exists_r = false;
	if (r == DRV_STORED)
		r = lite_result(d, sqlite3_bind_text64(d->ask_name, 1, table.p, table.n, SQLITE_STATIC, SQLITE_UTF8), err,
		    "reading the catalogue");
	if (r != DRV_STORED)
		return r;
	if ((rc = sqlite3_step(d->ask_name)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(d->ask_name, 1);

		*exists_r = true;
		if (!slice_is(SLICE("table"), (const char *)sqlite3_column_text(d->ask_name, 0)) || !slice_is(table, name)) {
			err_set(err, ERR_CONFIG, "table \"" SLICE_FMT "\" cannot be kept in %s: its %s \"%s\" has that name; "
			    "rename it", SLICE_ARG(table), d->path,
			    (const char *)sqlite3_column_text(d->ask_name, 0), name);
			r = DRV_CONFIG;
		}
		rc = SQLITE_DONE;
	}
	(void)sqlite3_reset(d->ask_name);
	return rc == SQLITE_DONE ? r : lite_result(d, rc, err, "reading the catalogue");
}

/* What the driver knows of a table, with room for all its columns. */
static struct lite_table *
own_of(struct sql_table *t)
{
	struct lite_table	*own = t->own;
	struct lite_column	*cols;

	if (own == NULL && (own = t->own = calloc(1, sizeof(*own))) == NULL)
		return NULL;
	if (own->ncols < t->ncols) {
		if ((cols = reallocarray(own->cols, t->ncols, sizeof(*cols))) == NULL)
			return NULL;
		own->cols = cols;
	}
	own->ncols = t->ncols;
	memset(own->cols, 0, own->ncols * sizeof(*own->cols));
	return own;
}

static void
take_column(struct sql_table *t, struct lite_table *own, const struct found_column *c)
{
	for (size_t i = 0; i < t->ncols; i++)
		if (sql_names_eq(SQL_NAMES_NOCASE, t->cols[i].name, c->name))
			own->cols[i] = (struct lite_column){ .exists = true, .demands = c->demands,
			    .affinity = affinity_of(c->type) };
}

/* Is (or is not) the primary key of the table in the file that of the schema? */
static bool
key_fits(const struct sql_table *t, const struct found_column *c)
{
	bool	 wanted = false;

	for (size_t i = 0; i < t->nkeys; i++)
		wanted |= sql_names_eq(SQL_NAMES_NOCASE, t->cols[i].name, c->name);
	return wanted == c->key;
}

static enum drv_result
table_read(struct drv *d, struct sql_table *t, struct err *err)
{
	struct lite_table	*own = own_of(t);
	struct found_column	 c;
	enum drv_result		 r;
	bool			 fits = true;
	int			 rc;

	if (own == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the columns of a table");
		return DRV_RETRY;
	}
	for (struct sql_version *v = t->versions; v != NULL; v = v->next)
		v->in_place = false;
	own->generation = 0;
	if ((r = table_exists(d, t->name, &own->exists, err)) != DRV_STORED ||
	    (r = columns_ask(d, t->name, err)) != DRV_STORED)
		return r;
	while (column_next(d, &c, &rc)) {
		take_column(t, own, &c);
		fits &= key_fits(t, &c);
	}
	if ((r = columns_done(d, rc, err)) != DRV_STORED)
		return r;
	if (own->exists && !fits) {
		err_set(err, ERR_CONFIG, "table \"" SLICE_FMT "\" in %s has another primary key than HQ's schema; rename or "
		    "drop that table and import it anew", SLICE_ARG(t->name), d->path);
		return DRV_CONFIG;
	}
	own->generation = d->generation;
	return DRV_STORED;
}

static enum drv_result
table_refresh(struct drv *d, struct sql_table *t, struct err *err)
{
	const struct lite_table	*own = t->own;

	if (own != NULL && own->generation == d->generation && own->ncols == t->ncols)
		return DRV_STORED;
	return table_read(d, t, err);
}

/* A table that only DELETEs have touched so far: its key is what the file says. */
static enum drv_result
table_of_file(struct drv *d, struct slice name, struct sql_table **table_r, struct err *err)
{
	struct found_column	 c;
	struct slice		 keys[32];
	struct buf		 names = { 0 };
	enum drv_result		 r;
	size_t			 n = 0;
	bool			 exists;
	int			 rc;

	*table_r = NULL;
	if ((r = table_exists(d, name, &exists, err)) != DRV_STORED || !exists ||
	    (r = columns_ask(d, name, err)) != DRV_STORED)
		return r;
	if (!buf_reserve(&names, 64 * 1024)) {	/* the slices below must not move */
		err_set(err, ERR_NOMEM, "no memory for the key of a table");
		return DRV_RETRY;
	}
	while (column_next(d, &c, &rc))
		if (c.key && n < NELEM(keys) && names.len + c.name.n < 64 * 1024) {
			keys[n++] = (struct slice){ (const char *)names.data + names.len, c.name.n };
			buf_adds_slice(&names, c.name);
		}
	r = columns_done(d, rc, err);
	if (r == DRV_STORED && n == 0) {
		err_set(err, ERR_CONFIG, "table \"" SLICE_FMT "\" in %s has no primary key; rename or drop that table and "
		    "import it anew", SLICE_ARG(name), d->path);
		r = DRV_CONFIG;
	}
	if (r == DRV_STORED && (*table_r = sql_tables_add(&d->tables, name, keys, n, err)) == NULL)
		r = DRV_RETRY;
	buf_free(&names);
	return r;
}

/* --- changes --- */

/* What SQLite cannot make of a schema, such as thousands of columns, is the fault of its events alone. */
static enum drv_result
ddl_run(struct drv *d, struct buf *sql, struct err *err)
{
	enum drv_result	 r = lite_exec(d, buf_cstr(sql), err, "changing a table");

	d->ddl = true;
	if (r == DRV_CONFIG && (sqlite3_errcode(d->db) & 0xff) == SQLITE_ERROR)
		r = DRV_REJECT;
	buf_reset(sql);
	return r;
}

static enum drv_result
plan_run(struct drv *d, const struct sql_plan *p, const struct sql_schema *s, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 r = DRV_STORED;

	if (p->what == SQL_PLAN_CREATE) {
		r = sql_ddl_create(&sql, &dialect, s, err) == 0 ? ddl_run(d, &sql, err) : DRV_REJECT;
		if (r == DRV_STORED)
			log_info(d->log, "created table %s", s->table.p);
	}
	for (size_t i = 0; i < p->n && r == DRV_STORED; i++) {
		r = sql_ddl_add(&sql, &dialect, s, p->add[i], err) == 0 ? ddl_run(d, &sql, err) : DRV_REJECT;
		if (r == DRV_STORED)
			log_info(d->log, "added column %s to table %s", s->cols[p->add[i]].name.p, s->table.p);
	}
	buf_free(&sql);
	return r;
}

/* The columns of the table that the file has. */
static size_t
existing(const struct sql_table *t, struct slice *have)
{
	const struct lite_table	*own = t->own;
	size_t			 n = 0;

	for (size_t i = 0; i < t->ncols; i++)
		if (own->cols[i].exists)
			have[n++] = t->cols[i].name;
	return n;
}

static enum drv_result
version_put(struct drv *d, struct lite_target *at, struct err *err)
{
	const struct lite_table	*own = at->table->own;
	struct sql_plan		 plan = { .what = SQL_PLAN_NOTHING };
	struct slice		*have = NULL;
	enum drv_result		 r = DRV_REJECT;
	size_t			 n = 0;

	if ((have = calloc(at->table->ncols, sizeof(*have))) == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the columns of a table");
		return DRV_RETRY;
	}
	if (own->exists)
		n = existing(at->table, have);
	if (sql_plan_make(&plan, at->version->schema, own->exists ? have : NULL, n, SQL_NAMES_NOCASE, err) == 0)
		r = plan_run(d, &plan, at->version->schema, err);
	if (r == DRV_STORED && plan.what != SQL_PLAN_NOTHING) {
		r = table_read(d, at->table, err);
		at->version->announced = false;
	}
	if (r == DRV_STORED)
		at->version->in_place = true;
	sql_plan_free(&plan);
	free(have);
	return r;
}

static enum drv_result
target_prepare(struct drv *d, const struct event *ev, struct lite_target *at, struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	if (at->table == NULL && (at->table = sql_tables_find(&d->tables, ev->table)) == NULL)
		r = table_of_file(d, ev->table, &at->table, err);
	if (r != DRV_STORED || at->table == NULL)
		return r;
	if ((r = table_refresh(d, at->table, err)) == DRV_STORED && at->version != NULL && !at->version->in_place)
		r = version_put(d, at, err);
	return r;
}

enum drv_result
lite_prepare_tables(struct drv *d, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r = DRV_STORED;

	for (size_t i = 0; i < b->n && r == DRV_STORED; i++) {
		out->index = i;
		if (i > 0 && same_target(b->v[i].ev, b->v[i - 1].ev))
			d->targets[i] = d->targets[i - 1];
		else
			r = target_prepare(d, b->v[i].ev, &d->targets[i], &out->err);
	}
	if (d->ddl)
		lite_cache_flush(d);
	return r;
}

void
lite_undo(struct drv *d)
{
	if (d->ddl)
		d->generation++;
	d->ddl = false;
}

/* True when the version has every column this process knows of the table: then it is no older one. */
static bool
is_latest(const struct lite_target *at)
{
	return at->version->schema->ncols == at->table->ncols;
}

void
lite_announce(struct drv *d, const struct drv_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct lite_target *at = &d->targets[i];

		if (at->version == NULL || at->version->announced)
			continue;
		at->version->announced = true;
		if (is_latest(at))
			d->host->table_version(d->host->ctx, at->table->name, at->version->schema->version);
	}
	d->ddl = false;
}

void
lite_ddl_close(struct drv *d)
{
	(void)sqlite3_finalize(d->ask_cookie);
	(void)sqlite3_finalize(d->ask_name);
	(void)sqlite3_finalize(d->ask_columns);
	for (size_t i = 0; i < d->tables.n; i++) {
		struct lite_table *own = d->tables.v[i]->own;

		if (own != NULL)
			free(own->cols);
		free(own);
	}
	sql_tables_free(&d->tables);
}
