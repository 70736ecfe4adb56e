#ifndef EDS_FLIGHT_H
#define EDS_FLIGHT_H

#include "worker/batch.h"

/*
 * The batches that are under way, oldest first.  Most drivers have one at a time; one that
 * asks for more while it works (struct drv_flow) has several, which are committed in order.
 */
#define FLIGHT_MOST	256u

struct flight {
	struct batch	*order[FLIGHT_MOST];	/* a ring */
	size_t		 first, n;
	size_t		 handed;		/* of them, that the present call of the driver was given */
	size_t		 base;			/* events of that call that are committed */
	size_t		 events, bytes;		/* of all, as held */
	struct batch	*idle[FLIGHT_MOST];	/* last in, first out: few of them ever grow large */
	size_t		 n_idle;
};

/* An empty batch for flight_add(); NULL when there are too many, or memory is short. */
struct batch *flight_new(struct flight *) MUST_CHECK;
void	 flight_give_back(struct flight *, struct batch *);
void	 flight_add(struct flight *, struct batch *);

struct batch *flight_at(const struct flight *, size_t i);	/* 0 is the oldest */

/* The oldest batch is done with; it is idle after. */
void	 flight_pop(struct flight *);

/* The batch that holds event `index` of the present call, and its place there; NULL when there is none. */
struct batch *flight_find(const struct flight *, size_t index, size_t *place_r);

void	 flight_free(struct flight *);

#endif
