/* The durable state, over reopening and over rivals. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/base/buf.h"
#include "supervisor/store/journal.h"
#include "supervisor/store/lock.h"
#include "supervisor/store/store.h"
#include "tests/support/store_dir.h"

static void
cursors_survive_reopening(void **state)
{
	const struct store_cursor	 v[] = { { "file", 7 }, { "sqlite", 18446744073709551615u } };
	struct store			*st = opened();
	struct err			 err = { 0 };
	uint64_t			 seq = 0;

	(void)state;
	assert_int_equal(store_cursor_get(st, "file", &seq, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_int_equal(store_cursors_put(st, v, 2, &err), 0);
	store_close(&st);
	assert_null(st);
	st = opened();
	assert_int_equal(store_cursor_get(st, "file", &seq, &err), 0);
	assert_int_equal(seq, 7);
	assert_int_equal(store_cursor_get(st, "sqlite", &seq, &err), 0);
	assert_true(seq == 18446744073709551615u);
	store_close(&st);
}

static int
count_pair(void *arg, struct slice key, struct slice value)
{
	assert_true(slice_is(key, "order") || slice_is(key, "user"));
	assert_true(slice_is(value, "v2"));
	++*(int *)arg;
	return 0;
}

static void
table_versions_belong_to_one_destination(void **state)
{
	struct store	*st = opened();
	struct err	 err = { 0 };
	int		 n = 0;

	(void)state;
	assert_int_equal(store_table_version_put(st, "a", SLICE("order"), SLICE("v1"), &err), 0);
	assert_int_equal(store_table_version_put(st, "a", SLICE("order"), SLICE("v2"), &err), 0);
	assert_int_equal(store_table_version_put(st, "a", SLICE("user"), SLICE("v2"), &err), 0);
	assert_int_equal(store_table_version_put(st, "ab", SLICE("other"), SLICE("v9"), &err), 0);
	assert_int_equal(store_table_versions_each(st, "a", count_pair, &n, &err), 0);
	assert_int_equal(n, 2);
	store_close(&st);
}

static void
schemas_and_facts_come_back_as_they_were(void **state)
{
	struct store	*st = opened();
	struct err	 err = { 0 };
	struct buf	 b = { 0 };

	(void)state;
	assert_int_equal(store_schema_put(st, SLICE("order"), SLICE("v1"), SLICE("{\"a\":1}"), &err), 0);
	assert_int_equal(store_schema_get(st, SLICE("order"), SLICE("v1"), &b, &err), 0);
	assert_true(slice_is(buf_slice(&b), "{\"a\":1}"));
	assert_int_equal(store_schema_get(st, SLICE("order"), SLICE("v2"), &b, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	buf_reset(&b);
	assert_int_equal(store_fact_put(st, "paused:x", SLICE("1"), &err), 0);
	assert_int_equal(store_fact_get(st, "paused:x", &b, &err), 0);
	assert_true(slice_is(buf_slice(&b), "1"));
	buf_free(&b);
	store_close(&st);
}

struct seen {
	int			 n;
	uint64_t		 last;
};

static int
look(void *arg, const struct store_quarantined *q)
{
	struct seen	*s = arg;

	assert_true(q->seq > s->last);
	s->last = q->seq;
	s->n++;
	assert_int_equal(q->attempts, 3);
	assert_true(slice_is(q->subject, "dbchange.order.INSERT.c.l.PUBLIC.1"));
	assert_true(slice_is(q->reason, "too long"));
	assert_int_equal(q->payload.n, 4);
	assert_memory_equal(q->payload.p, "a\0b\xff", 4);
	return 0;
}

static void
the_quarantine_keeps_events_in_order_with_their_reason(void **state)
{
	struct store			*st = opened();
	struct err			 err = { 0 };
	struct store_quarantined	 q = { .attempts = 3, .at_ms = -5, .subject = SLICE("dbchange.order.INSERT.c.l.PUBLIC.1"),
	    .reason = SLICE("too long"), .payload = { "a\0b\xff", 4 } };
	struct seen			 seen = { 0 };
	uint64_t			 n = 0;

	(void)state;
	for (q.seq = 300; q.seq > 0; q.seq -= 100)
		assert_int_equal(store_quarantine_put(st, "x", &q, &err), 0);
	q.seq = 200;		/* set aside twice is set aside once */
	assert_int_equal(store_quarantine_put(st, "x", &q, &err), 0);
	assert_int_equal(store_quarantine_put(st, "xy", &q, &err), 0);
	assert_int_equal(store_quarantine_each(st, "x", look, &seen, &err), 0);
	assert_int_equal(seen.n, 3);
	assert_int_equal(store_quarantine_drop(st, "x", 200, &err), 0);
	assert_int_equal(store_quarantine_count(st, "x", &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(store_quarantine_drop(st, "x", 200, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	store_close(&st);
}

static void
a_batch_is_stored_whole_or_not_at_all(void **state)
{
	const struct store_cursor	 good = { "g", 1 }, bad = { "", 2 };	/* LMDB knows no empty key */
	struct store			*st = opened();
	struct err			 err = { 0 };
	uint64_t			 seq;

	(void)state;
	assert_int_equal(store_batch_begin(st, &err), 0);
	assert_int_equal(store_cursors_put(st, &good, 1, &err), 0);
	assert_int_equal(store_cursors_put(st, &bad, 1, &err), -1);
	assert_int_equal(store_batch_commit(st, &err), -1);
	assert_int_equal(store_cursor_get(st, "g", &seq, &err), -1);
	assert_int_equal(store_batch_begin(st, &err), 0);
	assert_int_equal(store_cursors_put(st, &good, 1, &err), 0);
	assert_int_equal(store_batch_commit(st, &err), 0);
	assert_int_equal(store_cursor_get(st, "g", &seq, &err), 0);
	store_close(&st);
}

static int
collect(void *arg, const struct journal_entry *e)
{
	struct seen	*s = arg;

	assert_true(e->seq > s->last);
	s->last = e->seq;
	if (e->payload.p == NULL)
		return 0;
	s->n++;
	assert_int_equal(e->payload.n, 1000);
	assert_int_equal(e->payload.p[999], (char)e->seq);
	assert_int_equal(e->subject.n, 7);
	return 0;
}

static void
fill_journal(struct journal *j, uint64_t from, size_t n)
{
	struct journal_entry	*v = calloc(n, sizeof(*v));
	char			*bytes = malloc(n * 1000);
	struct err		 err = { 0 };

	for (size_t i = 0; i < n; i++) {
		memset(bytes + i * 1000, (int)(from + i), 1000);
		v[i] = (struct journal_entry){ from + i, SLICE("subject"), { bytes + i * 1000, 1000 } };
	}
	assert_int_equal(journal_append(j, v, n, &err), 0);
	free(v);
	free(bytes);
}

static void
the_journal_gives_back_in_order_what_it_was_given(void **state)
{
	struct store	*st = opened();
	struct journal	*j = NULL;
	struct err	 err = { 0 };
	struct seen	 seen = { 0, 0 };
	bool		 more;

	(void)state;
	assert_int_equal(journal_open(&j, st, 1u << 30, &err), 0);
	fill_journal(j, 100, 500);
	fill_journal(j, 1000, 500);
	assert_int_equal(journal_read(j, 0, collect, &seen, &err), 0);
	assert_int_equal(seen.n, 1000);
	seen = (struct seen){ 0, 549 };
	assert_int_equal(journal_read(j, 549, collect, &seen, &err), 0);
	assert_int_equal(seen.n, 550);
	assert_int_equal(journal_trim(j, 599, 300, &more, &err), 0);
	assert_true(more);
	assert_int_equal(journal_stats(j)->first_seq, 400);
	assert_int_equal(journal_trim(j, 599, 300, &more, &err), 0);
	assert_false(more);
	assert_int_equal(journal_stats(j)->events, 500);
	/* and after a restart */
	journal_close(&j);
	store_close(&st);
	st = opened();
	assert_int_equal(journal_open(&j, st, 1u << 30, &err), 0);
	assert_int_equal(journal_stats(j)->first_seq, 1000);
	assert_int_equal(journal_stats(j)->last_seq, 1499);
	journal_close(&j);
	store_close(&st);
}

static void
a_full_journal_refuses_and_takes_again_once_trimmed(void **state)
{
	struct store		*st = opened();
	struct journal		*j = NULL;
	static const char	 bytes[30000];
	struct journal_entry	 e = { 5000, SLICE("s"), SLICE("p") }, large = { 4000, SLICE("s"), { bytes, sizeof(bytes) } };
	struct err		 err = { 0 };
	bool			 more;

	(void)state;
	assert_int_equal(journal_open(&j, st, 430000, &err), 0);
	fill_journal(j, 1, 300);
	assert_in_range(journal_room(j), 1, 30000);
	assert_true(journal_cost(&large) > journal_room(j));
	assert_int_equal(journal_append(j, &large, 1, &err), -1);
	assert_int_equal(err.code, ERR_FULL);
	assert_int_equal(journal_stats(j)->last_seq, 300);
	assert_true(journal_stats(j)->bytes <= 430000);
	assert_int_equal(journal_trim(j, 200, 1000, &more, &err), 0);
	assert_true(journal_cost(&large) < journal_room(j));
	assert_int_equal(journal_append(j, &e, 1, &err), 0);
	journal_close(&j);
	assert_int_equal(journal_open(&j, st, 0, &err), 0);
	assert_false(journal_enabled(j));
	journal_close(&j);
	store_close(&st);
}

static void
the_second_owner_of_a_directory_learns_who_has_it(void **state)
{
	struct err	 err = { 0 };
	char		 pid[32];
	int		 fd = data_dir_lock(dir, &err), st;
	pid_t		 child;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(data_dir_lock(dir, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	(void)snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.text, dir));
	(void)close(fd);
	/* However its owner ends, the lock ends with it. */
	if ((child = fork()) == 0)
		_exit(data_dir_lock(dir, &err) >= 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &st, 0), child);
	assert_int_equal(st, 0);
	fd = data_dir_lock(dir, &err);
	assert_true(fd >= 0);
	(void)close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cursors_survive_reopening, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(table_versions_belong_to_one_destination, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(schemas_and_facts_come_back_as_they_were, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_quarantine_keeps_events_in_order_with_their_reason, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_batch_is_stored_whole_or_not_at_all, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_journal_gives_back_in_order_what_it_was_given, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_full_journal_refuses_and_takes_again_once_trimmed, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_second_owner_of_a_directory_learns_who_has_it, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
