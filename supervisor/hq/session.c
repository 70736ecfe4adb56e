/*
 * The session with HQ as a small state machine:
 *
 *	NONE -> STARTING -> ACTIVE -> RENEWING -> ACTIVE ... -> ENDED
 *	           |  ^                  (end, then start)
 *	           v  | 5 s
 *	         CONFLICT
 *
 * Trouble that may pass (no answer, 429, 5xx) is tried again for ever, with a pause that
 * doubles up to a minute.  What only the operator can mend leads to REFUSED.  The session before a
 * renewal stays "the session" until the next one has begun, so that its credential stays in use.
 */

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/clock.h"
#include "supervisor/hq/api.h"
#include "supervisor/hq/session.h"
#include "supervisor/hq/session_files.h"
#include "supervisor/upstream/creds.h"

#define CONFLICT_MS	5000
#define PAUSE_MIN_MS	1000
#define PAUSE_MAX_MS	60000
#define END_MS		5000

enum step { STEP_START, STEP_END };	/* what is sent next */

/* What a session start brings besides the secret itself. */
struct credential {
	struct buf	 path;		/* where it was put */
	int64_t		 expires_at;	/* epoch seconds; 0: never */
	bool		 named;		/* it names a session, on whose subjects HQ speaks */
};

struct session {
	struct ev_loop		*loop;
	struct http		*http;
	struct session_events	 events;
	struct log		 log;
	char			*data_dir, *api_url, *token, *server_id;
	int64_t			 renew_ms;
	struct buf		 body;		/* of the session start */
	enum session_state	 state;
	int64_t			 since_ms;	/* epoch, in this state */
	int64_t			 expires_at;	/* epoch seconds, of the credential at hand; 0: never */
	unsigned		 deaf;		/* credentials in a row that named no session */
	char			 text[1000];
	char			*sid;		/* "" when there is none */
	bool			 ended_at_hq;	/* `sid` is no longer known there */
	struct http_call	*call;
	bool			 starting;	/* `call` is a session start */
	ev_timer		 again, renewal, deadline;
	enum step		 step;
	unsigned		 failures;
	bool			 ending, errored;
	void			(*done)(void *);
	void			*done_arg;
};

static void	send_start(struct session *);
static void	send_end(struct session *);
static void	end_finished(struct session *);

const char *
session_state_name(enum session_state state)
{
	static const char *const names[] = { "none", "starting", "conflict", "active", "renewing", "ended", "refused" };

	return (size_t)state < NELEM(names) ? names[state] : "unknown";
}

const char *
session_id(const struct session *s)
{
	return s->sid;
}

enum session_state
session_state(const struct session *s, const char **text_r)
{
	if (text_r != NULL)
		*text_r = s->text;
	return s->state;
}

int64_t
session_since(const struct session *s)
{
	return s->since_ms;
}

int64_t
session_expires(const struct session *s)
{
	return s->expires_at * 1000;
}

bool
session_deaf(const struct session *s)
{
	return s->deaf > 0;
}

static void
enter(struct session *s, enum session_state state, const char *text)
{
	struct buf	 copy = { 0 };

	buf_adds(&copy, text);		/* may be our own text */
	if (s->state != state || s->since_ms == 0)
		s->since_ms = wall_ms();
	s->state = state;
	(void)snprintf(s->text, sizeof(s->text), "%s", buf_cstr(&copy));
	buf_free(&copy);
	if (s->events.changed != NULL)
		s->events.changed(s->events.arg, state, s->text);
}

static void
arm(struct session *s, ev_timer *timer, int64_t ms)
{
	ev_timer_stop(s->loop, timer);
	ev_timer_set(timer, (double)ms / 1000, 0);
	ev_timer_start(s->loop, timer);
}

/* The state while something is tried: a session that still serves is being renewed. */
static enum session_state
trying(const struct session *s)
{
	return s->sid[0] == '\0' ? SESSION_STARTING : SESSION_RENEWING;
}

