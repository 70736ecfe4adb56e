/*
 * What is said on a NATS connection: set the durable consumer up, keep one pull
 * open, take deliveries in order, notice what was lost (contract/nats.md sections 2 to 4).
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/upstream/reply.h"
#include "supervisor/upstream/upstream_private.h"

#define ANSWER_S	5.0	/* an API request without answer for that long: the connection is of no use */
#define SILENCE_S	35.0	/* two missed heartbeats of an open pull */
#define EVENT_BYTES_MIN	2048
#define STALL_MS	1000	/* without a pull for that long, the stream may have moved on */

static natsConnection *
nats(struct upstream *up)
{
	return up->link == NULL ? NULL : link_nats(up->link);
}

/* Asking the API. */

static void
api_request_about(struct upstream *up, enum js_step step, const char *what, const char *consumer, struct slice body)
{
	char		 subject[400], inbox[100];
	natsStatus	 s;

	up->step = step;
	up->request++;
	(void)snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.%s." CONSUMER_STREAM "%s%s", what, consumer == NULL ? "" : ".",
	    consumer == NULL ? "" : consumer);
	(void)snprintf(inbox, sizeof(inbox), "%s.a.%llu", up->inbox, (unsigned long long)up->request);
	s = natsConnection_PublishRequest(nats(up), subject, inbox, body.p, (int)body.n);
	if (s != NATS_OK) {
		upstream_retry_later(up, UPSTREAM_CONNECTING, natsStatus_GetText(s));
		return;
	}
	ev_timer_stop(up->loop, &up->answer);
	ev_timer_set(&up->answer, ANSWER_S, 0.);
	ev_timer_start(up->loop, &up->answer);
}

static void
api_request(struct upstream *up, enum js_step step, const char *what, struct slice body)
{
	api_request_about(up, step, what, up->consumer, body);
}

/* The last event that we have had, or know not to be for us. */
static uint64_t
known_upto(const struct upstream *up)
{
	uint64_t	 seq = up->stats.acked_seq;

	if (window_last_seq(up->window) > seq)
		seq = window_last_seq(up->window);
	return up->stats.horizon > seq ? up->stats.horizon : seq;
}

static void
ask_probe(struct upstream *up)
{
	struct buf	 body = { 0 };

	consumer_probe_json(&body, known_upto(up) + 1, up->login.companies[0]);
	if (body.oom)
		upstream_retry_later(up, UPSTREAM_WAITING, "memory is short");
	else
		api_request_about(up, JS_PROBE, "CREATE", NULL, buf_slice(&body));
	buf_free(&body);
}

static void
ask_info(struct upstream *up)
{
	api_request(up, JS_INFO, "INFO", (struct slice){ NULL, 0 });
}

static struct consumer_config
wanted(struct upstream *up)
{
	struct consumer_config c = {
		.name = up->consumer, .max_ack_pending = up->config.max_ack_pending,
		.max_batch = up->config.max_batch, .companies = up->login.companies, .single_filter = up->single_filter,
	};

	if (up->create_seq > 0) {
		c.deliver = DELIVER_BY_SEQ;
		c.start_seq = up->create_seq;
	} else if (up->config.from_beginning)
		c.deliver = DELIVER_ALL;
	else if (up->config.start_time_ns > 0) {
		c.deliver = DELIVER_BY_TIME;
		c.start_ns = up->config.start_time_ns;
	} else
		c.deliver = DELIVER_NEW;
	return c;
}

static void
ask_create(struct upstream *up, enum js_step step)
{
	struct consumer_config	 c = wanted(up);
	struct buf		 body = { 0 };

	if (step == JS_UPDATE)
		consumer_update_json(&body, &c, &up->info);
	else
		consumer_create_json(&body, &c, "create");
	if (body.oom)
		upstream_retry_later(up, UPSTREAM_WAITING, "memory is short");
	else
		api_request(up, step, up->single_filter ? "DURABLE.CREATE" : "CREATE", buf_slice(&body));
	buf_free(&body);
}

static void
ask_delete(struct upstream *up)
{
	api_request(up, JS_DELETE, "DELETE", (struct slice){ NULL, 0 });
}

