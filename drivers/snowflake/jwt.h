#ifndef EDS_SNOWFLAKE_JWT_H
#define EDS_SNOWFLAKE_JWT_H

#include "drivers/snowflake/account.h"

/* Key-pair sign-in (contract/snowflake.md section 3.4). */
struct snow_key;

/*
 * PEM text: PKCS#8, encrypted PKCS#8 with a passphrase, or PKCS#1; RSA of 2048 bits at least.  Line ends may have become
 * "\n" in letters, or blanks, on the way through an environment variable.
 */
int	 snow_key_parse(struct snow_key **, struct slice pem, const char *passphrase, struct err *) MUST_CHECK;

/* From the environment variable or the file that the account names. */
int	 snow_key_load(struct snow_key **, const struct snow_account *, struct err *) MUST_CHECK;
void	 snow_key_free(struct snow_key **);

/* "SHA256:..." as DESC USER shows it. */
void	 snow_key_fingerprint(struct buf *, const struct snow_key *);

/* A token of that account and user, good from `iat` (epoch seconds) for `lifetime_s`. */
int	 snow_jwt(struct buf *, const struct snow_key *, const char *account_name, const char *user, int64_t iat,
    unsigned lifetime_s, struct err *) MUST_CHECK;

#endif
