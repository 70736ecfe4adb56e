/* Credentials: real ones are made here with OpenSSL, then bent. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "supervisor/upstream/creds.h"
#include "supervisor/upstream/nkey.h"

#define CLAIMS_SUB \
	"\"sub\":{\"allow\":[\"_INBOX.>\",\"eds.notify.284e8bdb-9c18-45c3-9f18-844ad70610ef.>\"," \
	"\"dbchange.*.*.6287a4154d1a72cc5ce091bb.*.PUBLIC.>\",\"dbchange.*.*.ABC.*.PUBLIC.>\"," \
	"\"dbchange.*.*.77.*.PUBLIC.>\"]}"

struct pair {
	EVP_PKEY	*key;
	uint8_t		 pub[NKEY_BYTES], seed[NKEY_BYTES];
	char		 pub_text[80], seed_text[80];
};

static void
base32(const uint8_t *p, size_t n, char *out)
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

static void
with_crc(uint8_t *raw, size_t n, char *out)
{
	unsigned crc = 0;

	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned)raw[i] << 8;
		for (int b = 0; b < 8; b++)
			crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
	}
	raw[n] = (uint8_t)crc;
	raw[n + 1] = (uint8_t)(crc >> 8);
	base32(raw, n + 2, out);
}

static void
pair_make(struct pair *p, unsigned kind, uint8_t fill)
{
	uint8_t raw[40];
	size_t n = NKEY_BYTES;

	(void)memset(p->seed, fill, sizeof(p->seed));
	p->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, p->seed, sizeof(p->seed));
	assert_non_null(p->key);
	assert_int_equal(EVP_PKEY_get_raw_public_key(p->key, p->pub, &n), 1);
	raw[0] = (uint8_t)kind;
	(void)memcpy(raw + 1, p->pub, NKEY_BYTES);
	with_crc(raw, 1 + NKEY_BYTES, p->pub_text);
	raw[0] = (uint8_t)(18u << 3 | kind >> 5);
	raw[1] = (uint8_t)((kind & 31u) << 3);
	(void)memcpy(raw + 2, p->seed, NKEY_BYTES);
	with_crc(raw, 2 + NKEY_BYTES, p->seed_text);
}

static void
base64url(struct buf *b, const void *p, size_t n)
{
	struct buf text = { 0 };

	buf_base64(&text, p, n);
	for (size_t i = 0; i < text.len && text.data[i] != '='; i++)
		buf_addc(b, text.data[i] == '+' ? '-' : text.data[i] == '/' ? '_' : (char)text.data[i]);
	buf_free(&text);
}

static void
sign(EVP_PKEY *key, struct slice text, struct buf *jwt)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[64];
	size_t n = sizeof(sig);

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n), 1);
	EVP_MD_CTX_free(ctx);
	buf_addc(jwt, '.');
	base64url(jwt, sig, n);
}

struct fixture {
	struct pair	account, user, other;
};

/* The JWT by the rules of version 1 or 2; `nats` is the inside of that claim. */
static void
jwt_make(struct buf *jwt, const struct fixture *f, int version, const struct pair *issuer, const char *name, const char *nats)
{
	const char *header = version == 1 ? "{\"typ\":\"jwt\",\"alg\":\"ed25519\"}" : "{\"typ\":\"JWT\",\"alg\":\"ed25519-nkey\"}";
	struct buf claims = { 0 }, copy = { 0 };
	size_t dot;

	buf_printf(&claims, "{\"exp\":1999999999,\"iss\":\"%s\",\"sub\":\"%s\",\"name\":\"%s\",%s\"nats\":{%s%s}}",
	    issuer->pub_text, f->user.pub_text, name, version == 1 ? "\"type\":\"user\"," : "",
	    version == 1 ? "" : "\"type\":\"user\",\"version\":2,", nats);
	base64url(jwt, header, strlen(header));
	dot = jwt->len + 1;
	buf_addc(jwt, '.');
	base64url(jwt, claims.data, claims.len);
	buf_adds_slice(&copy, buf_slice(jwt));
	sign(issuer->key, version == 1 ? (struct slice){ (const char *)copy.data + dot, copy.len - dot } : buf_slice(&copy), jwt);
	buf_free(&claims);
	buf_free(&copy);
}

