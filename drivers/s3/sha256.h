#ifndef EDS_S3_SHA256_H
#define EDS_S3_SHA256_H

#include <openssl/evp.h>

#include "ipc/base/slice.h"

/*
 * SHA-256 and HMAC with it, many times over.  The algorithm is looked up once and a key is prepared once:
 * OpenSSL's one-shot functions do both each time, which takes longer than a small text itself.
 * `{ 0 }` is ready for use.  False: memory is short.
 */
struct sha256 {
	EVP_MD		*md;
	EVP_MD_CTX	*plain;
	EVP_MAC_CTX	*keyed;
};

#define SHA256_BYTES	32

bool	 sha256_of(struct sha256 *, struct slice, uint8_t out_r[SHA256_BYTES]) MUST_CHECK;
bool	 sha256_key(struct sha256 *, const void *key, size_t n) MUST_CHECK;	/* for those that follow */
bool	 sha256_mac(struct sha256 *, struct slice, uint8_t out_r[SHA256_BYTES]) MUST_CHECK;
void	 sha256_free(struct sha256 *);			/* the key is wiped */

#endif
