/*
 * The driver thread.  It turns what the driver says into what the supervisor
 * needs to know: stored up to here, this event never, wait, or of no more use.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "worker/batch.h"
#include "worker/deliver.h"

struct deliver {
	struct life		 life;
	struct batch_rules	 rules;
	struct batch		 batch;
	uint64_t		 last_call_us;	/* when the driver was last heard of */
	bool			 halted;	/* an event was rejected, and nothing may follow it */
};

static void
send_rejected(struct deliver *d, const struct held *h, const char *reason, uint64_t attempts)
{
	report_send(d->life.w->report, IPC_REJECTED, &(union ipc_body){
		.rejected = { .seq = h->seq, .reason = slice_of(reason), .attempts = attempts,
		    .payload = h->payload, .subject = h->subject } });
	d->halted |= d->life.w->settings.limits.stop_on_reject;
}

static enum verdict
halt(struct deliver *d)
{
	struct err	 err;

	(void)err_set(&err, ERR_CONFIG, "an event was rejected (on_reject = stop)");
	return life_give_up(&d->life, V_CONFIG, &err);
}

static void
refuse_malformed(void *arg, const struct held *h, const struct err *err)
{
	struct err	 why = *err;

	(void)err_prefix(&why, "malformed event");
	send_rejected(arg, h, why.text, 0);
}

static void
send_ready(struct deliver *d)
{
	const struct ipc_configure_body	*limits = &d->life.w->settings.limits;

	worker_lock(d->life.w);
	d->life.w->ready = true;
	worker_unlock(d->life.w);
	report_send(d->life.w->report, IPC_READY, &(union ipc_body){
		.ready = { .driver = slice_of(d->life.driver->id), .credit_events = limits->queue_events,
		    .credit_bytes = limits->queue_bytes,
		    .wants_schema = (d->life.driver->caps & DRV_CAP_SCHEMA) != 0 } });
}

/*
 * Locked, with no batch due for `us`: waits at most that long, or until the driver has been silent for as
 * long as it may be.
 */
static void
wait_idle(struct deliver *d, uint64_t us)
{
	const struct driver	*driver = d->life.driver;
	struct worker		*w = d->life.w;
	uint64_t		 now, due;

	if (driver->idle == NULL || w->end != WORKER_GOES_ON) {
		worker_wait(w, us);
		return;
	}
	now = mono_us();
	due = d->last_call_us + (uint64_t)driver->idle_ms * 1000;
	if (now < due) {
		worker_wait(w, us < due - now ? us : due - now);
		return;
	}
	worker_unlock(w);
	report_await_sent(w->report);	/* this call may crash like any other */
	worker_call_begins(w);
	driver->idle(d->life.drv);
	worker_call_ends(w);
	d->last_call_us = mono_us();
	worker_lock(w);
}

/*
 * Waits for the next batch, takes it and gives its credit back.  *have_r: there is one, else the worker ends.
 * What the batch before has to say goes out together with that credit, or before waiting and ending.
 */
