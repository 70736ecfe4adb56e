/* Log lines: what stands on the console, and who else hears them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/base/log.h"

/* Stdout goes into a pipe from here to console_end(), so it is no terminal and nothing blocks: lines are short. */
static int	 saved_stdout = -1, pipe_read = -1;

static void
console_begin(void)
{
	int	 fds[2];

	(void)fflush(stdout);
	assert_int_equal(pipe(fds), 0);
	saved_stdout = dup(STDOUT_FILENO);
	assert_true(saved_stdout >= 0);
	assert_int_equal(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
	(void)close(fds[1]);
	pipe_read = fds[0];
}

/* What was written in between. */
static void
console_end(struct buf *out)
{
	char	 part[512];
	ssize_t	 n;

	(void)dup2(saved_stdout, STDOUT_FILENO);
	(void)close(saved_stdout);
	while ((n = read(pipe_read, part, sizeof(part))) > 0)
		buf_add(out, part, (size_t)n);
	(void)close(pipe_read);
}

static int
quiet_log(void **state)
{
	(void)state;
	log_sink_set(NULL, NULL);
	log_sink_add(NULL, NULL);
	console_begin();
	log_init(LOG_TRACE, false, NULL);
	return 0;
}

static int
loud_again(void **state)
{
	struct buf	 rest = { 0 };

	(void)state;
	if (pipe_read >= 0)
		console_end(&rest);
	buf_free(&rest);
	log_sink_set(NULL, NULL);
	log_sink_add(NULL, NULL);
	return 0;
}

static void
expect_console(const char *want)
{
	struct buf	 out = { 0 };

	console_end(&out);
	pipe_read = -1;
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void
levels_are_padded_to_seven_characters(void **state)
{
	(void)state;
	log_trace(NULL, "a");
	log_debug(NULL, "b");
	log_info(NULL, "c");
	log_warn(NULL, "d");
	log_error(NULL, "e");
	expect_console("[TRACE] a\n[DEBUG] b\n[INFO]  c\n[WARN]  d\n[ERROR] e\n");
}

static void
prefixes_stand_between_level_and_text(void **state)
{
	struct log	 lg;

	(void)state;
	log_make(&lg, "server", "postgres", "server", NULL);
	log_info(&lg, "server id: %s", "6a0f");
	expect_console("[INFO]  [server] [postgres] server id: 6a0f\n");
}

static void
a_label_stands_before_the_prefixes(void **state)
{
	struct log	 lg;

	(void)state;
	log_init(LOG_INFO, false, "worker 3");
	log_make(&lg, "kafka", NULL);
	log_info(&lg, "up");
	expect_console("[INFO]  [worker 3] [kafka] up\n");
}

static void
metadata_is_a_compact_object_at_the_end(void **state)
{
	struct log	 lg;

	(void)state;
	log_make(&lg, "fork", "consumer", NULL);
	log_write(&lg, LOG_TRACE, KVS(KV_STR("msgId", "x1"), KV_U64("seq", UINT64_MAX), KV_I64("lag", -12),
	    KV_STR("subject", "a\"<\n>")), "msg received - deliveries=%d,pending=%d", 1, 0);
	expect_console("[TRACE] [fork] [consumer] msg received - deliveries=1,pending=0 "
	    "{\"msgId\":\"x1\",\"seq\":18446744073709551615,\"lag\":-12,\"subject\":\"a\\\"\\u003c\\n\\u003e\"}\n");
}

static void
one_line_stays_one_line(void **state)
{
	(void)state;
	log_warn(NULL, "%s", "first\nsecond\r\nthird");
	expect_console("[WARN]  first second  third\n");
}

static void
a_long_text_is_not_cut(void **state)
{
	struct buf	 text = { 0 }, want = { 0 };

	(void)state;
	for (int i = 0; i < 200; i++)
		buf_adds(&text, "0123456789");
	log_error(NULL, "%s", buf_cstr(&text));
	buf_printf(&want, "[ERROR] %s\n", buf_cstr(&text));
	expect_console(buf_cstr(&want));
	buf_free(&text);
	buf_free(&want);
}

static void
lines_below_the_level_are_not_written(void **state)
{
	(void)state;
	log_level_set(LOG_WARN);
	assert_int_equal(log_level_get(), LOG_WARN);
	log_info(NULL, "no");
	log_warn(NULL, "yes");
	expect_console("[WARN]  yes\n");
}

static void
a_timestamp_comes_first_when_asked_for(void **state)
{
	struct buf	 out = { 0 };
	int		 y, mo, d, h, mi, s, end = 0;

	(void)state;
	log_init(LOG_INFO, true, NULL);
	log_info(NULL, "now");
	console_end(&out);
	pipe_read = -1;
	assert_int_equal(sscanf(buf_cstr(&out), "%4d/%2d/%2d %2d:%2d:%2d %n", &y, &mo, &d, &h, &mi, &s, &end), 6);
	assert_int_equal(end, 20);
	assert_string_equal(buf_cstr(&out) + end, "[INFO]  now\n");
	buf_free(&out);
}

static void
listen(void *arg, enum log_level level, const char *prefix, const char *text, const char *json)
{
	buf_printf(arg, "%s|%s|%s|%s;", log_level_name(level), prefix, text, json == NULL ? "-" : json);
}

static void
a_sink_takes_the_place_of_the_console(void **state)
{
	struct buf	 heard = { 0 };
	struct log	 lg;

	(void)state;
	log_level_set(LOG_INFO);
	log_sink_set(listen, &heard);
	log_make(&lg, "s3", NULL);
	log_write(&lg, LOG_INFO, KVS(KV_U64("n", 1)), "stored");
	log_error(NULL, "bad");
	log_debug(NULL, "unheard");
	assert_string_equal(buf_cstr(&heard), "INFO|[s3] |stored|{\"n\":1};ERROR||bad|-;");
	buf_free(&heard);
	expect_console("");
}

static void
the_second_listener_hears_every_level(void **state)
{
	struct buf	 heard = { 0 };

	(void)state;
	log_level_set(LOG_ERROR);
	log_sink_add(listen, &heard);
	log_trace(NULL, "low");
	log_error(NULL, "high");
	assert_string_equal(buf_cstr(&heard), "TRACE||low|-;ERROR||high|-;");
	buf_free(&heard);
	expect_console("[ERROR] high\n");
}

static void
level_names_are_read_in_any_case(void **state)
{
	enum log_level	 level = LOG_WARN;

	(void)state;
	assert_true(log_level_parse(SLICE("info"), &level));
	assert_int_equal(level, LOG_INFO);
	assert_true(log_level_parse(SLICE("TRACE"), &level));
	assert_int_equal(level, LOG_TRACE);
	assert_false(log_level_parse(SLICE("inf"), &level));
	assert_false(log_level_parse(SLICE("infos"), &level));
	assert_false(log_level_parse(SLICE(""), &level));
	assert_int_equal(level, LOG_TRACE);
}

static void
in_the_journal_a_line_begins_with_its_priority(void **state)
{
	struct stat	 st;
	struct buf	 out = { 0 };
	char		 stream[64];

	(void)state;
	assert_int_equal(fstat(STDOUT_FILENO, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_init(LOG_TRACE, true, NULL);
	log_warn(NULL, "a");
	log_error(NULL, "b");
	log_info(NULL, "c");
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + 1);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	log_init(LOG_TRACE, false, NULL);
	log_info(NULL, "another's journal");
	console_end(&out);
	pipe_read = -1;
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_string_equal(buf_cstr(&out), "<4>[WARN]  a\n<3>[ERROR] b\n<6>[INFO]  c\n[INFO]  another's journal\n");
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CONSOLE(name)	cmocka_unit_test_setup_teardown(name, quiet_log, loud_again)
		CONSOLE(levels_are_padded_to_seven_characters),
		CONSOLE(prefixes_stand_between_level_and_text),
		CONSOLE(a_label_stands_before_the_prefixes),
		CONSOLE(metadata_is_a_compact_object_at_the_end),
		CONSOLE(one_line_stays_one_line),
		CONSOLE(a_long_text_is_not_cut),
		CONSOLE(lines_below_the_level_are_not_written),
		CONSOLE(a_timestamp_comes_first_when_asked_for),
		CONSOLE(a_sink_takes_the_place_of_the_console),
		CONSOLE(the_second_listener_hears_every_level),
		CONSOLE(in_the_journal_a_line_begins_with_its_priority),
		cmocka_unit_test(level_names_are_read_in_any_case),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
