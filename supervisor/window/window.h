#ifndef EDS_WINDOW_H
#define EDS_WINDOW_H

#include "ipc/base/clock.h"
#include "ipc/base/err.h"
#include "supervisor/window/route.h"

/*
 * Events in flight, in stream order, each kept until every destination of
 * its route has it.  An entry is named by its index, which counts up from 0 over the life of the
 * process and never changes; entries head <= index < tail are there.
 */
struct window_entry {
	uint64_t	 seq;		/* stream sequence, strictly increasing          */
	uint64_t	 routes;	/* bit per destination slot                      */
	struct slice	 subject;
	struct slice	 payload;
	struct slice	 reply;		/* where the acknowledgement goes                */
	void		*owner;		/* of the three slices; given to the free function */
	mono_t		 at;		/* received                                      */
};

struct window;

int	 window_new(struct window **, void (*free_owner)(void *), struct err *) MUST_CHECK;
void	 window_free(struct window **);

/* Takes the entry's owner over, also on failure.  ERR_INVALID: not newer than the last one. */
int	 window_append(struct window *, const struct window_entry *, struct err *) MUST_CHECK;

uint64_t window_head(const struct window *);
uint64_t window_tail(const struct window *);
const struct window_entry *window_at(const struct window *, uint64_t index);

/* Index of the first entry with a sequence > seq; the tail when there is none. */
uint64_t window_after(const struct window *, uint64_t seq);
uint64_t window_after_near(const struct window *, uint64_t seq, uint64_t guess);	/* the same, at once if it is the guess */

/*
 * The event came again: the new copy takes the place of the old one, so that it is
 * acknowledged where the server now expects it.  False, and the owner stays the
 * caller's, when the sequence is not in the window.
 */
bool	 window_redelivered(struct window *, const struct window_entry *again);

/* Drops everything below `index`. */
void	 window_release(struct window *, uint64_t index);

/* Destinations came or went: every entry's routes anew. */
void	 window_reroute(struct window *, const struct routes *);

size_t	 window_count(const struct window *);
uint64_t window_bytes(const struct window *);		/* payloads and subjects                  */
uint64_t window_last_seq(const struct window *);	/* highest ever appended; 0 */
void	 window_begin_anew(struct window *, uint64_t seq);	/* empty; what comes next is newer than seq */

#endif
