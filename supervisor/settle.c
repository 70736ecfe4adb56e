/*
 * The one gate to the acknowledgement.  An event is acknowledged upstream
 * when every destination of its route has it, or it is in the journal, and when that is in the store.
 * Cursors are written together: at once when it is quiet; under load so seldom that writing
 * takes up a small part of the time, as nothing else happens meanwhile.
 */

#include <stdio.h>

#include "supervisor/supervisor_private.h"

#define SETTLE_REST	3u	/* times as long as a write took, until the next one */
#define SETTLE_MIN_US	1000u
#define SETTLE_MAX_US	20000u
#define STORE_AGAIN_S	1.0
#define HORIZON_EVERY_MS	60000

static void
again_in(struct supervisor *s, double seconds)
{
	if (ev_is_active(&s->settle_timer))
		return;
	ev_timer_set(&s->settle_timer, seconds, 0.);
	ev_timer_start(s->loop, &s->settle_timer);
}

static int
store_cursors(struct supervisor *s, struct err *err)
{
	struct store_cursor	 v[ROUTE_SLOTS];
	unsigned		 slots[ROUTE_SLOTS];
	size_t			 n = 0;

	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct destination *d = &s->dest[i];

		if (d->child == NULL || child_cursor(d->child)->seq == d->stored_seq)
			continue;
		v[n] = (struct store_cursor){ child_name(d->child), child_cursor(d->child)->seq };
		slots[n++] = i;
	}
	if (n == 0)
		return 0;
	if (store_cursors_put(s->store, v, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		s->dest[slots[i]].stored_seq = v[i].seq;
	return 0;
}

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
store_in_trouble(struct supervisor *s, const struct err *err)
{
	if (s->store_trouble[0] == '\0')
		log_error(&s->log, "%s; nothing is acknowledged until the store can be written", err->text);
	(void)snprintf(s->store_trouble, sizeof(s->store_trouble), "%.*s", (int)sizeof(s->store_trouble) - 1, err->text);
	s->settle_wanted = true;
	again_in(s, STORE_AGAIN_S);
}

/* How far the stream was empty for us: now and then is enough, it only narrows what a gap may hold. */
static int
store_horizon(struct supervisor *s, struct err *err)
{
	char	 text[32];

	if (s->upstream == NULL || upstream_stats(s->upstream)->horizon == s->horizon ||
	    (s->phase == PHASE_RUNNING && mono_now() - s->horizon_at < HORIZON_EVERY_MS))
		return 0;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)upstream_stats(s->upstream)->horizon);
	if (store_fact_put(s->store, "horizon", slice_of(text), err) == -1)
		return -1;
	s->horizon = upstream_stats(s->upstream)->horizon;
	s->horizon_at = mono_now();
	return 0;
}

static int
write_down(struct supervisor *s, struct err *err)
{
	uint64_t	 begun = mono_us(), end, rest;
	int		 rc = store_cursors(s, err) == -1 || spill_trim(s, err) == -1 || store_horizon(s, err) == -1 ? -1 : 0;

	end = mono_us();
	rest = (end - begun) * SETTLE_REST;
	s->settle_next_us = end + (rest < SETTLE_MIN_US ? SETTLE_MIN_US : rest > SETTLE_MAX_US ? SETTLE_MAX_US : rest);
	return rc;
}

void
settle_now(struct supervisor *s)
{
	struct err	 err = { 0 };
	uint64_t	 floor;

	s->settle_wanted = false;
	if (write_down(s, &err) == -1) {
		store_in_trouble(s, &err);
		return;
	}
	if (s->store_trouble[0] != '\0')
		log_info(&s->log, "the store can be written again");
	s->store_trouble[0] = '\0';
	floor = window_after(s->window, settled_everywhere(s));
	if (s->upstream != NULL && floor > window_head(s->window))
		upstream_settle(s->upstream, floor);
	departed_go_back(s);
	spill_check(s);
}

static void
on_prepare(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct supervisor	*s = w->data;
	uint64_t		 now;

	(void)loop;
	(void)events;
	if (!s->settle_wanted || s->store_trouble[0] != '\0')
		return;
	now = mono_us();
	if (now >= s->settle_next_us)
		settle_now(s);
	else
		again_in(s, (double)(s->settle_next_us - now) / 1e6);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct supervisor	*s = w->data;

	(void)loop;
	(void)events;
	if (s->settle_wanted)
		settle_now(s);
}

void
settle_soon(struct supervisor *s)
{
	s->settle_wanted = true;
}

void
settle_init(struct supervisor *s)
{
	ev_prepare_init(&s->settle_prepare, on_prepare);
	s->settle_prepare.data = s;
	ev_prepare_start(s->loop, &s->settle_prepare);
	ev_init(&s->settle_timer, on_timer);
	s->settle_timer.data = s;
}

void
settle_stop(struct supervisor *s)
{
	ev_prepare_stop(s->loop, &s->settle_prepare);
	ev_timer_stop(s->loop, &s->settle_timer);
}
