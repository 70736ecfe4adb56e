#ifndef EDS_ARENA_H
#define EDS_ARENA_H

#include "ipc/base/slice.h"

/*
 * Memory for the length of one batch, event or file: pieces never move and are given back
 * all at once.  Shortage shows as NULL and in `oom`.  `{ 0 }` is empty.
 */
struct arena_chunk;

struct arena {
	struct arena_chunk	*chunks;	/* the newest first */
	size_t			 used;		/* bytes of the newest */
	bool			 oom;
};

void	*arena_get(struct arena *, size_t n) MUST_CHECK;	/* aligned for any type, not zeroed */
struct slice arena_copy(struct arena *, struct slice);		/* ended by a NUL not counted; absent on oom */
void	 arena_reset(struct arena *);				/* keeps one chunk for the next batch */
void	 arena_free(struct arena *);

#endif
