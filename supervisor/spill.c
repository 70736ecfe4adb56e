/*
 * From the window to the journal.  What some destination has not taken for a few
 * seconds, or what makes the window too full, is written down, acknowledged upstream and freed;
 * that destination reads it from the journal later.  Nobody else waits.
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/supervisor_private.h"

#define AGE_MS		2000	/* an event waits that long in memory */
#define EVERY_MS	250	/* small spills are put together */
#define PASS_EVENTS	2000	/* of one transaction, so that the loop keeps turning */
#define PASS_BYTES	(4u << 20)
#define TRIM_EVERY_MS	200

struct spill_pass {
	struct journal_entry	 v[PASS_EVENTS];
	size_t			 n;
	uint64_t		 upto;		/* window index behind the last entry looked at */
};

static bool
still_needed(const struct supervisor *s, const struct window_entry *e)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL && cursor_wants(child_cursor(s->dest[i].child), e->routes, e->seq))
			return true;
	return false;
}

/* How far the window has to be emptied: by age, or by the room it takes. */
static uint64_t
spill_to(const struct supervisor *s)
{
	uint64_t	 head = window_head(s->window), i = head;
	mono_t		 old = mono_now() - AGE_MS;

	uint64_t	 room = destinations_ack_pending(s);	/* the server hands out no more unacknowledged */

	if (room > s->config->window_events)
		room = s->config->window_events;
	if (window_count(s->window) > room / 2 || window_bytes(s->window) > s->config->window_bytes / 2)
		return head + window_count(s->window) / 2;
	while (i < window_tail(s->window) && i < head + PASS_EVENTS && window_at(s->window, i)->at <= old)
		i++;
	return i;
}

/* As many as one pass takes and the journal has room for; a first one in any case, so that a full journal says so. */
static void
collect(const struct supervisor *s, uint64_t upto, struct spill_pass *p)
{
	uint64_t	 bytes = 0, room = journal_room(s->journal), most = room < PASS_BYTES ? room : PASS_BYTES;

	p->n = 0;
	for (p->upto = window_head(s->window); p->upto < upto && p->n < PASS_EVENTS; p->upto++) {
		const struct window_entry *e = window_at(s->window, p->upto);
		struct journal_entry entry = { e->seq, e->subject, e->payload };

		if (!still_needed(s, e))
			continue;
		bytes += journal_cost(&entry);
		if (bytes > most && p->n > 0)
			break;
		p->v[p->n++] = entry;
	}
}

static void
spill_pass(struct supervisor *s, uint64_t upto)
{
	struct spill_pass	*p = malloc(sizeof(*p));
	struct err		 err = { 0 };

	if (p == NULL)
		return;		/* the window bounds itself; later */
	collect(s, upto, p);
	if (p->upto == window_head(s->window) || s->upstream == NULL)
		;
	else if (journal_append(s->journal, p->v, p->n, &err) == -1) {
		if (strcmp(s->journal_trouble, err.text) != 0)
			log_error(&s->log, "%s; nothing more is taken from the stream until destinations catch up", err.text);
		(void)snprintf(s->journal_trouble, sizeof(s->journal_trouble), "%.*s", (int)sizeof(s->journal_trouble) - 1, err.text);
	} else {
		s->journal_trouble[0] = '\0';
		s->source.spilled = window_at(s->window, p->upto - 1)->seq;
		upstream_settle(s->upstream, p->upto);
	}
	s->spilled_at = mono_now();
	free(p);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	settle_now(w->data);
}

static void
check_again(struct supervisor *s, double seconds)
{
	ev_timer_stop(s->loop, &s->spill_timer);
	ev_timer_set(&s->spill_timer, seconds, 0.);
	ev_timer_start(s->loop, &s->spill_timer);
}

void
spill_check(struct supervisor *s)
{
	uint64_t	 upto;
	bool		 pressed;

	if (!journal_enabled(s->journal) || window_count(s->window) == 0 || s->store_trouble[0] != '\0')
		return;
	upto = spill_to(s);
	pressed = upto >= window_head(s->window) + PASS_EVENTS;
	if (upto > window_head(s->window) && (pressed || mono_now() - s->spilled_at >= EVERY_MS))
		spill_pass(s, upto);
	/* With trouble the next try is no hurry; under pressure it is. */
	check_again(s, s->journal_trouble[0] != '\0' ? 1.0 : pressed ? 0.0 : EVERY_MS / 1000.0);
}

int
spill_trim(struct supervisor *s, struct err *err)
{
	uint64_t	 floor = settled_everywhere(s);
	bool		 more;

	if (journal_stats(s->journal)->events == 0 || journal_stats(s->journal)->first_seq > floor ||
	    destinations_count(s) == 0)
		return 0;
	if (mono_now() - s->trimmed_at < TRIM_EVERY_MS) {
		check_again(s, TRIM_EVERY_MS / 1000.0);	/* nothing else may happen that would lead here */
		return 0;
	}
	if (journal_trim(s->journal, floor, PASS_EVENTS, &more, err) == -1)
		return -1;
	if (more)
		settle_soon(s);
	else
		s->trimmed_at = mono_now();
	return 0;
}

static void
damaged(void *arg, uint64_t seq)
{
	struct supervisor	*s = arg;

	log_write(&s->log, LOG_ERROR, KVS(KV_U64("sid", seq)), "event %llu in the journal cannot be read any more and is lost for "
	    "the destinations that still need it", (unsigned long long)seq);
}

int
spill_init(struct supervisor *s, struct err *err)
{
	if (journal_open(&s->journal, s->store, s->config->journal_size, err) == -1)
		return -1;
	s->source = (struct fanout_source){
		.window = s->window, .journal = s->journal, .routes = &s->routes,
		.spilled = journal_stats(s->journal)->last_seq, .damaged = damaged, .arg = s,
	};
	ev_init(&s->spill_timer, on_timer);
	s->spill_timer.data = s;
	return 0;
}

void
spill_stop(struct supervisor *s)
{
	ev_timer_stop(s->loop, &s->spill_timer);
	journal_close(&s->journal);
}
