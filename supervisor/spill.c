/*
 * From the window to the journal.  What some destination has not taken for a few
 * seconds while another one keeps up, or what makes the window too full for that one, is written down,
 * acknowledged upstream and freed; the one that is behind reads it from the journal later.  Nobody else waits.
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/supervisor_private.h"

#define AGE_MS		2000	/* an event waits that long in memory while another destination keeps up */
#define AGE_ALONE_MS	60000	/* ... while nobody would get on faster for it */
#define EVERY_MS	250	/* small spills are put together */
#define PASS_BYTES	(8u << 20)
#define TRIM_EVERY_MS	200

/* Part of the window on its way to the disk: copies, because the window lives on meanwhile. */
struct spill {
	struct journal_entry	 v[SPILL_EVENTS];
	size_t			 n;
	uint64_t		 last_seq;	/* of the last entry looked at */
	struct buf		 bytes;
};

void
spill_free(struct spill **pp)
{
	if (*pp != NULL)
		buf_free(&(*pp)->bytes);
	free(*pp);
	*pp = NULL;
}

static bool
still_needed(const struct supervisor *s, const struct window_entry *e)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL && cursor_wants(child_cursor(s->dest[i].child), e->routes, e->seq))
			return true;
	return false;
}

/*
 * Does anybody keep up whom the others hold back?  When all are slow, or there is one
 * destination only, writing everything down first would make it slower still: the stream keeps the rest.
 */
static bool
somebody_keeps_up(const struct supervisor *s)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct child *c = s->dest[i].child;

		if (c != NULL && child_state(c) == CHILD_RUNNING && child_cursor(c)->behind < window_count(s->window) / 2)
			return true;
	}
	return false;
}

/* How far the window has to be emptied: by age, or by the room it takes. */
static uint64_t
spill_to(const struct supervisor *s)
{
	uint64_t	 head = window_head(s->window), i = head;
	uint64_t	 room = destinations_ack_pending(s);	/* the server hands out no more unacknowledged */
	bool		 held_back = somebody_keeps_up(s);
	mono_t		 old = mono_now() - (held_back ? AGE_MS : AGE_ALONE_MS);

	if (room > s->config->window_events)
		room = s->config->window_events;
	if (held_back && (window_count(s->window) > room / 2 || window_bytes(s->window) > s->config->window_bytes / 2))
		return head + window_count(s->window) / 2;
	while (i < window_tail(s->window) && i < head + SPILL_EVENTS && window_at(s->window, i)->at <= old)
		i++;
	return i;
}

/* As many as one pass takes and the journal has room for; a first one in any case, so that a full journal says so. */
static void
collect(const struct supervisor *s, uint64_t upto, struct spill *p)
{
	uint64_t	 bytes = 0, room = journal_room(s->journal), most = room < PASS_BYTES ? room : PASS_BYTES;

	for (uint64_t i = window_head(s->window); i < upto && p->n < SPILL_EVENTS; i++) {
		const struct window_entry *e = window_at(s->window, i);
		struct journal_entry entry = { e->seq, e->subject, e->payload };

		if (still_needed(s, e)) {
			bytes += journal_cost(&entry);
			if (bytes > most && p->n > 0)
				break;
			p->v[p->n++] = entry;
		}
		p->last_seq = e->seq;
	}
}

/* The window's slices become slices of one buffer of ours. */
static bool
own(struct spill *p)
{
	size_t	 total = 0, at = 0;

	for (size_t i = 0; i < p->n; i++)
		total += p->v[i].subject.n + p->v[i].payload.n;
	if (!buf_reserve(&p->bytes, total))
		return false;
	for (size_t i = 0; i < p->n; i++) {
		buf_adds_slice(&p->bytes, p->v[i].subject);
		buf_adds_slice(&p->bytes, p->v[i].payload);
	}
	for (size_t i = 0; i < p->n; i++) {
		p->v[i].subject.p = (const char *)p->bytes.data + at;
		at += p->v[i].subject.n;
		p->v[i].payload.p = (const char *)p->bytes.data + at;
		at += p->v[i].payload.n;
	}
	return true;
}

struct spill *
spill_take(struct supervisor *s)
{
	struct spill	*p;
	uint64_t	 upto;

	if (!journal_enabled(s->journal) || window_count(s->window) == 0 || s->upstream == NULL)
		return NULL;
	upto = spill_to(s);
	if (upto == window_head(s->window) ||
	    (upto < window_head(s->window) + SPILL_EVENTS && mono_now() - s->spilled_at < EVERY_MS))
		return NULL;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;		/* the window bounds itself; later */
	collect(s, upto, p);
	if (p->last_seq == 0 || !own(p))
		spill_free(&p);
	else
		s->spill_generation = s->generation;
	return p;
}

int
spill_write(struct spill *p, struct journal *j, struct err *err)
{
	return journal_append(j, p->v, p->n, err);
}

void
spill_done(struct supervisor *s, const struct spill *p, bool written, const struct err *err)
{
	s->spilled_at = mono_now();
	if (!written) {
		if (strcmp(s->journal_trouble, err->text) != 0)
			log_error(&s->log, "%s; nothing more is taken from the stream until destinations catch up", err->text);
		(void)snprintf(s->journal_trouble, sizeof(s->journal_trouble), "%.*s", (int)sizeof(s->journal_trouble) - 1, err->text);
		return;
	}
	s->journal_trouble[0] = '\0';
	/* A destination that came meanwhile may need what was not written down: it stays in the window for now. */
	if (s->spill_generation != s->generation)
		return;
	if (p->last_seq > s->source.spilled)
		s->source.spilled = p->last_seq;
	if (window_after(s->window, p->last_seq) > window_head(s->window))
		upstream_settle(s->upstream, window_after(s->window, p->last_seq));
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	settle_soon(w->data);
}

static void
check_in(struct supervisor *s, double seconds)
{
	ev_timer_stop(s->loop, &s->spill_timer);
	ev_timer_set(&s->spill_timer, seconds, 0.);
	ev_timer_start(s->loop, &s->spill_timer);
}

/* When to look again, if nothing else leads there. */
void
spill_plan(struct supervisor *s)
{
	if (!journal_enabled(s->journal) || s->store_trouble[0] != '\0')
		return;
	if (window_count(s->window) == 0)
		s->journal_trouble[0] = '\0';	/* what could not be written down has been delivered instead */
	if (journal_stats(s->journal)->events > 0 && journal_stats(s->journal)->first_seq <= settled_everywhere(s))
		check_in(s, TRIM_EVERY_MS / 1000.0);
	else if (window_count(s->window) == 0)
		;
	else if (s->journal_trouble[0] != '\0')
		check_in(s, 1.0);
	else if (spill_to(s) >= window_head(s->window) + SPILL_EVENTS)
		settle_soon(s);
	else
		check_in(s, EVERY_MS / 1000.0);
}

uint64_t
spill_trim_to(struct supervisor *s)
{
	uint64_t	 floor = settled_everywhere(s);

	if (journal_stats(s->journal)->events == 0 || journal_stats(s->journal)->first_seq > floor ||
	    destinations_count(s) == 0 || mono_now() - s->trimmed_at < TRIM_EVERY_MS)
		return 0;
	return floor;
}

static int
damaged(void *arg, uint64_t seq)
{
	return gaps_record(arg, seq, seq, "its bytes in the journal were changed on the disk");
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
