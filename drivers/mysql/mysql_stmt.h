#ifndef EDS_MYSQL_STMT_H
#define EDS_MYSQL_STMT_H

#include "drivers/mysql/mysql_private.h"

/* The statements that write rows, prepared once per shape and connection. */

#define MY_MAX_COLUMNS	4096u			/* MySQL's own limit is 4096 */
#define MY_WORDS	(MY_MAX_COLUMNS / 64)

struct my_mask {
	uint64_t	 w[MY_WORDS];
};

static inline bool
my_mask_has(const struct my_mask *m, size_t i)
{
	return (m->w[i / 64] >> (i % 64) & 1) != 0;
}

static inline void
my_mask_set(struct my_mask *m, size_t i)
{
	m->w[i / 64] |= UINT64_C(1) << (i % 64);
}

enum my_op { MY_UPSERT, MY_DELETE };

/*
 * MY_UPSERT	INSERT INTO t (insert) VALUES (?, ...) ON DUPLICATE KEY UPDATE c = VALUES(c) for each
 *		column of `update`; those in `guard` too have one more parameter, behind all values,
 *		that tells for each row whether it has the column: c = IF(?, VALUES(c), c)
 * MY_DELETE	DELETE FROM t WHERE the key is one of ...
 *
 * `rows` rows in the text, or 1 for a statement that is given arrays.
 */
struct my_shape {
	const struct sql_table	*table;
	enum my_op		 op;
	size_t			 rows;
	bool			 after;		/* a row with a later updatedDate stays as it is */
	struct my_mask		 insert, update, guard;
};

/* The statement is d->stmts', until the next call. */
enum drv_result	 my_stmt_get(struct drv *, const struct my_shape *, MYSQL_STMT **stmt_r, struct sql_blame *, struct err *);
void		 my_stmt_drop(struct sql_stmt *);		/* struct sql_stmts.drop */

/* Pure: the text of a statement.  ERR_INVALID: a name that cannot be quoted. */
int		 my_stmt_text(struct buf *, const struct my_shape *, struct err *) MUST_CHECK;

#endif
