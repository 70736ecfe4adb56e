/* The MySQL driver without a server: URLs, types, values, statements, errors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "drivers/mysql/mysql_private.h"
#include "drivers/mysql/mysql_stmt.h"
#include "drivers/mysql/mysql_time.h"
#include "tests/support/vectors.h"

/* --- URL --- */

static void
a_url_says_where_who_and_how(void **state)
{
	struct my_url	 u;
	struct err	 err = { 0 };

	(void)state;
	assert_int_equal(my_url_parse(&u, "mysql://us%40er:p@s%2Fs@db.example.com:3307/my%20shop?readTimeout=1m30s&parseTime=true&"
	    "types=classic&json=text&bulk=off&foreign_key_checks=0&ssl-ca=/etc/ca.pem", &err), 0);
	assert_string_equal(u.user, "us@er");
	assert_string_equal(u.password, "p@s/s");
	assert_string_equal(u.host, "db.example.com");
	assert_string_equal(u.database, "my shop");
	assert_string_equal(u.ca, "/etc/ca.pem");
	assert_int_equal(u.port, 3307);
	assert_int_equal(u.read_s, 90);
	assert_true(u.classic && u.json_text && u.no_bulk && u.no_foreign_keys && !u.cleartext);
	my_url_free(&u);
}

static enum my_tls
tls_of(const char *url)
{
	struct my_url	 u;
	struct err	 err = { 0 };
	enum my_tls	 tls;

	assert_int_equal(my_url_parse(&u, url, &err), 0);
	tls = u.tls;
	my_url_free(&u);
	return tls;
}

static void
tls_is_verified_unless_the_url_or_the_place_says_otherwise(void **state)
{
	(void)state;
	assert_int_equal(tls_of("mysql://db.example.com/x"), MY_TLS_VERIFY);
	assert_int_equal(tls_of("mysql://10.0.0.1/x?tls=true"), MY_TLS_VERIFY);
	assert_int_equal(tls_of("mysql://db.example.com/x?tls=skip-verify"), MY_TLS_SKIP_VERIFY);
	assert_int_equal(tls_of("mysql://db.example.com/x?tls=preferred"), MY_TLS_PREFERRED);
	assert_int_equal(tls_of("mysql://db.example.com/x?tls=false"), MY_TLS_OFF);
	assert_int_equal(tls_of("mysql://localhost/x"), MY_TLS_OFF);
	assert_int_equal(tls_of("mysql://127.0.0.1/x?tls=true"), MY_TLS_VERIFY);
	assert_int_equal(tls_of("mysql://db.example.com/x?socket=/run/mysqld.sock"), MY_TLS_OFF);
}

static void
a_url_that_cannot_be_used_is_refused_without_its_password(void **state)
{
	static const struct { const char *url, *says; }	 cases[] = {
		{ "mysql:///x", "host" },
		{ "mysql://u:s3cr3t@h", "database" },
		{ "mysql://u:s3cr3t@h/", "database" },
		{ "mysql://u:s3cr3t@h:0/x", "port" },
		{ "mysql://u:s3cr3t@h:65536/x", "port" },
		{ "mysql://u:s3cr3t@h/x?tls=custom", "true false skip-verify preferred" },
		{ "mysql://u:s3cr3t@h/x?types=narrow", "wide classic" },
		{ "mysql://u:s3cr3t@h/x?nonsense=1", "unknown option \"nonsense\"" },
		{ "mysql://u:s3cr3t@h/x?timeout=2h", "up to 1h" },
		{ "mysql://u:s3cr3t@h/x?tls=false&allowCleartextPasswords=true", "add tls=true" },
		{ "postgres://u:s3cr3t@h/x", "scheme" },
		{ "nothing", "scheme" },
	};
	struct my_url	 u;

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(my_url_parse(&u, cases[i].url, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.text, cases[i].says));
		assert_null(strstr(err.text, "s3cr3t"));
	}
}

/* --- times --- */

