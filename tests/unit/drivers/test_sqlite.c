/* The SQLite driver on real files: what lands is what left. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/host_stub.h"

#define MAX_EVENTS	1200

struct fixture {
	char			 dir[64];
	char			 path[128];
	char			 url[256];
	struct log		 log;
	struct drv_host		 host;
	struct drv_env		 env;
	struct drv		*drv;
	struct host_stub	 stub;
	struct event		 events[MAX_EVENTS];
	char			*payloads[MAX_EVENTS];
	struct drv_event	 v[MAX_EVENTS];
	size_t			 n;
	struct drv_outcome	 out;
	sqlite3			*look;		/* somebody else's connection */
};

/* --- fixture --- */

static void
publish(struct fixture *f, const char *table, const char *version, const char *keys, const char *properties, const char *required)
{
	struct buf	 b = { 0 }, key = { 0 };
	json_t		*schema;

	buf_printf(&b, "{\"table\":\"%s\",\"modelVersion\":\"%s\",\"primaryKeys\":[%s],\"properties\":{%s},\"required\":[%s]}",
	    table, version, keys, properties, required);
	assert_non_null(schema = json_loads(buf_cstr(&b), 0, NULL));
	buf_printf(&key, "%s/%s", json_string_value(json_object_get(schema, "table")), version);
	json_decref(schema);
	json_object_set_new(f->stub.schemas, buf_cstr(&key), json_string(buf_cstr(&b)));
	buf_free(&b);
	buf_free(&key);
}

#define ORDER_COLUMNS	"\"id\":{\"type\":\"string\"},\"note\":{\"type\":\"string\",\"nullable\":true}," \
	"\"totalCents\":{\"type\":\"integer\",\"nullable\":true},\"percent\":{\"type\":\"number\",\"nullable\":true}," \
	"\"paid\":{\"type\":\"boolean\",\"nullable\":true},\"labels\":{\"type\":\"object\",\"nullable\":true}," \
	"\"tags\":{\"type\":\"array\",\"nullable\":true}," \
	"\"status\":{\"type\":\"array\",\"nullable\":true,\"items\":{\"type\":\"enum\",\"enum\":[\"A\"]}}," \
	"\"createdDate\":{\"type\":\"string\",\"format\":\"date-time\",\"nullable\":true}," \
	"\"money\":{\"type\":\"money\"}"

static void
try_open(struct fixture *f, enum drv_result want)
{
	struct err	 err = { .code = ERR_NONE };
	enum drv_result	 r = driver_sqlite.open(&f->drv, &f->env, &err);

	if (r != want)
		fail_msg("open: %d %s", (int)r, err.text);
	f->out.err = err;
}

