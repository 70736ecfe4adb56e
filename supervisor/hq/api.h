#ifndef EDS_API_H
#define EDS_API_H

#include <jansson.h>

#include "supervisor/hq/http.h"

/*
 * HQ's answers.  `context` is one of contract/hq-api.md section 1.1: "session start", "enroll" ...
 * Code of *err: ERR_TEMPORARY when the next attempt may fare better, ERR_AUTH for 401 and 403,
 * ERR_NOTFOUND for 404, ERR_CONFLICT for 409, ERR_INVALID otherwise.
 */

/* The text for an answer that is no success. */
int	 api_error(const struct http_response *, const char *context, struct err *);

/* {"success":true,"data":{...}}: its data, for the caller to json_decref(); NULL and *err otherwise. */
json_t	*api_data(const struct http_response *, const char *context, struct err *) MUST_CHECK;

#endif
