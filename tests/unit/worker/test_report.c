/* The report over a real socket pair: order, who writes, and a driver thread that waits until all of it is out. */

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "ipc/handshake.h"
#include "worker/report.h"

struct fixture {
	struct report	*report;
	struct channel	*ours;
	struct channel	*peer;		/* the supervisor's end */
	uint64_t	 seen[8];	/* seq of each COMMITTED that came to it */
	size_t		 n;
	atomic_bool	 sent;		/* report_await_sent() has returned */
};

static int
set_up(void **state)
{
	struct fixture	*fx = calloc(1, sizeof(*fx));
	struct err	 err;
	int		 fds[2];

	assert_non_null(fx);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	assert_non_null(fx->ours = channel_new(fds[0], IPC_SUPERVISOR));
	assert_non_null(fx->peer = channel_new(fds[1], IPC_WORKER));
	assert_non_null(fx->report = report_new(&err));
	assert_int_equal(handshake_send(fx->ours, "eds-worker", 1, &err), 0);
	report_attach(fx->report, fx->ours);
	*state = fx;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture	*fx = *state;

	report_detach(fx->report);
	report_free(&fx->report);
	channel_free(&fx->ours);
	channel_free(&fx->peer);
	free(fx);
	return 0;
}

static int
hear(void *arg, const struct ipc_msg *msg, struct err *err)
{
	struct fixture	*fx = arg;

	(void)err;
	if (msg->type == IPC_COMMITTED && fx->n < NELEM(fx->seen))
		fx->seen[fx->n++] = msg->body.committed.seq;
	return 0;
}

static void
read_all(struct fixture *fx)
{
	struct err	 err;

	assert_int_equal(channel_read(fx->peer, hear, fx, &err), 0);
}

static union ipc_body
committed(uint64_t seq)
{
	return (union ipc_body){ .committed = { .seq = seq } };
}

static bool
main_thread_is_called(const struct fixture *fx)
{
	struct pollfd	 fd = { .fd = report_fd(fx->report), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

/* What no socket takes at once, so that something stays behind. */
static void
stuff(struct fixture *fx)
{
	static char	 text[4 << 20];
	struct err	 err;

	(void)memset(text, 'x', sizeof(text));
	report_queue(fx->report, IPC_LOG, &(union ipc_body){ .log = { .text = { text, sizeof(text) }, .prefix = SLICE("") } });
	assert_int_equal(report_flush(fx->report, &err), 0);
	assert_true(report_wants_write(fx->report));
}

static void
frames_leave_in_the_order_in_which_they_were_reported(void **state)
{
	struct fixture	*fx = *state;
	union ipc_body	 body;

	for (uint64_t seq = 1; seq <= 3; seq++) {
		body = committed(seq);
		report_queue(fx->report, IPC_COMMITTED, &body);
		if (seq == 2)
			report_push(fx->report);
	}
	assert_true(report_queued(fx->report));
	report_push(fx->report);
	assert_false(report_queued(fx->report));
	read_all(fx);
	assert_int_equal(fx->n, 3);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(fx->seen[i], i + 1);
}

static void
what_the_socket_takes_at_once_needs_no_main_thread(void **state)
{
	struct fixture	*fx = *state;
	union ipc_body	 body = committed(7);

	report_queue(fx->report, IPC_COMMITTED, &body);
	assert_false(main_thread_is_called(fx));
	report_await_sent(fx->report);
	assert_false(main_thread_is_called(fx));
	assert_false(report_wants_write(fx->report));
	read_all(fx);
	assert_int_equal(fx->n, 1);
}

static void
sending_calls_the_main_thread(void **state)
{
	struct fixture	*fx = *state;
	union ipc_body	 body = committed(7);
	struct err	 err;

	report_send(fx->report, IPC_COMMITTED, &body);
	assert_true(main_thread_is_called(fx));
	report_heard(fx->report);
	assert_false(main_thread_is_called(fx));
	assert_int_equal(report_flush(fx->report, &err), 0);
	read_all(fx);
	assert_int_equal(fx->n, 1);
}

static void *
report_and_wait(void *arg)
{
	struct fixture	*fx = arg;
	union ipc_body	 body = committed(9);

	report_queue(fx->report, IPC_COMMITTED, &body);
	report_await_sent(fx->report);
	atomic_store(&fx->sent, true);
	return NULL;
}

static void
a_full_socket_makes_it_wait_until_the_main_thread_has_written_the_rest(void **state)
{
	struct fixture	*fx = *state;
	struct pollfd	 fd = { .fd = report_fd(fx->report), .events = POLLIN };
	struct err	 err;
	pthread_t	 thread;

	stuff(fx);
	assert_int_equal(pthread_create(&thread, NULL, report_and_wait, fx), 0);
	assert_int_equal(poll(&fd, 1, -1), 1);		/* it has asked for help */
	assert_false(atomic_load(&fx->sent));
	while (report_wants_write(fx->report)) {
		read_all(fx);
		assert_int_equal(report_flush(fx->report, &err), 0);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(atomic_load(&fx->sent));
	read_all(fx);
	assert_int_equal(fx->n, 1);
	assert_int_equal(fx->seen[0], 9);
}

static void
nobody_waits_for_a_supervisor_that_is_gone(void **state)
{
	struct fixture	*fx = *state;
	struct err	 err;
	pthread_t	 thread;
	struct pollfd	 fd = { .fd = report_fd(fx->report), .events = POLLIN };

	stuff(fx);
	assert_int_equal(pthread_create(&thread, NULL, report_and_wait, fx), 0);
	assert_int_equal(poll(&fd, 1, -1), 1);
	channel_free(&fx->peer);
	assert_int_equal(report_flush(fx->report, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	report_detach(fx->report);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(report_wants_write(fx->report));
	(void)report_and_wait(fx);			/* nor later */
	assert_false(report_queued(fx->report));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(frames_leave_in_the_order_in_which_they_were_reported),
		TEST(what_the_socket_takes_at_once_needs_no_main_thread),
		TEST(sending_calls_the_main_thread),
		TEST(a_full_socket_makes_it_wait_until_the_main_thread_has_written_the_rest),
		TEST(nobody_waits_for_a_supervisor_that_is_gone),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
