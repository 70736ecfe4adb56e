#ifndef EDS_SLICE_H
#define EDS_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ipc/base/compiler.h"

/* Bytes that belong to somebody else, not ended by NUL.  p == NULL means "absent". */
struct slice {
	const char	*p;
	size_t		 n;
};

#define SLICE(lit)	((struct slice){ (lit), sizeof(lit) - 1 })
#define SLICE_FMT	"%.*s"
#define SLICE_ARG(s)	(int)(s).n, (s).p == NULL ? "" : (s).p

static inline struct slice
slice_of(const char *cstr)
{
	return (struct slice){ cstr, cstr == NULL ? 0 : strlen(cstr) };
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool
slice_is(struct slice a, const char *cstr)
{
	return slice_eq(a, slice_of(cstr));
}

/* A NUL-ended copy for the caller to free(); NULL when memory is short. */
char	*slice_dup(struct slice) MUST_CHECK;

/* Decimal digits only, the whole slice, no overflow; false otherwise. */
bool	 slice_u64(struct slice, uint64_t *out_r) MUST_CHECK;
bool	 slice_i64(struct slice, int64_t *out_r) MUST_CHECK;

/* Cuts the part before `sep` off the front of *rest; false when *rest was absent or used up. */
bool	 slice_cut(struct slice *rest, char sep, struct slice *part_r);
struct slice slice_trim(struct slice);		/* without ASCII white space at both ends */

/* The whole text is well-formed UTF-8 (no surrogates, no overlong forms). */
bool	 slice_is_utf8(struct slice);

#endif
