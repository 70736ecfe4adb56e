/* Rules when memory is short: each allocation fails once. */

#include <stdlib.h>

#include "worker/rules/folder.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/fail.h"

#define TEXT	"{\"folders\":[\"/r\"],\"config\":{\"t\":{\"schema\":\"s.json\",\"path\":\"{{.table}}/{{.after}}/{{.timestamp}}\"}},\"files\":{" \
		"\"s.json\":{\"properties\":{\"after\":{\"$ref\":\"r.json#/$defs/row\"}},\"patternProperties\":{\"^ta\":{\"type\":\"string\"}}," \
		"\"unevaluatedProperties\":{\"not\":{\"const\":1}},\"anyOf\":[{\"properties\":{\"id\":{\"minLength\":1}}},true]}," \
		"\"r.json\":{\"$id\":\"http://h/r\",\"$defs\":{\"row\":{\"properties\":{\"list\":{\"uniqueItems\":true}},\"required\":[\"id\"]}}}}}"

#define EVENT	"{\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"t\",\"key\":[\"k\"],\"after\":{\"id\":\"\\u0041\",\"list\":[1,2,3,4,5,6,7,8,9,10," \
		"11,12,13,14,15,16,17,18,19]},\"timestamp\":17,\"mvccTimestamp\":\"1\"}"

static void
rules_that_could_not_be_made_leave_nothing_behind(void **state)
{
	struct rules	*r = NULL;
	unsigned long	 n = 1;

	(void)state;
	for (;; n++) {
		struct err err = { 0 };
		int rc;

		fail_at(FAIL_ALLOC, n);
		rc = rules_new(&r, SLICE(TEXT), &err);
		if (!fail_happened()) {
			assert_int_equal(rc, 0);
			break;
		}
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_NOMEM);
		assert_null(r);
	}
	assert_true(n > 10);
	rules_free(&r);
}

/* An event that cannot be checked now may be checked later: nothing of the failure stays. */
static void
a_check_that_failed_can_be_done_again(void **state)
{
	struct rules	*r = NULL;
	struct event	 ev = { .op = EVENT_INSERT };
	struct buf	 path = { 0 };
	struct err	 err;
	const char	*why;
	unsigned long	 n = 1;

	(void)state;
	assert_int_equal(event_parse(&ev, SLICE(EVENT), &err), 0);
	for (;; n++) {
		enum rules_result result;
		bool failed;

		rules_free(&r);
		buf_free(&path);
		assert_int_equal(rules_new(&r, SLICE(TEXT), &err), 0);
		fail_at(FAIL_ALLOC, n);
		result = rules_check(r, &ev, &path, &why);
		failed = fail_happened();
		if (!failed) {
			assert_int_equal(result, RULES_FIT);
			break;
		}
		assert_int_equal(result, RULES_NOMEM);
		buf_free(&path);
		assert_int_equal(rules_check(r, &ev, &path, &why), RULES_FIT);
		assert_string_equal(buf_cstr(&path), "t/map[id:A list:[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19]]/17");
	}
	assert_true(n > 4);
	rules_free(&r);
	buf_free(&path);
	event_free(&ev);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_that_could_not_be_made_leave_nothing_behind),
		cmocka_unit_test(a_check_that_failed_can_be_done_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
