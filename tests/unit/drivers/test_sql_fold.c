/* Folding leaves what the events, one after the other, would have left. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/sql/fold.h"

#define SCHEMA(table, version, keys, properties) \
	"{\"table\":\"" table "\",\"modelVersion\":\"" version "\",\"primaryKeys\":[" keys "],\"properties\":{" properties "}," \
	"\"required\":[\"id\",\"req\"]}"

#define ORDER_1	SCHEMA("order", "v1", "\"id\"", "\"id\":{\"type\":\"string\"},\"a\":{\"type\":\"string\",\"nullable\":true}," \
	"\"b\":{\"type\":\"integer\",\"nullable\":true},\"req\":{\"type\":\"string\"},\"list\":{\"type\":\"array\"}," \
	"\"maybe\":{\"type\":\"array\",\"nullable\":true},\"obj\":{\"type\":\"object\"}")
#define PAIR	SCHEMA("pair", "v1", "\"region\",\"id\"", "\"id\":{\"type\":\"string\"},\"region\":{\"type\":\"string\"}," \
	"\"a\":{\"type\":\"string\",\"nullable\":true}")

struct fixture {
	struct sql_tables	 tables;
	struct sql_fold		 fold;
	struct sql_seen		*seen;
	struct event		 events[512];
	char			*payloads[512];
	size_t			 n;
};

static void
take_schema(struct fixture *f, const char *json)
{
	struct sql_schema	*s = NULL;
	struct err		 err = { .code = ERR_NONE };

	if (sql_schema_parse(&s, slice_of(json), &err) != 0 || sql_tables_take(&f->tables, s, &err) == NULL)
		fail_msg("%s", err.text);
}

static int
set_up(void **state)
{
	struct fixture	*f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_non_null(f->seen = sql_seen_new(1000));
	take_schema(f, ORDER_1);
	take_schema(f, PAIR);
	*state = f;
	return 0;
}

static void
forget_events(struct fixture *f)
{
	for (size_t i = 0; i < f->n; i++) {
		event_free(&f->events[i]);
		free(f->payloads[i]);
	}
	f->n = 0;
}

static int
tear_down(void **state)
{
	struct fixture	*f = *state;

	forget_events(f);
	sql_fold_free(&f->fold);
	sql_tables_free(&f->tables);
	sql_seen_free(&f->seen);
	free(f);
	return 0;
}

/* `rest` are the members after table and modelVersion. */
static void
event(struct fixture *f, const char *op, const char *table, const char *mvcc, const char *rest)
{
	struct buf	 b = { 0 };
	struct err	 err = { .code = ERR_NONE };

	buf_printf(&b, "{\"operation\":\"%s\",\"id\":\"e%zu\",\"table\":\"%s\",\"modelVersion\":\"v1\",\"timestamp\":1,"
	    "\"mvccTimestamp\":\"%s\",%s}", op, f->n, table, mvcc, rest);
	f->payloads[f->n] = buf_steal(&b);
	if (event_parse(&f->events[f->n], slice_of(f->payloads[f->n]), &err) != 0)
		fail_msg("%s", err.text);
	f->n++;
}

static int
add(struct fixture *f, size_t i, struct err *err)
{
	struct sql_table	*t = sql_tables_find(&f->tables, f->events[i].table);

	assert_non_null(t);
	return sql_fold_add(&f->fold, t, sql_table_version(t, f->events[i].model_version), &f->events[i], i, err);
}

static void
fold_from(struct fixture *f, size_t first)
{
	struct err	 err = { .code = ERR_NONE };

	assert_int_equal(sql_fold_begin(&f->fold, f->n, f->seen, &err), 0);
	for (size_t i = first; i < f->n; i++)
		if (add(f, i, &err) != 0)
			fail_msg("%s", err.text);
}

static void
fold(struct fixture *f)
{
	fold_from(f, 0);
}

static void
column_is(const struct sql_row *r, const char *column, const char *want)
{
	const struct json_val	*v = &r->v[sql_table_find(r->table, slice_of(column))];

	if (want == NULL) {
		assert_int_equal(v->type, JV_ABSENT);
		return;
	}
	if (!slice_is(v->raw, want))
		fail_msg("%s is " SLICE_FMT ", not %s", column, SLICE_ARG(v->raw), want);
}

