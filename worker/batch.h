#ifndef EDS_BATCH_H
#define EDS_BATCH_H

#include "drivers/driver.h"
#include "worker/gate.h"
#include "worker/intake.h"
#include "worker/skip.h"

/* When a batch is taken, and how large it may be. */
struct batch_rules {
	size_t		 events;	/* at least 1 */
	size_t		 bytes;
	uint64_t	 linger_us;	/* wait that long for the batch to fill; 0: never */
};

/* The stricter of the driver's limits and the configured ones, of which 0 means "none"; the longer of both waits. */
void	 batch_rules_make(struct batch_rules *, const struct drv_batching *, const struct ipc_configure_body *);

/*
 * Microseconds until a batch is due: 0 now, UINT64_MAX when nothing is there.
 * `hurry` ends all lingering.
 */
uint64_t batch_wait_us(const struct batch_rules *, const struct intake *, uint64_t now_us, bool hurry);

/* The events in delivery.  `{ 0 }` is an empty one; its memory is reused. */
struct batch {
	struct held		*held;		/* as taken, in stream order                 */
	size_t			 n;
	size_t			 held_bytes;
	struct event		*events;	/* events[i] is held[i] taken apart           */
	struct drv_event	*live;		/* those still to be delivered, for the driver */
	size_t			*origin;	/* live[i] came from held[origin[i]]          */
	size_t			 n_live;
	size_t			 live_bytes;
	size_t			 cap;
	struct arena		 paths;		/* of the live ones, as rules have made them */
	uint64_t		 held_back[RULES_RESULTS];	/* by the rules, per reason */
	uint64_t		 taken_us;	/* mono_us(), when the driver could have it */
};

/* Takes what is due; -1 when memory is short (the events stay in the intake). */
int	 batch_take(struct batch *, struct intake *, const struct batch_rules *, struct err *) MUST_CHECK;

/*
 * Takes the events apart, which makes the well-formed ones live, but for those that an import brought
 * already and those that the rules hold back, if there are any (`gate` may be NULL).  `refuse` is told each of the others with what is wrong with it.  -1 when memory is short.
 */
typedef void (*batch_refuse_fn)(void *arg, const struct held *, const struct err *);
int	 batch_parse(struct batch *, const struct skip *, struct gate *, batch_refuse_fn refuse, void *arg, struct err *) MUST_CHECK;

const struct held *batch_origin(const struct batch *, size_t live_index);
void	 batch_remove(struct batch *, size_t live_index);	/* the others keep their order */
void	 batch_done(struct batch *, struct intake *);		/* releases the events, keeps the memory */
void	 batch_free(struct batch *);

#endif
