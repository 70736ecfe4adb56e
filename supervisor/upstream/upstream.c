/*
 * Upstream: which connection, which credential, when to try again.  What is said
 * on a connection that stands is in jetstream.c.
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/upstream/upstream_private.h"

#define BACKOFF_MIN_MS	250
#define BACKOFF_MAX_MS	30000

const char *
upstream_state_name(enum upstream_state s)
{
	static const char *const names[] = {
		[UPSTREAM_STARTING] = "starting", [UPSTREAM_CONNECTING] = "connecting", [UPSTREAM_RUNNING] = "running",
		[UPSTREAM_PAUSED] = "paused", [UPSTREAM_FULL] = "full", [UPSTREAM_GAP] = "gap", [UPSTREAM_WAITING] = "waiting",
		[UPSTREAM_STOPPED] = "stopped",
	};

	return names[s];
}

void
upstream_set_state(struct upstream *up, enum upstream_state s, const char *text)
{
	if (up->state == s && strcmp(up->text, text) == 0)
		return;
	up->state = s;
	(void)snprintf(up->text, sizeof(up->text), "%s", text);
	up->on.state(up->on.arg, s, up->text);
}

static void
login_free(struct upstream_login *l)
{
	free(l->client_name);
	free(l->creds_path);
	free(l->notices);
	for (size_t i = 0; l->companies != NULL && l->companies[i] != NULL; i++)
		free(l->companies[i]);
	free(l->companies);
	*l = (struct upstream_login){ 0 };
}

static int
login_copy(struct upstream_login *l, const char *client_name, const char *creds_path, const char *sid, char *const *companies)
{
	struct buf	 notices = { 0 };
	size_t		 n = 0;

	if (sid != NULL && sid[0] != '\0') {
		buf_printf(&notices, "eds.notify.%s.>", sid);
		if ((l->notices = buf_steal(&notices)) == NULL)
			return -1;
	}

	while (companies[n] != NULL)
		n++;
	if ((l->client_name = strdup(client_name)) == NULL ||
	    (creds_path != NULL && (l->creds_path = strdup(creds_path)) == NULL) ||
	    (l->companies = calloc(n + 1, sizeof(char *))) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		if ((l->companies[i] = strdup(companies[i])) == NULL)
			return -1;
	return 0;
}

static void	link_up(void *, struct link *);
static void	link_down(void *, struct link *, const struct err *);

static void
link_complaint(void *arg, struct link *l, const char *text)
{
	struct upstream	*up = arg;

	(void)l;
	log_warn(&up->log, "the NATS server complains: %s", text);
	if (strstr(text, "ermissions") != NULL)
		(void)snprintf(up->complaint, sizeof(up->complaint), "%s", text);
}

static struct slice
header_of(natsMsg *msg, const char *key)
{
	const char	*value = NULL;

	return natsMsgHeader_Get(msg, key, &value) == NATS_OK ? slice_of(value) : (struct slice){ NULL, 0 };
}

static void
take_notices(struct upstream *up, struct link *l)
{
	natsMsg	*msg;

	/* What HQ asks for may end a connection, but not within the call. */
	while ((msg = link_take_notice(l)) != NULL) {
		up->on.notice(up->on.arg, (struct slice){ natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg) },
		    header_of(msg, "content-encoding"), slice_of(natsMsg_GetReply(msg)));
		natsMsg_Destroy(msg);
	}
}

static void
link_readable(void *arg, struct link *l)
{
	struct upstream	*up = arg;

	take_notices(up, l);
	if (l == up->link)
		delivery_readable(up);
}

static int
open_link(struct upstream *up, struct link **l_r, struct err *err)
{
	const struct link_options o = {
		.url = up->nats_url, .name = up->login.client_name,
		.creds_path = up->login.creds_path, .ca_file = up->ca_file, .notices = up->login.notices,
	};
	const struct link_events on = {
		.arg = up, .up = link_up, .down = link_down, .readable = link_readable, .complaint = link_complaint,
	};

	return link_open(l_r, up->loop, &o, &on, err);
}