static void
updates_of_one_row_become_one_that_has_the_last_value_of_every_column(void **state)
{
	struct fixture	*f = *state;
	struct sql_row	*r;

	event(f, "INSERT", "order", "1.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"a\":\"x\",\"b\":1}");
	event(f, "UPDATE", "order", "2.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"b\":2},\"diff\":[\"b\"]");
	event(f, "UPDATE", "order", "3.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"req\":\"r\"},\"diff\":[\"req\"]");
	fold(f);
	assert_int_equal(f->fold.nrows, 1);
	r = f->fold.groups[0].first;
	assert_int_equal(r->what, SQL_UPSERT);
	column_is(r, "a", "\"x\"");
	column_is(r, "b", "2");
	column_is(r, "req", "\"r\"");
	column_is(r, "obj", NULL);
}

static void
a_diff_column_missing_in_after_becomes_null_unless_it_must_not(void **state)
{
	struct fixture	*f = *state;
	struct sql_row	*r;

	event(f, "UPDATE", "order", "1.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\"},\"diff\":[\"a\",\"req\",\"unknown\",\"list\"]");
	fold(f);
	r = f->fold.groups[0].first;
	column_is(r, "a", "null");
	column_is(r, "req", NULL);
	column_is(r, "b", NULL);
	column_is(r, "list", "[]");
}

static void
empty_values_follow_the_columns_nullability(void **state)
{
	struct fixture	*f = *state;
	struct sql_row	*r;

	event(f, "INSERT", "order", "1.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"list\":null,\"maybe\":null,\"obj\":\"\","
	    "\"a\":\"\",\"more\":1}");
	fold(f);
	r = f->fold.groups[0].first;
	column_is(r, "list", "[]");
	column_is(r, "maybe", "null");
	column_is(r, "obj", "{}");
	column_is(r, "a", "\"\"");
}

static void
a_delete_wins_over_what_came_before(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "1.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"a\":\"x\"}");
	event(f, "DELETE", "order", "2.0", "\"key\":[\"1\"],\"before\":{\"id\":\"1\"}");
	fold(f);
	assert_int_equal(f->fold.nrows, 1);
	assert_int_equal(f->fold.groups[0].first->what, SQL_DELETE);
}

static void
a_row_that_comes_back_has_nothing_of_the_old_one(void **state)
{
	struct fixture	*f = *state;
	struct sql_row	*r;

	event(f, "UPDATE", "order", "1.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"a\":\"x\"}");
	event(f, "DELETE", "order", "2.0", "\"key\":[\"1\"]");
	event(f, "INSERT", "order", "3.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"b\":1}");
	event(f, "UPDATE", "order", "4.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"req\":\"r\"}");
	fold(f);
	assert_int_equal(f->fold.nrows, 1);
	r = f->fold.groups[0].first;
	assert_int_equal(r->what, SQL_REPLACE);
	column_is(r, "a", NULL);
	column_is(r, "b", "1");
	column_is(r, "req", "\"r\"");
}

static void
rows_are_told_apart_by_table_and_whole_key(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "1.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\"}");
	event(f, "INSERT", "pair", "1.0", "\"key\":[\"eu\",\"1\"],\"after\":{\"region\":\"eu\",\"id\":\"1\"}");
	event(f, "INSERT", "pair", "1.0", "\"key\":[\"us\",\"1\"],\"after\":{\"region\":\"us\",\"id\":\"1\"}");
	event(f, "INSERT", "pair", "1.0", "\"key\":[\"u\",\"s1\"],\"after\":{\"region\":\"u\",\"id\":\"s1\"}");
	event(f, "INSERT", "order", "1.0", "\"key\":[\"\\u0031\"],\"after\":{\"id\":\"\\u0031\"}");
	fold(f);
	assert_int_equal(f->fold.nrows, 4);
	assert_int_equal(f->fold.ngroups, 2);
	assert_int_equal(f->fold.groups[1].n, 3);
	assert_ptr_equal(f->fold.of_event[0], f->fold.of_event[4]);
}