static void
times_are_brought_to_utc_and_to_the_columns_digits(void **state)
{
	static const struct {
		const char		*from;
		unsigned		 digits;
		enum my_time_fit	 fit;
		const char		*to;
	} cases[] = {
		{ "2024-07-09T18:28:03Z", 6, MY_TIME_FITS, "2024-07-09T18:28:03" },
		{ "2024-07-09T18:28:03.697Z", 6, MY_TIME_FITS, "2024-07-09T18:28:03.697" },
		{ "2024-07-09T18:28:03.697Z", 0, MY_TIME_FINER, "2024-07-09 18:28:03" },
		{ "2024-07-09T18:28:03.000Z", 0, MY_TIME_FITS, "2024-07-09 18:28:03" },
		{ "2024-07-09T18:28:03.123456789Z", 6, MY_TIME_FINER, "2024-07-09 18:28:03.123456" },
		{ "2024-07-09T18:28:03+02:00", 6, MY_TIME_FITS, "2024-07-09 16:28:03" },
		{ "2024-01-01T00:30:00+01:00", 6, MY_TIME_FITS, "2023-12-31 23:30:00" },
		{ "2024-02-28T23:30:00-01:00", 6, MY_TIME_FITS, "2024-02-29 00:30:00" },
		{ "2023-02-28T23:30:00-01:00", 6, MY_TIME_FITS, "2023-03-01 00:30:00" },
		{ "2024-12-31T23:30:00.25-01:00", 6, MY_TIME_FITS, "2025-01-01 00:30:00.25" },
		{ "2024-07-09 18:28:03", 6, MY_TIME_FITS, "2024-07-09 18:28:03" },
		{ "2024-07-09", 6, MY_TIME_FITS, "2024-07-09 00:00:00" },
		{ "2024-13-45T00:00:00Z", 6, MY_TIME_NONE, NULL },
		{ "2023-02-29T00:00:00Z", 6, MY_TIME_NONE, NULL },
		{ "1900-02-29T00:00:00Z", 6, MY_TIME_NONE, NULL },
		{ "2024-07-09T24:00:00Z", 6, MY_TIME_NONE, NULL },
		{ "2024-07-09T18:28:03.Z", 6, MY_TIME_NONE, NULL },
		{ "2024-07-09T18:28:03Zjunk", 6, MY_TIME_NONE, NULL },
		{ "0001-01-01T00:00:00+01:00", 6, MY_TIME_NONE, NULL },
		{ "9999-12-31T23:59:59-01:00", 6, MY_TIME_NONE, NULL },
		{ "", 6, MY_TIME_NONE, NULL },
		{ "now", 6, MY_TIME_NONE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		char		 store[MY_TIME_MAX];
		struct slice	 text;

		assert_int_equal(my_time_convert(slice_of(cases[i].from), cases[i].digits, store, &text), cases[i].fit);
		if (cases[i].to != NULL && !slice_is(text, cases[i].to))
			fail_msg("%s became " SLICE_FMT, cases[i].from, SLICE_ARG(text));
	}
}

/* --- types and values --- */

static struct my_type
type(const char *text)
{
	return my_type_make(slice_of(text), SLICE("utf8mb4_bin"), SLICE(""), false);
}

static void
the_catalogues_words_for_a_type_are_understood(void **state)
{
	static const struct { const char *text; enum my_class class; unsigned digits; int32_t size; } cases[] = {
		{ "varchar(64)", MY_CHARS, 0, 64 }, { "text", MY_OCTETS, 0, 65535 }, { "longtext", MY_OCTETS, 0, INT32_MAX },
		{ "bigint(20)", MY_INT, 64, 0 }, { "bigint", MY_INT, 64, 0 }, { "tinyint(1)", MY_INT, 8, 0 },
		{ "decimal(10,2)", MY_DECIMAL, 2, 10 }, { "float", MY_FLOAT, 0, 0 }, { "double", MY_DOUBLE, 0, 0 },
		{ "datetime(6)", MY_TIME, 6, 0 }, { "timestamp", MY_TIME, 0, 0 }, { "json", MY_JSON, 0, 0 }, { "bit(1)", MY_BIT, 0, 1 },
		{ "enum('a','b')", MY_OTHER, 0, INT32_MAX }, { "geometry", MY_OTHER, 0, INT32_MAX }, { "", MY_OTHER, 0, INT32_MAX },
	};
	struct my_type	 t;

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		t = type(cases[i].text);
		assert_int_equal(t.class, cases[i].class);
		assert_int_equal(t.digits, cases[i].digits);
		assert_int_equal(t.size, cases[i].size);
		t = my_type_unpack(my_type_pack(t), t.size);
		assert_int_equal(t.class, cases[i].class);
		assert_int_equal(t.digits, cases[i].digits);
	}
	t = my_type_make(SLICE("int(10) unsigned"), SLICE(""), SLICE("on update current_timestamp()"), true);
	assert_int_equal(t.flags, MY_UNSIGNED | MY_ON_UPDATE | MY_NOT_NULL);
	assert_int_equal(my_type_make(SLICE("text"), SLICE("latin1_swedish_ci"), SLICE(""), false).size, INT32_MAX);
}

