#ifndef EDS_SQL_ROW_H
#define EDS_SQL_ROW_H

#include "drivers/sql/table.h"
#include "ipc/event.h"

/*
 * A row is one JSON value per column of the table: JV_ABSENT leaves the column as it
 * is, JV_NULL makes it NULL, anything else is the value.  Texts stay in the event's
 * payload; numbers keep their digits.
 */

/*
 * The row image of an INSERT or UPDATE over `v[0 .. table->ncols)`, which is cleared
 * first.  Members that the event's version does not know are ignored.  A column named by an
 * UPDATE's `diff` without being in `after` becomes NULL where the schema allows it.
 * Empty objects and arrays by contract/drivers.md section 1.5: null or "" in a column that is not
 * nullable is {} or []; where it is nullable null stays null.
 * An imported row is the whole row: it has no absent columns, but NULLs, so that all rows of an import go by
 * one statement.
 * ERR_INVALID: there is no `after`.
 */
int	 sql_row_map(const struct sql_table *, struct sql_version *, const struct event *, struct json_val *v,
    struct err *) MUST_CHECK;

/*
 * The key columns into v[0 .. nkeys), for those that are still absent or, of a DELETE, for all:
 * from the row's members, else from `key`, whose last components are the last key
 * columns (before them may stand a region).  ERR_INVALID names the column that
 * has no value, or one that is no scalar.
 */
int	 sql_row_key(const struct sql_table *, const struct event *, struct json_val *v, struct err *) MUST_CHECK;

/* What a column that must not be NULL gets when a new row lacks it: "", 0, false, {} or []. */
struct json_val sql_row_default(enum sql_kind);

/*
 * A value as text: strings decoded, numbers as spelled, true, false, JSON compact.  Views of
 * the payload where possible, else written to `scratch`, whose earlier texts may then
 * move unless room for raw.n more bytes was reserved.  Absent on oom.
 */
struct slice sql_text(const struct json_val *, struct buf *scratch);

/* The value as JSON without insignificant white space, every other byte as it came. */
struct slice sql_json(const struct json_val *, struct buf *scratch);

#endif
