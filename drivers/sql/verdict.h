#ifndef EDS_SQL_VERDICT_H
#define EDS_SQL_VERDICT_H

#include "drivers/driver.h"

/*
 * What follows from an error of the database: a table per driver, rows by SQLSTATE (or its first
 * letters) or by the vendor's number.
 */
struct sql_verdict {
	const char	*state;		/* NULL: by number */
	int		 number;
	enum drv_result	 opening;	/* in open() and test(): only there is a wrong password the operator's to mend */
	enum drv_result	 running;
	enum err_code	 code;
	const char	*remedy;	/* for people, put behind the database's words; NULL: it passes, or nobody knows */
	bool		 stale;		/* a table or column is not as it was read: sql_blame.stale */
};

/* The row for an error: by its number, else the longest state that it begins with.  NULL: nobody thought of it. */
const struct sql_verdict *sql_verdict_find(const struct sql_verdict *, size_t n, const char *state, int number);

#endif
