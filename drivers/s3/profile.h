#ifndef EDS_S3_PROFILE_H
#define EDS_S3_PROFILE_H

#include "ipc/base/err.h"
#include "ipc/base/slice.h"

/* One profile of AWS's shared files, ~/.aws/credentials and ~/.aws/config.  Members are NULL where nothing is said. */
struct profile {
	bool	 found;
	char	*access_key, *secret, *token;
	char	*region, *endpoint_url;
	char	*role_arn, *role_session_name, *external_id, *source_profile, *web_identity_token_file;
	char	*credential_source, *credential_process, *sso_session, *sso_start_url;
};

/*
 * Takes from a file's text what belongs to the profile and is not known yet.  In the config file sections are
 * named [profile x], except for [default].  Lines that are none are skipped, as the SDKs do.  -1: no memory.
 */
int	 profile_parse(struct profile *, struct slice text, bool config_file, const char *name, struct err *) MUST_CHECK;

/*
 * Reads both files: AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, or those in the home directory.
 * A file that is not there is an empty one; one that cannot be read is an error.
 */
int	 profile_load(struct profile *, const char *name, struct err *) MUST_CHECK;
void	 profile_free(struct profile *);

/* The whole of a small file; ERR_NOTFOUND when it is not there. */
int	 profile_read_file(const char *path, char **text_r, struct err *) MUST_CHECK;

#endif
