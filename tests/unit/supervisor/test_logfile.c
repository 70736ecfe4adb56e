/* The log file: its lines, its changes, its limits. */

#include "tests/support/cmocka_all.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/logs/logfile.h"

static char	 dir[] = "/tmp/eds-logfile.XXXXXX";

static int
make_dir(void **state)
{
	(void)state;
	(void)memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static void
remove_below(const char *path)
{
	DIR		*d = opendir(path);
	struct dirent	*e;
	char		 name[600];

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (unlink(name) != 0) {
			remove_below(name);
			(void)rmdir(name);
		}
	}
	if (d != NULL)
		(void)closedir(d);
}

static int
remove_dir(void **state)
{
	(void)state;
	remove_below(dir);
	return rmdir(dir);
}

static struct logfile *
opened(uint64_t max, uint64_t keep)
{
	struct logfile	*lf = NULL;
	struct err	 err = { 0 };

	if (logfile_open(&lf, dir, max, keep, &err) != 0)
		fail_msg("%s", err.text);
	return lf;
}

static void
rotate(struct logfile *lf)
{
	struct err	 err = { 0 };

	if (logfile_rotate(lf, &err) != 0)
		fail_msg("%s", err.text);
}

static size_t
files(const char *below)
{
	char		 path[200];
	DIR		*d;
	struct dirent	*e;
	size_t		 n = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, below);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		n += strncmp(e->d_name, "eds-", 4) == 0;
	if (d != NULL)
		(void)closedir(d);
	return n;
}

static void
line_is(const char *want, enum log_level level, const char *prefix, const char *text, const char *json)
{
	struct buf	 b = { 0 };
	json_t		*doc;

	logfile_format(&b, INT64_C(1720549683123456789), level, prefix, text, json);
	assert_string_equal(buf_cstr(&b), want);
	doc = json_loads(buf_cstr(&b), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	json_decref(doc);
	buf_free(&b);
}

static void
lines_are_those_of_the_contract(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "UTC0", 1), 0);
	tzset();
	line_is("{\"timestamp\":\"2024-07-09T18:28:03.123456789Z\",\"message\":\"nats connected: nats://127.0.0.1:4222\","
	    "\"severity\":\"INFO\",\"component\":\"fork, consumer\"}", LOG_INFO, "[fork] [consumer] ",
	    "nats connected: nats://127.0.0.1:4222", NULL);
	line_is("{\"timestamp\":\"2024-07-09T18:28:03.123456789Z\",\"message\":\"a \\\"b\\\"\",\"severity\":\"WARNING\","
	    "\"metadata\":{\"sid\":7}}", LOG_WARN, "", "\033[31ma \033[0m\"b\"", "{\"sid\":7}");
	line_is("{\"timestamp\":\"2024-07-09T18:28:03.123456789Z\",\"message\":\"\",\"severity\":\"TRACE\"}", LOG_TRACE, "", "\033[", "{}");
	assert_int_equal(setenv("TZ", "XXX-05:30", 1), 0);
	tzset();
	line_is("{\"timestamp\":\"2024-07-09T23:58:03.123456789+05:30\",\"message\":\"x\",\"severity\":\"ERROR\"}", LOG_ERROR, "", "x", NULL);
	assert_int_equal(setenv("TZ", "XXX+03:00", 1), 0);
	tzset();
	line_is("{\"timestamp\":\"2024-07-09T15:28:03.123456789-03:00\",\"message\":\"x\",\"severity\":\"DEBUG\"}", LOG_DEBUG, "", "x", NULL);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

static void
a_full_file_makes_room_for_the_next(void **state)
{
	struct logfile	*lf = opened(1000, 1 << 20);

	(void)state;
	for (int i = 0; i < 50; i++)
		logfile_line(lf, LOG_INFO, "[x] ", "fifty lines of about a hundred bytes", NULL);
	assert_in_range(files("logs"), 4, 9);
	logfile_close(&lf);
}

static void
h79_the_oldest_go_when_all_together_grow_too_large(void **state)
{
	struct logfile	*lf = opened(1000, 3000);
	struct buf	 path = { 0 };
	struct stat	 st;

	(void)state;
	for (int i = 0; i < 200; i++)
		logfile_line(lf, LOG_INFO, "[x] ", "two hundred lines of about a hundred bytes", NULL);
	assert_in_range(files("logs"), 2, 4);
	assert_non_null(logfile_unsent(lf, &path).p);
	assert_int_equal(stat(buf_cstr(&path), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	buf_free(&path);
	logfile_close(&lf);
}

static void
what_was_not_sent_waits_for_the_next_time(void **state)
{
	struct logfile	*lf = opened(1 << 20, 1 << 20);
	struct buf	 path = { 0 }, again = { 0 };
	struct err	 err = { 0 };

	(void)state;
	rotate(lf);			/* empty: nothing to change */
	assert_null(logfile_unsent(lf, &path).p);
	logfile_line(lf, LOG_INFO, "", "one", NULL);
	rotate(lf);
	logfile_line(lf, LOG_INFO, "", "two", NULL);
	logfile_close(&lf);
	lf = opened(1 << 20, 1 << 20);	/* another run finds both */
	assert_non_null(logfile_unsent(lf, &path).p);
	assert_int_equal(logfile_sent(lf, buf_cstr(&path), false, &err), 0);
	assert_non_null(logfile_unsent(lf, &again).p);
	assert_true(strcmp(buf_cstr(&again), buf_cstr(&path)) > 0);
	assert_int_equal(logfile_sent(lf, buf_cstr(&again), true, &err), 0);
	assert_int_equal(files("logs/sent"), 1);
	assert_null(logfile_unsent(lf, &path).p);
	buf_free(&path);
	buf_free(&again);
	logfile_close(&lf);
	assert_int_equal(files("logs"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_those_of_the_contract),
		cmocka_unit_test_setup_teardown(a_full_file_makes_room_for_the_next, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(h79_the_oldest_go_when_all_together_grow_too_large, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_was_not_sent_waits_for_the_next_time, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