static void
look(struct fixture *f)
{
	assert_int_equal(sqlite3_open_v2(f->path, &f->look, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
}

static int
set_up_closed(void **state)
{
	struct fixture	*f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/eds-sqlite-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/made/here/shop.db", f->dir);
	(void)snprintf(f->url, sizeof(f->url), "sqlite://%s?busy_timeout=30", f->path);
	f->stub.schemas = json_object();
	f->stub.versions = json_object();
	f->host = host_stub(&f->stub);
	f->env = (struct drv_env){ .destination = "s", .url = f->url, .update_strategy = "standard", .session = "",
	    .data_dir = f->dir, .log = &f->log, .host = &f->host };
	publish(f, "order", "v1", "\"id\"", ORDER_COLUMNS, "\"id\"");
	log_level_set(LOG_ERROR);
	*state = f;
	return 0;
}

static int
set_up(void **state)
{
	struct fixture	*f;

	set_up_closed(state);
	f = *state;
	try_open(f, DRV_STORED);
	look(f);
	return 0;
}

static void
forget(struct fixture *f)
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
	static const char *const names[] = { "made/here/shop.db", "made/here/shop.db-wal", "made/here/shop.db-shm",
		"made/here/shop.db-journal", "made/here", "made" };
	struct fixture	*f = *state;
	char		 path[256];

	forget(f);
	driver_sqlite.close(&f->drv);
	assert_null(f->drv);
	(void)sqlite3_close(f->look);
	for (size_t i = 0; i < NELEM(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		(void)remove(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	json_decref(f->stub.schemas);
	json_decref(f->stub.versions);
	free(f);
	return 0;
}

/* `rest` are the members after table and modelVersion; every event is newer than the one before. */
static void
event_at(struct fixture *f, unsigned time, const char *op, const char *table, const char *version, const char *rest)
{
	struct buf	 b = { 0 };
	struct err	 err = { .code = ERR_NONE };
	size_t		 i = f->n++;

	assert_true(i < MAX_EVENTS);
	buf_printf(&b, "{\"operation\":\"%s\",\"id\":\"e%u\",\"table\":\"%s\",\"modelVersion\":\"%s\",\"timestamp\":1720732611708,"
	    "\"mvccTimestamp\":\"1720732611708587506.%010u\",%s}", op, time, table, version, time, rest);
	assert_non_null(f->payloads[i] = buf_steal(&b));
	if (event_parse(&f->events[i], slice_of(f->payloads[i]), &err) != 0)
		fail_msg("%s", err.text);
	f->v[i] = (struct drv_event){ .seq = i + 1, .ev = &f->events[i], .payload = slice_of(f->payloads[i]) };
}

static void
event(struct fixture *f, const char *op, const char *table, const char *version, const char *rest)
{
	event_at(f, (unsigned)f->n + 1, op, table, version, rest);
}

static enum drv_result
deliver_some(struct fixture *f, size_t from, size_t n)
{
	struct drv_batch	 b = { .v = f->v + from, .n = n };

	for (size_t i = 0; i < n; i++)
		b.bytes += f->v[from + i].payload.n;
	return driver_sqlite.deliver(f->drv, &b, &f->out);
}

static void
deliver_from(struct fixture *f, size_t from)
{
	if (deliver_some(f, from, f->n - from) != DRV_STORED)
		fail_msg("event %zu: %s", f->out.index, f->out.err.text);
}

static void
deliver(struct fixture *f)
{
	deliver_from(f, 0);
}

static void
append_value(struct buf *b, sqlite3_stmt *q, int i)
{
	switch (sqlite3_column_type(q, i)) {
	case SQLITE_NULL:
		buf_adds(b, "NULL");
		return;
	case SQLITE_INTEGER:
		buf_printf(b, "%lld", (long long)sqlite3_column_int64(q, i));
		return;
	case SQLITE_FLOAT:
		buf_printf(b, "r%.17g", sqlite3_column_double(q, i));
		return;
	case SQLITE_BLOB:
		buf_addc(b, 'x');
		break;
	default:
		break;
	}
	buf_addc(b, '\'');
	buf_add(b, sqlite3_column_blob(q, i), (size_t)sqlite3_column_bytes(q, i));
	buf_addc(b, '\'');
}

/* All rows as text: values by storage class (7, r7.5, 'text', x'blob', NULL), "|" between, ";" after a row. */
static void
query_is(struct fixture *f, const char *sql, const char *want, size_t want_n)
{
	sqlite3_stmt	*q;
	struct buf	 b = { 0 };

	if (sqlite3_prepare_v2(f->look, sql, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(f->look));
	while (sqlite3_step(q) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(q); i++) {
			buf_adds(&b, i == 0 ? "" : "|");
			append_value(&b, q, i);
		}
		buf_addc(&b, ';');
	}
	(void)sqlite3_finalize(q);
	if (!slice_eq(buf_slice(&b), (struct slice){ want, want_n }))
		fail_msg("%s\n got %s\nwant %s", sql, buf_cstr(&b), want);
	buf_free(&b);
}

static void
is(struct fixture *f, const char *sql, const char *want)
{
	query_is(f, sql, want, strlen(want));
}

static void
run(struct fixture *f, const char *sql)
{
	char	*why = NULL;

	if (sqlite3_exec(f->look, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

static void
recorded(struct fixture *f, const char *table, const char *version)
{
	assert_string_equal(json_string_value(json_object_get(f->stub.versions, table)), version);
}

/* --- rows --- */

static void
a_row_is_inserted_updated_and_deleted(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"o1\"],\"after\":{\"id\":\"o1\",\"note\":\"n\",\"totalCents\":46700,\"percent\":12.5,"
	    "\"paid\":true,\"labels\":{\"k\": \"v\"},\"tags\":[1, 2],\"status\":\"A\",\"createdDate\":\"2024-07-09T18:28:03.69708Z\","
	    "\"money\":\"5\"}");
	deliver(f);
	is(f, "SELECT * FROM \"order\"",
	    "'o1'|'2024-07-09T18:28:03.69708Z'|'{\"k\":\"v\"}'|'5'|'n'|1|r12.5|'A'|'[1,2]'|46700;");
	event(f, "UPDATE", "order", "v1", "\"key\":[\"o1\"],\"after\":{\"id\":\"o1\",\"note\":\"m\",\"paid\":false},"
	    "\"diff\":[\"note\",\"paid\",\"percent\"]");
	deliver_from(f, 1);
	is(f, "SELECT note, paid, percent, totalCents FROM \"order\"", "'m'|0|NULL|46700;");
	event(f, "DELETE", "order", "v1", "\"key\":[\"o1\"],\"before\":{\"id\":\"o1\"}");
	deliver_from(f, 2);
	is(f, "SELECT count(*) FROM \"order\"", "0;");
	assert_int_equal(f->stub.asked, 1);
	recorded(f, "order", "v1");
}

static void
the_columns_have_the_types_of_the_postgresql_destination(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"o1\"],\"after\":{\"id\":\"o1\"}");
	deliver(f);
	is(f, "SELECT name, type, \"notnull\", pk FROM pragma_table_info('order')",
	    "'id'|'TEXT'|1|1;'createdDate'|'TIMESTAMP WITH TIME ZONE'|0|0;'labels'|'JSONB'|0|0;'money'|'TEXT'|0|0;"
	    "'note'|'TEXT'|0|0;'paid'|'BOOLEAN'|0|0;'percent'|'DOUBLE PRECISION'|0|0;'status'|'VARCHAR(64)'|0|0;"
	    "'tags'|'JSONB'|0|0;'totalCents'|'BIGINT'|0|0;");
}

static void
strings_keep_every_character_and_never_become_numbers(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"007\",\"note\":\"caf\\u00e9 \xf0\x9f\x9a\x97 \\ud83d\\ude97\","
	    "\"status\":\"1e3\",\"money\":\"12.50\",\"createdDate\":\"2024\"}");
	event(f, "INSERT", "order", "v1", "\"key\":[\"2\"],\"after\":{\"id\":\"2\",\"note\":\"a\\u0000b\",\"money\":12.50,\"paid\":\"1\"}");
	event(f, "INSERT", "order", "v1", "\"key\":[\"3\"],\"after\":{\"id\":\"3\",\"note\":\"\",\"status\":null}");
	deliver(f);
	is(f, "SELECT id, note, status, money, createdDate FROM \"order\" WHERE id = '007'",
	    "'007'|'caf\xc3\xa9 \xf0\x9f\x9a\x97 \xf0\x9f\x9a\x97'|'1e3'|'12.50'|x'2024';");
	query_is(f, "SELECT note, money, paid FROM \"order\" WHERE id = '2'", "'a\0b'|'12.50'|x'1';", sizeof("'a\0b'|'12.50'|x'1';") - 1);
	is(f, "SELECT note, status, money FROM \"order\" WHERE id = '3'", "''|NULL|NULL;");
}

static void
no_text_in_a_date_column_becomes_a_number(void **state)
{
	static const char *const pieces[] = { "0", "7", "12", "+", "-", ".", "e", "E", " ", "\\t", "\\u000b", "\\u0000", "x", ":" };
	struct fixture	*f = *state;
	struct buf	 rest = { 0 };
	uint64_t	 seed = 7;

	for (int i = 0; i < 1000; i++) {
		buf_reset(&rest);
		buf_printf(&rest, "\"key\":[\"%d\"],\"after\":{\"id\":\"%d\",\"createdDate\":\"", i, i);
		for (int n = 0; n < 1 + i % 6; n++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			buf_adds(&rest, pieces[(seed >> 33) % NELEM(pieces)]);
		}
		buf_adds(&rest, "\",\"note\":\"\"}");
		event(f, "INSERT", "order", "v1", buf_cstr(&rest));
	}
	deliver(f);
	buf_free(&rest);
	is(f, "SELECT count(*) FROM \"order\" WHERE typeof(createdDate) IN ('text', 'blob')", "1000;");
	is(f, "SELECT min(typeof(createdDate)), max(typeof(createdDate)) FROM \"order\"", "'blob'|'text';");
}

static void
numbers_are_exact_or_kept_as_text(void **state)
{
	static const struct { const char *number, *integer, *real; } cases[] = {
		{ "9007199254740993", "9007199254740993", "x'9007199254740993'" },
		{ "12.50", "r12.5", "r12.5" },
		{ "1E+3", "1000", "r1000" },
		{ "-9223372036854775808", "-9223372036854775808", "x'-9223372036854775808'" },
		{ "9223372036854775808", "x'9223372036854775808'", "x'9223372036854775808'" },
		{ "0.1", "r0.10000000000000001", "r0.10000000000000001" },
		{ "3.14159265358979323846", "x'3.14159265358979323846'", "x'3.14159265358979323846'" },
		{ "1e400", "x'1e400'", "x'1e400'" },
		{ "\"17\"", "17", "r17" },
	};
	struct fixture	*f = *state;
	char		 rest[300], sql[100], want[200];

	for (size_t i = 0; i < NELEM(cases); i++) {
		(void)snprintf(rest, sizeof(rest), "\"key\":[\"%zu\"],\"after\":{\"id\":\"%zu\",\"totalCents\":%s,\"percent\":%s}", i, i,
		    cases[i].number, cases[i].number);
		event(f, "INSERT", "order", "v1", rest);
	}
	deliver(f);
	for (size_t i = 0; i < NELEM(cases); i++) {
		(void)snprintf(sql, sizeof(sql), "SELECT totalCents, percent FROM \"order\" WHERE id = '%zu'", i);
		(void)snprintf(want, sizeof(want), "%s|%s;", cases[i].integer, cases[i].real);
		is(f, sql, want);
	}
}

static void
nested_json_stays_as_it_came_but_for_white_space(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"labels\": { \"z\" : 1E+3, \"a\":12.50,\"z\":\"\\u0000<&> \\/\" },"
	    "\"tags\":[ ]}");
	event(f, "INSERT", "order", "v1", "\"key\":[\"2\"],\"after\":{\"id\":\"2\",\"labels\":\"text\",\"tags\":true}");
	event(f, "INSERT", "order", "v1", "\"key\":[\"3\"],\"after\":{\"id\":\"3\",\"labels\":5,\"tags\":12.50}");
	event(f, "INSERT", "order", "v1", "\"key\":[\"4\"],\"after\":{\"id\":\"4\",\"labels\":null}");
	deliver(f);
	is(f, "SELECT labels, tags FROM \"order\" ORDER BY id", "'{\"z\":1E+3,\"a\":12.50,\"z\":\"\\u0000<&> \\/\"}'|'[]';"
	    "'\"text\"'|'true';5|x'12.50';NULL|NULL;");
}

static void
composite_keys_identify_rows_as_a_whole(void **state)
{
	struct fixture	*f = *state;

	publish(f, "pair", "v1", "\"region\",\"id\"", "\"region\":{\"type\":\"string\"},\"id\":{\"type\":\"integer\"},\"a\":{\"type\":\"string\"}",
	    "");
	event(f, "INSERT", "pair", "v1", "\"key\":[\"eu\",\"1\"],\"after\":{\"region\":\"eu\",\"id\":1,\"a\":\"x\"}");
	event(f, "INSERT", "pair", "v1", "\"key\":[\"us\",\"1\"],\"after\":{\"region\":\"us\",\"id\":1,\"a\":\"y\"}");
	event(f, "UPDATE", "pair", "v1", "\"key\":[\"us\",\"1\"],\"after\":{\"region\":\"us\",\"id\":1,\"a\":\"z\"},\"diff\":[\"a\"]");
	deliver(f);
	is(f, "SELECT * FROM pair", "'eu'|1|'x';'us'|1|'z';");
	event(f, "DELETE", "pair", "v1", "\"key\":[\"eu\",\"1\"]");
	deliver_from(f, 3);
	is(f, "SELECT * FROM pair", "'us'|1|'z';");
}

static void
h14_a_delete_finds_its_row_behind_a_region(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"gcp-us-west1\",\"o1\"],\"after\":{\"id\":\"o1\"}");
	deliver(f);
	event(f, "DELETE", "order", "v1", "\"key\":[\"gcp-us-west1\",\"o1\"]");
	deliver_from(f, 1);
	is(f, "SELECT count(*) FROM \"order\"", "0;");
}

static void
h13_text_cannot_break_out(void **state)
{
	struct fixture	*f = *state;

	publish(f, "t\\\"; DROP TABLE x; --", "v1", "\"id\"", "\"id\":{\"type\":\"string\"},\"c\\\") VALUES (1); --\":{\"type\":\"string\"}", "");
	run(f, "CREATE TABLE x (id)");
	event(f, "INSERT", "order", "v1", "\"key\":[\"'\"],\"after\":{\"id\":\"'; DROP TABLE x; --\",\"note\":\"$_H_$'; DROP TABLE x; --\\\\\"}");
	event(f, "INSERT", "t\\\"; DROP TABLE x; --", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"c\\\") VALUES (1); --\":\"v\"}");
	deliver(f);
	is(f, "SELECT id, note FROM \"order\"", "''; DROP TABLE x; --'|'$_H_$'; DROP TABLE x; --\\';");
	is(f, "SELECT count(*) FROM x", "0;");
	is(f, "SELECT * FROM \"t\"\"; DROP TABLE x; --\"", "'1'|'v';");
}

static void
reserved_words_and_capitals_are_names_like_others(void **state)
{
	struct fixture	*f = *state;

	publish(f, "Select", "v1", "\"Primary\"", "\"Primary\":{\"type\":\"string\"},\"group\":{\"type\":\"string\"},\"x.y-z\":{\"type\":\"string\"}",
	    "");
	event(f, "INSERT", "Select", "v1", "\"key\":[\"1\"],\"after\":{\"Primary\":\"1\",\"group\":\"g\",\"x.y-z\":\"x\",\"primary\":\"no\"}");
	deliver(f);
	is(f, "SELECT * FROM \"Select\"", "'1'|'g'|'x';");
}

static void
three_hundred_columns_are_no_trouble(void **state)
{
	struct fixture	*f = *state;
	struct buf	 properties = { 0 }, row = { 0 };

	buf_adds(&properties, "\"id\":{\"type\":\"string\"}");
	buf_adds(&row, "\"key\":[\"1\"],\"after\":{\"id\":\"1\"");
	for (int i = 0; i < 300; i++) {
		buf_printf(&properties, ",\"c%03d\":{\"type\":\"integer\"}", i);
		buf_printf(&row, ",\"c%03d\":%d", i, i);
	}
	buf_addc(&row, '}');
	publish(f, "wide", "v1", "\"id\"", buf_cstr(&properties), "");
	event(f, "INSERT", "wide", "v1", buf_cstr(&row));
	event(f, "UPDATE", "wide", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"c150\":-1},\"diff\":[\"c150\",\"c299\"]");
	deliver(f);
	is(f, "SELECT c000, c149, c150, c298, c299 FROM wide", "0|149|-1|298|NULL;");
	buf_free(&properties);
	buf_free(&row);
}

/* --- order and repetition --- */

static void
the_same_batch_again_leaves_the_same_rows(void **state)
{
	static const char	 all[] = "SELECT * FROM \"order\" ORDER BY id";
	static const char	 want[] = "'a'|NULL|NULL|NULL|'2'|NULL|NULL|NULL|NULL|NULL;'b'|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|7;";
	struct fixture		*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"a\"],\"after\":{\"id\":\"a\",\"note\":\"1\"}");
	event(f, "INSERT", "order", "v1", "\"key\":[\"b\"],\"after\":{\"id\":\"b\",\"note\":\"1\"}");
	event(f, "UPDATE", "order", "v1", "\"key\":[\"a\"],\"after\":{\"id\":\"a\",\"note\":\"2\"},\"diff\":[\"note\"]");
	event(f, "DELETE", "order", "v1", "\"key\":[\"b\"]");
	event(f, "INSERT", "order", "v1", "\"key\":[\"b\"],\"after\":{\"id\":\"b\",\"totalCents\":7}");
	event(f, "INSERT", "order", "v1", "\"key\":[\"c\"],\"after\":{\"id\":\"c\"}");
	event(f, "DELETE", "order", "v1", "\"key\":[\"c\"]");
	for (int again = 0; again < 3; again++) {
		deliver(f);
		is(f, all, want);
	}
	driver_sqlite.close(&f->drv);		/* a new process remembers nothing */
	try_open(f, DRV_STORED);
	deliver(f);
	is(f, all, want);
	for (size_t i = 0; i < f->n; i++)	/* one by one */
		assert_int_equal(deliver_some(f, i, 1), DRV_STORED);
	is(f, all, want);
}

static void
h65_a_redelivered_older_event_does_not_win(void **state)
{
	struct fixture	*f = *state;

	event(f, "UPDATE", "order", "v1", "\"key\":[\"a\"],\"after\":{\"id\":\"a\",\"note\":\"old\"},\"diff\":[\"note\"]");
	event(f, "UPDATE", "order", "v1", "\"key\":[\"a\"],\"after\":{\"id\":\"a\",\"note\":\"new\"},\"diff\":[\"note\"]");
	event(f, "DELETE", "order", "v1", "\"key\":[\"a\"]");
	assert_int_equal(deliver_some(f, 0, 1), DRV_STORED);
	assert_int_equal(deliver_some(f, 1, 1), DRV_STORED);
	assert_int_equal(deliver_some(f, 0, 1), DRV_STORED);
	is(f, "SELECT note FROM \"order\"", "'new';");
	assert_int_equal(deliver_some(f, 2, 1), DRV_STORED);
	assert_int_equal(deliver_some(f, 0, 2), DRV_STORED);
	is(f, "SELECT count(*) FROM \"order\"", "0;");
}

/* --- tables --- */

static void
tables_and_columns_appear_on_the_way(void **state)
{
	struct fixture	*f = *state;

	publish(f, "order", "v2", "\"id\"", "\"id\":{\"type\":\"string\"},\"note\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\"},"
	    ORDER_COLUMNS, "\"id\",\"age\"");
	publish(f, "customer", "v1", "\"id\"", "\"id\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"}", "\"id\"");
	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"note\":\"a\"}");
	event(f, "INSERT", "customer", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"name\":\"n\"}");
	event(f, "INSERT", "order", "v2", "\"key\":[\"2\"],\"after\":{\"id\":\"2\",\"note\":\"b\",\"age\":1}");
	event(f, "UPDATE", "order", "v1", "\"key\":[\"2\"],\"after\":{\"id\":\"2\",\"note\":\"c\"}");
	deliver(f);
	is(f, "SELECT id, note, age FROM \"order\"", "'1'|'a'|NULL;'2'|'c'|1;");
	is(f, "SELECT * FROM customer", "'1'|'n';");
	recorded(f, "order", "v2");
	recorded(f, "customer", "v1");
	assert_int_equal(f->stub.asked, 3);
}

