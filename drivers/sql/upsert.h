#ifndef EDS_SQL_UPSERT_H
#define EDS_SQL_UPSERT_H

#include "drivers/sql/stmts.h"
#include "ipc/base/buf.h"

/* Pieces of statements that several dialects spell alike, names quoted with "".  ERR_INVALID: a name that cannot be quoted. */

/* The columns in `mask` (NULL: all) from `from` to `to`, `sep` between them, `end` after each. */
int	 sql_add_names(struct buf *, const struct sql_table *, const uint64_t *mask, size_t from, size_t to, const char *sep,
    const char *end, struct err *) MUST_CHECK;

/* ON CONFLICT (key) DO UPDATE SET a = excluded.a, ... or, with nothing but the key in the mask, DO NOTHING. */
int	 sql_add_conflict(struct buf *, const struct sql_table *, const uint64_t *mask, struct err *) MUST_CHECK;

#endif
