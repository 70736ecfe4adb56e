/* Batches under way: their order, and which of them an event of the driver's call belongs to. */

#include "tests/support/cmocka_all.h"
#include "worker/flight.h"

static struct batch *
add(struct flight *f, size_t events, size_t live)
{
	struct batch	*b = flight_new(f);

	assert_non_null(b);
	b->n = events;
	b->n_live = live;
	b->held_bytes = events * 10;
	flight_add(f, b);
	return b;
}

static void
batches_leave_in_the_order_in_which_they_came(void **state)
{
	struct flight	 f = { .n = 0 };

	(void)state;
	for (size_t round = 0; round < 3 * FLIGHT_MOST; round++) {
		struct batch	*first = add(&f, 1, 1), *second = add(&f, 2, 2);

		assert_ptr_equal(flight_at(&f, 0), first);
		assert_ptr_equal(flight_at(&f, 1), second);
		assert_int_equal(f.events, 3);
		assert_int_equal(f.bytes, 30);
		flight_pop(&f);
		assert_ptr_equal(flight_at(&f, 0), second);
		flight_pop(&f);
		assert_int_equal(f.events + f.bytes + f.n, 0);
	}
	assert_int_equal(f.n_idle, 2);		/* the same two were used again and again */
	flight_free(&f);
}

static void
there_are_no_more_than_fit(void **state)
{
	struct flight	 f = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < FLIGHT_MOST; i++)
		(void)add(&f, 1, 1);
	assert_null(flight_new(&f));
	flight_free(&f);
}

static void
an_event_is_found_by_its_place_in_the_call(void **state)
{
	struct flight	 f = { .n = 0 };
	struct batch	*first = add(&f, 3, 3), *empty = add(&f, 2, 0), *third = add(&f, 4, 4);
	size_t		 place;

	(void)state;
	(void)empty;
	f.handed = 2;
	assert_ptr_equal(flight_find(&f, 2, &place), first);
	assert_int_equal(place, 2);
	assert_null(flight_find(&f, 3, &place));	/* not handed out yet */
	f.handed = 3;
	assert_ptr_equal(flight_find(&f, 3, &place), third);
	assert_int_equal(place, 0);
	f.base = 3;				/* the first three are committed, and gone */
	flight_pop(&f);
	flight_pop(&f);
	assert_int_equal(f.handed, 1);
	assert_null(flight_find(&f, 2, &place));
	assert_ptr_equal(flight_find(&f, 6, &place), third);
	assert_int_equal(place, 3);
	assert_null(flight_find(&f, 7, &place));
	flight_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_leave_in_the_order_in_which_they_came),
		cmocka_unit_test(there_are_no_more_than_fit),
		cmocka_unit_test(an_event_is_found_by_its_place_in_the_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
