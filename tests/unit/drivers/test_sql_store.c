/* The search for the event at fault, and what follows from errors, with a database that refuses on command. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/sql/store.h"
#include "drivers/sql/verdict.h"
#include "ipc/base/json_scan.h"

#define EVENTS	100
#define MANY	500	/* as sql_store_ahead() has it */
#define ROOM	(MANY + EVENTS)

struct drv {
	struct sql_store	 store;
	struct log		 log;
	struct drv_host		 host;
	struct event		 events[ROOM];
	struct drv_event	 v[ROOM];
	char			*payloads[ROOM];
	size_t			 n;
	struct drv_batch	 batch;
	struct drv_flow		 flow;
	bool			 taken;		/* the second batch */
	size_t			 told;		/* stored, as the flow heard of it */
	struct drv_outcome	 out;
	const char		*bad;		/* a note that is refused */
	bool			 names_group, at_commit, stale;
	enum drv_result		 trial_result;	/* of every trial, unless DRV_STORED */
	unsigned		 trials, commits, undone, read;
	size_t			 stored;
};

/* --- a database --- */

static enum drv_result
read_table(struct drv *d, struct slice table, struct sql_reading *to, struct err *err)
{
	static const struct sql_found	 cols[] = { { .name = SLICE("id"), .key = true }, { .name = SLICE("note") } };

	(void)table;
	d->read++;
	for (size_t i = 0; i < NELEM(cols); i++)
		if (sql_reading_column(to, &cols[i], err) != DRV_STORED)
			return DRV_RETRY;
	return DRV_STORED;
}

static bool
group_has(const struct sql_group *g, const char *bad)
{
	struct sql_row	*r = g->first;

	for (size_t i = 0; i < g->n; i++, r = r->next)
		if (json_string_eq(&r->v[1], bad))
			return true;
	return false;
}

static enum drv_result
refuse(struct drv *d, const struct sql_group *g, struct sql_blame *blame, struct err *err)
{
	if (d->names_group)
		blame->group = g;
	err_set(err, ERR_INVALID, "not this");
	return DRV_REJECT;
}

static enum drv_result
apply(struct drv *d, const struct sql_group *groups, size_t n, enum sql_end end, struct sql_blame *blame, struct err *err)
{
	size_t	rows = 0;

	end == SQL_COMMIT ? d->commits++ : d->trials++;
	if (end == SQL_COMMIT)
		sql_store_ahead(&d->store);
	if (end == SQL_ROLLBACK && d->trial_result != DRV_STORED) {
		err_set(err, ERR_TEMPORARY, "gone");
		return d->trial_result;
	}
	if (d->stale) {
		d->stale = false;
		blame->stale = true;
		err_set(err, ERR_CONFLICT, "no such column");
		return DRV_RETRY;
	}
	for (size_t g = 0; g < n; rows += groups[g++].n)
		if (d->bad != NULL && group_has(&groups[g], d->bad) && (end == SQL_COMMIT || !d->at_commit))
			return refuse(d, &groups[g], blame, err);
	if (end == SQL_COMMIT)
		d->stored += rows;
	return DRV_STORED;
}

static void
undo(struct drv *d)
{
	d->undone++;
}

static const struct sql_backend	backend = { .read_table = read_table, .apply = apply, .undo = undo };

/* --- fixture --- */

static enum drv_result
host_schema(void *ctx, struct slice table, struct slice version, struct slice *json_r, struct err *err)
{
	static char	text[256];

	(void)ctx;
	(void)version;
	(void)err;
	(void)snprintf(text, sizeof(text), "{\"table\":\"" SLICE_FMT "\",\"modelVersion\":\"v\",\"primaryKeys\":[\"id\"],"
	    "\"properties\":{\"id\":{\"type\":\"string\"},\"note\":{\"type\":\"string\"}}}", SLICE_ARG(table));
	*json_r = slice_of(text);
	return DRV_STORED;
}

static void
host_table_version(void *ctx, struct slice table, struct slice version)
{
	(void)ctx;
	(void)table;
	(void)version;
}

static int
set_up(void **state)
{
	struct drv	*d = calloc(1, sizeof(*d));
	struct drv_env	 env = { .log = &d->log, .host = &d->host };

	assert_non_null(d);
	log_make(&d->log, "test", NULL);
	d->host = (struct drv_host){ .schema = host_schema, .table_version = host_table_version };
	d->batch.v = d->v;
	assert_int_equal(sql_store_init(&d->store, &backend, d, &env, "here", NULL), 0);
	*state = d;
	return 0;
}

static int
tear_down(void **state)
{
	struct drv	*d = *state;

	for (size_t i = 0; i < d->n; i++) {
		event_free(&d->events[i]);
		free(d->payloads[i]);
	}
	sql_store_free(&d->store);
	free(d);
	return 0;
}

