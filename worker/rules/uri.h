#ifndef EDS_RULES_URI_H
#define EDS_RULES_URI_H

#include "ipc/base/buf.h"

/* What RFC 3986 says about references: nothing is fetched here, URIs are names of schemas. */

/* The part before `#`; *fragment_r is what is behind it, absent without one. */
struct slice uri_cut_fragment(struct slice uri, struct slice *fragment_r);

/* `ref` as seen from `base`, section 5.2, appended; without any fragment. */
void	 uri_resolve(struct buf *, struct slice base, struct slice ref);

/* Percent escapes become the bytes they stand for; false: a bad one. */
bool	 uri_unescape(struct buf *, struct slice) MUST_CHECK;

bool	 uri_has_scheme(struct slice, size_t *n_r);	/* n: its length */

#endif
