/* The SQL Server driver's calls on the tests' own server: test and import.  Delivery is tested from end to end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "drivers/sqlserver/sqlserver_private.h"
#include "tests/support/sql_server.h"

#define ANSWER_SIZE	512

/* The first answer stays; a number comes as its eight bytes. */
static enum drv_result
take(void *arg, const struct slice *c, size_t n, struct err *err)
{
	char	*answer = arg;
	int64_t	 number;

	(void)err;
	if (answer[0] != '\0' || n == 0)
		return DRV_STORED;
	if (c[0].n == sizeof(number) && c[0].p[sizeof(number) - 1] == '\0') {
		memcpy(&number, c[0].p, sizeof(number));
		(void)snprintf(answer, ANSWER_SIZE, "%lld", (long long)number);
	} else {
		(void)snprintf(answer, ANSWER_SIZE, SLICE_FMT, SLICE_ARG(c[0]));
	}
	return DRV_STORED;
}

static const char *
ask(struct sql_server *f, const char *sql)
{
	static char	 answer[ANSWER_SIZE];

	answer[0] = '\0';
	stored(f, ms_session_open(f->drv, &f->err));
	stored(f, ms_batch(&f->drv->conn, sql, take, answer, "asking", &f->err));
	return answer;
}

static const struct sql_server_kind	 kind = {
	.driver = &driver_sqlserver, .module = "tests.support.tds", .scheme = "sqlserver", .ask = ask,
	.beside = "SELECT COUNT(*) FROM sys.objects AS o WHERE o.[name] LIKE N'_eds_%' OR o.[name] LIKE N'eds_test%'",
	.refers = "(error 3726); drop the foreign keys that refer to the table",
	.denied = "Login failed for user 'sa' (error 18456); correct user and password",
};

static int
set_up(void **state)
{
	return sql_server_start(state, &kind);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { SQL_SERVER_TESTS };

	return cmocka_run_group_tests_name("sqlserver_server", tests, set_up, sql_server_stop);
}