static void
an_older_model_version_after_a_newer_takes_nothing_away(void **state)
{
	struct fixture	*f = *state;

	publish(f, "order", "v2", "\"id\"", ORDER_COLUMNS ",\"age\":{\"type\":\"integer\"}", "");
	event(f, "INSERT", "order", "v2", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"note\":\"a\",\"age\":30}");
	deliver(f);
	recorded(f, "order", "v2");
	event(f, "UPDATE", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"note\":\"b\",\"age\":99},\"diff\":[\"note\"]");
	deliver_from(f, 1);
	is(f, "SELECT note, age FROM \"order\"", "'b'|30;");
	recorded(f, "order", "v2");
}

static void
h19_an_existing_table_is_widened_and_keeps_its_rows(void **state)
{
	struct fixture	*f = *state;

	run(f, "CREATE TABLE \"order\" (id TEXT PRIMARY KEY, mine TEXT, note NUMERIC)");
	run(f, "INSERT INTO \"order\" VALUES ('1', 'kept', NULL)");
	event(f, "UPDATE", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"note\":\"007\",\"totalCents\":5}");
	deliver(f);
	is(f, "SELECT mine, note, totalCents FROM \"order\"", "'kept'|x'007'|5;");
}

static void
a_table_with_another_key_is_the_operators_business(void **state)
{
	struct fixture	*f = *state;

	run(f, "CREATE TABLE \"order\" (id TEXT, region TEXT, PRIMARY KEY (id, region))");
	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\"}");
	assert_int_equal(deliver_some(f, 0, 1), DRV_CONFIG);
	assert_non_null(strstr(f->out.err.text, "primary key"));
	run(f, "DROP TABLE \"order\"");
	deliver(f);
	is(f, "SELECT id FROM \"order\"", "'1';");
}

