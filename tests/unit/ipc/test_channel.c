/* Channels over real socket pairs: pieces, ends, limits, and peers that do not keep to the rules. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/codec_private.h"
#include "ipc/handshake.h"

struct fixture {
	struct channel	*ch;		/* the supervisor's end; its peer is a worker */
	int		 peer;		/* the other end, as bytes */
	struct err	 err;
	struct buf	 bytes;		/* to be sent by the peer, or received by it */
	size_t		 seen;
	enum ipc_type	 types[8];
	uint64_t	 nonce_sum;
	enum ipc_type	 refuse;	/* fn says -1 to this one */
	size_t		 payload_bytes;
	bool		 refill;		/* fn lets the peer write more of `bytes`, from `pumped` on */
	size_t		 pumped;
};

static int
setup(void **state)
{
	struct fixture	*fx = calloc(1, sizeof(*fx));
	int		 fds[2];

	if (fx == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	fx->peer = fds[1];
	*state = fx;
	return (fx->ch = channel_new(fds[0], IPC_WORKER)) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct fixture	*fx = *state;

	channel_free(&fx->ch);
	channel_free(&fx->ch);		/* NULL is fine */
	if (fx->peer >= 0)
		(void)close(fx->peer);
	buf_free(&fx->bytes);
	free(fx);
	return 0;
}

/* The peer writes fx->bytes from `pumped` on, as much as the socket takes. */
static void
pump(struct fixture *fx)
{
	while (fx->pumped < fx->bytes.len) {
		ssize_t n = send(fx->peer, fx->bytes.data + fx->pumped, fx->bytes.len - fx->pumped, MSG_NOSIGNAL);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			return;
		}
		fx->pumped += (size_t)n;
	}
}

static int
note(void *arg, const struct ipc_msg *msg, struct err *err)
{
	struct fixture	*fx = arg;

	if (fx->seen < NELEM(fx->types))
		fx->types[fx->seen] = msg->type;
	fx->seen++;
	if (fx->refill)
		pump(fx);
	if (msg->type == IPC_PONG)
		fx->nonce_sum += msg->body.pong.nonce;
	if (msg->type == IPC_REJECTED)
		fx->payload_bytes += msg->body.rejected.payload.n;
	if (msg->type == fx->refuse)
		return err_set(err, ERR_AUTH, "not this one");
	return 0;
}

static void
add_hello(struct fixture *fx)
{
	union ipc_body body = { .hello = { .protocol_min = 1, .protocol_max = 1, .version = SLICE("4"), .program = SLICE("p") } };

	ipc_encode(&fx->bytes, IPC_HELLO, &body);
}

static void
add_pong(struct fixture *fx, uint64_t nonce)
{
	union ipc_body body = { .pong = { .nonce = nonce } };

	ipc_encode(&fx->bytes, IPC_PONG, &body);
}

/* The peer writes everything it has, which fits the socket. */
static void
peer_sends(struct fixture *fx)
{
	assert_int_equal(send(fx->peer, fx->bytes.data, fx->bytes.len, MSG_NOSIGNAL), (ssize_t)fx->bytes.len);
	buf_reset(&fx->bytes);
}

static int
read_once(struct fixture *fx)
{
	return channel_read(fx->ch, note, fx, &fx->err);
}

