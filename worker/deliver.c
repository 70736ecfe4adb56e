/*
 * The driver thread.  It turns what the driver says into what the supervisor
 * needs to know: stored up to here, this event never, wait, or of no more use.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "worker/batch.h"
#include "worker/deliver.h"
#include "worker/module.h"
#include "worker/retry.h"

/* What follows from a step: the next one, or the end of this process. */
enum verdict {
	V_GOES_ON,
	V_ENDS,			/* asked to, with this batch not stored */
	V_BROKEN,
	V_CONFIG,
};

struct deliver {
	struct worker		*w;
	const struct drv_host	*host;
	const struct driver	*driver;
	struct drv		*drv;
	struct batch_rules	 rules;
	struct batch		 batch;
	struct log		 log;
	struct drv_env		 env;		/* lives as long as the driver does */
	bool			 halted;	/* an event was rejected, and nothing may follow it */
};

static const char *
said(const char *text)
{
	return text[0] == '\0' ? "the driver gave no reason" : text;	/* "" would mean that it is over */
}

static void
send_trouble(struct deliver *d, const char *reason, uint64_t attempts, uint64_t seq)
{
	report_send(d->w->report, IPC_TROUBLE, &(union ipc_body){
		.trouble = { .reason = slice_of(reason), .attempts = attempts, .seq = seq } });
}

static enum verdict
give_up(struct deliver *d, enum verdict verdict, const struct err *err)
{
	report_send(d->w->report, IPC_BROKEN, &(union ipc_body){
		.broken = { .reason = slice_of(said(err->text)), .config = verdict == V_CONFIG } });
	return verdict;
}

static void
send_rejected(struct deliver *d, const struct held *h, const char *reason, uint64_t attempts)
{
	report_send(d->w->report, IPC_REJECTED, &(union ipc_body){
		.rejected = { .seq = h->seq, .reason = slice_of(reason), .attempts = attempts,
		    .payload = h->payload, .subject = h->subject } });
	d->halted |= d->w->settings.limits.stop_on_reject;
}

static enum verdict
halt(struct deliver *d)
{
	struct err	 err;

	(void)err_set(&err, ERR_CONFIG, "an event was rejected (on_reject = stop)");
	return give_up(d, V_CONFIG, &err);
}

static void
refuse_malformed(void *arg, const struct held *h, const struct err *err)
{
	struct err	 why = *err;

	(void)err_prefix(&why, "malformed event");
	send_rejected(arg, h, why.text, 0);
}

/* Says what is wrong and waits; false when the worker is to end instead. */
static bool
wait_to_retry(struct deliver *d, struct retry *retry, const char *reason, uint64_t seq)
{
	uint64_t	 pause_ms = retry_failed(retry);

	send_trouble(d, said(reason), retry->attempts, seq);
	return worker_pause(d->w, pause_ms);
}

static void
send_resolved(struct deliver *d, const struct retry *retry, uint64_t seq)
{
	if (retry->attempts > 0)
		send_trouble(d, "", retry->attempts, seq);
}

static enum verdict
bad_result(struct deliver *d, const char *call, int result)
{
	struct err	 err;

	(void)err_set(&err, ERR_INVALID, "the driver %s answered %s() with %d, which has no meaning there: "
	    "install programs and drivers of the same version", d->driver->id, call, result);
	return give_up(d, V_BROKEN, &err);
}

static enum drv_result
call_open(struct deliver *d, struct err *err)
{
	enum drv_result	 rc;

	*err = (struct err){ 0 };
	worker_call_begins(d->w);
	rc = d->driver->open(&d->drv, &d->env, err);
	worker_call_ends(d->w);
	return rc;
}

