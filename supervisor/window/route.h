#ifndef EDS_ROUTE_H
#define EDS_ROUTE_H

#include "supervisor/config/config.h"

/*
 * Who gets what, by the subject alone.  A route is one bit per destination: its
 * slot, 0 to 63, which it keeps as long as it is configured.
 */
#define ROUTE_SLOTS	64

struct routes {
	const struct destination_config	*slot[ROUTE_SLOTS];	/* NULL: free */
};

/* An event whose subject has another shape than the contract's goes to everybody, who will judge it. */
uint64_t routes_of(const struct routes *, struct slice subject);

#endif
