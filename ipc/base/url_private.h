#ifndef EDS_URL_PRIVATE_H
#define EDS_URL_PRIVATE_H

#include "ipc/base/url.h"

/* For url.c and mask.c: a URL cut into its parts, which are checked but still percent-encoded. */
struct url_parts {
	struct slice	 scheme;
	struct slice	 user, password;	/* p == NULL: absent */
	struct slice	 authority;		/* host and port as written, brackets included */
	struct slice	 host, port;		/* host without brackets */
	struct slice	 path, query, fragment;
};

int	 url_split(struct slice, struct url_parts *, struct err *) MUST_CHECK;

/* Appends the decoded text; false at a bad escape or an encoded NUL. */
bool	 url_decode(struct buf *, struct slice, bool plus_is_space);

#endif
