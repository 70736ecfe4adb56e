/* Rows on their way into Snowflake's tables: cells, documents, statements. */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/snowflake/cell.h"
#include "drivers/snowflake/merge.h"
#include "drivers/snowflake/snowflake_private.h"
#include "tests/support/vectors.h"

/* --- cells --- */

static const char *
cell(struct buf *b, enum sql_kind kind, enum snow_type type, int scale, const char *json)
{
	struct sql_column	 c = { .name = SLICE("col"), .kind = kind };
	struct sql_held		 h = { .exists = true, .type = type, .size = scale };
	struct json_val		 v;
	struct buf		 scratch = { 0 };
	struct err		 err = { .code = ERR_NONE };
	int			 rc;

	assert_int_equal(json_scan(slice_of(json), false, &v, &err), 0);
	buf_reset(b);
	rc = snow_cell_add(b, &c, &h, &v, &scratch, &err);
	buf_free(&scratch);
	if (rc == 0)
		return buf_cstr(b);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.text, "column \"col\""));
	return "refused";
}

static void
numbers_keep_every_digit(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "9007199254740993"), "\"9007199254740993\"");
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "-12345678901234567890123456789012345678"), "\"-12345678901234567890123456789012345678\"");
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "1E+3"), "\"1000\"");
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "12.00"), "\"12\"");
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "-0"), "\"0\"");
	assert_string_equal(cell(&b, SQL_NUMBER, SNOW_NUMBER, 2, "12.50"), "\"12.5\"");
	assert_string_equal(cell(&b, SQL_NUMBER, SNOW_NUMBER, 4, "25e-4"), "\"0.0025\"");
	assert_string_equal(cell(&b, SQL_NUMBER, SNOW_NUMBER, 4, "-0.0025"), "\"-0.0025\"");
	assert_string_equal(cell(&b, SQL_NUMBER, SNOW_FLOAT, 0, "1.10e1"), "\"1.10e1\"");
	assert_string_equal(cell(&b, SQL_STRING, SNOW_TEXT, 0, "12.50"), "\"12.50\"");
	assert_string_equal(cell(&b, SQL_BOOLEAN, SNOW_NUMBER, 0, "true"), "\"1\"");
	buf_free(&b);
}

static void
a_number_that_would_be_rounded_is_refused(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "12.5"), "refused");
	assert_string_equal(cell(&b, SQL_NUMBER, SNOW_NUMBER, 2, "0.125"), "refused");
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "1e38"), "refused");
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "1e999"), "refused");
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "1e99999999999999"), "refused");
	assert_string_equal(cell(&b, SQL_NUMBER, SNOW_FLOAT, 0, "0.12345678901234567890123"), "refused");
	assert_string_equal(cell(&b, SQL_NUMBER, SNOW_FLOAT, 0, "9007199254740993"), "refused");
	/* Text that is no number is for the server to refuse. */
	assert_string_equal(cell(&b, SQL_INTEGER, SNOW_NUMBER, 0, "\"blue\""), "\"blue\"");
	buf_free(&b);
}

static void
times_with_an_offset_become_utc(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	assert_string_equal(cell(&b, SQL_DATETIME, SNOW_TIMESTAMP_NTZ, 0, "\"2024-07-11T21:16:51.70856Z\""), "\"2024-07-11T21:16:51.70856Z\"");
	assert_string_equal(cell(&b, SQL_DATETIME, SNOW_TIMESTAMP_NTZ, 0, "\"2024-01-01T01:30:00.5+02:00\""), "\"2023-12-31T23:30:00.5Z\"");
	assert_string_equal(cell(&b, SQL_DATETIME, SNOW_TIMESTAMP_NTZ, 0, "\"2024-02-28T23:30:00-00:45\""), "\"2024-02-29T00:15:00Z\"");
	assert_string_equal(cell(&b, SQL_DATETIME, SNOW_TIMESTAMP_TZ, 0, "\"2024-01-01T01:30:00+02:00\""), "\"2024-01-01T01:30:00+02:00\"");
	assert_string_equal(cell(&b, SQL_DATETIME, SNOW_TIMESTAMP_NTZ, 0, "\"2024-07-11T21:16:51.1234567890Z\""), "\"2024-07-11T21:16:51.1234567890Z\"");
	assert_string_equal(cell(&b, SQL_DATETIME, SNOW_TIMESTAMP_NTZ, 0, "\"2024-07-11T21:16:51.1234567891Z\""), "refused");
	assert_string_equal(cell(&b, SQL_DATETIME, SNOW_TIMESTAMP_NTZ, 0, "\"yesterday\""), "\"yesterday\"");
	assert_string_equal(cell(&b, SQL_DATETIME, SNOW_TIMESTAMP_NTZ, 0, "\"2024-07-11\""), "\"2024-07-11\"");
	buf_free(&b);
}

