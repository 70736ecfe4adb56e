#ifndef EDS_SQL_ARENA_H
#define EDS_SQL_ARENA_H

#include "ipc/base/slice.h"

/*
 * Memory for the length of one batch: pieces never move and are given back
 * all at once.  Shortage shows as NULL and in `oom`.  `{ 0 }` is empty.
 */
struct sql_chunk;

struct sql_arena {
	struct sql_chunk	*chunks;	/* the newest first */
	size_t			 used;		/* bytes of the newest */
	bool			 oom;
};

void	*sql_arena_get(struct sql_arena *, size_t n) MUST_CHECK;	/* aligned for any type, not zeroed */
struct slice sql_arena_copy(struct sql_arena *, struct slice);		/* ended by a NUL not counted; absent on oom */
void	 sql_arena_reset(struct sql_arena *);				/* keeps one chunk for the next batch */
void	 sql_arena_free(struct sql_arena *);

#endif