/* Tries `step` again after a pause.  Said at the first failure, then ever more rarely. */
static void
later(struct session *s, enum step step, const struct err *why, int64_t at_least_ms)
{
	struct buf	 text = { 0 };
	unsigned	 doublings = s->failures < 6 ? s->failures : 6;
	int64_t		 pause = (int64_t)PAUSE_MIN_MS << doublings;

	if (pause < at_least_ms)
		pause = at_least_ms;
	if (pause > PAUSE_MAX_MS)
		pause = PAUSE_MAX_MS;
	pause = pause / 2 + (int64_t)random_below((uint64_t)pause / 2 + 1);
	if (pause < at_least_ms && at_least_ms <= PAUSE_MAX_MS)
		pause = at_least_ms;
	s->failures++;
	s->step = step;
	buf_printf(&text, "%s; trying again in ", why->text);
	buf_duration(&text, pause);
	if ((s->failures & (s->failures - 1)) == 0)
		log_warn(&s->log, "%s%s", buf_cstr(&text),
		    s->sid[0] == '\0' ? "" : "; events flow on with the credential at hand");
	arm(s, &s->again, pause);
	enter(s, trying(s), buf_cstr(&text));
	buf_free(&text);
}

static void
refuse(struct session *s, const struct err *why)
{
	enter(s, SESSION_REFUSED, why->text);
	if (s->events.refused != NULL)
		s->events.refused(s->events.arg, why);
}

static int
post(struct session *s, const char *path, struct slice body, int64_t timeout_ms, http_fn fn, struct err *err)
{
	struct buf		 url = { 0 };
	struct http_request	 request = { .method = "POST", .token = s->token, .std_headers = true, .body = body,
	    .timeout_ms = timeout_ms };
	int			 rc;

	buf_printf(&url, "%s/v3/eds/internal%s%s", s->api_url, path[0] == '\0' ? "" : "/", path);
	request.url = buf_cstr(&url);
	rc = http_start(s->http, &request, fn, s, &s->call, err);
	buf_free(&url);
	return rc;
}

/*
 * Renewal comes before the credential ends, whatever the interval says.  A fresh one that is over already says
 * that this machine's clock is wrong, and nothing about when.
 */
static int64_t
renew_after(const struct session *s, int64_t expires_at)
{
	int64_t	 left = expires_at * 1000 - wall_ms();

	if (expires_at == 0 || left <= 0 || left / 10 * 8 >= s->renew_ms)
		return s->renew_ms;
	return left / 10 * 8 < 10000 ? 10000 : left / 10 * 8;
}

/*
 * By a credential that names no session events come, but HQ cannot speak to us, nor we to HQ: another one is
 * asked for, soon at first, then ever more rarely (hazard H46).
 */
static int64_t
hear(struct session *s, bool named, int64_t renew_ms)
{
	int64_t		 pause = (int64_t)PAUSE_MIN_MS << (s->deaf < 20 ? s->deaf : 20);
	struct buf	 text = { 0 };

	if (named) {
		if (s->deaf > 0)
			log_info(&s->log, "HQ can speak to this server again");
		s->deaf = 0;
		return renew_ms;
	}
	s->deaf++;
	if (pause > renew_ms)
		pause = renew_ms;
	buf_duration(&text, pause);
	if ((s->deaf & (s->deaf - 1)) == 0)
		log_warn(&s->log, "HQ cannot speak to this server: the credential it gave names no session; asking for another "
		    "in %s; events flow on", buf_cstr(&text));
	buf_free(&text);
	return pause;
}

static void
begun(struct session *s, struct slice creds, struct credential *c)
{
	if (s->failures > 0)
		log_info(&s->log, "HQ can be reached again");
	s->failures = 0;
	s->ended_at_hq = false;
	s->expires_at = c->expires_at;
	log_info(&s->log, "session %s started", s->sid);
	arm(s, &s->renewal, hear(s, c->named, renew_after(s, c->expires_at)));
	enter(s, SESSION_ACTIVE, "");
	if (s->events.started != NULL)
		s->events.started(s->events.arg, s->sid, buf_cstr(&c->path), creds);
	if (s->state == SESSION_ACTIVE)
		session_files_prune(s->data_dir, s->sid);	/* nobody uses an older credential any more */
}

/* s->sid is set as soon as HQ has named the session, so that it can be ended there. ERR_INVALID: for good. */
static int
take_session(struct session *s, const json_t *data, struct buf *creds, struct credential *c, struct err *err)
{
	const char	*sid = json_string_value(json_object_get(data, "sessionId"));
	const char	*text = json_string_value(json_object_get(data, "credential"));
	struct creds	 parsed;
	char		*copy;

	if (sid == NULL || !session_id_is_safe(sid))
		return err_set(err, ERR_INVALID, "session start: the answer names no usable session id");
	if ((copy = slice_dup(slice_of(sid))) == NULL)
		return err_set(err, ERR_NOMEM, "session start: no memory");
	free(s->sid);
	s->sid = copy;
	s->ended_at_hq = false;
	if (text == NULL || text[0] == '\0')
		return err_set(err, ERR_INVALID, "session start: HQ gave no credential for NATS");
	if (!buf_unbase64(creds, slice_of(text)) || creds->oom)
		return err_set(err, ERR_INVALID, "session start: the credential is not base64");
	if (creds_parse(&parsed, buf_slice(creds), err) != 0)
		return err_prefix(err, "session start");
	c->expires_at = parsed.expires_at;
	c->named = parsed.session_id[0] != '\0';
	creds_free(&parsed);
	return session_files_write(s->data_dir, s->sid, buf_slice(creds), &c->path, err);
}

