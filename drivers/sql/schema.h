#ifndef EDS_SQL_SCHEMA_H
#define EDS_SQL_SCHEMA_H

#include "ipc/base/err.h"
#include "ipc/base/slice.h"

/* One version of a table as HQ describes it (contract/hq-api.md section 8.1). */

enum sql_kind {
	SQL_STRING,
	SQL_DATETIME,		/* string with format date-time            */
	SQL_INTEGER,
	SQL_NUMBER,
	SQL_BOOLEAN,
	SQL_OBJECT,
	SQL_ENUM_ARRAY,		/* array whose items have an `enum`: text  */
	SQL_ARRAY,		/* any other array                         */
	SQL_OTHER,
};

struct sql_column {
	struct slice	 name;		/* ended by a NUL                                */
	enum sql_kind	 kind;
	struct slice	 items_type;	/* `items.type` of an array; absent when unknown */
	bool		 nullable;
	bool		 required;
	bool		 is_key;
};

struct sql_schema {
	struct slice		 table;		/* ended by a NUL */
	struct slice		 version;
	struct sql_column	*cols;		/* primary keys in the schema's order, the rest sorted bytewise */
	size_t			 ncols;
	size_t			 nkeys;		/* > 0: without primaryKeys, `id` is the key */
	struct sql_schema_own	*own;
};

/*
 * Takes one schema object apart.  Refused with ERR_INVALID: not JSON, a wrong
 * type, no table, no columns, neither primaryKeys nor a property `id`.  The text
 * names table and field.  *schema_r is the caller's, for sql_schema_free().
 */
int	 sql_schema_parse(struct sql_schema **schema_r, struct slice json, struct err *) MUST_CHECK;
void	 sql_schema_free(struct sql_schema **);

#define SQL_NO_COLUMN	SIZE_MAX
size_t	 sql_schema_find(const struct sql_schema *, struct slice column);

/* NOT NULL in CREATE TABLE: listed in `required` and not nullable. */
bool	 sql_column_not_null(const struct sql_column *);

/* The value is JSON text: objects and arrays other than enums. */
bool	 sql_kind_is_json(enum sql_kind);

/* The column type of the PostgreSQL destination (contract/drivers.md section 1.7). */
const char *sql_kind_postgres(enum sql_kind);

#endif
