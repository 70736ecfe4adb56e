/*
 * SQL Server and Azure SQL, through FreeTDS: one table per kind of record.
 *
 *	sqlserver://user:password@host:1433/database?encrypt=true&trustservercertificate=false
 *
 * sqlserver_url.c knows the parameters.  A batch is one transaction and one round trip (sqlserver_write.c); a
 * transaction that is not committed is rolled back by the server when the connection ends.
 */

#include <stdlib.h>
#include <unistd.h>

#include "drivers/sqlserver/sqlserver_private.h"

#define BATCH_EVENTS	1000
#define BATCH_BYTES	((size_t)4 * 1024 * 1024)

static enum drv_result
begin(struct drv *d, struct err *err)
{
	return ms_session_open(d, err);
}

static const struct sql_backend	backend = {
	.dialect = { .open = '[', .close = ']', .create = "CREATE TABLE", .create_end = "", .add = "ADD", .key_not_null = true,
		.type = ms_declared },
	.begin = begin, .read_table = ms_read_table, .ddl = ms_ddl, .apply = ms_apply,
};

static int
validate(const char *url, struct err *err)
{
	struct ms_url	 u;

	if (ms_url_parse(&u, url, err) != 0)
		return -1;
	ms_url_free(&u);
	return 0;
}

static void
close_driver(struct drv **dp)
{
	struct drv	*d = *dp;

	if (d == NULL)
		return;
	sql_import_free(&d->import);
	sql_store_free(&d->store);
	ms_conn_free(&d->conn);
	ms_types_free(&d->types);
	free(d->schema);
	free(d->qualifier);
	free(d);
	*dp = NULL;
}

/* Everything but the connection. */
static enum drv_result
make(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct ms_url	 u;
	struct drv	*d;

	*drv_r = NULL;
	if (ms_url_parse(&u, env->url, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	if ((d = calloc(1, sizeof(*d))) == NULL)
		err_set(err, ERR_NOMEM, "no memory for the state of the driver");
	else if (ms_conn_init(&d->conn, &u, env, err) == 0) {
		d->env = env;
		d->backend = backend;
		d->by_date = env->update_strategy != NULL && strcmp(env->update_strategy, "after") == 0;
		if (sql_store_init(&d->store, &d->backend, d, env, d->conn.where, err) == 0) {
			*drv_r = d;
			return DRV_STORED;
		}
	}
	close_driver(&d);
	ms_url_free(&u);
	return DRV_RETRY;
}

static enum drv_result
open_driver(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*d;
	enum drv_result	 r;

	if ((r = make(&d, env, err)) == DRV_STORED && (r = ms_session_open(d, err)) == DRV_STORED) {
		*drv_r = d;
		return r;
	}
	close_driver(&d);
	return r;
}

/* After a new connection the tables may be others: it may lead to another server. */
static enum drv_result
deliver(struct drv *d, const struct drv_batch *b, struct drv_outcome *out)
{
	bool		 fresh = !d->usable || ms_conn_is_broken(&d->conn);
	enum drv_result	 r;

	*out = (struct drv_outcome){ .index = 0 };
	if ((r = ms_session_open(d, &out->err)) != DRV_STORED)
		return r;
	if (fresh)
		sql_store_stale(&d->store);
	return sql_store_deliver(&d->store, b, out);
}

/* --- import --- */

static enum drv_result
import_begin(struct drv *d, const struct drv_import *how, struct err *err)
{
	sql_import_free(&d->import);
	return sql_import_begin(&d->import, &d->store, &ms_import_backend, d->env, how, err);
}

static enum drv_result
import_rows(struct drv *d, size_t table, const struct drv_batch *b, struct drv_outcome *out)
{
	return sql_import_rows(d->import, table, b, out);
}

/* Nothing waits: every batch of rows was committed. */
static enum drv_result
import_commit(struct drv *d, struct err *err)
{
	(void)d;
	(void)err;
	return DRV_STORED;
}

static enum drv_result
import_end(struct drv *d, struct err *err)
{
	return sql_import_end(&d->import, err);
}

static void
import_abort(struct drv *d)
{
	sql_import_abort(&d->import);
}

/* --- test --- */

/*
 * What every batch needs: a table of our own, written through OPENJSON.  All of it in a transaction that is given up.
 */
static enum drv_result
try_everything(struct drv *d, struct err *err)
{
	struct buf	 sql = { 0 }, name = { 0 };
	enum drv_result	 r = DRV_RETRY;

	buf_printf(&name, "%s[eds_test_%ld]", d->qualifier, (long)getpid());
	buf_printf(&sql, "BEGIN TRANSACTION;\nCREATE TABLE %s ([id] VARCHAR(64) NOT NULL, PRIMARY KEY ([id]));\n"
	    "INSERT INTO %s ([id]) SELECT s.[c0] FROM OPENJSON(N'[[\"1\"]]') WITH ([c0] NVARCHAR(64) '$[0]') AS s;\n"
	    "UPDATE t SET t.[id] = N'2' FROM %s AS t WHERE t.[id] = N'1';\nDELETE t FROM %s AS t WHERE t.[id] = N'2';\n"
	    "ROLLBACK TRANSACTION", buf_cstr(&name), buf_cstr(&name), buf_cstr(&name), buf_cstr(&name));
	if (sql.oom || name.oom)
		err_set(err, ERR_NOMEM, "no memory for a test");
	else
		r = ms_batch(&d->conn, buf_cstr(&sql), NULL, NULL, "creating and writing a table, as a test", err);
	buf_free(&sql);
	buf_free(&name);
	return r == DRV_REJECT ? DRV_CONFIG : r;
}

#define TEST_LOGIN_S	6
#define TEST_ANSWER_S	6
#define NO_SUCH_DATABASE 4060

static enum drv_result
test(const struct drv_env *env, struct err *err)
{
	struct drv	*d;
	enum drv_result	 r;

	if ((r = make(&d, env, err)) != DRV_STORED)
		return r;
	if (d->conn.url.login_s > TEST_LOGIN_S)
		d->conn.url.login_s = TEST_LOGIN_S;
	if (d->conn.url.answer_s > TEST_ANSWER_S)
		d->conn.url.answer_s = TEST_ANSWER_S;
	if ((r = ms_session_open(d, err)) == DRV_STORED)
		r = try_everything(d, err);
	if (r == DRV_RETRY && d->conn.number == NO_SUCH_DATABASE)
		r = DRV_CONFIG;		/* mostly it is that; a running worker waits, for Azure says so of one that moves */
	close_driver(&d);
	return r;
}

const struct driver driver_sqlserver = {
	.abi		= DRIVER_ABI,
	.id		= "sqlserver",
	.caps		= DRV_CAP_IDEMPOTENT | DRV_CAP_ATOMIC | DRV_CAP_SCHEMA,
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.validate	= validate,
	.open		= open_driver,
	.deliver	= deliver,
	.test		= test,
	.import_begin	= import_begin,
	.import_rows	= import_rows,
	.import_commit	= import_commit,
	.import_end	= import_end,
	.import_abort	= import_abort,
	.close		= close_driver,
};