static void
start_answered(struct session *s, const struct http_response *r)
{
	struct credential	 c = { 0 };
	struct buf		 creds = { 0 };
	struct err		 err = { 0 };
	json_t			*data = api_data(r, "session start", &err);

	if (data == NULL && err.code == ERR_CONFLICT) {
		(void)err_set(&err, ERR_CONFLICT, "another eds server is already running for this server (id: %s). "
		    "Retrying in 5 seconds", s->server_id);
		log_info(&s->log, "%s", err.text);
		s->step = STEP_START;
		arm(s, &s->again, CONFLICT_MS);
		enter(s, SESSION_CONFLICT, err.text);
	} else if (data == NULL && err.code == ERR_TEMPORARY)
		later(s, STEP_START, &err, r->retry_after_ms);
	else if (data == NULL)
		refuse(s, &err);
	else if (take_session(s, data, &creds, &c, &err) == 0)
		begun(s, buf_slice(&creds), &c);
	else if (err.code == ERR_INVALID)
		refuse(s, &err);
	else		/* the disk, for instance: that session is ended before the next begins */
		later(s, STEP_END, &err, 0);
	json_decref(data);
	if (creds.data != NULL)
		OPENSSL_cleanse(creds.data, creds.cap);
	buf_free(&creds);
	buf_free(&c.path);
}

/* A session that HQ began while we were already leaving. */
static void
start_answered_late(struct session *s, const struct http_response *r)
{
	struct err	 err = { 0 };
	json_t		*data = api_data(r, "session start", &err);
	const char	*sid = json_string_value(json_object_get(data, "sessionId"));
	char		*copy = NULL;

	if (sid != NULL && session_id_is_safe(sid))
		copy = slice_dup(slice_of(sid));
	json_decref(data);
	if (copy == NULL) {
		end_finished(s);
		return;
	}
	free(s->sid);
	s->sid = copy;
	send_end(s);
}

static void
on_start(void *arg, const struct http_response *r)
{
	struct session	*s = arg;

	s->call = NULL;
	s->starting = false;
	if (s->ending)
		start_answered_late(s, r);
	else
		start_answered(s, r);
}

static void
send_start(struct session *s)
{
	struct err	 err = { 0 };

	enter(s, trying(s), s->sid[0] == '\0' ? "waiting for HQ" : "beginning the next session");
	if (post(s, "", buf_slice(&s->body), 0, on_start, &err) != 0)
		later(s, STEP_START, &err, 0);
	else
		s->starting = true;
}

static void
tell_urls(struct session *s, const struct http_response *r)
{
	struct err	 err = { 0 };
	json_t		*data = r->status == 200 ? api_data(r, "session end", &err) : NULL;
	const char	*url = json_string_value(json_object_get(data, "url"));
	const char	*error_url = json_string_value(json_object_get(data, "errorUrl"));

	url = url == NULL ? "" : url;
	error_url = error_url == NULL ? "" : error_url;
	if (s->events.ended != NULL && (url[0] != '\0' || error_url[0] != '\0'))
		s->events.ended(s->events.arg, url, error_url);
	json_decref(data);
}

static void
on_end(void *arg, const struct http_response *r)
{
	struct session	*s = arg;
	struct err	 err = { 0 };

	s->call = NULL;
	if (r->status != 200) {
		(void)api_error(r, "session end", &err);
		if (s->ending)
			log_warn(&s->log, "%s; HQ will notice by itself", err.text);
		else if (err.code == ERR_TEMPORARY) {
			later(s, STEP_END, &err, r->retry_after_ms);
			return;
		}
		/* Otherwise HQ does not know that session any more, which is what was wanted. */
	}
	s->ended_at_hq = true;
	s->errored = false;
	tell_urls(s, r);
	if (s->ending)
		end_finished(s);
	else
		send_start(s);
}

static struct slice
end_body(const struct session *s)
{
	return s->errored ? SLICE("{\"errored\":true}") : SLICE("{\"errored\":false}");
}

