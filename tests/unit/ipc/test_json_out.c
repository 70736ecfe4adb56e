/* JSON text: escapes, shortest numbers, compaction. */

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ipc/base/json_out.h"
#include "ipc/base/json_scan.h"

#define TEXT(in, out)	{ { in, sizeof(in) - 1 }, out }
struct text_case {
	struct slice	 in;
	const char	*out;
};

static void
expect_texts(void (*write)(struct buf *, struct slice), const struct text_case *cases, size_t n)
{
	struct buf	 b = { 0 };

	for (size_t i = 0; i < n; i++) {
		buf_reset(&b);
		write(&b, cases[i].in);
		assert_string_equal(buf_cstr(&b), cases[i].out);
		assert_int_equal(b.len, strlen(cases[i].out));
	}
	buf_free(&b);
}

static void
strings_are_escaped_as_go_does(void **state)
{
	static const struct text_case cases[] = {
		TEXT("", "\"\""),
		TEXT("plain / ' \x7f text", "\"plain / ' \x7f text\""),
		TEXT("\"\\", "\"\\\"\\\\\""),
		TEXT("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""),
		TEXT("\0\x01\x0b\x1f", "\"\\u0000\\u0001\\u000b\\u001f\""),
		TEXT("<a>&</a>", "\"\\u003ca\\u003e\\u0026\\u003c/a\\u003e\""),
		TEXT("é€\xf0\x9f\x98\x80", "\"é€\xf0\x9f\x98\x80\""),
		TEXT("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\""),
		TEXT("\xff", "\"\\ufffd\""),
		TEXT("a\xc3", "\"a\\ufffd\""),
		TEXT("\xc3(", "\"\\ufffd(\""),
		TEXT("\xe2\x80", "\"\\ufffd\\ufffd\""),
		TEXT("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""),
		TEXT("\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\""),
		TEXT("\xc0\x80\xf5x", "\"\\ufffd\\ufffd\\ufffdx\""),
	};
	struct buf	 b = { 0 };

	(void)state;
	expect_texts(json_out_str, cases, NELEM(cases));
	json_out_str(&b, (struct slice){ NULL, 0 });
	assert_string_equal(buf_cstr(&b), "\"\"");
	buf_free(&b);
}

static void
what_was_written_reads_back_the_same(void **state)
{
	struct json_val	 v;
	struct buf	 json = { 0 }, back = { 0 };

	(void)state;
	for (uint32_t cp = 0; cp < 0x3000; cp++) {
		char text[8];
		size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : 3;

		text[0] = (char)(n == 1 ? cp : n == 2 ? 0xc0 | cp >> 6 : 0xe0 | cp >> 12);
		text[n - 1] = (char)(n == 1 ? cp : 0x80 | (cp & 63));
		if (n == 3)
			text[1] = (char)(0x80 | (cp >> 6 & 63));
		buf_reset(&json);
		buf_reset(&back);
		json_out_str(&json, (struct slice){ text, n });
		assert_int_equal(json_scan(buf_slice(&json), false, &v, NULL), 0);
		json_unescape(&back, &v);
		assert_int_equal(back.len, n);
		assert_memory_equal(back.data, text, n);
	}
	buf_free(&json);
	buf_free(&back);
}

static void
doubles_are_the_shortest_text_that_reads_back(void **state)
{
	static const struct {
		double		 v;
		const char	*text;
	} cases[] = {
		{ 0, "0" }, { -0.0, "-0" }, { 1.0, "1" }, { -1, "-1" }, { 1.5, "1.5" }, { 0.1, "0.1" }, { 100, "100" },
		{ 12.5, "12.5" }, { 46700, "46700" }, { 0.1 + 0.2, "0.30000000000000004" },
		{ 1.0 / 3, "0.3333333333333333" }, { 2.0 / 3, "0.6666666666666666" }, { 123456.5, "123456.5" },
		{ 1720549725162.0, "1720549725162" }, { 9007199254740993.0, "9007199254740992" },
		{ 1e20, "100000000000000000000" }, { 123456789012345680000.0, "123456789012345680000" },
		{ 999999999999999900000.0, "999999999999999900000" }, { 1e21, "1e+21" }, { 1.5e21, "1.5e+21" },
		{ 1e100, "1e+100" }, { 1e-6, "0.000001" }, { 1.5e-6, "0.0000015" }, { 9.99e-7, "9.99e-7" },
		{ 1e-7, "1e-7" }, { 1.25e-10, "1.25e-10" }, { -1e-100, "-1e-100" },
		{ DBL_MAX, "1.7976931348623157e+308" }, { DBL_MIN, "2.2250738585072014e-308" },
		{ 4.9406564584124654e-324, "5e-324" }, { 1e-323, "1e-323" }, { 1.2e-322, "1.2e-322" },
		/* powers of two, where the nearest 16 digits do not read back but their neighbour does */
		{ 5.9604644775390625e-8, "5.960464477539063e-8" }, { 0x1p-44, "5.684341886080802e-14" },
		{ 0x1p-1022, "2.2250738585072014e-308" }, { 0x1p100, "1.2676506002282294e+30" },
		{ 9.5e-7, "9.5e-7" }, { 99999.99, "99999.99" }, { 4.35, "4.35" }, { 0.000123, "0.000123" },
		{ NAN, "null" }, { INFINITY, "null" }, { -INFINITY, "null" },
	};
	struct buf	 b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&b);
		json_out_double(&b, cases[i].v);
		assert_string_equal(buf_cstr(&b), cases[i].text);
	}
	buf_free(&b);
}

