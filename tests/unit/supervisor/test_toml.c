/* config.toml: both string forms, other people's keys, and a file that is whole at any time. */

#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/config/toml.h"

static struct toml *
parse(const char *text)
{
	struct toml *t = NULL;
	struct err err = { 0 };

	if (toml_parse(&t, slice_of(text), &err) != 0)
		fail_msg("%s", err.text);
	return t;
}

static void
string_is(const struct toml *t, const char *key, const char *value)
{
	const char *got = NULL;

	assert_int_equal(toml_string(t, key, &got), 1);
	assert_string_equal(got, value);
}

static void
both_string_forms_comments_and_any_order_are_read(void **state)
{
	struct toml *t = parse("\xef\xbb\xbf# head\r\n\r\n  url = 'C:\\raw \"x\"'   # tail\r\n\"token\" = \"a\\\"b\\\\c\\n\\u00e9\\U0001F600\"\n"
	    "keep_logs=true#x\nserver_id=''");
	const char *s;
	bool b = false;

	(void)state;
	string_is(t, "url", "C:\\raw \"x\"");
	string_is(t, "token", "a\"b\\c\n\xc3\xa9\xf0\x9f\x98\x80");
	string_is(t, "server_id", "");
	assert_int_equal(toml_bool(t, "keep_logs", &b), 1);
	assert_true(b);
	assert_int_equal(toml_string(t, "keep_logs", &s), -1);
	assert_int_equal(toml_string(t, "update_strategy", &s), 0);
	assert_int_equal(toml_line(t, "token"), 4);
	assert_int_equal(toml_line(t, "nothing"), 0);
	toml_free(&t);
	assert_null(t);
}

static void
other_peoples_keys_survive_a_rewrite(void **state)
{
	static const char *others = "# a note\nproxy = \"http://p\"\nlist = [ \"]\", '[', # ]\n  1 ]\nlong = \"\"\"a\n\"b\\\"\"\"\"\n"
	    "a.token = 'not ours'\nwhen = 2024-01-02\n[table]\ntoken = \"not ours either\"\n";
	struct buf in = { 0 }, out = { 0 }, want = { 0 };
	struct toml *t;
	struct err err = { 0 };

	(void)state;
	buf_printf(&in, "token = \"t\"\n%s", others);
	t = parse(buf_cstr(&in));
	string_is(t, "token", "t");
	assert_int_equal(toml_set_string(t, "url", "file:///x", &err), 0);
	assert_int_equal(toml_set_bool(t, "keep_logs", false, &err), 0);
	toml_write(t, TOML_LITERAL, &out);
	buf_printf(&want, "keep_logs = false\ntoken = 't'\nurl = 'file:///x'\n%s", others);
	assert_string_equal(buf_cstr(&out), buf_cstr(&want));
	toml_free(&t);
	buf_free(&in);
	buf_free(&out);
	buf_free(&want);
}

static void
enrolment_and_rewrite_have_their_own_forms(void **state)
{
	struct toml *t = parse("");
	struct buf out = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(toml_set_string(t, "token", "aaa.bbb.ccc", &err), 0);
	assert_int_equal(toml_set_string(t, "server_id", "6a\"0\\f\n", &err), 0);
	toml_write(t, TOML_BASIC, &out);
	assert_string_equal(buf_cstr(&out), "token = \"aaa.bbb.ccc\"\nserver_id = \"6a\\\"0\\\\f\\n\"\n");
	buf_reset(&out);
	assert_int_equal(toml_set_string(t, "server_id", "6a0f", &err), 0);
	assert_int_equal(toml_set_bool(t, "keep_logs", false, &err), 0);
	assert_int_equal(toml_set_string(t, "update_strategy", "", &err), 0);
	assert_int_equal(toml_set_string(t, "url", "postgres://eds:s3'cr3t@db/shop", &err), 0);
	toml_write(t, TOML_LITERAL, &out);
	assert_string_equal(buf_cstr(&out), "keep_logs = false\nserver_id = '6a0f'\ntoken = 'aaa.bbb.ccc'\n"
	    "update_strategy = ''\nurl = \"postgres://eds:s3'cr3t@db/shop\"\n");
	toml_remove(t, "token");
	toml_remove(t, "token");
	buf_reset(&out);
	toml_write(t, TOML_BASIC, &out);
	assert_null(strstr(buf_cstr(&out), "token"));
	toml_free(&t);
	buf_free(&out);
}

static void
what_is_no_toml_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "a = 1\ntoken\n", "line 2: expected \"key = value\"" },
		{ "= 1\n", "line 1: expected \"key = value\"" },
		{ "token = \"x\n", "line 1: the string has no end" },
		{ "token = 'x", "line 1: the string has no end" },
		{ "token = \"\\", "line 1: the string has no end" },
		{ "token = \"\\q\"", "line 1: unknown escape in a string; a backslash is written \\\\" },
		{ "token = \"\\u12g4\"", "line 1: expected hexadecimal digits after \\u" },
		{ "token = \"\\ud800\"", "line 1: \\u names no character" },
		{ "token = \"a\001\"", "line 1: control character in a string" },
		{ "token = 'x' y\n", "line 1: expected the end of the line after the value" },
		{ "token = truex\n", "line 1: expected the end of the line after the value" },
		{ "\n\ntoken = 'a'\ntoken = 'b'\n", "line 4: token is given twice" },
		{ "a = [ 1,\n 2\n", "line 3: a bracket has no end" },
		{ "a = \"\"\"x\n\n", "line 1: the string has no end" },
		{ "a =\n", "line 1: expected a value after the equals sign" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct toml *t = NULL;
		struct err err = { 0 };

		assert_int_equal(toml_parse(&t, slice_of(cases[i].text), &err), -1);
		assert_null(t);
		assert_int_equal(err.code, ERR_INVALID);
		assert_string_equal(err.text, cases[i].message);
	}
}

static void
h50_saving_makes_a_private_file_and_leaves_nothing_else(void **state)
{
	char dir[] = "/tmp/eds-toml.XXXXXX", path[64];
	struct toml *t = NULL;
	struct err err = { 0 };
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/config.toml", dir);
	assert_int_equal(toml_load(&t, path, &err), 0);		/* none there yet */
	assert_int_equal(toml_set_string(t, "token", "x", &err), 0);
	(void)umask(0);
	assert_int_equal(toml_save(t, TOML_BASIC, path, &err), 0);
	assert_int_equal(toml_save(t, TOML_LITERAL, path, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	toml_free(&t);
	assert_int_equal(toml_load(&t, path, &err), 0);
	string_is(t, "token", "x");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);			/* no temporary file was left */
	assert_int_equal(toml_save(t, TOML_BASIC, path, &err), -1);
	assert_non_null(strstr(err.text, path));
	toml_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_string_forms_comments_and_any_order_are_read),
		cmocka_unit_test(other_peoples_keys_survive_a_rewrite),
		cmocka_unit_test(enrolment_and_rewrite_have_their_own_forms),
		cmocka_unit_test(what_is_no_toml_is_refused_with_its_line),
		cmocka_unit_test(h50_saving_makes_a_private_file_and_leaves_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