static enum verdict
open_driver(struct deliver *d)
{
	const struct settings *s = &d->w->settings;
	struct retry	 retry = { 0 };
	struct err	 err = { 0 };

	d->env = (struct drv_env){ .destination = s->destination, .url = s->url,
	    .update_strategy = s->update_strategy, .session = s->session, .data_dir = s->data_dir,
	    .log = &d->log, .host = d->host };
	if ((d->driver = module_load(s->url, &err)) == NULL || d->driver->validate(s->url, &err) == -1)
		return give_up(d, V_CONFIG, &err);
	for (;;) {
		enum drv_result rc = call_open(d, &err);

		switch (rc) {
		case DRV_STORED:
			send_resolved(d, &retry, 0);
			return V_GOES_ON;
		case DRV_RETRY:
		case DRV_UNSURE:
			if (!wait_to_retry(d, &retry, err.text, 0))
				return V_ENDS;
			continue;
		case DRV_CONFIG:
			return give_up(d, V_CONFIG, &err);
		case DRV_BROKEN:
			return give_up(d, V_BROKEN, &err);
		case DRV_REJECT:
			break;
		}
		return bad_result(d, "open", (int)rc);
	}
}

static void
send_ready(struct deliver *d)
{
	const struct ipc_configure_body	*limits = &d->w->settings.limits;

	worker_lock(d->w);
	d->w->ready = true;
	worker_unlock(d->w);
	report_send(d->w->report, IPC_READY, &(union ipc_body){
		.ready = { .driver = slice_of(d->driver->id), .credit_events = limits->queue_events,
		    .credit_bytes = limits->queue_bytes,
		    .wants_schema = (d->driver->caps & DRV_CAP_SCHEMA) != 0 } });
}

/*
 * Waits for the next batch, takes it and gives its credit back.  *have_r: there is one, else the worker ends.
 * What the batch before has to say goes out together with that credit; or before waiting.
 */
static enum verdict
next_batch(struct deliver *d, bool *have_r)
{
	struct worker	*w = d->w;
	struct err	 err;
	uint64_t	 us;
	int		 rc = 0;

	*have_r = false;
	worker_lock(w);
	while (w->end != WORKER_STOPS) {
		us = batch_wait_us(&d->rules, w->intake, mono_us(), w->end == WORKER_DRAINS);
		if (us == 0) {
			rc = batch_take(&d->batch, w->intake, &d->rules, &err);
			*have_r = rc == 0;
			break;
		}
		if (w->end == WORKER_DRAINS)
			break;			/* nothing left */
		if (!report_queued(w->report)) {
			worker_wait(w, us);
			continue;
		}
		worker_unlock(w);
		report_push(w->report);
		worker_lock(w);
	}
	worker_unlock(w);
	if (rc == -1)
		return give_up(d, V_BROKEN, &err);
	if (*have_r) {
		report_queue(w->report, IPC_CREDIT, &(union ipc_body){
			.credit = { .events = d->batch.n, .bytes = d->batch.held_bytes } });
		report_push(w->report);
	}
	return V_GOES_ON;
}

static enum drv_result
call_deliver(struct deliver *d, struct drv_outcome *out, uint64_t *driver_us)
{
	const struct drv_batch	 view = { .v = d->batch.live, .n = d->batch.n_live, .bytes = d->batch.live_bytes };
	enum drv_result		 rc;
	uint64_t		 start;

	/*
	 * If this call crashes, the supervisor looks for the culprit among the events whose fate it does
	 * not know: what was stored before must not be among them.
	 */
	report_await_sent(d->w->report);
	*out = (struct drv_outcome){ 0 };
	start = mono_us();
	worker_call_begins(d->w);
	rc = d->driver->deliver(d->drv, &view, out);
	worker_call_ends(d->w);
	*driver_us += mono_us() - start;
	return rc;
}

