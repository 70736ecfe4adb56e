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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SQL_SERVER_TESTS,
		cmocka_unit_test(prepared_statements_that_get_lost_are_done_without),
	};

	return cmocka_run_group_tests_name("postgres_server", tests, set_up, sql_server_stop);
}
