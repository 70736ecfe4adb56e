/* The JSON scanner: what it refuses, what it accepts, and walking what it accepted. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ipc/base/json_scan.h"

/* The text lies at the very end of a heap block of its own, so that a sanitizer sees any step beyond it. */
static int
scan_tight(struct slice text, bool lenient, struct err *err)
{
	struct json_val	 v;
	char		*copy = malloc(text.n == 0 ? 1 : text.n);
	int		 rc;

	assert_non_null(copy);
	if (text.n > 0)
		(void)memcpy(copy, text.p, text.n);
	*err = (struct err){ .code = ERR_NONE };
	rc = json_scan((struct slice){ copy, text.n }, lenient, &v, err);
	free(copy);
	return rc;
}

static void
malformed_texts_are_refused_at_the_right_byte(void **state)
{
#define BAD(text, why)	{ { text, sizeof(text) - 1 }, why }
	static const struct {
		struct slice	 text;
		const char	*why;
	} cases[] = {
		BAD("", "text without end at byte 0"),
		BAD(" \n", "text without end at byte 2"),
		BAD("{", "text without end at byte 1"),
		BAD("[", "text without end at byte 1"),
		BAD("}", "expected a value at byte 0"),
		BAD("]", "expected a value at byte 0"),
		BAD(",", "expected a value at byte 0"),
		BAD(":", "expected a value at byte 0"),
		BAD("[1", "text without end at byte 2"),
		BAD("[1,", "text without end at byte 3"),
		BAD("[1,]", "expected a value at byte 3"),
		BAD("[,1]", "expected a value at byte 1"),
		BAD("[1 2]", "expected a comma or ] at byte 3"),
		BAD("[1}", "expected a comma or ] at byte 2"),
		BAD("[1:2]", "expected a comma or ] at byte 2"),
		BAD("{\"a\"", "text without end at byte 4"),
		BAD("{\"a\":", "text without end at byte 5 in a"),
		BAD("{\"a\":1", "text without end at byte 6"),
		BAD("{\"a\":1,", "text without end at byte 7"),
		BAD("{\"a\":1,}", "expected a key in quotes at byte 7"),
		BAD("{,\"a\":1}", "expected a key in quotes at byte 1"),
		BAD("{\"a\" 1}", "expected a colon at byte 5"),
		BAD("{\"a\",1}", "expected a colon at byte 4"),
		BAD("{\"a\"}", "expected a colon at byte 4"),
		BAD("{\"a\":}", "expected a value at byte 5 in a"),
		BAD("{\"a\":1]", "expected a comma or } at byte 6"),
		BAD("{\"a\":1 \"b\":2}", "expected a comma or } at byte 7"),
		BAD("{\"a\"::1}", "expected a value at byte 5 in a"),
		BAD("{a:1}", "expected a key in quotes at byte 1"),
		BAD("{'a':1}", "expected a key in quotes at byte 1"),
		BAD("{1:1}", "expected a key in quotes at byte 1"),
		BAD("{null:1}", "expected a key in quotes at byte 1"),
		BAD("{} {}", "something after the end of the value at byte 3"),
		BAD("1 2", "something after the end of the value at byte 2"),
		BAD("{}\0", "something after the end of the value at byte 2"),
		BAD("null,", "something after the end of the value at byte 4"),
		BAD("nul", "unknown word at byte 0"),
		BAD("nulL", "unknown word at byte 0"),
		BAD("Null", "expected a value at byte 0"),
		BAD("tru", "unknown word at byte 0"),
		BAD("True", "expected a value at byte 0"),
		BAD("fals", "unknown word at byte 0"),
		BAD("truefalse", "something after the end of the value at byte 4"),
		BAD("NaN", "expected a value at byte 0"),
		BAD("Infinity", "expected a value at byte 0"),
		BAD("-", "number with a digit missing at byte 1"),
		BAD("-a", "number with a digit missing at byte 1"),
		BAD("--1", "number with a digit missing at byte 1"),
		BAD("+1", "expected a value at byte 0"),
		BAD("01", "number with a leading zero at byte 1"),
		BAD("-01", "number with a leading zero at byte 2"),
		BAD(".5", "expected a value at byte 0"),
		BAD("1.", "number with a digit missing at byte 2"),
		BAD("1.e1", "number with a digit missing at byte 2"),
		BAD("1e", "number with a digit missing at byte 2"),
		BAD("1e+", "number with a digit missing at byte 3"),
		BAD("1E-x", "number with a digit missing at byte 3"),
		BAD("0x10", "something after the end of the value at byte 1"),
		BAD("1_000", "something after the end of the value at byte 1"),
		BAD("\"", "string without end at byte 1"),
		BAD("\"abc", "string without end at byte 4"),
		BAD("\"abcdefghijklmnop", "string without end at byte 17"),
		BAD("\"abc\\", "string without end at byte 4"),
		BAD("\"abc\\\"", "string without end at byte 6"),
		BAD("\"\\x\"", "unknown escape in a string at byte 1"),
		BAD("\"\\'\"", "unknown escape in a string at byte 1"),
		BAD("\"\\\0\"", "unknown escape in a string at byte 1"),
		BAD("\"\\u\"", "\\u without four hexadecimal digits at byte 1"),
		BAD("\"\\u12g4\"", "\\u without four hexadecimal digits at byte 1"),
		BAD("\"\\u123\"", "\\u without four hexadecimal digits at byte 1"),
		BAD("\"\\u123", "string without end at byte 1"),
		BAD("\"\\U0041\"", "unknown escape in a string at byte 1"),
		BAD("\"a\nb\"", "control character in a string at byte 2"),
		BAD("\"a\tb\"", "control character in a string at byte 2"),
		BAD("\"a\0b\"", "control character in a string at byte 2"),
		BAD("\"abcdefghijk\x1f\"", "control character in a string at byte 12"),
		BAD("[1,/* */2]", "expected a value at byte 3"),
		BAD("// x\n1", "expected a value at byte 0"),
		BAD("\xef\xbb\xbf{}", "expected a value at byte 0"),
		BAD("\f1", "expected a value at byte 0"),
		BAD("\xc2\xa0""1", "expected a value at byte 0"),
		BAD("\"\x80\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xff\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xc3\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xc3", "invalid UTF-8 at byte 1"),
		BAD("\"\xc0\x80\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xc1\xbf\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xe0\x9f\xbf\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xe2\x82\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xed\xa0\x80\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xf0\x8f\xbf\xbf\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xf4\x90\x80\x80\"", "invalid UTF-8 at byte 1"),
		BAD("\"\xf5\x80\x80\x80\"", "invalid UTF-8 at byte 1"),
		BAD("\"abcdefgh\xc3\xa9\xc3(\"", "invalid UTF-8 at byte 11"),
		BAD("{\"a\":{\"b\":{\"c\":\"\xff\"}}}", "invalid UTF-8 at byte 16 in a.b"),
		BAD("{\"a\":[{\"b\":\"\xff\"}]}", "invalid UTF-8 at byte 12 in a.b"),
		BAD("{\"a\xff\":1}", "invalid UTF-8 at byte 3"),
		BAD("{\"a\":{\"b\xff\":1}}", "invalid UTF-8 at byte 8 in a"),
		BAD("{\"a\\nb\":x}", "expected a value at byte 8 in ?"),
	};
#undef BAD
	struct err	 err;

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		if (scan_tight(cases[i].text, false, &err) == 0)
			fail_msg("case %zu: accepted " SLICE_FMT, i, SLICE_ARG(cases[i].text));
		assert_int_equal(err.code, ERR_INVALID);
		assert_string_equal(err.text, cases[i].why);
	}
}

