/* Hashes, with everything prepared that can be. */

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "drivers/s3/sha256.h"

bool
sha256_of(struct sha256 *s, struct slice text, uint8_t out[SHA256_BYTES])
{
	if (s->md == NULL && (s->md = EVP_MD_fetch(NULL, "SHA256", NULL)) == NULL)
		return false;
	if (s->plain == NULL && (s->plain = EVP_MD_CTX_new()) == NULL)
		return false;
	return EVP_DigestInit_ex2(s->plain, s->md, NULL) == 1 && EVP_DigestUpdate(s->plain, text.p, text.n) == 1 &&
	    EVP_DigestFinal_ex(s->plain, out, NULL) == 1;
}

static EVP_MAC_CTX *
new_mac(void)
{
	EVP_MAC		*mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX	*ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac);		/* the context keeps it */
	return ctx;
}

bool
sha256_key(struct sha256 *s, const void *key, size_t n)
{
	char		 name[] = "SHA256";
	OSSL_PARAM	 with[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end() };

	if (s->keyed == NULL && (s->keyed = new_mac()) == NULL)
		return false;
	return EVP_MAC_init(s->keyed, key, n, with) == 1;
}

bool
sha256_mac(struct sha256 *s, struct slice text, uint8_t out[SHA256_BYTES])
{
	size_t	 n;

	return EVP_MAC_init(s->keyed, NULL, 0, NULL) == 1 && EVP_MAC_update(s->keyed, (const unsigned char *)text.p, text.n) == 1 &&
	    EVP_MAC_final(s->keyed, out, &n, SHA256_BYTES) == 1;
}

void
sha256_free(struct sha256 *s)
{
	EVP_MAC_CTX_free(s->keyed);
	EVP_MD_CTX_free(s->plain);
	EVP_MD_free(s->md);
	*s = (struct sha256){ 0 };
}