static void
assert_read_fails(struct fixture *fx, enum err_code code, const char *saying)
{
	assert_int_equal(read_once(fx), -1);
	assert_int_equal(fx->err.code, code);
	if (strstr(fx->err.text, saying) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", fx->err.text, saying);
}

/* Everything that is in the socket for the peer, into fx->bytes. */
static size_t
peer_takes(struct fixture *fx)
{
	static char chunk[70000];
	size_t	 got = 0;
	ssize_t	 n;

	while ((n = recv(fx->peer, chunk, sizeof(chunk), 0)) > 0) {
		buf_add(&fx->bytes, chunk, (size_t)n);
		got += (size_t)n;
	}
	assert_true(n == 0 || errno == EAGAIN);
	return got;
}

/* Decodes what the peer has received; returns the number of frames, all of them whole. */
static size_t
frames_of(struct fixture *fx, enum ipc_side from, channel_fn fn)
{
	struct ipc_arena arena = { 0 };
	struct ipc_msg	 msg;
	size_t		 at = 0, n = 0;

	while (at < fx->bytes.len) {
		uint32_t len = ipc_get_u32(fx->bytes.data + at);

		assert_true(fx->bytes.len - at - 4 >= len);
		assert_int_equal(ipc_decode(&msg, (struct slice){ (const char *)fx->bytes.data + at + 4, len }, from, &arena,
		    &fx->err), 0);
		assert_int_equal(fn(fx, &msg, &fx->err), 0);
		at += 4 + len;
		n++;
	}
	ipc_arena_free(&arena);
	return n;
}

static void
nothing_to_read_is_no_event(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(read_once(fx), 0);
	assert_int_equal(fx->seen, 0);
}

static void
messages_come_in_order(void **state)
{
	struct fixture *fx = *state;

	add_hello(fx);
	add_pong(fx, 1);
	add_pong(fx, 20);
	size_t sent = fx->bytes.len;
	peer_sends(fx);
	assert_int_equal(read_once(fx), 0);
	assert_int_equal(fx->seen, 3);
	assert_int_equal(fx->types[0], IPC_HELLO);
	assert_int_equal(fx->types[1], IPC_PONG);
	assert_int_equal(fx->nonce_sum, 21);
	assert_int_equal(channel_bytes_in(fx->ch), sent);
}

static void
bytes_that_come_one_by_one_make_the_same_messages(void **state)
{
	struct fixture *fx = *state;

	add_hello(fx);
	add_pong(fx, 300);
	add_pong(fx, 5);
	for (size_t i = 0; i < fx->bytes.len; i++) {
		assert_int_equal(send(fx->peer, fx->bytes.data + i, 1, MSG_NOSIGNAL), 1);
		assert_int_equal(read_once(fx), 0);
	}
	assert_int_equal(fx->seen, 3);
	assert_int_equal(fx->nonce_sum, 305);
	assert_int_equal(channel_bytes_in(fx->ch), fx->bytes.len);
}

static void
a_close_between_frames_is_the_good_end(void **state)
{
	struct fixture *fx = *state;

	add_hello(fx);
	peer_sends(fx);
	(void)close(fx->peer);
	fx->peer = -1;
	assert_int_equal(read_once(fx), 0);
	assert_int_equal(fx->seen, 1);
	assert_int_equal(read_once(fx), 1);
	assert_int_equal(read_once(fx), 1);
}

static void
a_close_with_our_bytes_unread_is_a_good_end_too(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(handshake_send(fx->ch, "eds", 1, &fx->err), 0);
	assert_int_equal(channel_flush(fx->ch, &fx->err), 0);
	add_hello(fx);
	peer_sends(fx);
	(void)close(fx->peer);
	fx->peer = -1;
	assert_int_equal(read_once(fx), 0);
	assert_int_equal(fx->seen, 1);
	assert_int_equal(read_once(fx), 1);
}

static void
a_close_inside_a_frame_is_an_error_wherever_it_is(void **state)
{
	struct fixture *fx = *state;

	add_hello(fx);
	for (size_t cut = 1; cut < fx->bytes.len; cut++) {
		int fds[2];
		struct channel *ch;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		ch = channel_new(fds[0], IPC_WORKER);
		assert_non_null(ch);
		assert_int_equal(send(fds[1], fx->bytes.data, cut, MSG_NOSIGNAL), (ssize_t)cut);
		(void)close(fds[1]);
		assert_int_equal(channel_read(ch, note, fx, &fx->err), 0);
		assert_int_equal(channel_read(ch, note, fx, &fx->err), -1);
		assert_int_equal(fx->err.code, ERR_INVALID);
		assert_non_null(strstr(fx->err.text, "middle of a frame"));
		channel_free(&ch);
	}
	assert_int_equal(fx->seen, 0);
}

static void
a_message_before_hello_is_refused(void **state)
{
	struct fixture *fx = *state;

	add_pong(fx, 1);
	peer_sends(fx);
	assert_read_fails(fx, ERR_INVALID, "PONG: sent before HELLO");
	assert_int_equal(fx->seen, 0);
}

static void
a_second_hello_is_refused(void **state)
{
	struct fixture *fx = *state;

	add_hello(fx);
	add_hello(fx);
	peer_sends(fx);
	assert_read_fails(fx, ERR_INVALID, "HELLO: sent twice");
	assert_int_equal(fx->seen, 1);
}

static void
we_may_not_speak_before_our_hello_either(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body = { .ping = { .nonce = 1 } };

	assert_int_equal(channel_send(fx->ch, IPC_PING, &body, &fx->err), -1);
	assert_int_equal(fx->err.code, ERR_INVALID);
	assert_false(channel_wants_write(fx->ch));
	assert_int_equal(handshake_send(fx->ch, "eds", 0, &fx->err), 0);
	assert_int_equal(channel_send(fx->ch, IPC_PING, &body, &fx->err), 0);
	assert_int_equal(handshake_send(fx->ch, "eds", 0, &fx->err), -1);
}

static void
a_message_of_the_other_side_ends_the_channel_for_good(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body = { .ping = { .nonce = 1 } };

	add_hello(fx);
	ipc_encode(&fx->bytes, IPC_PING, &body);	/* workers do not ping */
	add_pong(fx, 1);
	peer_sends(fx);
	assert_read_fails(fx, ERR_INVALID, "PING");
	assert_read_fails(fx, ERR_INVALID, "PING");
	assert_int_equal(fx->seen, 1);
}

static void
a_handler_that_refuses_ends_the_channel_with_its_words(void **state)
{
	struct fixture *fx = *state;

	fx->refuse = IPC_PONG;
	add_hello(fx);
	add_pong(fx, 1);
	add_pong(fx, 1);
	peer_sends(fx);
	assert_read_fails(fx, ERR_AUTH, "not this one");
	assert_int_equal(fx->seen, 2);
	assert_read_fails(fx, ERR_AUTH, "not this one");
	assert_int_equal(fx->seen, 2);
}

static void
a_length_out_of_range_is_refused_before_the_bytes_come(void **state)
{
	static const uint32_t wrong[] = { 0, IPC_FRAME_MAX + 1, UINT32_MAX };
	struct fixture *fx = *state;

	for (size_t i = 0; i < NELEM(wrong); i++) {
		uint8_t head[4];
		int fds[2];
		struct channel *ch;

		ipc_put_u32(head, wrong[i]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		ch = channel_new(fds[0], IPC_WORKER);
		assert_non_null(ch);
		assert_int_equal(send(fds[1], head, 4, MSG_NOSIGNAL), 4);
		assert_int_equal(channel_read(ch, note, fx, &fx->err), -1);
		assert_int_equal(fx->err.code, ERR_INVALID);
		assert_non_null(strstr(fx->err.text, "its length"));
		channel_free(&ch);
		(void)close(fds[1]);
	}
}

static size_t
memory_in_use(void)
{
	struct mallinfo2 mi = mallinfo2();

	return mi.uordblks + mi.hblkhd;
}

static void
an_announced_length_alone_takes_no_memory(void **state)
{
	struct fixture *fx = *state;
	uint8_t head[4];
	size_t before;

	add_hello(fx);
	peer_sends(fx);
	assert_int_equal(read_once(fx), 0);
	ipc_put_u32(head, IPC_FRAME_MAX);
	assert_int_equal(send(fx->peer, head, 4, MSG_NOSIGNAL), 4);
	before = memory_in_use();
	assert_int_equal(read_once(fx), 0);
	assert_int_equal(send(fx->peer, "\x92", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(read_once(fx), 0);
	assert_true(memory_in_use() < before + (1u << 20));
}

static void
a_frame_of_several_megabytes_arrives(void **state)
{
	struct fixture *fx = *state;
	size_t size = 5u << 20;
	char *big = malloc(size);
	union ipc_body body = { .rejected = { .payload = { big, size }, .reason = SLICE("r"), .subject = SLICE("s") } };

	assert_non_null(big);
	(void)memset(big, 'x', size);
	add_hello(fx);
	ipc_encode(&fx->bytes, IPC_REJECTED, &body);
	add_pong(fx, 4);
	while (fx->seen < 3) {
		pump(fx);
		assert_int_equal(read_once(fx), 0);
	}
	assert_int_equal(fx->payload_bytes, size);
	assert_int_equal(fx->nonce_sum, 4);
	free(big);
}

static void
one_call_reads_a_bounded_amount_however_busy_the_peer(void **state)
{
	struct fixture *fx = *state;

	add_hello(fx);
	while (fx->bytes.len < 4u << 20)
		add_pong(fx, 1);
	fx->refill = true;
	pump(fx);
	while (channel_bytes_in(fx->ch) < fx->bytes.len) {
		uint64_t before = channel_bytes_in(fx->ch);

		assert_int_equal(read_once(fx), 0);
		assert_true(channel_bytes_in(fx->ch) > before);
		assert_true(channel_bytes_in(fx->ch) - before <= 1u << 20);
		pump(fx);
	}
	assert_int_equal(fx->nonce_sum, fx->seen - 1);
}

static void
what_the_socket_does_not_take_stays_queued(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body = { .schema = { .table = SLICE("t"), .version = SLICE("v") } };
	size_t queued, sent = 1, size = 3u << 20;
	char *text = malloc(size);

	assert_non_null(text);
	(void)memset(text, 'j', size);
	body.schema.json = (struct slice){ text, size };
	assert_int_equal(handshake_send(fx->ch, "eds", 7, &fx->err), 0);
	assert_int_equal(channel_send(fx->ch, IPC_SCHEMA, &body, &fx->err), 0);
	queued = channel_queued(fx->ch);
	assert_true(queued > size);
	assert_int_equal(channel_flush(fx->ch, &fx->err), 0);
	assert_true(channel_queued(fx->ch) < queued);
	assert_true(channel_wants_write(fx->ch));
	assert_int_equal(channel_flush(fx->ch, &fx->err), 0);	/* full: nothing goes, nothing breaks */
	while (channel_wants_write(fx->ch)) {
		assert_true(peer_takes(fx) > 0);
		assert_int_equal(channel_flush(fx->ch, &fx->err), 0);
		if (sent++ == 2)	/* something new behind what is half gone */
			assert_int_equal(channel_send(fx->ch, IPC_PING, &(union ipc_body){ .ping = { 9, 0 } }, &fx->err), 0);
	}
	(void)peer_takes(fx);
	assert_int_equal(fx->bytes.len, channel_bytes_out(fx->ch));
	assert_int_equal(frames_of(fx, IPC_SUPERVISOR, note), 3);
	assert_int_equal(fx->types[0], IPC_HELLO);
	assert_int_equal(fx->types[1], IPC_SCHEMA);
	assert_int_equal(fx->types[2], IPC_PING);
	free(text);
}

static void
events_are_written_into_the_output_itself(void **state)
{
	struct fixture *fx = *state;
	struct ipc_events_writer w;

	assert_int_equal(handshake_send(fx->ch, "eds", 7, &fx->err), 0);
	ipc_events_begin(&w, channel_out(fx->ch));
	ipc_events_add(&w, 5, SLICE("subject"), SLICE("payload"));
	ipc_events_add(&w, 6, SLICE("subject"), SLICE("payload"));
	ipc_events_end(&w);
	assert_int_equal(channel_flush(fx->ch, &fx->err), 0);
	assert_false(channel_wants_write(fx->ch));
	(void)peer_takes(fx);
	assert_int_equal(frames_of(fx, IPC_SUPERVISOR, note), 2);
	assert_int_equal(fx->types[1], IPC_EVENTS);
}

static void
writing_to_a_peer_that_is_gone_is_an_error_and_no_signal(void **state)
{
	struct fixture *fx = *state;

	(void)close(fx->peer);
	fx->peer = -1;
	assert_int_equal(handshake_send(fx->ch, "eds", 7, &fx->err), 0);
	assert_int_equal(channel_flush(fx->ch, &fx->err), -1);
	assert_int_equal(fx->err.code, ERR_IO);
	assert_non_null(strstr(fx->err.text, "writing to the worker"));
}

static void
a_message_too_long_to_send_leaves_the_others_alone(void **state)
{
	struct fixture *fx = *state;
	char *big = calloc(1, IPC_FRAME_MAX);
	union ipc_body body = { .rejected = { .payload = { big, IPC_FRAME_MAX } } };
	size_t queued;

	assert_non_null(big);
	assert_int_equal(handshake_send(fx->ch, "eds", 7, &fx->err), 0);
	queued = channel_queued(fx->ch);
	assert_int_equal(channel_send(fx->ch, IPC_REJECTED, &body, &fx->err), -1);
	assert_int_equal(fx->err.code, ERR_TOOBIG);
	assert_int_equal(channel_queued(fx->ch), queued);
	assert_int_equal(channel_flush(fx->ch, &fx->err), 0);
	free(big);
}

static void
shortage_of_memory_for_events_fails_the_flush(void **state)
{
	struct fixture *fx = *state;

	assert_int_equal(handshake_send(fx->ch, "eds", 7, &fx->err), 0);
	assert_false(buf_reserve(channel_out(fx->ch), SIZE_MAX / 2));
	assert_int_equal(channel_flush(fx->ch, &fx->err), -1);
	assert_int_equal(fx->err.code, ERR_NOMEM);
}

/* A pair of channels, the second at the end of a worker, which takes descriptors if `accepts`. */
static struct channel *
worker_end(struct fixture *fx, bool accepts)
{
	struct channel	*other = channel_new(fx->peer, IPC_SUPERVISOR);

	assert_non_null(other);
	fx->peer = -1;
	if (accepts)
		channel_accept_fds(other);
	return other;
}

struct taker {
	struct channel	*ch;
	unsigned	 files, pings;
	char		 read[8];		/* first byte of each file, in the order of their messages */
};

static int
take_file(void *arg, const struct ipc_msg *msg, struct err *err)
{
	struct taker	*t = arg;
	int		 fd;

	if (msg->type == IPC_PING)
		t->pings++;
	if (msg->type != IPC_IMPORT_FILE)
		return 0;
	if ((fd = channel_take_fd(t->ch)) == -1)
		return err_set(err, ERR_INVALID, "no descriptor");
	assert_int_equal(pread(fd, &t->read[t->files++], 1, 0), 1);
	(void)close(fd);
	return 0;
}

static void
send_file(struct fixture *fx, char content)
{
	FILE	*f = tmpfile();

	assert_non_null(f);
	assert_int_equal(fputc(content, f), content);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(channel_send_fd(fx->ch, IPC_IMPORT_FILE, &(union ipc_body){ .import_file = { .name = SLICE("n"),
		.mvcc_timestamp = SLICE("1") } }, fileno(f), &fx->err), 0);
	(void)fclose(f);	/* the channel has its own */
}

static void
descriptors_arrive_with_their_messages(void **state)
{
	struct fixture	*fx = *state;
	struct channel	*other = worker_end(fx, true);
	struct taker	 t = { .ch = other };
	union ipc_body	 hello = { .hello = { .protocol_min = 1, .protocol_max = 1, .version = SLICE("4"), .program = SLICE("p") } };
	union ipc_body	 ping = { .ping = { .nonce = 1 } };

	assert_int_equal(channel_send(fx->ch, IPC_HELLO, &hello, &fx->err), 0);
	for (char c = 'a'; c < 'd'; c++) {
		assert_int_equal(channel_send(fx->ch, IPC_PING, &ping, &fx->err), 0);
		send_file(fx, c);
	}
	assert_int_equal(channel_send(fx->ch, IPC_PING, &ping, &fx->err), 0);
	while (channel_wants_write(fx->ch) || t.pings < 4) {
		assert_int_equal(channel_flush(fx->ch, &fx->err), 0);
		assert_int_equal(channel_read(other, take_file, &t, &fx->err), 0);
	}
	assert_int_equal(t.files, 3);
	assert_memory_equal(t.read, "abc", 3);
	assert_int_equal(channel_take_fd(other), -1);
	channel_free(&other);
}

static unsigned
open_descriptors(void)
{
	unsigned	 n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
descriptors_nobody_asked_for_do_not_come_in(void **state)
{
	struct fixture	*fx = *state;
	struct channel	*other = worker_end(fx, false);
	struct taker	 t = { .ch = other };
	union ipc_body	 hello = { .hello = { .protocol_min = 1, .protocol_max = 1, .version = SLICE("4"), .program = SLICE("p") } };
	unsigned	 before = open_descriptors();

	assert_int_equal(channel_send(fx->ch, IPC_HELLO, &hello, &fx->err), 0);
	for (unsigned i = 0; i < CHANNEL_FDS; i++)
		send_file(fx, 'x');
	assert_int_equal(channel_send_fd(fx->ch, IPC_STOP, &(union ipc_body){ .empty = { 0 } }, 0, &fx->err), -1);
	assert_int_equal(fx->err.code, ERR_TOOBIG);
	assert_int_equal(channel_flush(fx->ch, &fx->err), 0);
	assert_int_equal(channel_read(other, take_file, &t, &fx->err), -1);
	assert_string_equal(fx->err.text, "no descriptor");
	channel_free(&other);
	channel_free(&fx->ch);
	assert_int_equal(open_descriptors(), before - 2);	/* none is left open */
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nothing_to_read_is_no_event),
		T(messages_come_in_order),
		T(bytes_that_come_one_by_one_make_the_same_messages),
		T(a_close_between_frames_is_the_good_end),
		T(a_close_with_our_bytes_unread_is_a_good_end_too),
		T(a_close_inside_a_frame_is_an_error_wherever_it_is),
		T(a_message_before_hello_is_refused),
		T(a_second_hello_is_refused),
		T(we_may_not_speak_before_our_hello_either),
		T(a_message_of_the_other_side_ends_the_channel_for_good),
		T(a_handler_that_refuses_ends_the_channel_with_its_words),
		T(a_length_out_of_range_is_refused_before_the_bytes_come),
		T(an_announced_length_alone_takes_no_memory),
		T(a_frame_of_several_megabytes_arrives),
		T(one_call_reads_a_bounded_amount_however_busy_the_peer),
		T(what_the_socket_does_not_take_stays_queued),
		T(events_are_written_into_the_output_itself),
		T(writing_to_a_peer_that_is_gone_is_an_error_and_no_signal),
		T(a_message_too_long_to_send_leaves_the_others_alone),
		T(shortage_of_memory_for_events_fails_the_flush),
		T(descriptors_arrive_with_their_messages),
		T(descriptors_nobody_asked_for_do_not_come_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
