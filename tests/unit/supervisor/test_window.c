/* The window, routes and cursors: single cases, then random operations against a plain model. */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/window/cursor.h"
#include "tests/support/cmocka_all.h"

static size_t	 freed;

static void
free_owner(void *owner)
{
	free(owner);
	freed++;
}

static struct window *
fresh(void)
{
	struct window	*w = NULL;
	struct err	 err = { 0 };

	assert_int_equal(window_new(&w, free_owner, &err), 0);
	freed = 0;
	return w;
}

static struct window_entry
made(uint64_t seq, uint64_t routes)
{
	return (struct window_entry){ .seq = seq, .routes = routes, .payload = { "12345", 5 }, .subject = { "abc", 3 },
	    .owner = malloc(1) };
}

static void
put(struct window *w, uint64_t seq, uint64_t routes)
{
	struct window_entry	 e = made(seq, routes);
	struct err		 err = { 0 };

	assert_int_equal(window_append(w, &e, &err), 0);
}

static void
entries_keep_their_index_while_the_ring_grows(void **state)
{
	struct window	*w = fresh();

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		put(w, i * 2 + 1, 1);
	window_release(w, 60);
	for (uint64_t i = 100; i < 3000; i++)
		put(w, i * 2 + 1, 1);
	assert_int_equal(window_count(w), 2940);
	assert_int_equal(window_bytes(w), 2940 * 8);
	for (uint64_t i = 60; i < 3000; i++)
		assert_int_equal(window_at(w, i)->seq, i * 2 + 1);
	assert_int_equal(window_after(w, 0), 60);
	assert_int_equal(window_after(w, 1001), 501);
	assert_int_equal(window_after(w, 1000), 500);
	assert_int_equal(window_after(w, 99999), 3000);
	window_free(&w);
	assert_int_equal(freed, 3000);
}

static void
a_guess_never_changes_what_is_found(void **state)
{
	struct window	*w = fresh();

	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		put(w, i * 3 + 1, 1);
	window_release(w, 5);
	for (uint64_t seq = 0; seq < 70; seq++)
		for (uint64_t guess = 0; guess < 25; guess++)
			assert_int_equal(window_after_near(w, seq, guess), window_after(w, seq));
	window_release(w, 20);
	for (uint64_t guess = 0; guess < 25; guess++)
		assert_int_equal(window_after_near(w, 30, guess), 20);
	window_free(&w);
}

