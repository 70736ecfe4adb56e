/* Restart delays, restart intensity, last words. */

#include <stdio.h>
#include <sys/wait.h>

#include "supervisor/child/backoff.h"
#include "supervisor/child/obituary.h"
#include "tests/support/cmocka_all.h"

static void
delays_double_up_to_the_cap_with_jitter_below(void **state)
{
	struct backoff	 b = { .min_ms = 100, .max_ms = 1000, .limit = 0, .window_ms = 1000 };
	int64_t		 full[] = { 100, 200, 400, 800, 1000, 1000 }, delay;

	(void)state;
	for (size_t i = 0; i < NELEM(full); i++) {
		assert_true(backoff_crashed(&b, (mono_t)i, &delay));
		assert_in_range(delay, full[i] / 2, full[i]);
	}
}

static void
too_many_crashes_within_the_window_give_up(void **state)
{
	struct backoff	 b = { .min_ms = 1, .max_ms = 1, .limit = 3, .window_ms = 100 };
	int64_t		 delay;

	(void)state;
	assert_true(backoff_crashed(&b, 0, &delay));
	assert_true(backoff_crashed(&b, 50, &delay));
	assert_true(backoff_crashed(&b, 120, &delay));	/* the first is out of the window */
	assert_false(backoff_crashed(&b, 130, &delay));
}

static void
healthy_time_forgives(void **state)
{
	struct backoff	 b = { .min_ms = 100, .max_ms = 1000, .limit = 2, .window_ms = 1000 };
	int64_t		 delay;

	(void)state;
	assert_true(backoff_crashed(&b, 0, &delay));
	backoff_forgive(&b);
	assert_true(backoff_crashed(&b, 1, &delay));
	assert_in_range(delay, 50, 100);
	assert_false(backoff_crashed(&b, 2, &delay));
}

static void
the_memory_of_crashes_is_bounded(void **state)
{
	struct backoff	 b = { .min_ms = 1, .max_ms = 1, .limit = 0, .window_ms = INT64_MAX };
	int64_t		 delay;

	(void)state;
	for (mono_t t = 0; t < 1000; t++)
		assert_true(backoff_crashed(&b, t, &delay));
	assert_int_equal(b.n_crashes, BACKOFF_CRASHES_MAX);
	assert_int_equal(b.crashes[b.n_crashes - 1], 999);
}

static void
count_line(void *arg, const char *line)
{
	(void)line;
	++*(int *)arg;
}

static void
only_the_last_lines_are_kept(void **state)
{
	struct last_words	 lw = { 0 };
	char			 long_line[3000], text[32];
	int			 lines = 0;

	(void)state;
	last_words_add(&lw, SLICE("half "), count_line, &lines);
	assert_int_equal(lw.n, 0);
	last_words_add(&lw, SLICE("a line\n\n"), count_line, &lines);
	assert_string_equal(lw.line[0], "half a line");
	for (int i = 0; i < 30; i++) {
		(void)snprintf(text, sizeof(text), "line %d\n", i);
		last_words_add(&lw, slice_of(text), count_line, &lines);
	}
	assert_int_equal(lw.n, 10);
	assert_string_equal(lw.line[9], "line 29");
	assert_int_equal(lines, 31);
	memset(long_line, 'x', sizeof(long_line));
	last_words_add(&lw, (struct slice){ long_line, sizeof(long_line) }, NULL, NULL);
	assert_int_equal(lw.n, 10);
	last_words_clear(&lw);
}

static void
an_end_is_said_in_words(void **state)
{
	char	 text[100];

	(void)state;
	obituary(text, sizeof(text), 3 << 8);
	assert_string_equal(text, "exit status 3");
	obituary(text, sizeof(text), 9);
	assert_string_equal(text, "killed by signal 9 (Killed)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_double_up_to_the_cap_with_jitter_below),
		cmocka_unit_test(too_many_crashes_within_the_window_give_up),
		cmocka_unit_test(healthy_time_forgives),
		cmocka_unit_test(the_memory_of_crashes_is_bounded),
		cmocka_unit_test(only_the_last_lines_are_kept),
		cmocka_unit_test(an_end_is_said_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