static void
add_at(struct drv *d, const char *table, unsigned key, const char *note, unsigned mvcc)
{
	size_t	 i = d->n++;
	struct buf b = { 0 };

	buf_printf(&b, "{\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"%s\",\"key\":[\"k%u\"],\"modelVersion\":\"v\","
	    "\"timestamp\":1,\"mvccTimestamp\":\"%u.0\",\"after\":{\"id\":\"k%u\",\"note\":\"%s\"}}", table, key, mvcc, key,
	    note);
	d->payloads[i] = buf_steal(&b);
	assert_int_equal(event_parse(&d->events[i], slice_of(d->payloads[i]), NULL), 0);
	d->v[i] = (struct drv_event){ .seq = i + 1, .ev = &d->events[i], .payload = slice_of(d->payloads[i]) };
	d->batch.n = d->n;
}

static void
add(struct drv *d, const char *table, unsigned key, const char *note)
{
	add_at(d, table, key, note, 1);
}

/* A first batch of MANY events; what is added from now on comes while it is being stored. */
static bool
more(void *ctx, struct drv_batch *batch_r)
{
	struct drv	*d = ctx;

	if (d->taken || d->n == MANY)
		return false;
	d->taken = true;
	*batch_r = (struct drv_batch){ .v = d->v + MANY, .n = d->n - MANY, .flow = &d->flow };
	return true;
}

static void
hear_stored(void *ctx, size_t n)
{
	struct drv	*d = ctx;

	assert_int_equal(d->stored, n);
	d->told = n;
}

static void
begin_with_many(struct drv *d)
{
	for (unsigned i = 0; i < MANY; i++)
		add_at(d, "a", i, "fine", 10);
	d->flow = (struct drv_flow){ .ctx = d, .more = more, .stored = hear_stored };
	d->batch.flow = &d->flow;
}

static enum drv_result
deliver_many(struct drv *d)
{
	d->batch.n = MANY;
	return sql_store_deliver(&d->store, &d->batch, &d->out);
}

/* --- the search --- */

static void
the_row_at_fault_is_found_wherever_it_is(void **state)
{
	struct drv	*d = *state;

	for (unsigned i = 0; i < EVENTS; i++)
		add(d, i % 3 == 0 ? "a" : "b", i, "fine");
	for (size_t at = 0; at < EVENTS; at += 9) {
		char *note = strstr(d->payloads[at], "fine");

		memcpy(note, "evil", 4);
		d->bad = "evil";
		for (int named = 0; named < 2; named++) {
			d->names_group = named == 1;
			d->trials = 0;
			assert_int_equal(sql_store_deliver(&d->store, &d->batch, &d->out), DRV_REJECT);
			assert_int_equal(d->out.index, at);
			assert_non_null(strstr(d->out.err.text, "not this"));
			assert_true(d->trials <= 10);
		}
		memcpy(note, "fine", 4);
	}
	assert_int_equal(d->stored, 0);
	assert_int_equal(sql_store_deliver(&d->store, &d->batch, &d->out), DRV_STORED);
	assert_int_equal(d->stored, EVENTS);
}

static void
of_several_events_of_a_row_the_one_that_made_it_bad_is_blamed(void **state)
{
	struct drv	*d = *state;

	add(d, "a", 1, "fine");
	add(d, "a", 2, "fine");
	add(d, "a", 1, "evil");
	d->bad = "evil";
	assert_int_equal(sql_store_deliver(&d->store, &d->batch, &d->out), DRV_REJECT);
	assert_int_equal(d->out.index, 2);
	assert_non_null(strstr(d->out.err.text, "table \"a\", key [\"k1\"]: not this"));
}

static void
a_refusal_that_no_trial_shows_is_tried_again(void **state)
{
	struct drv	*d = *state;

	add(d, "a", 1, "evil");
	add(d, "a", 2, "fine");
	d->bad = "evil";
	d->at_commit = true;
	assert_int_equal(sql_store_deliver(&d->store, &d->batch, &d->out), DRV_RETRY);
	assert_non_null(strstr(d->out.err.text, "not this"));
}

static void
a_search_that_loses_the_database_is_tried_again(void **state)
{
	struct drv	*d = *state;

	add(d, "a", 1, "evil");
	add(d, "a", 2, "fine");
	d->bad = "evil";
	d->trial_result = DRV_RETRY;
	assert_int_equal(sql_store_deliver(&d->store, &d->batch, &d->out), DRV_RETRY);
	assert_string_equal(d->out.err.text, "gone");
}

static void
a_stale_catalogue_is_read_again_and_the_batch_offered_once_more(void **state)
{
	struct drv	*d = *state;

	add(d, "a", 1, "fine");
	d->stale = true;
	assert_int_equal(sql_store_deliver(&d->store, &d->batch, &d->out), DRV_STORED);
	assert_int_equal(d->read, 2);
	assert_int_equal(d->commits, 2);
	assert_int_equal(d->undone, 1);
}

/* --- the batch that comes meanwhile --- */

