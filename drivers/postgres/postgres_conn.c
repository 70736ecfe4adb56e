/*
 * The connection.  libpq is never allowed to wait: what there is to wait for is awaited here, in slices,
 * so that a worker that is to end does not hang on a server that does not answer.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "drivers/postgres/postgres_private.h"

#define SLICE_MS	100
#define CONNECT_MS	10000
#define CONNECT_MAX_S	300
#define SILENCE_MS	90000	/* longer than any statement may take: the network is gone */
#define PATIENT_MS	(24 * 3600 * 1000)
#define STOPPING_MS	1000	/* for a batch that is nearly through */

/*
 * UTC for times without a zone; statements and locks that are waited for too long end as errors, which
 * the operator then sees; a transaction whose other half is lost does not hold its locks for ever.
 */
static const char	session[] =
	"SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET statement_timeout = '60s'; SET lock_timeout = '10s'; "
	"SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = 'warning'";

static bool
stopping(struct drv *d)
{
	return d->host->stopping(d->host->ctx);
}

/* Until the socket is ready.  False: the time is up, or the worker is to end. */
static bool
wait_socket(struct drv *d, PGconn *conn, short events, mono_t until)
{
	mono_t	 now, stop_at = 0;
	int	 rc;

	for (now = mono_now(); now < until; now = mono_now()) {
		struct pollfd	 p = { .fd = PQsocket(conn), .events = events };

		if (p.fd == -1)
			return true;	/* libpq is to say why */
		rc = poll(&p, 1, until - now < SLICE_MS ? (int)(until - now) : SLICE_MS);
		if (rc > 0)
			return true;
		if (stopping(d)) {
			if (stop_at == 0)
				stop_at = mono_now() + STOPPING_MS;
			else if (mono_now() >= stop_at)
				return false;
		}
	}
	return false;
}

void
pg_disconnect(struct drv *d)
{
	if (d->conn != NULL)
		PQfinish(d->conn);
	d->conn = NULL;
	d->nsent = 0;
	d->file_lost |= d->in_file;
	d->in_file = false;
	pg_forget(d);
}

static enum drv_result
lost(struct drv *d, const char *why, struct err *err)
{
	err_set(err, ERR_TEMPORARY, "%s: %s", d->url.where, why);
	pg_disconnect(d);
	return DRV_RETRY;
}

static PGconn *
start(struct drv *d)
{
	const char	*names[72], *values[72];
	size_t		 n = 0;
	PGconn		*conn;

	for (; n < d->url.nparams; n++) {
		names[n] = d->url.params[n].name;
		values[n] = d->url.params[n].value;
	}
	names[n] = values[n] = NULL;
	if ((conn = PQconnectStartParams(names, values, 0)) != NULL)
		(void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);	/* the only way to the SQLSTATE of a refusal */
	return conn;
}

static mono_t
connect_deadline(const struct drv *d)
{
	const char	*text = pg_url_param(&d->url, "connect_timeout");
	uint64_t	 s;

	if (text == NULL || !slice_u64(slice_of(text), &s) || s == 0 || s > CONNECT_MAX_S)
		return mono_now() + CONNECT_MS;
	return mono_now() + (mono_t)s * 1000;
}

static enum drv_result
shake_hands(struct drv *d, PGconn *conn, struct err *err)
{
	mono_t	until = connect_deadline(d);
	short	events = POLLOUT;

	for (;;) {
		if (!wait_socket(d, conn, events, until)) {
			err_set(err, ERR_TEMPORARY, "%s: connecting: no answer", d->url.where);
			return DRV_RETRY;
		}
		switch (PQconnectPoll(conn)) {
		case PGRES_POLLING_OK:
			return DRV_STORED;
		case PGRES_POLLING_READING:
			events = POLLIN;
			break;
		case PGRES_POLLING_WRITING:
			events = POLLOUT;
			break;
		default:
			return pg_fail_connect(d, conn, err);
		}
	}
}

static void
on_notice(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;	/* NOTICEs tell what IF NOT EXISTS has found */
}