static void
file_make(struct buf *file, struct buf *jwt, const char *seed, const char *eol)
{
	buf_printf(file, "-----BEGIN NATS USER JWT-----%s%s%s------END NATS USER JWT------%s%s", eol, buf_cstr(jwt), eol, eol, eol);
	buf_printf(file, "************************* IMPORTANT *************************%s", eol);
	buf_printf(file, "-----BEGIN USER NKEY SEED-----%s%s%s------END USER NKEY SEED------%s", eol, seed, eol, eol);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	pair_make(&f->account, NKEY_ACCOUNT, 1);
	pair_make(&f->user, NKEY_USER, 2);
	pair_make(&f->other, NKEY_USER, 3);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	EVP_PKEY_free(f->account.key);
	EVP_PKEY_free(f->user.key);
	EVP_PKEY_free(f->other.key);
	free(f);
	return 0;
}

static void
expect_good(struct slice file, const char *seed)
{
	struct creds c;
	struct err err = { 0 };

	if (creds_parse(&c, file, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(c.server_id, "6a0f");
	assert_string_equal(c.session_id, "284e8bdb-9c18-45c3-9f18-844ad70610ef");
	assert_string_equal(c.company_ids[0], "6287a4154d1a72cc5ce091bb");
	assert_string_equal(c.company_ids[1], "77");
	assert_null(c.company_ids[2]);
	assert_int_equal(c.expires_at, 1999999999);
	if (seed == NULL)
		assert_null(c.seed);
	else
		assert_string_equal(c.seed, seed);
	creds_free(&c);
	assert_null(c.jwt);
}

static void
expect_bad(struct slice file, const char *text, const struct fixture *f)
{
	struct creds c;
	struct err err = { 0 };

	assert_int_equal(creds_parse(&c, file, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.text, text);
	assert_null(strstr(err.text, f->user.seed_text));
	assert_null(c.jwt);
	assert_null(c.seed);
}

static void
decorated_files_of_both_versions_and_line_ends_are_read(void **state)
{
	const struct fixture *f = *state;

	for (int version = 1; version <= 2; version++) {
		for (int crlf = 0; crlf < 2; crlf++) {
			struct buf jwt = { 0 }, file = { 0 };

			jwt_make(&jwt, f, version, &f->account, "6a0f", CLAIMS_SUB);
			file_make(&file, &jwt, f->user.seed_text, crlf ? "\r\n" : "\n");
			expect_good(buf_slice(&file), f->user.seed_text);
			buf_free(&jwt);
			buf_free(&file);
		}
	}
}

static void
a_bare_jwt_has_no_seed(void **state)
{
	const struct fixture *f = *state;
	struct buf jwt = { 0 };

	jwt_make(&jwt, f, 2, &f->account, "6a0f", CLAIMS_SUB);
	buf_adds(&jwt, "\n");
	expect_good(buf_slice(&jwt), NULL);
	buf_free(&jwt);
}

static void
an_altered_claim_breaks_the_signature(void **state)
{
	const struct fixture *f = *state;

	for (int version = 1; version <= 2; version++) {
		struct buf good = { 0 }, evil = { 0 }, mixed = { 0 };
		struct slice g, e, g_parts[3], e_parts[3];

		jwt_make(&good, f, version, &f->account, "6a0f", CLAIMS_SUB);
		jwt_make(&evil, f, version, &f->account, "7b10", CLAIMS_SUB);
		g = buf_slice(&good);
		e = buf_slice(&evil);
		for (int i = 0; i < 3; i++) {
			assert_true(slice_cut(&g, '.', &g_parts[i]));
			assert_true(slice_cut(&e, '.', &e_parts[i]));
		}
		buf_printf(&mixed, SLICE_FMT "." SLICE_FMT "." SLICE_FMT, SLICE_ARG(g_parts[0]), SLICE_ARG(e_parts[1]),
		    SLICE_ARG(g_parts[2]));
		expect_bad(buf_slice(&mixed), "the credential's signature does not fit: it is damaged or was altered", f);
		buf_free(&good);
		buf_free(&evil);
		buf_free(&mixed);
	}
}

static void
bent_files_are_refused_with_the_reason(void **state)
{
	const struct fixture *f = *state;
	static const struct {
		const char *name, *nats, *text;
		bool	    user_issues;
		int	    seed;		/* 0 right, 1 another user's, 2 damaged, 3 missing, 4 the account's */
	} cases[] = {
		{ "", CLAIMS_SUB, "missing server id in credential", false, 0 },
		{ "6a0f", "\"sub\":{\"allow\":[\"_INBOX.>\"]}",
		    "the credential allows no company's events (no dbchange.*.*.<company>. subject)", false, 0 },
		{ "6a0f", "\"pub\":{}",
		    "the credential allows no company's events (no dbchange.*.*.<company>. subject)", false, 0 },
		{ "6a0f", CLAIMS_SUB, "the credential was not issued by a NATS account", true, 0 },
		{ "6a0f", CLAIMS_SUB, "the credential's seed does not belong to its JWT", false, 1 },
		{ "6a0f", CLAIMS_SUB, "the credential's seed is not that of a NATS user: it is damaged", false, 2 },
		{ "6a0f", CLAIMS_SUB, "the credential has a JWT but no seed block after it", false, 3 },
		{ "6a0f", CLAIMS_SUB, "the credential's seed is not that of a NATS user: it is damaged", false, 4 },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf jwt = { 0 }, file = { 0 };
		char seed[80];

		(void)memcpy(seed, cases[i].seed == 1 ? f->other.seed_text : cases[i].seed == 4 ? f->account.seed_text :
		    f->user.seed_text, sizeof(seed));
		if (cases[i].seed == 2)
			seed[20] = seed[20] == 'A' ? 'B' : 'A';
		jwt_make(&jwt, f, 2, cases[i].user_issues ? &f->other : &f->account, cases[i].name, cases[i].nats);
		file_make(&file, &jwt, seed, "\n");
		if (cases[i].seed == 3)
			file.len = (size_t)(strstr(buf_cstr(&file), "****") - buf_cstr(&file));
		expect_bad(buf_slice(&file), cases[i].text, f);
		buf_free(&jwt);
		buf_free(&file);
	}
}

static void
what_is_no_jwt_is_refused(void **state)
{
	static const struct {
		const char *file, *text;
	} cases[] = {
		{ "", "the credential is empty" },
		{ " \r\n", "the credential is empty" },
		{ "a.b", "the credential holds no JWT (three parts with dots between)" },
		{ "a.b.c.d", "the credential holds no JWT (three parts with dots between)" },
		{ "!!.e30.e30", "the credential's JWT header is not base64url" },
		{ "e30.W10.e30", "the credential's JWT claims part is not a JSON object" },
		{ "e30.e30.e30", "the credential's header does not say that it is a JWT" },
		{ "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.e30.e30", "the credential's JWT is not signed with a NATS key (ed25519)" },
	};

	for (size_t i = 0; i < NELEM(cases); i++)
		expect_bad(slice_of(cases[i].file), cases[i].text, *state);
}

static void
subjects_yield_companies_and_sessions(void **state)
{
	json_t *root = json_load_file("tests/vectors/misc.json", 0, NULL), *item;
	size_t i;

	(void)state;
	assert_non_null(root);
	assert_true(json_array_size(json_object_get(root, "credentialSubjects")) >= 5);
	json_array_foreach(json_object_get(root, "credentialSubjects"), i, item) {
		struct slice subject = slice_of(json_string_value(json_object_get(item, "subject")));
		struct slice company = slice_of(json_string_value(json_object_get(item, "company")));
		struct slice session = slice_of(json_string_value(json_object_get(item, "session")));

		assert_true(slice_eq(creds_company_of(subject), company));
		assert_true(slice_eq(creds_session_of(subject), session));
		assert_int_equal(creds_company_of(subject).p == NULL, company.p == NULL);
		assert_int_equal(creds_session_of(subject).p == NULL, session.p == NULL);
	}
	json_decref(root);
}

static void
an_nkey_with_a_wrong_letter_or_kind_is_refused(void **state)
{
	const struct fixture *f = *state;
	uint8_t key[NKEY_BYTES];
	char text[80];

	assert_true(nkey_public(slice_of(f->user.pub_text), NKEY_USER, key));
	assert_memory_equal(key, f->user.pub, NKEY_BYTES);
	assert_false(nkey_public(slice_of(f->user.pub_text), NKEY_ACCOUNT, key));
	for (size_t i = 0; i < strlen(f->user.pub_text); i++) {
		(void)memcpy(text, f->user.pub_text, sizeof(text));
		text[i] = text[i] == '7' ? '6' : '7';
		if (i + 1 == strlen(text) && strncmp(text, f->user.pub_text, i) == 0)
			text[i] = '1';	/* the last letter has spare bits: use one outside the alphabet */
		assert_false(nkey_public(slice_of(text), NKEY_USER, key));
	}
	assert_false(nkey_seed(slice_of(f->user.pub_text), NKEY_USER, key));
	assert_false(nkey_public(SLICE(""), NKEY_USER, key));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decorated_files_of_both_versions_and_line_ends_are_read),
		cmocka_unit_test(a_bare_jwt_has_no_seed),
		cmocka_unit_test(an_altered_claim_breaks_the_signature),
		cmocka_unit_test(bent_files_are_refused_with_the_reason),
		cmocka_unit_test(what_is_no_jwt_is_refused),
		cmocka_unit_test(subjects_yield_companies_and_sessions),
		cmocka_unit_test(an_nkey_with_a_wrong_letter_or_kind_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
