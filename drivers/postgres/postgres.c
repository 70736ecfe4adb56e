/*
 * PostgreSQL and CockroachDB: one table per kind of record, with the types and names of the Go server,
 * whose tables and rows go on unchanged.
 *
 *	postgres://user:password@host:5432/database?sslmode=verify-full&search_path=shop
 *
 * The server's certificate and its name are checked unless sslmode says less or the host is this machine;
 * see postgres_url.c.  A batch is one transaction in one round trip, see postgres_write.c.
 */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/postgres/postgres_private.h"
#include "ipc/base/hash.h"

#define BATCH_EVENTS	2000
#define BATCH_BYTES	((size_t)4 * 1024 * 1024)

#define BACKEND(how, without_key)										\
	.dialect = { .open = '"', .close = '"', .create = "CREATE TABLE IF NOT EXISTS", .create_end = "",	\
	    .add = "ADD COLUMN IF NOT EXISTS", .type = pg_column_type, .no_key = (without_key) },		\
	.names		= SQL_NAMES_EXACT,									\
	.begin		= pg_ensure,										\
	.read_table	= pg_read_table,									\
	.ddl		= pg_ddl,										\
	.apply		= (how),										\
	.forget		= pg_forget

static const struct sql_backend	backend = { BACKEND(pg_apply, false) };
const struct sql_backend	pg_load_backend = { BACKEND(pg_load, true) };

static int
pg_validate(const char *url, struct err *err)
{
	struct pg_url	 u;

	if (pg_url_parse(&u, url, err) != 0)
		return -1;
	pg_url_free(&u);
	return 0;
}

static void
pg_close(struct drv **dp)
{
	struct drv	*d = *dp;

	if (d == NULL)
		return;
	pg_disconnect(d);
	sql_import_free(&d->import);
	sql_store_free(&d->store);
	arena_free(&d->arena);
	pg_types_free(d);
	pg_params_free(d);
	pg_url_free(&d->url);
	buf_free(&d->sql);
	buf_free(&d->scratch);
	sql_stmts_free(&d->cache);
	free(d->sent);
	free(d);
	*dp = NULL;
}

/* A number that all workers of this destination have in common, and nobody else. */
static bool
make_fence(struct drv *d, const struct drv_env *env)
{
	char		 host[256] = "";
	struct buf	 b = { 0 };
	bool		 ok;

	(void)gethostname(host, sizeof(host) - 1);
	buf_printf(&b, "%s\n%s\n%s", host, env->data_dir == NULL ? "" : env->data_dir, env->destination);
	(void)snprintf(d->fence, sizeof(d->fence), "%lld", (long long)hash_xxh64(buf_slice(&b)));
	ok = !b.oom;
	buf_free(&b);
	return ok;
}

static struct drv *
instance(const struct drv_env *env, struct err *err)
{
	struct drv	*d = calloc(1, sizeof(*d));

	if (d == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the state of the driver");
		return NULL;
	}
	d->host = env->host;
	d->log = env->log;
	d->after = env->update_strategy != NULL && strcmp(env->update_strategy, "after") == 0;
	if (pg_url_parse(&d->url, env->url, err) == 0 && sql_store_init(&d->store, &backend, d, env, d->url.where, err) == 0) {
		if (make_fence(d, env))
			return d;
		err_set(err, ERR_NOMEM, "no memory for the state of the driver");
	}
	pg_close(&d);
	return NULL;
}

static enum drv_result
pg_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*d = instance(env, err);
	enum drv_result	 r;

	if (d == NULL)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	if ((r = pg_connect(d, err)) == DRV_STORED && (r = pg_check_privileges(d, err)) == DRV_STORED) {
		d->opened = true;
		*drv_r = d;
		d = NULL;	/* given away */
	}
	pg_close(&d);
	return r;
}

static enum drv_result
pg_deliver(struct drv *d, const struct drv_batch *b, struct drv_outcome *out)
{
	return sql_store_deliver(&d->store, b, out);
}

/* Makes a table, writes a row to it, and lets go of both: what EDS does, and nothing stays. */
static const char	trial[] =
	"BEGIN; CREATE TABLE \"eds_test\" (\"id\" TEXT PRIMARY KEY); INSERT INTO \"eds_test\" VALUES ('1'); ROLLBACK";

static enum drv_result
pg_test(const struct drv_env *env, struct err *err)
{
	struct drv	*d = NULL;
	enum drv_result	 r = pg_open(&d, env, err);

	if (r == DRV_STORED) {
		d->opened = false;	/* a test is about what the operator wrote */
		r = pg_exec(d, trial, "trying to make a table", err);
	}
	pg_close(&d);
	return r;
}

const struct driver driver_postgres = {
	.abi		= DRIVER_ABI,
	.id		= "postgres",
	.caps		= DRV_CAP_IDEMPOTENT | DRV_CAP_ATOMIC | DRV_CAP_SCHEMA | DRV_CAP_AHEAD,
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.validate	= pg_validate,
	.open		= pg_open,
	.deliver	= pg_deliver,
	.test		= pg_test,
	.import_begin	= pg_import_begin,
	.import_rows	= pg_import_rows,
	.import_commit	= pg_import_commit,
	.import_end	= pg_import_end,
	.import_abort	= pg_import_abort,
	.close		= pg_close,
};