/* Objects and arrays as JSON text, whatever the column; text `NULL` is text (hazard H28). */
static void
h28_values_land_as_what_they_are(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	assert_string_equal(cell(&b, SQL_STRING, SNOW_TEXT, 0, "\"NULL\""), "\"NULL\"");
	assert_string_equal(cell(&b, SQL_STRING, SNOW_TEXT, 0, "null"), "null");
	assert_string_equal(cell(&b, SQL_ARRAY, SNOW_VARIANT, 0, "[1, 2.50,\"a\"]"), "\"[1,2.50,\\\"a\\\"]\"");
	assert_string_equal(cell(&b, SQL_OBJECT, SNOW_TEXT, 0, "{\"b\" : 1, \"a\": null}"), "\"{\\\"b\\\":1,\\\"a\\\":null}\"");
	assert_string_equal(cell(&b, SQL_OBJECT, SNOW_TEXT, 0, "\"text\""), "\"\\\"text\\\"\"");
	assert_string_equal(cell(&b, SQL_STRING, SNOW_VARIANT, 0, "\"text\""), "\"\\\"text\\\"\"");
	assert_string_equal(cell(&b, SQL_ENUM_ARRAY, SNOW_TEXT, 0, "[\"A\"]"), "\"[\\\"A\\\"]\"");
	buf_free(&b);
}

