/* From a call to HTTP requests, and from answers to codes. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/snowflake/wire.h"
#include "ipc/base/url.h"

#define ANSWER_MOST	((size_t)64 << 20)
#define RETRIES		7
#define RETRIES_403	2		/* load balancers do that now and then */
#define REDIRECTS	4
#define PAUSE_FIRST_MS	1000
#define PAUSE_MOST_MS	16000
#define SLICE_MS	100
#define MESSAGE_MOST	400

bool
snow_wait(struct snow_wire *w, int64_t ms)
{
	for (mono_t end = mono_now() + ms; mono_now() < end; ) {
		int64_t	 left = end - mono_now();

		if (w->host->stopping(w->host->ctx))
			return false;
		https_run(w->https, left < SLICE_MS ? left : SLICE_MS);
	}
	return !w->host->stopping(w->host->ctx);
}

/* --- answers --- */

struct slice
snow_text(const struct json_val *object, const char *name, struct buf *scratch)
{
	struct json_val	 v = { .type = JV_ABSENT };

	if (object->type == JV_OBJECT)
		v = json_member(object, name);
	if (v.type == JV_STRING) {
		if (v.escaped && !buf_reserve(scratch, v.raw.n))
			return (struct slice){ NULL, 0 };
		return json_text(&v, scratch);
	}
	return v.type > JV_NULL && v.type < JV_OBJECT ? v.raw : (struct slice){ NULL, 0 };
}

bool
snow_is(const struct json_val *object, const char *name)
{
	return object->type == JV_OBJECT && json_member(object, name).type == JV_TRUE;
}

int
snow_reply_parse(struct snow_reply *r, struct slice body, struct err *err)
{
	struct buf	 scratch = { 0 };
	struct json_val	 root;
	struct err	 why = { 0 };
	uint64_t	 code = 0;
	struct slice	 text;

	if (json_scan(body, true, &root, &why) != 0 || root.type != JV_OBJECT)
		return err_set(err, ERR_INVALID, "the answer is not what Snowflake would send");
	r->data = json_member(&root, "data");
	if (r->data.type != JV_OBJECT)
		r->data.type = JV_ABSENT;
	r->success = snow_is(&root, "success");
	text = snow_text(&root, "code", &scratch);
	if (text.p != NULL && slice_u64(text, &code) && code <= INT32_MAX)
		r->code = (int)code;
	else
		r->code = 0;
	/* A view of the body; a message with escapes is shown with them, which is as good to read. */
	r->message = (struct slice){ NULL, 0 };
	if (json_member(&root, "message").type == JV_STRING) {
		struct json_val	m = json_member(&root, "message");

		r->message = (struct slice){ m.raw.p + 1, m.raw.n - 2 < MESSAGE_MOST ? m.raw.n - 2 : MESSAGE_MOST };
	}
	buf_free(&scratch);
	return 0;
}

/* --- requests --- */

struct attempt {
	unsigned	 number;	/* 0: the first */
	long		 last_status;	/* 0: no answer */
	int64_t		 started_ms;	/* the first one, on the wall */
	unsigned	 forbidden, redirects, unreadable;
};

static void
add_url(struct snow_wire *w, const struct snow_call *c, const char *request_id, const struct attempt *a)
{
	char	 guid[UUID_LEN + 1];

	uuid_random(guid);
	buf_reset(&w->url);
	buf_printf(&w->url, "%s%s%crequestId=%s&request_guid=%s", w->account->origin, c->path,
	    strchr(c->path, '?') == NULL ? '?' : '&', request_id, guid);
	if (c->params != NULL)
		buf_printf(&w->url, "&%s", c->params);
	if (c->patience == SNOW_STATEMENT && strcmp(c->method, "POST") == 0 && a->number > 0)
		buf_printf(&w->url, "&clientStartTime=%" PRId64 "&retryCount=%u&retryReason=%ld", a->started_ms, a->number,
		    a->last_status);
}

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for a request to Snowflake");
}

#define HEADER_MOST	256

/* Where a redirection leads, when that is the same scheme. */
static bool
follow(struct snow_wire *w, const struct https_answer *answer)
{
	struct slice	 to = https_header(answer, "Location");
	size_t		 scheme = strcspn(w->account->origin, ":") + 3;

	if (to.n <= scheme || memcmp(to.p, w->account->origin, scheme) != 0)
		return false;
	buf_reset(&w->url);
	buf_adds_slice(&w->url, to);
	return true;
}

static int
send_once(struct snow_wire *w, const struct snow_call *c, struct https_answer *answer, struct err *err)
{
	const struct snow_account *a = w->account;
	char		 agent[HEADER_MOST], id[HEADER_MOST], version[HEADER_MOST], accept[HEADER_MOST];
	const char	*headers[8] = { agent, id, version, accept, "Content-Type: application/json" };
	struct https_again once = { .attempts = 1 };
	int64_t		 timeout_ms = c->timeout_ms, left = w->deadline == 0 ? timeout_ms : w->deadline - mono_now();

	if (left < timeout_ms)
		timeout_ms = left < 1 ? 1 : left;

	(void)snprintf(agent, sizeof(agent), "User-Agent: %s/%s (linux) EDS/%s", a->client_id, a->client_version, EDS_VERSION);
	(void)snprintf(id, sizeof(id), "CLIENT_APP_ID: %s", a->client_id);
	(void)snprintf(version, sizeof(version), "CLIENT_APP_VERSION: %s", a->client_version);
	(void)snprintf(accept, sizeof(accept), "Accept: %s", c->accept == NULL ? "application/snowflake" : c->accept);
	buf_reset(&w->auth);
	if (c->token != NULL) {
		buf_printf(&w->auth, "Authorization: Snowflake Token=\"%s\"", c->token);
		headers[5] = buf_cstr(&w->auth);
	}
	if (w->url.oom || w->auth.oom)
		return nomem(err);
	return https_fetch(w->https, &(struct https_request){ .method = c->method, .url = buf_cstr(&w->url),
	    .headers = headers, .body = c->body, .timeout_ms = timeout_ms,
	    .answer_most = c->answer_most == 0 ? ANSWER_MOST : c->answer_most }, &once, answer, err);
}

