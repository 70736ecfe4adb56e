/* Counting, and the text that Prometheus reads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "supervisor/metrics/metrics.h"

static struct metrics	*m;
static struct buf	 out;

static int
setup(void **state)
{
	(void)state;
	return metrics_new(&m, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	metrics_free(&m);
	buf_free(&out);
	return 0;
}

static const char *
rendered(void)
{
	buf_reset(&out);
	metrics_render(m, &out);
	return buf_cstr(&out);
}

static void
assert_has(const char *text, const char *line)
{
	struct buf	 whole = { 0 };

	buf_printf(&whole, "\n%s\n", line);
	if (strstr(text, buf_cstr(&whole)) == NULL)
		fail_msg("this line is missing: %s\nin:\n%s", line, text);
	buf_free(&whole);
}

static void
buckets_count_everything_up_to_their_bound(void **state)
{
	const char	*text;

	(void)state;
	metrics_observe(m, METRIC_FLUSH_DURATION, 0.005);	/* on the bound: counts in it */
	metrics_observe(m, METRIC_FLUSH_DURATION, 0.3);
	metrics_observe(m, METRIC_FLUSH_DURATION, 99);
	text = rendered();
	assert_has(text, "# TYPE eds_flush_duration_seconds histogram");
	assert_has(text, "eds_flush_duration_seconds_bucket{le=\"0.005\"} 1");
	assert_has(text, "eds_flush_duration_seconds_bucket{le=\"0.25\"} 1");
	assert_has(text, "eds_flush_duration_seconds_bucket{le=\"0.5\"} 2");
	assert_has(text, "eds_flush_duration_seconds_bucket{le=\"10\"} 2");
	assert_has(text, "eds_flush_duration_seconds_bucket{le=\"+Inf\"} 3");
	assert_has(text, "eds_flush_duration_seconds_sum 99.305");
	assert_has(text, "eds_flush_duration_seconds_count 3");
	assert_true(metrics_value(m, METRIC_FLUSH_DURATION) == 3);
}

