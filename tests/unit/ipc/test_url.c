/* URLs, by hand and against the golden values. */

#include "tests/support/vectors.h"

#include <stdlib.h>

#include "ipc/base/url.h"

#define VECTORS	"tests/vectors/urls.json"

static const char *
or_dash(const char *text)
{
	return text == NULL ? "-" : text;
}

/* Everything in one line, absent parts as a dash. */
static void
expect_parts(const char *text, const char *want)
{
	struct err	 err = { 0 };
	struct url	 u;
	struct buf	 b = { 0 };

	if (url_parse(&u, slice_of(text), &err) != 0)
		fail_msg("%s: %s", text, err.text);
	buf_printf(&b, "%s|%s|%s|%s|%s|%s|%s|%s", u.scheme, or_dash(u.user), or_dash(u.password), u.host, u.port,
	    u.path, or_dash(u.query), or_dash(u.fragment));
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
	url_free(&u);
	assert_null(u.scheme);
}

static void
urls_come_apart_into_decoded_parts(void **state)
{
	static const struct {
		const char	*url, *parts;	/* scheme|user|password|host|port|path|query|fragment */
	} cases[] = {
		{ "postgres://h/db", "postgres|-|-|h||/db|-|-" },
		{ "POSTGRES://H:5432/DB", "postgres|-|-|H|5432|/DB|-|-" },
		{ "p://u@h", "p|u|-|h|||-|-" },
		{ "p://u:@h", "p|u||h|||-|-" },
		{ "p://:pw@h", "p||pw|h|||-|-" },
		{ "p://@h", "p||-|h|||-|-" },
		{ "p://u:a:b@h", "p|u|a:b|h|||-|-" },
		{ "p://u:p@ss@h:1/x", "p|u|p@ss|h|1|/x|-|-" },
		{ "p://us%20er:p%40%2Fss+@h", "p|us er|p@/ss+|h|||-|-" },
		{ "p://u:a%25b@h", "p|u|a%b|h|||-|-" },
		{ "p://[::1]:80/x", "p|-|-|::1|80|/x|-|-" },
		{ "p://[fe80::1%25eth0]", "p|-|-|fe80::1%eth0|||-|-" },
		{ "p://h:/x", "p|-|-|h||/x|-|-" },
		{ "p://:5432", "p|-|-||5432||-|-" },
		{ "p://h?a=1", "p|-|-|h|||a=1|-" },
		{ "p://h/?a=1?b#f%20g", "p|-|-|h||/|a=1?b|f g" },
		{ "p://h#f?x", "p|-|-|h|||-|f?x" },
		{ "p://h?", "p|-|-|h||||-" },
		{ "p://h#", "p|-|-|h|||-|" },
		{ "p://h/a%2Fb+c d", "p|-|-|h||/a/b+c d|-|-" },
		{ "p://h/?x=%zz", "p|-|-|h||/|x=%zz|-" },
		{ "p://h%C3%A9/x", "p|-|-|hé||/x|-|-" },
		{ "p://hé/x", "p|-|-|hé||/x|-|-" },
		{ "file:///var/data", "file|-|-|||/var/data|-|-" },
		{ "file:/var", "file|-|-|||/var|-|-" },
		{ "snowflake:", "snowflake|-|-||||-|-" },
		{ "s3+x.y-1://b", "s3+x.y-1|-|-|b|||-|-" },
		{ "eventhub://ns/;Key=a+b/c=;E=e", "eventhub|-|-|ns||/;Key=a+b/c=;E=e|-|-" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++)
		expect_parts(cases[i].url, cases[i].parts);
}

static void
bad_urls_are_refused_with_a_text_that_keeps_the_secret(void **state)
{
	static const struct {
		const char	*url, *text;
	} cases[] = {
		{ "", "no scheme" },
		{ "SECRET", "no scheme" },
		{ "/SECRET", "no scheme" },
		{ "://SECRET", "no scheme" },
		{ "1p://SECRET", "no scheme" },
		{ "-p://SECRET", "no scheme" },
		{ "p_q://SECRET", "no scheme" },
		{ "p:SECRET", "// is missing" },
		{ "p://us er:SECRET@h", "%20" },
		{ "p://u:SEC RET@h", "%20" },
		{ "p://u:SEC\"RET@h", "%XX" },
		{ "p://u:SECRET%b@h", "escape in the password" },
		{ "p://SECRET%zz@h", "escape in the user" },
		{ "p://u:SECRET%00@h", "escape in the password" },
		{ "p://u:SECRET/b#c@h:5432", "invalid port" },
		{ "p://h:SECRET", "invalid port" },
		{ "p://h:80SECRET/", "invalid port" },
		{ "p://[::1]SECRET/", "invalid port" },
		{ "p://[SECRET/", "no ]" },
		{ "p://SEC RET/", "no host name" },
		{ "p://SEC%20RET/", "escape in the host" },
		{ "p://SECRET%/", "escape in the host" },
		{ "p://h/SECRET%", "escape in the path" },
		{ "p://h/SECRET%4", "escape in the path" },
		{ "p://h/SECRET%zz", "escape in the path" },
		{ "p://h/SECRET%00", "escape in the path" },
		{ "p://h/#SECRET%zz", "escape in the fragment" },
		{ "p://h/SECRET\n", "control character" },
		{ "p://h/SECRET\x7f", "control character" },
		{ " p://SECRET", "no scheme" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct err err = { 0 };
		struct url u;

		if (url_parse(&u, slice_of(cases[i].url), &err) == 0)
			fail_msg("%s was accepted", cases[i].url);
		assert_int_equal(err.code, ERR_INVALID);
		if (strstr(err.text, cases[i].text) == NULL)
			fail_msg("%s: %s", cases[i].url, err.text);
		assert_null(strstr(err.text, "SEC"));
		assert_null(u.scheme);
	}
}

static void
parsing_stops_at_the_end_of_the_slice(void **state)
{
	static const char text[] = "p://h:1234/x";
	struct url	  u;

	(void)state;
	assert_int_equal(url_parse(&u, (struct slice){ text, 8 }, NULL), 0);
	assert_string_equal(u.port, "12");
	assert_string_equal(u.path, "");
	url_free(&u);
}

/* "host=h:1 path=/x user=u pass=p query=q", as the golden file describes what a URL means. */
static void
describe(struct buf *b, const struct url *u)
{
	buf_printf(b, "host=%s%s%s path=%s user=%s pass=%s query=%s", u->host, u->port[0] == '\0' ? "" : ":", u->port,
	    u->path, u->user == NULL ? "" : u->user, u->password == NULL ? "" : u->password,
	    u->query == NULL ? "" : u->query);
}

static size_t
check_reparse(const json_t *c)
{
	struct slice	 want = vectors_str(c, "reparse");
	struct buf	 b = { 0 };
	struct url	 u;

	if (want.p == NULL)
		return 0;
	if (want.n > 3 && memcmp(want.p, "ERR", 3) == 0)
		assert_int_equal(url_parse(&u, vectors_str(c, "url"), NULL), -1);
	else {
		assert_int_equal(url_parse(&u, vectors_str(c, "url"), NULL), 0);
		describe(&b, &u);
		assert_slice(slice_of(buf_cstr(&b)), want);
		buf_free(&b);
		url_free(&u);
	}
	return 1;
}

static void
every_golden_url_means_what_the_golden_file_says(void **state)
{
	json_t		*root = vectors_load(VECTORS), *cases, *c;
	const char	*driver;
	size_t		 i, seen = 0;

	(void)state;
	json_object_foreach(json_object_get(root, "validate"), driver, cases)
		json_array_foreach(cases, i, c)
			seen += check_reparse(c);
	assert_int_equal(seen, 60);
	json_decref(root);
}

static void
every_correct_url_and_every_driver_url_parses(void **state)
{
	json_t		*root = vectors_load(VECTORS), *cases, *c;
	const char	*driver, *text;
	size_t		 i, seen = 0;
	struct url	 u;

	(void)state;
	json_object_foreach(json_object_get(root, "validate"), driver, cases)
		json_array_foreach(cases, i, c)
			if ((text = json_string_value(json_object_get(c, "correctUrl"))) != NULL) {
				assert_int_equal(url_parse(&u, slice_of(text), NULL), 0);
				assert_string_equal(u.scheme, driver);
				url_free(&u);
				seen++;
			}
	json_object_foreach(json_object_get(root, "connection"), driver, cases)
		json_object_foreach(cases, text, c) {
			assert_int_equal(url_parse(&u, slice_of(text), NULL), 0);
			url_free(&u);
			seen++;
		}
	assert_true(seen >= 40);
	json_decref(root);
}

static void
expect_query(const char *query, const char *key, const char *want)
{
	char		 text[100];
	struct url	 u;
	char		*got;

	(void)snprintf(text, sizeof(text), "p://h?%s", query);
	assert_int_equal(url_parse(&u, slice_of(text), NULL), 0);
	got = url_query_get(&u, key);
	assert_string_equal(or_dash(got), want);
	free(got);
	url_free(&u);
}

static void
a_query_gives_the_first_value_of_a_key_decoded(void **state)
{
	(void)state;
	expect_query("a=1&b=2&a=3", "a", "1");
	expect_query("a=1&b=2", "b", "2");
	expect_query("a=1", "c", "-");
	expect_query("", "", "-");
	expect_query("a", "a", "");
	expect_query("a=", "a", "");
	expect_query("a=b=c", "a", "b=c");
	expect_query("app+name=x+y%2B", "app name", "x y+");
	expect_query("a=%zz&a=2", "a", "2");
	expect_query("a=1;b=2&a=3", "a", "3");
	expect_query("a=%00&a=4", "a", "4");
	expect_query("&&a=5&", "a", "5");
	expect_query("=6", "", "6");
}

static void
a_url_without_a_query_has_no_values(void **state)
{
	struct url	 u;

	(void)state;
	assert_int_equal(url_parse(&u, SLICE("p://h"), NULL), 0);
	assert_null(url_query_get(&u, "a"));
	url_free(&u);
}

static void
a_path_segment_keeps_unreserved_bytes_only(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	url_escape_segment(&b, SLICE("AZaz09-_.~ /?#%&=+é\n"));
	assert_string_equal(buf_cstr(&b), "AZaz09-_.~%20%2F%3F%23%25%26%3D%2B%C3%A9%0A");
	buf_free(&b);
}

static void
only_this_machine_is_loopback(void **state)
{
	static const char *const	here[] = { "localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1" };
	static const char *const	there[] = { "", "localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "0.0.0.0", "::2" };

	(void)state;
	for (size_t i = 0; i < NELEM(here); i++)
		assert_true(host_is_loopback(here[i]));
	for (size_t i = 0; i < NELEM(there); i++)
		assert_false(host_is_loopback(there[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_come_apart_into_decoded_parts),
		cmocka_unit_test(bad_urls_are_refused_with_a_text_that_keeps_the_secret),
		cmocka_unit_test(parsing_stops_at_the_end_of_the_slice),
		cmocka_unit_test(every_golden_url_means_what_the_golden_file_says),
		cmocka_unit_test(every_correct_url_and_every_driver_url_parses),
		cmocka_unit_test(a_query_gives_the_first_value_of_a_key_decoded),
		cmocka_unit_test(a_url_without_a_query_has_no_values),
		cmocka_unit_test(a_path_segment_keeps_unreserved_bytes_only),
		cmocka_unit_test(only_this_machine_is_loopback),
	};

	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
