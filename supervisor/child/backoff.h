#ifndef EDS_BACKOFF_H
#define EDS_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>

#include "ipc/base/clock.h"

/*
 * When a worker may be started again: doubling delays with jitter, and a limit of
 * crashes within a window, as OTP's supervisors have.  Healthy time forgives.  Pure but for the jitter.
 */
#define BACKOFF_CRASHES_MAX	64

struct backoff {
	int64_t		 min_ms, max_ms;
	uint64_t	 limit;			/* crashes ... (at most BACKOFF_CRASHES_MAX) */
	int64_t		 window_ms;		/* ... within that time                       */
	int64_t		 delay_ms;		/* the last one                               */
	mono_t		 crashes[BACKOFF_CRASHES_MAX];
	size_t		 n_crashes;		/* remembered, oldest first                   */
};

/* Notes a crash; false when there were too many.  Otherwise *delay_r says how long to wait. */
bool	 backoff_crashed(struct backoff *, mono_t now, int64_t *delay_r);
void	 backoff_forgive(struct backoff *);

#endif