static enum verdict
next_batch(struct deliver *d, bool *have_r)
{
	struct worker	*w = d->life.w;
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
			wait_idle(d, us);
			continue;
		}
		worker_unlock(w);
		report_push(w->report);
		worker_lock(w);
	}
	worker_unlock(w);
	if (rc == -1)
		return life_give_up(&d->life, V_BROKEN, &err);
	if (*have_r)
		report_queue(w->report, IPC_CREDIT, &(union ipc_body){
			.credit = { .events = d->batch.n, .bytes = d->batch.held_bytes } });
	report_push(w->report);
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
	report_await_sent(d->life.w->report);
	*out = (struct drv_outcome){ 0 };
	start = mono_us();
	worker_call_begins(d->life.w);
	rc = d->life.driver->deliver(d->life.drv, &view, out);
	worker_call_ends(d->life.w);
	d->last_call_us = mono_us();
	*driver_us += d->last_call_us - start;
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

		if (worker_end(d->life.w) == WORKER_STOPS)
			return V_ENDS;
		rc = call_deliver(d, &out, driver_us);
		attempts++;
		switch (rc) {
		case DRV_STORED:
			life_send_resolved(&d->life, &retry, first);
			return V_GOES_ON;
		case DRV_UNSURE:
			if ((d->life.driver->caps & DRV_CAP_IDEMPOTENT) == 0)
				log_warn(&d->life.log, "events %" PRIu64 " to %" PRIu64 " are offered again and may be stored twice: %s",
				    b->live[0].seq, b->live[b->n_live - 1].seq, out.err.text);
			/* fall through */
		case DRV_RETRY:
			if (!life_wait_to_retry(&d->life, &retry, out.err.text, b->live[0].seq))
				return V_ENDS;
			continue;
		case DRV_REJECT:
			if (out.index >= b->n_live)
				break;
			send_rejected(d, batch_origin(b, out.index), life_said(out.err.text), attempts);
			if (d->halted)
				return halt(d);
			batch_remove(b, out.index);
			continue;
		case DRV_CONFIG:
			return life_give_up(&d->life, V_CONFIG, &out.err);
		case DRV_BROKEN:
			return life_give_up(&d->life, V_BROKEN, &out.err);
		}
		return life_bad_result(&d->life, "deliver", (int)rc);
	}
	life_send_resolved(&d->life, &retry, first);	/* the last one was rejected after a pause */
	return V_GOES_ON;
}

static void
send_committed(struct deliver *d, uint64_t driver_us)
{
	const struct batch	*b = &d->batch;

	report_queue(d->life.w->report, IPC_COMMITTED, &(union ipc_body){
		.committed = { .seq = b->held[b->n - 1].seq, .events = b->n_live, .bytes = b->live_bytes,
		    .flush_us = driver_us, .process_us = mono_us() - b->held[0].arrived_us } });
}

static enum verdict
deliver_batch(struct deliver *d)
{
	enum verdict	 verdict;
	struct err	 err;
	uint64_t	 driver_us = 0;

	if (batch_parse(&d->batch, &d->life.w->settings.skip, refuse_malformed, d, &err) == -1)
		return life_give_up(&d->life, V_BROKEN, &err);
	if (d->halted)
		return halt(d);
	if ((verdict = store_live(d, &driver_us)) == V_GOES_ON)
		send_committed(d, driver_us);
	worker_lock(d->life.w);
	batch_done(&d->batch, d->life.w->intake);
	worker_unlock(d->life.w);
	return verdict;
}

static void
make_rules(struct deliver *d)
{
	const struct driver	*driver = d->life.driver;
	const struct settings	*settings = &d->life.w->settings;
	struct drv_batching	 b = { .events = driver->batch_events, .bytes = driver->batch_bytes };

	if (driver->batching != NULL)
		driver->batching(settings->url, &b);
	batch_rules_make(&d->rules, &b, &settings->limits);
}

static enum verdict
deliver_all(struct deliver *d)
{
	enum verdict	 verdict;
	bool		 have;

	make_rules(d);
	do {
		if ((verdict = next_batch(d, &have)) == V_GOES_ON && have)
			verdict = deliver_batch(d);
	} while (verdict == V_GOES_ON && have);
	return verdict;
}

void *
deliver_main(void *arg)
{
	struct deliver	 d = { .halted = false };
	enum verdict	 verdict;

	life_begin(&d.life, arg);
	if ((verdict = life_load(&d.life)) == V_GOES_ON && (verdict = life_open(&d.life)) == V_GOES_ON) {
		d.last_call_us = mono_us();
		send_ready(&d);
		verdict = deliver_all(&d);
	}
	life_close(&d.life);
	batch_free(&d.batch);
	life_end(&d.life, verdict);
	return NULL;
}