/* NULL: refused. */
static const struct value_case {
	const char	*type;
	enum sql_kind	 kind;
	const char	*json, *stored;
} values[] = {
	{ "varchar(3)", SQL_STRING, "\"abc\"", "abc" },
	{ "varchar(3)", SQL_STRING, "\"äöü\"", "äöü" },
	{ "varchar(3)", SQL_STRING, "\"abcd\"", NULL },
	{ "varchar(3)", SQL_STRING, "\"ab  \"", NULL },
	{ "tinytext", SQL_STRING, "\"\"", "" },
	{ "longtext", SQL_STRING, "\"a\\u00e9\\n\\ud83d\\ude97\"", "a\xc3\xa9\n\xf0\x9f\x9a\x97" },
	{ "longtext", SQL_STRING, "12.50", "12.50" },
	{ "longtext", SQL_STRING, "true", "true" },
	{ "longtext", SQL_OBJECT, "{ \"a\" : [1, 2.50] }", "{\"a\":[1,2.50]}" },
	{ "longtext", SQL_OBJECT, "\"text\"", "\"text\"" },
	{ "json", SQL_STRING, "\"text\"", "\"text\"" },
	{ "json", SQL_OBJECT, "true", "true" },
	{ "json", SQL_OBJECT, "[0.1,-9223372036854775808,18446744073709551615,1e3]",
	    "[0.1,-9223372036854775808,18446744073709551615,1e3]" },
	{ "json", SQL_OBJECT, "{\"3.14159265358979323846\":\"\\\"3.14159265358979323846\",\"b\":-0}",
	    "{\"3.14159265358979323846\":\"\\\"3.14159265358979323846\",\"b\":-0}" },
	{ "json", SQL_OBJECT, "{\"a\":[12345678901234567890.5]}", NULL },
	{ "json", SQL_ARRAY, "[1,28446744073709551615]", NULL },
	{ "json", SQL_NUMBER, "1e400", NULL },
	{ "varchar(64)", SQL_ENUM_ARRAY, "\"Estimate\"", "Estimate" },
	{ "varchar(64)", SQL_ENUM_ARRAY, "[\"A\", \"B\"]", "[\"A\",\"B\"]" },
	{ "tinyint(1)", SQL_BOOLEAN, "true", "1" },
	{ "tinyint(1)", SQL_BOOLEAN, "false", "0" },
	{ "tinyint(1)", SQL_BOOLEAN, "128", NULL },
	{ "tinyint(3) unsigned", SQL_INTEGER, "255", "255" },
	{ "tinyint(3) unsigned", SQL_INTEGER, "-1", NULL },
	{ "bigint(20)", SQL_INTEGER, "-9223372036854775808", "-9223372036854775808" },
	{ "bigint(20)", SQL_INTEGER, "9223372036854775808", NULL },
	{ "bigint(20) unsigned", SQL_INTEGER, "18446744073709551615", "-1" },
	{ "bigint(20)", SQL_INTEGER, "1E+3", "1000" },
	{ "bigint(20)", SQL_INTEGER, "1.0", "1" },
	{ "bigint(20)", SQL_INTEGER, "1.5", NULL },
	{ "bigint(20)", SQL_INTEGER, "\"12\"", "12" },
	{ "bigint(20)", SQL_INTEGER, "\"twelve\"", NULL },
	{ "double", SQL_NUMBER, "0.1", "0.1" },
	{ "double", SQL_NUMBER, "3.14159265358979323846", NULL },
	{ "double", SQL_NUMBER, "1e400", NULL },
	{ "float", SQL_NUMBER, "12.5", "12.5" },
	{ "float", SQL_NUMBER, "123456.5", NULL },
	{ "float", SQL_NUMBER, "1e39", NULL },
	{ "decimal(5,2)", SQL_NUMBER, "123.45", "123.45" },
	{ "decimal(5,2)", SQL_NUMBER, "123.456", NULL },
	{ "decimal(5,2)", SQL_NUMBER, "1234.5", NULL },
	{ "decimal(5,2)", SQL_NUMBER, "0.000", "0.000" },
	{ "datetime(6)", SQL_DATETIME, "\"2024-07-09T18:28:03+02:00\"", "2024-07-09 16:28:03" },
	{ "datetime(6)", SQL_DATETIME, "\"\"", NULL },
	{ "datetime(6)", SQL_DATETIME, "1720549683697", NULL },
	{ "varchar(64)", SQL_DATETIME, "\"2024-07-09T18:28:03Z\"", "2024-07-09T18:28:03Z" },
	{ "bit(1)", SQL_BOOLEAN, "true", "\1" },
	{ "bit(1)", SQL_BOOLEAN, "2", NULL },
};

