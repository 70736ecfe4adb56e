/*
 * The HTTPS transport.  Each partition key has one request under way at most, many keys have
 * one each.  When the service says no, nothing new is begun, what is under way is
 * awaited, and the worker is told; what was stored by then is not sent again.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/eventhub/eventhub_body.h"
#include "drivers/eventhub/eventhub_https.h"
#include "drivers/eventhub/eventhub_lanes.h"
#include "drivers/eventhub/eventhub_sas.h"
#include "drivers/http/https.h"
#include "ipc/base/clock.h"

#define TOKEN_S		3600	/* how long a token is valid ...                 */
#define TOKEN_RENEW_S	600	/* ... and how long before its end there is a new one */
#define REQUEST_MS	70000	/* the service itself gives up after 60 s        */
#define TEST_MS		10000
#define RUN_MS		100
#define STOP_MS		2000

/* A request under way. */
struct post {
	struct eventhub_https	*sender;
	struct lane		*lane;
	size_t			 count;		/* events, from the lane's first on */
	unsigned		 token;		/* number of the token it has */
	struct buf		 body;
	struct post		*next;		/* among those not in use */
};

struct eventhub_https {
	const struct eventhub_url	*url;
	const struct drv_env		*env;
	struct https			*https;
	struct buf			 target;	/* URL of the hub's messages */
	struct buf			 resource;	/* percent-encoded, what tokens are for */
	struct buf			 token;		/* "Authorization: ..." */
	int64_t				 token_until;	/* epoch seconds */
	unsigned			 token_number;
	bool				 token_doubted;	/* a new one was made in this call because of a 401 */
	struct offer			 offer;
	struct lanes			 lanes;
	const struct drv_batch		*batch;		/* during a call */
	struct post			*posts;		/* as many as there may be requests */
	struct post			*idle;
	enum drv_result			 result;	/* of the present call, DRV_STORED so far */
	struct drv_outcome		*out;
	mono_t				 not_before;	/* the service asked for a pause until then */
	mono_t				 stop_at;	/* 0: the worker goes on */
	struct buf			 scratch, head, object_id;
};

/* Tokens. */

static int
new_token(struct eventhub_https *s, struct err *err)
{
	int64_t	 now = wall_ms() / 1000;

	buf_reset(&s->token);
	buf_adds(&s->token, "Authorization: ");
	s->token_number++;
	s->token_until = INT64_MAX;
	if (s->url->signature != NULL) {
		buf_adds(&s->token, s->url->signature);
		return s->token.oom ? err_set(err, ERR_NOMEM, "no memory for a token") : 0;
	}
	s->token_until = now + TOKEN_S - TOKEN_RENEW_S;
	return eventhub_sas(&s->token, buf_slice(&s->resource), s->url->key_name, s->url->key, now + TOKEN_S, err);
}

static int
fresh_token(struct eventhub_https *s, struct err *err)
{
	return wall_ms() / 1000 < s->token_until ? 0 : new_token(s, err);
}

/* What an answer means. */

static void
say(struct eventhub_https *s, enum err_code code, const char *what, long status, struct err *err)
{
	(void)err_set(err, code, "event hub %s: %s (HTTP %ld)", s->url->hub, what, status);
}

static enum drv_result
judge_status(struct eventhub_https *s, long status, struct err *err)
{
	switch (status) {
	case 200:
	case 201:
		return DRV_STORED;
	case 401:
		say(s, ERR_AUTH, "the service refuses the signature: look at SharedAccessKeyName, SharedAccessKey and this machine's clock",
		    status, err);
		return DRV_CONFIG;
	case 403:
		say(s, ERR_AUTH, "the service does not allow it: the policy needs the claim Send, or the namespace's quota is used up",
		    status, err);
		return DRV_CONFIG;
	case 404:
	case 410:
		say(s, ERR_NOTFOUND, "there is no such hub in the namespace: look at EntityPath", status, err);
		return DRV_CONFIG;
	case 429:
	case 503:
		say(s, ERR_TEMPORARY, "the service is busy or at its limit of throughput units; delivery goes on by itself", status, err);
		return DRV_RETRY;
	}
	say(s, ERR_TEMPORARY, "the service answers with an error; delivery goes on by itself", status, err);
	return DRV_RETRY;
}

