/* The record of who told the server what. */

#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/audit.h"

static char	 dir[] = "/tmp/eds-audit.XXXXXX";
static char	 path[64], aside[64];

static int
make_dir(void **state)
{
	(void)state;
	(void)memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/audit.log", dir);
	(void)snprintf(aside, sizeof(aside), "%s/audit.log.1", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(aside);
	return rmdir(dir);
}

static struct audit *
opened(void)
{
	struct audit	*a = NULL;
	struct err	 err = { 0 };

	if (audit_open(&a, dir, &err) != 0)
		fail_msg("%s", err.text);
	return a;
}

static void
add(struct audit *a, const char *command, const char *details)
{
	const struct audit_entry e = { .from = "local", .who = "uid 0", .command = command, .details = details, .outcome = "accepted" };
	struct err	 err = { 0 };

	if (audit_add(a, &e, &err) != 0)
		fail_msg("%s", err.text);
}

/* The commands of the last n entries, one letter each. */
static void
tail_is(struct audit *a, size_t n, const char *want)
{
	struct buf	 json = { 0 }, got = { 0 };
	struct err	 err = { 0 };
	json_t		*list, *e;
	size_t		 i;

	if (audit_tail(a, n, &json, &err) != 0)
		fail_msg("%s", err.text);
	list = json_loads(buf_cstr(&json), 0, NULL);
	assert_non_null(list);
	json_array_foreach(list, i, e)
		buf_adds(&got, json_string_value(json_object_get(e, "command")));
	assert_string_equal(buf_cstr(&got), want);
	json_decref(list);
	buf_free(&got);
	buf_free(&json);
}

static void
the_last_entries_come_in_their_order(void **state)
{
	struct audit	*a = opened();

	(void)state;
	tail_is(a, 5, "");
	add(a, "a", "");
	add(a, "b", "with \"quotes\" and\nlines");
	add(a, "c", "");
	tail_is(a, 5, "abc");
	tail_is(a, 3, "abc");
	tail_is(a, 2, "bc");
	audit_close(&a);
	a = opened();		/* a restart adds to what is there */
	add(a, "d", "");
	tail_is(a, 2, "cd");
	audit_close(&a);
}

static void
a_line_that_a_power_cut_left_unfinished_is_passed_over(void **state)
{
	struct audit	*a = opened();
	int		 fd;

	(void)state;
	add(a, "a", "");
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"at\":1\n", 8), 8);
	(void)close(fd);
	audit_close(&a);
	a = opened();
	add(a, "b", "");
	tail_is(a, 5, "ab");
	audit_close(&a);
}

static void
the_file_is_put_aside_before_it_grows_too_large(void **state)
{
	struct audit	*a = opened();
	struct stat	 st;

	(void)state;
	assert_int_equal(truncate(path, (off_t)AUDIT_ROTATE_BYTES), 0);
	audit_close(&a);
	a = opened();
	add(a, "x", "");
	assert_int_equal(stat(aside, &st), 0);
	assert_int_equal(st.st_size, AUDIT_ROTATE_BYTES);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 1000);
	assert_int_equal(st.st_mode & 0777, 0600);
	tail_is(a, 5, "x");
	audit_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_last_entries_come_in_their_order, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_line_that_a_power_cut_left_unfinished_is_passed_over, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_file_is_put_aside_before_it_grows_too_large, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
