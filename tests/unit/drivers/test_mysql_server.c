/* The MySQL driver's calls on a real MariaDB server: test and import.  Delivery is tested from end to end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "drivers/mysql/mysql_private.h"
#include "tests/support/sql_server.h"

/* What a question gets: the first column of the first row; "" when there is none. */
static const char *
ask(struct sql_server *f, const char *sql)
{
	static char	 answer[512];
	MYSQL_RES	*res;
	MYSQL_ROW	 row;

	if (mysql_query(f->drv->db, sql) != 0)
		fail_msg("%s: %s", sql, mysql_error(f->drv->db));
	answer[0] = '\0';
	if ((res = mysql_store_result(f->drv->db)) != NULL) {
		if ((row = mysql_fetch_row(res)) != NULL && row[0] != NULL)
			(void)snprintf(answer, sizeof(answer), "%s", row[0]);
		mysql_free_result(res);
	}
	(void)mysql_commit(f->drv->db);
	return answer;
}

static const struct sql_server_kind	 kind = {
	.driver = &driver_mysql, .module = "tests.support.mariadbd", .scheme = "mysql", .ask = ask,
	.beside = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE '\\_eds\\_%'",
	.refers = "foreign key \"theirs\" of table \"child\" refers to table \"part\"", .denied = "Access denied",
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

	return cmocka_run_group_tests_name("mysql_server", tests, set_up, sql_server_stop);
}
