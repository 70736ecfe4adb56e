/* The PostgreSQL driver's calls on a real server: test and import.  Delivery is tested from end to end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "drivers/postgres/postgres_private.h"
#include "tests/support/sql_server.h"

/* The first column of the first row; "" when there is none. */
static const char *
ask(struct sql_server *f, const char *sql)
{
	static char	 answer[512];
	PGresult	*res = NULL;

	stored(f, pg_ensure(f->drv, &f->err));
	stored(f, pg_query(f->drv, sql, 0, NULL, &res, "asking", &f->err));
	answer[0] = '\0';
	if (PQntuples(res) > 0)
		(void)snprintf(answer, sizeof(answer), "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	return answer;
}

static const struct sql_server_kind	 kind = {
	.driver = &driver_postgres, .module = "tests.support.postgresd", .scheme = "postgres", .ask = ask,
	.beside = "SELECT count(*) FROM pg_class WHERE starts_with(relname, '_eds_') OR relname = 'eds_test'",
	.refers = "other objects depend on it (SQLSTATE 2BP01)", .denied = "password authentication failed",
};

static int
set_up(void **state)
{
	return sql_server_start(state, &kind);
}

/* What a pooler does that gives every transaction another session. */
static void
prepared_statements_that_get_lost_are_done_without(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-9");

	how.keep = true;	/* then rows go by INSERT */
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 0, 10, "null");
	stored(f, pg_exec(f->drv, "DEALLOCATE ALL", "losing statements", &f->err));
	sql_import_some(f, 10, 10, "null");
	assert_true(f->drv->unnamed);
	sql_import_some(f, 20, 10, "null");
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
	assert_string_equal(ask(f, "SELECT count(*) FROM part"), "30");
}

/* --- COPY --- */

#define EVERY	"{\"table\":\"every\",\"modelVersion\":\"v1\",\"primaryKeys\":[\"id\"],\"required\":[\"must\"],\"properties\":{" \
	"\"id\":{\"type\":\"string\"},\"must\":{\"type\":\"string\"},\"t\":{\"type\":\"string\",\"nullable\":true}," \
	"\"i\":{\"type\":\"integer\",\"nullable\":true},\"d\":{\"type\":\"number\",\"nullable\":true}," \
	"\"b\":{\"type\":\"boolean\",\"nullable\":true},\"j\":{\"type\":\"object\",\"nullable\":true}," \
	"\"z\":{\"type\":\"string\",\"format\":\"date-time\",\"nullable\":true}," \
	"\"e\":{\"type\":\"array\",\"nullable\":true,\"items\":{\"enum\":[\"x\"]}}}}"

static const struct drv_import_table	 every = { .table = SLICE("every"), .version = SLICE("v1"), .schema = SLICE(EVERY) };

static void
begin_every(struct sql_server *f, const char *job)
{
	struct drv_import	how = { .tables = &every, .ntables = 1, .job = slice_of(job) };

	(void)ask(f, "DROP TABLE IF EXISTS every");
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
}

/* Rows of `every` by their members behind `id`, which is the row's number. */
static enum drv_result
every_rows(struct sql_server *f, const char *const *members, size_t n, struct drv_outcome *out)
{
	struct event		 events[8] = { { .op = EVENT_INSERT } };
	struct drv_event	 v[8];
	struct drv_batch	 b = { .v = v, .n = n };
	static char		 text[8][1024];
	enum drv_result		 r;

	assert_true(n <= NELEM(v));
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "{\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"every\",\"key\":[\"%zu\"],"
		    "\"modelVersion\":\"v1\",\"timestamp\":1,\"imported\":true,\"after\":{\"id\":\"%zu\"%s}}", i, i, members[i]);
		assert_int_equal(event_parse(&events[i], slice_of(text[i]), &f->err), 0);
		v[i] = (struct drv_event){ .seq = i + 1, .ev = &events[i], .payload = slice_of(text[i]) };
	}
	r = f->kind->driver->import_rows(f->drv, 0, &b, out);
	for (size_t i = 0; i < n; i++)
		event_free(&events[i]);
	return r;
}

static void
end_every(struct sql_server *f)
{
	stored(f, f->kind->driver->import_commit(f->drv, &f->err));
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
}

static bool
holds(struct sql_server *f, const char *condition)
{
	char	sql[512];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM every WHERE %s", condition);
	return strcmp(ask(f, sql), "1") == 0;
}

