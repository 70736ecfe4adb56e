/* The change event: golden cases, every refusal, the primary key, the subject. */

#include "tests/support/vectors.h"

#include <stdlib.h>

#include "ipc/event.h"

#define VECTORS	"tests/vectors/event-json.json"
#define REST	"\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"t\",\"modelVersion\":\"m\",\"timestamp\":1,\"mvccTimestamp\":\"1\""

static void
every_golden_event_is_stored_byte_for_byte(void **state)
{
	json_t		*root = vectors_load(VECTORS), *all = json_object_get(root, "cases"), *c;
	struct event	 ev = { .op = EVENT_INSERT };
	struct buf	 b = { 0 };
	size_t		 i;

	(void)state;
	assert_int_equal(json_array_size(all), 6);
	json_array_foreach(all, i, c) {
		struct slice key = vectors_str(c, "primaryKey");
		struct err err = { 0 };

		/* The one without a primary key is refused, filled in all the same. */
		assert_int_equal(event_parse(&ev, vectors_str(c, "input"), &err), key.n == 0 ? -1 : 0);
		assert_int_equal(err.code, key.n == 0 ? ERR_INVALID : ERR_NONE);
		buf_reset(&b);
		event_store_json(&ev, &b);
		assert_slice(buf_slice(&b), vectors_str(c, "stored"));
		assert_slice(ev.primary_key, key);
	}
	buf_free(&b);
	event_free(&ev);
	json_decref(root);
}

static void
a_stored_event_is_stored_the_same_again(void **state)
{
	json_t		*root = vectors_load(VECTORS), *c;
	struct event	 ev = { .op = EVENT_INSERT };
	struct buf	 b = { 0 };
	size_t		 i;

	(void)state;
	json_array_foreach(json_object_get(root, "cases"), i, c) {
		if (vectors_str(c, "primaryKey").n == 0)
			continue;
		assert_int_equal(event_parse(&ev, vectors_str(c, "stored"), NULL), 0);
		buf_reset(&b);
		event_store_json(&ev, &b);
		assert_slice(buf_slice(&b), vectors_str(c, "stored"));
	}
	buf_free(&b);
	event_free(&ev);
	json_decref(root);
}

static void
all_fields_arrive_where_they_belong(void **state)
{
	struct event	 ev = { .op = EVENT_INSERT };

	(void)state;
	assert_int_equal(event_parse(&ev, SLICE("{\"operation\":\"UPDATE\",\"id\":\"e\\u0031\",\"table\":\"order\","
	    "\"key\":[\"r\",\"k\\u0031\"],\"modelVersion\":\"mv\",\"companyId\":\"c\",\"locationId\":\"\",\"before\":{\"a\":1},"
	    "\"after\":{\"a\":2},\"diff\":[\"a\"],\"timestamp\":-9223372036854775808,\"mvccTimestamp\":\"m\\u0032\",\"imported\":true,"
	    "\"extra\":{\"id\":3}}"), NULL), 0);
	assert_int_equal(ev.op, EVENT_UPDATE);
	assert_slice(ev.operation, SLICE("UPDATE"));
	assert_slice(ev.id, SLICE("e1"));
	assert_slice(ev.table, SLICE("order"));
	assert_slice(ev.model_version, SLICE("mv"));
	assert_slice(ev.company_id, SLICE("c"));
	assert_non_null(ev.location_id.p);
	assert_int_equal(ev.location_id.n, 0);
	assert_null(ev.user_id.p);
	assert_slice(ev.mvcc_timestamp, SLICE("m2"));
	assert_true(ev.timestamp_ms == INT64_MIN);
	assert_slice(ev.key.raw, SLICE("[\"r\",\"k\\u0031\"]"));
	assert_slice(ev.before.raw, SLICE("{\"a\":1}"));
	assert_slice(ev.after.raw, SLICE("{\"a\":2}"));
	assert_slice(ev.diff.raw, SLICE("[\"a\"]"));
	assert_true(ev.imported);
	assert_slice(ev.primary_key, SLICE("k1"));
	event_free(&ev);
}

