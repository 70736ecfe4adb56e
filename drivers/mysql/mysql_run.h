#ifndef EDS_MYSQL_RUN_H
#define EDS_MYSQL_RUN_H

#include "drivers/mysql/mysql_stmt.h"

/* Rows of one shape to one table, in as few executions as the protocol allows. */

/* Rows on their way to one table. */
struct my_write {
	struct drv		*d;
	const struct sql_group	*group;
	struct sql_row		**rows;
	size_t			 n;
	struct my_shape		 shape;
	uint32_t		*cols;		/* columns with a parameter for their value */
	size_t			 ncols;
	struct my_value		*values;	/* of the run at hand, row by row */
	bool			*absent;	/* likewise: the column's own default is meant */
	struct sql_blame	*blame;
	struct err		*err;
};

/* `n` rows by the shape of `w`, whose `cols` has room for all columns; all of them or an error. */
enum drv_result	 my_run_rows(struct my_write *, struct sql_row **rows, size_t n);

#endif