void
upstream_retry_later(struct upstream *up, enum upstream_state s, const char *text)
{
	double	 wait;

	jetstream_end(up);
	link_close(&up->link);
	upstream_set_state(up, s, text);
	up->backoff_ms = up->backoff_ms == 0 ? BACKOFF_MIN_MS : up->backoff_ms * 2;
	if (up->backoff_ms > BACKOFF_MAX_MS)
		up->backoff_ms = BACKOFF_MAX_MS;
	wait = (double)(up->backoff_ms / 2 + (int64_t)random_below((uint64_t)up->backoff_ms / 2 + 1)) / 1000.0;
	ev_timer_stop(up->loop, &up->retry);
	ev_timer_set(&up->retry, wait, 0.);
	ev_timer_start(up->loop, &up->retry);
}

static void
connect_now(struct upstream *up)
{
	struct err	 err = { 0 };

	ev_timer_stop(up->loop, &up->retry);
	if (up->state != UPSTREAM_WAITING && up->state != UPSTREAM_GAP)
		upstream_set_state(up, UPSTREAM_CONNECTING, up->text);
	if (open_link(up, &up->link, &err) == -1)
		upstream_retry_later(up, UPSTREAM_WAITING, err.text);
}

static void
on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	connect_now(w->data);
}

static void
link_up(void *arg, struct link *l)
{
	struct upstream	*up = arg;
	char		 url[300];

	if (l == up->next_link) {
		/* Renewed credential: what is published goes there from now on; the pull under way on the old
		 * connection is finished first. */
		up->on.state(up->on.arg, up->state, up->text);
		delivery_handover(up);
		return;
	}
	up->stats.connects++;
	link_url_for_log(up->nats_url, url, sizeof(url));
	if (up->state == UPSTREAM_WAITING || up->state == UPSTREAM_GAP)		/* the next attempt at what has been said */
		log_debug(&up->log, "nats connected: %s", url);
	else
		log_info(&up->log, "nats connected: %s", url);
	jetstream_begin(up);
}

static void
link_down(void *arg, struct link *l, const struct err *why)
{
	struct upstream	*up = arg;
	char		 text[sizeof(up->text)];

	if (l == up->next_link) {
		log_warn(&up->log, "connecting with the renewed credential failed, trying again when the old connection ends: %s", why->text);
		up->handover = false;
		link_close(&up->next_link);
		return;
	}
	if (up->state == UPSTREAM_RUNNING || up->state == UPSTREAM_FULL || up->state == UPSTREAM_PAUSED)
		log_warn(&up->log, "nats disconnected: %s; connecting again", why->text);
	else if (strcmp(why->text, up->text) != 0)
		log_warn(&up->log, "error creating nats connection: %s; trying again", why->text);
	(void)snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, why->text);
	upstream_retry_later(up, UPSTREAM_CONNECTING, text);
}

void
upstream_take_next(struct upstream *up)
{
	jetstream_end(up);
	link_close(&up->link);
	up->link = up->next_link;
	up->next_link = NULL;
	up->stats.connects++;
	log_info(&up->log, "nats connection goes on with the renewed credential");
	jetstream_begin(up);
}

int
upstream_login(struct upstream *up, const char *client_name, const char *creds_path, const char *sid,
    char *const *companies, struct err *err)
{
	struct upstream_login	 l = { 0 };

	if (login_copy(&l, client_name, creds_path, sid, companies) == -1) {
		login_free(&l);
		return err_set(err, ERR_NOMEM, "credential");
	}
	login_free(&up->login);
	up->login = l;
	if (up->link != NULL && link_nats(up->link) != NULL) {
		struct err why = { 0 };

		up->handover = false;
		link_close(&up->next_link);
		if (open_link(up, &up->next_link, &why) == -1)
			log_warn(&up->log, "connecting with the renewed credential failed: %s", why.text);
		return 0;
	}
	if (up->link != NULL)
		return 0;	/* an attempt is under way; should it fail, the next one uses the new credential */
	up->backoff_ms = 0;
	connect_now(up);
	return 0;
}

