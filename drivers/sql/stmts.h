#ifndef EDS_SQL_STMTS_H
#define EDS_SQL_STMTS_H

#include "drivers/sql/fold.h"

/*
 * Sets of columns, and prepared statements for them: a bounded cache, of which the
 * statement not used for longest makes room.
 */

/* A bit per column of the table, those that the row has. */
size_t	 sql_mask_words(const struct sql_table *);
void	 sql_mask_of(const struct sql_row *, uint64_t *mask);

static inline bool
sql_mask_has(const uint64_t *mask, size_t column)
{
	return (mask[column / 64] >> (column % 64) & 1) != 0;
}

struct sql_stmt {
	const struct sql_table	*table;
	unsigned		 kind;		/* as the driver likes */
	bool			 partial;	/* lacks columns that a new row must have (hazard H69) */
	uint64_t		*mask;
	size_t			 words;
	uint64_t		 hash;
	uint64_t		 used;

	/* the driver's: both 0 in a statement that is not prepared yet */
	void			*handle;
	uint64_t		 number;
};

struct sql_stmts {
	void		(*drop)(struct sql_stmt *);	/* ends `handle`; NULL: nothing to end */
	struct sql_stmt	*v;
	size_t		 n;
	uint64_t	 clock;
};

/*
 * The statement of that table and kind for that mask, whose first sql_mask_words() are columns; there may
 * be more words, which tell statements apart.  It stays until it is the one not used for
 * longest of 256, or sql_stmts_flush().  NULL: no memory.
 */
struct sql_stmt *sql_stmts_get(struct sql_stmts *, const struct sql_table *, unsigned kind, const uint64_t *mask,
    size_t words) MUST_CHECK;
void	 sql_stmts_forget(struct sql_stmts *, struct sql_stmt *);	/* this one could not be prepared */
void	 sql_stmts_flush(struct sql_stmts *);
void	 sql_stmts_free(struct sql_stmts *);

#endif
