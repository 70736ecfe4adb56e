/*
 * Keeps one pull open, takes deliveries in order and notices what is missing among them (contract/nats.md sections 3 and 4).
 */

#include <stdio.h>

#include "supervisor/upstream/reply.h"
#include "supervisor/upstream/upstream_private.h"

#define SILENCE_S	35.0	/* two missed heartbeats of an open pull */
#define EVENT_BYTES_MIN	2048
#define STALL_MS	1000	/* without a pull for that long, the stream may have moved on */

/* Pulls. */

void
delivery_watch_silence(struct upstream *up)
{
	if (up->pull_left == 0) {
		ev_timer_stop(up->loop, &up->silence);
		return;
	}
	up->silence.repeat = SILENCE_S;
	ev_timer_again(up->loop, &up->silence);
}

static uint64_t
room(const struct upstream *up, uint64_t *bytes_r)
{
	uint64_t	 events = up->config.window_events, bytes = up->config.window_bytes;
	uint64_t	 have_bytes = window_bytes(up->window), have = window_count(up->window);
	uint64_t	 average = up->event_bytes < EVENT_BYTES_MIN ? EVENT_BYTES_MIN : up->event_bytes;
	uint64_t	 n;

	events = have >= events ? 0 : events - have;
	bytes = have_bytes >= bytes ? 0 : bytes - have_bytes;
	*bytes_r = bytes;
	n = bytes / average;
	if (n > events)
		n = events;
	/* Small pulls would only make the server busy: wait until a fair part is free. */
	if (n < up->config.window_events / 8 && n < 512 && have > 0)
		return 0;
	if (n == 0 && have == 0)
		n = 1;
	if (up->config.max_batch > 0 && n > up->config.max_batch)
		n = up->config.max_batch;	/* the server refuses more */
	return n > CONSUMER_MAX_BATCH ? CONSUMER_MAX_BATCH : n;
}

static void
pull(struct upstream *up, uint64_t batch, uint64_t bytes)
{
	char		 subject[400], inbox[100];
	struct buf	 body = { 0 };
	int64_t		 payload = natsConnection_GetMaxPayload(upstream_nats(up));
	natsStatus	 s;

	/* An event larger than max_bytes would block the consumer for ever. */
	if (bytes < (uint64_t)payload + 65536)
		bytes = (uint64_t)payload + 65536;
	up->pull++;
	(void)snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT." CONSUMER_STREAM ".%s", up->consumer);
	(void)snprintf(inbox, sizeof(inbox), "%s.%llu", up->pull_inbox, (unsigned long long)up->pull);
	consumer_pull_json(&body, batch, bytes);
	s = body.oom ? NATS_NO_MEMORY :
	    natsConnection_PublishRequest(upstream_nats(up), subject, inbox, body.data, (int)body.len);
	buf_free(&body);
	if (s != NATS_OK) {
		upstream_retry_later(up, UPSTREAM_CONNECTING, natsStatus_GetText(s));
		return;
	}
	up->pull_left = batch;
	delivery_watch_silence(up);
}

static void
stalled(struct upstream *up)
{
	if (up->stalled_at == 0 && up->pull_left == 0)
		up->stalled_at = mono_now();
}

void
delivery_wake(struct upstream *up)
{
	uint64_t	 batch, bytes;

	if (!up->ready || upstream_nats(up) == NULL || up->step != JS_IDLE)
		return;
	if (up->pull_left == 0 && up->handover) {
		up->handover = false;
		upstream_take_next(up);
		return;
	}
	if (up->hold) {
		stalled(up);
		upstream_set_state(up, UPSTREAM_PAUSED, up->hold_why);
		return;
	}
	if (up->pull_left > 0) {
		if (up->state == UPSTREAM_PAUSED)
			upstream_set_state(up, UPSTREAM_RUNNING, "");
		return;
	}
	batch = room(up, &bytes);
	if (batch == 0) {
		stalled(up);
		upstream_set_state(up, UPSTREAM_FULL, "the window is full: the slowest destination holds the rest back");
		return;
	}
	upstream_set_state(up, UPSTREAM_RUNNING, "");
	if (up->stalled_at != 0 && mono_now() - up->stalled_at >= STALL_MS && jetstream_known_upto(up) > 0) {
		up->stalled_at = 0;
		up->pull_wanted = true;
		jetstream_ask_probe(up);
		return;
	}
	up->stalled_at = 0;
	pull(up, batch, bytes);
}

