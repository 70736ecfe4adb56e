/*
 * The one gate to the acknowledgement.  An event is acknowledged upstream
 * when every destination of its route has it, or it is in the journal, and when that is in the store.
 * All of it is written by one job of the writer thread at a time; what comes up meanwhile makes the next one.
 */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/supervisor_private.h"

#define STORE_AGAIN_S		1.0
#define HORIZON_EVERY_MS	60000
#define FLOOD_BYTES		(4u << 20)	/* in the window at once */
#define SHRINK_EVERY_MS		5000
#define CROWD			256	/* events in the window */
#define CROWD_EVERY_MS		10

/* What one job writes, and what holds once it is written. */
struct settle_job {
	struct supervisor	*sup;
	struct store		*store;
	struct store_cursor	 cursor[ROUTE_SLOTS];
	char			 name[ROUTE_SLOTS][64];
	size_t			 n_cursors;
	uint64_t		 floor;		/* every destination has everything up to here */
	uint64_t		 horizon;	/* 0: not to be written */
	uint64_t		 trim_to;	/* of the journal, 0: nothing */
	bool			 trim_more;
	struct spill		*spill;		/* NULL: nothing */
	struct err		 spill_err;	/* a journal that is full does not hold the cursors up */
	bool			 spilled;
};

uint64_t
settled_everywhere(const struct supervisor *s)
{
	uint64_t	 floor = UINT64_MAX;

	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL && child_cursor(s->dest[i].child)->seq < floor)
			floor = child_cursor(s->dest[i].child)->seq;
	return floor == UINT64_MAX ? 0 : floor;
}

static void
job_free(struct settle_job *j)
{
	spill_free(&j->spill);
	free(j);
}

/* In the writer's thread: touches the store and the job, nothing else. */
static int
job_run(void *arg, struct err *err)
{
	struct settle_job	*j = arg;
	char			 text[32];

	if (j->n_cursors > 0 && store_cursors_put(j->store, j->cursor, j->n_cursors, err) == -1)
		return -1;
	if (j->horizon > 0) {
		(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)j->horizon);
		if (store_fact_put(j->store, "horizon", slice_of(text), err) == -1)
			return -1;
	}
	if (j->trim_to > 0 && journal_trim(j->sup->journal, j->trim_to, SPILL_EVENTS, &j->trim_more, err) == -1)
		return -1;
	if (j->spill != NULL)
		j->spilled = spill_write(j->spill, j->sup->journal, &j->spill_err) == 0;
	return 0;
}

static void
again_in(struct supervisor *s, double seconds)
{
	if (ev_is_active(&s->settle_timer))
		return;
	ev_timer_set(&s->settle_timer, seconds, 0.);
	ev_timer_start(s->loop, &s->settle_timer);
}

static void
failed(struct supervisor *s, const struct err *err)
{
	if (s->store_trouble[0] == '\0')
		log_error(&s->log, "%s; nothing is acknowledged until the store can be written", err->text);
	(void)snprintf(s->store_trouble, sizeof(s->store_trouble), "%.*s", (int)sizeof(s->store_trouble) - 1, err->text);
	s->settle_wanted = true;
	again_in(s, STORE_AGAIN_S);
}

static void
remember_stored(struct supervisor *s, const struct settle_job *j)
{
	for (size_t i = 0; i < j->n_cursors; i++) {
		struct destination *d = destination_by_name(s, slice_of(j->name[i]));

		if (d != NULL)
			d->stored_seq = j->cursor[i].seq;
	}
	if (j->horizon > 0) {
		s->horizon = j->horizon;
		s->horizon_at = mono_now();
	}
}

/* After a flood the heap is given back, once it is over and not too often. */
static void
shrink(struct supervisor *s)
{
	if (window_bytes(s->window) > FLOOD_BYTES)
		s->flooded = true;
	if (!s->flooded || window_count(s->window) > 0 || mono_now() - s->shrunk_at < SHRINK_EVERY_MS)
		return;
	(void)malloc_trim(0);
	s->flooded = false;
	s->shrunk_at = mono_now();
}

static void
job_done(void *arg, int rc, const struct err *err)
{
	struct settle_job	*j = arg;
	struct supervisor	*s = j->sup;
	uint64_t		 now, floor;

	journal_publish(s->journal);
	if (rc == -1) {
		failed(s, err);
		job_free(j);
		return;
	}
	if (s->store_trouble[0] != '\0')
		log_info(&s->log, "the store can be written again");
	s->store_trouble[0] = '\0';
	remember_stored(s, j);
	/* A destination that came meanwhile may be further back. */
	now = settled_everywhere(s);
	floor = window_after(s->window, j->floor < now ? j->floor : now);
	if (s->upstream != NULL && floor > window_head(s->window))
		upstream_settle(s->upstream, floor);
	if (j->spill != NULL)
		spill_done(s, j->spill, j->spilled, &j->spill_err);
	if (j->trim_to > 0 && !j->trim_more)
		s->trimmed_at = mono_now();
	if (j->trim_more)
		s->settle_wanted = true;
	job_free(j);
	departed_go_back(s);
	shrink(s);
	spill_plan(s);
}

