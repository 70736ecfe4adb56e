#ifndef EDS_NOTICE_H
#define EDS_NOTICE_H

#include <jansson.h>

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* A message of HQ to this server: what to do, and the details (contract/hq-control.md section 2). */
struct notice {
	json_t		*doc;
	const char	*action;	/* in doc */
	const json_t	*data;		/* in doc; an object, or NULL */
};

#define NOTICE_MAX	(1u << 20)	/* bytes, packed and unpacked */

/*
 * Decodes by the header content-encoding: "gzip/json", "msgpack", anything else is JSON.
 * ERR_INVALID and what was expected, when it is none of our messages; never quotes it.
 */
int	 notice_decode(struct notice *, struct slice payload, struct slice encoding, struct err *) MUST_CHECK;
void	 notice_free(struct notice *);

/* A text of the details, NULL when it is not there or no text. */
const char *notice_text(const struct notice *, const char *key);

/* True, or the text "true" (section 2). */
bool	 notice_bool(const struct notice *, const char *key);

#endif
