#ifndef EDS_S3_CRED_H
#define EDS_S3_CRED_H

#include "ipc/base/err.h"
#include "ipc/base/log.h"
#include "ipc/base/slice.h"

/*
 * Credentials, from the first place that has some (contract/s3.md section 8):
 *
 *	1. the URL
 *	2. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *	3. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, at STS
 *	4. the profile in the shared credentials and config files, with its role_arn if it has one
 *	5. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS Pod Identity)
 *	6. the instance's role, by IMDSv2
 *
 * Those that expire are fetched again while the old ones are still good.
 */
struct cred {
	char	*access_key, *secret;
	char	*token;			/* NULL: none */
	int64_t	 obtained_ms;
	int64_t	 expires_ms;		/* epoch; 0: never */
	bool	 of_sts;		/* fetched again 10 minutes before the end instead of 5 */
};

struct cred_options {
	const char		*access_key, *secret, *token;	/* of the URL; NULL: none */
	const char		*profile;			/* NULL: "default"        */
	const char		*region;			/* for STS                */
	const char		*ca_file;
	bool			 local;		/* a service on this machine: no look at instance metadata, any key will do */
	const struct log	*log;
	bool			(*stopping)(void *ctx);
	void			*ctx;
};

struct cred_chain;

int	 cred_chain_new(struct cred_chain **, const struct cred_options *, struct err *) MUST_CHECK;
void	 cred_chain_free(struct cred_chain **);

/*
 * Credentials that are good now; may wait for a server.  *cred_r lives until the next call.  ERR_CONFIG: there are
 * none, or what there is cannot be used; ERR_AUTH: a server refuses to give any; otherwise time may mend it.
 */
int	 cred_get(struct cred_chain *, const struct cred **cred_r, struct err *) MUST_CHECK;

/* The service does not take them: the next cred_get() asks anew where they came from. */
void	 cred_doubt(struct cred_chain *);

void	 cred_clear(struct cred *);	/* wipes and frees */

#endif
