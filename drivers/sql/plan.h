#ifndef EDS_SQL_PLAN_H
#define EDS_SQL_PLAN_H

#include "drivers/sql/schema.h"
#include "ipc/base/buf.h"

/*
 * What a destination's table needs so that it can take rows of a schema: nothing,
 * to be created, or some more columns.  Never is anything dropped or changed
 * (hazard H19).  Pure: the caller reads the catalogue and runs the statements, which are
 * harmless when they are repeated with a catalogue read anew.
 */
enum sql_plan_what { SQL_PLAN_NOTHING, SQL_PLAN_CREATE, SQL_PLAN_ADD };

struct sql_plan {
	enum sql_plan_what	 what;
	size_t			*add;		/* SQL_PLAN_ADD: columns of the schema, in order */
	size_t			 n;
};

/* How the destination tells names apart. */
enum sql_names { SQL_NAMES_EXACT, SQL_NAMES_NOCASE };	/* the latter for ASCII letters */

/*
 * `have` are the names of the table's columns; NULL: there is no such table.
 * ERR_INVALID: two columns of the schema have the same name to this destination.
 */
int	 sql_plan_make(struct sql_plan *, const struct sql_schema *, const struct slice *have, size_t nhave,
    enum sql_names, struct err *) MUST_CHECK;
void	 sql_plan_free(struct sql_plan *);

bool	 sql_names_eq(enum sql_names, struct slice, struct slice);

/* How a destination spells its DDL. */
struct sql_dialect {
	char		 open, close;		/* quotes around names */
	const char	*qualifier;		/* in front of a table's name, quoted and with its dot; NULL: nothing */
	const char	*create;		/* "CREATE TABLE IF NOT EXISTS" */
	const char	*create_end;		/* after the closing parenthesis, e.g. " CHARACTER SET=utf8mb4" */
	const char	*add;			/* "ADD COLUMN" */
	bool		 key_not_null;		/* a primary key does not imply NOT NULL here */
	bool		 no_key;		/* tables are made without their key, which comes later: see import.h */
	const char	*(*type)(const struct sql_column *, bool as_key);
};

/* One statement each, without a semicolon at the end.  ERR_INVALID: a name that cannot be quoted. */
int	 sql_ddl_create(struct buf *, const struct sql_dialect *, const struct sql_schema *, struct err *) MUST_CHECK;
int	 sql_ddl_add(struct buf *, const struct sql_dialect *, const struct sql_schema *, size_t column,
    struct err *) MUST_CHECK;

#endif