static void
changes_made_by_others_meanwhile_are_seen(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"note\":\"a\"}");
	deliver(f);
	run(f, "ALTER TABLE \"order\" DROP COLUMN note");
	event(f, "INSERT", "order", "v1", "\"key\":[\"2\"],\"after\":{\"id\":\"2\",\"note\":\"b\"}");
	deliver_from(f, 1);
	is(f, "SELECT id, note FROM \"order\"", "'1'|NULL;'2'|'b';");
	run(f, "DROP TABLE \"order\"");
	event(f, "INSERT", "order", "v1", "\"key\":[\"3\"],\"after\":{\"id\":\"3\",\"note\":\"c\"}");
	deliver_from(f, 2);
	is(f, "SELECT id, note FROM \"order\"", "'3'|'c';");
}

static void
deletes_need_no_schema(void **state)
{
	struct fixture	*f = *state;

	event(f, "DELETE", "nowhere", "v9", "\"key\":[\"1\"]");
	deliver(f);
	run(f, "CREATE TABLE nowhere (id TEXT PRIMARY KEY, a TEXT)");
	run(f, "INSERT INTO nowhere VALUES ('1', 'x'), ('2', 'y')");
	deliver(f);
	is(f, "SELECT * FROM nowhere", "'2'|'y';");
	assert_int_equal(f->stub.asked, 0);
}

