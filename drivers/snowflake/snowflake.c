/*
 * Snowflake: one table per kind of record in the schema that the URL names, over the protocol of
 * its drivers (contract/snowflake.md).
 *
 *	account.c	the URL
 *	wire.c		requests and their repetition
 *	session.c jwt.c	signing in, tokens
 *	statement.c result.c	statements and what they answer
 *	trouble.c	what its codes mean
 *	catalogue.c	tables and columns that are there
 *	cell.c merge.c	rows as one statement (pure)
 *	flush.c		a batch in one request
 *	stage.c put.c crypt.c	files to a stage
 *	import.c	whole exports
 *
 * One session, one thread: no table has two writers here.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/snowflake/cell.h"
#include "drivers/snowflake/snowflake_private.h"
#include "drivers/snowflake/trouble.h"

#define BATCH_EVENTS	10000
#define BATCH_BYTES	((size_t)8 * 1024 * 1024)
#define HEARTBEAT_MS	900000		/* a session that is silent for four hours is ended */
#define TEST_MS		14000

#define DIALECT { .open = '"', .close = '"', .create = "CREATE TABLE IF NOT EXISTS", .create_end = "", .add = "ADD COLUMN", \
	.type = snow_type_new }

const struct sql_dialect snow_dialect = DIALECT;

static int
snow_validate(const char *url, struct err *err)
{
	struct snow_account	 a;

	if (snow_account_parse(&a, url, err) != 0)
		return -1;
	snow_account_free(&a);
	return 0;
}

/* --- what the common part asks for --- */

static enum drv_result
begin(struct drv *d, struct err *err)
{
	enum drv_result	 rc = snow_ready(d, err);

	if (rc != DRV_STORED)
		return rc;
	if (d->catalogue_of != d->store.generation)
		snow_catalogue_forget(&d->catalogue);
	rc = snow_catalogue_read(&d->catalogue, &d->session, false, err);
	d->catalogue_of = d->store.generation;
	return rc;
}

static enum drv_result
read_table(struct drv *d, struct slice table, struct sql_reading *rd, struct err *err)
{
	enum drv_result	 rc = DRV_STORED;

	if (d->ddl)
		rc = snow_catalogue_refresh(&d->catalogue, &d->session, table, err);
	d->ddl = false;
	return rc == DRV_STORED ?
	    snow_catalogue_table(&d->catalogue, table, sql_tables_find(&d->store.tables, table), rd, err) : rc;
}

#define COLUMN_EXISTS	1430
#define OBJECT_EXISTS	2002

static enum drv_result
ddl(struct drv *d, const char *sql, struct err *err)
{
	struct snow_statement	 st = { .sql = slice_of(sql), .doing = "changing a table" };
	struct snow_reply	 r;
	enum drv_result		 rc = snow_run(&d->session, &st, NULL, NULL, &r, err);

	d->ddl = true;
	if (rc == DRV_RETRY && (r.code == COLUMN_EXISTS || r.code == OBJECT_EXISTS))
		return DRV_STORED;
	return rc;
}

static const struct sql_backend	backend = {
	.dialect = DIALECT,
	.names = SQL_NAMES_EXACT,
	.begin = begin,
	.read_table = read_table,
	.ddl = ddl,
	.apply = snow_apply,
	.undo = snow_undo,
};

/* --- life cycle --- */

enum drv_result
snow_ready(struct drv *d, struct err *err)
{
	enum drv_result	 rc = snow_sign_in(&d->session, err);

	if (rc != DRV_STORED)
		return DRV_RETRY;	/* it worked when the driver was opened: somebody may mend it again */
	if (d->session_seen != d->session.number) {
		if (d->session_seen != 0)
			sql_store_stale(&d->store);
		d->session_seen = d->session.number;
		d->open_transaction = false;
	}
	return DRV_STORED;
}

/* The first lower-case UUID in HQ's session id. */
static void
take_sid(struct drv *d, const char *session)
{
	static const char	form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t n = session == NULL ? 0 : strlen(session); n >= UUID_LEN; n--, session++) {
		size_t	i = 0;

		while (i < UUID_LEN && (form[i] == '-' ? session[i] == '-' :
		    isdigit((unsigned char)session[i]) || (session[i] >= 'a' && session[i] <= 'f')))
			i++;
		if (i == UUID_LEN) {
			memcpy(d->sid, session, UUID_LEN);
			return;
		}
	}
}

static void
snow_close(struct drv **dp)
{
	struct drv	*d = *dp;

	if (d == NULL)
		return;
	snow_import_free(d);
	snow_session_free(&d->session);
	https_free(&d->https);
	snow_catalogue_free(&d->catalogue);
	sql_store_free(&d->store);
	snow_account_free(&d->account);
	free(d->spool_dir);
	free(d);
	*dp = NULL;
}

