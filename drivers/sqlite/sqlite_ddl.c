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

#include "drivers/sqlite/sqlite_private.h"

const char *
lite_type(const struct sql_column *c, bool as_key)
{
	(void)as_key;
	return sql_kind_postgres(c->kind);
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

static enum drv_result
bind_name(struct drv *d, sqlite3_stmt *stmt, struct slice name, struct err *err)
{
	return lite_result(d, sqlite3_bind_text64(stmt, 1, name.p, name.n, SQLITE_STATIC, SQLITE_UTF8), err,
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
		d->schema_cookie = cookie;
		sql_store_stale(&d->store);
	}
	return DRV_STORED;
}

static bool
contains(const char *type, const char *word)
{
	return strcasestr(type, word) != NULL;
}

enum lite_affinity
lite_affinity_of(const char *type)
{
	if (type == NULL)
		return LITE_BLOB;
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

/* SQLite does not tell `Order` from `order`: another spelling is somebody else's table. */
enum drv_result
lite_table_exists(struct drv *d, struct slice table, bool *exists_r, struct err *err)
{
	enum drv_result	 r = prepare(d, &d->ask_name,
	    "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE", err);
	int		 rc;

	*exists_r = false;
	if (r != DRV_STORED || (r = bind_name(d, d->ask_name, table, err)) != DRV_STORED)
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

enum drv_result
lite_read_table(struct drv *d, struct slice table, struct sql_reading *to, struct err *err)
{
	struct sql_found	 c;
	sqlite3_stmt		*q;
	enum drv_result		 r;
	bool			 exists;
	int			 rc;

	if ((r = lite_table_exists(d, table, &exists, err)) != DRV_STORED || !exists ||
	    (r = prepare(d, &d->ask_columns, "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo(?1)",
	    err)) != DRV_STORED || (r = bind_name(d, d->ask_columns, table, err)) != DRV_STORED)
		return r;
	q = d->ask_columns;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW && r == DRV_STORED) {
		c.name.p = (const char *)sqlite3_column_text(q, 0);
		c.name.n = (size_t)sqlite3_column_bytes(q, 0);
		c.type = lite_affinity_of((const char *)sqlite3_column_text(q, 1));
		c.size = 0;
		c.demands = sqlite3_column_int(q, 2) != 0 && sqlite3_column_type(q, 3) == SQLITE_NULL;
		c.key = sqlite3_column_int(q, 4) != 0;
		r = sql_reading_column(to, &c, err);
	}
	(void)sqlite3_reset(q);
	return r != DRV_STORED || rc == SQLITE_DONE ? r : lite_result(d, rc, err, "reading the catalogue");
}

enum drv_result
lite_column_exists(struct drv *d, struct slice table, struct slice column, bool *exists_r, struct err *err)
{
	sqlite3_stmt	*q = NULL;
	enum drv_result	 r = lite_result(d, sqlite3_prepare_v2(d->db,
	    "SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2 COLLATE NOCASE", -1, &q, NULL), err, "reading the catalogue");
	int		 rc = SQLITE_DONE;

	if (r == DRV_STORED && (r = bind_name(d, q, table, err)) == DRV_STORED)
		r = lite_result(d, sqlite3_bind_text64(q, 2, column.p, column.n, SQLITE_STATIC, SQLITE_UTF8), err, "reading the catalogue");
	if (r == DRV_STORED)
		rc = sqlite3_step(q);
	*exists_r = rc == SQLITE_ROW;
	(void)sqlite3_finalize(q);
	return r != DRV_STORED || rc == SQLITE_ROW || rc == SQLITE_DONE ? r : lite_result(d, rc, err, "reading the catalogue");
}

/* What SQLite cannot make of a schema, such as thousands of columns, is the fault of its events alone. */
enum drv_result
lite_ddl(struct drv *d, const char *sql, struct err *err)
{
	enum drv_result	 r = lite_exec(d, sql, err, "changing a table");

	return r == DRV_CONFIG && (sqlite3_errcode(d->db) & 0xff) == SQLITE_ERROR ? DRV_REJECT : r;
}

void
lite_ddl_close(struct drv *d)
{
	(void)sqlite3_finalize(d->ask_cookie);
	(void)sqlite3_finalize(d->ask_name);
	(void)sqlite3_finalize(d->ask_columns);
}