static void
an_unknown_version_rejects_its_event_only(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\"}");
	event(f, "INSERT", "order", "v7", "\"key\":[\"2\"],\"after\":{\"id\":\"2\"}");
	assert_int_equal(deliver_some(f, 0, 2), DRV_REJECT);
	assert_int_equal(f->out.index, 1);
	assert_non_null(strstr(f->out.err.text, "\"order\" version \"v7\""));
	f->stub.schema_result = DRV_RETRY;
	assert_int_equal(deliver_some(f, 0, 2), DRV_RETRY);
	f->stub.schema_result = DRV_STORED;
	assert_int_equal(deliver_some(f, 0, 1), DRV_STORED);
	is(f, "SELECT id FROM \"order\"", "'1';");
}

/* --- NOT NULL --- */

static void
publish_strict(struct fixture *f)
{
	publish(f, "strict", "v1", "\"id\"", "\"id\":{\"type\":\"string\"},\"s\":{\"type\":\"string\"},\"i\":{\"type\":\"integer\"},"
	    "\"l\":{\"type\":\"array\"},\"b\":{\"type\":\"boolean\"},\"o\":{\"type\":\"object\"},\"n\":{\"type\":\"string\",\"nullable\":true}",
	    "\"id\",\"s\",\"i\",\"l\",\"b\",\"o\",\"n\"");
}

