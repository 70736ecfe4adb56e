#ifndef EDS_SQLSERVER_TYPE_H
#define EDS_SQLSERVER_TYPE_H

#include "drivers/sql/schema.h"
#include "ipc/base/buf.h"

/* Column types: what new columns get, and what the columns that are there can hold. */
enum ms_class {
	MS_NTEXT,		/* nvarchar, nchar: size in UTF-16 units           */
	MS_CTEXT,		/* varchar, char: size in bytes of its code page   */
	MS_INTEGER,		/* any size; the server refuses what is too large  */
	MS_BIT,
	MS_FLOAT,
	MS_REAL,
	MS_DECIMAL,
	MS_OTHER,		/* nothing that could be filled without a change of value */
};

struct ms_type {
	enum ms_class	 class;
	bool		 fixed;			/* nchar, char: padded with blanks */
	int		 precision, scale;	/* MS_DECIMAL */
	char		 name[32];		/* as the catalogue has it */
	char		 collation[64];		/* of texts: letters, digits, _ */
};

/* Each type once: sql_held.type is its number. */
struct ms_types {
	struct ms_type	*v;
	size_t		 n, capacity;
};

#define MS_MAX		(-1)		/* sql_held.size of a MAX column */

/* By the catalogue's words; `collation` may be absent.  ERR_NOMEM. */
int	 ms_types_add(struct ms_types *, struct slice name, int precision, int scale, struct slice collation,
    uint32_t *number_r, struct err *) MUST_CHECK;
void	 ms_types_free(struct ms_types *);

/* In CREATE TABLE and ALTER TABLE ADD: contract/drivers.md section 1.7. */
const char *ms_declared(const struct sql_column *, bool as_key);

#endif