static void
as_go_prints_them_doubles_get_an_exponent_earlier(void **state)
{
	static const struct {
		double		 v;
		const char	*text;
	} cases[] = {
		{ 0, "0" }, { -0.0, "-0" }, { 1, "1" }, { -1.5, "-1.5" }, { 999999, "999999" }, { 1000000, "1e+06" }, { 1234567, "1.234567e+06" },
		{ 123456.5, "123456.5" }, { 1720549725162, "1.720549725162e+12" }, { 0.0001, "0.0001" }, { 0.00001, "1e-05" },
		{ -1.25e100, "-1.25e+100" }, { 5e-324, "5e-324" },
	};
	struct buf	 b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&b);
		json_out_double_g(&b, cases[i].v);
		assert_string_equal(buf_cstr(&b), cases[i].text);
	}
	buf_free(&b);
}

static void
every_double_reads_back_and_is_valid_json(void **state)
{
	uint64_t	 bits = 88172645463325252u;
	struct buf	 b = { 0 };
	struct json_val	 v;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		double want;

		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		(void)memcpy(&want, &bits, sizeof(want));
		if (!isfinite(want))
			continue;
		buf_reset(&b);
		json_out_double(&b, want);
		assert_true(strtod(buf_cstr(&b), NULL) == want);
		assert_int_equal(json_scan(buf_slice(&b), false, &v, NULL), 0);
	}
	buf_free(&b);
}

static void
compact_text_loses_space_and_gains_escapes_and_nothing_else(void **state)
{
	static const struct text_case cases[] = {
		TEXT("null", "null"),
		TEXT(" { \"b\" : 1 , \"a\" : [ 1E+3 , 1.0, -0 ] } ", "{\"b\":1,\"a\":[1E+3,1.0,-0]}"),
		TEXT("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}"),
		TEXT("\t[\r\n]\n", "[]"),
		TEXT("\" a  b \"", "\" a  b \""),
		TEXT("\"<&>\"", "\"\\u003c\\u0026\\u003e\""),
		TEXT("{\"<k>\":\"v\"}", "{\"\\u003ck\\u003e\":\"v\"}"),
		TEXT("\"\\\"\\\\\" ", "\"\\\"\\\\\""),
		TEXT("\"\\\\\" ", "\"\\\\\""),
		TEXT("\"\\\" , \" ", "\"\\\" , \""),
		TEXT("\"\\/\\u00e9\\u2028\\u003C\"", "\"\\/\\u00e9\\u2028\\u003C\""),
		TEXT("\"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\"", "\"\\u2028\\u2029\xe2\x80\xaa\""),
		TEXT("\"\xff\xc3\x28 \xe2\x80\"", "\"\xff\xc3\x28 \xe2\x80\""),
		TEXT("[true , false,\"x\" ,null]", "[true,false,\"x\",null]"),
	};

	(void)state;
	expect_texts(json_out_compact, cases, NELEM(cases));
}

/* Many bytes are looked at together: wherever among them something has to change, it does. */
static void
compact_text_is_the_same_at_every_place_in_a_long_text(void **state)
{
	static const struct text_case cases[] = {
		TEXT("1 , 2", "1,2"), TEXT("\"a b\"", "\"a b\""), TEXT("\"<\"", "\"\\u003c\""), TEXT("\"a>b&\"", "\"a\\u003eb\\u0026\""),
		TEXT("\"\\\" \\\\\" ", "\"\\\" \\\\\""), TEXT("\"\xe2\x80\xa8 \xe2\x80\x99\"", "\"\\u2028 \xe2\x80\x99\""),
		TEXT("{ \"k\" : \"\\\\\" }", "{\"k\":\"\\\\\"}"), TEXT("\"\"\n,\t\"  \"", "\"\",\"  \""),
	};

	(void)state;
	for (size_t c = 0; c < NELEM(cases); c++)
		for (int before = 0; before < 70; before++)
			for (int after = 0; after < 70; after += 23) {
				struct buf in = { 0 }, out = { 0 }, want = { 0 };

				buf_printf(&in, "[\"%*s\",", before, "x y");
				buf_adds_slice(&want, buf_slice(&in));
				buf_adds_slice(&in, cases[c].in);
				buf_adds(&want, cases[c].out);
				for (struct buf *b = &in; b != NULL; b = b == &in ? &want : NULL)
					buf_printf(b, ",\"%*s\"]", after, "z");
				json_out_compact(&out, buf_slice(&in));
				assert_string_equal(buf_cstr(&out), buf_cstr(&want));
				buf_free(&in);
				buf_free(&out);
				buf_free(&want);
			}
}

static void
compacting_twice_changes_nothing_more(void **state)
{
	struct buf	 once = { 0 }, twice = { 0 };

	(void)state;
	json_out_compact(&once, SLICE(" { \"a\" : \"<\\\"> \xe2\x80\xa8\" , \"b\" : [ 1 , { } ] } "));
	json_out_compact(&twice, buf_slice(&once));
	assert_string_equal(buf_cstr(&twice), buf_cstr(&once));
	buf_free(&once);
	buf_free(&twice);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped_as_go_does),
		cmocka_unit_test(what_was_written_reads_back_the_same),
		cmocka_unit_test(doubles_are_the_shortest_text_that_reads_back),
		cmocka_unit_test(as_go_prints_them_doubles_get_an_exponent_earlier),
		cmocka_unit_test(every_double_reads_back_and_is_valid_json),
		cmocka_unit_test(compact_text_loses_space_and_gains_escapes_and_nothing_else),
		cmocka_unit_test(compact_text_is_the_same_at_every_place_in_a_long_text),
		cmocka_unit_test(compacting_twice_changes_nothing_more),
	};

	return cmocka_run_group_tests_name("json_out", tests, NULL, NULL);
}