/* Pulling. */

static void
watch_silence(struct upstream *up)
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
	int64_t		 payload = natsConnection_GetMaxPayload(nats(up));
	natsStatus	 s;

	/* An event larger than max_bytes would block the consumer for ever. */
	if (bytes < (uint64_t)payload + 65536)
		bytes = (uint64_t)payload + 65536;
	up->pull++;
	(void)snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.MSG.NEXT." CONSUMER_STREAM ".%s", up->consumer);
	(void)snprintf(inbox, sizeof(inbox), "%s.%llu", up->pull_inbox, (unsigned long long)up->pull);
	consumer_pull_json(&body, batch, bytes);
	s = body.oom ? NATS_NO_MEMORY :
	    natsConnection_PublishRequest(nats(up), subject, inbox, body.data, (int)body.len);
	buf_free(&body);
	if (s != NATS_OK) {
		upstream_retry_later(up, UPSTREAM_CONNECTING, natsStatus_GetText(s));
		return;
	}
	up->pull_left = batch;
	watch_silence(up);
}

static void
stalled(struct upstream *up)
{
	if (up->stalled_at == 0 && up->pull_left == 0)
		up->stalled_at = mono_now();
}

void
jetstream_wake(struct upstream *up)
{
	uint64_t	 batch, bytes;

	if (!up->ready || nats(up) == NULL || up->step != JS_IDLE)
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
	if (up->stalled_at != 0 && mono_now() - up->stalled_at >= STALL_MS && known_upto(up) > 0) {
		up->stalled_at = 0;
		up->pull_wanted = true;
		ask_probe(up);
		return;
	}
	up->stalled_at = 0;
	pull(up, batch, bytes);
}

void
jetstream_handover(struct upstream *up)
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
	watch_silence(up);
	jetstream_wake(up);
}

/* A subscription of its own for the pulls of one consumer: what an earlier one still sends goes nowhere. */
static natsStatus
subscribe_pulls(struct upstream *up)
{
	natsInbox	*inbox = NULL;
	char		 subject[100];
	natsStatus	 s = natsInbox_Create(&inbox);

	natsSubscription_Destroy(up->pull_sub);
	up->pull_sub = NULL;
	if (s != NATS_OK)
		return s;
	(void)snprintf(up->pull_inbox, sizeof(up->pull_inbox), "%s", inbox);
	natsInbox_Destroy(inbox);
	(void)snprintf(subject, sizeof(subject), "%s.*", up->pull_inbox);
	s = natsConnection_SubscribeSync(&up->pull_sub, nats(up), subject);
	/* The window bounds what is pulled; the library must not drop any of it. */
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(up->pull_sub, -1, -1);
	return s;
}

/*
 * The consumer is made anew, so that it starts at the first event that is not
 * safe yet: what was lost in flight comes again now, in order, instead of after
 * ack_wait behind newer changes (design section 4).
 */
static void
rewind_consumer(struct upstream *up, const char *why)
{
	uint64_t	 safe = up->stats.acked_seq;

	if (up->info.ack_floor_stream_seq > safe)
		safe = up->info.ack_floor_stream_seq;
	up->ready = false;
	up->pull_left = 0;
	watch_silence(up);
	up->create_seq = safe + 1;
	up->stats.gaps++;
	log_info(&up->log, "%s; the consumer %s is set back to stream sequence %llu", why, up->consumer,
	    (unsigned long long)up->create_seq);
	if (subscribe_pulls(up) != NATS_OK)
		upstream_retry_later(up, UPSTREAM_CONNECTING, "cannot subscribe anew");
	else
		ask_delete(up);
}

/* Answers of the API. */

static void
run(struct upstream *up, uint64_t delivered)
{
	up->expected = delivered;
	up->ready = true;
	up->pending_known = false;
	/* Where a consumer that we meet for the first time stands is where everybody begins. */
	if (up->stats.acked_seq == 0)
		up->stats.acked_seq = up->info.ack_floor_stream_seq;
	up->backoff_ms = 0;
	up->anew = false;
	up->create_seq = 0;
	up->complaint[0] = '\0';
	jetstream_wake(up);
}