static void
an_event_keeps_nothing_of_the_one_before(void **state)
{
	struct event	 ev = { .op = EVENT_INSERT };

	(void)state;
	assert_int_equal(event_parse(&ev, SLICE("{" REST ",\"key\":[\"k\"],\"userId\":\"u\",\"diff\":[\"a\"],\"before\":{},"
	    "\"after\":{},\"imported\":true}"), NULL), 0);
	assert_int_equal(event_parse(&ev, SLICE("{\"operation\":\"DELETE\",\"table\":\"t\",\"after\":{\"id\":\"x\"}}"), NULL), 0);
	assert_int_equal(ev.op, EVENT_DELETE);
	assert_slice(ev.id, SLICE(""));
	assert_null(ev.user_id.p);
	assert_int_equal(ev.key.type, JV_ABSENT);
	assert_int_equal(ev.before.type, JV_ABSENT);
	assert_int_equal(ev.diff.type, JV_ABSENT);
	assert_int_equal(ev.timestamp_ms, 0);
	assert_false(ev.imported);
	assert_slice(ev.primary_key, SLICE("x"));
	assert_int_equal(event_parse(&ev, SLICE("{}"), NULL), -1);
	assert_int_equal(ev.primary_key.n, 0);
	event_free(&ev);
}

static void
each_refusal_names_what_is_wrong(void **state)
{
#define BAD(text, why)	{ { text, sizeof(text) - 1 }, why }
	static const struct {
		struct slice	 in;
		const char	*why;
	} cases[] = {
		BAD("", "text without end at byte 0"),
		BAD("{\"table\":\"t\"", "text without end at byte 12"),
		BAD("{" REST ",\"key\":[\"k\"],}", "expected a key in quotes at byte 108"),
		BAD("{\"after\":{\"note\":\"caf\xe9\"}}", "invalid UTF-8 at byte 21 in after.note"),
		BAD("{\"table\":\"\xff\"}", "invalid UTF-8 at byte 10 in table"),
		BAD("{\"x\":[\"\xff\"]}", "invalid UTF-8 at byte 7 in x"),
		BAD("null", "the payload is JSON but not an object"),
		BAD("[{}]", "the payload is JSON but not an object"),
		BAD("\"x\"", "the payload is JSON but not an object"),
		BAD("{\"operation\":1}", "operation: expected a string"),
		BAD("{\"OPERATION\":[]}", "operation: expected a string"),
		BAD("{\"id\":1}", "id: expected a string"),
		BAD("{\"id\":1,\"id\":\"x\"}", "id: expected a string"),
		BAD("{\"table\":{}}", "table: expected a string"),
		BAD("{\"modelVersion\":true}", "modelVersion: expected a string"),
		BAD("{\"companyId\":1}", "companyId: expected a string"),
		BAD("{\"locationId\":false}", "locationId: expected a string"),
		BAD("{\"userId\":{}}", "userId: expected a string"),
		BAD("{\"mvccTimestamp\":1}", "mvccTimestamp: expected a string"),
		BAD("{\"key\":\"k\"}", "key: expected a list of strings"),
		BAD("{\"key\":{}}", "key: expected a list of strings"),
		BAD("{\"key\":[\"a\",1]}", "key: expected a list of strings"),
		BAD("{\"key\":[[\"a\"]]}", "key: expected a list of strings"),
		BAD("{\"diff\":1}", "diff: expected a list of strings"),
		BAD("{\"diff\":[true]}", "diff: expected a list of strings"),
		BAD("{\"timestamp\":\"1\"}", "timestamp: expected an integer of 64 bits"),
		BAD("{\"timestamp\":1.0}", "timestamp: expected an integer of 64 bits"),
		BAD("{\"timestamp\":1e3}", "timestamp: expected an integer of 64 bits"),
		BAD("{\"timestamp\":9223372036854775808}", "timestamp: expected an integer of 64 bits"),
		BAD("{\"timestamp\":-9223372036854775809}", "timestamp: expected an integer of 64 bits"),
		BAD("{\"imported\":1}", "imported: expected true or false"),
		BAD("{\"imported\":\"true\"}", "imported: expected true or false"),
		BAD("{\"before\":1}", "before: expected an object or null"),
		BAD("{\"before\":[]}", "before: expected an object or null"),
		BAD("{\"after\":\"{}\"}", "after: expected an object or null"),
		BAD("{\"after\":true}", "after: expected an object or null"),
		BAD("{}", "operation: missing"),
		BAD("{\"operation\":null}", "operation: missing"),
		BAD("{\"operation\":\"\"}", "operation: missing"),
		BAD("{\"operation\":\"UPSERT\"}", "operation: expected INSERT, UPDATE or DELETE"),
		BAD("{\"operation\":\"insert\"}", "operation: expected INSERT, UPDATE or DELETE"),
		BAD("{\"operation\":\"INSERT\\u0000\"}", "operation: expected INSERT, UPDATE or DELETE"),
		BAD("{\"operation\":\"INSERT\"}", "table: missing"),
		BAD("{\"operation\":\"INSERT\",\"table\":\"\"}", "table: missing"),
		BAD("{\"operation\":\"INSERT\",\"table\":null}", "table: missing"),
		BAD("{" REST "}", "no primary key: `key` is empty and the row has no `id`"),
		BAD("{" REST ",\"key\":[],\"after\":{}}", "no primary key: `key` is empty and the row has no `id`"),
		BAD("{" REST ",\"after\":{\"id\":7}}", "no primary key: `key` is empty and the row has no `id`"),
		BAD("{" REST ",\"after\":{\"id\":\"\"}}", "no primary key: `key` is empty and the row has no `id`"),
		BAD("{" REST ",\"before\":{\"id\":\"k\"},\"after\":null}",
		    "no primary key: `key` is empty and the row has no `id`"),
		BAD("{" REST ",\"key\":[\"a\",\"\"],\"after\":{\"id\":\"k\"}}",
		    "no primary key: the last component of `key` is empty"),
		BAD("{" REST ",\"key\":[null],\"after\":{\"id\":\"k\"}}",
		    "no primary key: the last component of `key` is empty"),
	};
#undef BAD
	struct event	 ev = { .op = EVENT_INSERT };

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct err err = { 0 };

		if (event_parse(&ev, cases[i].in, &err) == 0)
			fail_msg("accepted: " SLICE_FMT, SLICE_ARG(cases[i].in));
		assert_int_equal(err.code, ERR_INVALID);
		assert_string_equal(err.text, cases[i].why);
	}
	event_free(&ev);
}

