/* Batches under way. */

#include <stdlib.h>

#include "worker/flight.h"

struct batch *
flight_new(struct flight *f)
{
	if (f->n == FLIGHT_MOST)
		return NULL;
	return f->n_idle > 0 ? f->idle[--f->n_idle] : calloc(1, sizeof(struct batch));
}

void
flight_give_back(struct flight *f, struct batch *b)
{
	f->idle[f->n_idle++] = b;
}

void
flight_add(struct flight *f, struct batch *b)
{
	f->order[(f->first + f->n++) % FLIGHT_MOST] = b;
	f->events += b->n;
	f->bytes += b->held_bytes;
}

struct batch *
flight_at(const struct flight *f, size_t i)
{
	return f->order[(f->first + i) % FLIGHT_MOST];
}

void
flight_pop(struct flight *f)
{
	struct batch	*b = flight_at(f, 0);

	f->first = (f->first + 1) % FLIGHT_MOST;
	f->n--;
	if (f->handed > 0)
		f->handed--;
	f->events -= b->n;
	f->bytes -= b->held_bytes;
	flight_give_back(f, b);
}

struct batch *
flight_find(const struct flight *f, size_t index, size_t *place_r)
{
	if (index < f->base)
		return NULL;
	index -= f->base;
	for (size_t i = 0; i < f->handed; i++) {
		struct batch	*b = flight_at(f, i);

		if (index < b->n_live) {
			*place_r = index;
			return b;
		}
		index -= b->n_live;
	}
	return NULL;
}

void
flight_free(struct flight *f)
{
	while (f->n > 0)
		flight_pop(f);
	while (f->n_idle > 0) {
		struct batch	*b = f->idle[--f->n_idle];

		batch_free(b);
		free(b);
	}
}
