/*
 * What is said on a NATS connection about the durable consumer: it is looked at, made or made anew where the stream has to go
 * on, and what the stream no longer holds is noticed (contract/nats.md sections 2 to 4).
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/upstream/upstream_private.h"

#define ANSWER_S	5.0	/* an API request without answer for that long: the connection is of no use */

natsConnection *
upstream_nats(struct upstream *up)
{
	return up->link == NULL ? NULL : link_nats(up->link);
}

natsStatus
upstream_inbox(char out[INBOX_SIZE])
{
	natsInbox	*inbox = NULL;
	natsStatus	 s = natsInbox_Create(&inbox);

	if (s != NATS_OK)
		return s;
	(void)snprintf(out, INBOX_SIZE, "%s", inbox);
	natsInbox_Destroy(inbox);
	return NATS_OK;
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
	s = natsConnection_PublishRequest(upstream_nats(up), subject, inbox, body.p, (int)body.n);
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

uint64_t
jetstream_known_upto(const struct upstream *up)
{
	uint64_t	 seq = up->stats.acked_seq;

	if (window_last_seq(up->window) > seq)
		seq = window_last_seq(up->window);
	return up->stats.horizon > seq ? up->stats.horizon : seq;
}

void
jetstream_ask_probe(struct upstream *up)
{
	struct buf	 body = { 0 };

	consumer_probe_json(&body, jetstream_known_upto(up) + 1, up->login.companies[0]);
	if (body.oom)
		upstream_retry_later(up, UPSTREAM_WAITING, "memory is short");
	else
		api_request_about(up, JS_PROBE, "CREATE", NULL, buf_slice(&body));
	buf_free(&body);
}

void
jetstream_ask_info(struct upstream *up)
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

/*
 * The consumer is made anew, so that it starts at the first event that is not
 * safe yet: what was lost in flight comes again now, in order, instead of after
 * ack_wait behind newer changes (design section 4).
 */
void
jetstream_rewind(struct upstream *up, const char *why)
{
	uint64_t	 safe = up->stats.acked_seq;

	if (up->info.ack_floor_stream_seq > safe)
		safe = up->info.ack_floor_stream_seq;
	up->ready = false;
	up->pull_left = 0;
	delivery_watch_silence(up);
	up->create_seq = safe + 1;
	up->stats.gaps++;
	log_info(&up->log, "%s; the consumer %s is set back to stream sequence %llu", why, up->consumer,
	    (unsigned long long)up->create_seq);
	if (delivery_subscribe(up) != NATS_OK)
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
	delivery_wake(up);
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
		jetstream_rewind(up, "a destination lacks events that were acknowledged without it");
		return;
	}
	if (info->num_ack_pending != window_count(up->window)) {
		jetstream_rewind(up, "deliveries were lost on the way");
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
	uint64_t	 known = jetstream_known_upto(up);
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
		delivery_wake(up);
	} else if (up->rewind_wanted) {
		up->rewind_wanted = false;
		jetstream_rewind(up, "events vanished from the stream");
	} else
		jetstream_ask_info(up);
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
	if (gap_is_recorded(up, jetstream_known_upto(up) + 1, info->delivered_stream_seq + 1))
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
			jetstream_ask_info(up);
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

bool
jetstream_take_answer(struct upstream *up)
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

/* A life on one connection. */

void
jetstream_init(struct upstream *up)
{
	ev_init(&up->answer, on_answer_late);
	up->answer.data = up;
	delivery_init(up);
}

void
jetstream_begin(struct upstream *up)
{
	char		 subject[100];
	natsStatus	 s = upstream_inbox(up->inbox);

	if (s == NATS_OK) {
		(void)snprintf(subject, sizeof(subject), "%s.a.*", up->inbox);
		s = natsConnection_SubscribeSync(&up->api_sub, upstream_nats(up), subject);
	}
	if (s == NATS_OK)
		s = delivery_subscribe(up);
	if (s != NATS_OK) {
		upstream_retry_later(up, UPSTREAM_CONNECTING, natsStatus_GetText(s));
		return;
	}
	if (jetstream_known_upto(up) > 0)
		jetstream_ask_probe(up);
	else
		jetstream_ask_info(up);
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
