#ifndef EDS_SQL_STORE_H
#define EDS_SQL_STORE_H

#include "drivers/sql/backend.h"

/* The part of a driver for an SQL database that is the same for all of them: see backend.h. */

/* Where an event of the batch goes; no table: a DELETE from a table that does not exist. */
struct sql_target {
	struct sql_table	*table;
	struct sql_version	*version;
};

struct sql_store {
	const struct sql_backend *be;
	struct drv		*drv;
	const struct drv_host	*host;
	const struct log	*log;
	char			*where;		/* names the destination in messages: a file, host/database */
	struct sql_tables	 tables;
	struct sql_fold		 fold;
	struct sql_fold		 probe;		/* events of one row, to find the one at fault */
	struct sql_seen		*seen;		/* NULL: the batch alone counts */
	struct sql_target	*targets;	/* of the events of the batch */
	size_t			 ntargets;
	uint64_t		 generation;	/* of the catalogue: what was read in an earlier one is read anew */
	bool			 ddl;		/* the batch at hand changed a table */
};

/* `be` must outlive the store.  `{ 0 }` is an empty store, for sql_store_free(). */
int	 sql_store_init(struct sql_store *, const struct sql_backend *be, struct drv *, const struct drv_env *,
    const char *where, struct err *) MUST_CHECK;
void	 sql_store_free(struct sql_store *);

/* The driver's deliver(). */
enum drv_result sql_store_deliver(struct sql_store *, const struct drv_batch *, struct drv_outcome *);

/* The same for events whose targets are known, see sql_place_all(). */
enum drv_result sql_store_apply(struct sql_store *, const struct drv_batch *, struct drv_outcome *);

/* Forgets tables and rows: others have taken their place. */
int	 sql_store_reset(struct sql_store *, struct err *) MUST_CHECK;

/* Somebody else may have changed tables: the catalogue is read anew.  After a reconnection, for one. */
void	 sql_store_stale(struct sql_store *);

#endif
