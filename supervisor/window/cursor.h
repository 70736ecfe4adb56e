#ifndef EDS_CURSOR_H
#define EDS_CURSOR_H

#include "supervisor/window/window.h"

/*
 * How far one destination is: settled <= next <= tail.  Below `settled`
 * everything of its route is stored there; from there to `next` it has been sent to the worker.  Events outside the
 * route, and events at or below `seq`, count as settled without being sent.
 */
struct cursor {
	uint64_t	 route;		/* the destination's bit                             */
	uint64_t	 seq;		/* stream sequence up to which it has everything     */
	uint64_t	 settled;	/* window index                                      */
	uint64_t	 next;		/* window index                                      */
	uint64_t	 in_flight;	/* sent and not settled                              */
	uint64_t	 last_sent;	/* stream sequence of the last one sent, 0: none     */
};

/* Starts after `seq`, wherever that is in the window. */
void	 cursor_init(struct cursor *, const struct window *, uint64_t route, uint64_t seq);

/* The next entry to send; NULL when there is none.  Steps over what needs no sending. */
const struct window_entry *cursor_peek(struct cursor *, const struct window *);
void	 cursor_sent(struct cursor *, const struct window *);	/* the peeked one went out */

/*
 * The worker says that everything up to seq is stored.  False when it never got that
 * event, or goes backwards: it cannot be trusted.
 */
bool	 cursor_commit(struct cursor *, const struct window *, uint64_t seq) MUST_CHECK;

/* The worker is gone: what it had not committed is to be sent again. */
void	 cursor_rewind(struct cursor *);

/* Events of its route in the window that it has not settled. */
uint64_t cursor_behind(const struct cursor *, const struct window *);

#endif