static void
well_formed_texts_are_accepted(void **state)
{
	static const char *const cases[] = {
		"null", "true", "false", "0", "-0", "1", "-1", "10", "1.5", "-0.0", "1e5", "1E5", "1e+5", "1e-5",
		"0e0", "1.25E+10", "123456789012345678901234567890", "1e999", "\"\"", "\"a\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\u00e9\\uABCD\\uabcd\"", "\"\\ud83d\\ude00\"",
		"\"\\ud800\"", "\"\\udc00\\ud800x\"", "\"\x7f\"", "\"\xc2\x80\"", "\"\xdf\xbf\"", "\"\xe0\xa0\x80\"",
		"\"\xed\x9f\xbf\"", "\"\xee\x80\x80\"", "\"\xef\xbf\xbf\"", "\"\xf0\x90\x80\x80\"",
		"\"\xf4\x8f\xbf\xbf\"", "\"\xe2\x80\xa8\"", "[]", "[ ]", "[1]", "[1,2]", " [ 1 , 2 ] ", "[[],[[]]]",
		"{}", "{ }", "{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"\":{}}", " { \"a\" : [ ] , \"b\" : { } } ",
		"\t\r\n 1\t\r\n ", "[null,true,false,\"x\",{\"y\":[]}]", "\"no escapes but well over sixteen bytes\"",
	};
	struct err	 err;

	(void)state;
	assert_true(NELEM(cases) >= 50);
	for (size_t i = 0; i < NELEM(cases); i++)
		if (scan_tight(slice_of(cases[i]), false, &err) != 0)
			fail_msg("%s: %s", cases[i], err.text);
}

