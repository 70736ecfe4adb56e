/*
 * The driver thread.  It turns what the driver says into what the supervisor
 * needs to know: stored up to here, this event never, wait, or of no more use.
 */

#include <inttypes.h>
#include <unistd.h>

#include "worker/deliver.h"
#include "worker/flight.h"

struct deliver {
	struct life		 life;
	struct gate		*gate;		/* NULL: no rules */
	struct batch_rules	 rules;
	struct flight		 flight;
	struct drv_flow		 flow;		/* the driver's side of it */
	struct retry		 retry;		/* of the oldest batch */
	uint64_t		 attempts;	/* calls since something was stored or set aside */
	uint64_t		 last_call_us;	/* when the driver was last heard of */
	bool			 halted;	/* an event was rejected, and nothing may follow it */
	struct err		 broken;	/* what is wrong with this process; code ERR_NONE: nothing */
};

static void
send_rejected(struct deliver *d, const struct held *h, const char *reason, uint64_t attempts)
{
	report_send(d->life.w->report, IPC_REJECTED, &(union ipc_body){
		.rejected = { .seq = h->seq, .reason = slice_of(reason), .attempts = attempts,
		    .payload = h->payload, .subject = h->subject } });
	d->halted |= d->life.w->settings.limits.stop_on_reject;
}

/* Whether it goes on, said once what was under way has come to its end. */
static enum verdict
verdict_of(struct deliver *d)
{
	struct err	 err;

	if (d->broken.code != ERR_NONE)
		return life_give_up(&d->life, V_BROKEN, &d->broken);
	if (!d->halted)
		return V_GOES_ON;
	(void)err_set(&err, ERR_CONFIG, "an event was rejected (on_reject = stop)");
	return life_give_up(&d->life, V_CONFIG, &err);
}

static bool
is_well(const struct deliver *d)
{
	return d->broken.code == ERR_NONE && !d->halted;
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
		    .wants_schema = (d->life.driver->caps & DRV_CAP_SCHEMA) != 0, .rules = d->gate != NULL } });
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

/* Locked: takes a batch that is due; NULL when memory is short, or when too many are under way. */
static struct batch *
take_locked(struct deliver *d, struct err *err)
{
	struct batch	*b = flight_new(&d->flight);

	if (b == NULL)
		(void)err_set(err, ERR_NOMEM, "no memory for a batch");
	else if (batch_take(b, d->life.w->intake, &d->rules, err) == -1) {
		flight_give_back(&d->flight, b);
		b = NULL;
	}
	return b;
}

/*
 * Waits for the next batch, takes it and gives its credit back.  NULL: the worker ends.
 * What the batch before has to say goes out together with that credit, or before waiting and ending.
 */
