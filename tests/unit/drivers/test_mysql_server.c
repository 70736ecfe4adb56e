/* The MySQL driver's calls on a real MariaDB server: test and import.  Delivery is tested from end to end. */

#include "drivers/mysql/mysql_private.h"
#include "tests/support/driver_server.h"

#define ROWS	2500

static int
set_up(void **state)
{
	return fixture_open(state, &driver_mysql, "tests.support.mariadbd");
}

/* What a question gets: the first column of the first row; "" when there is none. */
static const char *
ask(struct fixture *f, const char *sql)
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

/* --- imports --- */

static struct drv_import_table	 part = { .table = SLICE("part"), .version = SLICE("v1"), .schema = SLICE(PART("string")) };

#define BESIDE	"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE '\\_eds\\_%'"

static void
an_import_shows_only_when_it_is_complete(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-1");

	(void)ask(f, "DROP TABLE IF EXISTS part");
	(void)ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY, theirs INT)");
	(void)ask(f, "INSERT INTO part VALUES ('old', 1)");
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	import_rows(f, 0, ROWS, "\"a\"");
	import_rows(f, ROWS - 100, 100, "\"a\"");		/* again, after an interruption */
	assert_string_equal(ask(f, "SELECT GROUP_CONCAT(id) FROM part"), "old");
	stored(f, driver_mysql.import_end(f->drv, &f->err));
	assert_string_equal(ask(f, "SELECT COUNT(*) FROM part WHERE note = 'a'"), "2500");
	assert_string_equal(ask(f, BESIDE), "0");
}

static void
an_import_that_is_given_up_leaves_nothing(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-2");

	(void)ask(f, "DROP TABLE IF EXISTS part");
	(void)ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY)");
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	import_rows(f, 0, 10, "null");
	driver_mysql.import_abort(f->drv);
	assert_string_equal(ask(f, "SELECT COUNT(*) FROM part"), "0");
	assert_string_equal(ask(f, BESIDE), "0");
}

static void
an_import_is_taken_up_where_it_was_committed(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-3");

	(void)ask(f, "DROP TABLE IF EXISTS part");
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	import_rows(f, 0, 10, "null");
	driver_mysql.close(&f->drv);		/* the process died */
	f = fixture_ready(state);
	how.resumed = true;
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	import_rows(f, 5, 10, "\"b\"");
	stored(f, driver_mysql.import_end(f->drv, &f->err));
	assert_string_equal(ask(f, "SELECT GROUP_CONCAT(id ORDER BY id + 0) FROM part"), "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14");
	driver_mysql.close(&f->drv);		/* it died again, before anybody knew that it had ended */
	f = fixture_ready(state);
	how.ending = true;
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	stored(f, driver_mysql.import_end(f->drv, &f->err));
	assert_string_equal(ask(f, "SELECT COUNT(*) FROM part"), "15");
	assert_string_equal(ask(f, BESIDE), "0");
}

static void
an_import_that_keeps_puts_its_rows_on_top(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-4");

	(void)ask(f, "DROP TABLE IF EXISTS part");
	(void)ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY, note VARCHAR(8), theirs INT DEFAULT 7)");
	(void)ask(f, "INSERT INTO part VALUES ('0', 'old', 1), ('kept', 'old', 2)");
	how.keep = true;
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	import_rows(f, 0, 2, "\"new\"");
	stored(f, driver_mysql.import_end(f->drv, &f->err));
	assert_string_equal(ask(f, "SELECT GROUP_CONCAT(id, note, theirs ORDER BY id) FROM part"), "0new1,1new7,keptold2");
	assert_string_equal(ask(f, BESIDE), "0");
}

static void
with_keep_a_row_that_the_table_cannot_hold_is_refused_by_itself(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-5");
	struct drv_outcome	 out;

	(void)ask(f, "DROP TABLE IF EXISTS part");
	(void)ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY, note VARCHAR(3))");
	how.keep = true;
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	assert_int_equal(import_parts(f, 0, 5, "\"too long\"", &out), DRV_REJECT);
	assert_int_equal(out.index, 0);
	assert_non_null(strstr(out.err.text, "table \"part\", key [\"0\"]"));
	assert_null(strstr(out.err.text, "too long"));
	driver_mysql.import_abort(f->drv);
}

static void
an_import_without_rows_makes_the_table(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-6");

	(void)ask(f, "DROP TABLE IF EXISTS part");
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	stored(f, driver_mysql.import_end(f->drv, &f->err));
	assert_string_equal(ask(f, "SELECT COUNT(*) FROM part"), "0");
}

static void
a_table_that_others_refer_to_is_not_replaced(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-7");

	(void)ask(f, "DROP TABLE IF EXISTS part");
	(void)ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY)");
	(void)ask(f, "CREATE TABLE child (id VARCHAR(64) PRIMARY KEY, CONSTRAINT theirs FOREIGN KEY (id) REFERENCES part (id))");
	stored(f, driver_mysql.import_begin(f->drv, &how, &f->err));
	assert_int_equal(driver_mysql.import_end(f->drv, &f->err), DRV_CONFIG);
	assert_non_null(strstr(f->err.text, "foreign key \"theirs\" of table \"child\" refers to table \"part\""));
	driver_mysql.import_abort(f->drv);
	(void)ask(f, "DROP TABLE child");
	assert_string_equal(ask(f, BESIDE), "0");
}

/* --- test --- */

static void
a_test_leaves_nothing_behind(void **state)
{
	struct fixture	*f = fixture_ready(state);

	stored(f, driver_mysql.test(&f->env, &f->err));
	assert_string_equal(ask(f, BESIDE), "0");
}

static void
a_test_names_what_is_wrong_without_the_password(void **state)
{
	struct fixture	*f = fixture_ready(state);
	struct drv_env	 env = f->env;
	char		 url[600];

	(void)snprintf(url, sizeof(url), "mysql://eds:wr0ng-one@%s", strrchr(f->server.url, '@') + 1);
	env.url = url;
	assert_int_equal(driver_mysql.test(&env, &f->err), DRV_CONFIG);
	assert_non_null(strstr(f->err.text, "Access denied"));
	assert_null(strstr(f->err.text, "wr0ng"));
	(void)snprintf(url, sizeof(url), "%s-missing", f->server.url);
	assert_int_equal(driver_mysql.test(&env, &f->err), DRV_CONFIG);
	(void)snprintf(url, sizeof(url), "mysql://eds@127.0.0.1:1/eds");
	assert_int_equal(driver_mysql.test(&env, &f->err), DRV_RETRY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_import_shows_only_when_it_is_complete),
		cmocka_unit_test(an_import_that_is_given_up_leaves_nothing),
		cmocka_unit_test(an_import_is_taken_up_where_it_was_committed),
		cmocka_unit_test(an_import_that_keeps_puts_its_rows_on_top),
		cmocka_unit_test(with_keep_a_row_that_the_table_cannot_hold_is_refused_by_itself),
		cmocka_unit_test(an_import_without_rows_makes_the_table),
		cmocka_unit_test(a_table_that_others_refer_to_is_not_replaced),
		cmocka_unit_test(a_test_leaves_nothing_behind),
		cmocka_unit_test(a_test_names_what_is_wrong_without_the_password),
	};

	return cmocka_run_group_tests_name("mysql_server", tests, set_up, fixture_close);
}