static int
build(struct drv *d, const struct drv_env *env, struct err *err)
{
	char	 where[300];

	d->host = env->host;
	d->log = env->log;
	d->guarded = env->update_strategy != NULL && strcmp(env->update_strategy, "after") == 0;
	take_sid(d, env->session);
	if (snow_account_parse(&d->account, env->url, err) != 0)
		return -1;
	if ((d->spool_dir = slice_dup(slice_of(env->data_dir == NULL || *env->data_dir == '\0' ? "/tmp" : env->data_dir))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the state of the driver");
	if (https_new(&d->https, &(struct https_options){ .ca_file = d->account.ca_file, .stopping = env->host->stopping,
	    .ctx = env->host->ctx }, err) != 0)
		return -1;
	snow_session_init(&d->session, d->https, &d->account, env->host, env->log);
	(void)snprintf(where, sizeof(where), "%s/%s", d->account.name, d->account.database);
	return sql_store_init(&d->store, &backend, d, env, where, err);
}

/* Not signed in yet; *drv_r is to be closed in any case. */
static enum drv_result
make(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*d = *drv_r = calloc(1, sizeof(*d));

	if (d == NULL)
		err_set(err, ERR_NOMEM, "no memory for the state of the driver");
	else if (build(d, env, err) == 0)
		return DRV_STORED;
	return err->code == ERR_CONFIG ? DRV_CONFIG : DRV_RETRY;
}

/* Signed in, with a schema to work in and a warehouse that answers. */
static enum drv_result
reach(struct drv *d, struct err *err)
{
	enum drv_result	 rc = snow_sign_in(&d->session, err);

	if (rc != DRV_STORED)
		return rc;
	if (d->session.database == NULL || d->session.schema == NULL) {
		err_set(err, ERR_CONFIG, "the session in account %s has no database and schema: name both in the URL, /DATABASE/SCHEMA",
		    d->account.name);
		return DRV_CONFIG;
	}
	rc = snow_catalogue_read(&d->catalogue, &d->session, true, err);
	d->catalogue_of = d->store.generation;
	d->session_seen = d->session.number;
	return rc;
}

static enum drv_result
snow_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*d;
	enum drv_result	 rc = make(&d, env, err);

	if (rc == DRV_STORED && (rc = reach(d, err)) == DRV_STORED) {
		*drv_r = d;
		d = NULL;	/* given away */
	}
	snow_close(&d);
	return rc;
}

static enum drv_result
snow_deliver(struct drv *d, const struct drv_batch *b, struct drv_outcome *out)
{
	d->batch_n = b->n;
	return sql_store_deliver(&d->store, b, out);
}

static void
snow_idle(struct drv *d)
{
	snow_heartbeat(&d->session);
}

/* --- test --- */

/* A table made and dropped again proves what the role may do. */
static enum drv_result
try_table(struct drv *d, struct err *err)
{
	struct snow_statement	 st = { .count = 2, .doing = "making and dropping a table in the schema", .opening = true };
	struct buf		 sql = { 0 };
	char			 id[UUID_LEN + 1];
	enum drv_result		 rc = DRV_RETRY;

	uuid_random(id);
	buf_printf(&sql, "CREATE TABLE \"eds_test_%.8s\" (\"id\" STRING);\nDROP TABLE \"eds_test_%.8s\";", id, id);
	st.sql = buf_slice(&sql);
	if (sql.oom)
		err_set(err, ERR_NOMEM, "no memory for a statement");
	else
		rc = snow_run(&d->session, &st, NULL, NULL, NULL, err);
	buf_free(&sql);
	return rc;
}

static enum drv_result
snow_test(const struct drv_env *env, struct err *err)
{
	struct drv	*d;
	enum drv_result	 rc = make(&d, env, err);

	if (rc == DRV_STORED) {
		d->session.wire.deadline = mono_now() + TEST_MS;
		if (d->account.login_timeout_s > TEST_MS / 1000)
			d->account.login_timeout_s = TEST_MS / 1000;
		if ((rc = reach(d, err)) == DRV_STORED)
			rc = try_table(d, err);
	}
	snow_close(&d);
	return rc;
}

const struct driver driver_snowflake = {
	.abi		= DRIVER_ABI,
	.id		= "snowflake",
	.caps		= DRV_CAP_IDEMPOTENT | DRV_CAP_ATOMIC | DRV_CAP_SCHEMA,
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.validate	= snow_validate,
	.open		= snow_open,
	.deliver	= snow_deliver,
	.test		= snow_test,
	.import_begin	= snow_import_begin,
	.import_file	= snow_import_file,
	.import_commit	= snow_import_commit,
	.import_end	= snow_import_end,
	.import_abort	= snow_import_abort,
	.idle		= snow_idle,
	.idle_ms	= HEARTBEAT_MS,
	.close		= snow_close,
};