static enum drv_result
set_up_session(struct drv *d, struct err *err)
{
	enum drv_result	 r = pg_exec(d, session, "setting up the session", err);
	PGresult	*res;

	for (size_t i = 0; i < d->url.nsettings && r == DRV_STORED; i++) {
		const char *const	 pair[] = { d->url.settings[i].name, d->url.settings[i].value };

		r = pg_query(d, "SELECT set_config($1, $2, false)", 2, pair, &res, "taking a setting of the URL", err);
		if (r == DRV_STORED)
			PQclear(res);
	}
	return r;
}

enum drv_result
pg_connect(struct drv *d, struct err *err)
{
	PGconn		*conn = start(d);
	enum drv_result	 r = DRV_RETRY;

	pg_disconnect(d);
	if (conn == NULL) {
		err_set(err, ERR_NOMEM, "no memory for a connection");
		return DRV_RETRY;
	}
	if (PQstatus(conn) == CONNECTION_BAD)
		r = pg_fail_connect(d, conn, err);
	else
		r = shake_hands(d, conn, err);
	if (r != DRV_STORED) {
		PQfinish(conn);
		return r;
	}
	d->conn = conn;
	(void)PQsetNoticeReceiver(conn, on_notice, NULL);
	d->cockroach = PQparameterStatus(conn, "crdb_version") != NULL;
	if (PQsetnonblocking(conn, 1) != 0)
		r = lost(d, "connecting: out of memory", err);
	else
		r = set_up_session(d, err);
	if (r != DRV_STORED)
		pg_disconnect(d);
	return r;
}

enum drv_result
pg_ensure(struct drv *d, struct err *err)
{
	enum drv_result	 r;

	if (d->conn != NULL && PQstatus(d->conn) == CONNECTION_OK && !d->elsewhere)
		return DRV_STORED;
	d->elsewhere = false;
	if ((r = pg_connect(d, err)) == DRV_STORED)
		sql_store_stale(&d->store);
	return r;
}

bool
pg_flush_all(struct drv *d, struct err *err)
{
	int	rc;

	while ((rc = PQflush(d->conn)) == 1) {
		if (!wait_socket(d, d->conn, POLLIN | POLLOUT, mono_now() + SILENCE_MS)) {
			(void)lost(d, "the server takes nothing", err);
			return false;
		}
		if (PQconsumeInput(d->conn) == 0)
			break;
	}
	if (rc == 0)
		return true;
	(void)lost(d, "the connection was lost", err);
	return false;
}

PGresult *
pg_result(struct drv *d, bool *lost_r, struct err *err)
{
	*lost_r = false;
	while (PQisBusy(d->conn)) {
		if (!wait_socket(d, d->conn, POLLIN, mono_now() + (d->patient ? PATIENT_MS : SILENCE_MS))) {
			(void)lost(d, stopping(d) ? "given up, because the worker is to end" : "the server does not answer", err);
			*lost_r = true;
			return NULL;
		}
		if (PQconsumeInput(d->conn) == 0)
			break;
	}
	return PQgetResult(d->conn);	/* of a lost connection its last words */
}

/* All results of what was sent; the first that failed, else the last, is the answer. */
static enum drv_result
collect(struct drv *d, PGresult **res_r, const char *doing, struct err *err)
{
	PGresult	*res, *kept = NULL;
	bool		 gone, failed = false;
	enum drv_result	 r = DRV_STORED;

	if (!pg_flush_all(d, err))
		return DRV_RETRY;
	while ((res = pg_result(d, &gone, err)) != NULL) {
		if (failed) {
			PQclear(res);
			continue;
		}
		PQclear(kept);
		kept = res;
		failed = PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK;
	}
	if (gone)
		r = DRV_RETRY;
	else if (failed || kept == NULL)
		r = pg_fail(d, kept, NULL, doing, err);
	if (r == DRV_STORED && res_r != NULL) {
		*res_r = kept;
		kept = NULL;
	}
	PQclear(kept);
	return r;
}

enum drv_result
pg_query(struct drv *d, const char *sql, int n, const char *const *values, PGresult **res_r, const char *doing,
    struct err *err)
{
	if (PQsendQueryParams(d->conn, sql, n, NULL, values, NULL, NULL, 0) != 1)
		return lost(d, "the connection was lost", err);
	return collect(d, res_r, doing, err);
}

enum drv_result
pg_exec(struct drv *d, const char *sql, const char *doing, struct err *err)
{
	if (PQsendQuery(d->conn, sql) != 1)
		return lost(d, "the connection was lost", err);
	return collect(d, NULL, doing, err);
}