static void
the_key_of_a_delete_is_aligned_from_its_end(void **state)
{
	struct fixture	*f = *state;

	event(f, "DELETE", "order", "1.0", "\"key\":[\"gcp-us-west1\",\"zz\"]");
	event(f, "DELETE", "pair", "1.0", "\"key\":[\"gcp-us-west1\",\"eu\",\"zz\"]");
	event(f, "DELETE", "pair", "1.0", "\"key\":[\"zz\"],\"before\":{\"region\":\"eu\",\"id\":\"zz\"}");
	event(f, "DELETE", "order", "1.0", "\"before\":{\"id\":\"zz\"}");
	fold(f);
	assert_int_equal(f->fold.nrows, 2);
	column_is(f->fold.groups[0].first, "id", "\"zz\"");
	column_is(f->fold.groups[1].first, "region", "\"eu\"");
	column_is(f->fold.groups[1].first, "id", "\"zz\"");
}

static void
an_event_without_its_key_or_row_is_refused_and_changes_nothing(void **state)
{
	struct fixture	*f = *state;
	struct err	 err;

	event(f, "DELETE", "pair", "1.0", "\"key\":[\"zz\"]");
	event(f, "UPDATE", "order", "1.0", "\"key\":[\"zz\"],\"before\":{\"id\":\"zz\"}");
	event(f, "INSERT", "order", "1.0", "\"key\":[\"zz\"],\"after\":{\"id\":{}}");
	assert_int_equal(sql_fold_begin(&f->fold, f->n, NULL, &err), 0);
	assert_int_equal(add(f, 0, &err), -1);
	assert_non_null(strstr(err.text, "\"region\""));
	assert_int_equal(add(f, 1, &err), -1);
	assert_non_null(strstr(err.text, "`after`"));
	assert_int_equal(add(f, 2, &err), -1);
	assert_int_equal(f->fold.nrows, 0);
	assert_null(f->fold.of_event[0]);
}

static void
h27_neighbours_in_time_are_told_apart(void **state)
{
	struct sql_mvcc	 a = sql_mvcc_parse(SLICE("1720732611708587506.0000000001"));
	struct sql_mvcc	 b = sql_mvcc_parse(SLICE("1720732611708587506.0000000002"));
	struct sql_mvcc	 c = sql_mvcc_parse(SLICE("1720732611708587507"));
	struct sql_mvcc	 none = sql_mvcc_parse(SLICE(""));

	(void)state;
	assert_true(sql_mvcc_older(a, b) && sql_mvcc_older(b, c) && sql_mvcc_older(a, c));
	assert_false(sql_mvcc_older(b, a) || sql_mvcc_older(a, a) || sql_mvcc_older(c, b));
	assert_true(sql_mvcc_older(sql_mvcc_parse(SLICE("9.9")), sql_mvcc_parse(SLICE("10.10"))));
	assert_true(sql_mvcc_older(sql_mvcc_parse(SLICE("1.1")), sql_mvcc_parse(SLICE("1.2000000000000000000000000"))));
	assert_false(none.known || sql_mvcc_older(none, a) || sql_mvcc_older(a, none));
	assert_false(sql_mvcc_parse(SLICE("99999999999999999999")).known);
	assert_false(sql_mvcc_parse(SLICE("1.0000000000000000001")).known);
	assert_false(sql_mvcc_parse(SLICE("1.x")).known);
}

static void
h65_an_older_event_never_wins_over_a_newer_one(void **state)
{
	struct fixture	*f = *state;

	event(f, "UPDATE", "order", "1720732611708587506.0000000002", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"a\":\"new\"}");
	event(f, "UPDATE", "order", "1720732611708587506.0000000001", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"a\":\"old\"}");
	fold(f);
	column_is(f->fold.groups[0].first, "a", "\"new\"");
	assert_int_equal(f->fold.nstale, 1);
	assert_null(f->fold.of_event[1]);
	sql_fold_remember(&f->fold, f->seen);
	fold_from(f, 1);	/* the older one alone, in a later batch */
	assert_int_equal(f->fold.nrows, 0);
	event(f, "DELETE", "order", "1720732611708587506.0000000003", "\"key\":[\"1\"]");
	fold_from(f, 2);
	sql_fold_remember(&f->fold, f->seen);
	fold(f);		/* the deleted row does not come back */
	assert_int_equal(f->fold.groups[0].first->what, SQL_DELETE);
	assert_int_equal(f->fold.nstale, 2);
}