static void
check_value(const struct value_case *c)
{
	struct my_making	 m = { .arena = { 0 } };
	struct sql_column	 column = { .name = SLICE("col"), .kind = c->kind };
	struct my_type		 t = type(c->type);
	struct json_val		 v;
	struct my_value		 out;
	struct err		 err = { 0 };
	char			 number[32];
	int			 rc;

	assert_int_equal(json_scan(slice_of(c->json), false, &v, &err), 0);
	rc = my_value_make(&m, &column, t, &v, &out, &err);
	if (t.class == MY_INT) {
		(void)snprintf(number, sizeof(number), "%lld", (long long)out.i);
		out.text = slice_of(number);
	}
	if (c->stored == NULL) {
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.text, "column \"col\""));
	} else if (rc != 0 || !slice_is(out.text, c->stored))
		fail_msg("%s in %s: %s " SLICE_FMT, c->json, c->type, err.text, SLICE_ARG(out.text));
	arena_free(&m.arena);
	buf_free(&m.scratch);
}

static void
a_column_gets_the_value_exactly_or_not_at_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(values); i++)
		check_value(&values[i]);
}

static void
null_is_for_columns_that_take_it(void **state)
{
	struct my_making	 m = { .arena = { 0 } };
	struct sql_column	 column = { .name = SLICE("col"), .kind = SQL_STRING };
	struct json_val		 v = { JV_NULL, false, SLICE("null") };
	struct my_value		 out;
	struct err		 err = { 0 };

	(void)state;
	assert_int_equal(my_value_make(&m, &column, type("text"), &v, &out, &err), 0);
	assert_true(out.null);
	assert_int_equal(my_value_make(&m, &column, my_type_make(SLICE("text"), SLICE(""), SLICE(""), true), &v, &out, &err), -1);
	assert_non_null(strstr(err.text, "NOT NULL"));
}

/* --- statements --- */

static struct sql_tables	 tables;

static struct sql_table *
table(void)
{
	static const char	 json[] = "{\"table\":\"or`der\",\"modelVersion\":\"v\",\"primaryKeys\":[\"id\",\"no\"],\"required\":[],"
		"\"properties\":{\"id\":{\"type\":\"string\"},\"no\":{\"type\":\"integer\"},\"a\":{\"type\":\"string\"},"
		"\"updatedDate\":{\"type\":\"string\",\"format\":\"date-time\"},\"z\":{\"type\":\"string\"}}}";
	struct sql_schema	*schema;
	struct sql_table	*t;
	struct err		 err = { 0 };

	assert_int_equal(sql_schema_parse(&schema, SLICE(json), &err), 0);
	assert_non_null(sql_tables_take(&tables, schema, &err));
	assert_non_null(t = sql_tables_find(&tables, SLICE("or`der")));
	assert_non_null(t->held = calloc(t->ncols, sizeof(*t->held)));
	t->nheld = t->ncols;
	t->exists = true;
	return t;
}

