#ifndef EDS_SQLSERVER_JSON_H
#define EDS_SQLSERVER_JSON_H

#include "drivers/sql/fold.h"
#include "drivers/sqlserver/sqlserver_sql.h"

/*
 * Appends the first `n` rows from `row` on as the document that ms_sql_write() reads; *parts_r says which of its
 * statements they need.  ERR_INVALID: *bad_r has a value that its column cannot hold exactly, and err names table and column,
 * not the value.  Texts for columns with a code page are passed where they are ASCII; others make *foreign_r
 * true and are to be asked about, column by column, with ms_json_foreign().
 */
int	 ms_json_rows(struct buf *, const struct ms_target *, struct sql_row *row, size_t n, unsigned *parts_r,
    bool *foreign_r, struct sql_row **bad_r, struct err *) MUST_CHECK;

/* The document for ms_sql_code_page(): values of column `at` that are not ASCII, with the row's number.  *n_r: how many. */
int	 ms_json_foreign(struct buf *, const struct ms_target *, const struct sql_row *row, size_t n, size_t at,
    size_t *n_r, struct err *) MUST_CHECK;

#endif
