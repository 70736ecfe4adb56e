#ifndef EDS_SQL_QUOTE_H
#define EDS_SQL_QUOTE_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * Appends a name as a quoted identifier, always quoted, the closing quote doubled
 * inside: "name", `name` or [name].  Refused with ERR_INVALID: an empty name, a
 * name with a NUL, which no destination can hold and which must not be cut.
 * On an error nothing was appended.
 */
int	sql_quote(struct buf *, struct slice name, struct err *) MUST_CHECK;
int	sql_quote_with(struct buf *, struct slice name, char open, char close, struct err *) MUST_CHECK;

#endif