static void
every_prefix_of_a_text_is_refused(void **state)
{
	static const char text[] =
	    "{\"a\":[1.5e3,true,null,\"x\\u00e9\\ny\"],\"bb\":{\"c\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"}}";
	struct err	 err;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_int_equal(scan_tight((struct slice){ text, n }, false, &err), -1);
	assert_int_equal(scan_tight(SLICE(text), false, &err), 0);
}

/* Whatever its distance from the start and the end of a word, a byte is seen. */
static void
a_special_byte_is_seen_at_every_place_of_a_string(void **state)
{
	char		 text[42];
	struct err	 err;

	(void)state;
	for (size_t n = 1; n < 40; n++)
		for (size_t at = 1; at <= n; at++) {
			(void)memset(text, 'x', n + 1);
			text[0] = text[n + 1] = '"';
			assert_int_equal(scan_tight((struct slice){ text, n + 2 }, false, &err), 0);
			for (int c = 0; c < 256; c++) {
				bool good = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

				text[at] = (char)c;
				assert_int_equal(scan_tight((struct slice){ text, n + 2 }, false, &err), good ? 0 : -1);
			}
		}
}

static void
lenient_scanning_lets_invalid_utf8_pass_and_nothing_else(void **state)
{
	struct err	 err;

	(void)state;
	assert_int_equal(scan_tight(SLICE("{\"a\xff\":\"\xc3\x28\x80\xed\xa0\x80\"}"), true, &err), 0);
	assert_int_equal(scan_tight(SLICE("\"\xff"), true, &err), -1);
	assert_int_equal(scan_tight(SLICE("\"\xff\n\""), true, &err), -1);
	assert_int_equal(scan_tight(SLICE("\xff"), true, &err), -1);
}

static void
nesting_is_accepted_to_the_limit_and_refused_beyond(void **state)
{
	char		*text = malloc(2 * JSON_MAX_DEPTH + 2);
	struct err	 err;

	(void)state;
	assert_non_null(text);
	for (size_t depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
		(void)memset(text, '[', depth);
		(void)memset(text + depth, ']', depth);
		assert_int_equal(scan_tight((struct slice){ text, 2 * depth }, false, &err),
		    depth <= JSON_MAX_DEPTH ? 0 : -1);
	}
	assert_string_equal(err.text, "nesting too deep at byte 512");
	free(text);
}

static struct json_val
scanned(const char *text)
{
	struct json_val	 v;

	assert_int_equal(json_scan(slice_of(text), true, &v, NULL), 0);
	return v;
}

static void
expect_slice(struct slice got, const char *want)
{
	if (!slice_is(got, want))
		fail_msg("got \"" SLICE_FMT "\", expected \"%s\"", SLICE_ARG(got), want);
}

static void
a_value_is_the_text_without_the_space_around_it(void **state)
{
	static const struct {
		const char	*text, *raw;
		enum json_type	 type;
	} cases[] = {
		{ " null ", "null", JV_NULL }, { "\ttrue\n", "true", JV_TRUE }, { "false", "false", JV_FALSE },
		{ " -1.50e+3 ", "-1.50e+3", JV_NUMBER }, { " \" a \" ", "\" a \"", JV_STRING },
		{ " { } ", "{ }", JV_OBJECT }, { " [ 1 ] ", "[ 1 ]", JV_ARRAY },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct json_val v = scanned(cases[i].text);

		assert_int_equal(v.type, cases[i].type);
		expect_slice(v.raw, cases[i].raw);
	}
}

