/* HQ's schemas become columns in the contract's order, with the contract's types. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>

#include "drivers/sql/number.h"
#include "drivers/sql/schema.h"

static struct sql_schema *
parse(const char *json)
{
	struct sql_schema	*s = NULL;
	struct err		 err = { .code = ERR_NONE };

	if (sql_schema_parse(&s, slice_of(json), &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static void
refused(const char *json, const char *because)
{
	struct sql_schema	*s = NULL;
	struct err		 err = { .code = ERR_NONE };

	assert_int_equal(sql_schema_parse(&s, slice_of(json), &err), -1);
	assert_null(s);
	assert_int_equal(err.code, ERR_INVALID);
	if (strstr(err.text, because) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, because);
}

static void
every_table_of_the_shop_parses(void **state)
{
	json_t		*all = json_load_file("tests/data/schema.json", 0, NULL), *one;
	const char	*name;
	size_t		 n = 0;

	(void)state;
	assert_non_null(all);
	json_object_foreach(all, name, one) {
		char			*text = json_dumps(one, 0);
		struct sql_schema	*s = parse(text);

		assert_true(slice_is(s->table, json_string_value(json_object_get(one, "table"))));
		assert_true(slice_is(s->version, json_string_value(json_object_get(one, "modelVersion"))));
		assert_int_equal(s->nkeys, 1);
		assert_int_equal(s->ncols, json_object_size(json_object_get(one, "properties")));
		for (size_t i = 0; i < s->ncols; i++) {
			assert_int_equal(sql_schema_find(s, s->cols[i].name), i);
			assert_int_equal(s->cols[i].is_key, i == 0);
			if (i > 1)
				assert_true(strcmp(s->cols[i - 1].name.p, s->cols[i].name.p) < 0);
		}
		sql_schema_free(&s);
		free(text);
		n++;
	}
	assert_int_equal(n, 58);
	json_decref(all);
}

static void
types_are_those_of_the_vectors(void **state)
{
	json_t	*v = json_load_file("tests/vectors/ddl.json", 0, NULL), *t;
	size_t	 i;

	(void)state;
	assert_non_null(v);
	json_array_foreach(json_object_get(v, "types"), i, t) {
		json_t			*whole = json_pack("{s:s, s:s, s:{s:O, s:{s:s}}, s:[s]}", "table", "t", "modelVersion", "v",
					    "properties", "c", json_object_get(t, "property"), "id", "type", "string",
					    "primaryKeys", "id");
		char			*text = json_dumps(whole, 0);
		struct sql_schema	*s = parse(text);
		const char		*want = json_string_value(json_object_get(json_object_get(t, "postgres"), "column"));

		assert_string_equal(sql_kind_postgres(s->cols[1].kind), want);
		sql_schema_free(&s);
		free(text);
		json_decref(whole);
	}
	assert_true(i > 10);
	json_decref(v);
}

static void
keys_come_first_in_the_schemas_order_and_the_rest_is_sorted_by_bytes(void **state)
{
	static const char *const want[] = { "z", "a", "B", "_", "b" };
	struct sql_schema	*s = parse("{\"table\":\"t\",\"modelVersion\":\"v\",\"primaryKeys\":[\"z\",\"a\"],"
				    "\"properties\":{\"b\":{},\"a\":{},\"B\":{},\"z\":{},\"_\":{}},\"required\":[\"b\",\"gone\"]}");

	(void)state;
	assert_int_equal(s->nkeys, 2);
	assert_int_equal(s->ncols, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(s->cols[i].name.p, want[i]);
	assert_true(s->cols[4].required);
	assert_false(s->cols[3].required);
	assert_int_equal(sql_schema_find(s, SLICE("c")), SQL_NO_COLUMN);
	sql_schema_free(&s);
}

static void
required_but_nullable_columns_may_be_null(void **state)
{
	struct sql_schema	*s = parse("{\"table\":\"t\",\"modelVersion\":\"v\",\"primaryKeys\":[\"id\"],"
				    "\"properties\":{\"id\":{\"type\":\"string\"},\"n\":{\"type\":\"string\",\"nullable\":true},"
				    "\"o\":{\"type\":\"string\",\"nullable\":null}},\"required\":[\"n\",\"o\"]}");

	(void)state;
	assert_false(sql_column_not_null(&s->cols[1]));
	assert_true(sql_column_not_null(&s->cols[2]));
	sql_schema_free(&s);
}

static void
without_primary_keys_id_is_the_key(void **state)
{
	struct sql_schema	*s = parse("{\"table\":\"t\",\"modelVersion\":\"v\",\"primaryKeys\":[],"
				    "\"properties\":{\"a\":{},\"id\":{\"type\":\"string\"}}}");

	(void)state;
	assert_int_equal(s->nkeys, 1);
	assert_string_equal(s->cols[0].name.p, "id");
	sql_schema_free(&s);
}

static void
garbage_is_refused_with_its_reason(void **state)
{
	(void)state;
	refused("", "not JSON");
	refused("{\"table\":", "not JSON");
	refused("[]", "object");
	refused("{}", "`table`");
	refused("{\"table\":7}", "`table`");
	refused("{\"table\":\"t\"}", "`properties`");
	refused("{\"table\":\"t\",\"properties\":[]}", "`properties`");
	refused("{\"table\":\"t\",\"properties\":{}}", "`primaryKeys`");
	refused("{\"table\":\"t\",\"properties\":{\"id\":7}}", "`id`");
	refused("{\"table\":\"t\",\"properties\":{\"id\":{\"type\":7}}}", "`type`");
	refused("{\"table\":\"t\",\"properties\":{\"id\":{\"nullable\":\"yes\"}}}", "`nullable`");
	refused("{\"table\":\"t\",\"properties\":{\"id\":{\"additionalProperties\":{}}}}", "`additionalProperties`");
	refused("{\"table\":\"t\",\"properties\":{\"id\":{\"type\":\"array\",\"items\":[]}}}", "`items`");
	refused("{\"table\":\"t\",\"properties\":{\"id\":{}},\"required\":{}}", "`required`");
	refused("{\"table\":\"t\",\"properties\":{\"id\":{}},\"required\":[1]}", "`required`");
	refused("{\"table\":\"t\",\"properties\":{\"id\":{}},\"primaryKeys\":[\"id\",\"id\"]}", "duplicates");
	refused("{\"table\":\"t\",\"properties\":{\"id\":{},\"a\\u0000b\":{}}}", "not JSON");
	refused("{\"table\":\"a\\u0000b\",\"properties\":{\"id\":{}}}", "not JSON");
}

static void
integers_of_64_bits_are_found_whatever_their_spelling(void **state)
{
	static const struct { const char *text; int64_t want; } good[] = {
		{ "0", 0 }, { "-0", 0 }, { "46700", 46700 }, { "1E+3", 1000 }, { "12.0", 12 }, { "1200e-2", 12 },
		{ "9007199254740993", 9007199254740993 }, { "9223372036854775807", INT64_MAX },
		{ "-9223372036854775808", INT64_MIN }, { "0.5e1", 5 },
	};
	static const char *const bad[] = { "12.5", "9223372036854775808", "-9223372036854775809", "1e19", "1e999999999999",
		"", "-", "01", "1.", ".5", "1e", "x", "1 ", "99999999999999999999" };
	int64_t	 v;

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++) {
		assert_true(sql_number_i64(slice_of(good[i].text), &v));
		assert_true(v == good[i].want);
	}
	for (size_t i = 0; i < NELEM(bad); i++)
		assert_false(sql_number_i64(slice_of(bad[i]), &v));
}

static void
a_double_is_taken_only_when_it_reads_back_as_the_same_number(void **state)
{
	static const struct { const char *text; double want; } good[] = {
		{ "12.50", 12.5 }, { "1E+3", 1000 }, { "0.1", 0.1 }, { "1e-7", 1e-7 }, { "1e21", 1e21 }, { "0.30000000000000004", 0.30000000000000004 },
		{ "9007199254740994", 9007199254740994.0 }, { "-1.5e300", -1.5e300 }, { "5e-324", 5e-324 },
	};
	static const char *const bad[] = { "9007199254740993", "0.10000000000000001", "1e400", "1e-400", "3.14159265358979323846",
		"123456789012345678901234567890123456789012345678901", "x", "" };
	double	 v;

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++) {
		assert_true(sql_number_double(slice_of(good[i].text), &v));
		assert_true(v == good[i].want);
	}
	for (size_t i = 0; i < NELEM(bad); i++)
		assert_false(sql_number_double(slice_of(bad[i]), &v));
}

/* Any short decimal is what strtod() makes of it, to the last bit. */
static void
short_decimals_are_rounded_as_the_library_does(void **state)
{
	uint64_t	 seed = 4711;
	char		 text[64];
	double		 v;

	(void)state;
	for (size_t i = 0; i < 200000; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		(void)snprintf(text, sizeof(text), "%s%llu.%05lluE%d", seed & 1 ? "-" : "",
		    (unsigned long long)((seed >> 20) % (i % 2 == 0 ? 1000u : 10000000000u)), (unsigned long long)((seed >> 8) % 100000u),
		    (int)(seed >> 40) % 30 - 15);
		assert_true(sql_number_double(slice_of(text), &v));
		assert_true(v == strtod(text, NULL));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_decimals_are_rounded_as_the_library_does),
		cmocka_unit_test(every_table_of_the_shop_parses),
		cmocka_unit_test(types_are_those_of_the_vectors),
		cmocka_unit_test(keys_come_first_in_the_schemas_order_and_the_rest_is_sorted_by_bytes),
		cmocka_unit_test(required_but_nullable_columns_may_be_null),
		cmocka_unit_test(without_primary_keys_id_is_the_key),
		cmocka_unit_test(garbage_is_refused_with_its_reason),
		cmocka_unit_test(integers_of_64_bits_are_found_whatever_their_spelling),
		cmocka_unit_test(a_double_is_taken_only_when_it_reads_back_as_the_same_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