static void
refused(struct upstream *up, const char *doing)
{
	char	 text[500];

	if (up->info.err_code == JS_ERR_STREAM_NOT_FOUND)
		(void)snprintf(text, sizeof(text), "the NATS server has no stream `" CONSUMER_STREAM "`; is --server right?");
	else
		(void)snprintf(text, sizeof(text), "%s the consumer %s was refused: %s (%lld)", doing, up->consumer,
		    up->info.description, (long long)up->info.err_code);
	if (strcmp(text, up->text) != 0)
		log_warn(&up->log, "%s; trying again", text);
	upstream_retry_later(up, UPSTREAM_WAITING, text);
}

static void
wait_for_operator(struct upstream *up, const char *text)
{
	if (strcmp(text, up->text) != 0)
		log_error(&up->log, "%s", text);
	upstream_retry_later(up, UPSTREAM_WAITING, text);
}

static void
not_found(struct upstream *up)
{
	/* Going on after what every destination has is better than any time or "now". */
	up->create_seq = up->stats.acked_seq > 0 || up->anew ? up->stats.acked_seq + 1 : 0;
	if (up->create_seq == 0 && !up->config.from_beginning && up->config.start_time_ns == 0)
		log_warn(&up->log, "no import timestamp found, starting data stream from now");
	ask_create(up, JS_CREATE);
}

static void
have_info(struct upstream *up)
{
	const struct consumer_info	*info = &up->info;
	struct consumer_config		 c = wanted(up);

	if (info->error) {
		if (info->err_code == JS_ERR_CONSUMER_NOT_FOUND)
			not_found(up);
		else
			refused(up, "asking for");
		return;
	}
	if (info->push) {
		wait_for_operator(up, "the consumer of that name is a push consumer; delete it at the NATS server or use --consumer-suffix");
		return;
	}
	if (info->num_waiting > 0) {
		wait_for_operator(up, "consumer already running: another eds server of this id is connected; stop it "
		    "(after a crash this goes away by itself within 30 s)");
		return;
	}
	if (up->stats.acked_seq > 0 && info->ack_floor_stream_seq > up->stats.acked_seq && window_count(up->window) == 0) {
		/* Acknowledged while a destination was not configured that is there again: the stream may still hold it. */
		up->info.ack_floor_stream_seq = up->stats.acked_seq;
		rewind_consumer(up, "a destination lacks events that were acknowledged without it");
		return;
	}
	if (info->num_ack_pending != window_count(up->window)) {
		rewind_consumer(up, "deliveries were lost on the way");
		return;
	}
	if (consumer_needs_update(info, &c))
		ask_create(up, JS_UPDATE);
	else
		run(up, info->delivered_consumer_seq);
}

/*
 * A consumer that was to start at `wanted` starts at `found`: is something missing in
 * between?  False when delivery must not go on.
 */
static bool
gap_is_recorded(struct upstream *up, uint64_t wanted_seq, uint64_t found)
{
	uint64_t	 known = known_upto(up);
	char		 text[400];

	if (found < wanted_seq && found <= known) {
		up->stats.stream_end = found - 1;
		(void)snprintf(text, sizeof(text), "the stream ends at %llu, but %llu has been delivered already: it was made anew or cut; "
		    "`edsctl gap accept from-start` takes all of it, `edsctl gap accept` only what comes behind its end", (unsigned long long)(found - 1), (unsigned long long)known);
		if (strcmp(text, up->text) != 0)
			log_error(&up->log, "%s", text);
		upstream_retry_later(up, UPSTREAM_GAP, text);
		return false;
	}
	if (found <= known + 1)
		return true;
	if (up->on.gap(up->on.arg, known + 1, found - 1, "the stream no longer holds them") == -1) {
		upstream_retry_later(up, UPSTREAM_WAITING, "a gap in the stream cannot be recorded");
		return false;
	}
	up->stats.horizon = found - 1;
	return true;
}

static void
after_probe(struct upstream *up)
{
	if (up->pull_wanted) {
		up->pull_wanted = false;
		jetstream_wake(up);
	} else if (up->rewind_wanted) {
		up->rewind_wanted = false;
		rewind_consumer(up, "events vanished from the stream");
	} else
		ask_info(up);
}