void
delivery_handover(struct upstream *up)
{
	if (up->ready && up->pull_left > 0)
		up->handover = true;
	else
		upstream_take_next(up);
}

static void
pull_ended(struct upstream *up)
{
	up->pull_left = 0;
	delivery_watch_silence(up);
	delivery_wake(up);
}

/* A subscription of its own for the pulls of one consumer: what an earlier one still sends goes nowhere. */
natsStatus
delivery_subscribe(struct upstream *up)
{
	char		 subject[100];
	natsStatus	 s = upstream_inbox(up->pull_inbox);

	natsSubscription_Destroy(up->pull_sub);
	up->pull_sub = NULL;
	if (s != NATS_OK)
		return s;
	(void)snprintf(subject, sizeof(subject), "%s.*", up->pull_inbox);
	s = natsConnection_SubscribeSync(&up->pull_sub, upstream_nats(up), subject);
	/* The window bounds what is pulled; the library must not drop any of it. */
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(up->pull_sub, -1, -1);
	return s;
}

/* Deliveries. */

/* A heartbeat of an idle pull tells how far the server has looked without finding anything for us. */
static void
look_at_horizon(struct upstream *up, natsMsg *msg)
{
	const char	*consumer = NULL, *stream = NULL;
	uint64_t	 consumer_seq, stream_seq;

	if (natsMsgHeader_Get(msg, "Nats-Last-Consumer", &consumer) != NATS_OK ||
	    natsMsgHeader_Get(msg, "Nats-Last-Stream", &stream) != NATS_OK ||
	    !slice_u64(slice_of(consumer), &consumer_seq) || !slice_u64(slice_of(stream), &stream_seq))
		return;
	if (consumer_seq == up->expected && stream_seq > up->stats.horizon && up->stats.server_pending == 0)
		up->stats.horizon = stream_seq;
}

static void
take_status(struct upstream *up, natsMsg *msg)
{
	const char	*code = NULL, *text = NULL;
	struct slice	 subject = slice_of(natsMsg_GetSubject(msg));
	uint64_t	 number = 0;
	char		 line[300];

	if (subject.n <= strlen(up->pull_inbox) + 1 ||
	    !slice_u64((struct slice){ subject.p + strlen(up->pull_inbox) + 1, subject.n - strlen(up->pull_inbox) - 1 }, &number) ||
	    number != up->pull)
		return;		/* about an earlier pull */
	if (natsMsgHeader_Get(msg, "Status", &code) != NATS_OK || code == NULL)
		code = "";
	if (natsMsgHeader_Get(msg, "Description", &text) != NATS_OK || text == NULL)
		text = "";
	delivery_watch_silence(up);
	if (strcmp(code, "100") == 0) {
		look_at_horizon(up, msg);
		return;
	}
	if (strcmp(code, "408") == 0 || strcmp(code, "404") == 0 ||
	    (strcmp(code, "409") == 0 && (strcasestr(text, "MaxBytes") != NULL || strcasestr(text, "Batch Completed") != NULL))) {
		pull_ended(up);
		return;
	}
	(void)snprintf(line, sizeof(line), "the NATS server ended the pull: %s %s", code, text);
	up->pull_left = 0;
	delivery_watch_silence(up);
	up->ready = false;
	if (strcmp(code, "409") == 0 && (strcasestr(text, "Leadership") != NULL || strcasestr(text, "Consumer Deleted") != NULL)) {
		log_warn(&up->log, "%s; looking at the consumer again", line);
		jetstream_ask_info(up);
		return;
	}
	log_warn(&up->log, "%s; connecting again", line);
	upstream_retry_later(up, UPSTREAM_CONNECTING, line);
}

/*
 * With each delivery the server says how many are left.  When that falls by more than the one
 * delivered, and the sequence jumps, the stream has lost some in between while we were connected.
 */
static bool
events_vanished(const struct upstream *up, const struct reply *r)
{
	return up->pending_known && r->deliveries == 1 && r->pending + 1 < up->stats.server_pending &&
	    jetstream_known_upto(up) > 0 && r->stream_seq > jetstream_known_upto(up) + 1 && r->stream_seq != up->trusted_jump;
}

