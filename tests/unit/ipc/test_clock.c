/* Time as text, and the clocks' directions. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ipc/base/clock.h"

static void
timestamps_lose_only_trailing_zeros(void **state)
{
	static const struct {
		int64_t		 ns;
		const char	*text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ 1720549683697080000, "2024-07-09T18:28:03.69708Z" },
		{ 1720549683000000000, "2024-07-09T18:28:03Z" },
		{ 1720549683100000000, "2024-07-09T18:28:03.1Z" },
		{ 951782399999999999, "2000-02-28T23:59:59.999999999Z" },
		{ 951782400000000000, "2000-02-29T00:00:00Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z" },
		{ -1000000000, "1969-12-31T23:59:59Z" },
		{ -1500000000, "1969-12-31T23:59:58.5Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
		{ INT64_MIN, "1677-09-21T00:12:43.145224192Z" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf b = { 0 };

		buf_rfc3339(&b, cases[i].ns);
		assert_string_equal(buf_cstr(&b), cases[i].text);
		buf_free(&b);
	}
}

static void
durations_are_read_exactly(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 ms;
	} cases[] = {
		{ "0", 0 }, { "0s", 0 }, { "1h2m3s4ms", 3723004 }, { "90s", 90000 }, { "1.5s", 1500 }, { "2us", 0 },
		{ "1.001s", 1001 }, { "4.35s", 4350 }, { "1.1h", 3960000 }, { "0.1d", 8640000 }, { "1.m", 60000 },
		{ "999999us", 999 }, { "1000\xc2\xb5s", 1 }, { "1000000ns", 1 }, { "600us400us", 1 }, { "24h", 86400000 },
		{ "106751d", 9223286400000 }, { "0.0000000000000000001h", 0 }, { "1s1s", 2000 }, { "007ms", 7 },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		int64_t ms = -1;

		if (!duration_parse(slice_of(cases[i].text), &ms) || ms != cases[i].ms)
			fail_msg("%s gave %lld", cases[i].text, (long long)ms);
	}
}

static void
what_is_no_duration_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", "1", "00", "s", "1x", "-1s", "+1s", "1 s", " 1s", "1s ", "1.2.3s", ".s", ".5s", "1e3s", "0x1s", "1s2", "infs",
		"nans", "1\xb5s", "106752d", "99999999999999999999s", "106751d106751d",
		"1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s1s",
	};
	int64_t ms = 5;

	(void)state;
	for (size_t i = 0; i < NELEM(wrong); i++)
		if (duration_parse(slice_of(wrong[i]), &ms))
			fail_msg("%s was taken as %lld", wrong[i], (long long)ms);
	assert_false(duration_parse((struct slice){ "1s\0", 3 }, &ms));
	assert_false(duration_parse((struct slice){ NULL, 0 }, &ms));
	assert_int_equal(ms, 5);
}

static void
durations_for_people_have_two_units_at_most(void **state)
{
	static const struct {
		int64_t		 ms;
		const char	*text;
	} cases[] = {
		{ 0, "0ms" }, { 40, "40ms" }, { 999, "999ms" }, { 1000, "1s" }, { 59999, "59s" }, { 125000, "2m 5s" },
		{ 120000, "2m" }, { 3600000, "1h" }, { 3605000, "1h" }, { 273600000, "3d 4h" }, { 86400000, "1d" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf b = { 0 };

		buf_duration(&b, cases[i].ms);
		assert_string_equal(buf_cstr(&b), cases[i].text);
		buf_free(&b);
	}
}

static void
the_clocks_agree_and_do_not_go_back(void **state)
{
	mono_t ms = mono_now();
	uint64_t us = mono_us();
	int64_t wall = wall_ms();

	(void)state;
	assert_true((uint64_t)ms <= us / 1000);
	assert_true(mono_now() >= ms);
	assert_true(mono_us() >= us);
	assert_true(wall > 1600000000000);		/* past 2020: milliseconds, not seconds or nanoseconds */
	assert_true(wall < 4102444800000);
	assert_true(wall_ns() / 1000000 >= wall - 3600000);
}

static void
random_numbers_stay_below_and_differ(void **state)
{
	uint64_t seen = 0;

	(void)state;
	assert_int_equal(random_below(0), 0);
	assert_int_equal(random_below(1), 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = random_below(8);

		assert_true(v < 8);
		seen |= 1u << v;
	}
	assert_int_equal(seen, 0xff);	/* each of eight in a thousand: fails once in 10^57 runs */
}

static void
times_of_rfc_3339_are_read_exactly(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 ns;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2024-07-13T16:50:52.28080246Z", INT64_C(1720889452280802460) },
		{ "2024-07-13T16:50:52.280802460987Z", INT64_C(1720889452280802460) },
		{ "2024-07-13t18:50:52.28080246+02:00", INT64_C(1720889452280802460) },
		{ "2024-07-13 11:20:52.28080246-05:30", INT64_C(1720889452280802460) },
		{ "1969-12-31T23:59:59.5z", -500000000 },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800000000000) },
	};
	static const char *const bad[] = {
		"", "2024-07-13", "2024-07-13T16:50:52", "2024-07-13T16:50:52.Z", "2024-7-13T16:50:52Z", "2023-02-29T00:00:00Z",
		"2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-07-13T24:00:00Z", "2024-07-13T16:60:00Z",
		"2024-07-13T16:50:52+2:00", "2024-07-13T16:50:52+02:60", "2024-07-13T16:50:52Zx", "2024-07-13T16:50:52 Z",
		"-024-07-13T16:50:52Z", "9999-07-13T16:50:52Z",
	};
	int64_t	 ns;

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++) {
		assert_true(rfc3339_parse(slice_of(good[i].text), &ns));
		assert_true(ns == good[i].ns);
	}
	for (size_t i = 0; i < NELEM(bad); i++)
		if (rfc3339_parse(slice_of(bad[i]), &ns))
			fail_msg("%s was taken for a time", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_of_rfc_3339_are_read_exactly),
		cmocka_unit_test(timestamps_lose_only_trailing_zeros),
		cmocka_unit_test(durations_are_read_exactly),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(durations_for_people_have_two_units_at_most),
		cmocka_unit_test(the_clocks_agree_and_do_not_go_back),
		cmocka_unit_test(random_numbers_stay_below_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