static void
without_a_readable_time_the_order_of_the_stream_decides(void **state)
{
	struct fixture	*f = *state;

	event(f, "UPDATE", "order", "5.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"a\":\"first\"}");
	event(f, "UPDATE", "order", "", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"a\":\"second\"}");
	event(f, "UPDATE", "order", "4.0", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"a\":\"older\"}");
	fold(f);
	column_is(f->fold.groups[0].first, "a", "\"second\"");
}

static void
the_memory_is_bounded_and_keeps_what_is_written_often(void **state)
{
	struct sql_seen	*s = sql_seen_new(100);
	struct sql_mvcc	 m = { .known = true };
	size_t		 kept = 0;
	char		 key[32];

	(void)state;
	assert_non_null(s);
	for (m.whole = 1; m.whole <= 10000; m.whole++) {
		int n = snprintf(key, sizeof(key), "%llu", (unsigned long long)m.whole);

		sql_seen_put(s, 1, (struct slice){ key, (size_t)n }, m);
		sql_seen_put(s, 1, SLICE("often"), m);
	}
	assert_true(sql_seen_get(s, 1, SLICE("often")).whole == 10000);
	assert_false(sql_seen_get(s, 2, SLICE("often")).known);
	for (int i = 1; i <= 10000; i++) {
		int n = snprintf(key, sizeof(key), "%d", i);

		kept += sql_seen_get(s, 1, (struct slice){ key, (size_t)n }).known;
	}
	assert_int_equal(kept, 99);
	assert_true(sql_seen_get(s, 1, SLICE("10000")).known);
	sql_seen_free(&s);
	assert_null(s);
}

