/* How many requests are under way at a time: between too few to be busy and too many to be borne. */

#include <stdbool.h>

#include "drivers/s3/s3_window.h"

#define BEARABLE_LEAST	4u
#define USEFUL_LEAST	8u
#define USEFUL_FIRST	32u

static size_t
bound(const struct s3_window *w, size_t n, size_t least)
{
	if (n < least)
		n = least;
	return n < w->most ? n : w->most;
}

void
s3_window_init(struct s3_window *w, size_t most)
{
	*w = (struct s3_window){ .most = most, .bearable = most };
	w->useful = bound(w, USEFUL_FIRST, 1);
}

size_t
s3_window_size(const struct s3_window *w)
{
	return w->bearable < w->useful ? w->bearable : w->useful;
}

/* Grows by an eighth with each round of successes. */
void
s3_window_stored(struct s3_window *w)
{
	if (w->bearable == w->most || ++w->since_slower < w->bearable)
		return;
	w->since_slower = 0;
	w->bearable = bound(w, w->bearable + 1 + w->bearable / 8, 1);
}

/* Halved, but once only for the answers to what was sent at the same time. */
void
s3_window_slower(struct s3_window *w, mono_t now)
{
	w->since_slower = 0;
	if (w->slower_at != 0 && now < w->slower_at + 1000)
		return;
	w->slower_at = now;
	w->bearable = bound(w, s3_window_size(w) / 2, BEARABLE_LEAST);
}

void
s3_window_waited(struct s3_window *w, int64_t us, bool starved)
{
	w->idle_us += us;
	if (starved)
		w->starved_us += us;
}

/* Little work for the time: twice as many; a little idle: some more; never idle: perhaps fewer do as well. */
static size_t
now_useful(const struct s3_window *w, int64_t took_us)
{
	if (w->starved_us > took_us / 2)
		return w->useful * 2;
	if (w->starved_us > took_us / 8)
		return w->useful + 1 + w->useful / 4;
	if (w->idle_us < took_us / 32)
		return w->useful - w->useful / 8;
	return w->useful;
}

void
s3_window_answered(struct s3_window *w, int64_t now_us)
{
	if (w->answers == 0)
		w->begun_us = now_us;
	if (w->answers++ < w->useful)
		return;
	w->useful = bound(w, now_useful(w, now_us - w->begun_us), USEFUL_LEAST);
	w->answers = 0;
	w->idle_us = w->starved_us = 0;
}
