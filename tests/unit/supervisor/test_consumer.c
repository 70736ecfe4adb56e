/* The consumer's requests against the golden texts, and the server's answers. */

#include "supervisor/upstream/consumer.h"
#include "tests/support/vectors.h"

static char *const	 one_company[] = { (char *)(uintptr_t)"6287a4154d1a72cc5ce091bb", NULL };
static char *const	 two_companies[] = { (char *)(uintptr_t)"c1", (char *)(uintptr_t)"c2", NULL };

static struct consumer_config
postgres(void)
{
	return (struct consumer_config){ .name = "eds-6a0f", .deliver = DELIVER_NEW, .max_ack_pending = 500, .max_batch = 4096,
	    .companies = one_company };
}

static void
assert_created(const struct consumer_config *c, struct slice want)
{
	struct buf	 b = { 0 };

	consumer_create_json(&b, c, "create");
	assert_slice(buf_slice(&b), want);
	buf_free(&b);
}

static void
create_requests_are_byte_for_byte(void **state)
{
	json_t			*root = vectors_load("tests/vectors/misc.json");
	json_t			*cases = json_object_get(root, "consumerCreate");
	struct consumer_config	 c = postgres();

	(void)state;
	assert_int_equal(json_array_size(cases), 2);
	assert_created(&c, vectors_str(json_array_get(cases, 0), "requestText"));
	c.deliver = DELIVER_BY_TIME;
	c.start_ns = 1720889452280802460;
	assert_created(&c, vectors_str(json_array_get(cases, 1), "requestText"));
	json_decref(root);
}

static void
the_pull_request_is_byte_for_byte(void **state)
{
	json_t		*root = vectors_load("tests/vectors/misc.json");
	struct buf	 b = { 0 };

	(void)state;
	consumer_pull_json(&b, 4096, 0);
	assert_slice(buf_slice(&b), vectors_str(root, "pullRequestText"));
	buf_reset(&b);
	consumer_pull_json(&b, 10, 1000);
	assert_slice(buf_slice(&b), SLICE("{\"expires\":30000000000,\"batch\":10,\"max_bytes\":1000,\"idle_heartbeat\":15000000000}"));
	buf_free(&b);
	json_decref(root);
}

