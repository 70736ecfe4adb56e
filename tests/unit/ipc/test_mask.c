/* Masks against the golden values, and where we mask more than those. */

#include "tests/support/vectors.h"

#include "ipc/base/url.h"

#define VECTORS	"tests/vectors/masks.json"

static void
expect_masked(void (*mask)(struct buf *, struct slice), struct slice in, struct slice want)
{
	struct buf	 b = { 0 };

	mask(&b, in);
	assert_slice(slice_of(buf_cstr(&b)), want);
	buf_free(&b);
}

static void
every_golden_text_and_email_is_masked_as_written(void **state)
{
	json_t	*root = vectors_load(VECTORS), *c;
	size_t	 i;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "mask")), 8);
	json_array_foreach(json_object_get(root, "mask"), i, c)
		expect_masked(mask_text, vectors_str(c, "input"), vectors_str(c, "output"));
	assert_int_equal(json_array_size(json_object_get(root, "maskEmail")), 4);
	json_array_foreach(json_object_get(root, "maskEmail"), i, c)
		expect_masked(mask_email, vectors_str(c, "input"), vectors_str(c, "output"));
	json_decref(root);
}

static void
every_golden_url_is_masked_as_written(void **state)
{
	json_t	*root = vectors_load(VECTORS), *all = json_object_get(root, "maskURL"), *c;
	size_t	 i;

	(void)state;
	assert_true(json_array_size(all) >= 19);
	json_array_foreach(all, i, c) {
		struct err err = { 0 };
		struct buf b = { 0 };
		int rc = mask_url(&b, vectors_str(c, "input"), &err);

		assert_int_equal(rc, json_object_get(c, "error") == NULL ? 0 : -1);
		assert_int_equal(err.code, rc == 0 ? ERR_NONE : ERR_INVALID);
		assert_slice(slice_of(buf_cstr(&b)), vectors_str(c, "output"));
		buf_free(&b);
	}
	json_decref(root);
}

/* Three golden arguments keep a secret in the clear; these are what we make of them. */
static struct slice
better_than_golden(struct slice in, struct slice golden)
{
	static const struct {
		const char	*in, *out;
	} better[] = {
		{ "--api-key=aaa.bbb.ccc", "--api-key=aaa.b******" },
		{ "--url=postgres://eds:s3cr3t@h/db", "--url=postgres://e**:s3c***@h/d*" },
		{ "snowflake-keypair://user@account/DB/PUBLIC", "snowflake-keypair://us**@account/DB/P*****" },
	};

	for (size_t i = 0; i < NELEM(better); i++)
		if (slice_is(in, better[i].in))
			return slice_of(better[i].out);
	return golden;
}

static void
every_golden_argument_is_masked_as_written_or_better(void **state)
{
	json_t	*root = vectors_load(VECTORS), *all = json_object_get(root, "maskArguments"), *c, *arg;
	size_t	 i, k;

	(void)state;
	assert_true(json_array_size(all) >= 5);
	json_array_foreach(all, i, c)
		json_array_foreach(json_object_get(c, "input"), k, arg) {
			struct slice in = slice_of(json_string_value(arg));
			const json_t *out = json_array_get(json_object_get(c, "output"), k);

			expect_masked(mask_argument, in, better_than_golden(in, slice_of(json_string_value(out))));
		}
	json_decref(root);
}

static void
arguments_that_hold_no_secret_stay(void **state)
{
	static const char *const plain[] = {
		"", "-", "--", "--verbose", "--x=", "=", "a.b", "a.b.c.d", "a..b", "..", "user@host", "user@example.c0m", "@example.com",
		"user@.com", "://x", "a b://x",
	};

	(void)state;
	for (size_t i = 0; i < NELEM(plain); i++)
		expect_masked(mask_argument, slice_of(plain[i]), slice_of(plain[i]));
}

static void
a_url_for_the_log_shows_no_secret_even_when_it_does_not_parse(void **state)
{
	(void)state;
	expect_masked(mask_url_for_log, SLICE("postgres://eds:s3cr3t@h/db"), SLICE("postgres://e**:s3c***@h/d*"));
	expect_masked(mask_url_for_log, SLICE("postgres://eds:s3 cr3t@h/db"), SLICE("postgres://***"));
	expect_masked(mask_url_for_log, SLICE("snowflake-keypair://%zz@h/db"), SLICE("snowflake-keypair://***"));
	expect_masked(mask_url_for_log, SLICE("eds:s3cr3t@h/db"), SLICE("***"));
	expect_masked(mask_url_for_log, SLICE("s3cr3t"), SLICE("***"));
	expect_masked(mask_url_for_log, SLICE(""), SLICE("***"));
}

static void
a_host_without_a_port_and_one_with_a_bare_colon_stay_as_they_are(void **state)
{
	(void)state;
	expect_masked(mask_url_for_log, SLICE("http://[fe80::1%25eth0]/x"), SLICE("http://[fe80::1%eth0]/*"));
	expect_masked(mask_url_for_log, SLICE("http://h:/x"), SLICE("http://h:/*"));
	expect_masked(mask_url_for_log, SLICE("http://h/x#secret"), SLICE("http://h/*"));
	expect_masked(mask_url_for_log, SLICE("http://h/x?b=1;c=2&a=%zz&d=%41B"), SLICE("http://h/*?d=A*"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_golden_text_and_email_is_masked_as_written),
		cmocka_unit_test(every_golden_url_is_masked_as_written),
		cmocka_unit_test(every_golden_argument_is_masked_as_written_or_better),
		cmocka_unit_test(arguments_that_hold_no_secret_stay),
		cmocka_unit_test(a_url_for_the_log_shows_no_secret_even_when_it_does_not_parse),
		cmocka_unit_test(a_host_without_a_port_and_one_with_a_bare_colon_stay_as_they_are),
	};

	return cmocka_run_group_tests_name("mask", tests, NULL, NULL);
}
