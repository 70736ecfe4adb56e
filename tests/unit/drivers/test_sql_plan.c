/* What a table lacks, and the DDL that adds it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>

#include "drivers/sql/plan.h"
#include "drivers/sql/quote.h"

static struct sql_schema *
parse(const char *json)
{
	struct sql_schema	*s = NULL;
	struct err		 err = { .code = ERR_NONE };

	if (sql_schema_parse(&s, slice_of(json), &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static const char	two[] = "{\"table\":\"t\",\"modelVersion\":\"v\",\"primaryKeys\":[\"id\"],\"properties\":"
			    "{\"id\":{\"type\":\"string\"},\"b\":{\"type\":\"integer\"},\"a\":{\"type\":\"object\"}},\"required\":[\"id\",\"b\"]}";

static const char *
type_of(const struct sql_column *c, bool as_key)
{
	(void)as_key;
	return sql_kind_postgres(c->kind);
}

static const struct sql_dialect	postgres = {
	.open = '"', .close = '"', .create = "CREATE TABLE", .create_end = ";\n", .add = "ADD COLUMN", .type = type_of,
};

static void
a_missing_table_is_created(void **state)
{
	struct sql_schema	*s = parse(two);
	struct sql_plan		 p;

	(void)state;
	assert_int_equal(sql_plan_make(&p, s, NULL, 0, SQL_NAMES_EXACT, NULL), 0);
	assert_int_equal(p.what, SQL_PLAN_CREATE);
	assert_int_equal(p.n, 0);
	sql_plan_free(&p);
	sql_schema_free(&s);
}

static void
a_table_with_more_columns_than_needed_is_left_alone(void **state)
{
	static const struct slice	 have[] = { { "x", 1 }, { "b", 1 }, { "a", 1 }, { "id", 2 } };
	struct sql_schema		*s = parse(two);
	struct sql_plan			 p;

	(void)state;
	assert_int_equal(sql_plan_make(&p, s, have, 4, SQL_NAMES_EXACT, NULL), 0);
	assert_int_equal(p.what, SQL_PLAN_NOTHING);
	sql_plan_free(&p);
	sql_schema_free(&s);
}

static void
missing_columns_are_added_in_order_and_only_once(void **state)
{
	static const struct slice	 before[] = { { "id", 2 }, { "A", 1 } };
	static const struct slice	 after[] = { { "id", 2 }, { "A", 1 }, { "a", 1 }, { "b", 1 } };
	struct sql_schema		*s = parse(two);
	struct sql_plan			 p;

	(void)state;
	assert_int_equal(sql_plan_make(&p, s, before, 2, SQL_NAMES_EXACT, NULL), 0);
	assert_int_equal(p.what, SQL_PLAN_ADD);
	assert_int_equal(p.n, 2);
	assert_string_equal(s->cols[p.add[0]].name.p, "a");
	assert_string_equal(s->cols[p.add[1]].name.p, "b");
	sql_plan_free(&p);
	assert_int_equal(sql_plan_make(&p, s, after, 4, SQL_NAMES_EXACT, NULL), 0);
	assert_int_equal(p.what, SQL_PLAN_NOTHING);
	sql_plan_free(&p);
	assert_int_equal(sql_plan_make(&p, s, before, 2, SQL_NAMES_NOCASE, NULL), 0);
	assert_int_equal(p.n, 1);
	sql_plan_free(&p);
	sql_schema_free(&s);
}

static void
names_that_the_destination_cannot_tell_apart_are_refused(void **state)
{
	struct sql_schema	*s = parse("{\"table\":\"t\",\"modelVersion\":\"v\",\"primaryKeys\":[\"id\"],"
				    "\"properties\":{\"id\":{},\"Name\":{},\"name\":{}}}");
	struct sql_plan		 p;
	struct err		 err;

	(void)state;
	assert_int_equal(sql_plan_make(&p, s, NULL, 0, SQL_NAMES_NOCASE, &err), -1);
	assert_non_null(strstr(err.text, "\"Name\""));
	assert_int_equal(sql_plan_make(&p, s, NULL, 0, SQL_NAMES_EXACT, &err), 0);
	sql_plan_free(&p);
	sql_schema_free(&s);
}

static void
a_created_table_has_the_shape_of_the_contract(void **state)
{
	struct sql_schema	*s = parse(two);
	struct buf		 b = { 0 };

	(void)state;
	assert_int_equal(sql_ddl_create(&b, &postgres, s, NULL), 0);
	assert_string_equal(buf_cstr(&b), "CREATE TABLE \"t\" (\n\t\"id\" TEXT NOT NULL,\n\t\"a\" JSONB,\n"
	    "\t\"b\" BIGINT NOT NULL,\n\tPRIMARY KEY (\"id\")\n);\n");
	buf_reset(&b);
	assert_int_equal(sql_ddl_add(&b, &postgres, s, 2, NULL), 0);
	assert_string_equal(buf_cstr(&b), "ALTER TABLE \"t\" ADD COLUMN \"b\" BIGINT");
	buf_free(&b);
	sql_schema_free(&s);
}

/* The vectors quote only where they must; apart from quotes the text is the same. */
static void
without_quotes(struct buf *b, const char *text)
{
	buf_reset(b);
	for (; *text != '\0'; text++)
		if (*text != '"')
			buf_addc(b, *text);
}