static size_t
count(const char *text, const char *what)
{
	size_t	 n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static void
bucket_tables_are_those_of_the_contract(void **state)
{
	const char	*text = rendered();

	(void)state;
	assert_int_equal(count(text, "eds_flush_duration_seconds_bucket{"), 12);
	assert_int_equal(count(text, "eds_flush_count_bucket{"), 12);
	assert_int_equal(count(text, "eds_processing_duration_seconds_bucket{"), 11);
	for (const char *const *le = (const char *const[]){ "1", "10", "25", "50", "100", "250", "500", "1000", "2500",
	    "5000", "10000", "+Inf", NULL }; *le != NULL; le++) {
		char line[80];

		(void)snprintf(line, sizeof(line), "eds_flush_count_bucket{le=\"%s\"} 0", *le);
		assert_has(text, line);
	}
	for (const char *const *le = (const char *const[]){ "1", "2", "3", "5", "10", "60", "300", "600", "1800", "3600",
	    "+Inf", NULL }; *le != NULL; le++) {
		char line[80];

		(void)snprintf(line, sizeof(line), "eds_processing_duration_seconds_bucket{le=\"%s\"} 0", *le);
		assert_has(text, line);
	}
}

static void
counters_and_gauges_show_their_value(void **state)
{
	const char	*text;

	(void)state;
	metrics_add(m, METRIC_TOTAL_EVENTS, 3);
	metrics_add(m, METRIC_TOTAL_EVENTS, 1234567890123.0);
	metrics_set(m, METRIC_PENDING_EVENTS, 0.1);
	metrics_set(m, METRIC_PENDING_EVENTS, 0.25);
	text = rendered();
	assert_has(text, "# TYPE eds_total_events counter");
	assert_has(text, "eds_total_events 1234567890126");
	assert_has(text, "# TYPE eds_pending_events gauge");
	assert_has(text, "eds_pending_events 0.25");
}

static void
no_destination_means_no_destination_series(void **state)
{
	(void)state;
	assert_null(strstr(rendered(), "eds_destination"));
	metrics_destination_add(metrics_destination(m, "file"), DESTINATION_COMMITTED, 1);
	assert_non_null(strstr(rendered(), "eds_destination"));
	metrics_destination_remove(m, "file");
	assert_null(strstr(rendered(), "eds_destination"));
	metrics_destination_remove(m, "never-there");
}

static void
each_destination_has_its_own_series(void **state)
{
	struct metrics_destination	*a = metrics_destination(m, "a"), *b = metrics_destination(m, "b");
	const char			*text;

	(void)state;
	assert_ptr_equal(a, metrics_destination(m, "a"));
	metrics_destination_add(a, DESTINATION_COMMITTED, 5);
	metrics_destination_set(b, DESTINATION_BEHIND, 7);
	metrics_destination_observe(b, DESTINATION_FLUSH_DURATION, 2);
	metrics_destination_state(a, "running");
	metrics_destination_state(a, "failed");
	text = rendered();
	assert_has(text, "eds_destination_committed_events_total{destination=\"a\"} 5");
	assert_has(text, "eds_destination_committed_events_total{destination=\"b\"} 0");
	assert_has(text, "eds_destination_behind_events{destination=\"b\"} 7");
	assert_has(text, "eds_destination_flush_duration_seconds_bucket{destination=\"b\",le=\"2.5\"} 1");
	assert_has(text, "eds_destination_flush_duration_seconds_count{destination=\"a\"} 0");
	assert_has(text, "eds_destination_state{destination=\"a\",state=\"failed\"} 1");
	assert_has(text, "eds_destination_state{destination=\"a\",state=\"running\"} 0");
	assert_has(text, "eds_destination_state{destination=\"b\",state=\"running\"} 0");
	assert_int_equal(count(text, "# TYPE eds_destination_committed_events_total"), 1);

	metrics_destination_remove(m, "a");
	text = rendered();
	assert_null(strstr(text, "destination=\"a\""));
	assert_has(text, "eds_destination_behind_events{destination=\"b\"} 7");
	assert_true(metrics_destination_value(b, DESTINATION_BEHIND) == 7);
}

static void
label_values_are_escaped(void **state)
{
	(void)state;
	metrics_destination_set(metrics_destination(m, "a\"b\\c\nd"), DESTINATION_TROUBLE, 1);
	assert_has(rendered(), "eds_destination_trouble{destination=\"a\\\"b\\\\c\\nd\"} 1");
}

static void
a_missing_destination_is_no_trouble(void **state)
{
	(void)state;
	metrics_destination_set(NULL, DESTINATION_BEHIND, 1);
	metrics_destination_add(NULL, DESTINATION_BEHIND, 1);
	metrics_destination_observe(NULL, DESTINATION_FLUSH_DURATION, 1);
	metrics_destination_state(NULL, "running");
	assert_true(metrics_destination_value(NULL, DESTINATION_BEHIND) == 0);
}

static void
process_figures_come_from_the_kernel(void **state)
{
	(void)state;
	metrics_read_process(m);
	assert_true(metrics_value(m, METRIC_RESIDENT_MEMORY) > 100000);
	assert_true(metrics_value(m, METRIC_OPEN_FDS) >= 1);
	assert_true(metrics_value(m, METRIC_START_TIME) > 1.6e9);
	assert_true(metrics_value(m, METRIC_CPU_SECONDS) > 0);
}

/* Every sample belongs to the family whose TYPE line came last, and no family comes twice. */
static void
every_line_has_the_shape_of_the_format(void **state)
{
	struct slice	 rest, line, seen[64];
	struct slice	 family = { 0 };
	size_t		 n = 0;

	(void)state;
	(void)metrics_destination(m, "x");
	(void)rendered();
	rest = buf_slice(&out);
	assert_int_equal(out.data[out.len - 1], '\n');
	rest.n--;
	while (slice_cut(&rest, '\n', &line)) {
		if (line.n > 7 && memcmp(line.p, "# TYPE ", 7) == 0) {
			struct slice words = { line.p + 7, line.n - 7 };

			assert_true(slice_cut(&words, ' ', &family));
			for (size_t i = 0; i < n; i++)
				assert_false(slice_eq(seen[i], family));
			assert_true(n < NELEM(seen));
			seen[n++] = family;
		} else if (line.p[0] != '#') {
			assert_true(line.n > family.n && memcmp(line.p, family.p, family.n) == 0);
		}
	}
	assert_int_equal(n, METRIC_N + DESTINATION_METRIC_N + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(buckets_count_everything_up_to_their_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(bucket_tables_are_those_of_the_contract, setup, teardown),
		cmocka_unit_test_setup_teardown(counters_and_gauges_show_their_value, setup, teardown),
		cmocka_unit_test_setup_teardown(no_destination_means_no_destination_series, setup, teardown),
		cmocka_unit_test_setup_teardown(each_destination_has_its_own_series, setup, teardown),
		cmocka_unit_test_setup_teardown(label_values_are_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_destination_is_no_trouble, setup, teardown),
		cmocka_unit_test_setup_teardown(process_figures_come_from_the_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(every_line_has_the_shape_of_the_format, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