static void
h69_partial_rows_update_what_is_there_and_new_ones_get_defaults(void **state)
{
	struct fixture	*f = *state;

	publish_strict(f);
	event(f, "INSERT", "strict", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"s\":\"x\",\"i\":5,\"l\":[1],\"b\":true,\"o\":{\"k\":1}}");
	event(f, "INSERT", "strict", "v1", "\"key\":[\"3\"],\"after\":{\"id\":\"3\",\"s\":\"x\",\"i\":5,\"l\":null,\"b\":true,\"o\":null}");
	deliver(f);
	event(f, "UPDATE", "strict", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\",\"n\":\"later\"},\"diff\":[\"n\",\"s\"]");
	event(f, "UPDATE", "strict", "v1", "\"key\":[\"2\"],\"after\":{\"id\":\"2\",\"s\":\"new\"},\"diff\":[\"s\"]");
	event(f, "DELETE", "strict", "v1", "\"key\":[\"3\"]");
	event(f, "INSERT", "strict", "v1", "\"key\":[\"3\"],\"after\":{\"id\":\"3\",\"i\":6}");
	event(f, "UPDATE", "strict", "v1", "\"key\":[\"4\"],\"after\":{\"id\":\"4\"}");
	deliver_from(f, 2);
	is(f, "SELECT id, s, i, l, b, o, n FROM strict ORDER BY id", "'1'|'x'|5|'[1]'|1|'{\"k\":1}'|'later';'2'|'new'|0|'[]'|0|'{}'|NULL;"
	    "'3'|''|6|'[]'|0|'{}'|NULL;'4'|''|0|'[]'|0|'{}'|NULL;");
}

