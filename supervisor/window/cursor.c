/* One destination's progress through the stream. */

#include <stdlib.h>

#include "supervisor/window/cursor.h"

static uint64_t
sent_at(const struct cursor *c, size_t i)
{
	return c->sent[(c->sent_head + i) & (c->sent_cap - 1)];
}

static void	forget_aside(struct cursor *);

/* With nothing in flight, everything stepped over is done with. */
static void
settle_idle(struct cursor *c)
{
	if (c->in_flight == 0 && c->after > c->seq)
		c->seq = c->after;
	forget_aside(c);
}

void
cursor_init(struct cursor *c, const struct window *w, uint64_t route, uint64_t seq, uint64_t waiting)
{
	*c = (struct cursor){ .route = route, .seq = seq, .after = seq, .behind = waiting, .noted = window_head(w) };
	cursor_note(c, w);
}

void
cursor_free(struct cursor *c)
{
	free(c->sent);
	free(c->aside);
	c->sent = c->aside = NULL;
	c->sent_cap = c->in_flight = c->n_aside = 0;
}

/* Place of seq among those set aside, or where it would be. */
static size_t
aside_at(const struct cursor *c, uint64_t seq)
{
	size_t	 lo = 0, hi = c->n_aside;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->aside[mid] < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
is_aside(const struct cursor *c, uint64_t seq)
{
	size_t	 i;

	return c->n_aside > 0 && (i = aside_at(c, seq)) < c->n_aside && c->aside[i] == seq;
}

bool
cursor_wants(const struct cursor *c, uint64_t routes, uint64_t seq)
{
	return (routes & c->route) != 0 && seq > c->seq && !is_aside(c, seq);
}

int
cursor_quarantined(struct cursor *c, uint64_t seq)
{
	size_t	 i = aside_at(c, seq);

	if (seq <= c->seq || is_aside(c, seq))
		return 0;
	if (c->n_aside == c->aside_cap) {
		size_t cap = c->aside_cap == 0 ? 16 : c->aside_cap * 2;
		uint64_t *v = realloc(c->aside, cap * sizeof(*v));

		if (v == NULL)
			return -1;
		c->aside = v;
		c->aside_cap = cap;
	}
	(void)memmove(c->aside + i + 1, c->aside + i, (c->n_aside - i) * sizeof(*c->aside));
	c->aside[i] = seq;
	c->n_aside++;
	c->n_uncounted++;
	return 0;
}

/* What the cursor has passed need not be remembered. */
static void
forget_aside(struct cursor *c)
{
	size_t	 n = c->n_aside == 0 ? 0 : aside_at(c, c->seq + 1);

	if (n == 0)
		return;
	c->n_aside -= n;
	(void)memmove(c->aside, c->aside + n, c->n_aside * sizeof(*c->aside));
	if (c->n_uncounted > c->n_aside)
		c->n_uncounted = c->n_aside;
}

void
cursor_note(struct cursor *c, const struct window *w)
{
	if (c->noted < window_head(w))
		c->noted = window_head(w);
	for (; c->noted < window_tail(w); c->noted++) {
		const struct window_entry *e = window_at(w, c->noted);

		c->behind += cursor_wants(c, e->routes, e->seq);
	}
}

const struct window_entry *
cursor_peek(struct cursor *c, const struct window *w)
{
	cursor_note(c, w);
	for (uint64_t i = window_after_near(w, c->after, c->place); i < window_tail(w); i++) {
		const struct window_entry *e = window_at(w, i);

		c->place = i + 1;	/* where to go on if it is sent */
		if (cursor_wants(c, e->routes, e->seq))
			return e;
		cursor_skip_to(c, e->seq);
	}
	return NULL;
}

static int
grow(struct cursor *c)
{
	size_t		 cap = c->sent_cap == 0 ? 256 : c->sent_cap * 2;
	uint64_t	*v = malloc(cap * sizeof(*v));

	if (v == NULL)
		return -1;
	for (size_t i = 0; i < c->in_flight; i++)
		v[i] = sent_at(c, i);
	free(c->sent);
	c->sent = v;
	c->sent_cap = cap;
	c->sent_head = 0;
	return 0;
}

int
cursor_sent(struct cursor *c, uint64_t seq)
{
	if (c->in_flight == c->sent_cap && grow(c) == -1)
		return -1;
	c->sent[(c->sent_head + c->in_flight++) & (c->sent_cap - 1)] = seq;
	c->after = seq;
	return 0;
}

void
cursor_skip_to(struct cursor *c, uint64_t seq)
{
	if (seq > c->after)
		c->after = seq;
	settle_idle(c);
}

bool
cursor_commit(struct cursor *c, uint64_t seq)
{
	size_t	 n = 0;

	if (c->in_flight == 0 || seq > sent_at(c, c->in_flight - 1) || seq < sent_at(c, 0))
		return false;
	while (n < c->in_flight && sent_at(c, n) <= seq)
		n++;
	c->sent_head = (c->sent_head + n) & (c->sent_cap - 1);
	c->in_flight -= n;
	c->behind -= n < c->behind ? n : c->behind;
	c->seq = seq;
	settle_idle(c);
	return true;
}

bool
cursor_holds(const struct cursor *c, uint64_t seq)
{
	size_t	 lo = 0, hi = c->in_flight;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (sent_at(c, mid) < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->in_flight && sent_at(c, lo) == seq;
}

uint64_t
cursor_newest(const struct cursor *c)
{
	return c->in_flight == 0 ? 0 : sent_at(c, c->in_flight - 1);
}

void
cursor_begin_anew(struct cursor *c, uint64_t seq)
{
	cursor_rewind(c);
	c->seq = c->after = seq;
	c->behind = 0;
}

void
cursor_rewind(struct cursor *c)
{
	/* Those set aside will not be sent again, so nothing will count them off later. */
	c->behind -= c->n_uncounted < c->behind ? c->n_uncounted : c->behind;
	c->n_uncounted = 0;
	c->after = c->seq;
	c->in_flight = 0;
	c->sent_head = 0;
}