static void
columns_of_all_versions_of_a_table_are_kept_apart_by_name(void **state)
{
	struct fixture		*f = *state;
	struct sql_table	*t = sql_tables_find(&f->tables, SLICE("order"));
	size_t			 before = t->ncols;
	struct sql_schema	*s = NULL;
	struct err		 err;

	take_schema(f, SCHEMA("order", "v2", "\"id\"", "\"id\":{},\"aa\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"}"));
	assert_int_equal(t->ncols, before + 1);
	assert_int_equal(sql_table_find(t, SLICE("aa")), before);
	assert_non_null(sql_table_version(t, SLICE("v1")));
	assert_non_null(sql_table_version(t, SLICE("v2")));
	assert_null(sql_table_version(t, SLICE("v3")));
	assert_int_equal(sql_schema_parse(&s, slice_of(SCHEMA("order", "v3", "\"b\"", "\"id\":{},\"b\":{}")), &err), 0);
	assert_null(sql_tables_take(&f->tables, s, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
}

static void
json_loses_its_white_space_and_nothing_else(void **state)
{
	static const char	 text[] = " {\"a b\" : [ 1E+3 , 12.50,\n\t\"x \\\" y\" ], \"u\":\"\\u00e9<&>\" } ";
	struct json_val		 v;
	struct buf		 b = { 0 };
	struct err		 err;

	(void)state;
	assert_int_equal(json_scan(slice_of(text), false, &v, &err), 0);
	assert_true(slice_is(sql_json(&v, &b), "{\"a b\":[1E+3,12.50,\"x \\\" y\"],\"u\":\"\\u00e9<&>\"}"));
	buf_free(&b);
}

/* --- the model: rows as strings, one event after the other --- */

#define KEYS	5
#define COLS	3	/* a, b, maybe */

static const char *const names[COLS] = { "a", "b", "maybe" };

struct model_row {
	bool	exists;
	int	col[COLS];	/* 0: NULL */
};

static unsigned
draw(uint64_t *seed, unsigned below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*seed >> 33) % below;
}

static void
model_set(struct model_row *m, const int *change)
{
	if (!m->exists)
		*m = (struct model_row){ .exists = true };
	for (int c = 0; c < COLS; c++)
		if (change[c] >= 0)
			m->col[c] = change[c];
}

/* An event at random, and what it does to the model row by row. */
static void
random_event(struct fixture *f, uint64_t *seed, struct model_row *model, uint64_t time)
{
	unsigned	 key = draw(seed, KEYS), op = draw(seed, 4);
	int		 change[COLS];
	struct buf	 b = { 0 };
	char		 mvcc[40];

	(void)snprintf(mvcc, sizeof(mvcc), "1720732611708587506.%010llu", (unsigned long long)time);
	buf_printf(&b, "\"key\":[\"r\",\"k%u\"]", key);
	if (op == 0) {
		event(f, "DELETE", "order", mvcc, buf_cstr(&b));
		model[key].exists = false;
		buf_free(&b);
		return;
	}
	buf_printf(&b, ",\"after\":{\"id\":\"k%u\"", key);
	for (int c = 0; c < COLS; c++) {
		change[c] = (int)draw(seed, 5) - 1;
		if (change[c] > 0)
			buf_printf(&b, ",\"%s\":%d", names[c], change[c]);
		else if (change[c] == 0 && (op == 1 || draw(seed, 2) == 0))
			buf_printf(&b, ",\"%s\":null", names[c]);
	}
	buf_printf(&b, "},\"diff\":[\"id\"");
	for (int c = 0; c < COLS; c++)
		if (change[c] == 0)
			buf_printf(&b, ",\"%s\"", names[c]);
	buf_addc(&b, ']');
	event(f, op == 1 ? "INSERT" : "UPDATE", "order", mvcc, buf_cstr(&b));
	model_set(&model[key], change);
	buf_free(&b);
}

static void
apply_row(const struct sql_row *r, struct model_row *rows)
{
	unsigned	 key = (unsigned)(r->v[0].raw.p[2] - '0');
	int		 change[COLS];

	if (r->what != SQL_UPSERT)
		rows[key].exists = false;
	if (r->what == SQL_DELETE)
		return;
	for (int c = 0; c < COLS; c++) {
		const struct json_val *v = &r->v[sql_table_find(r->table, slice_of(names[c]))];

		change[c] = v->type == JV_ABSENT ? -1 : v->type == JV_NULL ? 0 : v->raw.p[0] - '0';
	}
	model_set(&rows[key], change);
}

static void
folded_batches_leave_what_the_events_one_by_one_would(void **state)
{
	struct fixture		*f = *state;
	struct model_row	 model[KEYS] = { { .exists = false } }, rows[KEYS] = { { .exists = false } };
	uint64_t		 seed = 20240711, time = 0;

	for (int round = 0; round < 400; round++) {
		size_t n = 1 + draw(&seed, 40);

		forget_events(f);
		for (size_t i = 0; i < n; i++)
			random_event(f, &seed, model, ++time);
		for (size_t again = 0; again <= draw(&seed, 2); again++) {	/* now and then delivered twice */
			fold(f);
			for (const struct sql_row *r = f->fold.ngroups == 0 ? NULL : f->fold.groups[0].first; r != NULL; r = r->next)
				apply_row(r, rows);
			sql_fold_remember(&f->fold, f->seen);
		}
		for (int k = 0; k < KEYS; k++) {
			assert_int_equal(rows[k].exists, model[k].exists);
			for (int c = 0; model[k].exists && c < COLS; c++)
				assert_int_equal(rows[k].col[c], model[k].col[c]);
		}
	}
}

#define test(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(updates_of_one_row_become_one_that_has_the_last_value_of_every_column),
		test(a_diff_column_missing_in_after_becomes_null_unless_it_must_not),
		test(empty_values_follow_the_columns_nullability),
		test(a_delete_wins_over_what_came_before),
		test(a_row_that_comes_back_has_nothing_of_the_old_one),
		test(rows_are_told_apart_by_table_and_whole_key),
		test(the_key_of_a_delete_is_aligned_from_its_end),
		test(an_event_without_its_key_or_row_is_refused_and_changes_nothing),
		test(h27_neighbours_in_time_are_told_apart),
		test(h65_an_older_event_never_wins_over_a_newer_one),
		test(without_a_readable_time_the_order_of_the_stream_decides),
		test(the_memory_is_bounded_and_keeps_what_is_written_often),
		test(columns_of_all_versions_of_a_table_are_kept_apart_by_name),
		test(json_loses_its_white_space_and_nothing_else),
		test(folded_batches_leave_what_the_events_one_by_one_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
