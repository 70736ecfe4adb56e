#ifndef EDS_CURSOR_H
#define EDS_CURSOR_H

#include "supervisor/window/window.h"

/*
 * How far one destination is, in stream sequences: it has everything of its
 * route up to `seq`; it was sent, or had no use for, everything up to `after`.  In between are the
 * events its worker holds.  Where the next one comes from, the window or the
 * journal, makes no difference here.
 */
struct cursor {
	uint64_t	 route;		/* the destination's bit                        */
	uint64_t	 seq;
	uint64_t	 after;
	uint64_t	 place;		/* window index behind `after`, perhaps              */
	uint64_t	 noted;		/* window index up to which `behind` has counted */
	uint64_t	 behind;	/* events of its route that it does not have yet */

	/* sequences sent and not committed, oldest first: a ring of a power of two */
	uint64_t	*sent;
	size_t		 sent_cap, sent_head, in_flight;

	/* sequences behind `seq` that are in the quarantine, ascending: not to be sent (again) */
	uint64_t	*aside;
	size_t		 n_aside, aside_cap;
	size_t		 n_uncounted;	/* of them, at the end: still part of `behind` */
};

/* Starts after `seq`.  `waiting`: events of its route after it that are in the journal. */
void	 cursor_init(struct cursor *, const struct window *, uint64_t route, uint64_t seq, uint64_t waiting);
void	 cursor_free(struct cursor *);

/* It must be told of everything the window takes in, before that leaves it again. */
void	 cursor_note(struct cursor *, const struct window *);

/* The event with these routes and this sequence has to be sent to it. */
bool	 cursor_wants(const struct cursor *, uint64_t routes, uint64_t seq);

/* The next entry of the window to send; NULL when there is none.  Steps over what needs no sending. */
const struct window_entry *cursor_peek(struct cursor *, const struct window *);

/* The event went out; -1 when memory is short (then it must not go). */
int	 cursor_sent(struct cursor *, uint64_t seq) MUST_CHECK;

/* Nothing up to seq has to be sent any more. */
void	 cursor_skip_to(struct cursor *, uint64_t seq);

/*
 * The worker says that everything up to seq is stored.  False when it never got that
 * event, or goes backwards: it cannot be trusted.
 */
bool	 cursor_commit(struct cursor *, uint64_t seq) MUST_CHECK;

bool	 cursor_holds(const struct cursor *, uint64_t seq);	/* sent and not committed */
uint64_t cursor_newest(const struct cursor *);			/* of those in flight; 0: none */

/* The stream was made anew: everything up to seq counts as done. */
void	 cursor_begin_anew(struct cursor *, uint64_t seq);

/* An event is in the quarantine, also when what was sent before it is not committed yet.  -1: memory is short. */
int	 cursor_quarantined(struct cursor *, uint64_t seq) MUST_CHECK;

/* The worker is gone: what it had not committed is to be sent again. */
void	 cursor_rewind(struct cursor *);

#endif