static enum drv_result
judge_outcome(struct eventhub_https *s, const struct https_answer *a, struct err *err)
{
	switch (a->outcome) {
	case HTTPS_ANSWERED:
		return judge_status(s, a->status, err);
	case HTTPS_UNTRUSTED:
		*err = a->err;
		return DRV_CONFIG;
	case HTTPS_BROKEN:
		*err = a->err;
		return DRV_UNSURE;
	case HTTPS_UNREACHED:
	case HTTPS_REFUSED:
		break;
	}
	*err = a->err;
	return DRV_RETRY;
}

/* Posting. */

static int
start(struct eventhub_https *s, const char *const *headers, struct slice body, https_fn fn, void *arg, struct err *err)
{
	return https_start(s->https, &(struct https_request){ .method = "POST", .url = buf_cstr(&s->target),
	    .headers = headers, .body = body, .timeout_ms = REQUEST_MS }, fn, arg, err);
}

/* The first word that is not "stored" is the call's; a refusal waits for nothing better. */
static void
stop(struct eventhub_https *s, enum drv_result result, const struct err *err)
{
	if (s->result != DRV_STORED)
		return;
	s->result = result;
	s->out->err = *err;
}

static void
refuse(struct eventhub_https *s, struct lane *lane, const char *why, long status)
{
	struct offer_entry	*entry = &s->offer.v[lane->first];
	struct err		 err;

	if (s->result != DRV_STORED)
		return;			/* found again in the next call */
	say(s, ERR_INVALID, why, status, &err);
	stop(s, DRV_REJECT, &err);
	s->out->index = s->lanes.entries[lane->first].index;
	entry->state = OFFER_REFUSED;
}

static void
advance(struct eventhub_https *s, struct post *post)
{
	for (size_t i = 0; i < post->count; i++) {
		s->offer.v[post->lane->first].state = OFFER_STORED;
		post->lane->first = s->lanes.entries[post->lane->first].next;
	}
}

/* Too large or malformed: of several events one is, so they are sent in smaller numbers until it stands alone. */
static void
narrow(struct eventhub_https *s, const struct post *post, long status)
{
	if (post->count > 1)
		post->lane->most = (post->count + 1) / 2;
	else if (status == 413)
		refuse(s, post->lane, "the event is larger than the service takes", status);
	else
		refuse(s, post->lane, "the service does not accept the event", status);
}

/* The clock may have been set, or the key renewed at this moment: one new token for each call. */
static bool
doubt_token(struct eventhub_https *s, const struct post *post)
{
	if (post->token != s->token_number)
		return true;
	if (s->url->signature != NULL || s->token_doubted)
		return false;
	s->token_doubted = true;
	s->token_until = 0;
	return true;
}

static void
on_answer(void *arg, const struct https_answer *a)
{
	struct post		*post = arg;
	struct eventhub_https	*s = post->sender;
	struct err		 err = { 0 };
	enum drv_result		 rc;

	post->lane->busy = false;
	post->next = s->idle;
	s->idle = post;
	if (a->retry_after_ms > 0)
		s->not_before = mono_now() + a->retry_after_ms;
	rc = judge_outcome(s, a, &err);
	if (rc == DRV_STORED)
		advance(s, post);
	else if (a->status == 413 || a->status == 400)
		narrow(s, post, a->status);
	else if (a->status == 401 && doubt_token(s, post))
		return;			/* once more, with a new one */
	else
		stop(s, rc == DRV_CONFIG ? DRV_RETRY : rc, &err);	/* it worked at open(): time may mend it */
}

/* Events of the lane into the post, as many as fit. */
static void
fill(struct eventhub_https *s, struct post *post)
{
	struct lane	*lane = post->lane;
	size_t		 most = s->url->single ? 1 : lane->most, before;

	buf_reset(&post->body);
	post->count = 0;
	for (size_t at = lane->first; at != LANE_END && post->count < most; at = s->lanes.entries[at].next) {
		const struct event *ev = s->batch->v[s->lanes.entries[at].index].ev;

		before = post->body.len;
		if (s->url->single)
			event_store_json(ev, &post->body);
		else
			eventhub_body_add(&post->body, ev, lane->key, &s->scratch);
		if (post->count > 0 && post->body.len > s->url->message_max) {
			post->body.len = before;
			break;
		}
		post->count++;
	}
	if (!s->url->single)
		buf_addc(&post->body, ']');
}

