#ifndef EDS_SNOWFLAKE_CRYPT_H
#define EDS_SNOWFLAKE_CRYPT_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* Files encrypted before they go to a stage that wants it (contract/snowflake.md section 8). */
struct snow_envelope {
	char	key[128];	/* the file's key, wrapped; base64 */
	char	iv[32];		/* base64 */
	unsigned bits;		/* of the key: 128 or 256 */
};

/*
 * Writes the encrypted content to a descriptor.  `master` is queryStageMasterKey.  File key and IV are drawn at random;
 * tests give theirs in `fixed`, key and then IV.
 */
int	 snow_encrypt(struct snow_envelope *, int fd, struct slice content, struct slice master, const uint8_t *fixed,
    struct err *) MUST_CHECK;

/* Base64 of SHA-256. */
int	 snow_digest(char out_r[48], struct slice content, struct err *) MUST_CHECK;

#endif
