/* One destination's progress through the window. */

#include "supervisor/window/cursor.h"

static bool
needs_sending(const struct cursor *c, const struct window_entry *e)
{
	return (e->routes & c->route) != 0 && e->seq > c->seq;
}

/* With nothing in flight, everything stepped over is settled. */
static void
settle_idle(struct cursor *c, const struct window *w)
{
	if (c->in_flight > 0 || c->settled == c->next)
		return;
	c->settled = c->next;
	if (c->settled > window_head(w)) {
		uint64_t seq = window_at(w, c->settled - 1)->seq;

		if (seq > c->seq)
			c->seq = seq;
	}
}

void
cursor_init(struct cursor *c, const struct window *w, uint64_t route, uint64_t seq)
{
	*c = (struct cursor){ .route = route, .seq = seq };
	c->settled = c->next = window_after(w, seq);
}

const struct window_entry *
cursor_peek(struct cursor *c, const struct window *w)
{
	const struct window_entry	*found = NULL;

	while (found == NULL && c->next < window_tail(w)) {
		const struct window_entry *e = window_at(w, c->next);

		if (needs_sending(c, e))
			found = e;
		else
			c->next++;
	}
	settle_idle(c, w);
	return found;
}

void
cursor_sent(struct cursor *c, const struct window *w)
{
	c->last_sent = window_at(w, c->next)->seq;
	c->next++;
	c->in_flight++;
}

bool
cursor_commit(struct cursor *c, const struct window *w, uint64_t seq)
{
	uint64_t	 upto;

	if (seq > c->last_sent || c->in_flight == 0 || seq <= c->seq)
		return false;
	upto = window_after(w, seq);
	for (uint64_t i = c->settled; i < upto; i++)
		if (needs_sending(c, window_at(w, i)))
			c->in_flight--;
	c->settled = upto;
	c->seq = seq;
	settle_idle(c, w);
	return true;
}

void
cursor_rewind(struct cursor *c)
{
	c->next = c->settled;
	c->in_flight = 0;
	c->last_sent = 0;
}

uint64_t
cursor_behind(const struct cursor *c, const struct window *w)
{
	uint64_t	 n = 0;

	for (uint64_t i = c->settled; i < window_tail(w); i++)
		n += needs_sending(c, window_at(w, i));
	return n;
}
