#ifndef EDS_SKIP_H
#define EDS_SKIP_H

#include "ipc/codec.h"
#include "ipc/event.h"

/*
 * Events that an import brought already: those of a table whose time is before
 * that of the table's snapshot.  `{ 0 }` skips nothing.
 */
struct skip_table {
	char		*table;
	uint64_t	 ns;		/* epoch */
};

struct skip {
	struct skip_table	*v;
	size_t			 n;
};

/* Pairs: table, nanoseconds ...; texts are copied.  ERR_INVALID: nonsense. */
int	 skip_make(struct skip *, struct ipc_strs pairs, struct err *) MUST_CHECK;
void	 skip_free(struct skip *);

/*
 * By mvccTimestamp, to the nanosecond.  An event without one is older only when its millisecond is: one
 * of the snapshot's own millisecond may be newer (hazard H74).
 */
bool	 skip_is_older(const struct skip *, const struct event *);

#endif
