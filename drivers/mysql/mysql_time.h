#ifndef EDS_MYSQL_TIME_H
#define EDS_MYSQL_TIME_H

#include "ipc/base/slice.h"

/*
 * A date-time of an event as a column of type DATETIME or TIMESTAMP takes it: in UTC, without an
 * offset, "2024-07-09 18:28:03.69708".  The session's time zone is UTC.
 */
enum my_time_fit {
	MY_TIME_FITS,
	MY_TIME_FINER,		/* it has a finer fraction than the column, which is left out */
	MY_TIME_NONE,		/* not a date-time, or beyond the years 1 to 9999 */
};

#define MY_TIME_MAX	32

/*
 * Accepted are RFC 3339, with a blank instead of the T as well, without an offset (then it is UTC)
 * and a date alone (then it is midnight).  `digits`: 0 to 6, of the column's fraction.  *text_r is in
 * `store` or, where that will do, a view of `text`.
 */
enum my_time_fit my_time_convert(struct slice text, unsigned digits, char store[MY_TIME_MAX], struct slice *text_r);

#endif
