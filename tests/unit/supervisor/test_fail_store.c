/*
 * The store and the journal when memory is short and the disk fails: each allocation and each write of an
 * operation fails once.  What was acknowledged is there, the rest is there or not, and it goes on.
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/store/journal.h"
#include "tests/support/fail.h"
#include "tests/support/store_dir.h"

static const enum fail_kind kinds[] = { FAIL_ALLOC, FAIL_WRITE, FAIL_SHORT_WRITE };

static void
put_cursor(struct store *st, uint64_t seq, int want)
{
	const struct store_cursor	 v = { "orders", seq };
	struct err			 err = { 0 };
	int				 rc = store_cursors_put(st, &v, 1, &err);

	if (want == 0 && rc == -1)
		fail_msg("%s", err.text);
	assert_int_equal(rc, want);
	if (rc == -1)
		assert_true(err.text[0] != '\0');
}

static uint64_t
cursor(struct store *st)
{
	struct err	 err = { 0 };
	uint64_t	 seq = 0;

	if (store_cursor_get(st, "orders", &seq, &err) == -1)
		fail_msg("%s", err.text);
	return seq;
}

static void
a_cursor_whose_write_fails_is_the_old_or_the_new_one_and_the_next_write_succeeds(void **state)
{
	struct store	*st = opened();
	uint64_t	 seq = 1;
	bool		 more = true;

	(void)state;
	put_cursor(st, seq, 0);
	for (size_t k = 0; k < NELEM(kinds); k++) {
		more = true;
		for (unsigned long n = 1; more; n++) {
			const struct store_cursor v = { "orders", seq + 1 };
			struct err err = { 0 };
			int rc;

			fail_at(kinds[k], n);
			rc = store_cursors_put(st, &v, 1, &err);
			more = fail_happened();
			assert_int_equal(store_mend(st, &err), 0);
			assert_int_equal(rc, more ? -1 : 0);
			assert_in_range(cursor(st), seq, seq + 1);
			seq += 2;
			put_cursor(st, seq, 0);
			assert_int_equal(cursor(st), seq);
		}
	}
	store_close(&st);
	st = opened();
	assert_int_equal(cursor(st), seq);
	store_close(&st);
}

struct seen {
	uint64_t	 n, next;
};

static int
in_order(void *arg, const struct journal_entry *e)
{
	struct seen	*s = arg;

	assert_non_null(e->payload.p);
	assert_int_equal(e->seq, s->next);
	assert_int_equal(e->payload.n, 3000);
	s->n++;
	s->next++;
	return 0;
}

static void
check_journal(struct journal *j, uint64_t last)
{
	struct seen	 seen = { 0, 1 };
	struct err	 err = { 0 };

	assert_int_equal(journal_stats(j)->last_seq, last);
	assert_int_equal(journal_stats(j)->events, last);
	assert_int_equal(journal_read(j, 0, in_order, &seen, &err), 0);
	assert_int_equal(seen.n, last);
}

static int
append(struct journal *j, uint64_t from, struct err *err)
{
	static const char	 payload[3000];
	struct journal_entry	 v[10];

	for (size_t i = 0; i < NELEM(v); i++)
		v[i] = (struct journal_entry){ from + i, SLICE("subject"), { payload, sizeof(payload) } };
	return journal_append(j, v, NELEM(v), err);
}

static void
a_journal_whose_append_fails_has_none_of_it_and_takes_it_again(void **state)
{
	struct store	*st = opened();
	struct journal	*j = NULL;
	struct err	 err = { 0 };
	uint64_t	 last = 0;
	bool		 more;

	(void)state;
	assert_int_equal(journal_open(&j, st, 1u << 30, &err), 0);
	for (size_t k = 0; k < NELEM(kinds); k++) {
		more = true;
		for (unsigned long n = 1; more; n++) {
			int rc;

			fail_at(kinds[k], n);
			rc = append(j, last + 1, &err);
			more = fail_happened();
			assert_int_equal(store_mend(st, &err), 0);
			assert_int_equal(rc, more ? -1 : 0);
			if (rc == 0)
				last += 10;
			check_journal(j, last);
			if (append(j, last + 1, &err) == -1)
				fail_msg("call %lu: %s", n, err.text);
			last += 10;
			check_journal(j, last);
		}
	}
	journal_close(&j);
	store_close(&st);
	st = opened();
	assert_int_equal(journal_open(&j, st, 1u << 30, &err), 0);
	check_journal(j, last);
	journal_close(&j);
	store_close(&st);
}

static void
a_trim_that_fails_drops_nothing_and_works_the_next_time(void **state)
{
	struct store	*st = opened();
	struct journal	*j = NULL;
	struct err	 err = { 0 };
	uint64_t	 last = 0;
	bool		 more, rest;

	(void)state;
	assert_int_equal(journal_open(&j, st, 1u << 30, &err), 0);
	for (size_t k = 0; k < NELEM(kinds); k++) {
		more = true;
		for (unsigned long n = 1; more; n++) {
			int rc;

			assert_int_equal(append(j, last + 1, &err), 0);
			last += 10;
			fail_at(kinds[k], n);
			rc = journal_trim(j, last, 100, &rest, &err);
			more = fail_happened();
			assert_int_equal(store_mend(st, &err), 0);
			assert_int_equal(rc, more ? -1 : 0);
			assert_int_equal(journal_stats(j)->events, more ? 10 : 0);
			assert_int_equal(journal_trim(j, last, 100, &rest, &err), 0);
			assert_int_equal(journal_stats(j)->events, 0);
		}
	}
	journal_close(&j);
	store_close(&st);
}

static void
a_store_that_cannot_be_opened_leaves_nothing_and_opens_later(void **state)
{
	struct store	*st = opened();
	struct err	 err = { 0 };
	unsigned long	 n = 1;

	(void)state;
	store_close(&st);
	for (; fail_at(FAIL_ALLOC, n), store_open(&st, dir, &err) == -1; n++) {
		assert_true(fail_happened());
		assert_null(st);
		err = (struct err){ 0 };
	}
	(void)fail_happened();
	assert_true(n > 1);
	store_close(&st);
}

static void
an_event_that_cannot_be_quarantined_is_not_half_there(void **state)
{
	struct store		*st = opened();
	struct store_quarantined q = { .attempts = 3, .at_ms = 5, .subject = SLICE("s"), .reason = SLICE("r"), .payload = SLICE("p") };
	struct err		 err = { 0 };
	uint64_t		 stored = 0, count;
	bool			 more;

	(void)state;
	for (size_t k = 0; k < NELEM(kinds); k++) {
		more = true;
		for (unsigned long n = 1; more; n++) {
			int rc;

			q.seq = stored + 1;
			fail_at(kinds[k], n);
			rc = store_quarantine_put(st, "orders", &q, &err);
			more = fail_happened();
			assert_int_equal(store_mend(st, &err), 0);
			assert_int_equal(rc, more ? -1 : 0);
			if (store_quarantine_put(st, "orders", &q, &err) == -1)
				fail_msg("call %lu: %s", n, err.text);
			stored++;
			assert_int_equal(store_quarantine_count(st, "orders", &count, &err), 0);
			assert_int_equal(count, stored);
		}
	}
	store_close(&st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_cursor_whose_write_fails_is_the_old_or_the_new_one_and_the_next_write_succeeds, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_journal_whose_append_fails_has_none_of_it_and_takes_it_again, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_trim_that_fails_drops_nothing_and_works_the_next_time, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_store_that_cannot_be_opened_leaves_nothing_and_opens_later, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(an_event_that_cannot_be_quarantined_is_not_half_there, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
