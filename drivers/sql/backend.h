#ifndef EDS_SQL_BACKEND_H
#define EDS_SQL_BACKEND_H

#include "drivers/driver.h"
#include "drivers/sql/fold.h"
#include "drivers/sql/plan.h"

/*
 * What a driver for an SQL database supplies; store.h does the rest of deliver():
 *
 *	open()		connects, makes its struct drv, sql_store_init()
 *	deliver()	makes sure that it is connected, sql_store_deliver()
 *	close()		sql_store_free(), disconnects
 *
 * sql_store_deliver() asks HQ for the schemas that a batch needs, brings the destination's tables in
 * step with them, folds the batch to one change per row, has it applied, finds the event at fault
 * when that is refused, remembers what was written and tells the supervisor which versions
 * are in place.  The order of the calls for one batch:
 *
 *	begin
 *	read_table	for each table not yet known in this state of the catalogue
 *	ddl, read_table	where a table or a column is missing
 *	apply		SQL_COMMIT
 *	undo		only when one of these did not answer DRV_STORED
 *
 * Results are those of driver.h; the text of an error names what was done and the remedy,
 * never a value.  A result of DRV_REJECT means that the rows are at fault and nothing else.
 */

/* What the catalogue says of one column. */
struct sql_found {
	struct slice	 name;
	uint32_t	 type;		/* as the driver likes; kept in sql_held.type */
	int32_t		 size;		/* as well */
	bool		 demands;	/* NOT NULL without a default: a new row must have it */
	bool		 key;		/* part of the primary key */
};

/* Where read_table() puts what it finds. */
struct sql_reading;
enum drv_result	 sql_reading_column(struct sql_reading *, const struct sql_found *, struct err *);

enum sql_end {
	SQL_COMMIT,
	SQL_ROLLBACK,		/* a trial: only whether the rows would be accepted is of interest */
};

/* What a refusal was about, as far as the database says. */
struct sql_blame {
	const struct sql_group	*group;		/* the statement of this table failed; NULL: not known */
	struct sql_row		*row;		/* this row is at fault; NULL: not known, it is searched for */
	bool			 stale;		/* a table or column is not as the catalogue said: it is read anew */
};

struct sql_backend {
	struct sql_dialect	 dialect;
	enum sql_names		 names;		/* how the destination tells names apart */

	/*
	 * Before a batch, and before each trial.  Where DDL is part of transactions, a transaction may
	 * begin here.  NULL: nothing to do.
	 */
	enum drv_result	(*begin)(struct drv *, struct err *);

	/* The columns of a table, of the schema that unqualified names mean; none: there is no such table. */
	enum drv_result	(*read_table)(struct drv *, struct slice table, struct sql_reading *, struct err *);

	/*
	 * One statement that creates or widens a table.  That somebody else has done the same meanwhile is
	 * DRV_STORED; the table is read again in any case.
	 */
	enum drv_result	(*ddl)(struct drv *, const char *sql, struct err *);

	/*
	 * Applies the groups in their order, each group's `n` rows from `first` on (not to the end of the
	 * list), in one transaction, and ends it.  A table without `exists` is only there for DELETEs from
	 * nothing and is passed over.  By sql_row.what: set the columns that are not JV_ABSENT and make the
	 * row, with sql_fill_demanded(), when there is none; delete; delete and make.
	 * SQL_COMMIT and DRV_STORED: durable.  SQL_ROLLBACK: nothing stays.
	 */
	enum drv_result	(*apply)(struct drv *, const struct sql_group *, size_t n, enum sql_end, struct sql_blame *,
	    struct err *);

	/* Whatever began since begin() is given up.  NULL: nothing to do. */
	void	(*undo)(struct drv *);

	/* Tables have changed or were read anew: statements prepared for them are of no use.  NULL: nothing to do. */
	void	(*forget)(struct drv *);
};

/* A new row has what its table demands: see sql_row_default(). */
void	 sql_fill_demanded(struct sql_row *);

/* The row lacks columns that a new row must have (hazard H69). */
bool	 sql_lacks_demanded(const struct sql_row *);

#endif