static void
one_bad_row_rejects_just_that_event(void **state)
{
	struct fixture	*f = *state;
	char		 rest[200];

	publish_strict(f);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(rest, sizeof(rest), "\"key\":[\"%d\"],\"after\":{\"id\":\"%d\",\"s\":%s,\"i\":%d}", i / 2, i / 2,
		    i == 13 ? "null" : "\"x\"", i);
		event(f, i % 2 == 0 ? "INSERT" : "UPDATE", "strict", "v1", rest);
	}
	assert_int_equal(deliver_some(f, 0, 20), DRV_REJECT);
	assert_int_equal(f->out.index, 13);
	assert_non_null(strstr(f->out.err.text, "strict.s"));
	is(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'strict'", "0;");	/* nothing was kept */
	assert_int_equal(deliver_some(f, 0, 13), DRV_STORED);
	assert_int_equal(deliver_some(f, 14, 6), DRV_STORED);
	is(f, "SELECT count(*), min(s), sum(i) FROM strict", "10|'x'|99;");
	event(f, "UPDATE", "strict", "v1", "\"key\":[\"1\"],\"before\":{\"id\":\"1\"}");
	assert_int_equal(deliver_some(f, 20, 1), DRV_REJECT);
	assert_int_equal(f->out.index, 0);
}

/* --- trouble --- */

static void
a_locked_database_is_tried_again(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\"}");
	run(f, "BEGIN IMMEDIATE");
	assert_int_equal(deliver_some(f, 0, 1), DRV_RETRY);
	assert_non_null(strstr(f->out.err.text, "locked"));
	run(f, "ROLLBACK");
	deliver(f);
	is(f, "SELECT id FROM \"order\"", "'1';");
}

static void
readers_do_not_disturb_the_writer(void **state)
{
	struct fixture	*f = *state;

	is(f, "PRAGMA journal_mode", "'wal';");
	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\"}");
	event(f, "INSERT", "order", "v1", "\"key\":[\"2\"],\"after\":{\"id\":\"2\"}");
	assert_int_equal(deliver_some(f, 0, 1), DRV_STORED);
	run(f, "BEGIN");
	is(f, "SELECT id FROM \"order\"", "'1';");
	assert_int_equal(deliver_some(f, 1, 1), DRV_STORED);
	is(f, "SELECT id FROM \"order\"", "'1';");
	run(f, "COMMIT");
	is(f, "SELECT id FROM \"order\"", "'1';'2';");
}

static void
a_removed_file_is_not_written_to(void **state)
{
	struct fixture	*f = *state;

	event(f, "INSERT", "order", "v1", "\"key\":[\"1\"],\"after\":{\"id\":\"1\"}");
	deliver(f);
	assert_int_equal(remove(f->path), 0);
	assert_int_equal(deliver_some(f, 0, 1), DRV_BROKEN);
}

