/* Which events a snapshot already holds. */

#include "tests/support/cmocka_all.h"

#include "worker/skip.h"

static const struct slice pairs[] = { { "order", 5 }, { "1720889452280802460", 19 }, { "user", 4 }, { "5", 1 } };

static struct event
event_at(const char *table, const char *mvcc, int64_t ms)
{
	return (struct event){ .table = slice_of(table), .mvcc_timestamp = slice_of(mvcc), .timestamp_ms = ms };
}

static void
only_what_is_older_by_its_own_clock_is_passed_over(void **state)
{
	struct skip	 s;
	struct err	 err;
	static const struct { const char *table, *mvcc; int64_t ms; bool older; } cases[] = {
		{ "order", "1720889452280802459.9999999999", 1720889452280, true },
		{ "order", "1720889452280802460.0000000000", 1720889452280, false },
		/* hazard H74: the snapshot's own millisecond, but behind it */
		{ "order", "1720889452280900000.0000000000", 1720889452280, false },
		{ "order", "", 1720889452279, true },
		{ "order", "", 1720889452280, false },
		{ "order", "not a number", 1720889452279, true },
		{ "orders", "1", 1, false },
		{ "customer", "1", 1, false },
		{ "user", "4", 0, true },
	};

	(void)state;
	assert_int_equal(skip_make(&s, (struct ipc_strs){ pairs, 4 }, &err), 0);
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct event ev = event_at(cases[i].table, cases[i].mvcc, cases[i].ms);

		assert_int_equal(skip_is_older(&s, &ev), cases[i].older);
	}
	skip_free(&s);
}

static void
nonsense_is_refused(void **state)
{
	const struct slice	 wrong[] = { { "order", 5 }, { "soon", 4 } };
	struct skip		 s;
	struct err		 err;

	(void)state;
	assert_int_equal(skip_make(&s, (struct ipc_strs){ pairs, 3 }, &err), -1);
	skip_free(&s);
	assert_int_equal(skip_make(&s, (struct ipc_strs){ wrong, 2 }, &err), -1);
	skip_free(&s);
	assert_int_equal(skip_make(&s, (struct ipc_strs){ NULL, 0 }, &err), 0);
	skip_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_older_by_its_own_clock_is_passed_over),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