static void
the_primary_key_is_the_last_of_key_or_the_id_of_the_row(void **state)
{
	static const struct {
		const char	*rest, *want;
	} cases[] = {
		{ "\"key\":[\"a\"]", "a" }, { "\"key\":[\"region\",\"a\"]", "a" }, { "\"key\":[null,\"a\"]", "a" },
		{ "\"key\":[\"a\"],\"after\":{\"id\":\"b\"}", "a" }, { "\"key\":[\"a\\\"\\u00e9\"]", "a\"é" },
		{ "\"after\":{\"id\":\"b\"}", "b" }, { "\"key\":null,\"after\":{\"id\":\"b\"}", "b" },
		{ "\"key\":[],\"before\":{\"id\":\"c\"}", "c" }, { "\"before\":{\"id\":\"c\"},\"after\":{\"id\":\"b\"}", "b" },
		{ "\"after\":{\"id\":\"x\",\"id\":\"y\"}", "y" }, { "\"after\":{\"n\":{\"id\":\"x\"},\"\\u0069d\":\"b\\n\"}", "b\n" },
		{ "\"key\":[\"a\"],\"key\":[\"b\"]", "b" }, { "\"key\":[\"a\"],\"key\":null,\"after\":{\"id\":\"b\"}", "b" },
	};
	struct event	 ev = { .op = EVENT_INSERT };
	struct buf	 b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct err err = { 0 };

		buf_reset(&b);
		buf_printf(&b, "{%s,%s}", REST, cases[i].rest);
		if (event_parse(&ev, buf_slice(&b), &err) != 0)
			fail_msg("%s: %s", cases[i].rest, err.text);
		assert_slice(ev.primary_key, slice_of(cases[i].want));
	}
	buf_free(&b);
	event_free(&ev);
}

