/* Statements: asked, awaited, repeated under the same id. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/snowflake/result.h"
#include "drivers/snowflake/statement.h"
#include "drivers/snowflake/trouble.h"
#include "ipc/base/json_out.h"

#define ATTEMPT_MS	120000		/* the server holds an answer back for 45 s */
#define ABORT_MS	10000
#define PATH_MOST	256

/* The text of a statement or value is ours and valid: only what JSON demands is escaped. */
static void
add_text(struct buf *b, struct slice s)
{
	json_out_str(b, s);
}

static void
add_body(struct buf *b, struct snow_session *s, const struct snow_statement *st)
{
	buf_adds(b, "{\"sqlText\":");
	add_text(b, st->sql);
	buf_printf(b, ",\"asyncExec\":false,\"sequenceId\":%" PRIu64 ",\"isInternal\":false,\"describeOnly\":false,"
	    "\"querySubmissionTime\":%" PRId64 ",\"parameters\":{", ++s->sequence, wall_ms());
	if (st->count > 0)
		buf_printf(b, "\"MULTI_STATEMENT_COUNT\":%u%s", st->count, st->tag == NULL ? "" : ",");
	if (st->tag != NULL) {
		buf_adds(b, "\"QUERY_TAG\":");
		add_text(b, slice_of(st->tag));
	}
	buf_addc(b, '}');
	if (st->bind.p != NULL) {
		buf_adds(b, ",\"bindings\":{\"1\":{\"type\":\"TEXT\",\"value\":");
		add_text(b, st->bind);
		buf_adds(b, "}}");
	}
	buf_addc(b, '}');
}

/* The path of the result of a statement that still runs; on the account's own host only. */
static bool
result_path(char *path, size_t size, const struct snow_reply *r)
{
	struct buf	 scratch = { 0 };
	struct slice	 url = snow_text(&r->data, "getResultUrl", &scratch);
	bool		 ok = url.n > 0 && url.p[0] == '/' && url.n < size;

	if (ok) {
		memcpy(path, url.p, url.n);
		path[url.n] = '\0';
	}
	buf_free(&scratch);
	return ok;
}

/* Until it has ended. */
static enum drv_result
await(struct snow_session *s, struct snow_reply *r, struct err *err)
{
	static const int	 pauses_ms[] = { 500, 500, 1000, 1500, 2000, 4000, 5000 };
	char			 path[PATH_MOST] = "";
	enum drv_result		 rc;

	for (size_t n = 0; r->code == SNOW_IN_PROGRESS || r->code == SNOW_DETACHED; n++) {
		struct snow_call c = { .method = "GET", .path = path, .timeout_ms = ATTEMPT_MS, .patience = SNOW_STATEMENT };

		if (!result_path(path, sizeof(path), r) && path[0] == '\0') {
			err_set(err, ERR_INVALID, "Snowflake does not say where the result of a long statement will be");
			return DRV_UNSURE;
		}
		if (r->code == SNOW_DETACHED && !snow_wait(&s->wire, pauses_ms[n < NELEM(pauses_ms) ? n : NELEM(pauses_ms) - 1])) {
			err_set(err, ERR_TEMPORARY, "given up, because the worker is to end");
			return DRV_UNSURE;
		}
		if ((rc = snow_ask(s, &c, r, err)) != DRV_STORED)
			return rc == DRV_CONFIG ? rc : DRV_UNSURE;
	}
	return DRV_STORED;
}

static enum drv_result
ask(struct snow_session *s, struct snow_statement *st, struct snow_reply *r, struct err *err)
{
	struct buf	 body = { 0 };
	struct snow_call c = { .method = "POST", .path = "/queries/v1/query-request", .request_id = st->request_id,
			    .accept = st->transfer ? "application/json" : NULL, .timeout_ms = ATTEMPT_MS,
			    .patience = SNOW_STATEMENT };
	enum drv_result	 rc = DRV_RETRY;

	add_body(&body, s, st);
	c.body = buf_slice(&body);
	if (body.oom)
		err_set(err, ERR_NOMEM, "no memory for a statement");
	else
		rc = snow_ask(s, &c, r, err);
	buf_free(&body);
	return rc;
}

enum drv_result
snow_run(struct snow_session *s, struct snow_statement *st, snow_row_fn fn, void *arg, struct snow_reply *reply_r,
    struct err *err)
{
	struct snow_reply	 r = { 0 };
	enum drv_result		 rc = ask(s, st, &r, err);

	st->stale = false;
	if (rc == DRV_STORED)
		rc = await(s, &r, err);
	if (rc == DRV_STORED && !r.success)
		rc = snow_refused(&r, st->doing, st->opening, &st->stale, err);
	else if (rc != DRV_STORED)
		err_prefix(err, "%s", st->doing);
	if (rc == DRV_STORED && fn != NULL && (rc = snow_result_read(s, &r.data, fn, arg, err)) != DRV_STORED)
		err_prefix(err, "%s", st->doing);
	if (reply_r != NULL)
		*reply_r = r;
	return rc;
}

void
snow_abort(struct snow_session *s, const char *request_id)
{
	char			 body[128];
	struct snow_reply	 r;
	struct err		 err;
	struct snow_call	 c = { .method = "POST", .path = "/queries/v1/abort-request", .timeout_ms = ABORT_MS,
				    .patience = SNOW_ONCE };

	(void)snprintf(body, sizeof(body), "{\"requestId\":\"%s\"}", request_id);
	c.body = slice_of(body);
	if (s->token != NULL && snow_ask(s, &c, &r, &err) != DRV_STORED)
		log_debug(s->log, "a statement was not aborted: %s", err.text);
}
