/* HELLO: what we say, and which peers fit. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/socket.h>

#include "ipc/handshake.h"

static struct ipc_hello_body
hello(uint64_t min, uint64_t max)
{
	return (struct ipc_hello_body){ .protocol_min = min, .protocol_max = max, .version = SLICE("9.8.7"),
	    .program = SLICE("eds-worker") };
}

static int
keep(void *arg, const struct ipc_msg *msg, struct err *err)
{
	uint64_t	*version = arg;

	assert_int_equal(msg->type, IPC_HELLO);
	assert_true(slice_is(msg->body.hello.program, "eds"));
	assert_true(slice_is(msg->body.hello.version, EDS_VERSION));
	assert_int_equal(msg->body.hello.generation, 12);
	return handshake_check(&msg->body.hello, "eds-worker", version, err);
}

static void
both_ends_of_one_build_agree(void **state)
{
	int		 fds[2];
	struct channel	*a, *b;
	struct err	 err = { 0 };
	uint64_t	 version = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	a = channel_new(fds[0], IPC_WORKER);
	b = channel_new(fds[1], IPC_SUPERVISOR);
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(handshake_send(a, "eds", 12, &err), 0);
	assert_int_equal(channel_flush(a, &err), 0);
	assert_int_equal(channel_read(b, keep, &version, &err), 0);
	assert_int_equal(version, IPC_PROTOCOL_MAX);
	channel_free(&a);
	channel_free(&b);
}

static void
the_highest_common_version_is_taken(void **state)
{
	struct ipc_hello_body newer = hello(IPC_PROTOCOL_MIN, IPC_PROTOCOL_MAX + 5);
	struct ipc_hello_body older = hello(0, IPC_PROTOCOL_MIN);
	struct err err = { 0 };
	uint64_t version = 0;

	(void)state;
	assert_int_equal(handshake_check(&newer, "eds", &version, &err), 0);
	assert_int_equal(version, IPC_PROTOCOL_MAX);
	assert_int_equal(handshake_check(&older, "eds", &version, &err), 0);
	assert_int_equal(version, IPC_PROTOCOL_MIN);
}

static void
without_a_common_version_the_text_names_both_and_the_remedy(void **state)
{
	struct ipc_hello_body wrong[] = {
		hello(IPC_PROTOCOL_MAX + 1, IPC_PROTOCOL_MAX + 3), hello(0, IPC_PROTOCOL_MIN - 1), hello(UINT64_MAX, UINT64_MAX),
	};

	(void)state;
	for (size_t i = 0; i < NELEM(wrong); i++) {
		struct err err = { 0 };
		uint64_t version = 77;

		assert_int_equal(handshake_check(&wrong[i], "eds", &version, &err), -1);
		assert_int_equal(err.code, ERR_CONFLICT);
		assert_int_equal(version, 77);
		assert_non_null(strstr(err.text, "eds " EDS_VERSION));
		assert_non_null(strstr(err.text, "eds-worker 9.8.7"));
		assert_non_null(strstr(err.text, "install them from the same package"));
	}
}

static void
a_range_upside_down_is_refused(void **state)
{
	struct ipc_hello_body wrong = hello(2, 1);
	struct err err = { 0 };
	uint64_t version;

	(void)state;
	assert_int_equal(handshake_check(&wrong, "eds", &version, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void
a_peer_cannot_write_what_it_likes_into_our_text(void **state)
{
	struct ipc_hello_body wrong = hello(9, 9);
	char	 longish[500];
	struct err err = { 0 };
	uint64_t version;

	(void)state;
	(void)memset(longish, 'z', sizeof(longish));
	wrong.version = (struct slice){ longish, sizeof(longish) };
	wrong.program = SLICE("a\n\033[31mb\xc3\xa4");
	assert_int_equal(handshake_check(&wrong, "eds", &version, &err), -1);
	assert_non_null(strstr(err.text, "a??[31mb??"));
	assert_null(strchr(err.text, '\n'));
	assert_true(strlen(err.text) < 300);
	assert_non_null(strstr(err.text, "same package"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_of_one_build_agree),
		cmocka_unit_test(the_highest_common_version_is_taken),
		cmocka_unit_test(without_a_common_version_the_text_names_both_and_the_remedy),
		cmocka_unit_test(a_range_upside_down_is_refused),
		cmocka_unit_test(a_peer_cannot_write_what_it_likes_into_our_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