static void
expect_stored(const char *rest, const char *want)
{
	struct event	 ev = { .op = EVENT_INSERT };
	struct err	 err = { 0 };
	struct buf	 in = { 0 }, out = { 0 };

	buf_printf(&in, "{\"operation\":\"INSERT\",\"table\":\"t\",\"key\":[\"k\"],%s}", rest);
	if (event_parse(&ev, buf_slice(&in), &err) != 0)
		fail_msg("%s: %s", rest, err.text);
	event_store_json(&ev, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&in);
	buf_free(&out);
	event_free(&ev);
}

static void
keys_match_in_any_case_and_the_last_duplicate_wins(void **state)
{
	(void)state;
	expect_stored("\"ID\":\"a\",\"iD\":\"b\",\"\\u0069d\":\"c\",\"MODELVERSION\":\"m\",\"ids\":\"d\"",
	    "{\"operation\":\"INSERT\",\"id\":\"c\",\"table\":\"t\",\"key\":[\"k\"],\"modelVersion\":\"m\",\"timestamp\":0,\"mvccTimestamp\":\"\"}");
	expect_stored("\"after\":5,\"After\":{\"x\":1},\"before\":{},\"before\":null",
	    "{\"operation\":\"INSERT\",\"id\":\"\",\"table\":\"t\",\"key\":[\"k\"],\"modelVersion\":\"\",\"before\":null,"
	    "\"after\":{\"x\":1},\"timestamp\":0,\"mvccTimestamp\":\"\"}");
}

static void
null_leaves_a_scalar_as_it_was_and_empties_what_is_optional(void **state)
{
	(void)state;
	expect_stored("\"id\":null,\"modelVersion\":\"m\",\"modelVersion\":null,\"companyId\":\"c\",\"companyId\":null,"
	    "\"userId\":null,\"diff\":[\"a\"],\"diff\":null,\"timestamp\":null,\"mvccTimestamp\":null,\"imported\":null",
	    "{\"operation\":\"INSERT\",\"id\":\"\",\"table\":\"t\",\"key\":[\"k\"],\"modelVersion\":\"m\",\"timestamp\":0,\"mvccTimestamp\":\"\"}");
	expect_stored("\"key\":[null,\"\\u003c\"],\"diff\":[null,\"\\u0041<\"]",
	    "{\"operation\":\"INSERT\",\"id\":\"\",\"table\":\"t\",\"key\":[\"\",\"\\u003c\"],\"modelVersion\":\"\","
	    "\"diff\":[\"\",\"A\\u003c\"],\"timestamp\":0,\"mvccTimestamp\":\"\"}");
}

static void
the_object_is_after_unless_it_is_missing(void **state)
{
	struct event	 ev = { .op = EVENT_INSERT };

	(void)state;
	assert_int_equal(event_parse(&ev, SLICE("{" REST ",\"key\":[\"k\"],\"before\":{\"a\":1}}"), NULL), 0);
	assert_slice(event_object(&ev).raw, SLICE("{\"a\":1}"));
	assert_int_equal(event_parse(&ev, SLICE("{" REST ",\"key\":[\"k\"],\"before\":{\"a\":1},\"after\":{\"a\":2}}"), NULL), 0);
	assert_slice(event_object(&ev).raw, SLICE("{\"a\":2}"));
	assert_int_equal(event_parse(&ev, SLICE("{" REST ",\"key\":[\"k\"],\"before\":{\"a\":1},\"after\":null}"), NULL), 0);
	assert_int_equal(event_object(&ev).type, JV_NULL);
	assert_int_equal(event_parse(&ev, SLICE("{" REST ",\"key\":[\"k\"]}"), NULL), 0);
	assert_int_equal(event_object(&ev).type, JV_ABSENT);
	event_free(&ev);
}