static void
have_probe(struct upstream *up)
{
	const struct consumer_info	*info = &up->info;

	if (info->error || info->name[0] == '\0') {
		if (info->err_code == JS_ERR_STREAM_NOT_FOUND) {
			refused(up, "looking at");
			return;
		}
		log_debug(&up->log, "the stream's first event is not known: %s", info->description);
		after_probe(up);
		return;
	}
	if (gap_is_recorded(up, known_upto(up) + 1, info->delivered_stream_seq + 1))
		api_request_about(up, JS_PROBE_END, "DELETE", info->name, (struct slice){ NULL, 0 });
}

/* The server took the request; did it understand the filters? */
static void
have_created(struct upstream *up, enum js_step step)
{
	const struct consumer_info	*info = &up->info;

	if (info->error) {
		if (step == JS_UPDATE && info->err_code == JS_ERR_CANNOT_UPDATE) {
			log_debug(&up->log, "the consumer %s stays as it is: %s", up->consumer, info->description);
			ask_info(up);
			up->step = JS_INFO;
			return;
		}
		refused(up, step == JS_UPDATE ? "updating" : "creating");
		return;
	}
	if (!consumer_filters_match(info, up->login.companies)) {
		if (up->login.companies[1] != NULL) {
			wait_for_operator(up, "this NATS server knows no filter_subjects (it is older than 2.10), so several companies "
			    "cannot share a consumer; run one server per company with --companyIds and --consumer-suffix");
			return;
		}
		if (up->single_filter) {
			wait_for_operator(up, "the NATS server does not keep the consumer's filter");
			return;
		}
		log_debug(&up->log, "the NATS server knows no filter_subjects, using filter_subject");
		up->single_filter = true;
		if (step == JS_UPDATE)
			ask_create(up, JS_UPDATE);
		else
			ask_delete(up);
		return;
	}
	if (step == JS_CREATE && up->create_seq > 0 && !gap_is_recorded(up, up->create_seq, info->delivered_stream_seq + 1))
		return;
	run(up, info->delivered_consumer_seq);
}

static void
have_deleted(struct upstream *up)
{
	if (up->info.error && up->info.err_code != JS_ERR_CONSUMER_NOT_FOUND) {
		refused(up, "setting back");
		return;
	}
	ask_create(up, JS_CREATE);
}

static void
api_answer(struct upstream *up, struct slice body)
{
	enum js_step		 step = up->step;
	struct consumer_info	 info;
	struct err		 err = { 0 };

	ev_timer_stop(up->loop, &up->answer);
	up->step = JS_IDLE;
	if (consumer_info_parse(&info, body, &err) == -1) {
		upstream_retry_later(up, UPSTREAM_WAITING, err.text);
		return;
	}
	consumer_info_free(&up->info);
	up->info = info;
	switch (step) {
	case JS_PROBE:
		have_probe(up);
		break;
	case JS_PROBE_END:
		after_probe(up);
		break;
	case JS_INFO:
		have_info(up);
		break;
	case JS_CREATE:
	case JS_UPDATE:
		have_created(up, step);
		break;
	case JS_DELETE:
		have_deleted(up);
		break;
	case JS_IDLE:
		break;
	}
}