static enum drv_result
post_lane(struct eventhub_https *s, struct lane *lane, struct err *err)
{
	struct post		*post = s->idle;
	const struct event	*ev = s->batch->v[s->lanes.entries[lane->first].index].ev;
	const char		*headers[5] = { buf_cstr(&s->token), "Content-Type: " EVENTHUB_BATCH_TYPE ";charset=utf-8" };

	post->lane = lane;
	fill(s, post);
	if (s->url->single) {
		buf_reset(&s->head);
		buf_reset(&s->object_id);
		headers[1] = "Content-Type: application/json";
		if (!eventhub_body_headers(&s->head, &s->object_id, ev, lane->key)) {
			refuse(s, lane, "a control character in the event's id cannot be sent with batch=0", 0);
			return DRV_STORED;
		}
		headers[2] = buf_cstr(&s->head);
		headers[3] = buf_cstr(&s->object_id);
	}
	if (post->body.oom || s->head.oom || s->object_id.oom) {
		buf_free(&post->body);
		(void)err_set(err, ERR_NOMEM, "no memory for a request");
		return DRV_RETRY;
	}
	if (post->count == 1 && post->body.len > s->url->message_max) {
		refuse(s, lane, "the event is larger than message-max in the URL", 0);
		return DRV_STORED;
	}
	post->token = s->token_number;
	if (start(s, headers, buf_slice(&post->body), on_answer, post, err) == -1)
		return DRV_RETRY;
	s->idle = post->next;
	lane->busy = true;
	return DRV_STORED;
}

/* Begins as many requests as there may be; `*from` goes round the lanes. */
static void
begin_posts(struct eventhub_https *s, size_t *from)
{
	struct err	 err = { 0 };
	enum drv_result	 rc;

	if (fresh_token(s, &err) == -1) {
		stop(s, DRV_RETRY, &err);
		return;
	}
	for (size_t looked = 0; looked < s->lanes.n && s->idle != NULL && s->result == DRV_STORED; looked++) {
		struct lane *lane = &s->lanes.v[*from];

		*from = (*from + 1) % s->lanes.n;
		if (lane->busy || lane->first == LANE_END)
			continue;
		if ((rc = post_lane(s, lane, &err)) != DRV_STORED)
			stop(s, rc, &err);
	}
}

static bool
is_stopping(void *arg)
{
	const struct drv_host	*host = ((struct eventhub_https *)arg)->env->host;

	return host != NULL && host->stopping(host->ctx);
}

/* Honours Retry-After across calls. */
static bool
wait_for_leave(struct eventhub_https *s, struct err *err)
{
	while (mono_now() < s->not_before) {
		if (is_stopping(s)) {
			(void)err_set(err, ERR_TEMPORARY, "the worker is stopping");
			return false;
		}
		https_run(s->https, RUN_MS);
	}
	return true;
}

static bool
all_stored(const struct lanes *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].first != LANE_END)
			return false;
	return true;
}

/* Serves what is under way; when the worker is to end, answers that do not come soon are not waited for. */
static void
await_answers(struct eventhub_https *s)
{
	struct err	 err;

	if (https_under_way(s->https) == 0)
		return;
	https_run(s->https, RUN_MS);
	if (!is_stopping(s)) {
		s->stop_at = 0;
		return;
	}
	if (s->stop_at == 0)
		s->stop_at = mono_now() + STOP_MS;
	if (mono_now() < s->stop_at)
		return;
	https_drop_all(s->https);
	(void)err_set(&err, ERR_TEMPORARY, "the worker is stopping");
	stop(s, DRV_UNSURE, &err);
}

enum drv_result
eventhub_https_deliver(struct eventhub_https *s, const struct drv_batch *batch, struct drv_outcome *out)
{
	size_t	 from = 0;

	if (!offer_resumes(&s->offer, batch) && offer_begin(&s->offer, batch, &out->err) == -1)
		return DRV_RETRY;
	if (!wait_for_leave(s, &out->err) || lanes_make(&s->lanes, &s->offer, batch, &out->err) == -1)
		return DRV_RETRY;
	s->batch = batch;
	s->out = out;
	s->result = DRV_STORED;
	s->token_doubted = false;
	do {
		if (s->result == DRV_STORED)
			begin_posts(s, &from);
		await_answers(s);
	} while (https_under_way(s->https) > 0 || (s->result == DRV_STORED && !all_stored(&s->lanes)));
	if (s->result == DRV_STORED)
		offer_end(&s->offer);
	return s->result;
}