static void
an_event_out_of_order_is_refused_and_freed(void **state)
{
	struct window		*w = fresh();
	struct window_entry	 e = made(5, 1);
	struct err		 err = { 0 };

	(void)state;
	put(w, 5, 1);
	assert_int_equal(window_append(w, &e, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(freed, 1);
	window_release(w, 1);
	e = made(4, 1);
	assert_int_equal(window_append(w, &e, &err), -1);
	window_free(&w);
}

static void
a_redelivery_takes_the_place_of_the_first_copy(void **state)
{
	struct window		*w = fresh();
	struct window_entry	 e = made(7, 1);

	(void)state;
	put(w, 5, 1);
	put(w, 7, 3);
	e.reply = SLICE("new.reply");
	assert_true(window_redelivered(w, &e));
	assert_int_equal(freed, 1);
	assert_true(slice_is(window_at(w, 1)->reply, "new.reply"));
	assert_int_equal(window_at(w, 1)->routes, 3);
	e = made(6, 1);
	assert_false(window_redelivered(w, &e));
	free(e.owner);
	window_free(&w);
}

static void
send_next(struct cursor *c, const struct window *w)
{
	const struct window_entry	*e = cursor_peek(c, w);

	assert_non_null(e);
	assert_int_equal(cursor_sent(c, e->seq), 0);
}

static void
a_cursor_steps_over_what_is_not_its_own(void **state)
{
	struct window	*w = fresh();
	struct cursor	 c;

	(void)state;
	put(w, 10, 2);
	put(w, 11, 1);
	put(w, 12, 2);
	cursor_init(&c, w, 1, 0, 0);
	assert_int_equal(c.behind, 1);
	assert_int_equal(cursor_peek(&c, w)->seq, 11);
	assert_int_equal(c.seq, 10);		/* 10 is none of its business: done with */
	send_next(&c, w);
	assert_null(cursor_peek(&c, w));
	assert_int_equal(c.seq, 10);		/* 12 must not be done with before 11 is */
	assert_true(cursor_commit(&c, 11));
	assert_int_equal(c.seq, 12);
	assert_int_equal(c.in_flight, 0);
	assert_int_equal(c.behind, 0);
	cursor_free(&c);
	window_free(&w);
}

static void
a_worker_that_claims_too_much_is_not_believed(void **state)
{
	struct window	*w = fresh();
	struct cursor	 c;

	(void)state;
	put(w, 10, 1);
	put(w, 11, 1);
	cursor_init(&c, w, 1, 0, 0);
	assert_false(cursor_commit(&c, 10));		/* never sent */
	send_next(&c, w);
	assert_false(cursor_commit(&c, 11));		/* not sent yet */
	assert_false(cursor_commit(&c, 9));		/* older than anything it holds */
	assert_true(cursor_holds(&c, 10));
	assert_false(cursor_holds(&c, 11));
	assert_true(cursor_commit(&c, 10));
	assert_false(cursor_commit(&c, 10));		/* twice */
	cursor_free(&c);
	window_free(&w);
}

static void
a_dead_worker_s_events_are_sent_again_and_committed_ones_are_not(void **state)
{
	struct window	*w = fresh();
	struct cursor	 c;

	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		put(w, i, 1);
	cursor_init(&c, w, 1, 0, 0);
	for (int i = 0; i < 4; i++)
		send_next(&c, w);
	assert_true(cursor_commit(&c, 2));
	cursor_rewind(&c);
	assert_int_equal(cursor_peek(&c, w)->seq, 3);
	assert_int_equal(c.in_flight, 0);
	assert_int_equal(c.behind, 3);
	cursor_free(&c);
	window_free(&w);
}

static void
a_cursor_that_starts_late_skips_what_it_has(void **state)
{
	struct window	*w = fresh();
	struct cursor	 c;

	(void)state;
	cursor_init(&c, w, 1, 20, 0);
	put(w, 19, 1);
	put(w, 20, 1);
	put(w, 21, 1);
	assert_int_equal(cursor_peek(&c, w)->seq, 21);
	assert_int_equal(c.behind, 1);
	assert_int_equal(c.seq, 20);
	cursor_free(&c);
	window_free(&w);
}

/*
 * The model: an event is stored, sent, or neither, per destination; it lies in
 * the window or in the journal (here: an array).  After each operation the cursor must agree with it: nothing
 * done that is not stored, order kept, nothing sent twice in one life of a worker.
 */
#define DESTS	5
#define STEPS	1000000
#define ROOM	64
#define KEPT	4096

struct model {
	uint64_t	 seq[KEPT], routes[KEPT];	/* by event number mod KEPT */
	uint64_t	 events;			/* that ever were           */
	uint64_t	 spilled;			/* highest sequence written to the journal */
	uint64_t	 stored[DESTS];			/* highest sequence stored  */
	uint64_t	 sent[DESTS][KEPT];
	size_t		 n_sent[DESTS];
};

/* First event after `seq` that destination d wants, in window or journal; 0: none. */
static uint64_t
model_next(const struct model *m, int d, uint64_t after, uint64_t least, uint64_t most)
{
	uint64_t	 first = m->events > KEPT ? m->events - KEPT : 0;

	for (uint64_t i = first; i < m->events; i++) {
		uint64_t seq = m->seq[i % KEPT];

		if (seq > after && seq > m->stored[d] && seq >= least && seq <= most && (m->routes[i % KEPT] >> d & 1))
			return seq;
	}
	return 0;
}

static uint64_t
slowest(const struct cursor *c)
{
	uint64_t	 floor = UINT64_MAX;

	for (int i = 0; i < DESTS; i++)
		if (c[i].seq < floor)
			floor = c[i].seq;
	return floor;
}

static void
model_send(struct model *m, struct cursor *c, const struct window *w, int d)
{
	const struct window_entry	*e;
	uint64_t			 seq, want = model_next(m, d, c->after, 0, UINT64_MAX);

	if (m->n_sent[d] == KEPT)
		return;
	if (c->after < m->spilled) {		/* late: from the journal */
		cursor_note(c, w);
		seq = model_next(m, d, c->after, 0, m->spilled);
		if (seq == 0) {
			cursor_skip_to(c, m->spilled);
			return;
		}
	} else if ((e = cursor_peek(c, w)) != NULL)
		seq = e->seq;
	else {
		assert_int_equal(want, 0);
		return;
	}
	assert_int_equal(seq, want);
	if (m->n_sent[d] > 0)
		assert_true(seq > m->sent[d][m->n_sent[d] - 1]);
	m->sent[d][m->n_sent[d]++] = seq;
	assert_int_equal(cursor_sent(c, seq), 0);
}

static void
model_commit(struct model *m, struct cursor *c, int d)
{
	size_t	 k;

	if (m->n_sent[d] == 0)
		return;
	k = (size_t)random() % m->n_sent[d];
	m->stored[d] = m->sent[d][k];
	assert_true(cursor_commit(c, m->stored[d]));
	m->n_sent[d] -= k + 1;
	memmove(m->sent[d], m->sent[d] + k + 1, m->n_sent[d] * sizeof(m->sent[d][0]));
}

static void
random_operations_agree_with_the_model(void **state)
{
	const char	*given = getenv("SEED");
	unsigned	 seed = given == NULL ? 20261124 : (unsigned)strtoul(given, NULL, 10);
	struct window	*w = fresh();
	struct cursor	 c[DESTS];
	struct model	*m = calloc(1, sizeof(*m));
	uint64_t	 next_seq = 1;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned d = 0; d < DESTS; d++)
		cursor_init(&c[d], w, UINT64_C(1) << d, 0, 0);
	for (int step = 0; step < STEPS; step++) {
		int d = (int)(random() % DESTS);

		switch (random() % 9) {
		case 0: case 1: case 2:		/* an event arrives, unless the model would forget one that is needed */
			if (window_count(w) == ROOM || (m->events > KEPT - 2 &&
			    slowest(c) < m->seq[(m->events + 1) % KEPT]))
				break;
			next_seq += 1 + (uint64_t)random() % 3;
			m->seq[m->events % KEPT] = next_seq;
			m->routes[m->events % KEPT] = (uint64_t)random() & 31;
			put(w, next_seq, m->routes[m->events % KEPT]);
			m->events++;
			for (int i = 0; i < DESTS; i++)
				cursor_note(&c[i], w);
			break;
		case 3: case 4: case 5:
			model_send(m, &c[d], w, d);
			break;
		case 6:
			model_commit(m, &c[d], d);
			break;
		case 7:				/* the worker dies */
			if (random() % 10 == 0) {
				cursor_rewind(&c[d]);
				m->n_sent[d] = 0;
			}
			break;
		case 8:				/* what is safe everywhere is released, or some of it spilled */
			if (random() % 8 == 0 && window_count(w) > 0) {
				uint64_t i = window_head(w) + (uint64_t)random() % window_count(w);

				m->spilled = window_at(w, i)->seq;
				window_release(w, i + 1);
			} else
				window_release(w, window_after(w, slowest(c)));
			break;
		}
		assert_true(c[d].seq <= c[d].after);
		assert_int_equal(c[d].in_flight, m->n_sent[d]);
		/* Nothing at or below its cursor is wanted and not stored. */
		if (random() % 64 == 0) {
			uint64_t behind = 0, first = m->events > KEPT ? m->events - KEPT : 0;

			for (uint64_t i = first; i < m->events; i++) {
				bool open = (m->routes[i % KEPT] >> d & 1) && m->seq[i % KEPT] > m->stored[d];

				behind += open;
				assert_true(!open || m->seq[i % KEPT] > c[d].seq);
			}
			assert_int_equal(c[d].behind, behind);
		}
	}
	for (int d = 0; d < DESTS; d++)
		cursor_free(&c[d]);
	window_free(&w);
	free(m);
}

static void
subjects_are_routed_by_table_operation_and_company(void **state)
{
	char				*tables[] = { (char *)(uintptr_t)"order", NULL };
	char				*companies[] = { (char *)(uintptr_t)"c2", NULL };
	const struct destination_config	 all = { .operations = ROUTE_INSERT | ROUTE_UPDATE | ROUTE_DELETE };
	const struct destination_config	 orders = { .tables = tables, .operations = ROUTE_INSERT | ROUTE_UPDATE | ROUTE_DELETE };
	const struct destination_config	 deletes = { .operations = ROUTE_DELETE };
	const struct destination_config	 c2 = { .companies = companies, .operations = ROUTE_INSERT };
	const struct routes		 r = { .slot = { [0] = &all, [1] = &orders, [5] = &deletes, [63] = &c2 } };
	const uint64_t			 last = UINT64_C(1) << 63;

	(void)state;
	assert_true(routes_of(&r, SLICE("dbchange.order.INSERT.c1.l1.PUBLIC.1")) == 3);
	assert_true(routes_of(&r, SLICE("dbchange.user.INSERT.c2.l1.PUBLIC.1")) == (1 | last));
	assert_true(routes_of(&r, SLICE("dbchange.user.DELETE.c2.l1.PUBLIC.1")) == (1 | 32));
	assert_true(routes_of(&r, SLICE("dbchange.orders.UPDATE.c1.l1.PUBLIC.1")) == 1);
	/* Who cannot be told must not be left out. */
	assert_true(routes_of(&r, SLICE("something.else")) == (1 | 2 | 32 | last));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_keep_their_index_while_the_ring_grows),
		cmocka_unit_test(a_guess_never_changes_what_is_found),
		cmocka_unit_test(an_event_out_of_order_is_refused_and_freed),
		cmocka_unit_test(a_redelivery_takes_the_place_of_the_first_copy),
		cmocka_unit_test(a_cursor_steps_over_what_is_not_its_own),
		cmocka_unit_test(a_worker_that_claims_too_much_is_not_believed),
		cmocka_unit_test(a_dead_worker_s_events_are_sent_again_and_committed_ones_are_not),
		cmocka_unit_test(a_cursor_that_starts_late_skips_what_it_has),
		cmocka_unit_test(random_operations_agree_with_the_model),
		cmocka_unit_test(subjects_are_routed_by_table_operation_and_company),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
