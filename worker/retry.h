#ifndef EDS_RETRY_H
#define EDS_RETRY_H

#include <stdint.h>

/* How long to wait after the n-th failure in a row.  `{ 0 }` has seen none. */
#define RETRY_FIRST_MS	100
#define RETRY_MOST_MS	30000

struct retry {
	uint64_t	 attempts;	/* failures so far */
	uint64_t	 pause_ms;
};

/*
 * Counts a failure.  The pause before the next attempt, in milliseconds: doubling
 * from RETRY_FIRST_MS to RETRY_MOST_MS, of which a random half is taken off at
 * most, so that many workers do not return in step to a server that just came up.
 */
uint64_t retry_failed(struct retry *);

#endif