static bool
is_over(const struct snow_wire *w)
{
	return w->deadline != 0 && mono_now() >= w->deadline;
}

static bool
worth_repeating(const struct snow_wire *w, const struct snow_call *c, struct attempt *a)
{
	long	 s = a->last_status;

	if (c->patience != SNOW_STATEMENT || a->number >= RETRIES || is_over(w))
		return false;
	if (s == 403)
		return a->forbidden++ < RETRIES_403;
	return s == 0 || s == 408 || s == 429 || s >= 500;
}

static int64_t
pause_ms(unsigned number, int64_t retry_after_ms)
{
	int64_t	 most = PAUSE_FIRST_MS << (number > 5 ? 5 : number), ms;

	if (most > PAUSE_MOST_MS)
		most = PAUSE_MOST_MS;
	ms = number == 0 ? (int64_t)random_below(PAUSE_FIRST_MS / 5) : most / 4 + (int64_t)random_below((uint64_t)(most * 3 / 4));
	return ms > retry_after_ms ? ms : retry_after_ms;
}

static enum drv_result
not_answered(const struct https_answer *answer, bool sent, struct err *err)
{
	if (answer->outcome == HTTPS_UNTRUSTED) {
		err_prefix(err, "Snowflake's certificate is not accepted");
		return sent ? DRV_UNSURE : DRV_RETRY;
	}
	if (answer->outcome == HTTPS_BROKEN)
		sent = true;
	err_prefix(err, sent ? "the connection to Snowflake broke off" : "Snowflake cannot be reached");
	return sent ? DRV_UNSURE : DRV_RETRY;
}

/* The host answers, and not as Snowflake does. */
static enum drv_result
bad_status(const struct snow_wire *w, const struct snow_call *c, long status, bool sent, struct err *err)
{
	if (c->token == NULL && (status == 403 || status == 404)) {
		err_set(err, ERR_CONFIG, "%s answers HTTP %ld: is the account name \"%s\" right?  It is ORGANISATION-ACCOUNT, or a "
		    "locator with region and cloud; a network policy may also keep this machine out", w->account->host, status,
		    w->account->name);
		return DRV_CONFIG;
	}
	if (status == 429 || status == 503)
		err_set(err, ERR_TEMPORARY, "Snowflake is busy (HTTP %ld)", status);
	else
		err_set(err, ERR_TEMPORARY, "Snowflake answers HTTP %ld", status);
	return sent ? DRV_UNSURE : DRV_RETRY;
}

/*
 * May the server have acted on an attempt with that outcome?  Any answer leaves that open: libcurl asks once more by
 * itself when a connection that was kept ends without a word, and only the second answer is seen.
 */
static bool
may_have_acted(const struct https_answer *answer)
{
	return answer->outcome == HTTPS_BROKEN || answer->outcome == HTTPS_ANSWERED;
}

enum drv_result
snow_call(struct snow_wire *w, const struct snow_call *c, struct snow_reply *r, struct err *err)
{
	struct https_answer	 answer = { 0 };
	struct attempt		 a = { .started_ms = wall_ms() };
	char			 id[UUID_LEN + 1];
	bool			 sent = false, redirected = false;

	uuid_random(id);
	for (;;) {
		bool	 answered;

		if (!redirected)
			add_url(w, c, c->request_id == NULL ? id : c->request_id, &a);
		redirected = false;
		answer = (struct https_answer){ .outcome = HTTPS_BROKEN };	/* should the wait for it be given up */
		answered = send_once(w, c, &answer, err) == 0;
		sent |= may_have_acted(&answer);
		a.last_status = answered ? answer.status : 0;
		if (answered && (answer.status == 307 || answer.status == 308) && a.redirects++ < REDIRECTS &&
		    follow(w, &answer)) {
			redirected = true;
			continue;
		}
		if (answered && (answer.status == 200 || answer.status == 401)) {
			if (snow_reply_parse(r, answer.body, err) == 0) {
				r->status = answer.status;
				return DRV_STORED;
			}
			sent = true;
			if (a.unreadable++ > 0 || c->patience != SNOW_STATEMENT)
				return DRV_UNSURE;
			a.last_status = 0;
		}
		if (answer.outcome == HTTPS_REFUSED || answer.outcome == HTTPS_UNTRUSTED || !worth_repeating(w, c, &a))
			break;
		if (!snow_wait(w, pause_ms(a.number, answer.retry_after_ms))) {
			err_set(err, ERR_TEMPORARY, "given up, because the worker is to end");
			return sent ? DRV_UNSURE : DRV_RETRY;
		}
		a.number++;
	}
	if (a.last_status != 0)
		return bad_status(w, c, a.last_status, sent, err);
	return not_answered(&answer, sent, err);
}
