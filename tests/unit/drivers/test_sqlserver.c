/* What the SQL Server driver computes: URLs, statements (golden/sqlserver/), documents, verdicts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/sqlserver/sqlserver_error.h"
#include "drivers/sqlserver/sqlserver_json.h"
#include "drivers/sqlserver/sqlserver_private.h"
#include "tests/support/vectors.h"

#define GOLDEN	"tests/unit/drivers/golden/sqlserver/"
#define CI	"SQL_Latin1_General_CP1_CI_AS"

/* --- URLs --- */

static void
conf_of(const char *url, struct buf *b)
{
	struct ms_url	 u;
	struct err	 err = { .code = ERR_NONE };

	if (ms_url_parse(&u, url, &err) != 0)
		fail_msg("%s: %s", url, err.text);
	ms_url_conf(&u, b);
	ms_url_free(&u);
}

static void
assert_conf(const char *url, const char *encryption, const char *ca)
{
	struct buf	 got = { 0 }, want = { 0 };

	conf_of(url, &got);
	buf_printf(&want, "[global]\n\ttds version = 7.4\n\tclient charset = UTF-8\n\tencryption = %s\n", encryption);
	if (ca != NULL)
		buf_printf(&want, "\tca file = %s\n\tcheck certificate hostname = yes\n", ca);
	assert_string_equal(buf_cstr(&got), buf_cstr(&want));
	buf_free(&got);
	buf_free(&want);
}

static void
encryption_is_required_and_verified_off_loopback(void **state)
{
	(void)state;
	assert_conf("sqlserver://u:p@db.example.com/shop", "require", "system");
	assert_conf("mssql://u:p@db.example.com:14330/shop?encrypt=true", "require", "system");
	assert_conf("sqlserver://u:p@db.example.com/shop?certificate=/etc/ca.pem", "require", "/etc/ca.pem");
	assert_conf("sqlserver://u:p@127.1/shop", "require", "system");
	assert_conf("sqlserver://u:p@localhost.example.com/shop", "require", "system");
}

static void
the_url_turns_encryption_and_verification_off(void **state)
{
	(void)state;
	assert_conf("sqlserver://u:p@db.example.com/shop?TrustServerCertificate=true", "require", NULL);
	assert_conf("sqlserver://u:p@db.example.com/shop?encrypt=disable", "off", NULL);
	assert_conf("sqlserver://u:p@db.example.com/shop?encrypt=false&trustservercertificate=true", "request", NULL);
}

static void
loopback_needs_no_encryption(void **state)
{
	(void)state;
	assert_conf("sqlserver://u:p@localhost/shop", "off", NULL);
	assert_conf("sqlserver://u:p@127.0.0.1/shop", "off", NULL);
	assert_conf("sqlserver://u:p@[::1]/shop", "off", NULL);
	assert_conf("sqlserver://u:p@127.0.0.1/shop?encrypt=true", "require", NULL);
	assert_conf("sqlserver://u:p@127.0.0.1/shop?encrypt=true&certificate=/ca.pem", "require", "/ca.pem");
}

static void
a_url_is_taken_apart_with_its_escapes(void **state)
{
	struct ms_url	 u;
	struct err	 err;
	struct buf	 server = { 0 };

	(void)state;
	assert_int_equal(ms_url_parse(&u, "sqlserver://s%40a:p%2F%3F%23%2B+@db.example.com/sh%20op?app+name=x+y&schema=sales&"
	    "dial+timeout=3&connection%20timeout=7&packet+size=4096", &err), 0);
	assert_string_equal(u.user, "s@a");
	assert_string_equal(u.password, "p/?#++");
	assert_string_equal(u.database, "sh op");
	assert_string_equal(u.app, "x y");
	assert_string_equal(u.schema, "sales");
	assert_int_equal(u.login_s, 3);
	assert_int_equal(u.answer_s, 7);
	assert_int_equal(u.packet, 4096);
	ms_url_server(&u, &server);
	assert_string_equal(buf_cstr(&server), "db.example.com:1433");
	ms_url_free(&u);
	buf_reset(&server);
	assert_int_equal(ms_url_parse(&u, "mssql://sa:x@[::1]:14330?database=eds", &err), 0);
	assert_string_equal(u.database, "eds");
	ms_url_server(&u, &server);
	assert_string_equal(buf_cstr(&server), "[::1]:14330");
	ms_url_free(&u);
	buf_free(&server);
}

