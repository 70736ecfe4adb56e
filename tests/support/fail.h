#ifndef EDS_TEST_FAIL_H
#define EDS_TEST_FAIL_H

#include <stdbool.h>

/*
 * Makes one call fail: the n-th allocation of our own code, or the n-th write or
 * sync of anybody, LMDB included.  A sweep raises n until the whole operation needs fewer calls:
 *
 *	for (unsigned long n = 1; fail_at(FAIL_ALLOC, n), operate(), fail_happened(); n++)
 *		see what is left;
 */
enum fail_kind { FAIL_ALLOC, FAIL_WRITE, FAIL_SHORT_WRITE };

void	 fail_at(enum fail_kind, unsigned long n);	/* counted from now on, from 1 */
bool	 fail_happened(void);				/* ends it: no call fails any more */

#endif
