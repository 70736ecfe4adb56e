/* Views: numbers, cutting, trimming, UTF-8. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ipc/base/slice.h"

static void
equality_is_of_bytes_and_length(void **state)
{
	(void)state;
	assert_true(slice_eq(SLICE("ab"), slice_of("ab")));
	assert_false(slice_eq(SLICE("ab"), SLICE("abc")));
	assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
	assert_true(slice_eq((struct slice){ NULL, 0 }, SLICE("")));
	assert_true(slice_is(SLICE("x"), "x"));
	assert_null(slice_of(NULL).p);
}

static void
a_copy_is_ended_by_nul(void **state)
{
	char *s = slice_dup((struct slice){ "abcdef", 3 });

	(void)state;
	assert_string_equal(s, "abc");
	free(s);
	s = slice_dup((struct slice){ NULL, 0 });
	assert_string_equal(s, "");
	free(s);
}

static void
unsigned_numbers_are_digits_within_range(void **state)
{
	static const char *const wrong[] = {
		"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "18446744073709551616", "99999999999999999999", "1a",
	};
	uint64_t v = 7;

	(void)state;
	assert_true(slice_u64(SLICE("0"), &v) && v == 0);
	assert_true(slice_u64(SLICE("007"), &v) && v == 7);
	assert_true(slice_u64(SLICE("18446744073709551615"), &v) && v == UINT64_MAX);
	v = 7;
	for (size_t i = 0; i < NELEM(wrong); i++)
		if (slice_u64(slice_of(wrong[i]), &v))
			fail_msg("%s was taken", wrong[i]);
	assert_int_equal(v, 7);
}

static void
signed_numbers_reach_both_ends_of_the_range(void **state)
{
	static const char *const wrong[] = { "", "-", "--1", "+1", "9223372036854775808", "-9223372036854775809", "- 1" };
	int64_t v = 7;

	(void)state;
	assert_true(slice_i64(SLICE("9223372036854775807"), &v) && v == INT64_MAX);
	assert_true(slice_i64(SLICE("-9223372036854775808"), &v) && v == INT64_MIN);
	assert_true(slice_i64(SLICE("-0"), &v) && v == 0);
	assert_true(slice_i64(SLICE("-12"), &v) && v == -12);
	for (size_t i = 0; i < NELEM(wrong); i++)
		if (slice_i64(slice_of(wrong[i]), &v))
			fail_msg("%s was taken", wrong[i]);
}

static void
cutting_yields_every_part_also_empty_ones(void **state)
{
	struct slice rest = SLICE("a,,bc,"), part;

	(void)state;
	assert_true(slice_cut(&rest, ',', &part) && slice_is(part, "a"));
	assert_true(slice_cut(&rest, ',', &part) && slice_is(part, ""));
	assert_true(slice_cut(&rest, ',', &part) && slice_is(part, "bc"));
	assert_true(slice_cut(&rest, ',', &part) && slice_is(part, "") && part.p != NULL);
	assert_false(slice_cut(&rest, ',', &part));
	rest = SLICE("");
	assert_true(slice_cut(&rest, ',', &part) && part.n == 0);
	assert_false(slice_cut(&rest, ',', &part));
}

static void
trimming_takes_white_space_at_the_ends_only(void **state)
{
	(void)state;
	assert_true(slice_is(slice_trim(SLICE(" \t\r\n a b \v\f")), "a b"));
	assert_int_equal(slice_trim(SLICE(" \t ")).n, 0);
	assert_int_equal(slice_trim(SLICE("")).n, 0);
	assert_int_equal(slice_trim((struct slice){ NULL, 0 }).n, 0);
	assert_true(slice_eq(slice_trim(SLICE(" \0 ")), SLICE("\0")));
}

/* By the table of well-formed byte sequences in the Unicode standard, independently of the code. */
static bool
well_formed(const unsigned char *p, size_t n)
{
	static const unsigned char rows[][9] = {	/* length, then least and greatest of each byte */
		{ 1, 0x00, 0x7f }, { 2, 0xc2, 0xdf, 0x80, 0xbf }, { 3, 0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf },
		{ 3, 0xe1, 0xec, 0x80, 0xbf, 0x80, 0xbf }, { 3, 0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf },
		{ 3, 0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf }, { 4, 0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf },
		{ 4, 0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf }, { 4, 0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf },
	};

	while (n > 0) {
		size_t used = 0;

		for (size_t r = 0; r < NELEM(rows) && used == 0; r++) {
			size_t k = 0;

			while (k < rows[r][0] && k < n && p[k] >= rows[r][1 + 2 * k] && p[k] <= rows[r][2 + 2 * k])
				k++;
			if (k == rows[r][0])
				used = k;
		}
		if (used == 0)
			return false;
		p += used;
		n -= used;
	}
	return true;
}

static void
utf8_is_what_the_standard_calls_well_formed(void **state)
{
	static const unsigned char edge[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff };
	unsigned char s[4];

	(void)state;
	assert_true(slice_is_utf8((struct slice){ NULL, 0 }));
	for (unsigned a = 0; a < 256; a++)
		for (size_t i = 0; i < NELEM(edge) * NELEM(edge) * NELEM(edge); i++) {
			s[0] = (unsigned char)a;
			s[1] = edge[i % NELEM(edge)];
			s[2] = edge[i / NELEM(edge) % NELEM(edge)];
			s[3] = edge[i / NELEM(edge) / NELEM(edge)];
			for (size_t n = 1; n <= 4; n++)
				if (slice_is_utf8((struct slice){ (const char *)s, n }) != well_formed(s, n))
					fail_msg("%02x %02x %02x %02x, %zu of them", s[0], s[1], s[2], s[3], n);
		}
}

static void
one_bad_byte_is_found_wherever_it_is(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 40; n++) {
		char *text = malloc(n);		/* of exactly that length, so that a sanitizer sees any step beyond it */

		assert_non_null(text);
		(void)memset(text, 'a', n);
		assert_true(slice_is_utf8((struct slice){ text, n }));
		for (size_t at = 0; at < n; at++) {
			text[at] = '\x80';
			assert_false(slice_is_utf8((struct slice){ text, n }));
			text[at] = '\xc3';
			assert_false(slice_is_utf8((struct slice){ text, n }));
			if (at + 1 < n) {
				text[at + 1] = '\xa4';
				assert_true(slice_is_utf8((struct slice){ text, n }));
				text[at + 1] = 'a';
			}
			text[at] = 'a';
		}
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality_is_of_bytes_and_length),
		cmocka_unit_test(a_copy_is_ended_by_nul),
		cmocka_unit_test(unsigned_numbers_are_digits_within_range),
		cmocka_unit_test(signed_numbers_reach_both_ends_of_the_range),
		cmocka_unit_test(cutting_yields_every_part_also_empty_ones),
		cmocka_unit_test(trimming_takes_white_space_at_the_ends_only),
		cmocka_unit_test(utf8_is_what_the_standard_calls_well_formed),
		cmocka_unit_test(one_bad_byte_is_found_wherever_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
