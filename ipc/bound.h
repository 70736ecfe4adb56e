#ifndef EDS_BOUND_H
#define EDS_BOUND_H

#include "ipc/base/err.h"
#include "ipc/base/slice.h"

#define BOUND_DEPTH	8		/* lists and maps inside each other        */
#define BOUND_ITEMS	(512u << 10)	/* members of all lists and maps together  */

/*
 * The bytes are exactly one well-formed msgpack value, whose lengths and
 * counts are covered by the bytes that are there, and which stays below the
 * two limits.  Otherwise ERR_INVALID.  Allocates nothing and does not recurse.
 */
int	 bound_check(struct slice, struct err *) MUST_CHECK;

#endif