static void
strings_stay_where_they_are_however_many_have_escapes(void **state)
{
	struct event	 ev = { .op = EVENT_INSERT };

	(void)state;
	assert_int_equal(event_parse(&ev, SLICE("{\"operation\":\"\\u0049NSERT\",\"id\":\"\\u0061aaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
	    "\"table\":\"\\u0062bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\",\"key\":[\"\\u0063cccccccccccccccccccccccccc\"],"
	    "\"companyId\":\"\\u0064ddddddddddddddddddddddddddd\",\"mvccTimestamp\":\"\\u0031\"}"), NULL), 0);
	assert_slice(ev.operation, SLICE("INSERT"));
	assert_slice(ev.id, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	assert_slice(ev.table, SLICE("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
	assert_slice(ev.company_id, SLICE("dddddddddddddddddddddddddddd"));
	assert_slice(ev.mvcc_timestamp, SLICE("1"));
	assert_slice(ev.primary_key, SLICE("ccccccccccccccccccccccccccc"));
	event_free(&ev);
}

static void
a_subject_comes_apart_when_it_has_the_shape(void **state)
{
	struct event_subject	 s;

	(void)state;
	assert_true(event_subject_parse(SLICE("dbchange.order.INSERT.c1.l1.PUBLIC.e1"), &s));
	assert_slice(s.table, SLICE("order"));
	assert_slice(s.operation, SLICE("INSERT"));
	assert_slice(s.company, SLICE("c1"));
	assert_slice(s.location, SLICE("l1"));
	assert_slice(s.id, SLICE("e1"));
	assert_true(event_subject_parse(SLICE("dbchange.order.INSERT.c1.NONE.PUBLIC.e1.x.y"), &s));
	assert_slice(s.location, SLICE("NONE"));
	assert_slice(s.id, SLICE("e1.x.y"));
}

static void
a_subject_of_another_shape_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"", "dbchange", "dbchange.", "dbchange.order.INSERT.c1.l1.PUBLIC", "dbchange.order.INSERT.c1.l1.PUBLIC.",
		"dbchange.order.INSERT.c1.l1.PRIVATE.e1", "DBCHANGE.order.INSERT.c1.l1.PUBLIC.e1",
		"dbchange..INSERT.c1.l1.PUBLIC.e1", "dbchange.order..c1.l1.PUBLIC.e1", "dbchange.order.INSERT..l1.PUBLIC.e1",
		"dbchange.order.INSERT.c1..PUBLIC.e1", "dbchange.order.INSERT.c1.PUBLIC.e1", "eds.notify.x",
	};
	struct event_subject	 s = { .table = SLICE("kept") };

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		assert_false(event_subject_parse(slice_of(bad[i]), &s));
		assert_slice(s.table, SLICE("kept"));
	}
	assert_false(event_subject_parse((struct slice){ NULL, 0 }, &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_golden_event_is_stored_byte_for_byte),
		cmocka_unit_test(a_stored_event_is_stored_the_same_again),
		cmocka_unit_test(all_fields_arrive_where_they_belong),
		cmocka_unit_test(an_event_keeps_nothing_of_the_one_before),
		cmocka_unit_test(each_refusal_names_what_is_wrong),
		cmocka_unit_test(the_primary_key_is_the_last_of_key_or_the_id_of_the_row),
		cmocka_unit_test(keys_match_in_any_case_and_the_last_duplicate_wins),
		cmocka_unit_test(null_leaves_a_scalar_as_it_was_and_empties_what_is_optional),
		cmocka_unit_test(the_object_is_after_unless_it_is_missing),
		cmocka_unit_test(strings_stay_where_they_are_however_many_have_escapes),
		cmocka_unit_test(a_subject_comes_apart_when_it_has_the_shape),
		cmocka_unit_test(a_subject_of_another_shape_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