static void
what_is_no_database_is_said_to_be_none(void **state)
{
	struct fixture	*f = *state;
	FILE		*other;
	char		 dir[160];

	(void)snprintf(dir, sizeof(dir), "%s/made", f->dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	(void)snprintf(dir, sizeof(dir), "%s/made/here", f->dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_non_null(other = fopen(f->path, "w"));
	for (int i = 0; i < 1000; i++)
		assert_true(fputs("just some text\n", other) >= 0);
	assert_int_equal(fclose(other), 0);
	try_open(f, DRV_CONFIG);
	assert_null(f->drv);
	assert_non_null(strstr(f->out.err.text, "no SQLite database"));
}

static void
a_file_that_cannot_be_written_is_the_operators_business(void **state)
{
	struct fixture	*f = *state;
	uid_t		 me = geteuid();
	char		 dir[160];

	try_open(f, DRV_STORED);
	driver_sqlite.close(&f->drv);
	(void)snprintf(dir, sizeof(dir), "%s/made/here", f->dir);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(f->path, 0444), 0);
	assert_int_equal(chmod(dir, 0555), 0);
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);	/* nothing is forbidden to root */
	try_open(f, DRV_CONFIG);
	if (me == 0)
		assert_int_equal(seteuid(me), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_null(f->drv);
	assert_non_null(strstr(f->out.err.text, "let the worker write"));
}

static void
urls_are_checked_without_touching_anything(void **state)
{
	static const char *const good[] = { "sqlite:///a.db", "sqlite3:///a/b%20c.db", "sqlite://localhost/a.db",
		"SQLite:///a.db?journal=delete&busy_timeout=0", "sqlite:///a.db?journal=wal" };
	static const struct { const char *url, *why; } bad[] = {
		{ "sqlite://./a.db", "three slashes" }, { "sqlite:///", "absolute path" }, { "sqlite://", "absolute path" },
		{ "sqlite:///a/", "absolute path" }, { "file:///a", "scheme" }, { "sqlite:///a?journal=off", "journal" },
		{ "sqlite:///a?busy_timeout=x", "busy_timeout" }, { "sqlite:///a?busy_timeout=600001", "busy_timeout" },
		{ "sqlite:///a?jornal=wal", "unknown parameter" }, { "a.db", "scheme" },
	};
	struct err	 err;

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++)
		if (driver_sqlite.validate(good[i], &err) != 0)
			fail_msg("%s: %s", good[i], err.text);
	for (size_t i = 0; i < NELEM(bad); i++) {
		err = (struct err){ .code = ERR_NONE };
		assert_int_equal(driver_sqlite.validate(bad[i].url, &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].url, err.text);
	}
}

static void
more_sets_of_columns_than_statements_are_kept_still_work(void **state)
{
	struct fixture	*f = *state;
	struct buf	 properties = { 0 }, row = { 0 };

	buf_adds(&properties, "\"id\":{\"type\":\"string\"}");
	for (int i = 0; i < 10; i++)
		buf_printf(&properties, ",\"c%d\":{\"type\":\"integer\"}", i);
	publish(f, "sets", "v1", "\"id\"", buf_cstr(&properties), "");
	for (int i = 0; i < 1024; i++) {
		buf_reset(&row);
		buf_printf(&row, "\"key\":[\"%d\"],\"after\":{\"id\":\"%d\"", i, i);
		for (int c = 0; c < 10; c++)
			if (i >> c & 1)
				buf_printf(&row, ",\"c%d\":%d", c, 1 << c);
		buf_addc(&row, '}');
		event(f, "INSERT", "sets", "v1", buf_cstr(&row));
	}
	deliver(f);
	is(f, "SELECT count(*) FROM sets WHERE ifnull(c0,0)+ifnull(c1,0)+ifnull(c2,0)+ifnull(c3,0)+ifnull(c4,0)+ifnull(c5,0)+"
	    "ifnull(c6,0)+ifnull(c7,0)+ifnull(c8,0)+ifnull(c9,0) = CAST(id AS INTEGER)", "1024;");
	buf_free(&properties);
	buf_free(&row);
}

#define test(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define closed(name)	cmocka_unit_test_setup_teardown(name, set_up_closed, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_row_is_inserted_updated_and_deleted),
		test(the_columns_have_the_types_of_the_postgresql_destination),
		test(strings_keep_every_character_and_never_become_numbers),
		test(no_text_in_a_date_column_becomes_a_number),
		test(numbers_are_exact_or_kept_as_text),
		test(nested_json_stays_as_it_came_but_for_white_space),
		test(composite_keys_identify_rows_as_a_whole),
		test(h14_a_delete_finds_its_row_behind_a_region),
		test(h13_text_cannot_break_out),
		test(reserved_words_and_capitals_are_names_like_others),
		test(three_hundred_columns_are_no_trouble),
		test(the_same_batch_again_leaves_the_same_rows),
		test(h65_a_redelivered_older_event_does_not_win),
		test(tables_and_columns_appear_on_the_way),
		test(an_older_model_version_after_a_newer_takes_nothing_away),
		test(h19_an_existing_table_is_widened_and_keeps_its_rows),
		test(a_table_with_another_key_is_the_operators_business),
		test(changes_made_by_others_meanwhile_are_seen),
		test(deletes_need_no_schema),
		test(an_unknown_version_rejects_its_event_only),
		test(h69_partial_rows_update_what_is_there_and_new_ones_get_defaults),
		test(one_bad_row_rejects_just_that_event),
		test(a_locked_database_is_tried_again),
		test(readers_do_not_disturb_the_writer),
		test(a_removed_file_is_not_written_to),
		closed(what_is_no_database_is_said_to_be_none),
		closed(a_file_that_cannot_be_written_is_the_operators_business),
		closed(urls_are_checked_without_touching_anything),
		test(more_sets_of_columns_than_statements_are_kept_still_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
