#ifndef EDS_SQL_PLACE_H
#define EDS_SQL_PLACE_H

#include "drivers/sql/store.h"

/*
 * Tables in place: the schemas of the events on one side, the destination's catalogue
 * on the other.  Tables are created and widened, nothing is ever dropped (hazard H19).
 * out->index is the event at fault.
 */

/* Asks HQ for the schemas of a batch and fills store->targets; outside of any transaction. */
enum drv_result sql_place_versions(struct sql_store *, const struct drv_batch *, struct drv_outcome *);

/* Makes sure that the destination has the tables and columns; inside of what begin() began. */
enum drv_result sql_place_tables(struct sql_store *, const struct drv_batch *, struct drv_outcome *);

/* As sql_place_versions(), when tables and columns are all known to be in place; false: they are not. */
bool	 sql_place_known(struct sql_store *, const struct drv_batch *) MUST_CHECK;

/* All events of a batch go to one target, whatever table they name.  Instead of sql_place_versions(). */
enum drv_result sql_place_all(struct sql_store *, const struct drv_batch *, const struct sql_target *, struct err *);

/* The table of a target, with the columns of its version if there is one. */
enum drv_result sql_place_target(struct sql_store *, struct sql_target *, struct err *);

/* What the catalogue says of a table: read unless it is known. */
enum drv_result sql_place_read(struct sql_store *, struct sql_table *, struct err *);
enum drv_result sql_place_exists(struct sql_store *, struct slice table, bool *exists_r, struct err *);

/* What sql_place_tables() did was undone, or is for good. */
void	 sql_place_undo(struct sql_store *);
void	 sql_place_announce(struct sql_store *, const struct drv_batch *);

#endif
