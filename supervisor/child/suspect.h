#ifndef EDS_SUSPECT_H
#define EDS_SUSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which event kills the worker?  Deaths that come again at the same place put
 * what was in flight under suspicion; then fewer and fewer events are handed out at once, until
 * one dies alone.  Pure.
 *
 * The first death may have any reason, so everything is simply tried again.
 */
struct suspect {
	bool		 active;
	uint64_t	 position;	/* committed sequence at the last death          */
	bool		 has_position;
	uint64_t	 upto;		/* the suspicion ends behind this sequence       */
	uint64_t	 cap;		/* most events in flight                         */
	unsigned	 alone;		/* deaths with the same single event in flight   */
	unsigned	 deaths;	/* since the suspicion began                     */
};

#define SUSPECT_ALONE	2u	/* so often an event must kill alone to be found guilty */

/*
 * That many in a row, without a good event in between, and it is not the events: the
 * worker dies whatever it is given.
 */
#define SUSPECT_ROW	3u

/*
 * The worker died by its own fault with n events in flight, the newest being `last`; everything up
 * to `committed` was stored.  True: the one event in flight is the culprit.
 */
bool	 suspect_died(struct suspect *, uint64_t committed, uint64_t last, size_t n);

/* Everything up to `committed` is stored (or set aside). */
void	 suspect_committed(struct suspect *, uint64_t committed);

/* How many more events may be handed out with n in flight. */
uint64_t suspect_room(const struct suspect *, size_t in_flight);

#endif