static struct batch *
next_batch(struct deliver *d)
{
	struct worker	*w = d->life.w;
	struct batch	*b = NULL;
	uint64_t	 us;

	worker_lock(w);
	while (w->end != WORKER_STOPS) {
		us = batch_wait_us(&d->rules, w->intake, mono_us(), w->end == WORKER_DRAINS);
		if (us == 0) {
			b = take_locked(d, &d->broken);
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
	return b;
}

/* Gives the batch's credit back and takes its events apart; from now on it is under way. */
static void
add_batch(struct deliver *d, struct batch *b)
{
	flight_add(&d->flight, b);
	report_queue(d->life.w->report, IPC_CREDIT, &(union ipc_body){
		.credit = { .events = b->n, .bytes = b->held_bytes } });
	report_push(d->life.w->report);
	if (batch_parse(b, &d->life.w->settings.skip, d->gate, refuse_malformed, d, &d->broken) == 0)
		b->taken_us = mono_us();
}

/* The oldest batch is stored, or what is left of it is. */
static void
commit_oldest(struct deliver *d)
{
	struct batch	*b = flight_at(&d->flight, 0);
	uint64_t	 now = mono_us();

	report_queue(d->life.w->report, IPC_COMMITTED, &(union ipc_body){
		.committed = { .seq = b->held[b->n - 1].seq, .events = b->n_live, .bytes = b->live_bytes,
		    .flush_us = now - b->taken_us, .process_us = now - b->held[0].arrived_us, .no_rule = b->held_back[RULES_NONE],
		    .unfit = b->held_back[RULES_DIFFER], .unchecked = b->held_back[RULES_FAILED] } });
	worker_lock(d->life.w);
	flight_pop(&d->flight);
	batch_done(b, d->life.w->intake);
	worker_unlock(d->life.w);
}

/* Those among the oldest that need nothing of the driver: all of their events were set aside. */
static void
commit_empty(struct deliver *d)
{
	while (d->flight.n > 0 && flight_at(&d->flight, 0)->n_live == 0)
		commit_oldest(d);
}

static void
resolved(struct deliver *d)
{
	life_send_resolved(&d->life, &d->retry, d->flight.n > 0 ? flight_at(&d->flight, 0)->held[0].seq : 0);
	d->retry = (struct retry){ 0 };
	d->attempts = 0;
}

static struct drv_batch
view_of(struct deliver *d, const struct batch *b)
{
	return (struct drv_batch){ .v = b->live, .n = b->n_live, .bytes = b->live_bytes, .flow = &d->flow };
}

/* ---- what the driver asks for while it works */

static void
flow_stored(void *ctx, size_t n)
{
	struct deliver	*d = ctx;
	struct flight	*f = &d->flight;
	size_t		 before = f->handed;

	while (f->handed > 0 && flight_at(f, 0)->n_live <= n - f->base) {
		f->base += flight_at(f, 0)->n_live;
		if (d->retry.attempts > 0)
			resolved(d);
		commit_oldest(d);
	}
	if (f->handed == before)
		return;
	report_push(d->life.w->report);
	worker_call_begins(d->life.w);		/* it does not hang */
}

/* All batches together are to be no larger than one may be, but for a driver that gets one ahead. */
static bool
is_enough(const struct deliver *d)
{
	const struct flight	*f = &d->flight;

	if (f->n == 1 && (d->life.driver->caps & DRV_CAP_AHEAD) != 0)
		return false;
	return f->n == FLIGHT_MOST || f->events >= d->rules.events || f->bytes >= d->rules.bytes;
}

/* One that is due, unless enough is under way; NULL: none.  Then the driver is told when there may be one. */
static struct batch *
take_due(struct deliver *d)
{
	struct worker	*w = d->life.w;
	struct batch	*b = NULL;
	struct err	 err;
	uint64_t	 many;

	if (is_enough(d))
		return NULL;
	worker_lock(w);
	if (read(w->flow_fd, &many, sizeof(many)) == -1)
		many = 0;			/* nothing has happened; we look all the same */
	if (w->end == WORKER_GOES_ON && batch_wait_us(&d->rules, w->intake, mono_us(), false) == 0)
		b = take_locked(d, &err);	/* when memory is short there may be more of it later */
	if (b == NULL)
		w->flow_waits = true;
	worker_unlock(w);
	return b;
}

static bool
flow_more(void *ctx, struct drv_batch *batch_r)
{
	struct deliver	*d = ctx;
	struct flight	*f = &d->flight;
	struct batch	*b;

	while (is_well(d)) {
		if (f->handed == f->n) {
			if ((b = take_due(d)) == NULL)
				return false;
			add_batch(d, b);
			continue;
		}
		b = flight_at(f, f->handed++);
		if (b->n_live == 0)
			continue;
		*batch_r = view_of(d, b);
		return true;
	}
	return false;
}

/* ---- one call of the driver, and what follows from it */

static enum drv_result
call_deliver(struct deliver *d, struct drv_outcome *out)
{
	struct drv_batch	 view = view_of(d, flight_at(&d->flight, 0));
	enum drv_result		 rc;

	/*
	 * If this call crashes, the supervisor looks for the culprit among the events whose fate it does
	 * not know: what was stored before must not be among them.
	 */
	report_await_sent(d->life.w->report);
	*out = (struct drv_outcome){ 0 };
	d->flight.handed = 1;
	d->flight.base = 0;
	d->attempts++;
	worker_call_begins(d->life.w);
	rc = d->life.driver->deliver(d->life.drv, &view, out);
	worker_call_ends(d->life.w);
	d->last_call_us = mono_us();
	return rc;
}

static enum verdict
reject(struct deliver *d, const struct drv_outcome *out)
{
	size_t		 place;
	struct batch	*b = flight_find(&d->flight, out->index, &place);

	if (b == NULL)
		return life_bad_result(&d->life, "deliver", DRV_REJECT);
	send_rejected(d, batch_origin(b, place), life_said(out->err.text), d->attempts);
	batch_remove(b, place);
	return verdict_of(d);
}

static enum verdict
act_on(struct deliver *d, enum drv_result rc, const struct drv_outcome *out)
{
	const struct batch	*b = d->flight.n > 0 ? flight_at(&d->flight, 0) : NULL;

	switch (rc) {
	case DRV_STORED:
		resolved(d);
		while (d->flight.handed > 0)
			commit_oldest(d);
		return verdict_of(d);
	case DRV_UNSURE:
		if (b != NULL && b->n_live > 0 && (d->life.driver->caps & DRV_CAP_IDEMPOTENT) == 0)
			log_warn(&d->life.log, "events %" PRIu64 " to %" PRIu64 " are offered again and may be stored twice: %s",
			    b->live[0].seq, b->live[b->n_live - 1].seq, out->err.text);
		/* fall through */
	case DRV_RETRY:
		if (!is_well(d))
			return verdict_of(d);
		return life_wait_to_retry(&d->life, &d->retry, out->err.text, b != NULL ? b->held[0].seq : 0) ? V_GOES_ON :
		    V_ENDS;
	case DRV_REJECT:
		return is_well(d) ? reject(d, out) : verdict_of(d);
	case DRV_CONFIG:
		return life_give_up(&d->life, V_CONFIG, &out->err);
	case DRV_BROKEN:
		return life_give_up(&d->life, V_BROKEN, &out->err);
	}
	return life_bad_result(&d->life, "deliver", (int)rc);
}

/* Offers what is under way until it is stored or set aside. */
static enum verdict
store_all(struct deliver *d)
{
	struct drv_outcome	 out;
	enum verdict		 verdict = V_GOES_ON;

	for (commit_empty(d); verdict == V_GOES_ON && d->flight.n > 0; commit_empty(d)) {
		if (worker_end(d->life.w) == WORKER_STOPS)
			return V_ENDS;
		verdict = act_on(d, call_deliver(d, &out), &out);
	}
	if (verdict == V_GOES_ON && d->attempts > 0)
		resolved(d);		/* the last one was rejected after a pause */
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
	struct batch	*b;

	make_rules(d);
	d->flow = (struct drv_flow){ .ctx = d, .fd = d->life.w->flow_fd, .more = flow_more, .stored = flow_stored };
	do {
		if ((b = next_batch(d)) != NULL)
			add_batch(d, b);
		if ((verdict = verdict_of(d)) == V_GOES_ON)
			verdict = store_all(d);
	} while (verdict == V_GOES_ON && b != NULL);
	report_push(d->life.w->report);
	return verdict;
}

void *
deliver_main(void *arg)
{
	struct deliver	 d = { .halted = false };
	enum verdict	 verdict;

	life_begin(&d.life, arg);
	if ((verdict = life_load(&d.life)) == V_GOES_ON && (verdict = life_gate(&d.life, &d.gate)) == V_GOES_ON &&
	    (verdict = life_open(&d.life)) == V_GOES_ON) {
		d.last_call_us = mono_us();
		send_ready(&d);
		verdict = deliver_all(&d);
	}
	life_close(&d.life);
	flight_free(&d.flight);
	gate_free(&d.gate);
	life_end(&d.life, verdict);
	return NULL;
}
