/* The PostgreSQL driver without a server: URLs, values, statements. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <endian.h>
#include <stdlib.h>

#include "drivers/postgres/postgres_private.h"
#include "ipc/base/json_scan.h"

/* --- URL --- */

static void
assert_param(const char *text, const char *name, const char *wanted)
{
	struct pg_url	 u;
	struct err	 err = { .code = ERR_NONE };

	if (pg_url_parse(&u, text, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	if (wanted == NULL)
		assert_null(pg_url_param(&u, name));
	else
		assert_string_equal(pg_url_param(&u, name), wanted);
	pg_url_free(&u);
}

static void
a_url_says_where_who_and_how(void **state)
{
	(void)state;
	assert_param("postgres://localhost", "host", "localhost");
	assert_param("postgres://localhost", "port", "5432");
	assert_param("postgres://localhost", "application_name", "eds");
	assert_param("postgres://localhost", "dbname", NULL);
	assert_param("postgresql://h:6432/my%20shop", "dbname", "my shop");
	assert_param("postgresql://h:6432/my%20shop", "port", "6432");
	assert_param("postgres://h/x?application_name=mine&b=2", "application_name", "mine");
	assert_param("postgres://us%40er:p@s%2Fs@h/x", "user", "us@er");
	assert_param("postgres://us%40er:p@s%2Fs@h/x", "password", "p@s/s");
	assert_param("postgres://u:a+b@h/x", "password", "a+b");
	assert_param("postgres://u:@h/x", "password", NULL);
	assert_param("postgres:///x?host=/run/postgresql", "host", "/run/postgresql");
	assert_param("postgres:///x", "host", "localhost");
}

static void
the_certificate_is_checked_unless_the_url_or_the_place_says_otherwise(void **state)
{
	static const char *const	here[] = { "localhost", "127.0.0.1", "127.8.8.8", "[::1]", "0.0.0.0", "db.localhost" };
	static const char *const	elsewhere[] = { "db.example.com", "localhost.example.com", "10.0.0.1", "[fe80::1]" };
	char				url[100];

	(void)state;
	for (size_t i = 0; i < NELEM(here); i++) {
		(void)snprintf(url, sizeof(url), "postgres://%s/x", here[i]);
		assert_param(url, "sslmode", "disable");
	}
	for (size_t i = 0; i < NELEM(elsewhere); i++) {
		(void)snprintf(url, sizeof(url), "postgres://%s/x", elsewhere[i]);
		assert_param(url, "sslmode", "verify-full");
	}
	assert_param("postgres://db.example.com/x?sslmode=require", "sslmode", "require");
	assert_param("postgres://127.0.0.1/x?sslmode=verify-full", "sslmode", "verify-full");
	assert_param("postgres://db.example.com/x?sslrootcert=/my/ca.pem", "sslrootcert", "/my/ca.pem");
}

static void
what_is_no_parameter_of_the_library_is_a_setting_of_the_session(void **state)
{
	struct pg_url	 u;
	struct err	 err;

	(void)state;
	assert_int_equal(pg_url_parse(&u, "postgres://h/x?search_path=a%2Cb&binary_parameters=yes&my.own=1", &err), 0);
	assert_int_equal(u.nsettings, 2);
	assert_string_equal(u.settings[0].name, "search_path");
	assert_string_equal(u.settings[0].value, "a,b");
	assert_string_equal(u.settings[1].name, "my.own");
	assert_string_equal(u.where, "h:5432/x");
	pg_url_free(&u);
}

static void
a_bad_url_is_refused_without_quoting_it(void **state)
{
	static const struct { const char *url, *why; } cases[] = {
		{ "mysql://h/s3cret", "scheme" }, { "postgres://h:0/x", "port" }, { "postgres://h:70000/x", "port" },
		{ "postgres://u:s3cret@h/x?passfile=/s3cret", "passfile" }, { "postgres://h/x?hostaddr=1.2.3.4", "hostaddr" },
		{ "postgres://h/x?a%20b=s3cret", "name" }, { "postgres://u:s3c ret@h", "password" },
	};
	struct pg_url	 u;

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct err err = { .code = ERR_NONE };

		assert_int_equal(pg_url_parse(&u, cases[i].url, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		if (strstr(err.text, cases[i].why) == NULL || strstr(err.text, "s3c") != NULL)
			fail_msg("%s: %s", cases[i].url, err.text);
	}
}

/* --- values --- */

static struct json_val
json(const char *text)
{
	struct json_val	 v;

	assert_int_equal(json_scan(slice_of(text), false, &v, NULL), 0);
	return v;
}

static enum pg_fit
native(uint32_t oid, const char *text, struct buf *b)
{
	struct buf	 scratch = { 0 };
	struct json_val	 v = json(text);
	const char	*why;
	enum pg_fit	 fit;

	buf_reset(b);
	fit = pg_value_native(b, oid, &v, &scratch, &why);
	buf_free(&scratch);
	return fit;
}

static int64_t
number_of(const struct buf *b)
{
	uint64_t	v;

	assert_int_equal(b->len, 12);
	memcpy(&v, b->data + 4, sizeof(v));
	return (int64_t)be64toh(v);
}

static void
times_become_microseconds_since_2000(void **state)
{
	static const struct { const char *text; int64_t us; enum pg_fit fit; } cases[] = {
		{ "\"2000-01-01T00:00:00Z\"", 0, PG_FITS },
		{ "\"1999-12-31T23:59:59.999999Z\"", -1, PG_FITS },
		{ "\"2000-01-01T02:00:00.5+02:00\"", 500000, PG_FITS },
		{ "\"2000-03-01 00:00:00z\"", 60LL * 86400000000, PG_FITS },
		{ "\"2024-07-11T21:16:51.70856Z\"", 774047811708560, PG_FITS },
		{ "\"0001-01-01T00:00:00Z\"", -63082281600000000, PG_FITS },
		{ "\"2000-01-01T00:00:00.000001000Z\"", 1, PG_FITS },
		{ "\"2000-01-01T00:00:00.0000019Z\"", 1, PG_FINER },
		{ "\"2000-01-01T00:00:00\\u005a\"", 0, PG_FITS },
	};
	struct buf	 b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		if (native(PG_TIMESTAMPTZ, cases[i].text, &b) != cases[i].fit || number_of(&b) != cases[i].us)
			fail_msg("%s", cases[i].text);
	}
	buf_free(&b);
}

static void
what_is_no_plain_time_is_left_to_the_server_or_refused(void **state)
{
	static const char *const	left[] = { "\"2024-02-30T00:00:00Z\"", "\"2024-07-11\"", "\"2024-07-11T24:00:00Z\"",
		"\"2024-07-11T21:16:51\"", "\"2024-07-11T21:16:51.Z\"", "\"2024-07-11T21:16:60Z\"", "\"20240711T211651Z\"" };
	static const char *const	refused[] = { "\"now\"", "\"infinity\"", "\"\"", "\"-infinity\"", "12", "true", "{}" };
	struct buf			b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(left); i++)
		assert_int_equal(native(PG_TIMESTAMPTZ, left[i], &b), PG_AS_TEXT);
	for (size_t i = 0; i < NELEM(refused); i++)
		assert_int_equal(native(PG_TIMESTAMPTZ, refused[i], &b), PG_UNFIT);
	buf_free(&b);
}

static void
numbers_go_in_their_own_form_only_when_it_has_their_value(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	assert_int_equal(native(PG_INT8, "9223372036854775807", &b), PG_FITS);
	assert_true(number_of(&b) == INT64_MAX);
	assert_int_equal(native(PG_INT8, "\"12\"", &b), PG_FITS);
	assert_true(number_of(&b) == 12);
	assert_int_equal(native(PG_INT8, "1e3", &b), PG_FITS);
	assert_true(number_of(&b) == 1000);
	assert_int_equal(native(PG_INT8, "true", &b), PG_FITS);
	assert_int_equal(native(PG_INT8, "9223372036854775808", &b), PG_UNFIT);
	assert_int_equal(native(PG_INT8, "0.5", &b), PG_UNFIT);
	assert_int_equal(native(PG_INT8, "\"x\"", &b), PG_AS_TEXT);
	assert_int_equal(native(PG_FLOAT8, "0.1", &b), PG_FITS);
	assert_int_equal(native(PG_FLOAT8, "9007199254740993", &b), PG_UNFIT);
	assert_int_equal(native(PG_FLOAT8, "1e400", &b), PG_UNFIT);
	assert_int_equal(native(PG_BOOL, "false", &b), PG_FITS);
	assert_int_equal(b.len, 5);
	assert_int_equal(native(PG_BOOL, "1", &b), PG_AS_TEXT);
	assert_int_equal(native(PG_BOOL, "null", &b), PG_FITS);
	assert_memory_equal(b.data, "\xff\xff\xff\xff", 4);
	buf_free(&b);
}

static void
assert_text(uint32_t oid, int32_t size, enum sql_kind kind, const char *value, enum pg_fit fit, const char *wanted)
{
	const struct sql_column	 c = { .name = SLICE("c"), .kind = kind };
	const struct sql_held	 held = { .exists = true, .type = oid, .size = size };
	struct json_val		 v = json(value);
	struct buf		 b = { 0 }, scratch = { 0 };
	const char		*why;

	assert_int_equal(pg_value_text(&b, &c, &held, &v, &scratch, &why), fit);
	if (wanted != NULL) {
		assert_int_equal(b.len, 4 + strlen(wanted));
		assert_string_equal(buf_cstr(&b) + 4, wanted);
	}
	buf_free(&b);
	buf_free(&scratch);
}

static void
texts_lose_their_nul_characters_and_nothing_else(void **state)
{
	(void)state;
	assert_text(PG_TEXT, -1, SQL_STRING, "\"a\\u0000b\\u0000\"", PG_FITS, "ab");
	assert_text(PG_TEXT, -1, SQL_STRING, "\"\"", PG_FITS, "");
	assert_text(PG_TEXT, -1, SQL_STRING, "12.50", PG_FITS, "12.50");
	assert_text(PG_TEXT, -1, SQL_STRING, "{ \"a\" : 1 }", PG_FITS, "{\"a\":1}");
	assert_text(PG_JSONB, -1, SQL_OBJECT, "\"te\\u0000xt\"", PG_FITS, "\"text\"");
	assert_text(PG_JSONB, -1, SQL_OBJECT, "{\"a\\u0000\":\"\\\\u0000\"}", PG_FITS, "{\"a\":\"\\\\u0000\"}");
	assert_text(PG_JSONB, -1, SQL_STRING, "\"s\"", PG_FITS, "\"s\"");
	assert_text(PG_INT4, -1, SQL_INTEGER, "1e3", PG_FITS, "1000");
}

static void
what_a_size_would_cut_or_round_does_not_fit(void **state)
{
	(void)state;
	assert_text(PG_VARCHAR, 4 + 3, SQL_STRING, "\"größe\"", PG_UNFIT, NULL);
	assert_text(PG_VARCHAR, 4 + 5, SQL_STRING, "\"größe\"", PG_FITS, "größe");
	assert_text(PG_VARCHAR, 4 + 3, SQL_STRING, "\"abc \"", PG_UNFIT, NULL);	/* the server would cut a blank */
	assert_text(PG_NUMERIC, 4 + (10 << 16 | 2), SQL_NUMBER, "12.50", PG_FITS, "12.50");
	assert_text(PG_NUMERIC, 4 + (10 << 16 | 2), SQL_NUMBER, "0.005", PG_UNFIT, NULL);
	assert_text(PG_NUMERIC, -1, SQL_NUMBER, "0.005", PG_FITS, "0.005");
}

/* --- statements --- */

static struct sql_table *
table_of(struct sql_tables *all)
{
	static const struct slice	 keys[] = { { "id", 2 } };
	static struct sql_column	 more[] = {
		{ .name = SLICE("id"), .kind = SQL_STRING, .is_key = true }, { .name = SLICE("Say \"x\""), .kind = SQL_STRING },
		{ .name = SLICE("n"), .kind = SQL_INTEGER }, { .name = SLICE("updatedDate"), .kind = SQL_DATETIME },
	};
	static struct sql_held		 held[] = {
		{ .exists = true, .type = PG_TEXT }, { .exists = true, .type = PG_JSONB },
		{ .exists = true, .type = PG_INT8, .demands = true }, { .exists = true, .type = PG_TIMESTAMPTZ },
	};
	struct sql_table		*t;

	assert_non_null(t = sql_tables_add(all, SLICE("or\"der"), keys, 1, NULL));
	free((void *)(uintptr_t)t->cols[0].name.p);
	free(t->cols);
	t->cols = more;
	t->held = held;
	t->ncols = t->nheld = NELEM(more);
	return t;
}

static void
assert_upsert(bool after, uint64_t present, uint64_t in_own_form, const char *wanted)
{
	struct pg_type		 types[] = { { PG_TEXT, strdup("text") }, { PG_JSONB, strdup("jsonb") },
		{ PG_INT8, strdup("bigint") } };
	struct drv		 d = { .after = after, .types = types, .ntypes = NELEM(types) };
	struct sql_tables	 all = { 0 };
	struct sql_table	*t = table_of(&all);
	uint64_t		 mask[] = { present, in_own_form };
	struct buf		 b = { 0 };

	assert_int_equal(pg_stmt_upsert(&d, &b, t, mask, NULL), 0);
	assert_string_equal(buf_cstr(&b), wanted);
	buf_free(&b);
	t->cols = NULL;		/* they are static */
	t->held = NULL;
	t->ncols = 0;
	sql_tables_free(&all);
	for (size_t i = 0; i < NELEM(types); i++)
		free(types[i].name);
}

static void
a_statement_quotes_names_and_has_no_values(void **state)
{
	(void)state;
	assert_upsert(false, 0x7, 0x4, "INSERT INTO \"or\"\"der\" (\"id\", \"Say \"\"x\"\"\", \"n\") SELECT u.c0, u.c1::jsonb, u.c2 "
	    "FROM (SELECT unnest($1::text[]) AS c0, unnest($2::text[]) AS c1, unnest($3::bigint[]) AS c2) AS u "
	    "ON CONFLICT (\"id\") DO UPDATE SET "
	    "\"Say \"\"x\"\"\" = excluded.\"Say \"\"x\"\"\", \"n\" = excluded.\"n\"");
}

static void
h69_a_column_that_must_not_be_null_gets_a_default_only_in_a_new_row(void **state)
{
	(void)state;
	assert_upsert(false, 0x1, 0, "INSERT INTO \"or\"\"der\" (\"id\", \"n\") SELECT u.c0, '0'::bigint FROM "
	    "(SELECT unnest($1::text[]) AS c0) AS u ON CONFLICT (\"id\") DO NOTHING");
}

static void
with_update_strategy_after_a_later_row_stays(void **state)
{
	(void)state;
	assert_upsert(true, 0xd, 0xc, "INSERT INTO \"or\"\"der\" (\"id\", \"n\", \"updatedDate\") SELECT u.c0, u.c1, u.c2 FROM "
	    "(SELECT unnest($1::text[]) AS c0, unnest($2::bigint[]) AS c1, unnest($3::timestamptz[]) AS c2) AS u "
	    "ON CONFLICT (\"id\") DO UPDATE SET \"n\" = excluded.\"n\", \"updatedDate\" = excluded.\"updatedDate\" WHERE \"or\"\"der\".\"updatedDate\" IS NULL OR "
	    "excluded.\"updatedDate\" IS NULL OR excluded.\"updatedDate\" >= \"or\"\"der\".\"updatedDate\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_says_where_who_and_how),
		cmocka_unit_test(the_certificate_is_checked_unless_the_url_or_the_place_says_otherwise),
		cmocka_unit_test(what_is_no_parameter_of_the_library_is_a_setting_of_the_session),
		cmocka_unit_test(a_bad_url_is_refused_without_quoting_it),
		cmocka_unit_test(times_become_microseconds_since_2000),
		cmocka_unit_test(what_is_no_plain_time_is_left_to_the_server_or_refused),
		cmocka_unit_test(numbers_go_in_their_own_form_only_when_it_has_their_value),
		cmocka_unit_test(texts_lose_their_nul_characters_and_nothing_else),
		cmocka_unit_test(what_a_size_would_cut_or_round_does_not_fit),
		cmocka_unit_test(a_statement_quotes_names_and_has_no_values),
		cmocka_unit_test(h69_a_column_that_must_not_be_null_gets_a_default_only_in_a_new_row),
		cmocka_unit_test(with_update_strategy_after_a_later_row_stays),
	};

	return cmocka_run_group_tests_name("postgres", tests, NULL, NULL);
}
