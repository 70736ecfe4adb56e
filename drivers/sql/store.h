#ifndef EDS_SQL_STORE_H
#define EDS_SQL_STORE_H

#include "drivers/sql/backend.h"

/* The part of a driver for an SQL database that is the same for all of them: see backend.h. */

/* Where an event of the batch goes; no table: a DELETE from a table that does not exist. */
struct sql_target {
	struct sql_table	*table;
	struct sql_version	*version;
};

/* The batch that follows the one at hand, when it has come already. */
struct sql_next {
	const struct drv_flow	*flow;		/* where it comes from; NULL: from nowhere */
	struct drv_batch	 batch;		/* n == 0: there is none */
	struct sql_target	*targets;
	size_t			 ntargets;
	struct sql_fold		 fold;
	uint64_t		 folded_in;	/* this generation, behind the fold of the batch at hand; 0: it is not */
};

struct sql_store {
	const struct sql_backend *be;
	struct drv		*drv;
	const struct drv_host	*host;
	const struct log	*log;
	char			*where;		/* names the destination in messages: a file, host/database */
	struct sql_tables	 tables;
	struct sql_fold		 fold;
	uint64_t		 folded_in;	/* this generation, before the turn of the batch came; 0: it was not */
	struct sql_fold		 probe;		/* events of one row, to find the one at fault */
	struct sql_seen		*seen;		/* NULL: the batch alone counts */
	struct sql_target	*targets;	/* of the events of the batch */
	size_t			 ntargets;
	struct sql_next		 next;
	uint64_t		 generation;	/* of the catalogue: what was read in an earlier one is read anew */
	bool			 ddl;		/* the batch at hand changed a table */
};

/* `be` must outlive the store.  `{ 0 }` is an empty store, for sql_store_free(). */
int	 sql_store_init(struct sql_store *, const struct sql_backend *be, struct drv *, const struct drv_env *,
    const char *where, struct err *) MUST_CHECK;
void	 sql_store_free(struct sql_store *);

/* The driver's deliver(). */
enum drv_result sql_store_deliver(struct sql_store *, const struct drv_batch *, struct drv_outcome *);

/*
 * For apply(), of a driver with DRV_CAP_AHEAD, when all is sent and only the answers are awaited: takes the next
 * batch, if much is waiting, and folds it meanwhile.
 */
void	 sql_store_ahead(struct sql_store *);

/* The same for events whose targets are known, see sql_place_all(). */
enum drv_result sql_store_apply(struct sql_store *, const struct drv_batch *, struct drv_outcome *);

/* Forgets tables and rows: others have taken their place. */
int	 sql_store_reset(struct sql_store *, struct err *) MUST_CHECK;

/* Somebody else may have changed tables: the catalogue is read anew.  After a reconnection, for one. */
void	 sql_store_stale(struct sql_store *);

#endif
