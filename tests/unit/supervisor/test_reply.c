/* Reply subjects of deliveries. */

#include "supervisor/upstream/reply.h"
#include "tests/support/cmocka_all.h"

static void
nine_tokens_are_read(void **state)
{
	struct reply	 r;

	(void)state;
	assert_true(reply_parse(SLICE("$JS.ACK.dbchange.eds-6a0f.2.991.12.1720732611708587506.7"), &r));
	assert_int_equal(r.deliveries, 2);
	assert_int_equal(r.stream_seq, 991);
	assert_int_equal(r.consumer_seq, 12);
	assert_int_equal(r.timestamp_ns, 1720732611708587506);
	assert_int_equal(r.pending, 7);
}

static void
domain_and_account_shift_the_rest_by_two(void **state)
{
	struct reply	 r;

	(void)state;
	assert_true(reply_parse(SLICE("$JS.ACK.hub.AChash.dbchange.eds-6a0f.1.5.3.99.0.rnd"), &r));
	assert_int_equal(r.stream_seq, 5);
	assert_int_equal(r.consumer_seq, 3);
	assert_true(reply_parse(SLICE("$JS.ACK.hub.AChash.dbchange.eds-6a0f.1.5.3.99.0"), &r));
	assert_true(reply_parse(SLICE("$JS.ACK.hub.AChash.dbchange.eds.1.5.3.99.0.rnd.more.to.come"), &r));
}

static void
anything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"", ".", "$JS.ACK", "_INBOX.abc", "$JS.ACK.dbchange.eds.1.2.3.4", "$JS.ACK.dbchange.eds.1.2.3.4.5.6",
		"$JS.ACK.dbchange.eds.x.2.3.4.5", "$JS.ACK.dbchange.eds.1.-2.3.4.5", "$JS.ACK.dbchange.eds.1..3.4.5",
		"$JS.ACK.dbchange.eds.1.18446744073709551616.3.4.5", "$JS.NAK.dbchange.eds.1.2.3.4.5",
		"$js.ACK.dbchange.eds.1.2.3.4.5", "$JS.ACK.dbchange.eds.1.2.3.4.5 ",
	};
	struct reply	 r;

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++)
		if (reply_parse(slice_of(bad[i]), &r))
			fail_msg("accepted: %s", bad[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nine_tokens_are_read),
		cmocka_unit_test(domain_and_account_shift_the_rest_by_two),
		cmocka_unit_test(anything_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