static void
h38_a_raw_at_sign_in_the_password_is_accepted(void **state)
{
	struct ms_url	 u;
	struct err	 err;

	(void)state;
	assert_int_equal(ms_url_parse(&u, "sqlserver://root:p@ss@word@db.example.com/eds", &err), 0);
	assert_string_equal(u.password, "p@ss@word");
	assert_string_equal(u.host, "db.example.com");
	ms_url_free(&u);
}

static void
urls_that_cannot_be_meant_are_refused_without_quoting_secrets(void **state)
{
	static const struct { const char *url, *says; } bad[] = {
		{ "sqlserver://u:geheim@/db", "host" },
		{ "sqlserver://db.example.com/db", "user" },
		{ "sqlserver://u:geheim@h/a/b", "name of the database" },
		{ "sqlserver://u:geheim@h/db?encrypt=strict", "TDS 8.0" },
		{ "sqlserver://u:geheim@h/db?encrypt=perhaps", "encrypt must be" },
		{ "sqlserver://u:geheim@h/db?encrpt=true", "\"encrpt\" is not supported" },
		{ "sqlserver://u:geheim@h/db?hostnameincertificate=x", "\"hostnameincertificate\" is not supported" },
		{ "sqlserver://u:geheim@h/db?certificate=ca.pem", "absolute path" },
		{ "sqlserver://u:geheim@h/db?certificate=/a%0Aencryption=off", "path of a file" },
		{ "sqlserver://u:geheim@h/db?dial+timeout=0", "1 to 3600" },
		{ "sqlserver://u:geheim@h/db?packet+size=100", "512 to 32767" },
		{ "sqlserver://u:geheim@h/db?trustservercertificate=2", "true or false" },
		{ "sqlserver://u:geheim@h/db?schema=", "name of a schema" },
		{ "mysql://u:geheim@h/db", "scheme" },
		{ "sqlserver://u:geheim@h:port/db", "" },
	};
	struct ms_url	 u;

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		struct err	 err = { .code = ERR_NONE };

		assert_int_equal(ms_url_parse(&u, bad[i].url, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		if (strstr(err.text, bad[i].says) == NULL || strstr(err.text, "geheim") != NULL)
			fail_msg("%s: %s", bad[i].url, err.text);
	}
}

/* --- statements --- */

struct shop {
	struct sql_tables	 tables;
	struct ms_types		 types;
	struct sql_version	*version;
	struct sql_table	*t;
	struct sql_held		 held[16];
	struct ms_target	 target;
};

static const char	order[] =
    "{\"table\":\"order\",\"modelVersion\":\"v1\",\"primaryKeys\":[\"id\"],\"properties\":{"
    "\"id\":{\"type\":\"string\"},\"note]\":{\"type\":\"string\",\"nullable\":true},"
    "\"total\":{\"type\":\"integer\",\"nullable\":true},\"percent\":{\"type\":\"number\",\"nullable\":true},"
    "\"paid\":{\"type\":\"boolean\",\"nullable\":true},\"labels\":{\"type\":\"object\",\"nullable\":true},"
    "\"status\":{\"type\":\"array\",\"nullable\":true,\"items\":{\"type\":\"string\",\"enum\":[\"A\"]}},"
    "\"updatedDate\":{\"type\":\"string\",\"format\":\"date-time\",\"nullable\":true}},\"required\":[\"id\"]}";

static const char	composite[] =
    "{\"table\":\"Key's [2]\",\"modelVersion\":\"v1\",\"primaryKeys\":[\"region\",\"number\"],\"properties\":{"
    "\"region\":{\"type\":\"string\"},\"number\":{\"type\":\"integer\"}},\"required\":[\"region\",\"number\"]}";

static void
hold(struct shop *s, const char *column, const char *type, int precision, int scale, int size, bool demands)
{
	struct err	 err;
	size_t		 at = sql_table_find(s->t, slice_of(column));
	bool		 text = strstr(type, "char") != NULL;

	assert_true(at != SQL_NO_COLUMN);
	s->held[at] = (struct sql_held){ .exists = true, .demands = demands, .size = size };
	assert_int_equal(ms_types_add(&s->types, slice_of(type), precision, scale, slice_of(text ? CI : NULL), &s->held[at].type,
	    &err), 0);
}

static void
shop_open(struct shop *s, const char *schema)
{
	struct sql_schema	*parsed;
	struct err		 err;

	*s = (struct shop){ .version = NULL };
	assert_int_equal(sql_schema_parse(&parsed, slice_of(schema), &err), 0);
	assert_non_null(s->version = sql_tables_take(&s->tables, parsed, &err));
	s->t = s->tables.v[0];
	s->t->exists = true;
	s->t->held = s->held;
	s->t->nheld = s->t->ncols;
	s->target = (struct ms_target){ .qualifier = "[dbo].", .table = s->t, .types = &s->types };
}

static void
shop_close(struct shop *s)
{
	s->t->held = NULL;
	sql_tables_free(&s->tables);
	ms_types_free(&s->types);
}

static void
open_order(struct shop *s)
{
	shop_open(s, order);
	hold(s, "id", "varchar", 0, 0, 64, true);
	hold(s, "note]", "nvarchar", 0, 0, MS_MAX, false);
	hold(s, "total", "bigint", 19, 0, 8, false);
	hold(s, "percent", "float", 53, 0, 8, false);
	hold(s, "paid", "bit", 1, 0, 1, false);
	hold(s, "labels", "nvarchar", 0, 0, MS_MAX, false);
	hold(s, "status", "varchar", 0, 0, 64, false);
	hold(s, "updatedDate", "nvarchar", 0, 0, MS_MAX, false);
}

static void
open_composite(struct shop *s)
{
	shop_open(s, composite);
	hold(s, "region", "nvarchar", 0, 0, 100, true);
	hold(s, "number", "bigint", 19, 0, 8, true);
}

/* EDS_GOLDEN=write makes the file anew. */
static void
assert_golden(const char *name, struct buf *got)
{
	char	 path[128], want[16384];
	FILE	*f;
	size_t	 n;

	assert_false(got->oom);
	(void)snprintf(path, sizeof(path), GOLDEN "%s.sql", name);
	if (getenv("EDS_GOLDEN") != NULL) {
		assert_non_null(f = fopen(path, "w"));
		(void)fwrite(got->data, 1, got->len, f);
		(void)fclose(f);
	}
	if ((f = fopen(path, "r")) == NULL)
		fail_msg("%s is missing", path);
	n = fread(want, 1, sizeof(want), f);
	(void)fclose(f);
	if (n != got->len || memcmp(want, got->data, n) != 0)
		fail_msg("%s differs:\n%s", path, buf_cstr(got));
	buf_free(got);
}

static void
statements_are_the_golden_ones(void **state)
{
	struct shop	 s;
	struct buf	 b = { 0 };

	(void)state;
	open_order(&s);
	assert_int_equal(ms_sql_write(&b, &s.target, MS_DELETES | MS_UPDATES | MS_INSERTS, NULL), 0);
	assert_golden("write", &b);
	s.target.by_date = true;
	assert_int_equal(ms_sql_write(&b, &s.target, MS_UPDATES, NULL), 0);
	assert_golden("update_after", &b);
	assert_int_equal(ms_sql_code_page(&b, &s.target, 0, NULL), 0);
	assert_golden("code_page", &b);
	shop_close(&s);
	open_composite(&s);
	assert_int_equal(ms_sql_write(&b, &s.target, MS_DELETES | MS_UPDATES | MS_INSERTS, NULL), 0);
	assert_golden("write_composite", &b);
	shop_close(&s);
	ms_sql_frame(&b, 2, true);
	assert_golden("frame_commit", &b);
	ms_sql_frame(&b, 1, false);
	assert_golden("frame_trial", &b);
}

static void
tables_are_the_golden_ones(void **state)
{
	static const struct sql_dialect	 dialect = { .open = '[', .close = ']', .qualifier = "[dbo].", .create = "CREATE TABLE",
		.create_end = "", .add = "ADD", .key_not_null = true, .type = ms_declared };
	struct shop	 s;
	struct buf	 b = { 0 };

	(void)state;
	open_order(&s);
	assert_int_equal(sql_ddl_create(&b, &dialect, s.version->schema, NULL), 0);
	assert_golden("create", &b);
	assert_int_equal(sql_ddl_add(&b, &dialect, s.version->schema, 2, NULL), 0);
	assert_golden("add", &b);
	shop_close(&s);
}

/* The declared type of every property in tests/vectors/ddl.json. */
static void
columns_have_the_types_of_the_contract(void **state)
{
	json_t	*root = vectors_load("tests/vectors/ddl.json"), *one;
	size_t	 i;

	(void)state;
	json_array_foreach(json_object_get(root, "types"), i, one) {
		json_t			*properties = json_pack("{s:O,s:{s:s}}", "p", json_object_get(one, "property"), "id", "type", "string");
		json_t			*whole = json_pack("{s:s,s:s,s:[s],s:o}", "table", "t", "modelVersion", "v", "primaryKeys", "id",
					    "properties", properties);
		char			*text = json_dumps(whole, 0);
		struct sql_schema	*s;
		struct err		 err;

		assert_int_equal(sql_schema_parse(&s, slice_of(text), &err), 0);
		assert_slice(slice_of(ms_declared(&s->cols[1], false)), vectors_str(json_object_get(one, "sqlserver"), "column"));
		if (s->cols[1].kind == SQL_STRING || s->cols[1].kind == SQL_DATETIME || s->cols[1].kind == SQL_INTEGER)
			assert_slice(slice_of(ms_declared(&s->cols[1], true)),
			    vectors_str(json_object_get(one, "sqlserver"), "primaryKey"));
		sql_schema_free(&s);
		free(text);
		json_decref(whole);
	}
	json_decref(root);
}

/* --- documents --- */

static void
set(struct shop *s, struct sql_row *r, const char *column, const char *json)
{
	struct err	 err;

	assert_int_equal(json_scan(slice_of(json), false, &r->v[sql_table_find(s->t, slice_of(column))], &err), 0);
}

static void
assert_document(struct shop *s, struct sql_row *r, size_t n, const char *want, unsigned parts)
{
	struct buf	 b = { 0 };
	struct err	 err = { .code = ERR_NONE };
	struct sql_row	*bad;
	unsigned	 got;
	bool		 foreign;

	if (ms_json_rows(&b, &s->target, r, n, &got, &foreign, &bad, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_cstr(&b), want);
	assert_int_equal(got, parts);
	buf_free(&b);
}

static void
absent_null_and_present_are_three_things(void **state)
{
	struct json_val	 v[3][16] = { { { .type = JV_ABSENT } } };
	struct shop	 s;
	struct sql_row	 r[3] = { { .next = &r[1], .v = v[0] }, { .next = &r[2], .v = v[1], .what = SQL_DELETE },
		{ .v = v[2], .what = SQL_REPLACE } };

	(void)state;
	open_order(&s);
	for (size_t i = 0; i < 3; i++) {
		r[i].table = s.t;
		set(&s, &r[i], "id", "\"k\"");
	}
	set(&s, &r[0], "note]", "null");
	set(&s, &r[0], "paid", "false");
	set(&s, &r[2], "total", "9007199254740993");
	/* id, labels, note], paid, percent, status, total, updatedDate */
	assert_document(&s, r, 3, "[[\"U\",\"10110000\",\"k\",null,null,false,null,null,null,null],[\"D\",\"\",\"k\"],"
	    "[\"R\",\"\",\"k\",null,null,null,null,null,9007199254740993,null]]", MS_DELETES | MS_UPDATES | MS_INSERTS);
	shop_close(&s);
}

static void
h69_a_new_row_has_what_its_table_demands(void **state)
{
	struct json_val	 v[16] = { { .type = JV_ABSENT } };
	struct shop	 s;
	struct sql_row	 r = { .v = v };

	(void)state;
	open_order(&s);
	for (size_t i = 1; i < s.t->ncols; i++)
		s.held[i].demands = true;
	r.table = s.t;
	set(&s, &r, "id", "\"k\"");
	assert_document(&s, &r, 1, "[[\"U\",\"10000000\",\"k\",\"{}\",\"\",false,0,\"[]\",0,\"\"]]", MS_UPDATES | MS_INSERTS);
	shop_close(&s);
}

static void
h17_texts_and_json_go_as_they_are(void **state)
{
	struct json_val	 v[16] = { { .type = JV_ABSENT } };
	struct shop	 s;
	struct sql_row	 r = { .v = v };

	(void)state;
	open_order(&s);
	r.table = s.t;
	set(&s, &r, "id", "7");
	set(&s, &r, "note]", "\"a\\\\b\\n\\u0000caf\303\251 \360\237\232\227\"");
	set(&s, &r, "labels", "{ \"a\" : \"b\\\\\", \"n\" : 1.50 }");
	set(&s, &r, "status", "\"scalar\"");
	set(&s, &r, "percent", "1E+3");
	assert_document(&s, &r, 1, "[[\"U\",\"11101100\",\"7\",\"{\\\"a\\\":\\\"b\\\\\\\\\\\",\\\"n\\\":1.50}\","
	    "\"a\\\\b\\n\\u0000caf\303\251 \360\237\232\227\",null,1E+3,\"scalar\",null,null]]", MS_UPDATES | MS_INSERTS);
	shop_close(&s);
}

static void
assert_value(const char *type, int precision, int scale, int size, const char *json, const char *want)
{
	struct json_val	 v[16] = { { .type = JV_ABSENT } };
	struct shop	 s;
	struct sql_row	 r = { .v = v }, *bad;
	struct buf	 b = { 0 };
	struct err	 err = { .code = ERR_NONE };
	unsigned	 parts;
	bool		 foreign;
	int		 rc;

	open_composite(&s);
	hold(&s, "number", type, precision, scale, size, true);
	r.table = s.t;
	set(&s, &r, "region", "\"r\"");
	set(&s, &r, "number", json);
	rc = ms_json_rows(&b, &s.target, &r, 1, &parts, &foreign, &bad, &err);
	if (want == NULL) {
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_ptr_equal(bad, &r);
		if (strstr(err.text, "column \"number\" of table \"Key's [2]\"") == NULL || strstr(err.text, json) != NULL)
			fail_msg("%s", err.text);
	} else {
		struct buf	 whole = { 0 };

		buf_printf(&whole, "[[\"U\",\"11\",\"r\",%s]]", want);
		assert_int_equal(rc, 0);
		assert_string_equal(buf_cstr(&b), buf_cstr(&whole));
		buf_free(&whole);
	}
	buf_free(&b);
	shop_close(&s);
}

static void
h30_numbers_that_a_column_would_change_are_refused(void **state)
{
	(void)state;
	assert_value("bigint", 19, 0, 8, "9223372036854775807", "9223372036854775807");
	assert_value("bigint", 19, 0, 8, "12.0", "12");
	assert_value("bigint", 19, 0, 8, "1e2", "100");
	assert_value("bigint", 19, 0, 8, "\"12\"", "12");
	assert_value("bigint", 19, 0, 8, "true", "1");
	assert_value("bigint", 19, 0, 8, "9223372036854775808", NULL);
	assert_value("bigint", 19, 0, 8, "12.5", NULL);
	assert_value("bigint", 19, 0, 8, "\"zw\303\266lf\"", NULL);
	assert_value("float", 53, 0, 8, "0.1", "0.1");
	assert_value("float", 53, 0, 8, "12345678901234567890.25", NULL);
	assert_value("float", 53, 0, 8, "9007199254740993", NULL);
	assert_value("real", 24, 0, 4, "0.5", "0.5");
	assert_value("real", 24, 0, 4, "1234567.891", NULL);
}

static void
a_decimal_column_takes_what_has_room_in_it(void **state)
{
	(void)state;
	assert_value("decimal", 6, 2, 5, "1234.56", "1234.56");
	assert_value("decimal", 6, 2, 5, "-1234.5600", "-1234.5600");
	assert_value("numeric", 6, 2, 5, "0.05", "0.05");
	assert_value("decimal", 6, 2, 5, "12345", NULL);
	assert_value("decimal", 6, 2, 5, "0.001", NULL);
	assert_value("decimal", 6, 2, 5, "1e3", NULL);
}

static void
other_types_are_refused_by_name(void **state)
{
	(void)state;
	assert_value("bit", 1, 0, 1, "true", "true");
	assert_value("bit", 1, 0, 1, "0", "false");
	assert_value("bit", 1, 0, 1, "5", NULL);
	assert_value("datetime", 23, 3, 8, "\"2026-01-02T03:04:05Z\"", NULL);
	assert_value("datetime", 23, 3, 8, "null", "null");
}

static void
texts_longer_than_their_column_are_refused(void **state)
{
	(void)state;
	assert_value("nvarchar", 0, 0, 4, "\"ab\360\237\232\227\"", "\"ab\360\237\232\227\"");
	assert_value("nvarchar", 0, 0, 4, "\"abc\360\237\232\227\"", NULL);
	assert_value("varchar", 0, 0, 3, "\"abcd\"", NULL);
	assert_value("nvarchar", 0, 0, 2, "\"\\u00e4\\u00f6\"", "\"\303\244\303\266\"");
}

/* --- errors --- */

static void
assert_words(const char *from, const char *want)
{
	char	 words[256];

	(void)snprintf(words, sizeof(words), "%s", from);
	ms_words_without_values(words);
	assert_string_equal(words, want);
}

static void
messages_lose_what_they_quote_of_a_row(void **state)
{
	(void)state;
	assert_words("Violation of PRIMARY KEY constraint 'PK'. Cannot insert duplicate key in object 'dbo.t'. The duplicate key "
	    "value is (secret).", "Violation of PRIMARY KEY constraint 'PK'. Cannot insert duplicate key in object 'dbo.t'");
	assert_words("String or binary data would be truncated in table 'd.dbo.t', column 'c'. Truncated value: 'secret'.",
	    "String or binary data would be truncated in table 'd.dbo.t', column 'c'");
	assert_words("Conversion failed when converting the nvarchar value 'it's secret' to data type int.",
	    "Conversion failed when converting the nvarchar value to data type int");
	assert_words("Login failed for user 'sa'.", "Login failed for user 'sa'");
}

static enum drv_result
verdict(int number, int severity, bool opening, struct err *err)
{
	struct ms_conn	 c = { .where = (char[]){ "host/db" }, .number = number, .severity = severity, .words = "It is so" };

	return ms_verdict(&c, opening, "writing", err);
}

static void
errors_are_retried_reported_or_blamed_on_the_row(void **state)
{
	static const struct { int number, severity; enum drv_result opening, running; } want[] = {
		{ 1205, 13, DRV_RETRY, DRV_RETRY }, { 1222, 16, DRV_RETRY, DRV_RETRY }, { 4060, 11, DRV_RETRY, DRV_RETRY },
		{ 40501, 20, DRV_RETRY, DRV_RETRY }, { 40613, 20, DRV_RETRY, DRV_RETRY }, { 49918, 16, DRV_RETRY, DRV_RETRY },
		{ 3906, 16, DRV_RETRY, DRV_RETRY }, { 9002, 17, DRV_RETRY, DRV_RETRY }, { 1105, 17, DRV_RETRY, DRV_RETRY },
		{ 18456, 14, DRV_CONFIG, DRV_CONFIG }, { 229, 14, DRV_CONFIG, DRV_CONFIG }, { 40615, 14, DRV_CONFIG, DRV_CONFIG },
		{ 2627, 14, DRV_CONFIG, DRV_REJECT }, { 547, 16, DRV_CONFIG, DRV_REJECT }, { 515, 16, DRV_CONFIG, DRV_REJECT },
		{ 8152, 16, DRV_CONFIG, DRV_REJECT }, { 50000, 16, DRV_CONFIG, DRV_REJECT }, { 77777, 19, DRV_RETRY, DRV_RETRY },
		{ 208, 16, DRV_RETRY, DRV_RETRY },
	};
	struct err	 err;

	(void)state;
	for (size_t i = 0; i < NELEM(want); i++) {
		assert_int_equal(verdict(want[i].number, want[i].severity, true, &err), want[i].opening);
		assert_int_equal(verdict(want[i].number, want[i].severity, false, &err), want[i].running);
		assert_true(strstr(err.text, "host/db: writing: It is so (error ") == err.text);
	}
}

static void
without_the_servers_words_the_line_is_at_fault(void **state)
{
	struct ms_conn	 c = { .where = (char[]){ "host/db" }, .library = SYBETIME, .words = "timed out" };
	struct err	 err;

	(void)state;
	assert_int_equal(ms_verdict(&c, false, "writing", &err), DRV_RETRY);
	assert_string_equal(err.text, "host/db: writing: the server did not answer in time");
	c = (struct ms_conn){ .where = c.where, .library = 20002, .words = "connection failed",
		.url = { .encrypt = MS_ENCRYPT_ALL, .verify = true } };
	assert_int_equal(ms_verdict(&c, true, "connecting", &err), DRV_RETRY);
	assert_non_null(strstr(err.text, "certificate"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encryption_is_required_and_verified_off_loopback),
		cmocka_unit_test(the_url_turns_encryption_and_verification_off),
		cmocka_unit_test(loopback_needs_no_encryption),
		cmocka_unit_test(a_url_is_taken_apart_with_its_escapes),
		cmocka_unit_test(h38_a_raw_at_sign_in_the_password_is_accepted),
		cmocka_unit_test(urls_that_cannot_be_meant_are_refused_without_quoting_secrets),
		cmocka_unit_test(statements_are_the_golden_ones),
		cmocka_unit_test(tables_are_the_golden_ones),
		cmocka_unit_test(columns_have_the_types_of_the_contract),
		cmocka_unit_test(absent_null_and_present_are_three_things),
		cmocka_unit_test(h69_a_new_row_has_what_its_table_demands),
		cmocka_unit_test(h17_texts_and_json_go_as_they_are),
		cmocka_unit_test(h30_numbers_that_a_column_would_change_are_refused),
		cmocka_unit_test(a_decimal_column_takes_what_has_room_in_it),
		cmocka_unit_test(other_types_are_refused_by_name),
		cmocka_unit_test(texts_longer_than_their_column_are_refused),
		cmocka_unit_test(messages_lose_what_they_quote_of_a_row),
		cmocka_unit_test(errors_are_retried_reported_or_blamed_on_the_row),
		cmocka_unit_test(without_the_servers_words_the_line_is_at_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
