#ifndef EDS_SQLSERVER_SQL_H
#define EDS_SQLSERVER_SQL_H

#include "drivers/sql/table.h"
#include "drivers/sqlserver/sqlserver_type.h"

/*
 * Statements, pure.  Their text depends on a table's columns alone: rows come in a JSON document, the parameter
 * @j, an array for each row (sqlserver_json.h):
 *
 *	[ what, mask, column, column ... ]	for the columns that the destination has, in the table's order
 */
#define MS_WHAT		0	/* position of "U", "D" or "R": see sql_what */
#define MS_MASK		1	/* a text of 1 for each column to be set, and 0 */
#define MS_FIRST	2	/* position of the first column */

enum ms_parts {
	MS_DELETES	= 1 << 0,	/* D and R rows go */
	MS_UPDATES	= 1 << 1,	/* U rows that are there get the columns of their mask */
	MS_INSERTS	= 1 << 2,	/* U and R rows that are not there come */
};

struct ms_target {
	const char		*qualifier;	/* [schema]. */
	const struct sql_table	*table;
	const struct ms_types	*types;
	bool			 by_date;	/* an UPDATE with an older `updatedDate` than the row's changes nothing */
};

/* ERR_INVALID: a name that cannot be quoted. */
int	 ms_sql_write(struct buf *, const struct ms_target *, unsigned parts, struct err *) MUST_CHECK;

/* Which values of column `at` its code page does not have: @j is [[row, value] ...], the answer rows. */
int	 ms_sql_code_page(struct buf *, const struct ms_target *, size_t at, struct err *) MUST_CHECK;

/*
 * `n` statements @s1 ... with their documents @j1 ... in one transaction, which is committed or given up at the
 * end.  When one fails its number is PRINTed, and nothing stays.
 */
void	 ms_sql_frame(struct buf *, size_t n, bool commit);
void	 ms_sql_frame_declared(struct buf *, size_t n);		/* @s1 NVARCHAR(MAX), @j1 NVARCHAR(MAX), ... */

#define MS_DECLARED_J	"@j NVARCHAR(MAX)"

/* N'...' for a name that a statement needs as text. */
void	 ms_sql_text(struct buf *, struct slice);

#endif