static void
a_start_sequence_and_several_companies_are_named(void **state)
{
	struct consumer_config	 c = postgres();
	struct buf		 b = { 0 };

	(void)state;
	c.deliver = DELIVER_BY_SEQ;
	c.start_seq = 18446744073709551615u;
	c.companies = two_companies;
	c.max_batch = 0;
	consumer_create_json(&b, &c, "create");
	assert_non_null(strstr(buf_cstr(&b), "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":18446744073709551615,"));
	assert_non_null(strstr(buf_cstr(&b), "\"filter_subjects\":[\"dbchange.*.*.c1.*.PUBLIC.\\u003e\",\"dbchange.*.*.c2.*.PUBLIC.\\u003e\"]"));
	assert_null(strstr(buf_cstr(&b), "max_batch"));
	buf_free(&b);
}

static const char info_text[] =
    "{\"type\":\"x\",\"stream_name\":\"dbchange\",\"name\":\"eds-6a0f\",\"config\":{\"durable_name\":\"eds-6a0f\","
    "\"deliver_policy\":\"by_start_time\",\"opt_start_time\":\"2024-07-13T16:50:52.28080246Z\",\"ack_policy\":\"explicit\","
    "\"ack_wait\":300000000000,\"max_deliver\":20,\"filter_subjects\":[\"dbchange.*.*.6287a4154d1a72cc5ce091bb.*.PUBLIC.>\"],"
    "\"max_waiting\":1,\"max_ack_pending\":500,\"max_batch\":4096,\"inactive_threshold\":259200000000000},"
    "\"delivered\":{\"consumer_seq\":9,\"stream_seq\":70},\"ack_floor\":{\"consumer_seq\":5,\"stream_seq\":44},"
    "\"num_ack_pending\":4,\"num_redelivered\":1,\"num_waiting\":0,\"num_pending\":12}";

static void
information_is_taken_apart(void **state)
{
	struct consumer_info	 info;
	struct consumer_config	 c = postgres();
	struct err		 err = { 0 };

	(void)state;
	assert_int_equal(consumer_info_parse(&info, SLICE(info_text), &err), 0);
	assert_false(info.error);
	assert_int_equal(info.delivered_consumer_seq, 9);
	assert_int_equal(info.ack_floor_stream_seq, 44);
	assert_int_equal(info.num_ack_pending, 4);
	assert_int_equal(info.max_ack_pending, 500);
	assert_true(consumer_filters_match(&info, one_company));
	assert_false(consumer_filters_match(&info, two_companies));
	assert_false(consumer_needs_update(&info, &c));
	c.max_ack_pending = 25000;
	assert_true(consumer_needs_update(&info, &c));
	consumer_info_free(&info);
}

static void
an_update_keeps_what_cannot_be_updated(void **state)
{
	struct consumer_info	 info;
	struct consumer_config	 c = postgres();
	struct err		 err = { 0 };
	struct buf		 b = { 0 };

	(void)state;
	assert_int_equal(consumer_info_parse(&info, SLICE(info_text), &err), 0);
	info.max_waiting = 512;
	consumer_update_json(&b, &c, &info);
	assert_non_null(strstr(buf_cstr(&b), "\"deliver_policy\":\"by_start_time\",\"opt_start_time\":\"2024-07-13T16:50:52.28080246Z\","));
	assert_non_null(strstr(buf_cstr(&b), "\"max_waiting\":512,"));
	assert_non_null(strstr(buf_cstr(&b), "\"action\":\"update\"}"));
	buf_free(&b);
	consumer_info_free(&info);
}

static void
a_single_filter_counts_like_a_list_of_one(void **state)
{
	static const char	 text[] = "{\"config\":{\"filter_subject\":\"dbchange.*.*.6287a4154d1a72cc5ce091bb.*.PUBLIC.>\"}}";
	struct consumer_info	 info;
	struct err		 err = { 0 };

	(void)state;
	assert_int_equal(consumer_info_parse(&info, SLICE(text), &err), 0);
	assert_true(consumer_filters_match(&info, one_company));
	consumer_info_free(&info);
	assert_int_equal(consumer_info_parse(&info, SLICE("{\"config\":{}}"), &err), 0);
	assert_false(consumer_filters_match(&info, one_company));
	consumer_info_free(&info);
}

static void
errors_and_garbage_are_told_apart(void **state)
{
	static const char *const	 garbage[] = { "", "x", "[]", "{}", "null", "{\"config\":1}", "{\"success\":false}" };
	struct consumer_info		 info;
	struct err			 err = { 0 };

	(void)state;
	assert_int_equal(consumer_info_parse(&info,
	    SLICE("{\"error\":{\"code\":404,\"err_code\":10014,\"description\":\"consumer not found\"}}"), &err), 0);
	assert_true(info.error);
	assert_int_equal(info.err_code, JS_ERR_CONSUMER_NOT_FOUND);
	assert_int_equal(consumer_info_parse(&info, SLICE("{\"success\":true}"), &err), 0);
	for (size_t i = 0; i < NELEM(garbage); i++) {
		err.code = ERR_NONE;
		assert_int_equal(consumer_info_parse(&info, slice_of(garbage[i]), &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		consumer_info_free(&info);
	}
}

static void
names_that_break_a_subject_are_refused(void **state)
{
	(void)state;
	assert_true(consumer_name_ok("eds-6a0f-x_1"));
	assert_false(consumer_name_ok(""));
	assert_false(consumer_name_ok("eds.6a0f"));
	assert_false(consumer_name_ok("eds 6"));
	assert_false(consumer_name_ok("eds*"));
	assert_false(consumer_name_ok("eds>"));
	assert_false(consumer_name_ok("eds\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_requests_are_byte_for_byte),
		cmocka_unit_test(the_pull_request_is_byte_for_byte),
		cmocka_unit_test(a_start_sequence_and_several_companies_are_named),
		cmocka_unit_test(information_is_taken_apart),
		cmocka_unit_test(an_update_keeps_what_cannot_be_updated),
		cmocka_unit_test(a_single_filter_counts_like_a_list_of_one),
		cmocka_unit_test(errors_and_garbage_are_told_apart),
		cmocka_unit_test(names_that_break_a_subject_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