static void
an_object_gives_its_members_in_order(void **state)
{
	static const struct {
		const char	*key, *val;
		enum json_type	 type;
	} want[] = {
		{ "\"a\"", "1", JV_NUMBER }, { "\"b\"", "\"x\\\"},\"", JV_STRING },
		{ "\"c\"", "{\"d\":[\"]\",{}], \"e\" : \"\\\\\"}", JV_OBJECT }, { "\"a\"", "[ [ ] , 2 ]", JV_ARRAY },
		{ "\"\"", "null", JV_NULL }, { "\"t\"", "true", JV_TRUE }, { "\"f\"", "false", JV_FALSE },
		{ "\"n\"", "-1.5E-3", JV_NUMBER },
	};
	struct json_val	 v = scanned(" { \"a\" : 1 ,\"b\":\"x\\\"},\", \"c\":{\"d\":[\"]\",{}], \"e\" : \"\\\\\"},"
	    "\"a\":[ [ ] , 2 ],\"\":null,\"t\":true,\"f\":false ,\"n\":-1.5E-3 } ");
	struct json_val	 key, val;
	struct json_iter it;

	(void)state;
	json_iter_init(&it, &v);
	for (size_t i = 0; i < NELEM(want); i++) {
		assert_true(json_object_next(&it, &key, &val));
		expect_slice(key.raw, want[i].key);
		expect_slice(val.raw, want[i].val);
		assert_int_equal(key.type, JV_STRING);
		assert_int_equal(val.type, want[i].type);
		assert_int_equal(val.escaped, i == 1);
	}
	assert_false(json_object_next(&it, &key, &val));
	assert_false(json_object_next(&it, &key, &val));
}

static void
an_array_gives_its_items_in_order(void **state)
{
	static const char *const want[] = { "1", "\"a,]\"", "[2,[3]]", "{\"x\":[]}", "null", "0" };
	struct json_val	 v = scanned("[1, \"a,]\" ,[2,[3]],{\"x\":[]},null,0]"), item;
	struct json_iter it;

	(void)state;
	json_iter_init(&it, &v);
	for (size_t i = 0; i < NELEM(want); i++) {
		assert_true(json_array_next(&it, &item));
		expect_slice(item.raw, want[i]);
	}
	assert_false(json_array_next(&it, &item));
}

static void
what_is_no_container_has_no_items(void **state)
{
	static const char *const none[] = { "null", "1", "\"[1]\"", "{}", "[]", "{ }", "[ ]" };
	struct json_val	 absent = { .type = JV_ABSENT }, key, val;
	struct json_iter it;

	(void)state;
	for (size_t i = 0; i < NELEM(none); i++) {
		struct json_val v = scanned(none[i]);

		json_iter_init(&it, &v);
		assert_false(json_array_next(&it, &val));
		json_iter_init(&it, &v);
		assert_false(json_object_next(&it, &key, &val));
		assert_int_equal(json_member(&v, "a").type, JV_ABSENT);
	}
	json_iter_init(&it, &absent);
	assert_false(json_array_next(&it, &val));
	assert_int_equal(json_member(&absent, "a").type, JV_ABSENT);
}

struct notes {
	struct buf	 text;
};

static void
note(void *arg, const struct json_val *key, const struct json_val *val)
{
	struct notes	*n = arg;

	buf_printf(&n->text, SLICE_FMT "=" SLICE_FMT ";", SLICE_ARG(key->raw), SLICE_ARG(val->raw));
}

static void
members_of_the_outermost_object_alone_are_told_on_the_way(void **state)
{
	struct notes	 n = { { 0 } };
	struct json_val	 v;

	(void)state;
	assert_int_equal(json_scan_members(SLICE("{\"a\":{\"b\":1},\"c\":[{\"d\":2}],\"a\":3}"), false, note, &n, &v,
	    NULL), 0);
	assert_string_equal(buf_cstr(&n.text), "\"a\"={\"b\":1};\"c\"=[{\"d\":2}];\"a\"=3;");
	buf_reset(&n.text);
	assert_int_equal(json_scan_members(SLICE("[{\"a\":1}]"), false, note, &n, &v, NULL), 0);
	assert_int_equal(n.text.len, 0);
	buf_free(&n.text);
}

