#ifndef EDS_SQL_FOLD_H
#define EDS_SQL_FOLD_H

#include "ipc/base/arena.h"
#include "drivers/sql/row.h"
#include "drivers/sql/seen.h"

/*
 * Several changes of one row within a batch become one.  The result, applied to
 * the destination, leaves what the events would have left one after the other:
 *
 *	insert or update	the columns present are set, the others kept
 *	delete			the row goes
 *	... then an insert	the row goes and comes back with just these columns
 *
 * An event older (mvccTimestamp) than what the batch or the memory already has of its row
 * changes nothing.
 */
enum sql_what {
	SQL_UPSERT,		/* set the columns present; a new row when there is none */
	SQL_DELETE,
	SQL_REPLACE,		/* delete, then insert                                   */
};

struct sql_row {
	struct sql_row		*next;		/* of the same table */
	struct sql_table	*table;
	enum sql_what		 what;
	struct json_val		*v;		/* table->ncols; the key columns are always present */
	struct slice		 key;		/* identity within the table */
	struct sql_mvcc		 mvcc;
};

/* The rows of one table, in the order in which the batch first touched them: `n` of them, from `first` on. */
struct sql_group {
	struct sql_table	*table;
	struct sql_row		*first, *last;
	size_t			 n;
};

struct sql_fold {
	struct sql_group	*groups;	/* in the order in which the batch first touched them */
	size_t			 ngroups;
	size_t			 nrows;
	size_t			 nstale;	/* events passed over as older */
	struct sql_row	       **of_event;	/* by index; NULL: changed nothing */

	/* private */
	struct arena	 arena;
	const struct sql_seen	*seen;
	const struct sql_fold	*before;
	size_t			 nevents;
	size_t			 groups_cap;
	struct sql_row	       **slots;
	size_t			 nslots;
	struct json_val		*scratch;
	size_t			 scratch_cap;
	struct buf		 keybuf;
};

/*
 * `{ 0 }` is an empty fold.  Between sql_fold_begin() and the end of its use the
 * tables must not get new columns.  `seen` may be NULL: then only the batch counts.
 */
int	 sql_fold_begin(struct sql_fold *, size_t nevents, const struct sql_seen *seen, struct err *) MUST_CHECK;

/* Right after sql_fold_begin(): the rows of `before`, another fold with the same `seen`, count as if they were remembered. */
void	 sql_fold_behind(struct sql_fold *, const struct sql_fold *before);

/*
 * Adds event `index`, in stream order.  `version` may be NULL for a DELETE.  The event's memory must
 * outlive the use of the fold.  ERR_INVALID: this event can never be stored, the fold is as before.
 */
int	 sql_fold_add(struct sql_fold *, struct sql_table *, struct sql_version *, const struct event *, size_t index,
    struct err *) MUST_CHECK;

/* The batch is durable: remembers its rows. */
void	 sql_fold_remember(const struct sql_fold *, struct sql_seen *);

void	 sql_fold_free(struct sql_fold *);

#endif
