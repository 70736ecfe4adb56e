#ifndef EDS_RULES_NUMBER_H
#define EDS_RULES_NUMBER_H

#include "ipc/base/slice.h"

/*
 * A number as it stands in JSON, exact whatever its size: 0.d1d2d3... times ten to
 * the power of `point`, without zeros at either end of the digits.
 */
struct number {
	bool		 negative;
	const char	*p;		/* the first digit that is not 0; one dot may stand among them */
	uint32_t	 n;		/* digits; 0: the number is 0 */
	uint32_t	 dot;		/* place of the dot among the digits; n or more: there is none */
	int64_t		 point;
};

void	 number_read(struct number *, struct slice text);	/* a text that json_scan() takes for a number */
int	 number_cmp(const struct number *, const struct number *);
bool	 number_is_integer(const struct number *);		/* 1.0 and 1e3 are */
uint64_t number_hash(const struct number *);			/* the same for equal numbers */

/* The integer it is; false when it is none, negative, or too large. */
bool	 number_u64(const struct number *, uint64_t *out_r) MUST_CHECK;

#define NUMBER_DIVISOR_DIGITS	18u

/* Whether `a` is a whole multiple of `b`, which is above 0 and has NUMBER_DIVISOR_DIGITS at most. */
bool	 number_is_multiple(const struct number *a, const struct number *b);

#endif
