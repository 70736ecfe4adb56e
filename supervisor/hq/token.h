#ifndef EDS_TOKEN_H
#define EDS_TOKEN_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * The API URL that a token names (claim `iss`), "" when it names none.  Looks at
 * the token's form only (contract/hq-api.md section 2): HQ checks the signature.
 * ERR_AUTH, "invalid API key. <reason>", never with the token in it.
 */
int	 token_api_url(struct slice token, struct buf *url, struct err *) MUST_CHECK;

/* "https://..." for the first letter of an enrolment code; NULL when it is none of them. */
const char *enrol_api_url(struct slice code);

/* {api}/v3/eds/internal/enroll/{code} */
void	 enrol_url(struct buf *, const char *api_url, struct slice code);

#endif
