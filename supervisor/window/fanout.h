#ifndef EDS_FANOUT_H
#define EDS_FANOUT_H

#include "ipc/channel.h"
#include "supervisor/store/journal.h"
#include "supervisor/window/cursor.h"

/* What a worker still welcomes. */
struct credit {
	uint64_t	 events;
	int64_t		 bytes;		/* one event may overdraw it */
};

/* Where a destination's events come from: the journal while it is behind, then the window. */
struct fanout_source {
	const struct window	*window;
	struct journal		*journal;	/* may be NULL */
	const struct routes	*routes;
	uint64_t		 spilled;	/* highest sequence that left the window for the journal */

	/* An entry of the journal that cannot be read any more is put on record; when that answers 0 it is stepped over. */
	int	(*damaged)(void *arg, uint64_t seq);
	void	*arg;
};

/*
 * Moves events into the channel's buffer, as far as credit and the buffer's mark allow.
 * Returns how many; -1 on errors.
 */
int64_t	 fanout_feed(struct cursor *, const struct fanout_source *, struct credit *, struct channel *, struct err *) MUST_CHECK;

/* The destination still has to read the journal. */
bool	 fanout_late(const struct cursor *, const struct fanout_source *);

/* Steps over what is not for the destination, without a worker to send to. */
int	 fanout_step_over(struct cursor *, const struct fanout_source *, struct err *) MUST_CHECK;

/* Events of that route after seq in the journal. */
int	 fanout_count_journal(struct journal *, const struct routes *, uint64_t route, uint64_t seq, uint64_t *n_r, struct err *) MUST_CHECK;

#endif
