/* Window and cursor when memory is short: each allocation fails once, and nothing is lost or leaked. */

#include <stdlib.h>

#include "supervisor/window/cursor.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/fail.h"

#define EVENTS	5000	/* both rings grow several times */

static size_t	 owned;

static void
free_owner(void *owner)
{
	free(owner);
	owned--;
}

static struct window_entry
made(uint64_t seq)
{
	struct window_entry	 e = { .seq = seq, .routes = 1, .payload = { "12345", 5 }, .subject = { "abc", 3 } };

	e.owner = malloc(1);
	assert_non_null(e.owner);
	owned++;
	return e;
}

/* Appends what is missing up to EVENTS; what failed is tried again, as the stream would bring it again. */
static size_t
fill(struct window *w, unsigned long n)
{
	size_t	 failures = 0;

	for (uint64_t seq = window_last_seq(w) + 1; seq <= EVENTS; seq++) {
		struct window_entry e = made(seq), again;
		struct err err = { 0 };

		fail_at(FAIL_ALLOC, n);
		if (window_append(w, &e, &err) == 0) {
			(void)fail_happened();
			continue;
		}
		assert_true(fail_happened());
		assert_int_equal(err.code, ERR_NOMEM);
		assert_int_equal(window_last_seq(w), seq - 1);
		failures++;
		again = made(seq);
		assert_int_equal(window_append(w, &again, &err), 0);
	}
	return failures;
}

static void
an_append_that_fails_leaves_the_window_as_it_was(void **state)
{
	struct window	*w = NULL;
	struct err	 err = { 0 };

	(void)state;
	assert_int_equal(window_new(&w, free_owner, &err), 0);
	assert_in_range(fill(w, 1), 4, 8);
	assert_int_equal(window_count(w), EVENTS);
	assert_int_equal(window_bytes(w), EVENTS * 8);
	for (uint64_t i = 0; i < EVENTS; i++)
		assert_int_equal(window_at(w, i)->seq, i + 1);
	assert_int_equal(owned, EVENTS);
	window_release(w, EVENTS);
	assert_int_equal(owned, 0);
	window_free(&w);
}

static void
a_window_that_cannot_be_made_leaves_nothing(void **state)
{
	struct window	*w = NULL;
	struct err	 err = { 0 };
	unsigned long	 n = 1;

	(void)state;
	for (; fail_at(FAIL_ALLOC, n), window_new(&w, free_owner, &err) == -1; n++) {
		assert_true(fail_happened());
		assert_int_equal(err.code, ERR_NOMEM);
		assert_null(w);
	}
	assert_false(fail_happened());
	assert_int_equal(n, 3);
	window_free(&w);
}

static void
an_emptied_window_stays_usable_when_it_cannot_shrink(void **state)
{
	struct window	*w = NULL;
	struct err	 err = { 0 };

	(void)state;
	assert_int_equal(window_new(&w, free_owner, &err), 0);
	for (uint64_t seq = 1; seq <= 20000; seq++) {
		struct window_entry e = made(seq);

		assert_int_equal(window_append(w, &e, &err), 0);
	}
	fail_at(FAIL_ALLOC, 1);
	window_release(w, 20000);
	assert_true(fail_happened());
	assert_int_equal(owned, 0);
	for (uint64_t seq = 20001; seq <= 60000; seq++) {
		struct window_entry e = made(seq);

		assert_int_equal(window_append(w, &e, &err), 0);
	}
	assert_int_equal(window_at(w, 59999)->seq, 60000);
	window_free(&w);
	assert_int_equal(owned, 0);
}

/* Sends and commits everything, each allocation failing at its first try; returns how many did. */
static size_t
deliver(struct window *w, struct cursor *c)
{
	const struct window_entry	*e;
	size_t				 failures = 0;
	uint64_t			 expected = 1;

	while ((e = cursor_peek(c, w)) != NULL) {
		assert_int_equal(e->seq, expected);
		fail_at(FAIL_ALLOC, 1);
		if (cursor_sent(c, e->seq) == 0) {
			(void)fail_happened();
			expected++;
			continue;
		}
		assert_true(fail_happened());
		failures++;
		assert_int_equal(cursor_sent(c, e->seq), 0);
		expected++;
	}
	assert_int_equal(expected, EVENTS + 1);
	return failures;
}

static void
an_event_that_could_not_be_noted_as_sent_is_still_the_next(void **state)
{
	struct window	*w = NULL;
	struct cursor	 c;
	struct err	 err = { 0 };

	(void)state;
	assert_int_equal(window_new(&w, free_owner, &err), 0);
	(void)fill(w, 1000000);
	cursor_init(&c, w, 1, 0, 0);
	assert_in_range(deliver(w, &c), 4, 8);
	assert_int_equal(c.in_flight, EVENTS);
	for (uint64_t seq = 1; seq <= EVENTS; seq++) {
		assert_true(cursor_holds(&c, seq));
		assert_true(cursor_commit(&c, seq));
	}
	assert_int_equal(c.behind, 0);
	assert_int_equal(c.in_flight, 0);
	cursor_free(&c);
	window_free(&w);
	assert_int_equal(owned, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_append_that_fails_leaves_the_window_as_it_was),
		cmocka_unit_test(a_window_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(an_emptied_window_stays_usable_when_it_cannot_shrink),
		cmocka_unit_test(an_event_that_could_not_be_noted_as_sent_is_still_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