static bool
take_answer(struct upstream *up)
{
	natsMsg		*msg = NULL;
	uint64_t	 number = 0;
	struct slice	 subject;

	if (up->api_sub == NULL || natsSubscription_NextMsg(&msg, up->api_sub, 0) != NATS_OK)
		return false;
	subject = slice_of(natsMsg_GetSubject(msg));
	/* Answers to requests given up are late, not wrong. */
	if (subject.n > strlen(up->inbox) + 3 &&
	    slice_u64((struct slice){ subject.p + strlen(up->inbox) + 3, subject.n - strlen(up->inbox) - 3 }, &number) &&
	    number == up->request && up->step != JS_IDLE)
		api_answer(up, (struct slice){ natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg) });
	natsMsg_Destroy(msg);
	return true;
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
	watch_silence(up);
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
	watch_silence(up);
	up->ready = false;
	if (strcmp(code, "409") == 0 && (strcasestr(text, "Leadership") != NULL || strcasestr(text, "Consumer Deleted") != NULL)) {
		log_warn(&up->log, "%s; looking at the consumer again", line);
		ask_info(up);
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
	    known_upto(up) > 0 && r->stream_seq > known_upto(up) + 1 && r->stream_seq != up->trusted_jump;
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
		rewind_consumer(up, why);
		return false;
	}
	up->expected = r.consumer_seq;
	if (events_vanished(up, &r)) {
		natsMsg_Destroy(msg);
		up->trusted_jump = r.stream_seq;
		up->rewind_wanted = true;
		up->ready = false;
		up->pull_left = 0;
		watch_silence(up);
		log_info(&up->log, "events between %llu and %llu are no longer announced; looking at the stream",
		    (unsigned long long)window_last_seq(up->window), (unsigned long long)r.stream_seq);
		ask_probe(up);
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
		if (natsConnection_PublishString(nats(up), e.reply.p, "+ACK") == NATS_OK)
			up->stats.acked++;
		natsMsg_Destroy(msg);
		return true;
	}
	if (e.seq <= window_last_seq(up->window)) {
		up->stats.redelivered++;
		if (window_redelivered(up->window, &e))
			return true;
		natsMsg_Destroy(msg);
		rewind_consumer(up, "an earlier delivery comes only now");
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
jetstream_readable(struct upstream *up)
{
	natsMsg		*msg;
	uint64_t	 tail = window_tail(up->window);
	struct link	*link = up->link;

	while (up->link == link && take_answer(up))
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
	watch_silence(up);
	if (up->pull_left == 0)
		jetstream_wake(up);
}

/* Deadlines. */

static void
on_answer_late(struct ev_loop *loop, ev_timer *w, int events)
{
	struct upstream	*up = w->data;
	char		 text[600];

	(void)loop;
	(void)events;
	if (up->complaint[0] != '\0')
		(void)snprintf(text, sizeof(text), "the credential does not allow what is needed: %s", up->complaint);
	else
		(void)snprintf(text, sizeof(text), "the NATS server does not answer about the consumer %s; "
		    "is JetStream enabled for this account?", up->consumer);
	if (strcmp(text, up->text) != 0)
		log_warn(&up->log, "%s; trying again", text);
	upstream_retry_later(up, UPSTREAM_WAITING, text);
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

/* A life on one connection. */

void
jetstream_init(struct upstream *up)
{
	ev_init(&up->answer, on_answer_late);
	up->answer.data = up;
	ev_init(&up->silence, on_silence);
	up->silence.data = up;
}

void
jetstream_begin(struct upstream *up)
{
	natsInbox	*inbox = NULL;
	char		 subject[100];
	natsStatus	 s = natsInbox_Create(&inbox);

	if (s == NATS_OK) {
		(void)snprintf(up->inbox, sizeof(up->inbox), "%s", inbox);
		natsInbox_Destroy(inbox);
		(void)snprintf(subject, sizeof(subject), "%s.a.*", up->inbox);
		s = natsConnection_SubscribeSync(&up->api_sub, nats(up), subject);
	}
	if (s == NATS_OK)
		s = subscribe_pulls(up);
	if (s != NATS_OK) {
		upstream_retry_later(up, UPSTREAM_CONNECTING, natsStatus_GetText(s));
		return;
	}
	if (known_upto(up) > 0)
		ask_probe(up);
	else
		ask_info(up);
}

void
jetstream_end(struct upstream *up)
{
	up->ready = false;
	up->handover = up->rewind_wanted = up->pull_wanted = false;
	up->stalled_at = 0;
	up->step = JS_IDLE;
	up->pull_left = 0;
	ev_timer_stop(up->loop, &up->answer);
	ev_timer_stop(up->loop, &up->silence);
	natsSubscription_Destroy(up->api_sub);
	natsSubscription_Destroy(up->pull_sub);
	up->api_sub = up->pull_sub = NULL;
	consumer_info_free(&up->info);
	up->info = (struct consumer_info){ 0 };
}
