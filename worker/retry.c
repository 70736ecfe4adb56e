/* Back-off with jitter. */

#include "ipc/base/clock.h"
#include "worker/retry.h"

uint64_t
retry_failed(struct retry *r)
{
	r->attempts++;
	if (r->pause_ms == 0)
		r->pause_ms = RETRY_FIRST_MS;
	else if (r->pause_ms < RETRY_MOST_MS / 2)
		r->pause_ms *= 2;
	else
		r->pause_ms = RETRY_MOST_MS;
	return r->pause_ms - random_below(r->pause_ms / 2 + 1);
}
