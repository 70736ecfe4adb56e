#ifndef EDS_SQL_CULPRIT_H
#define EDS_SQL_CULPRIT_H

#include "drivers/sql/store.h"

/*
 * The destination refused rows of store->fold: which event of the batch is at fault?  Where the
 * database has not named the row it is found by bisection: the shortest run of rows that
 * is refused ends with it, and of its events the first with which it is refused.
 * Trials are transactions that are given up, so this works with any database.
 *
 * In: out->err, why the batch was refused.  Answers DRV_REJECT with out->index and out->err, or
 * what kept it from finding out.
 */
enum drv_result sql_culprit_find(struct sql_store *, const struct drv_batch *, const struct sql_blame *,
    struct drv_outcome *);

/* Everything that is to be in place before the rows of a batch: begin() and the tables. */
enum drv_result sql_store_begin(struct sql_store *, const struct drv_batch *, struct drv_outcome *);
void	 sql_store_undo(struct sql_store *);

/* Adds one event of the batch to a fold with room for more than `slot` events. */
enum drv_result sql_store_fold(struct sql_store *, struct sql_fold *, const struct drv_batch *, size_t event,
    size_t slot, struct err *);

#endif
