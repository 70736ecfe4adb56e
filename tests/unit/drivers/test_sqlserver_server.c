/* The SQL Server driver's calls on the tests' own server: test and import.  Delivery is tested from end to end. */

#include "drivers/sqlserver/sqlserver_private.h"
#include "tests/support/driver_server.h"

#define ROWS	2500

static int
set_up(void **state)
{
	return fixture_open(state, &driver_sqlserver, "tests.support.tds");
}

/* Columns with a blank behind each, rows with a comma. */
static enum drv_result
take(void *arg, const struct slice *c, size_t n, struct err *err)
{
	struct buf	*b = arg;

	(void)err;
	buf_adds(b, b->len == 0 ? "" : ",");
	for (size_t i = 0; i < n; i++) {
		buf_adds(b, i == 0 ? "" : " ");
		buf_adds_slice(b, c[i]);
	}
	return DRV_STORED;
}

static void
assert_answer(struct fixture *f, const char *sql, const char *want)
{
	struct buf	 got = { 0 };

	stored(f, ms_batch(&f->drv->conn, sql, take, &got, "asking", &f->err));
	assert_string_equal(buf_cstr(&got), want);
	buf_free(&got);
}

static void
run(struct fixture *f, const char *sql)
{
	stored(f, ms_batch(&f->drv->conn, sql, NULL, NULL, "preparing", &f->err));
}

#define FRESH	"DROP TABLE IF EXISTS [dbo].[part];\n"
#define THEIRS	"CREATE TABLE [dbo].[part] ([id] VARCHAR(64) NOT NULL, [note] NVARCHAR(8), [theirs] BIGINT, PRIMARY KEY ([id]));\n"
#define ROW(id, note, n) \
	"INSERT INTO [dbo].[part] ([id], [note], [theirs]) SELECT N'" id "', N'" note "', " n ";\n"
#define IDS	"SELECT p.[id] FROM [dbo].[part] AS p ORDER BY p.[id]"

static struct drv_import_table	 part = { .table = SLICE("part"), .version = SLICE("v1"), .schema = SLICE(PART("string")) };

/* Tables that are not the live one. */
static void
assert_nothing_beside(struct fixture *f)
{
	assert_answer(f, "SELECT o.[name] FROM sys.objects AS o WHERE o.[name] <> N'part'", "");
}

static void
an_import_shows_only_when_it_is_complete(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-1");

	run(f, FRESH THEIRS ROW("old", "x", "1"));
	stored(f, driver_sqlserver.import_begin(f->drv, &how, &f->err));
	import_rows(f, 0, ROWS, "\"a\"");
	import_rows(f, ROWS - 100, 100, "\"a\"");		/* again, after an interruption */
	assert_answer(f, IDS, "old");
	stored(f, driver_sqlserver.import_end(f->drv, &f->err));
	assert_answer(f, "SELECT CONVERT(NVARCHAR(20), COUNT(*)) FROM [dbo].[part] AS p WHERE p.[note] = N'a'", "2500");
	assert_nothing_beside(f);
}

static void
an_import_that_is_given_up_leaves_nothing(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-2");

	run(f, FRESH THEIRS);
	stored(f, driver_sqlserver.import_begin(f->drv, &how, &f->err));
	import_rows(f, 0, 10, "null");
	driver_sqlserver.import_abort(f->drv);
	assert_answer(f, IDS, "");
	assert_nothing_beside(f);
}

static void
an_import_is_taken_up_where_it_was_committed(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-3");

	run(f, FRESH);
	stored(f, driver_sqlserver.import_begin(f->drv, &how, &f->err));
	import_rows(f, 0, 5, "null");
	driver_sqlserver.close(&f->drv);		/* the process died */
	f = fixture_ready(state);
	how.resumed = true;
	stored(f, driver_sqlserver.import_begin(f->drv, &how, &f->err));
	import_rows(f, 3, 5, "\"b\"");
	stored(f, driver_sqlserver.import_end(f->drv, &f->err));
	assert_answer(f, IDS, "0,1,2,3,4,5,6,7");
	driver_sqlserver.close(&f->drv);		/* it died again, before anybody knew that it had ended */
	f = fixture_ready(state);
	how.ending = true;
	stored(f, driver_sqlserver.import_begin(f->drv, &how, &f->err));
	stored(f, driver_sqlserver.import_end(f->drv, &f->err));
	assert_answer(f, IDS, "0,1,2,3,4,5,6,7");
	assert_nothing_beside(f);
}

static void
an_import_that_keeps_puts_its_rows_on_top(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-4");

	run(f, FRESH THEIRS ROW("0", "old", "1") ROW("kept", "old", "2"));
	how.keep = true;
	stored(f, driver_sqlserver.import_begin(f->drv, &how, &f->err));
	import_rows(f, 0, 2, "\"new\"");
	stored(f, driver_sqlserver.import_end(f->drv, &f->err));
	assert_answer(f, "SELECT p.[id], p.[note], CONVERT(NVARCHAR(20), p.[theirs]) FROM [dbo].[part] AS p ORDER BY p.[id]",
	    "0 new 1,1 new ,kept old 2");
	assert_nothing_beside(f);
}

static void
with_keep_a_row_that_the_table_cannot_hold_is_refused_by_itself(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-5");
	struct drv_outcome	 out;

	run(f, FRESH THEIRS);
	how.keep = true;
	stored(f, driver_sqlserver.import_begin(f->drv, &how, &f->err));
	assert_int_equal(import_parts(f, 0, 5, "\"much too long\"", &out), DRV_REJECT);
	assert_int_equal(out.index, 0);
	assert_non_null(strstr(out.err.text, "table \"part\", key [\"0\"]"));
	assert_null(strstr(out.err.text, "much too long"));
	driver_sqlserver.import_abort(f->drv);
	assert_nothing_beside(f);
}

static void
an_import_without_rows_makes_the_table(void **state)
{
	struct fixture		*f = fixture_ready(state);
	struct drv_import	 how = import_of(&part, "job-6");

	run(f, FRESH);
	stored(f, driver_sqlserver.import_begin(f->drv, &how, &f->err));
	stored(f, driver_sqlserver.import_end(f->drv, &f->err));
	assert_answer(f, "SELECT CONVERT(NVARCHAR(20), COUNT(*)) FROM [dbo].[part] AS p", "0");
}

static void
a_test_leaves_nothing_behind(void **state)
{
	struct fixture	*f = fixture_ready(state);

	run(f, FRESH);
	stored(f, driver_sqlserver.test(&f->env, &f->err));
	assert_answer(f, "SELECT o.[name] FROM sys.objects AS o", "");
}

static void
a_test_names_what_is_wrong_without_the_password(void **state)
{
	struct fixture	*f = fixture_ready(state);
	struct drv_env	 env = f->env;
	char		 url[600];

	(void)snprintf(url, sizeof(url), "sqlserver://sa:wr0ng-one@%s", strrchr(f->server.url, '@') + 1);
	env.url = url;
	assert_int_equal(driver_sqlserver.test(&env, &f->err), DRV_CONFIG);
	assert_non_null(strstr(f->err.text, "Login failed for user 'sa' (error 18456); correct user and password"));
	assert_null(strstr(f->err.text, "wr0ng"));
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
		cmocka_unit_test(a_test_leaves_nothing_behind),
		cmocka_unit_test(a_test_names_what_is_wrong_without_the_password),
	};

	return cmocka_run_group_tests(tests, set_up, fixture_close);
}