static void
what_is_copied_is_what_was_exported(void **state)
{
	static const char *const rows[] = {
		",\"must\":\"tab\\t line\\n back\\\\slash \\\\N\\u0000end\",\"t\":\"\",\"i\":-9223372036854775808,\"d\":0.1,\"b\":true,"
		"\"j\":{\"a\": [1.50, \"x\\u0000y\", null]},\"z\":\"2024-02-29T23:59:59.123456-05:30\",\"e\":[\"x\"]",
		",\"must\":\"\\\\N\",\"t\":null",
		"",
	};
	struct sql_server	*f = sql_server_ready(state);
	struct drv_outcome	 out = { .index = 0 };

	begin_every(f, "job-10");
	if (every_rows(f, rows, NELEM(rows), &out) != DRV_STORED)
		fail_msg("%s", out.err.text);
	end_every(f);
	assert_true(holds(f, "id = '0' AND must = E'tab\\t line\\n back\\\\slash \\\\Nend' AND t = '' AND t IS NOT NULL"));
	assert_true(holds(f, "id = '0' AND i = -9223372036854775808 AND d = 0.1 AND b AND e = '[\"x\"]'"));
	assert_true(holds(f, "id = '0' AND j::text = '{\"a\": [1.50, \"xy\", null]}' AND z = '2024-03-01 05:29:59.123456Z'"));
	assert_true(holds(f, "id = '1' AND must = E'\\\\N' AND num_nulls(t, i, d, b, j, z, e) = 7"));
	assert_true(holds(f, "id = '2' AND must = ''"));		/* what a row must have and this one lacks */
	assert_string_equal(ask(f, "SELECT string_agg(attname, ',') FROM pg_index i JOIN pg_attribute a ON attrelid = indrelid "
	    "AND attnum = ANY (indkey) WHERE indrelid = 'every'::regclass AND indisprimary"), "id");
	assert_string_equal(ask(f, "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE indrelid = 'every'::regclass"),
	    "every_pkey");
}

/* A time that the server alone can read, then one that it cannot, and JSON that it does not take. */
static void
what_copy_does_not_take_is_inserted_or_refused_by_itself(void **state)
{
	static const char *const rows[] = {
		",\"must\":\"a\",\"z\":\"2024-01-02 03:04\"", ",\"must\":\"b\"", ",\"must\":\"c\",\"z\":\"2024-13-02T03:04:05Z\"",
	};
	static const char *const json[] = { ",\"must\":\"d\"", ",\"must\":\"e\",\"j\":{\"secret\":\"\\ud800\"}" };
	struct sql_server	*f = sql_server_ready(state);
	struct drv_outcome	 out = { .index = 0 };

	begin_every(f, "job-11");
	assert_int_equal(every_rows(f, rows, 3, &out), DRV_REJECT);
	assert_int_equal(out.index, 2);
	assert_non_null(strstr(out.err.text, "table \"every\", key [\"2\"]"));
	assert_non_null(strstr(out.err.text, "column \"z\""));
	assert_int_equal(every_rows(f, json, 2, &out), DRV_REJECT);
	assert_int_equal(out.index, 1);
	assert_non_null(strstr(out.err.text, "column \"j\""));
	assert_null(strstr(out.err.text, "secret"));
	assert_int_equal(every_rows(f, rows, 2, &out), DRV_STORED);
	end_every(f);
	assert_string_equal(ask(f, "SELECT string_agg(must, ',' ORDER BY must) FROM every"), "a,b");
	assert_true(holds(f, "z = '2024-01-02 03:04Z'"));
}

static void
of_rows_that_came_twice_the_last_one_stays_wherever_it_lies(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-12");

	(void)ask(f, "DROP TABLE IF EXISTS part");
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 0, 2000, "\"long long long long long long long long long long long long\"");
	sql_import_some(f, 500, 1000, "\"short\"");
	sql_import_some(f, 0, 1200, "\"\"");
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
	assert_string_equal(ask(f, "SELECT string_agg(n || note, ',' ORDER BY note) FROM (SELECT left(note, 5) AS note, count(*) AS n "
	    "FROM part GROUP BY 1) AS x"), "1200,500long ,300short");
}

static void
a_file_whose_connection_was_lost_comes_again_and_leaves_no_row_twice(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-13");
	struct drv_outcome	 out;

	(void)ask(f, "DROP TABLE IF EXISTS part");
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 0, 10, "null");
	assert_int_equal(sql_import_try(f, 10, 10, "null", &out), DRV_STORED);
	(void)pg_exec(f->drv, "SELECT pg_terminate_backend(pg_backend_pid())", "losing the connection", &f->err);
	assert_int_equal(sql_import_try(f, 20, 10, "null", &out), DRV_RETRY);
	assert_int_equal(sql_import_try(f, 10, 10, "null", &out), DRV_STORED);
	assert_int_equal(sql_import_try(f, 20, 10, "null", &out), DRV_STORED);
	sql_server_close(f);		/* the process died before the file was committed */
	f = sql_server_ready(state);
	how.resumed = true;
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 10, 20, "null");
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
	assert_string_equal(ask(f, "SELECT count(*) FROM part"), "30");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SQL_SERVER_TESTS,
		cmocka_unit_test(prepared_statements_that_get_lost_are_done_without),
		cmocka_unit_test(what_is_copied_is_what_was_exported),
		cmocka_unit_test(what_copy_does_not_take_is_inserted_or_refused_by_itself),
		cmocka_unit_test(of_rows_that_came_twice_the_last_one_stays_wherever_it_lies),
		cmocka_unit_test(a_file_whose_connection_was_lost_comes_again_and_leaves_no_row_twice),
	};

	return cmocka_run_group_tests_name("postgres_server", tests, set_up, sql_server_stop);
}