/* Takes the message over.  False when what is left of the connection's messages must not be looked at. */
static bool
take_delivery(struct upstream *up, natsMsg *msg)
{
	struct window_entry	 e;
	struct reply		 r;
	struct err		 err = { 0 };

	e.reply = slice_of(natsMsg_GetReply(msg));
	if (!reply_parse(e.reply, &r)) {
		up->stats.malformed++;
		log_warn(&up->log, "a message with the reply subject `%s` is no JetStream delivery; ignored", e.reply.p);
		natsMsg_Destroy(msg);
		return true;
	}
	if (r.consumer_seq != up->expected + 1) {
		char why[120];

		(void)snprintf(why, sizeof(why), "out of order sequence: %llu, expected: %llu",
		    (unsigned long long)r.consumer_seq, (unsigned long long)(up->expected + 1));
		natsMsg_Destroy(msg);
		jetstream_rewind(up, why);
		return false;
	}
	up->expected = r.consumer_seq;
	if (events_vanished(up, &r)) {
		natsMsg_Destroy(msg);
		up->trusted_jump = r.stream_seq;
		up->rewind_wanted = true;
		up->ready = false;
		up->pull_left = 0;
		delivery_watch_silence(up);
		log_info(&up->log, "events between %llu and %llu are no longer announced; looking at the stream",
		    (unsigned long long)window_last_seq(up->window), (unsigned long long)r.stream_seq);
		jetstream_ask_probe(up);
		return false;
	}
	up->stats.server_pending = r.pending;
	up->pending_known = true;
	if (up->pull_left > 0)
		up->pull_left--;
	e.seq = r.stream_seq;
	e.subject = slice_of(natsMsg_GetSubject(msg));
	e.payload = (struct slice){ natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg) };
	e.owner = msg;
	e.at = mono_now();
	if (e.seq <= up->stats.acked_seq) {
		/* Safe already, its acknowledgement was lost. */
		up->stats.redelivered++;
		if (natsConnection_PublishString(upstream_nats(up), e.reply.p, "+ACK") == NATS_OK)
			up->stats.acked++;
		natsMsg_Destroy(msg);
		return true;
	}
	if (e.seq <= window_last_seq(up->window)) {
		up->stats.redelivered++;
		if (window_redelivered(up->window, &e))
			return true;
		natsMsg_Destroy(msg);
		jetstream_rewind(up, "an earlier delivery comes only now");
		return false;
	}
	e.routes = routes_of(up->routes, e.subject);
	up->event_bytes = (up->event_bytes * 63 + e.payload.n) / 64;
	up->stats.received++;
	up->stats.received_bytes += e.payload.n;
	up->stats.last_seq = e.seq;
	if (window_append(up->window, &e, &err) == -1) {
		upstream_retry_later(up, UPSTREAM_WAITING, err.text);
		return false;
	}
	return true;
}

void
delivery_readable(struct upstream *up)
{
	natsMsg		*msg;
	uint64_t	 tail = window_tail(up->window);
	struct link	*link = up->link;

	while (up->link == link && jetstream_take_answer(up))
		;
	while (up->link == link && up->ready && up->pull_sub != NULL &&
	    natsSubscription_NextMsg(&msg, up->pull_sub, 0) == NATS_OK) {
		if (natsMsg_GetReply(msg) == NULL) {
			take_status(up, msg);
			natsMsg_Destroy(msg);
		} else if (!take_delivery(up, msg))
			break;
	}
	if (window_tail(up->window) != tail)
		up->on.arrived(up->on.arg);
	if (up->link != link || !up->ready)
		return;
	delivery_watch_silence(up);
	if (up->pull_left == 0)
		delivery_wake(up);
}

static void
on_silence(struct ev_loop *loop, ev_timer *w, int events)
{
	struct upstream	*up = w->data;

	(void)loop;
	(void)events;
	log_warn(&up->log, "nothing heard of the pull for %d s; connecting again", (int)SILENCE_S);
	upstream_retry_later(up, UPSTREAM_CONNECTING, "nothing heard from the NATS server");
}

void
delivery_init(struct upstream *up)
{
	ev_init(&up->silence, on_silence);
	up->silence.data = up;
}
