/* Restart delays and restart intensity. */

#include <string.h>

#include "supervisor/child/backoff.h"

bool
backoff_crashed(struct backoff *b, mono_t now, int64_t *delay_r)
{
	size_t	 limit = b->limit < BACKOFF_CRASHES_MAX ? (size_t)b->limit : BACKOFF_CRASHES_MAX;
	size_t	 old = 0;

	while (old < b->n_crashes && now - b->crashes[old] > b->window_ms)
		old++;
	if (old == 0 && b->n_crashes == BACKOFF_CRASHES_MAX)
		old = 1;
	b->n_crashes -= old;
	(void)memmove(b->crashes, b->crashes + old, b->n_crashes * sizeof(b->crashes[0]));
	b->crashes[b->n_crashes++] = now;
	if (limit > 0 && b->n_crashes >= limit)
		return false;
	b->delay_ms = b->delay_ms == 0 ? b->min_ms : b->delay_ms * 2;
	if (b->delay_ms > b->max_ms)
		b->delay_ms = b->max_ms;
	*delay_r = b->delay_ms / 2 + (int64_t)random_below((uint64_t)(b->delay_ms - b->delay_ms / 2) + 1);
	return true;
}

void
backoff_forgive(struct backoff *b)
{
	b->n_crashes = 0;
	b->delay_ms = 0;
}
