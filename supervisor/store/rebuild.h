#ifndef EDS_REBUILD_H
#define EDS_REBUILD_H

#include "supervisor/store/store.h"

/*
 * Builds the store <data-dir>/store anew from what can be read of it; the damaged one is kept next to it, and *kept_r
 * (for the caller to free()) is its path.  What the journal lost stands in the new store until
 * store_lost_each() has told it.  A process killed meanwhile leaves the old store as it was.  ERR_INVALID: what must not be missing
 * (cursors, facts) cannot be read; nothing was changed.  `tick` (may be NULL) is called now and then: a
 * large store takes minutes.
 */
int	 store_rebuild(const char *path, struct rebuild_tick, char **kept_r, struct err *) MUST_CHECK;

/*
 * A rebuild that was cut off between its last two steps is finished; one that was cut off before is
 * swept away.  To be called before the store is opened.
 */
int	 store_rebuild_finish(const char *path, struct err *) MUST_CHECK;

/*
 * Is the file one of LMDB, and when it is shorter than it should be: can everything in use be read?  Quick otherwise; changes
 * nothing.  ERR_INVALID: none of it can be read.
 */
int	 store_is_whole_enough(const char *path, bool *whole_r, struct err *) MUST_CHECK;

#endif