/* Life. */

static void
keep_answer(void *arg, const struct https_answer *a)
{
	struct post	*post = arg;

	post->sender->result = judge_outcome(post->sender, a, &post->sender->out->err);
	if (a->outcome == HTTPS_ANSWERED && a->status == 400)
		post->sender->result = DRV_STORED;
}

/*
 * Whether events would be taken.  An empty batch is no event: the service looks at the signature, the claim and
 * the hub first, and then has nothing to store, which it may call a bad request.
 */
static enum drv_result
probe(struct eventhub_https *s, struct err *err)
{
	const char		*headers[] = { NULL, "Content-Type: " EVENTHUB_BATCH_TYPE ";charset=utf-8", NULL };
	struct drv_outcome	 out = { 0 };
	mono_t			 until = mono_now() + TEST_MS;

	if (fresh_token(s, err) == -1)
		return DRV_RETRY;
	headers[0] = buf_cstr(&s->token);
	s->out = &out;
	s->result = DRV_RETRY;
	(void)err_set(&out.err, ERR_TEMPORARY, "event hub %s: the service does not answer", s->url->hub);
	if (start(s, headers, SLICE("[]"), keep_answer, s->posts, err) == -1)
		return DRV_RETRY;
	while (https_under_way(s->https) > 0 && mono_now() < until && !is_stopping(s))
		https_run(s->https, RUN_MS);
	https_drop_all(s->https);
	*err = out.err;
	return s->result == DRV_UNSURE ? DRV_RETRY : s->result;
}

static int
make(struct eventhub_https *s, struct err *err)
{
	const struct https_options options = { .ca_file = s->url->ca, .most_kept = (unsigned)s->url->connections,
	    .stopping = is_stopping, .ctx = s };
	struct buf	 plain = { 0 };

	buf_printf(&s->target, "https://%s/%s/messages?timeout=60&api-version=2014-01", s->url->endpoint, s->url->hub);
	buf_printf(&plain, "https://%s/%s", s->url->host, s->url->hub);
	url_escape_segment(&s->resource, buf_slice(&plain));
	s->resource.oom |= plain.oom;
	buf_free(&plain);
	if ((s->posts = calloc(s->url->connections, sizeof(*s->posts))) == NULL || s->target.oom || s->resource.oom)
		return err_set(err, ERR_NOMEM, "no memory for the driver");
	for (size_t i = 0; i < s->url->connections; i++) {
		s->posts[i] = (struct post){ .sender = s, .next = s->idle };
		s->idle = &s->posts[i];
	}
	return https_new(&s->https, &options, err);
}

enum drv_result
eventhub_https_open(struct eventhub_https **s_r, const struct eventhub_url *url, const struct drv_env *env, struct err *err)
{
	struct eventhub_https	*s = calloc(1, sizeof(*s));
	enum drv_result		 rc = DRV_RETRY;

	if (s == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		return DRV_RETRY;
	}
	s->url = url;
	s->env = env;
	if (make(s, err) == 0 && (rc = probe(s, err)) == DRV_STORED) {
		*s_r = s;
		s = NULL;
	}
	eventhub_https_close(&s);
	return rc;
}

void
eventhub_https_close(struct eventhub_https **sp)
{
	struct eventhub_https	*s = *sp;

	if (s == NULL)
		return;
	https_free(&s->https);
	for (size_t i = 0; s->posts != NULL && i < s->url->connections; i++)
		buf_free(&s->posts[i].body);
	free(s->posts);
	buf_free_wiped(&s->token);
	buf_free(&s->target);
	buf_free(&s->resource);
	buf_free(&s->scratch);
	buf_free(&s->head);
	buf_free(&s->object_id);
	offer_free(&s->offer);
	lanes_free(&s->lanes);
	free(s);
	*sp = NULL;
}
