/* Finding the events that kill their worker. */

#include <stdlib.h>

#include "supervisor/child/suspect.h"
#include "tests/support/cmocka_all.h"

/*
 * A worker that dies at the first poisonous event it is handed, after having
 * committed some of what came before; returns the number of deaths until all `n` events are
 * stored or set aside.
 */
static unsigned
run(const bool *poison, uint64_t n, uint64_t queue, bool *set_aside)
{
	struct suspect	 s = { 0 };
	uint64_t	 done = 0;		/* events 1 to done are stored or set aside */
	unsigned	 deaths = 0;

	while (done < n) {
		uint64_t room = suspect_room(&s, 0), flight = queue < room ? queue : room, bad = 0;

		assert_true(flight > 0);
		if (flight > n - done)
			flight = n - done;
		for (uint64_t i = done + 1; i <= done + flight && bad == 0; i++)
			if (poison[i])
				bad = i;
		if (bad == 0) {
			done += flight;
			suspect_committed(&s, done);
			continue;
		}
		/* An unlucky worker has committed nothing of the batch that holds the poison. */
		deaths++;
		assert_true(deaths < 1000);
		if (suspect_died(&s, done, done + flight, (size_t)flight)) {
			assert_int_equal(flight, 1);
			set_aside[bad] = true;
			done = bad;
			suspect_committed(&s, done);
		}
	}
	assert_false(s.active);
	return deaths;
}

static void
exactly_the_poisoned_events_are_set_aside(void **state)
{
	(void)state;
	srandom(7);
	for (int round = 0; round < 300; round++) {
		uint64_t n = 1 + (uint64_t)random() % 3000, queue = 1 + (uint64_t)random() % 2000;
		bool *poison = calloc(n + 1, sizeof(bool)), *aside = calloc(n + 1, sizeof(bool));
		unsigned bad = (unsigned)random() % 4, deaths;

		for (unsigned i = 0; i < bad; i++)
			poison[1 + (uint64_t)random() % n] = true;
		deaths = run(poison, n, queue, aside);
		assert_memory_equal(poison, aside, n + 1);
		/* one of its own, one per halving, two alone; and the boldness in between costs as many again */
		assert_true(deaths <= bad * 2 * (3 + 12));
		free(poison);
		free(aside);
	}
}

static void
one_death_alone_accuses_nobody(void **state)
{
	struct suspect	 s = { 0 };

	(void)state;
	assert_false(suspect_died(&s, 10, 100, 90));
	assert_true(suspect_room(&s, 5000) == UINT64_MAX);
	/* it got further: another place, another first time */
	assert_false(suspect_died(&s, 50, 100, 50));
	assert_false(s.active);
}

static void
a_death_with_empty_hands_says_nothing(void **state)
{
	struct suspect	 s = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_false(suspect_died(&s, 10, 0, 0));
	assert_false(s.active);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly_the_poisoned_events_are_set_aside),
		cmocka_unit_test(one_death_alone_accuses_nobody),
		cmocka_unit_test(a_death_with_empty_hands_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
