#ifndef EDS_SQL_IMPORT_H
#define EDS_SQL_IMPORT_H

#include "drivers/sql/store.h"

/*
 * The import of driver.h for an SQL database.  For each table one is made beside, the staging table,
 * whose name begins with SQL_STAGING; rows are applied to it as those of a batch are, each batch in a
 * transaction of its own; in the end it takes the place of the live one, or with `keep` its rows are
 * put on top of those that are there.
 */
#define SQL_STAGING	"_eds_import_"

struct sql_staged {
	struct sql_table	*table;		/* the staging table, with its columns */
	struct slice		 live;		/* names, ended by a NUL */
	struct slice		 old;		/* for the live table until it is dropped */
	bool			 live_exists;
};

/* What a driver supplies; a result of DRV_CONFIG says what the operator has to mend first. */
struct sql_import_backend {
	/*
	 * For the staging tables, where loading them is another thing than delivering to live ones.  With
	 * dialect.no_key they are made without a key, a row may be there twice, and it is swap() that
	 * sees to both.  NULL, and with `keep`: that of the live tables.
	 */
	const struct sql_backend *load;

	/* Removes a table, if there is one. */
	enum drv_result	(*drop)(struct drv *, struct slice table, struct err *);

	/* An empty table that accepts what another one does.  For `keep`. */
	enum drv_result	(*clone)(struct drv *, struct slice from, struct slice to, struct err *);

	/*
	 * Puts the staging tables in place of the live ones, which are then gone: of each table at once.
	 * Not those whose `table` is NULL.
	 */
	enum drv_result	(*swap)(struct drv *, const struct sql_staged *, size_t n, struct err *);

	/* Every row of the staging table replaces the one of its key in the live table, or is new there. */
	enum drv_result	(*merge)(struct drv *, const struct sql_staged *, struct err *);
};

struct sql_import;

/* `live` is the driver's store.  On success *imp_r is the caller's, for sql_import_end() or _abort(). */
enum drv_result	 sql_import_begin(struct sql_import **imp_r, struct sql_store *live, const struct sql_import_backend *,
    const struct drv_env *, const struct drv_import *, struct err *);
enum drv_result	 sql_import_rows(struct sql_import *, size_t table, const struct drv_batch *, struct drv_outcome *);

/* Frees *imp and clears it when the answer is DRV_STORED. */
enum drv_result	 sql_import_end(struct sql_import **imp, struct err *);
void		 sql_import_abort(struct sql_import **imp);
void		 sql_import_free(struct sql_import **imp);	/* leaves the staging tables, for one that is resumed */

#endif