static void
check_text(const struct my_shape *s, const char *want)
{
	struct buf	 b = { 0 };
	struct err	 err = { 0 };

	assert_int_equal(my_stmt_text(&b, s, &err), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void
statements_name_what_they_set_and_bind_every_value(void **state)
{
	struct my_shape	 s = { .table = table(), .op = MY_UPSERT, .rows = 2 };

	(void)state;
	for (size_t i = 0; i < 4; i++)
		my_mask_set(&s.insert, i);
	my_mask_set(&s.update, 2);
	my_mask_set(&s.update, 3);
	check_text(&s, "INSERT INTO `or``der` (`id`, `no`, `a`, `updatedDate`) VALUES (?, ?, ?, ?), (?, ?, ?, ?) "
	    "ON DUPLICATE KEY UPDATE `a` = VALUES(`a`), `updatedDate` = VALUES(`updatedDate`)");
	s.rows = 1;
	my_mask_set(&s.guard, 2);
	check_text(&s, "INSERT INTO `or``der` (`id`, `no`, `a`, `updatedDate`) VALUES (?, ?, ?, ?) "
	    "ON DUPLICATE KEY UPDATE `a` = IF(?, VALUES(`a`), `a`), `updatedDate` = VALUES(`updatedDate`)");
	memset(&s.update, 0, sizeof(s.update));
	memset(&s.guard, 0, sizeof(s.guard));
	check_text(&s, "INSERT INTO `or``der` (`id`, `no`, `a`, `updatedDate`) VALUES (?, ?, ?, ?) "
	    "ON DUPLICATE KEY UPDATE `id` = `id`");
	s = (struct my_shape){ .table = s.table, .op = MY_DELETE, .rows = 2 };
	check_text(&s, "DELETE FROM `or``der` WHERE (`id` = ? AND `no` = ?) OR (`id` = ? AND `no` = ?)");
	sql_tables_free(&tables);
}

static void
the_date_that_the_others_are_compared_by_is_set_last(void **state)
{
	struct my_shape	 s = { .table = table(), .op = MY_UPSERT, .rows = 1, .after = true };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		my_mask_set(&s.insert, i);
	my_mask_set(&s.update, 3);
	my_mask_set(&s.update, 4);
	my_mask_set(&s.guard, 4);
#define NEWER "(`updatedDate` IS NULL OR VALUES(`updatedDate`) IS NULL OR VALUES(`updatedDate`) >= `updatedDate`)"
	check_text(&s, "INSERT INTO `or``der` (`id`, `no`, `a`, `updatedDate`, `z`) VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE "
	    "`z` = IF(? AND " NEWER ", VALUES(`z`), `z`), `updatedDate` = IF(" NEWER ", VALUES(`updatedDate`), `updatedDate`)");
	sql_tables_free(&tables);
}

static void
a_column_that_changes_by_itself_is_told_not_to(void **state)
{
	struct my_shape	 s = { .table = table(), .op = MY_UPSERT, .rows = 1 };

	(void)state;
	s.table->held[3] = (struct sql_held){ .exists = true, .type = my_type_pack((struct my_type){ MY_TIME, MY_ON_UPDATE, 0, 0 }) };
	for (size_t i = 0; i < 3; i++)
		my_mask_set(&s.insert, i);
	my_mask_set(&s.update, 2);
	check_text(&s, "INSERT INTO `or``der` (`id`, `no`, `a`) VALUES (?, ?, ?) "
	    "ON DUPLICATE KEY UPDATE `a` = VALUES(`a`), `updatedDate` = `updatedDate`");
	sql_tables_free(&tables);
}

/* --- errors --- */

static enum drv_result
result(bool proven, unsigned number, const char *sqlstate, const char *text, struct sql_blame *blame, struct err *err)
{
	struct drv	 d = { .proven = proven, .store = { .where = (char *)(uintptr_t)"h:1/db" } };

	return my_result(&d, (struct my_fault){ number, sqlstate, text }, "t", blame, err);
}

static void
errors_mean_what_time_or_the_operator_or_nobody_can_mend(void **state)
{
	static const struct { unsigned number; const char *state; enum drv_result opening, running; } cases[] = {
		{ 1213, "40001", DRV_RETRY, DRV_RETRY }, { 1205, "HY000", DRV_RETRY, DRV_RETRY },
		{ 1290, "HY000", DRV_RETRY, DRV_RETRY }, { 1836, "HY000", DRV_RETRY, DRV_RETRY },
		{ 1021, "HY000", DRV_RETRY, DRV_RETRY }, { 1114, "HY000", DRV_RETRY, DRV_RETRY },
		{ 2006, "HY000", DRV_RETRY, DRV_RETRY }, { 2013, "HY000", DRV_RETRY, DRV_RETRY },
		{ 2055, "HY000", DRV_RETRY, DRV_RETRY }, { 1040, "08004", DRV_RETRY, DRV_RETRY },
		{ 1045, "28000", DRV_CONFIG, DRV_RETRY }, { 1044, "42000", DRV_CONFIG, DRV_RETRY },
		{ 1142, "42000", DRV_CONFIG, DRV_RETRY }, { 1049, "42000", DRV_CONFIG, DRV_RETRY },
		{ 1406, "22001", DRV_REJECT, DRV_REJECT }, { 1048, "23000", DRV_REJECT, DRV_REJECT },
		{ 1364, "HY000", DRV_REJECT, DRV_REJECT }, { 4025, "23000", DRV_REJECT, DRV_REJECT },
		{ 1644, "45000", DRV_REJECT, DRV_REJECT }, { 9999, "HY000", DRV_RETRY, DRV_RETRY },
	};
	struct err	 err;

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		assert_int_equal(result(false, cases[i].number, cases[i].state, "why", NULL, &err), cases[i].opening);
		assert_int_equal(result(true, cases[i].number, cases[i].state, "why", NULL, &err), cases[i].running);
		assert_non_null(strstr(err.text, "h:1/db: t: why (error "));
	}
}

static void
a_table_that_is_gone_is_read_anew(void **state)
{
	struct sql_blame	 blame = { .stale = false };
	struct err		 err;

	(void)state;
	assert_int_equal(result(true, 1146, "42S02", "Table 'a.b' doesn't exist", &blame, &err), DRV_RETRY);
	assert_true(blame.stale);
}

static void
an_untrusted_certificate_is_the_operators_to_mend_a_broken_handshake_is_not(void **state)
{
	struct err	 err;

	(void)state;
	assert_int_equal(result(false, 2026, "HY000", "TLS/SSL error: certificate verify failed", NULL, &err), DRV_CONFIG);
	assert_non_null(strstr(err.text, "ssl-ca=FILE"));
	assert_int_equal(result(false, 2026, "HY000", "TLS/SSL error: Connection reset by peer", NULL, &err), DRV_RETRY);
}

static void
the_servers_words_lose_what_they_quote_of_a_row(void **state)
{
	static const struct { unsigned number; const char *text, *kept; } cases[] = {
		{ 1062, "Duplicate entry 'se'cret' for key 'PRIMARY'", "Duplicate entry '...'" },
		{ 1292, "Incorrect datetime value: 'secret' for column `d`.`t`.`c` at row 1",
		    "Incorrect datetime value: '...' for column `d`.`t`.`c` at row 1" },
		{ 1366, "Incorrect string value: '\\xF0' for column 'c' at row 1", "Incorrect string value: '...'" },
		{ 1406, "Data too long for column 'c' at row 1", "Data too long for column 'c' at row 1" },
		{ 1213, "Deadlock found", "Deadlock found" },
		{ 4321, "something 'secret", "something '...'" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf b = { 0 };

		my_redact(&b, (struct my_fault){ cases[i].number, "HY000", cases[i].text });
		assert_string_equal(buf_cstr(&b), cases[i].kept);
		buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_says_where_who_and_how),
		cmocka_unit_test(tls_is_verified_unless_the_url_or_the_place_says_otherwise),
		cmocka_unit_test(a_url_that_cannot_be_used_is_refused_without_its_password),
		cmocka_unit_test(times_are_brought_to_utc_and_to_the_columns_digits),
		cmocka_unit_test(the_catalogues_words_for_a_type_are_understood),
		cmocka_unit_test(a_column_gets_the_value_exactly_or_not_at_all),
		cmocka_unit_test(null_is_for_columns_that_take_it),
		cmocka_unit_test(statements_name_what_they_set_and_bind_every_value),
		cmocka_unit_test(the_date_that_the_others_are_compared_by_is_set_last),
		cmocka_unit_test(a_column_that_changes_by_itself_is_told_not_to),
		cmocka_unit_test(errors_mean_what_time_or_the_operator_or_nobody_can_mend),
		cmocka_unit_test(a_table_that_is_gone_is_read_anew),
		cmocka_unit_test(an_untrusted_certificate_is_the_operators_to_mend_a_broken_handshake_is_not),
		cmocka_unit_test(the_servers_words_lose_what_they_quote_of_a_row),
	};

	return cmocka_run_group_tests_name("mysql", tests, NULL, NULL);
}