static void
types_are_made_of_what_the_catalogue_has(void **state)
{
	static const struct {
		enum snow_type	 type;
		int		 scale;
		const char	*want;
	} cases[] = {
		{ SNOW_TEXT, 0, "x::VARCHAR" }, { SNOW_NUMBER, 0, "x::VARCHAR::NUMBER(38,0)" },
		{ SNOW_NUMBER, 2, "x::VARCHAR::NUMBER(38,2)" }, { SNOW_FLOAT, 0, "x::VARCHAR::FLOAT" },
		{ SNOW_BOOLEAN, 0, "x::VARCHAR::BOOLEAN" }, { SNOW_TIMESTAMP_NTZ, 0, "x::VARCHAR::TIMESTAMP_NTZ" },
		{ SNOW_VARIANT, 0, "PARSE_JSON(x::VARCHAR)" }, { SNOW_ARRAY, 0, "PARSE_JSON(x::VARCHAR)::ARRAY" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct sql_held	 h = { .type = cases[i].type, .size = cases[i].scale };
		struct buf	 b = { 0 };

		snow_cell_convert(&b, &h, "x");
		assert_string_equal(buf_cstr(&b), cases[i].want);
		buf_free(&b);
	}
	assert_int_equal(snow_type_of(SLICE("TIMESTAMP_LTZ")), SNOW_TIMESTAMP_TZ);
	assert_int_equal(snow_type_of(SLICE("GEOGRAPHY")), SNOW_OTHER);
}

/* --- DDL --- */

static struct sql_schema *
schema_of(const char *json)
{
	struct sql_schema	*s = NULL;
	struct err		 err = { .code = ERR_NONE };

	if (sql_schema_parse(&s, slice_of(json), &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static void
column_types_are_those_of_the_vectors(void **state)
{
	json_t	*v = vectors_load("tests/vectors/ddl.json"), *t;
	size_t	 i;

	(void)state;
	json_array_foreach(json_object_get(v, "types"), i, t) {
		char			*property = json_dumps(json_object_get(t, "property"), 0);
		struct buf		 b = { 0 };
		struct sql_schema	*s;

		buf_printf(&b, "{\"table\":\"t\",\"modelVersion\":\"v\",\"primaryKeys\":[\"id\"],\"properties\":{\"id\":{\"type\":\"string\"},"
		    "\"x\":%s}}", property);
		s = schema_of(buf_cstr(&b));
		assert_slice(slice_of(snow_type_new(&s->cols[1], false)), vectors_str(json_object_get(t, "snowflake"), "column"));
		sql_schema_free(&s);
		buf_free(&b);
		free(property);
	}
	assert_true(i > 15);
	json_decref(v);
}

/* Without DROP or REPLACE: what is there stays (hazard H19). */
static void
tables_are_made_as_in_the_vectors(void **state)
{
	const char	*names[] = { "order", "user_setting_two_primary_keys" };
	json_t		*v = vectors_load("tests/vectors/ddl.json");

	(void)state;
	for (size_t i = 0; i < NELEM(names); i++) {
		const char		*want = json_string_value(json_object_get(json_object_get(json_object_get(v, "create"), names[i]), "snowflake"));
		char			*text = json_dumps(json_object_get(json_object_get(v, "schemas"), names[i]), 0);
		struct sql_schema	*s = schema_of(text);
		struct buf		 b = { 0 };

		assert_int_equal(sql_ddl_create(&b, &snow_dialect, s, NULL), 0);
		buf_adds(&b, ";\n");
		assert_non_null(want = strstr(want, "TABLE "));
		assert_string_equal(strstr(buf_cstr(&b), "EXISTS") + 6, want + 5);
		assert_null(strstr(buf_cstr(&b), "REPLACE"));
		sql_schema_free(&s);
		buf_free(&b);
		free(text);
	}
	json_decref(v);
}

/* --- statements --- */

struct fixture {
	struct sql_tables	 tables;
	struct sql_table	*table;
	struct sql_version	*version;
	struct sql_fold		 fold;
	struct event		 events[64];
	char			*payloads[64];
	size_t			 n;
	struct buf		 text, scratch;
};

static int
set_up(void **state)
{
	struct fixture	*f = calloc(1, sizeof(*f));
	struct err	 err = { .code = ERR_NONE };
	static const enum snow_type types[] = { SNOW_TEXT, SNOW_FLOAT, SNOW_FLOAT, SNOW_VARIANT, SNOW_TIMESTAMP_NTZ };

	assert_non_null(f);
	f->version = sql_tables_take(&f->tables, schema_of("{\"table\":\"order\",\"modelVersion\":\"v\",\"primaryKeys\":[\"id\"],"
	    "\"properties\":{\"id\":{\"type\":\"string\"},\"a\":{\"type\":\"number\"},\"b\":{\"type\":\"number\"},"
	    "\"tags\":{\"type\":\"array\"},\"updatedDate\":{\"type\":\"string\",\"format\":\"date-time\"}}}"), &err);
	assert_non_null(f->version);
	f->table = sql_tables_find(&f->tables, SLICE("order"));
	f->table->held = calloc(f->table->ncols, sizeof(*f->table->held));
	f->table->nheld = f->table->ncols;
	f->table->exists = true;
	for (size_t i = 0; i < f->table->ncols; i++)
		f->table->held[i] = (struct sql_held){ .exists = true, .type = types[i], .demands = i == 3 };
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture	*f = *state;

	for (size_t i = 0; i < f->n; i++) {
		event_free(&f->events[i]);
		free(f->payloads[i]);
	}
	sql_fold_free(&f->fold);
	sql_tables_free(&f->tables);
	buf_free(&f->text);
	buf_free(&f->scratch);
	free(f);
	return 0;
}

static void
begin(struct fixture *f)
{
	struct err	 err;

	assert_int_equal(sql_fold_begin(&f->fold, 32, NULL, &err), 0);
}

static void
event(struct fixture *f, const char *op, const char *id, const char *mvcc, const char *after)
{
	struct buf	 b = { 0 };
	struct err	 err = { .code = ERR_NONE };
	bool		 gone = strcmp(op, "DELETE") == 0;

	buf_printf(&b, "{\"operation\":\"%s\",\"id\":\"e\",\"table\":\"order\",\"key\":[\"%s\"],\"modelVersion\":\"v\",\"timestamp\":1,"
	    "\"mvccTimestamp\":\"%s\"%s%s}", op, id, mvcc, gone ? "" : ",\"after\":", gone ? "" : after);
	assert_non_null(f->payloads[f->n] = buf_steal(&b));
	if (event_parse(&f->events[f->n], slice_of(f->payloads[f->n]), &err) != 0 ||
	    sql_fold_add(&f->fold, f->table, gone ? NULL : f->version, &f->events[f->n], f->n, &err) != 0)
		fail_msg("%s", err.text);
	f->n++;
}

static const char *
statement(struct fixture *f, bool guarded)
{
	struct snow_merge	 m;
	struct err		 err = { .code = ERR_NONE };

	buf_reset(&f->text);
	if (snow_merge_init(&m, &f->fold.groups[0], 0, guarded, &err) != 0 ||
	    snow_merge_sql(&f->text, &m, "f.value", "TABLE(FLATTEN(INPUT => PARSE_JSON(", SLICE("?"), "))) AS f", &err) != 0)
		fail_msg("%s", err.text);
	snow_merge_free(&m);
	return buf_cstr(&f->text);
}

static const char *
document(struct fixture *f, bool staged)
{
	struct snow_merge	 m;
	struct err		 err = { .code = ERR_NONE };

	buf_reset(&f->text);
	assert_int_equal(snow_merge_init(&m, &f->fold.groups[0], 7, false, &err), 0);
	for (const struct sql_row *r = f->fold.groups[0].first; r != NULL; r = r->next) {
		assert_int_equal(snow_merge_row(&f->text, &m, r, staged, &f->scratch, &err), 0);
		buf_addc(&f->text, '\n');
	}
	snow_merge_free(&m);
	return buf_cstr(&f->text);
}

static void
rows_of_a_table_are_one_statement(void **state)
{
	struct fixture	*f = *state;

	begin(f);
	event(f, "INSERT", "1", "1.0", "{\"id\":\"1\",\"a\":1.50,\"tags\":[ 1 ]}");
	event(f, "INSERT", "2", "1.0", "{\"id\":\"2\",\"a\":2,\"tags\":[]}");
	assert_string_equal(statement(f, false),
	    "MERGE INTO \"order\" AS t USING (SELECT f.value['o']::VARCHAR AS o, f.value['r']['id'] AS c0, f.value['r']['a'] AS c1, "
	    "f.value['r']['tags'] AS c2 FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?))) AS f) AS s ON t.\"id\" = s.c0::VARCHAR\n"
	    "WHEN MATCHED THEN UPDATE SET \"a\" = s.c1::VARCHAR::FLOAT, \"tags\" = PARSE_JSON(s.c2::VARCHAR)\n"
	    "WHEN NOT MATCHED THEN INSERT (\"id\", \"a\", \"tags\") VALUES (s.c0::VARCHAR, s.c1::VARCHAR::FLOAT, PARSE_JSON(s.c2::VARCHAR))");
	assert_string_equal(document(f, false),
	    "{\"o\":\"U\",\"r\":{\"id\":\"1\",\"a\":\"1.50\",\"tags\":\"[1]\"}}\n{\"o\":\"U\",\"r\":{\"id\":\"2\",\"a\":\"2\",\"tags\":\"[]\"}}\n");
	assert_memory_equal(document(f, true), "{\"t\":7,\"o\":\"U\"", 14);
}

static void
a_column_that_some_rows_lack_keeps_its_value_there(void **state)
{
	struct fixture	*f = *state;

	begin(f);
	event(f, "UPDATE", "1", "1.0", "{\"id\":\"1\",\"a\":1}");
	event(f, "UPDATE", "2", "1.0", "{\"id\":\"2\",\"b\":null}");
	assert_non_null(strstr(statement(f, false), "UPDATE SET \"a\" = IFF(s.c1 IS NULL, t.\"a\", s.c1::VARCHAR::FLOAT), "
	    "\"b\" = IFF(s.c2 IS NULL, t.\"b\", s.c2::VARCHAR::FLOAT)"));
	assert_non_null(strstr(document(f, false), "{\"id\":\"2\",\"b\":null}"));
}

static void
deletes_share_the_statement(void **state)
{
	struct fixture	*f = *state;

	begin(f);
	event(f, "DELETE", "1", "1.0", NULL);
	event(f, "UPDATE", "2", "1.0", "{\"id\":\"2\",\"a\":1}");
	assert_non_null(strstr(statement(f, false), "\nWHEN MATCHED AND s.o = 'D' THEN DELETE\nWHEN MATCHED THEN UPDATE"));
	assert_non_null(strstr(statement(f, false), "\nWHEN NOT MATCHED AND s.o <> 'D' THEN INSERT"));
	assert_non_null(strstr(document(f, false), "{\"o\":\"D\",\"r\":{\"id\":\"1\"}}"));
	begin(f);
	event(f, "DELETE", "1", "1.0", NULL);
	assert_null(strstr(statement(f, false), "INSERT"));
}

static void
a_row_deleted_and_made_again_is_whole(void **state)
{
	struct fixture	*f = *state;

	begin(f);
	event(f, "DELETE", "1", "1.0", NULL);
	event(f, "INSERT", "1", "2.0", "{\"id\":\"1\",\"a\":1}");
	event(f, "UPDATE", "2", "2.0", "{\"id\":\"2\",\"b\":1}");
	assert_non_null(strstr(statement(f, false), "\"a\" = IFF(s.c1 IS NULL AND s.o = 'U', t.\"a\", s.c1::VARCHAR::FLOAT)"));
	/* what the table demands is not left empty */
	assert_non_null(strstr(statement(f, false), "\"tags\" = IFF(s.c3 IS NULL, IFF(s.o = 'U', t.\"tags\", PARSE_JSON('[]')), PARSE_JSON(s.c3::VARCHAR))"));
	assert_non_null(strstr(document(f, false), "{\"o\":\"R\",\"r\":{\"id\":\"1\",\"a\":\"1\"}}"));
}

/* A missing NOT NULL column gets its empty value in a new row only; a timestamp has none (hazard H28). */
static void
h28_missing_columns_of_new_rows_are_filled(void **state)
{
	struct fixture	*f = *state;

	f->table->held[4].demands = true;
	begin(f);
	event(f, "UPDATE", "1", "1.0", "{\"id\":\"1\",\"a\":1}");
	assert_non_null(strstr(statement(f, false), "INSERT (\"id\", \"a\", \"tags\") VALUES (s.c0::VARCHAR, s.c1::VARCHAR::FLOAT, PARSE_JSON('[]'))"));
	assert_null(strstr(statement(f, false), "''"));
}

static void
after_never_overwrites_a_later_row(void **state)
{
	struct fixture	*f = *state;

	begin(f);
	event(f, "UPDATE", "1", "1.0", "{\"id\":\"1\",\"updatedDate\":\"2024-01-01T00:00:00Z\"}");
	assert_null(strstr(statement(f, false), ">="));
	assert_non_null(strstr(statement(f, true), "WHEN MATCHED AND (s.o <> 'U' OR s.c1 IS NULL OR t.\"updatedDate\" IS NULL OR "
	    "s.c1::VARCHAR::TIMESTAMP_NTZ >= t.\"updatedDate\") THEN UPDATE"));
	/* a table or event without that column is updated all the same (hazard H28) */
	begin(f);
	event(f, "UPDATE", "1", "1.0", "{\"id\":\"1\",\"a\":1}");
	assert_non_null(strstr(statement(f, true), "\nWHEN MATCHED THEN UPDATE"));
}

static void
h13_text_cannot_break_out(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	snow_literal(&b, SLICE("a'b\\'; DROP TABLE x; --"));
	assert_string_equal(buf_cstr(&b), "'a''b\\\\''; DROP TABLE x; --'");
	buf_reset(&b);
	snow_literal(&b, SLICE(""));
	assert_string_equal(buf_cstr(&b), "''");
	buf_reset(&b);
	snow_literal(&b, SLICE("\\"));
	assert_string_equal(buf_cstr(&b), "'\\\\'");
	buf_free(&b);
}

static void
h13_names_are_escaped(void **state)
{
	struct fixture		*f = *state;
	struct sql_tables	 tables = { 0 };
	struct err		 err = { .code = ERR_NONE };
	struct sql_version	*v = sql_tables_take(&tables, schema_of("{\"table\":\"t\\\"; DROP\",\"modelVersion\":\"v\",\"properties\":"
				    "{\"id\":{\"type\":\"string\"},\"x'] , \\\"\":{\"type\":\"string\"}}}"), &err);
	struct sql_table	*t = tables.v[0];

	assert_non_null(v);
	t->held = calloc(2, sizeof(*t->held));
	t->nheld = 2;
	t->held[0] = t->held[1] = (struct sql_held){ .exists = true };
	begin(f);
	event(f, "INSERT", "1", "1.0", "{\"id\":\"1\"}");
	f->events[0].table = t->name;
	begin(f);
	assert_int_equal(sql_fold_add(&f->fold, t, v, &f->events[0], 0, &err), 0);
	f->fold.groups[0].first->v[1] = (struct json_val){ JV_STRING, false, SLICE("\"q\"") };
	assert_non_null(strstr(statement(f, false), "MERGE INTO \"t\"\"; DROP\" AS t USING"));
	assert_non_null(strstr(statement(f, false), "f.value['r']['x''] , \"'] AS c1"));
	assert_non_null(strstr(statement(f, false), "\"x'] , \"\"\" = s.c1::VARCHAR"));
	sql_fold_free(&f->fold);
	sql_tables_free(&tables);
}

/* --- order --- */

/* What the vector's records, applied one after the other, leave of a row. */
struct outcome {
	enum sql_what	 what;
	double		 a, b;
	bool		 has_a, has_b;
};

static void
apply(struct outcome *o, bool first, const json_t *record)
{
	const json_t	*object = json_object_get(record, "object"), *a = json_object_get(object, "a"), *b = json_object_get(object, "b");
	bool		 gone = !first && o->what == SQL_DELETE;

	if (strcmp(json_string_value(json_object_get(record, "operation")), "DELETE") == 0) {
		*o = (struct outcome){ .what = SQL_DELETE };
		return;
	}
	if (first || gone)
		*o = (struct outcome){ .what = gone ? SQL_REPLACE : SQL_UPSERT };
	if (a != NULL) {
		o->has_a = true;
		o->a = json_number_value(a);
	}
	if (b != NULL) {
		o->has_b = true;
		o->b = json_number_value(b);
	}
}

static void
assert_number(const struct json_val *v, bool has, double want)
{
	assert_int_equal(v->type != JV_ABSENT, has);
	if (has)
		assert_true(strtod(v->raw.p, NULL) == want);
}

/* The reference's reduction and ours leave the same row (hazard H27: in exact order). */
static void
h27_a_batch_leaves_what_its_records_would(void **state)
{
	struct fixture	*f = *state;
	json_t		*v = vectors_load("tests/vectors/snowflake-combine.json"), *c, *r;
	size_t		 i, k;

	json_array_foreach(json_object_get(v, "cases"), i, c) {
		struct outcome		 want = { .what = SQL_UPSERT };
		const struct sql_row	*row;

		begin(f);
		json_array_foreach(json_object_get(c, "input"), k, r) {
			char	*object = json_dumps(json_object_get(r, "object"), 0);

			event(f, json_string_value(json_object_get(r, "operation")), "1",
			    json_string_value(json_object_get(r, "mvccTimestamp")), object);
			free(object);
		}
		json_array_foreach(json_object_get(c, "output"), k, r)
			apply(&want, k == 0, r);
		assert_int_equal(f->fold.nrows, 1);
		row = f->fold.groups[0].first;
		assert_int_equal(row->what, want.what);
		if (want.what != SQL_DELETE) {
			assert_number(&row->v[1], want.has_a, want.a);
			assert_number(&row->v[2], want.has_b, want.b);
		}
	}
	assert_int_equal(i, 7);
	json_decref(v);
}

/* Doubles cannot tell these apart; and a row `1x` of `order` is not row `x` of `order1`. */
static void
h27_neighbours_in_time_keep_their_order(void **state)
{
	struct fixture	*f = *state;

	begin(f);
	event(f, "UPDATE", "1", "1720732611708587506.0000000002", "{\"id\":\"1\",\"a\":2}");
	event(f, "UPDATE", "1", "1720732611708587506.0000000001", "{\"id\":\"1\",\"a\":1}");
	event(f, "UPDATE", "1", "1720732611708587505.0000000009", "{\"id\":\"1\",\"a\":0}");
	assert_int_equal(f->fold.nstale, 2);
	assert_number(&f->fold.groups[0].first->v[1], true, 2);
}

int
main(void)
{
#define WITH(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_keep_every_digit),
		cmocka_unit_test(a_number_that_would_be_rounded_is_refused),
		cmocka_unit_test(times_with_an_offset_become_utc),
		cmocka_unit_test(h28_values_land_as_what_they_are),
		cmocka_unit_test(types_are_made_of_what_the_catalogue_has),
		cmocka_unit_test(column_types_are_those_of_the_vectors),
		cmocka_unit_test(tables_are_made_as_in_the_vectors),
		WITH(rows_of_a_table_are_one_statement),
		WITH(a_column_that_some_rows_lack_keeps_its_value_there),
		WITH(deletes_share_the_statement),
		WITH(a_row_deleted_and_made_again_is_whole),
		WITH(h28_missing_columns_of_new_rows_are_filled),
		WITH(after_never_overwrites_a_later_row),
		cmocka_unit_test(h13_text_cannot_break_out),
		WITH(h13_names_are_escaped),
		WITH(h27_a_batch_leaves_what_its_records_would),
		WITH(h27_neighbours_in_time_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
