/* Frames and channels when memory is short and the socket fails: each allocation and each send fails once. */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/fail.h"

#define EVENTS	300
#define PAYLOAD	1500

static char	 payload[PAYLOAD];

/* A frame of EVENTS events, sequences from 1. */
static void
write_events(struct buf *out)
{
	struct ipc_events_writer	 w;

	ipc_events_begin(&w, out);
	for (uint64_t seq = 1; seq <= EVENTS; seq++)
		ipc_events_add(&w, seq, SLICE("dbchange.order.INSERT.c.l.PUBLIC.1"), (struct slice){ payload, sizeof(payload) });
	ipc_events_end(&w);
}

static void
a_frame_that_could_not_be_written_is_not_there_at_all(void **state)
{
	struct buf	 out = { 0 };
	size_t		 before;
	unsigned long	 n = 1;

	(void)state;
	for (;; n++) {
		buf_free(&out);
		buf_adds(&out, "what was there before");
		before = out.len;
		fail_at(FAIL_ALLOC, n);
		write_events(&out);
		if (!fail_happened())
			break;
		assert_true(out.oom);
		assert_int_equal(out.len, before);
		assert_memory_equal(out.data, "what was there before", before);
	}
	assert_false(out.oom);
	assert_true(out.len > EVENTS * PAYLOAD);
	assert_true(n > 3);
	buf_free(&out);
}

static void
decoding_that_fails_can_be_done_again(void **state)
{
	struct buf	 out = { 0 };
	struct ipc_arena arena = { 0 };
	struct ipc_msg	 msg;
	unsigned long	 n = 1;

	(void)state;
	write_events(&out);
	for (;; n++) {
		struct err err = { 0 };
		int rc;

		ipc_arena_free(&arena);
		fail_at(FAIL_ALLOC, n);
		rc = ipc_decode(&msg, (struct slice){ (const char *)out.data + 4, out.len - 4 }, IPC_SUPERVISOR, &arena, &err);
		if (!fail_happened()) {
			assert_int_equal(rc, 0);
			break;
		}
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_NOMEM);
	}
	assert_true(n > 1);
	assert_int_equal(msg.body.events.list.n, EVENTS);
	assert_int_equal(msg.body.events.list.v[EVENTS - 1].seq, EVENTS);
	ipc_arena_free(&arena);
	buf_free(&out);
}

/* Two ends; the supervisor's has been greeted. */
struct pair {
	struct channel	*worker, *supervisor;
	uint64_t	 pongs;		/* next expected nonce */
	bool		 hello;
};

static int
hear(void *arg, const struct ipc_msg *msg, struct err *err)
{
	struct pair	*p = arg;

	(void)err;
	if (msg->type == IPC_HELLO)
		p->hello = true;
	else if (msg->type == IPC_PONG) {
		assert_int_equal(msg->body.pong.nonce, p->pongs);
		p->pongs++;
	}
	return 0;
}

static void
connect_pair(struct pair *p)
{
	int	 fds[2];

	*p = (struct pair){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	p->supervisor = channel_new(fds[0], IPC_WORKER);
	p->worker = channel_new(fds[1], IPC_SUPERVISOR);
	assert_non_null(p->supervisor);
	assert_non_null(p->worker);
}

static void
send_hello(struct pair *p)
{
	union ipc_body	 hello = { .hello = { .protocol_min = 1, .protocol_max = 1, .version = SLICE("1"), .program = SLICE("x") } };
	struct err	 err = { 0 };

	assert_int_equal(channel_send(p->worker, IPC_HELLO, &hello, &err), 0);
}

static void
free_pair(struct pair *p)
{
	channel_free(&p->worker);
	channel_free(&p->supervisor);
}

static void
a_message_that_could_not_be_queued_may_be_sent_again(void **state)
{
	struct pair	 p;
	struct err	 err = { 0 };
	size_t		 failures = 0;

	(void)state;
	connect_pair(&p);
	send_hello(&p);
	for (uint64_t nonce = 0; nonce < 5000; nonce++) {
		union ipc_body pong = { .pong = { .nonce = nonce } };

		fail_at(FAIL_ALLOC, 1);
		if (channel_send(p.worker, IPC_PONG, &pong, &err) == -1) {
			assert_true(fail_happened());
			assert_int_equal(err.code, ERR_NOMEM);
			failures++;
			assert_int_equal(channel_send(p.worker, IPC_PONG, &pong, &err), 0);
		}
		(void)fail_happened();
	}
	assert_true(failures > 3);
	while (channel_wants_write(p.worker)) {
		assert_int_equal(channel_flush(p.worker, &err), 0);
		assert_int_equal(channel_read(p.supervisor, hear, &p, &err), 0);
	}
	assert_true(p.hello);
	assert_int_equal(p.pongs, 5000);
	free_pair(&p);
}

static void
a_short_send_is_gone_on_with_and_a_failed_one_is_said(void **state)
{
	struct pair	 p;
	struct err	 err = { 0 };
	unsigned long	 n;

	(void)state;
	for (n = 1; n <= 40; n++) {
		union ipc_body pong = { .pong = { .nonce = 0 } };

		connect_pair(&p);
		send_hello(&p);
		for (; pong.pong.nonce < 100; pong.pong.nonce++)
			assert_int_equal(channel_send(p.worker, IPC_PONG, &pong, &err), 0);
		fail_at(FAIL_SHORT_WRITE, n);
		while (channel_wants_write(p.worker)) {
			assert_int_equal(channel_flush(p.worker, &err), 0);
			assert_int_equal(channel_read(p.supervisor, hear, &p, &err), 0);
		}
		assert_int_equal(fail_happened(), n == 1);
		assert_int_equal(p.pongs, 100);
		fail_at(FAIL_WRITE, 1);
		assert_int_equal(channel_send(p.worker, IPC_PONG, &pong, &err), 0);
		assert_int_equal(channel_flush(p.worker, &err), -1);
		assert_true(fail_happened());
		free_pair(&p);
	}
}

static void
a_reader_without_memory_ends_the_channel_with_the_reason(void **state)
{
	struct pair	 p;
	unsigned long	 n = 1;
	int		 rc = -1;

	(void)state;
	for (; rc == -1; n++) {
		struct err err = { 0 };

		connect_pair(&p);
		send_hello(&p);
		assert_int_equal(channel_flush(p.worker, &err), 0);
		fail_at(FAIL_ALLOC, n);
		rc = channel_read(p.supervisor, hear, &p, &err);
		assert_int_equal(fail_happened(), rc == -1);
		if (rc == -1) {
			assert_int_equal(err.code, ERR_NOMEM);
			assert_int_equal(channel_read(p.supervisor, hear, &p, &err), -1);
		}
		free_pair(&p);
	}
	assert_true(n > 2);
	assert_true(p.hello);
}

static void
a_channel_that_cannot_be_made_closes_its_descriptor(void **state)
{
	char	 c;
	int	 fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	fail_at(FAIL_ALLOC, 1);
	assert_null(channel_new(fds[0], IPC_WORKER));
	assert_true(fail_happened());
	assert_int_equal(recv(fds[1], &c, 1, 0), 0);
	(void)close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_that_could_not_be_written_is_not_there_at_all),
		cmocka_unit_test(decoding_that_fails_can_be_done_again),
		cmocka_unit_test(a_message_that_could_not_be_queued_may_be_sent_again),
		cmocka_unit_test(a_short_send_is_gone_on_with_and_a_failed_one_is_said),
		cmocka_unit_test(a_reader_without_memory_ends_the_channel_with_the_reason),
		cmocka_unit_test(a_channel_that_cannot_be_made_closes_its_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
