#ifndef EDS_SQLSERVER_PRIVATE_H
#define EDS_SQLSERVER_PRIVATE_H

#include "drivers/sql/import.h"
#include "drivers/sqlserver/sqlserver_conn.h"
#include "drivers/sqlserver/sqlserver_sql.h"

/* What the files of this driver share. */

struct drv {
	const struct drv_env	*env;
	struct ms_conn		 conn;
	struct sql_backend	 backend;	/* with the schema and the collation of this database */
	struct sql_store	 store;
	struct ms_types		 types;
	char			*schema;	/* where our tables are */
	char			*qualifier;	/* [schema]. */
	bool			 by_date;	/* update_strategy = after */
	bool			 usable;	/* the connection has its options */
	struct sql_import	*import;
};

/* sqlserver_session.c: connects unless it is, with all options set and the database looked at. */
enum drv_result	 ms_session_open(struct drv *, struct err *);

/*
 * sqlserver_catalogue.c.  ms_columns() gives `fn` a row for each column of what has that name in our schema; one
 * row without a column when that is a synonym.
 */
enum { MS_C_KIND, MS_C_TABLE, MS_C_NAME, MS_C_TYPE, MS_C_LENGTH, MS_C_PRECISION, MS_C_SCALE, MS_C_NULLABLE, MS_C_COLLATION,
    MS_C_KEY, MS_C_COUNT };
enum drv_result	 ms_columns(struct drv *, struct slice table, ms_row_fn, void *arg, struct err *);
enum drv_result	 ms_read_table(struct drv *, struct slice table, struct sql_reading *, struct err *);
enum drv_result	 ms_ddl(struct drv *, const char *sql, struct err *);

/* sqlserver_write.c */
enum drv_result	 ms_apply(struct drv *, const struct sql_group *, size_t n, enum sql_end, struct sql_blame *, struct err *);

extern const struct sql_import_backend	ms_import_backend;	/* sqlserver_import.c */

#endif