static void
send_end(struct session *s)
{
	struct err	 err = { 0 };

	if (!s->ending)
		enter(s, SESSION_RENEWING, "ending the session before");
	if (post(s, s->sid, end_body(s), s->ending ? END_MS : 0, on_end, &err) == 0)
		return;
	if (s->ending)
		end_finished(s);
	else
		later(s, STEP_END, &err, 0);
}

static void
on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct session	*s = timer->data;

	(void)loop;
	(void)revents;
	if (s->step == STEP_END && !s->ended_at_hq && s->sid[0] != '\0')
		send_end(s);
	else
		send_start(s);
}

static void
on_renewal(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	session_renew(timer->data);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	end_finished(timer->data);
}

int
session_reconfigure(struct session *s, const struct config *c, struct err *err)
{
	struct buf	 body = { 0 };

	session_request_body(c, &body);
	if (body.oom) {
		buf_free(&body);
		return err_set(err, ERR_NOMEM, "no memory for the session");
	}
	buf_free(&s->body);
	s->body = body;
	return 0;
}

int
session_new(struct session **s_r, struct ev_loop *loop, struct http *http, const struct config *c,
    const struct session_events *events, struct err *err)
{
	struct session	*s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the session");
	s->loop = loop;
	s->http = http;
	s->events = *events;
	s->renew_ms = c->renew_interval_ms;
	log_make(&s->log, "server", NULL);
	ev_init(&s->again, on_again);
	ev_init(&s->renewal, on_renewal);
	ev_init(&s->deadline, on_deadline);
	s->again.data = s->renewal.data = s->deadline.data = s;
	if ((s->data_dir = slice_dup(slice_of(c->data_dir))) == NULL || (s->api_url = slice_dup(slice_of(c->api_url))) == NULL ||
	    (s->token = slice_dup(slice_of(c->token))) == NULL || (s->server_id = slice_dup(slice_of(c->server_id))) == NULL ||
	    (s->sid = slice_dup(SLICE(""))) == NULL || session_reconfigure(s, c, err) != 0) {
		session_free(&s);
		return err_set(err, ERR_NOMEM, "no memory for the session");
	}
	*s_r = s;
	return 0;
}

void
session_start(struct session *s)
{
	if (s->call == NULL && !s->ending && !ev_is_active(&s->again) && s->state != SESSION_ACTIVE)
		send_start(s);
}

void
session_renew(struct session *s)
{
	if (s->state == SESSION_ACTIVE) {
		ev_timer_stop(s->loop, &s->renewal);
		send_end(s);
	} else
		session_start(s);	/* does nothing when that is under way */
}

/* The end of the end; from the loop only, so that nobody is called back while calling. */
static void
end_finished(struct session *s)
{
	void	(*done)(void *) = s->done;

	if (done == NULL)
		return;
	s->done = NULL;
	ev_timer_stop(s->loop, &s->deadline);
	http_cancel(&s->call);
	session_files_prune(s->data_dir, NULL);
	s->sid[0] = '\0';
	enter(s, SESSION_ENDED, "");
	done(s->done_arg);
}

void
session_end(struct session *s, bool errored, void (*done)(void *), void *arg)
{
	ev_timer_stop(s->loop, &s->again);
	ev_timer_stop(s->loop, &s->renewal);
	s->ending = true;
	s->errored |= errored;
	s->done = done;
	s->done_arg = arg;
	arm(s, &s->deadline, END_MS);
	if (s->starting)
		return;			/* its answer says which session to end */
	http_cancel(&s->call);
	if (s->sid[0] != '\0' && !s->ended_at_hq) {
		struct err err = { 0 };

		if (post(s, s->sid, end_body(s), END_MS, on_end, &err) == 0)
			return;
		log_warn(&s->log, "session end: %s", err.text);
	}
	arm(s, &s->deadline, 0);
}

void
session_crashed(struct session *s)
{
	s->errored = true;
}

void
session_free(struct session **sp)
{
	struct session	*s = *sp;

	if (s == NULL)
		return;
	http_cancel(&s->call);
	ev_timer_stop(s->loop, &s->again);
	ev_timer_stop(s->loop, &s->renewal);
	ev_timer_stop(s->loop, &s->deadline);
	if (s->token != NULL)
		OPENSSL_cleanse(s->token, strlen(s->token));
	free(s->token);
	free(s->data_dir);
	free(s->api_url);
	free(s->server_id);
	free(s->sid);
	buf_free(&s->body);
	free(s);
	*sp = NULL;
}