static void
what_comes_while_much_is_stored_follows_in_the_same_call(void **state)
{
	struct drv	*d = *state;

	begin_with_many(d);
	for (unsigned i = 0; i < 10; i++)
		add_at(d, "a", MANY + i, "fine", 11);
	assert_int_equal(deliver_many(d), DRV_STORED);
	assert_int_equal(d->told, MANY);
	assert_int_equal(d->stored, MANY + 10);
	assert_int_equal(d->commits, 2);
	assert_int_equal(d->store.folded_in, 0);
}

static void
h65_an_older_event_that_comes_meanwhile_does_not_win(void **state)
{
	struct drv	*d = *state;

	begin_with_many(d);
	add_at(d, "a", 1, "old", 9);
	add_at(d, "a", 2, "same", 10);
	add_at(d, "a", MANY, "new", 9);
	assert_int_equal(deliver_many(d), DRV_STORED);
	assert_int_equal(d->stored, MANY + 2);
}

static void
an_event_at_fault_is_counted_from_the_first_of_the_call(void **state)
{
	struct drv	*d = *state;

	begin_with_many(d);
	add_at(d, "a", MANY, "fine", 11);
	add_at(d, "a", 3, "evil", 11);
	d->bad = "evil";
	assert_int_equal(deliver_many(d), DRV_REJECT);
	assert_int_equal(d->told, MANY);
	assert_int_equal(d->out.index, MANY + 1);
}

static void
behind_a_batch_that_fails_nothing_is_stored(void **state)
{
	struct drv	*d = *state;

	begin_with_many(d);
	add_at(d, "a", MANY, "fine", 11);
	memcpy(strstr(d->payloads[7], "fine"), "evil", 4);
	d->bad = "evil";
	assert_int_equal(deliver_many(d), DRV_REJECT);
	assert_int_equal(d->out.index, 7);
	assert_int_equal(d->told + d->stored, 0);
	d->bad = NULL;
	assert_int_equal(deliver_many(d), DRV_STORED);		/* and what it took early is not there any more */
	assert_int_equal(d->stored, MANY);
}

static void
a_table_that_is_new_waits_until_its_turn(void **state)
{
	struct drv	*d = *state;

	begin_with_many(d);
	add_at(d, "b", 1, "fine", 11);
	assert_int_equal(deliver_many(d), DRV_STORED);
	assert_int_equal(d->read, 2);
	assert_int_equal(d->stored, MANY + 1);
}

static void
what_was_folded_early_is_folded_anew_when_the_catalogue_was_stale(void **state)
{
	struct drv	*d = *state;

	begin_with_many(d);
	add_at(d, "a", MANY, "fine", 11);
	d->stale = true;
	assert_int_equal(deliver_many(d), DRV_STORED);
	assert_int_equal(d->stored, MANY + 1);
	assert_int_equal(d->commits, 3);
	assert_int_equal(d->read, 2);
}

static void
few_events_take_nothing_early(void **state)
{
	struct drv	*d = *state;

	begin_with_many(d);
	add_at(d, "a", MANY, "fine", 11);
	d->batch.n = MANY - 1;
	assert_int_equal(sql_store_deliver(&d->store, &d->batch, &d->out), DRV_STORED);
	assert_false(d->taken);
}

/* --- verdicts --- */

static void
a_verdict_is_found_by_number_or_by_the_longest_state(void **state)
{
	static const struct sql_verdict	v[] = {
		{ .state = "22", .remedy = "class" }, { .state = "22003", .remedy = "state" }, { .number = 1205, .remedy = "number" },
	};

	(void)state;
	assert_string_equal(sql_verdict_find(v, NELEM(v), "22003", 0)->remedy, "state");
	assert_string_equal(sql_verdict_find(v, NELEM(v), "22P02", 0)->remedy, "class");
	assert_string_equal(sql_verdict_find(v, NELEM(v), "40001", 1205)->remedy, "number");
	assert_null(sql_verdict_find(v, NELEM(v), "40001", 12050));
	assert_null(sql_verdict_find(v, NELEM(v), NULL, 7));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_row_at_fault_is_found_wherever_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_several_events_of_a_row_the_one_that_made_it_bad_is_blamed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_refusal_that_no_trial_shows_is_tried_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_search_that_loses_the_database_is_tried_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stale_catalogue_is_read_again_and_the_batch_offered_once_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_comes_while_much_is_stored_follows_in_the_same_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(h65_an_older_event_that_comes_meanwhile_does_not_win, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_event_at_fault_is_counted_from_the_first_of_the_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(behind_a_batch_that_fails_nothing_is_stored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_table_that_is_new_waits_until_its_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_folded_early_is_folded_anew_when_the_catalogue_was_stale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(few_events_take_nothing_early, set_up, tear_down),
		cmocka_unit_test(a_verdict_is_found_by_number_or_by_the_longest_state),
	};

	return cmocka_run_group_tests_name("sql_store", tests, NULL, NULL);
}
