#ifndef EDS_SQL_SEEN_H
#define EDS_SQL_SEEN_H

#include "ipc/base/slice.h"

/*
 * A point in the source's time: decimal nanoseconds with a counter as fraction,
 * "1720732611708587506.0000000001".  Kept exactly; doubles would make
 * neighbours equal (hazard H27).
 */
struct sql_mvcc {
	bool		 known;		/* false: there was none, or none that could be read */
	uint64_t	 whole;
	uint64_t	 fraction;	/* in units of 10^-18 */
};

/* More than 18 digits of fraction or 64 bits of nanoseconds are not read. */
struct sql_mvcc sql_mvcc_parse(struct slice);

/* False when either is unknown: then the order of the stream decides. */
bool	 sql_mvcc_older(struct sql_mvcc a, struct sql_mvcc b);

/*
 * What was lately written, and as of when: a bounded memory of (table, key) that keeps a
 * redelivered older event from undoing a newer one (hazard H65).  With `limit` rows
 * remembered, those not written for longest make room.
 */
struct sql_seen;

struct sql_seen *sql_seen_new(size_t limit) MUST_CHECK;		/* NULL: out of memory */
void	 sql_seen_free(struct sql_seen **);

/* Not known: this row is not remembered. */
struct sql_mvcc sql_seen_get(const struct sql_seen *, uint32_t table, struct slice key);

/* Shortage of memory forgets the row, nothing worse. */
void	 sql_seen_put(struct sql_seen *, uint32_t table, struct slice key, struct sql_mvcc);

#endif
