/* The queue between socket and driver. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/intake.h"

static int
add(struct intake *in, uint64_t seq, size_t bytes)
{
	char			*payload = malloc(bytes + 1);
	struct ipc_event	 ev = { seq, SLICE("subject"), { payload, bytes } };
	struct err		 err;
	int			 rc;

	assert_non_null(payload);
	(void)memset(payload, (int)('a' + seq % 26), bytes);
	rc = intake_add(in, &ev, seq * 10, &err);
	if (rc == -1)
		assert_int_equal(err.code, ERR_INVALID);
	free(payload);		/* what is in the queue is a copy */
	return rc;
}

static void
assert_held(const struct held *h, uint64_t seq, size_t bytes)
{
	assert_int_equal(h->seq, seq);
	assert_int_equal(h->arrived_us, seq * 10);
	assert_int_equal(h->payload.n, bytes);
	assert_true(slice_is(h->subject, "subject"));
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(h->payload.p[i], 'a' + (int)(seq % 26));
}

static void
events_come_out_as_they_went_in(void **state)
{
	struct intake	*in = intake_new(1000, 1 << 20);
	struct held	 out[3];
	uint64_t	 next_in = 1, next_out = 1;

	(void)state;
	assert_non_null(in);
	assert_int_equal(intake_oldest_us(in), 0);
	/* More goes in than comes out, so that the ring grows while it is wrapped. */
	for (int round = 0; round < 150; round++) {
		for (int i = 0; i < 5; i++, next_in++)
			assert_int_equal(add(in, next_in, next_in % 700), 0);
		assert_int_equal(intake_oldest_us(in), next_out * 10);
		intake_take(in, out, 3);
		for (int i = 0; i < 3; i++, next_out++)
			assert_held(&out[i], next_out, next_out % 700);
		intake_release(in, out, 3);
	}
	assert_int_equal(intake_events(in), 300);
	intake_free(&in);
	assert_null(in);
}

static void
more_events_than_granted_are_refused(void **state)
{
	struct intake	*in = intake_new(2, 1000);
	struct held	 out[1];

	(void)state;
	assert_int_equal(add(in, 1, 1), 0);
	assert_false(intake_full(in));
	assert_int_equal(add(in, 2, 1), 0);
	assert_true(intake_full(in));
	assert_int_equal(add(in, 3, 1), -1);
	assert_int_equal(intake_events(in), 2);
	intake_take(in, out, 1);	/* taken is enough: it need not be released */
	assert_int_equal(add(in, 3, 1), 0);
	intake_free(&in);
}

static void
the_last_event_may_stick_out_beyond_the_bytes(void **state)
{
	struct intake	*in = intake_new(100, 1000);
	struct held	 out[2];

	(void)state;
	assert_int_equal(add(in, 1, 999), 0);
	assert_false(intake_full(in));
	assert_int_equal(add(in, 2, 500000), 0);
	assert_true(intake_full(in));
	assert_int_equal(add(in, 3, 0), -1);
	assert_int_equal(intake_bytes(in), 500999);
	intake_take(in, out, 2);
	assert_held(&out[1], 2, 500000);
	assert_int_equal(intake_bytes(in), 0);
	intake_release(in, out, 2);
	intake_free(&in);
}

static void
taken_events_keep_their_bytes_until_released(void **state)
{
	struct intake	*in = intake_new(10000, 1 << 30);
	struct held	 out[10], rest[1];

	(void)state;
	for (uint64_t seq = 1; seq <= 10; seq++)
		assert_int_equal(add(in, seq, 1000), 0);
	intake_take(in, out, 10);
	for (uint64_t seq = 11; seq <= 1000; seq++)
		assert_int_equal(add(in, seq, 1000), 0);
	for (uint64_t i = 0; i < 10; i++)
		assert_held(&out[i], i + 1, 1000);
	intake_release(in, out, 10);
	intake_take(in, rest, 1);
	assert_held(rest, 11, 1000);
	intake_free(&in);		/* with taken events still out: nothing leaks */
}

static void
fit_stops_at_events_and_bytes_but_lets_one_through(void **state)
{
	struct intake	*in = intake_new(100, 1 << 20);
	bool		 more;

	(void)state;
	assert_int_equal(intake_fit(in, 10, 10, &more), 0);
	assert_false(more);
	assert_int_equal(add(in, 1, 500), 0);
	assert_int_equal(add(in, 2, 40), 0);
	assert_int_equal(add(in, 3, 60), 0);
	assert_int_equal(intake_fit(in, 10, 100, &more), 1);
	assert_true(more);
	assert_int_equal(intake_fit(in, 2, 10000, &more), 2);
	assert_true(more);
	assert_int_equal(intake_fit(in, 10, 540, &more), 2);
	assert_int_equal(intake_fit(in, 10, 600, &more), 3);
	assert_false(more);
	intake_free(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_out_as_they_went_in),
		cmocka_unit_test(more_events_than_granted_are_refused),
		cmocka_unit_test(the_last_event_may_stick_out_beyond_the_bytes),
		cmocka_unit_test(taken_events_keep_their_bytes_until_released),
		cmocka_unit_test(fit_stops_at_events_and_bytes_but_lets_one_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
