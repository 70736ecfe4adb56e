#ifndef EDS_FANOUT_H
#define EDS_FANOUT_H

#include "ipc/channel.h"
#include "supervisor/window/cursor.h"

/* What a worker still welcomes. */
struct credit {
	uint64_t	 events;
	int64_t		 bytes;		/* one event may overdraw it */
};

/*
 * Moves events from the window into the channel's buffer, as far as credit
 * and the buffer's mark allow.  Returns how many.  ERR_NOMEM: -1.
 */
int64_t	 fanout_feed(struct cursor *, const struct window *, struct credit *, struct channel *, struct err *) MUST_CHECK;

#endif
