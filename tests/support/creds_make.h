#ifndef EDS_CREDS_MAKE_H
#define EDS_CREDS_MAKE_H

/* Real NATS credentials, made with OpenSSL: for tests that need a signature that fits. */

#include <openssl/evp.h>

#include "ipc/base/buf.h"
#include "supervisor/upstream/nkey.h"
#include "tests/support/cmocka_all.h"

#define CREDS_SUB \
	"\"sub\":{\"allow\":[\"_INBOX.>\",\"eds.notify.284e8bdb-9c18-45c3-9f18-844ad70610ef.>\"," \
	"\"dbchange.*.*.6287a4154d1a72cc5ce091bb.*.PUBLIC.>\",\"dbchange.*.*.ABC.*.PUBLIC.>\"," \
	"\"dbchange.*.*.77.*.PUBLIC.>\"]}"

struct creds_pair {
	EVP_PKEY	*key;
	uint8_t		 pub[NKEY_BYTES], seed[NKEY_BYTES];
	char		 pub_text[80], seed_text[80];
};

struct creds_keys {
	struct creds_pair	account, user, other;
};

static inline void
creds_base32(const uint8_t *p, size_t n, char *out)
{
	unsigned acc = 0, bits = 0;

	for (size_t i = 0; i < n; i++) {
		acc = (acc << 8 | p[i]) & 0xfff;
		for (bits += 8; bits >= 5; bits -= 5)
			*out++ = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[acc >> (bits - 5) & 31];
	}
	if (bits > 0)
		*out++ = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[acc << (5 - bits) & 31];
	*out = '\0';
}

static inline void
creds_with_crc(uint8_t *raw, size_t n, char *out)
{
	unsigned crc = 0;

	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned)raw[i] << 8;
		for (int b = 0; b < 8; b++)
			crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
	}
	raw[n] = (uint8_t)crc;
	raw[n + 1] = (uint8_t)(crc >> 8);
	creds_base32(raw, n + 2, out);
}

static inline void
creds_pair_make(struct creds_pair *p, unsigned kind, uint8_t fill)
{
	uint8_t raw[40];
	size_t n = NKEY_BYTES;

	(void)memset(p->seed, fill, sizeof(p->seed));
	p->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, p->seed, sizeof(p->seed));
	assert_non_null(p->key);
	assert_int_equal(EVP_PKEY_get_raw_public_key(p->key, p->pub, &n), 1);
	raw[0] = (uint8_t)kind;
	(void)memcpy(raw + 1, p->pub, NKEY_BYTES);
	creds_with_crc(raw, 1 + NKEY_BYTES, p->pub_text);
	raw[0] = (uint8_t)(18u << 3 | kind >> 5);
	raw[1] = (uint8_t)((kind & 31u) << 3);
	(void)memcpy(raw + 2, p->seed, NKEY_BYTES);
	creds_with_crc(raw, 2 + NKEY_BYTES, p->seed_text);
}

static inline void
creds_base64url(struct buf *b, const void *p, size_t n)
{
	struct buf text = { 0 };

	buf_base64(&text, p, n);
	for (size_t i = 0; i < text.len && text.data[i] != '='; i++)
		buf_addc(b, text.data[i] == '+' ? '-' : text.data[i] == '/' ? '_' : (char)text.data[i]);
	buf_free(&text);
}

static inline void
creds_sign(EVP_PKEY *key, struct slice text, struct buf *jwt)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[64];
	size_t n = sizeof(sig);

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n), 1);
	EVP_MD_CTX_free(ctx);
	buf_addc(jwt, '.');
	creds_base64url(jwt, sig, n);
}

/* The JWT by the rules of version 1 or 2; `nats` is the inside of that claim. */
static inline void
creds_jwt_make(struct buf *jwt, const struct creds_keys *f, int version, const struct creds_pair *issuer, const char *name, const char *nats)
{
	const char *header = version == 1 ? "{\"typ\":\"jwt\",\"alg\":\"ed25519\"}" : "{\"typ\":\"JWT\",\"alg\":\"ed25519-nkey\"}";
	struct buf claims = { 0 }, copy = { 0 };
	size_t dot;

	buf_printf(&claims, "{\"exp\":1999999999,\"iss\":\"%s\",\"sub\":\"%s\",\"name\":\"%s\",%s\"nats\":{%s%s}}",
	    issuer->pub_text, f->user.pub_text, name, version == 1 ? "\"type\":\"user\"," : "",
	    version == 1 ? "" : "\"type\":\"user\",\"version\":2,", nats);
	creds_base64url(jwt, header, strlen(header));
	dot = jwt->len + 1;
	buf_addc(jwt, '.');
	creds_base64url(jwt, claims.data, claims.len);
	buf_adds_slice(&copy, buf_slice(jwt));
	creds_sign(issuer->key, version == 1 ? (struct slice){ (const char *)copy.data + dot, copy.len - dot } : buf_slice(&copy), jwt);
	buf_free(&claims);
	buf_free(&copy);
}

static inline void
creds_file_make(struct buf *file, struct buf *jwt, const char *seed, const char *eol)
{
	buf_printf(file, "-----BEGIN NATS USER JWT-----%s%s%s------END NATS USER JWT------%s%s", eol, buf_cstr(jwt), eol, eol, eol);
	buf_printf(file, "************************* IMPORTANT *************************%s", eol);
	buf_printf(file, "-----BEGIN USER NKEY SEED-----%s%s%s------END USER NKEY SEED------%s", eol, seed, eol, eol);
}

static inline void
creds_keys_make(struct creds_keys *f)
{
	creds_pair_make(&f->account, NKEY_ACCOUNT, 1);
	creds_pair_make(&f->user, NKEY_USER, 2);
	creds_pair_make(&f->other, NKEY_USER, 3);
}

static inline void
creds_keys_free(struct creds_keys *f)
{
	EVP_PKEY_free(f->account.key);
	EVP_PKEY_free(f->user.key);
	EVP_PKEY_free(f->other.key);
}

#endif