/* Offers what is live until it is stored or set aside. */
static enum verdict
store_live(struct deliver *d, uint64_t *driver_us)
{
	struct batch		*b = &d->batch;
	struct retry		 retry = { 0 };
	struct drv_outcome	 out;
	uint64_t		 attempts = 0, first = b->n_live > 0 ? b->live[0].seq : 0;

	while (b->n_live > 0) {
		enum drv_result	rc;

		if (worker_end(d->w) == WORKER_STOPS)
			return V_ENDS;
		rc = call_deliver(d, &out, driver_us);
		attempts++;
		switch (rc) {
		case DRV_STORED:
			send_resolved(d, &retry, first);
			return V_GOES_ON;
		case DRV_UNSURE:
			if ((d->driver->caps & DRV_CAP_IDEMPOTENT) == 0)
				log_warn(&d->log, "events %" PRIu64 " to %" PRIu64 " are offered again and may be stored twice: %s",
				    b->live[0].seq, b->live[b->n_live - 1].seq, out.err.text);
			/* fall through */
		case DRV_RETRY:
			if (!wait_to_retry(d, &retry, out.err.text, b->live[0].seq))
				return V_ENDS;
			continue;
		case DRV_REJECT:
			if (out.index >= b->n_live)
				break;
			send_rejected(d, batch_origin(b, out.index), said(out.err.text), attempts);
			if (d->halted)
				return halt(d);
			batch_remove(b, out.index);
			continue;
		case DRV_CONFIG:
			return give_up(d, V_CONFIG, &out.err);
		case DRV_BROKEN:
			return give_up(d, V_BROKEN, &out.err);
		}
		return bad_result(d, "deliver", (int)rc);
	}
	send_resolved(d, &retry, first);	/* the last one was rejected after a pause */
	return V_GOES_ON;
}

static void
send_committed(struct deliver *d, uint64_t driver_us)
{
	const struct batch	*b = &d->batch;

	report_queue(d->w->report, IPC_COMMITTED, &(union ipc_body){
		.committed = { .seq = b->held[b->n - 1].seq, .events = b->n_live, .bytes = b->live_bytes,
		    .flush_us = driver_us, .process_us = mono_us() - b->held[0].arrived_us } });
}

static enum verdict
deliver_batch(struct deliver *d)
{
	enum verdict	 verdict;
	struct err	 err;
	uint64_t	 driver_us = 0;

	if (batch_parse(&d->batch, refuse_malformed, d, &err) == -1)
		return give_up(d, V_BROKEN, &err);
	if (d->halted)
		return halt(d);
	if ((verdict = store_live(d, &driver_us)) == V_GOES_ON)
		send_committed(d, driver_us);
	worker_lock(d->w);
	batch_done(&d->batch, d->w->intake);
	worker_unlock(d->w);
	return verdict;
}

static enum verdict
deliver_all(struct deliver *d)
{
	enum verdict	 verdict;
	bool		 have;

	batch_rules_make(&d->rules, d->driver, &d->w->settings.limits);
	do {
		if ((verdict = next_batch(d, &have)) == V_GOES_ON && have)
			verdict = deliver_batch(d);
	} while (verdict == V_GOES_ON && have);
	return verdict;
}

static void
close_driver(struct deliver *d)
{
	worker_call_begins(d->w);
	if (d->drv != NULL)
		d->driver->close(&d->drv);
	worker_call_ends(d->w);
}

static enum worker_exit
say_goodbye(struct deliver *d, enum verdict verdict)
{
	const char	*reason;

	if (verdict == V_CONFIG)
		return WORKER_EXIT_CONFIG;
	if (verdict == V_BROKEN)
		return WORKER_EXIT_BROKEN;
	if (worker_end(d->w) == WORKER_STOPS)
		reason = "stopped";
	else
		reason = verdict == V_GOES_ON ? "drained" : "abandoned";
	report_send(d->w->report, IPC_GOODBYE, &(union ipc_body){ .goodbye = { .reason = slice_of(reason) } });
	return WORKER_EXIT_FINE;
}

void *
deliver_main(void *arg)
{
	const struct deliver_args *args = arg;
	struct deliver	 d = { .w = args->worker, .host = host_callbacks(args->host) };
	enum worker_exit code;
	enum verdict	 verdict;

	log_make(&d.log, d.w->settings.destination, NULL);
	if ((verdict = open_driver(&d)) == V_GOES_ON) {
		send_ready(&d);
		verdict = deliver_all(&d);
	}
	close_driver(&d);
	batch_free(&d.batch);
	code = say_goodbye(&d, verdict);
	worker_finish(d.w, code);
	return NULL;
}
