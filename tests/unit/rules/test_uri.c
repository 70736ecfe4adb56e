/* References between schemas, and numbers of any size. */

#include "worker/rules/number.h"
#include "worker/rules/uri.h"
#include "tests/support/cmocka_all.h"

static void
references_are_resolved_as_rfc_3986_says(void **state)
{
	static const char *const cases[][3] = {
		{ "http://a/b/c/d;p?q", "g", "http://a/b/c/g" },
		{ "http://a/b/c/d;p?q", "./g/", "http://a/b/c/g/" },
		{ "http://a/b/c/d;p?q", "/g", "http://a/g" },
		{ "http://a/b/c/d;p?q", "//g", "http://g" },
		{ "http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y" },
		{ "http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q" },
		{ "http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q" },
		{ "http://a/b/c/d;p?q", "..", "http://a/b/" },
		{ "http://a/b/c/d;p?q", "../../../g", "http://a/g" },
		{ "http://a/b/c/d;p?q", "g/./h/../i", "http://a/b/c/g/i" },
		{ "http://a/b/c/d;p?q", "x:y", "x:y" },
		{ "http://a", "b", "http://a/b" },
		{ "http://a/b", "http://c/d/../e#f", "http://c/e" },
		{ "urn:x:y", "", "urn:x:y" },
		{ "file:///sub/a.json", "../b.json", "file:///b.json" },
		{ "file:///a.json", "file://b.json", "file://b.json" },
		{ "file:///a.json", "/abs/b.json", "file:///abs/b.json" },
	};
	struct buf	 b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&b);
		uri_resolve(&b, slice_of(cases[i][0]), slice_of(cases[i][1]));
		assert_string_equal(buf_cstr(&b), cases[i][2]);
	}
	buf_free(&b);
}

static int
cmp(const char *a, const char *b)
{
	struct number	 x, y;

	number_read(&x, slice_of(a));
	number_read(&y, slice_of(b));
	if (number_cmp(&x, &y) == 0)
		assert_true(number_hash(&x) == number_hash(&y));
	return number_cmp(&x, &y);
}

static void
numbers_are_compared_by_value_whatever_their_spelling(void **state)
{
	static const char *const equal[][2] = {
		{ "1", "1.0" }, { "1e2", "100" }, { "-0", "0.00e5" }, { "12.50", "1250E-2" }, { "0.001", "1e-3" }, { "1e400", "10e399" },
		{ "123456789012345678901234567890", "1.2345678901234567890123456789e29" }, { "0.0", "0" }, { "100.001", "100001e-3" },
	};
	static const char *const ascending[] = {
		"-1e400", "-123456789012345678901234567891", "-123456789012345678901234567890", "-1.5", "-1e-400", "0", "1e-400", "0.1",
		"0.11", "1", "1.0000000000000000000001", "2", "10", "9007199254740992", "9007199254740993", "1e99999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < NELEM(equal); i++)
		assert_int_equal(cmp(equal[i][0], equal[i][1]), 0);
	for (size_t i = 1; i < NELEM(ascending); i++) {
		assert_int_equal(cmp(ascending[i - 1], ascending[i]), -1);
		assert_int_equal(cmp(ascending[i], ascending[i - 1]), 1);
	}
}

static void
integers_are_found_whatever_their_spelling(void **state)
{
	static const struct {
		const char	*text;
		bool		 fits;
		uint64_t	 value;
	} cases[] = {
		{ "0", true, 0 }, { "1.0", true, 1 }, { "1e3", true, 1000 }, { "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 }, { "1.5", false, 0 }, { "-1", false, 0 }, { "-0", true, 0 }, { "1e30", false, 0 },
		{ "0.5e1", true, 5 }, { "12345e-5", false, 0 },
	};
	struct number	 x;
	uint64_t	 v;

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		number_read(&x, slice_of(cases[i].text));
		assert_int_equal(number_u64(&x, &v), cases[i].fits);
		if (cases[i].fits)
			assert_true(v == cases[i].value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_are_resolved_as_rfc_3986_says),
		cmocka_unit_test(numbers_are_compared_by_value_whatever_their_spelling),
		cmocka_unit_test(integers_are_found_whatever_their_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
