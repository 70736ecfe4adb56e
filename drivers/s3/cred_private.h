#ifndef EDS_S3_CRED_PRIVATE_H
#define EDS_S3_CRED_PRIVATE_H

#include "drivers/http/https.h"
#include "drivers/s3/cred.h"
#include "drivers/s3/profile.h"

enum cred_found { CRED_FOUND, CRED_NONE, CRED_FAILED };

struct cred_chain {
	struct cred_options	 options;
	struct https		*https;
	struct https		*direct;	/* through no proxy, for metadata */
	struct cred		 cred;
	bool			 doubted;
	int64_t			 retry_at_ms;	/* mono; a refresh that failed is not repeated before */
};

/* cred_parse.c: what servers answer, without a network. */
int	 cred_parse_json(struct slice body, struct cred *, struct err *) MUST_CHECK;	/* container, IMDS */
int	 cred_parse_sts(struct slice body, struct cred *, struct err *) MUST_CHECK;
int	 cred_set(struct cred *, struct slice access_key, struct slice secret, struct slice token, struct err *) MUST_CHECK;

/* cred_sts.c */
enum cred_found	 cred_web_identity(struct cred_chain *, struct cred *, struct err *);
enum cred_found	 cred_of_profile(struct cred_chain *, struct cred *, struct err *);

/* cred_metadata.c */
enum cred_found	 cred_container(struct cred_chain *, struct cred *, struct err *);
enum cred_found	 cred_instance(struct cred_chain *, struct cred *, struct err *);

const char	*cred_variable(const char *name);	/* of the environment; NULL when unset or empty */

#endif
