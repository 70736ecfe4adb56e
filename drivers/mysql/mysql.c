/*
 * MySQL and MariaDB: one table per kind of record.  The URL: mysql_url.h; tables and types:
 * mysql_catalogue.c; how rows are written: mysql_write.c.
 *
 * A batch is one transaction.  Tables are created and widened before it, since that would end it.
 */

#include <stdlib.h>

#include "drivers/mysql/mysql_private.h"
#include "drivers/mysql/mysql_stmt.h"

#define BATCH_EVENTS	2000
#define BATCH_BYTES	((size_t)4 * 1024 * 1024)

static int
my_validate(const char *url, struct err *err)
{
	struct my_url	 u;

	if (my_url_parse(&u, url, err) != 0)
		return -1;
	my_url_free(&u);
	return 0;
}

static void
my_undo(struct drv *d)
{
	my_rollback(d);
}

static void
my_forget(struct drv *d)
{
	sql_stmts_flush(&d->stmts);
}

bool
my_told(struct drv *d, char about, struct slice name)
{
	struct slice	 rest = buf_slice(&d->told), one;

	while (rest.n > 0 && slice_cut(&rest, '\0', &one))
		if (one.n == name.n + 1 && one.p[0] == about && memcmp(one.p + 1, name.p, name.n) == 0)
			return true;
	buf_addc(&d->told, about);
	buf_adds_slice(&d->told, name);
	buf_addc(&d->told, '\0');
	return false;
}

static const struct sql_backend	backend = {
	.dialect = { .open = '`', .close = '`', .create = "CREATE TABLE IF NOT EXISTS", .add = "ADD COLUMN" },
	.names = SQL_NAMES_NOCASE,
	.begin = my_connect,
	.read_table = my_read_table,
	.ddl = my_ddl,
	.apply = my_apply,
	.undo = my_undo,
	.forget = my_forget,
};

static void
my_close(struct drv **dp)
{
	struct drv	*d = *dp;

	if (d == NULL)
		return;
	sql_import_free(&d->import);
	my_disconnect(d);
	sql_stmts_free(&d->stmts);
	sql_store_free(&d->store);
	arena_free(&d->making.arena);
	buf_free(&d->making.scratch);
	buf_free(&d->told);
	my_url_free(&d->url);
	free(d);
	*dp = NULL;
}

/* Everything but the connection. */
static enum drv_result
make(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*d = calloc(1, sizeof(*d));
	struct buf	 where = { 0 };
	enum drv_result	 r = DRV_RETRY;

	if (d == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the state of the driver");
		goto out;
	}
	d->env = env;
	d->host = env->host;
	d->log = env->log;
	d->backend = backend;
	d->stmts.drop = my_stmt_drop;
	d->after = env->update_strategy != NULL && strcmp(env->update_strategy, "after") == 0;
	if (my_url_parse(&d->url, env->url, err) != 0) {
		r = err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
		goto out;
	}
	buf_printf(&where, "%s:%u/%s", d->url.host, d->url.port, d->url.database);
	if (sql_store_init(&d->store, &d->backend, d, env, buf_cstr(&where), err) != 0)
		goto out;
	r = DRV_STORED;
	*drv_r = d;
	d = NULL;	/* given away */
out:
	buf_free(&where);
	my_close(&d);
	return r;
}

static enum drv_result
my_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*d = NULL;
	enum drv_result	 r = make(&d, env, err);

	if (r == DRV_STORED && (r = my_connect(d, err)) == DRV_STORED) {
		*drv_r = d;
		d = NULL;	/* given away */
	}
	my_close(&d);
	return r;
}

static enum drv_result
my_deliver(struct drv *d, const struct drv_batch *b, struct drv_outcome *out)
{
	return sql_store_deliver(&d->store, b, out);
}

/* Shorter waits than in service: a person is waiting. */
#define TEST_CONNECT_S	4
#define TEST_ANSWER_S	5

static enum drv_result
my_test(const struct drv_env *env, struct err *err)
{
	struct drv	*d = NULL;
	enum drv_result	 r = make(&d, env, err);

	if (r == DRV_STORED) {
		d->url.connect_s = TEST_CONNECT_S;
		d->url.read_s = d->url.write_s = TEST_ANSWER_S;
		if ((r = my_connect(d, err)) == DRV_STORED)
			r = my_try(d, err);
	}
	my_close(&d);
	return r;
}

/* --- import --- */

static enum drv_result
my_import_begin(struct drv *d, const struct drv_import *how, struct err *err)
{
	sql_import_free(&d->import);
	return sql_import_begin(&d->import, &d->store, &my_import_backend, d->env, how, err);
}

static enum drv_result
my_import_rows(struct drv *d, size_t table, const struct drv_batch *b, struct drv_outcome *out)
{
	return sql_import_rows(d->import, table, b, out);
}

/* Each batch was a transaction. */
static enum drv_result
my_import_commit(struct drv *d, struct err *err)
{
	(void)d;
	(void)err;
	return DRV_STORED;
}

static enum drv_result
my_import_end(struct drv *d, struct err *err)
{
	return sql_import_end(&d->import, err);
}

static void
my_import_abort(struct drv *d)
{
	sql_import_abort(&d->import);
}

const struct driver driver_mysql = {
	.abi		= DRIVER_ABI,
	.id		= "mysql",
	.caps		= DRV_CAP_IDEMPOTENT | DRV_CAP_ATOMIC | DRV_CAP_SCHEMA,
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.validate	= my_validate,
	.open		= my_open,
	.deliver	= my_deliver,
	.test		= my_test,
	.import_begin	= my_import_begin,
	.import_rows	= my_import_rows,
	.import_commit	= my_import_commit,
	.import_end	= my_import_end,
	.import_abort	= my_import_abort,
	.close		= my_close,
};
