#ifndef EDS_SQL_NUMBER_H
#define EDS_SQL_NUMBER_H

#include "ipc/base/slice.h"

/*
 * Whether a number of an event fits a machine type without changing its value.
 * The texts compared are those of JSON; how a number is spelled does not matter:
 * 12.50 is 12.5, 1E+3 is 1000.
 */
bool	 sql_number_is(struct slice);				/* the whole text is a JSON number         */
bool	 sql_number_i64(struct slice, int64_t *out_r) MUST_CHECK;	/* it is an integer of 64 bits, exactly    */
bool	 sql_number_double(struct slice, double *out_r) MUST_CHECK;	/* the double's shortest text has its value */
bool	 sql_number_decimals(struct slice, long *decimals_r) MUST_CHECK;	/* how many decimals it needs; false: very many */
bool	 sql_number_float(struct slice);			/* six digits at most, which a float gives back  */
bool	 sql_number_decimal(struct slice, unsigned precision, unsigned scale);	/* DECIMAL(precision, scale) has its value */

#endif