static void
strings_decode_as_the_escapes_say(void **state)
{
	static const struct {
		const char	*text, *want;
	} cases[] = {
		{ "\"\"", "" }, { "\"plain\"", "plain" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
		{ "\"a\\u0041\\u00e9\\u20AC\\u20ac.\"", "aAé€€." },
		{ "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf" },
		{ "\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!" },
		{ "\"\\uD800\\uDC00\\udbff\\udfff\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		{ "\"\\ud83d\"", "\xef\xbf\xbd" },
		{ "\"\\ude00\"", "\xef\xbf\xbd" },
		{ "\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\"\\ud83dx\"", "\xef\xbf\xbdx" },
		{ "\"\\ud83d\\n\"", "\xef\xbf\xbd\n" },
		{ "\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A" },
		{ "\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80" },
		{ "\"\xff\\n\xc3(\xed\xa0\x80\"", "\xef\xbf\xbd\n\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\"a long run without escapes, then \\t é and more\"", "a long run without escapes, then \t é and more" },
	};
	struct buf	 b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct json_val v = scanned(cases[i].text);

		buf_reset(&b);
		json_unescape(&b, &v);
		expect_slice(buf_slice(&b), cases[i].want);
		assert_true(json_string_eq(&v, cases[i].want) || strchr(cases[i].text, '\xff') != NULL);
	}
	buf_free(&b);
}

static void
an_escaped_nul_is_a_byte_like_others(void **state)
{
	struct json_val	 v = scanned("\"a\\u0000b\"");
	struct buf	 b = { 0 };

	(void)state;
	json_unescape(&b, &v);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 3);
	assert_false(json_string_eq(&v, "a"));
	buf_free(&b);
}

static void
text_is_a_view_without_escapes_and_lies_in_the_arena_with_them(void **state)
{
	struct json_val	 plain = scanned("\"ab\""), escaped = scanned("\"a\\tb\"");
	struct buf	 arena = { 0 };
	struct slice	 one, two;

	(void)state;
	assert_true(buf_reserve(&arena, 100));
	one = json_text(&plain, &arena);
	assert_ptr_equal(one.p, plain.raw.p + 1);
	assert_int_equal(arena.len, 0);
	two = json_text(&escaped, &arena);
	one = json_text(&escaped, &arena);
	expect_slice(one, "a\tb");
	expect_slice(two, "a\tb");
	assert_ptr_equal(two.p, arena.data);
	assert_ptr_equal(one.p, arena.data + 3);
	buf_free(&arena);
}

static void
equality_looks_at_the_decoded_text(void **state)
{
	struct json_val	 escaped = scanned("\"\\u0069d\""), plain = scanned("\"id\""), number = scanned("12");

	(void)state;
	assert_true(json_string_eq(&escaped, "id"));
	assert_false(json_string_eq(&escaped, "i"));
	assert_false(json_string_eq(&escaped, "idx"));
	assert_false(json_string_eq(&escaped, "ie"));
	assert_true(json_string_eq(&plain, "id"));
	assert_false(json_string_eq(&plain, "ID"));
	assert_false(json_string_eq(&plain, "i"));
	assert_false(json_string_eq(&plain, ""));
	assert_false(json_string_eq(&number, "2"));
}

static void
the_last_member_of_a_name_is_the_one(void **state)
{
	struct json_val	 v = scanned("{\"id\":1,\"Id\":2,\"\\u0069d\":3,\"x\":{\"id\":4}}");

	(void)state;
	expect_slice(json_member(&v, "id").raw, "3");
	expect_slice(json_member(&v, "Id").raw, "2");
	assert_int_equal(json_member(&v, "ID").type, JV_ABSENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_texts_are_refused_at_the_right_byte),
		cmocka_unit_test(well_formed_texts_are_accepted),
		cmocka_unit_test(every_prefix_of_a_text_is_refused),
		cmocka_unit_test(a_special_byte_is_seen_at_every_place_of_a_string),
		cmocka_unit_test(lenient_scanning_lets_invalid_utf8_pass_and_nothing_else),
		cmocka_unit_test(nesting_is_accepted_to_the_limit_and_refused_beyond),
		cmocka_unit_test(a_value_is_the_text_without_the_space_around_it),
		cmocka_unit_test(an_object_gives_its_members_in_order),
		cmocka_unit_test(an_array_gives_its_items_in_order),
		cmocka_unit_test(what_is_no_container_has_no_items),
		cmocka_unit_test(members_of_the_outermost_object_alone_are_told_on_the_way),
		cmocka_unit_test(strings_decode_as_the_escapes_say),
		cmocka_unit_test(an_escaped_nul_is_a_byte_like_others),
		cmocka_unit_test(text_is_a_view_without_escapes_and_lies_in_the_arena_with_them),
		cmocka_unit_test(equality_looks_at_the_decoded_text),
		cmocka_unit_test(the_last_member_of_a_name_is_the_one),
	};

	return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
