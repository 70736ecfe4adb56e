/* NATS keys: from their text to ed25519 and back to "does it fit". */

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "supervisor/upstream/nkey.h"

#define SEED_PREFIX	(18u << 3)
#define RAW_MAX		(2 + NKEY_BYTES + 2)	/* a seed's two prefix bytes, the key, the check sum */

static int
base32_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	return -1;
}

/* Number of bytes, 0 when the text is not base32 without padding or does not fit. */
static size_t
base32_decode(struct slice text, uint8_t out[RAW_MAX])
{
	uint32_t	 acc = 0;
	unsigned	 bits = 0;
	size_t		 n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int v = base32_value(text.p[i]);

		if (v < 0)
			return 0;
		acc = (acc << 5 | (uint32_t)v) & 0xfff;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			if (n == RAW_MAX)
				return 0;
			out[n++] = (uint8_t)(acc >> bits);
		}
	}
	return n;
}

static uint16_t
crc16_xmodem(const uint8_t *p, size_t n)
{
	uint16_t	 crc = 0;

	while (n-- > 0) {
		crc ^= (uint16_t)((unsigned)*p++ << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 0x8000 ? (unsigned)crc << 1 ^ 0x1021u : (unsigned)crc << 1);
	}
	return crc;
}

/* The bytes in front of a check sum that fits; 0 otherwise. */
static size_t
checked(struct slice text, uint8_t raw[RAW_MAX])
{
	size_t	 n = base32_decode(text, raw);

	if (n < 3 || crc16_xmodem(raw, n - 2) != (raw[n - 2] | (unsigned)raw[n - 1] << 8))
		return 0;
	return n - 2;
}

bool
nkey_public(struct slice text, unsigned kind, uint8_t key_r[NKEY_BYTES])
{
	uint8_t	 raw[RAW_MAX];

	if (checked(text, raw) != 1 + NKEY_BYTES || raw[0] != kind)
		return false;
	(void)memcpy(key_r, raw + 1, NKEY_BYTES);
	return true;
}

bool
nkey_seed(struct slice text, unsigned kind, uint8_t seed_r[NKEY_BYTES])
{
	uint8_t	 raw[RAW_MAX];
	bool	 ok;

	ok = checked(text, raw) == 2 + NKEY_BYTES &&
	    (raw[0] & 0xf8) == SEED_PREFIX && ((raw[0] & 7u) << 5 | raw[1] >> 3) == kind;
	if (ok)
		(void)memcpy(seed_r, raw + 2, NKEY_BYTES);
	OPENSSL_cleanse(raw, sizeof(raw));
	return ok;
}

bool
nkey_verify(const uint8_t key[NKEY_BYTES], struct slice text, struct slice signature)
{
	EVP_PKEY	*pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, NKEY_BYTES);
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	bool		 ok;

	ok = pkey != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
	    (const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok;
}

bool
nkey_seed_to_public(const uint8_t seed[NKEY_BYTES], uint8_t key_r[NKEY_BYTES])
{
	EVP_PKEY	*pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, NKEY_BYTES);
	size_t		 n = NKEY_BYTES;
	bool		 ok;

	ok = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, key_r, &n) == 1 && n == NKEY_BYTES;
	EVP_PKEY_free(pkey);
	return ok;
}
