#ifndef EDS_INTAKE_H
#define EDS_INTAKE_H

#include "ipc/codec.h"

/*
 * Events that have arrived and wait to be delivered, oldest first, bounded by
 * the credit that the supervisor was given.  Bytes always means payload bytes;
 * CREDIT and COMMITTED count the same way.
 *
 * Not locked: the main thread adds, the driver thread takes and releases, both
 * under worker->lock.
 */
struct intake;
struct intake_chunk;

/* One event; its bytes lie in the intake's memory until it is released. */
struct held {
	uint64_t		 seq;
	uint64_t		 arrived_us;	/* mono_us() */
	struct slice		 subject;
	struct slice		 payload;
	struct intake_chunk	*home;
};

struct intake *intake_new(size_t max_events, size_t max_bytes) MUST_CHECK;
void	 intake_free(struct intake **);		/* frees the bytes of taken events as well */

/*
 * Copies the event behind the others.  ERR_INVALID: more than was granted (the last
 * event may stick out beyond the bytes, or a large one would never be sent).
 */
int	 intake_add(struct intake *, const struct ipc_event *, uint64_t now_us, struct err *) MUST_CHECK;

size_t	 intake_events(const struct intake *);
size_t	 intake_bytes(const struct intake *);
bool	 intake_full(const struct intake *);	/* nothing more may arrive until something is taken */
uint64_t intake_oldest_us(const struct intake *);	/* arrival of the first; 0 when empty */

/*
 * How many events from the front fit into those limits; at least one, unless
 * empty.  *more_r: events stayed behind because a limit was reached.
 */
size_t	 intake_fit(const struct intake *, size_t max_events, size_t max_bytes, bool *more_r);

/* Moves the first n events to `out`; the room they took counts as free from now on. */
void	 intake_take(struct intake *, struct held *out, size_t n);

/* Gives the bytes of taken events back. */
void	 intake_release(struct intake *, const struct held *, size_t n);

#endif