static void
take_cursors(struct supervisor *s, struct settle_job *j)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct destination *d = &s->dest[i];
		size_t n = j->n_cursors;

		if (d->child == NULL || child_cursor(d->child)->seq == d->stored_seq)
			continue;
		(void)snprintf(j->name[n], sizeof(j->name[n]), "%s", child_name(d->child));
		j->cursor[n] = (struct store_cursor){ j->name[n], child_cursor(d->child)->seq };
		j->n_cursors++;
	}
}

/* How far the stream was empty for us: now and then is enough, it only narrows what a gap may hold. */
static void
take_horizon(struct supervisor *s, struct settle_job *j)
{
	if (s->upstream != NULL && upstream_stats(s->upstream)->horizon != s->horizon &&
	    (s->phase != PHASE_RUNNING || mono_now() - s->horizon_at >= HORIZON_EVERY_MS))
		j->horizon = upstream_stats(s->upstream)->horizon;
}

static void
settle_start(struct supervisor *s)
{
	struct settle_job	*j;
	struct err		 err = { 0 };

	if (writer_busy(s->writer)) {
		s->settle_wanted = true;	/* job_done() leads back here */
		return;
	}
	if ((j = calloc(1, sizeof(*j))) == NULL) {
		again_in(s, STORE_AGAIN_S);
		return;
	}
	s->settle_wanted = false;
	s->settled_at = mono_now();
	if (mend(s, &err) == -1) {
		failed(s, &err);
		free(j);
		return;
	}
	j->sup = s;
	j->store = s->store;
	j->floor = settled_everywhere(s);
	take_cursors(s, j);
	take_horizon(s, j);
	j->trim_to = spill_trim_to(s);
	if (s->store_trouble[0] == '\0')
		j->spill = spill_take(s);
	writer_start(s->writer, &(struct writer_job){ .arg = j, .run = job_run, .done = job_done });
}

void
settle_now(struct supervisor *s)
{
	writer_wait(s->writer);
	settle_start(s);
	writer_wait(s->writer);
}

/*
 * A job waits for the disk, so a lone event gets one at once.  In a crowd one for every few events would
 * keep disk and processor busier than all destinations, and nobody waits for the
 * acknowledgement of a few as long as the server may send more.
 */
static mono_t
crowd_pause(const struct supervisor *s)
{
	size_t	 held = window_count(s->window);
	mono_t	 age = mono_now() - s->settled_at;

	if (s->phase != PHASE_RUNNING || held < CROWD || age >= CROWD_EVERY_MS ||
	    window_bytes(s->window) > s->config->window_bytes / 2 || held > s->config->window_events / 2 ||
	    held > destinations_ack_pending(s) / 2)
		return 0;
	return CROWD_EVERY_MS - age;
}

static void
on_prepare(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct supervisor	*s = w->data;
	mono_t			 pause;

	(void)loop;
	(void)events;
	if (store_damaged(s->store))
		s->settle_wanted = true;	/* leads to mend() */
	if (!s->settle_wanted || s->store_trouble[0] != '\0' || writer_busy(s->writer) || ev_is_active(&s->settle_timer))
		return;
	if ((pause = crowd_pause(s)) > 0)
		again_in(s, (double)pause / 1000.0);
	else
		settle_start(s);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct supervisor	*s = w->data;

	(void)loop;
	(void)events;
	if (s->settle_wanted)
		settle_start(s);
}

void
settle_soon(struct supervisor *s)
{
	s->settle_wanted = true;
}

int
settle_init(struct supervisor *s, struct err *err)
{
	ev_prepare_init(&s->settle_prepare, on_prepare);
	s->settle_prepare.data = s;
	ev_prepare_start(s->loop, &s->settle_prepare);
	ev_init(&s->settle_timer, on_timer);
	s->settle_timer.data = s;
	return writer_new(&s->writer, s->loop, err);
}

void
settle_stop(struct supervisor *s)
{
	if (s->writer != NULL)
		writer_wait(s->writer);
	writer_free(&s->writer);
	ev_prepare_stop(s->loop, &s->settle_prepare);
	ev_timer_stop(s->loop, &s->settle_timer);
}
