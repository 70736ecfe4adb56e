#ifndef EDS_CREDS_H
#define EDS_CREDS_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* A NATS creds file taken apart and verified (contract/nats.md section 1.1). */
struct creds {
	char	*jwt;
	char	*seed;			/* secret; NULL for a bare JWT */
	char	*server_id;		/* claim `name`                */
	char	*session_id;		/* "" when none                */
	char	**company_ids;		/* at least one; NULL-ended    */
	int64_t	 expires_at;		/* epoch seconds, 0: never     */
};

/* ERR_INVALID and what is wrong, never with the seed or the JWT in it.  Signature verified with OpenSSL. */
int	 creds_parse(struct creds *, struct slice file, struct err *) MUST_CHECK;
void	 creds_free(struct creds *);		/* wipes the seed */

/* Subject patterns; absent when it is neither. */
struct slice creds_company_of(struct slice subject);
struct slice creds_session_of(struct slice subject);

#endif
