/*
 * From a connection to a session that is good for something.
 *
 * db-lib does not ask for the ANSI options that other libraries get, and without them texts are cut silently and
 * tables with certain indexes cannot be written (contract/tds.md section 1).  So they are set before anything
 * else, and looked at.  LANGUAGE comes first as it changes others; QUOTED_IDENTIFIER counts for batches that follow.
 */

#include <stdlib.h>

#include "drivers/sql/quote.h"
#include "drivers/sqlserver/sqlserver_private.h"

static const char options[] =
    "SET LANGUAGE us_english;\n"
    "SET QUOTED_IDENTIFIER, ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, "
    "ANSI_NULL_DFLT_ON ON;\n"
    "SET NUMERIC_ROUNDABORT OFF;\n"
    "SET XACT_ABORT ON;\n"
    "SET NOCOUNT ON;\n"
    "SET DATEFORMAT ymd;\n"
    "SET DATEFIRST 7;\n"
    "SET IMPLICIT_TRANSACTIONS OFF;\n"
    "SET CURSOR_CLOSE_ON_COMMIT OFF;\n"
    "SET LOCK_TIMEOUT 30000;\n"
    "SET TEXTSIZE 2147483647;\n"
    "SET DEADLOCK_PRIORITY LOW;\n";

/* Bits of @@OPTIONS: what must be on, and what off. */
#define MUST_ON		(8 | 16 | 32 | 64 | 256 | 512 | 1024 | 4096 | 16384)
#define MUST_OFF	(2 | 4 | 8192)

#define NEEDED_VERSION	13	/* SQL Server 2016 */
#define NEEDED_LEVEL	130	/* for OPENJSON */

static const char look[] =
    "SELECT CONVERT(NVARCHAR(20), @@OPTIONS), CONVERT(NVARCHAR(128), SERVERPROPERTY(N'ProductVersion')), "
    "CONVERT(NVARCHAR(20), d.[compatibility_level]), SCHEMA_NAME(), "
    "CONVERT(NVARCHAR(128), DATABASEPROPERTYEX(DB_NAME(), N'Collation')) "
    "FROM sys.databases AS d WHERE d.[name] = DB_NAME()";

struct found {
	struct drv	*d;
	bool		 any;
};

static long
number(struct slice s)
{
	long	 n = 0;

	for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && n < 1000000; i++)
		n = n * 10 + (s.p[i] - '0');
	return n;
}

static bool
contains(struct slice s, const char *word)
{
	return s.p != NULL && memmem(s.p, s.n, word, strlen(word)) != NULL;
}

static enum drv_result
take_schema(struct drv *d, struct slice name, struct err *err)
{
	struct buf	 quoted = { 0 };

	if (d->conn.url.schema != NULL)
		name = slice_of(d->conn.url.schema);
	if (name.n == 0) {
		err_set(err, ERR_CONFIG, "%s: the login has no default schema; name one in the URL with schema=",
		    d->conn.where);
		return DRV_CONFIG;
	}
	free(d->schema);
	free(d->qualifier);
	d->schema = slice_dup(name);
	d->qualifier = NULL;
	if (sql_quote_with(&quoted, name, '[', ']', err) != 0) {
		buf_free(&quoted);
		return DRV_CONFIG;
	}
	buf_addc(&quoted, '.');
	d->qualifier = buf_steal(&quoted);
	if (d->schema == NULL || d->qualifier == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the name of the schema");
		return DRV_RETRY;
	}
	d->backend.dialect.qualifier = d->qualifier;
	return DRV_STORED;
}

static enum drv_result
take_look(void *arg, const struct slice *c, size_t n, struct err *err)
{
	struct found	*f = arg;
	struct drv	*d = f->d;

	if (n < 5)
		return DRV_STORED;
	f->any = true;
	if ((number(c[0]) & MUST_ON) != MUST_ON || (number(c[0]) & MUST_OFF) != 0) {
		err_set(err, ERR_TEMPORARY, "%s: the server did not take the options of the session (@@OPTIONS is "
		    SLICE_FMT ")", d->conn.where, SLICE_ARG(c[0]));
		return DRV_RETRY;
	}
	if (number(c[1]) < NEEDED_VERSION || number(c[2]) < NEEDED_LEVEL) {
		err_set(err, ERR_CONFIG, "%s: the server has version " SLICE_FMT " and the database compatibility level "
		    SLICE_FMT "; needed are SQL Server 2016 (13) and level %d", d->conn.where, SLICE_ARG(c[1]),
		    SLICE_ARG(c[2]), NEEDED_LEVEL);
		return DRV_CONFIG;
	}
	d->backend.names = contains(c[4], "_CI") ? SQL_NAMES_NOCASE : SQL_NAMES_EXACT;
	return take_schema(d, c[3], err);
}

enum drv_result
ms_session_open(struct drv *d, struct err *err)
{
	struct found	 f = { .d = d };
	enum drv_result	 r;

	if (d->usable && !ms_conn_is_broken(&d->conn))
		return DRV_STORED;
	d->usable = false;
	ms_conn_close(&d->conn);
	if ((r = ms_conn_open(&d->conn, err)) != DRV_STORED)
		return r;
	if ((r = ms_batch(&d->conn, options, NULL, NULL, "setting the options of the session", err)) == DRV_STORED)
		r = ms_batch(&d->conn, look, take_look, &f, "looking at the database", err);
	if (r == DRV_STORED && !f.any) {
		err_set(err, ERR_TEMPORARY, "%s: the server does not know the database it is in",
		    d->conn.where);
		r = DRV_RETRY;
	}
	d->usable = r == DRV_STORED;
	if (!d->usable)
		ms_conn_close(&d->conn);
	return r;
}
