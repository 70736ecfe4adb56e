/* The ring of events in flight. */

#include <stdlib.h>

#include "supervisor/window/window.h"

struct window {
	struct window_entry	*ring;		/* capacity is a power of two */
	size_t			 cap;
	uint64_t		 head, tail;	/* indices */
	uint64_t		 bytes;
	uint64_t		 last_seq;
	void			(*free_owner)(void *);
};

static struct window_entry *
entry(const struct window *w, uint64_t index)
{
	return &w->ring[index & (w->cap - 1)];
}

static uint64_t
entry_bytes(const struct window_entry *e)
{
	return e->payload.n + e->subject.n;
}

int
window_new(struct window **w_r, void (*free_owner)(void *), struct err *err)
{
	struct window	*w = calloc(1, sizeof(*w));

	if (w == NULL || (w->ring = calloc(256, sizeof(*w->ring))) == NULL) {
		free(w);
		return err_set(err, ERR_NOMEM, "window");
	}
	w->cap = 256;
	w->free_owner = free_owner;
	*w_r = w;
	return 0;
}

void
window_free(struct window **wp)
{
	struct window	*w = *wp;

	if (w == NULL)
		return;
	window_release(w, w->tail);
	free(w->ring);
	free(w);
	*wp = NULL;
}

static int
grow(struct window *w)
{
	struct window_entry	*ring = calloc(w->cap * 2, sizeof(*ring));

	if (ring == NULL)
		return -1;
	for (uint64_t i = w->head; i < w->tail; i++)
		ring[i & (w->cap * 2 - 1)] = *entry(w, i);
	free(w->ring);
	w->ring = ring;
	w->cap *= 2;
	return 0;
}

int
window_append(struct window *w, const struct window_entry *e, struct err *err)
{
	if (e->seq <= w->last_seq) {
		w->free_owner(e->owner);
		return err_set(err, ERR_INVALID, "event %llu does not follow %llu", (unsigned long long)e->seq,
		    (unsigned long long)w->last_seq);
	}
	if (w->tail - w->head == w->cap && grow(w) == -1) {
		w->free_owner(e->owner);
		return err_set(err, ERR_NOMEM, "window of %zu events", w->cap);
	}
	*entry(w, w->tail) = *e;
	w->tail++;
	w->bytes += entry_bytes(e);
	w->last_seq = e->seq;
	return 0;
}

uint64_t
window_head(const struct window *w)
{
	return w->head;
}

uint64_t
window_tail(const struct window *w)
{
	return w->tail;
}

const struct window_entry *
window_at(const struct window *w, uint64_t index)
{
	if (index < w->head || index >= w->tail)
		bug("window index %llu outside %llu..%llu", (unsigned long long)index, (unsigned long long)w->head,
		    (unsigned long long)w->tail);
	return entry(w, index);
}

uint64_t
window_after(const struct window *w, uint64_t seq)
{
	uint64_t	 lo = w->head, hi = w->tail;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (entry(w, mid)->seq <= seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint64_t
window_after_near(const struct window *w, uint64_t seq, uint64_t guess)
{
	if (guess >= w->head && guess <= w->tail && (guess == w->head || entry(w, guess - 1)->seq <= seq) &&
	    (guess == w->tail || entry(w, guess)->seq > seq))
		return guess;
	return window_after(w, seq);
}

bool
window_redelivered(struct window *w, const struct window_entry *again)
{
	uint64_t		 i = again->seq == 0 ? w->tail : window_after(w, again->seq - 1);
	struct window_entry	*e;

	if (i == w->tail || entry(w, i)->seq != again->seq)
		return false;
	e = entry(w, i);
	w->bytes -= entry_bytes(e);
	w->bytes += entry_bytes(again);
	w->free_owner(e->owner);
	e->subject = again->subject;
	e->payload = again->payload;
	e->reply = again->reply;
	e->owner = again->owner;
	return true;
}

void
window_release(struct window *w, uint64_t index)
{
	if (index > w->tail)
		bug("window released beyond its tail");
	for (; w->head < index; w->head++) {
		struct window_entry *e = entry(w, w->head);

		w->bytes -= entry_bytes(e);
		w->free_owner(e->owner);
	}
	/* Memory follows what is in flight, also back down. */
	if (w->head == w->tail && w->cap > 16384) {
		struct window_entry *ring = calloc(256, sizeof(*ring));

		if (ring != NULL) {
			free(w->ring);
			w->ring = ring;
			w->cap = 256;
		}
	}
}

void
window_reroute(struct window *w, const struct routes *routes)
{
	for (uint64_t i = w->head; i < w->tail; i++)
		entry(w, i)->routes = routes_of(routes, entry(w, i)->subject);
}

size_t
window_count(const struct window *w)
{
	return (size_t)(w->tail - w->head);
}

uint64_t
window_bytes(const struct window *w)
{
	return w->bytes;
}

uint64_t
window_last_seq(const struct window *w)
{
	return w->last_seq;
}

void
window_begin_anew(struct window *w, uint64_t seq)
{
	if (w->head != w->tail)
		bug("the window begins anew while it holds events");
	w->last_seq = seq;
}