static void
created_tables_are_those_of_the_vectors(void **state)
{
	static const char *const names[] = { "order", "user_setting_two_primary_keys" };
	json_t		*v = json_load_file("tests/vectors/ddl.json", 0, NULL);
	struct buf	 b = { 0 }, ours = { 0 }, theirs = { 0 };

	(void)state;
	assert_non_null(v);
	for (size_t i = 0; i < NELEM(names); i++) {
		const char		*want = json_string_value(json_object_get(json_object_get(json_object_get(v, "create"),
					    names[i]), "postgres"));
		char			*text = json_dumps(json_object_get(json_object_get(v, "schemas"), names[i]), 0);
		struct sql_schema	*s = parse(text);

		assert_non_null(want);
		buf_reset(&b);
		assert_int_equal(sql_ddl_create(&b, &postgres, s, NULL), 0);
		without_quotes(&ours, buf_cstr(&b));
		without_quotes(&theirs, strchr(want, '\n') + 1);	/* without DROP TABLE */
		assert_string_equal(buf_cstr(&ours), buf_cstr(&theirs));
		sql_schema_free(&s);
		free(text);
	}
	buf_free(&b);
	buf_free(&ours);
	buf_free(&theirs);
	json_decref(v);
}

static void
identifiers_are_always_quoted_and_never_cut(void **state)
{
	struct buf	 b = { 0 };
	struct err	 err;

	(void)state;
	assert_int_equal(sql_quote(&b, SLICE("a\"b; DROP"), NULL), 0);
	assert_string_equal(buf_cstr(&b), "\"a\"\"b; DROP\"");
	buf_reset(&b);
	assert_int_equal(sql_quote_with(&b, SLICE("x]y"), '[', ']', NULL), 0);
	assert_string_equal(buf_cstr(&b), "[x]]y]");
	buf_reset(&b);
	assert_int_equal(sql_quote(&b, SLICE("a\0b"), &err), -1);
	assert_int_equal(sql_quote(&b, SLICE(""), &err), -1);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_table_is_created),
		cmocka_unit_test(a_table_with_more_columns_than_needed_is_left_alone),
		cmocka_unit_test(missing_columns_are_added_in_order_and_only_once),
		cmocka_unit_test(names_that_the_destination_cannot_tell_apart_are_refused),
		cmocka_unit_test(a_created_table_has_the_shape_of_the_contract),
		cmocka_unit_test(created_tables_are_those_of_the_vectors),
		cmocka_unit_test(identifiers_are_always_quoted_and_never_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
