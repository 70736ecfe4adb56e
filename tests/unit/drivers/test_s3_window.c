/* How many requests are under way, as the service answers. */

#include "drivers/s3/s3_window.h"
#include "tests/support/cmocka_all.h"

/* As many answers as end a period; in each, this share of the time passes in waiting. */
static void
pass_period(struct s3_window *w, int64_t *now_us, int64_t idle_percent, bool starved)
{
	size_t	 n = s3_window_size(w);

	for (size_t i = 0; i <= n; i++) {
		*now_us += 1000;
		s3_window_waited(w, 10 * idle_percent, starved);
		s3_window_answered(w, *now_us);
	}
}

static void
a_service_that_takes_its_time_gets_all_places_soon(void **state)
{
	struct s3_window	 w;
	int64_t			 now = 0;

	(void)state;
	s3_window_init(&w, 256);
	assert_int_equal(s3_window_size(&w), 32);
	for (int i = 0; i < 3; i++)
		pass_period(&w, &now, 95, true);
	assert_int_equal(s3_window_size(&w), 256);
	pass_period(&w, &now, 95, true);
	assert_int_equal(s3_window_size(&w), 256);
}

static void
a_service_that_answers_at_once_keeps_few_busy(void **state)
{
	struct s3_window	 w;
	int64_t			 now = 0;

	(void)state;
	s3_window_init(&w, 256);
	for (int i = 0; i < 20; i++)
		pass_period(&w, &now, 1, true);
	assert_int_equal(s3_window_size(&w), 8);
	for (int i = 0; i < 4; i++)
		pass_period(&w, &now, 20, true);
	assert_in_range(s3_window_size(&w), 17, 32);
}

static void
waiting_for_events_is_no_reason_for_more_nor_for_fewer(void **state)
{
	struct s3_window	 w;
	int64_t			 now = 0;

	(void)state;
	s3_window_init(&w, 256);
	for (int i = 0; i < 10; i++)
		pass_period(&w, &now, 95, false);
	assert_int_equal(s3_window_size(&w), 32);
}

static void
an_overloaded_service_gets_half_once_a_second_and_more_with_successes(void **state)
{
	struct s3_window	 w;
	int64_t			 now = 0;

	(void)state;
	s3_window_init(&w, 256);
	for (int i = 0; i < 3; i++)
		pass_period(&w, &now, 95, true);
	s3_window_slower(&w, 10000);
	s3_window_slower(&w, 10500);
	assert_int_equal(s3_window_size(&w), 128);
	for (mono_t at = 11000; at < 30000; at += 1000)
		s3_window_slower(&w, at);
	assert_int_equal(s3_window_size(&w), 4);
	for (int i = 0; i < 4; i++)
		s3_window_stored(&w);
	assert_int_equal(s3_window_size(&w), 5);
	for (int i = 0; i < 5000; i++)
		s3_window_stored(&w);
	assert_int_equal(s3_window_size(&w), 256);
}

static void
fewer_places_than_the_least_are_all(void **state)
{
	struct s3_window	 w;
	int64_t			 now = 0;

	(void)state;
	s3_window_init(&w, 2);
	pass_period(&w, &now, 0, false);
	s3_window_slower(&w, 10000);
	assert_int_equal(s3_window_size(&w), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_that_takes_its_time_gets_all_places_soon),
		cmocka_unit_test(a_service_that_answers_at_once_keeps_few_busy),
		cmocka_unit_test(waiting_for_events_is_no_reason_for_more_nor_for_fewer),
		cmocka_unit_test(an_overloaded_service_gets_half_once_a_second_and_more_with_successes),
		cmocka_unit_test(fewer_places_than_the_least_are_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
