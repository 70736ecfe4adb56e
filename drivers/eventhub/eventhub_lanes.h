#ifndef EDS_DRIVERS_EVENTHUB_LANES_H
#define EDS_DRIVERS_EVENTHUB_LANES_H

#include "drivers/common/offer.h"

/*
 * The events of a batch by partition key: a lane holds those of one key in stream order, and at most one request
 * of a lane is under way, which is what keeps the order.
 */
struct lane {
	struct slice	 key;		/* lives as long as the lanes do                */
	size_t		 first;		/* entry in the offer of the next event to send */
	size_t		 last;
	size_t		 most;		/* events of one request                        */
	bool		 busy;
};

#define LANE_END	SIZE_MAX

struct lane_entry {
	size_t		 next;		/* the one behind it in its lane              */
	size_t		 index;		/* its event in the batch                     */
	size_t		 key_end;	/* of its key, while the keys are being written */
};

struct lanes {
	struct lane		*v;
	size_t			 n, cap;
	struct lane_entry	*entries;	/* as in the offer */
	size_t			*table;		/* lane by hash of its key; LANE_END: free */
	size_t			 table_size;
	struct buf		 keys;
};

/* Of everything that is OFFER_NEW. */
int	 lanes_make(struct lanes *, const struct offer *, const struct drv_batch *, struct err *) MUST_CHECK;
void	 lanes_free(struct lanes *);

#endif
