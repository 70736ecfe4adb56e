#ifndef EDS_SNOWFLAKE_CATALOGUE_H
#define EDS_SNOWFLAKE_CATALOGUE_H

#include "drivers/snowflake/statement.h"
#include "drivers/sql/store.h"

/*
 * The columns of the session's schema, read in two statements for all tables at once: each costs a round trip
 * to the cloud.  After a change only the tables that changed are read again.
 */
struct snow_catalogue {
	struct snow_column	*v;
	size_t			 n, capacity;
	struct buf		 names;
	bool			 read;
};

void	 snow_catalogue_free(struct snow_catalogue *);
void	 snow_catalogue_forget(struct snow_catalogue *);

/* All tables. */
enum drv_result snow_catalogue_read(struct snow_catalogue *, struct snow_session *, bool opening, struct err *);

/* That table's columns, to a reading; `known` is what HQ's schema says of it, or NULL. */
enum drv_result snow_catalogue_table(struct snow_catalogue *, struct slice table, const struct sql_table *known,
    struct sql_reading *, struct err *);

bool	 snow_catalogue_has(const struct snow_catalogue *, struct slice table, struct slice column);	/* absent: any */

/* The columns of one table are read anew; its key is what it was. */
enum drv_result snow_catalogue_refresh(struct snow_catalogue *, struct snow_session *, struct slice table, struct err *);

#endif