int
upstream_new(struct upstream **up_r, struct ev_loop *loop, struct window *w, const struct routes *routes,
    const struct upstream_config *c, const struct upstream_events *on, struct err *err)
{
	struct upstream	*up = calloc(1, sizeof(*up));

	if (up == NULL)
		return err_set(err, ERR_NOMEM, "upstream");
	up->loop = loop;
	up->window = w;
	up->routes = routes;
	up->on = *on;
	up->state = UPSTREAM_STARTING;
	log_make(&up->log, "consumer", NULL);
	ev_init(&up->retry, on_retry);
	up->retry.data = up;
	jetstream_init(up);
	up->config = *c;
	if ((up->nats_url = strdup(c->nats_url)) == NULL || (up->consumer = strdup(c->consumer)) == NULL ||
	    (c->ca_file != NULL && (up->ca_file = strdup(c->ca_file)) == NULL)) {
		upstream_free(&up);
		return err_set(err, ERR_NOMEM, "upstream");
	}
	if (!consumer_name_ok(up->consumer)) {
		(void)err_set(err, ERR_CONFIG, "`%s` cannot name a consumer: blanks and the characters . * > / \\ are not allowed; "
		    "check the server id and --consumer-suffix", up->consumer);
		upstream_free(&up);
		return -1;
	}
	up->stats.acked_seq = c->resume_seq;
	up->stats.horizon = c->horizon;
	*up_r = up;
	return 0;
}

void
upstream_free(struct upstream **upp)
{
	struct upstream	*up = *upp;

	if (up == NULL)
		return;
	jetstream_end(up);
	ev_timer_stop(up->loop, &up->retry);
	link_close(&up->next_link);
	link_close(&up->link);
	login_free(&up->login);
	free(up->nats_url);
	free(up->consumer);
	free(up->ca_file);
	free(up);
	*upp = NULL;
}

void
upstream_hold(struct upstream *up, bool hold, const char *why)
{
	up->hold = hold;
	(void)snprintf(up->hold_why, sizeof(up->hold_why), "%s", why);
	delivery_wake(up);
}

void
upstream_begin_anew(struct upstream *up, uint64_t seq)
{
	up->anew = true;
	up->stats.acked_seq = seq;
	up->stats.horizon = seq;
	window_begin_anew(up->window, seq);
	up->backoff_ms = 0;
	upstream_retry_later(up, UPSTREAM_CONNECTING, "");
}

void
upstream_settle(struct upstream *up, uint64_t index)
{
	natsConnection	*nc = up->link == NULL ? NULL : link_nats(up->link);

	for (uint64_t i = window_head(up->window); i < index; i++) {
		const struct window_entry *e = window_at(up->window, i);

		up->stats.acked_seq = e->seq;
		/* A lost acknowledgement is noticed at the next connect, where pending and window are compared. */
		if (nc != NULL && e->reply.n > 0 && natsConnection_PublishString(nc, e->reply.p, "+ACK") == NATS_OK)
			up->stats.acked++;
	}
	window_release(up->window, index);
	delivery_wake(up);
}

bool
upstream_publish(struct upstream *up, const char *subject, const char *msg_id, struct slice payload)
{
	struct link	*l = up->next_link != NULL ? up->next_link : up->link;
	natsConnection	*nc = l == NULL ? NULL : link_nats(l);
	natsMsg		*msg = NULL;
	natsStatus	 s;

	if (nc == NULL)
		return false;
	s = natsMsg_Create(&msg, subject, NULL, payload.p, (int)payload.n);
	if (s == NATS_OK && msg_id != NULL)
		s = natsMsgHeader_Set(msg, "Nats-Msg-Id", msg_id);
	if (s == NATS_OK && msg_id != NULL)
		s = natsMsgHeader_Set(msg, "content-encoding", "msgpack");
	if (s == NATS_OK)
		s = natsConnection_PublishMsg(nc, msg);
	natsMsg_Destroy(msg);
	return s == NATS_OK;
}

void
upstream_flush(struct upstream *up, int64_t timeout_ms)
{
	natsConnection	*nc = up->link == NULL ? NULL : link_nats(up->link);
	mono_t		 until = mono_now() + timeout_ms;

	/* The loop does the writing, so it has to turn until the buffer is empty. */
	while (nc != NULL && natsConnection_Buffered(nc) > 0 && mono_now() < until) {
		ev_run(up->loop, EVRUN_ONCE);
		nc = up->link == NULL ? NULL : link_nats(up->link);
	}
}

const struct upstream_stats *
upstream_stats(const struct upstream *up)
{
	return &up->stats;
}

enum upstream_state
upstream_state(const struct upstream *up, const char **text_r)
{
	*text_r = up->text;
	return up->state;
}

bool
upstream_renewing(const struct upstream *up)
{
	return up->next_link != NULL && link_nats(up->next_link) == NULL;
}

bool
upstream_connected(const struct upstream *up)
{
	return up->link != NULL && link_nats(up->link) != NULL;
}
