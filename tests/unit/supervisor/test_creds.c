/* Credentials: real ones are made here with OpenSSL, then bent. */

#include "tests/support/creds_make.h"

#include <jansson.h>
#include <stdlib.h>

#include "supervisor/upstream/creds.h"

static int
setup(void **state)
{
	struct creds_keys *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	creds_keys_make(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct creds_keys *f = *state;

	creds_keys_free(f);
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
expect_bad(struct slice file, const char *text, const struct creds_keys *f)
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
	const struct creds_keys *f = *state;

	for (int version = 1; version <= 2; version++) {
		for (int crlf = 0; crlf < 2; crlf++) {
			struct buf jwt = { 0 }, file = { 0 };

			creds_jwt_make(&jwt, f, version, &f->account, "6a0f", CREDS_SUB);
			creds_file_make(&file, &jwt, f->user.seed_text, crlf ? "\r\n" : "\n");
			expect_good(buf_slice(&file), f->user.seed_text);
			buf_free(&jwt);
			buf_free(&file);
		}
	}
}

static void
a_bare_jwt_has_no_seed(void **state)
{
	const struct creds_keys *f = *state;
	struct buf jwt = { 0 };

	creds_jwt_make(&jwt, f, 2, &f->account, "6a0f", CREDS_SUB);
	buf_adds(&jwt, "\n");
	expect_good(buf_slice(&jwt), NULL);
	buf_free(&jwt);
}

static void
an_altered_claim_breaks_the_signature(void **state)
{
	const struct creds_keys *f = *state;

	for (int version = 1; version <= 2; version++) {
		struct buf good = { 0 }, evil = { 0 }, mixed = { 0 };
		struct slice g, e, g_parts[3], e_parts[3];

		creds_jwt_make(&good, f, version, &f->account, "6a0f", CREDS_SUB);
		creds_jwt_make(&evil, f, version, &f->account, "7b10", CREDS_SUB);
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
	const struct creds_keys *f = *state;
	static const struct {
		const char *name, *nats, *text;
		bool	    user_issues;
		int	    seed;		/* 0 right, 1 another user's, 2 damaged, 3 missing, 4 the account's */
	} cases[] = {
		{ "", CREDS_SUB, "missing server id in credential", false, 0 },
		{ "6a0f", "\"sub\":{\"allow\":[\"_INBOX.>\"]}",
		    "the credential allows no company's events (no dbchange.*.*.<company>. subject)", false, 0 },
		{ "6a0f", "\"pub\":{}",
		    "the credential allows no company's events (no dbchange.*.*.<company>. subject)", false, 0 },
		{ "6a0f", CREDS_SUB, "the credential was not issued by a NATS account", true, 0 },
		{ "6a0f", CREDS_SUB, "the credential's seed does not belong to its JWT", false, 1 },
		{ "6a0f", CREDS_SUB, "the credential's seed is not that of a NATS user: it is damaged", false, 2 },
		{ "6a0f", CREDS_SUB, "the credential has a JWT but no seed block after it", false, 3 },
		{ "6a0f", CREDS_SUB, "the credential's seed is not that of a NATS user: it is damaged", false, 4 },
	};

	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf jwt = { 0 }, file = { 0 };
		char seed[80];

		(void)memcpy(seed, cases[i].seed == 1 ? f->other.seed_text : cases[i].seed == 4 ? f->account.seed_text :
		    f->user.seed_text, sizeof(seed));
		if (cases[i].seed == 2)
			seed[20] = seed[20] == 'A' ? 'B' : 'A';
		creds_jwt_make(&jwt, f, 2, cases[i].user_issues ? &f->other : &f->account, cases[i].name, cases[i].nats);
		creds_file_make(&file, &jwt, seed, "\n");
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
	const struct creds_keys *f = *state;
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
