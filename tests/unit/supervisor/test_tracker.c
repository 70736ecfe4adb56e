/* The Go server's store, as its files may be found. */

#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/base/buf.h"
#include "supervisor/takeover/tracker.h"

#define NOW		1720000000
#define SET(k, v)	"*3\r\n$3\r\nset\r\n" k v
#define VERSION_KEY	"$22\r\nregistry:order:version\r\n"

static void
parse(struct tracker *t, struct slice text)
{
	struct err	 err = { 0 };

	if (tracker_parse(t, text, NOW, NOW - 100, &err) != 0)
		fail_msg("%s", err.text);
}

static void
version_is(const char *text, size_t n, const char *want)
{
	struct tracker	 t;

	parse(&t, (struct slice){ text, n });
	if (want == NULL)
		assert_null(tracker_get(&t, "registry:order:version"));
	else {
		assert_non_null(tracker_get(&t, "registry:order:version"));
		assert_string_equal(tracker_get(&t, "registry:order:version"), want);
	}
	tracker_free(&t);
}
#define VERSION_IS(text, want)	version_is((text), sizeof(text) - 1, (want))

static void
the_last_word_counts(void **state)
{
	(void)state;
	VERSION_IS("", NULL);
	VERSION_IS(SET(VERSION_KEY, "$1\r\na\r\n"), "a");
	VERSION_IS(SET(VERSION_KEY, "$1\r\na\r\n") SET(VERSION_KEY, "$2\r\nbb\r\n"), "bb");
	VERSION_IS(SET(VERSION_KEY, "$1\r\na\r\n") "*2\r\n$3\r\nDEL\r\n" VERSION_KEY, NULL);
	VERSION_IS(SET(VERSION_KEY, "$1\r\na\r\n") "*1\r\n$7\r\nflushdb\r\n", NULL);
	VERSION_IS("*1\r\n$7\r\nFLUSHDB\r\n" SET(VERSION_KEY, "$1\r\na\r\n"), "a");
	VERSION_IS("\0\0" SET(VERSION_KEY, "$1\r\na\r\n") "\0", "a");
	VERSION_IS(SET(VERSION_KEY, "$4\r\na\r\nb\r\n"), "a\r\nb");
}

static void
what_has_expired_is_gone(void **state)
{
#define EXPIRES(how, when)	"*5\r\n$3\r\nset\r\n" VERSION_KEY "$1\r\na\r\n" how when
	(void)state;
	VERSION_IS(EXPIRES("$2\r\nae\r\n", "$10\r\n1720000001\r\n"), "a");
	VERSION_IS(EXPIRES("$2\r\nae\r\n", "$10\r\n1720000000\r\n"), NULL);
	VERSION_IS(EXPIRES("$2\r\nex\r\n", "$3\r\n101\r\n"), "a");
	VERSION_IS(EXPIRES("$2\r\nex\r\n", "$3\r\n100\r\n"), NULL);
	VERSION_IS(SET(VERSION_KEY, "$1\r\nb\r\n") EXPIRES("$2\r\nae\r\n", "$1\r\n1\r\n"), NULL);
}

static void
an_unfinished_last_command_is_left_out(void **state)
{
	static const char	 text[] = SET(VERSION_KEY, "$1\r\na\r\n") SET(VERSION_KEY, "$2\r\nbb\r\n");
	const size_t		 first = sizeof(SET(VERSION_KEY, "$1\r\na\r\n")) - 1;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		version_is(text, n, n < first ? NULL : "a");
	version_is(text, sizeof(text) - 1, "bb");
}

static void
only_what_matters_is_kept(void **state)
{
	struct tracker	 t;

	(void)state;
	parse(&t, SLICE(SET("$12\r\ntable-export\r\n", "$4\r\nnull\r\n") SET("$20\r\nregistry:order-aaaa1\r\n", "$2\r\n{}\r\n")
	    SET("$20\r\nsnowflake:order:o-12\r\n", "$1\r\nx\r\n") SET("$16\r\nregistry:version\r\n", "$1\r\nx\r\n")));
	assert_int_equal(t.n, 1);
	assert_string_equal(tracker_get(&t, "table-export"), "null");
	tracker_free(&t);
}

static void
other_files_are_refused_with_the_place(void **state)
{
	static const char *const	 bad[] = {
		"SQLite format 3", "*x\r\n", "*3\n$3\r\nset\r\n", "*3\r\n$3\r\nsetXX", "*9\r\n", "*3\r\n+OK\r\n",
		"*2\r\n$3\r\nget\r\n$1\r\nx\r\n", "*123456789012345678901234567890\r\n",
		"*5\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nzz\r\n$1\r\n1\r\n",
		"*5\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nae\r\n$2\r\n-1\r\n",
	};
	struct tracker	 t;
	struct err	 err = { 0 };
	struct buf	 text = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		assert_int_equal(tracker_parse(&t, slice_of(bad[i]), NOW, NOW, &err), -1);
		assert_non_null(strstr(err.text, "byte 0"));
		assert_int_equal(t.n, 0);
	}
	buf_adds(&text, SET(VERSION_KEY, "$1\r\na\r\n"));
	assert_int_equal(text.len, 49);
	buf_adds(&text, "nonsense nonsense nonsense");
	assert_int_equal(tracker_parse(&t, buf_slice(&text), NOW, NOW, &err), -1);
	assert_non_null(strstr(err.text, "byte 49"));
	buf_free(&text);
}

static void
files_are_read_and_missing_ones_told(void **state)
{
	char		 path[] = "/tmp/eds-tracker.XXXXXX";
	int		 fd = mkstemp(path);
	struct tracker	 t;
	struct err	 err = { 0 };

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(tracker_load(&t, path, &err), 0);	/* an empty one */
	assert_int_equal(t.n, 0);
	assert_int_equal(write(fd, SET(VERSION_KEY, "$1\r\na\r\n"), 49), 49);
	(void)close(fd);
	assert_int_equal(tracker_load(&t, path, &err), 0);
	assert_string_equal(tracker_get(&t, "registry:order:version"), "a");
	tracker_free(&t);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(tracker_load(&t, path, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_word_counts),
		cmocka_unit_test(what_has_expired_is_gone),
		cmocka_unit_test(an_unfinished_last_command_is_left_out),
		cmocka_unit_test(only_what_matters_is_kept),
		cmocka_unit_test(other_files_are_refused_with_the_place),
		cmocka_unit_test(files_are_read_and_missing_ones_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
