/* The control socket, with the client that edsctl uses and with clients that behave badly. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/base/log.h"
#include "ipc/handshake.h"
#include "supervisor/control/control.h"
#include "supervisor/control/control_commands.h"
#include "supervisor/control/control_path.h"
#include "supervisor/control/edsctl_client.h"

static char			 dir[400];
static struct ev_loop		*loop;
static struct control		*control;

/* What the owner of the socket was told, and whether it answers at once. */
static struct {
	struct control_request	*held;
	bool			 hold;
	int			 calls;
	char			 verb[20];
	char			 args[100];
} owner;

static void
on_command(void *arg, struct control_request *req, const char *verb, const struct ipc_strs *args)
{
	size_t	 at = 0;

	(void)arg;
	owner.calls++;
	(void)snprintf(owner.verb, sizeof(owner.verb), "%s", verb);
	owner.args[0] = '\0';
	for (size_t i = 0; i < args->n; i++)
		at += (size_t)snprintf(owner.args + at, sizeof(owner.args) - at, "%s" SLICE_FMT, i == 0 ? "" : " ", SLICE_ARG(args->v[i]));
	if (owner.hold)
		owner.held = req;
	else if (strcmp(verb, "status") == 0)
		control_reply(req, CONTROL_DEGRADED, "{\"version\":1}");
	else if (strcmp(verb, "why") == 0)
		control_reply_error(req, CONTROL_FAILED, "no destination \"%s\"", owner.args);
	else
		control_reply_message(req, "done");
}

static int
setup(void **state)
{
	(void)state;
	(void)memset(&owner, 0, sizeof(owner));
	(void)snprintf(dir, sizeof(dir), "/tmp/eds-control-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	loop = ev_loop_new(EVFLAG_AUTO);
	return control_new(&control, loop, dir, on_command, NULL, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	control_free(&control);
	ev_loop_destroy(loop);
	return rmdir(dir);
}

/* A call by the real client, on a thread of its own, while the loop turns here. */
struct call {
	struct edsctl_call	 what;
	struct edsctl_answer	 answer;
	struct err		 err;
	int			 rc;
	ev_async		 done;
	pthread_t		 thread;
};

static void
on_done(struct ev_loop *l, ev_async *w, int events)
{
	(void)events;
	ev_async_stop(l, w);
	ev_break(l, EVBREAK_ONE);
}

static void *
call_thread(void *arg)
{
	struct call	*c = arg;

	c->rc = edsctl_call(&c->what, &c->answer, &c->err);
	ev_async_send(loop, &c->done);
	return NULL;
}

static void
call_start(struct call *c, const char *verb, const char *const *args, size_t n_args)
{
	*c = (struct call){ .what = { .data_dir = dir, .verb = verb, .args = args, .n_args = n_args, .timeout_ms = 20000 } };
	ev_async_init(&c->done, on_done);
	ev_async_start(loop, &c->done);
	assert_int_equal(pthread_create(&c->thread, NULL, call_thread, c), 0);
}

static void
call_finish(struct call *c)
{
	while (ev_is_active(&c->done))
		(void)ev_run(loop, EVRUN_ONCE);
	assert_int_equal(pthread_join(c->thread, NULL), 0);
}

static void
expect(const char *verb, const char *const *args, size_t n_args, unsigned status, const char *json)
{
	struct call	 c;

	call_start(&c, verb, args, n_args);
	call_finish(&c);
	if (c.rc != 0)
		fail_msg("%s: %s", verb, c.err.text);
	assert_string_equal(buf_cstr(&c.answer.json), json);
	assert_int_equal(c.answer.status, status);
	buf_free(&c.answer.json);
}

/* A client by hand. */
static int
raw_connect(void)
{
	struct sockaddr_un	 sun;
	int			 dir_fd = control_dir_open(dir, NULL), fd;

	assert_int_not_equal(dir_fd, -1);
	control_address(dir_fd, &sun);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	(void)close(dir_fd);
	return fd;
}

static void
send_all(int fd, const struct buf *b)
{
	assert_int_equal(send(fd, b->data, b->len, MSG_NOSIGNAL), b->len);
}

static void
add_hello(struct buf *out, uint64_t protocol)
{
	union ipc_body	 body = { 0 };

	body.hello = (struct ipc_hello_body){ .protocol_min = protocol, .protocol_max = protocol, .version = SLICE("9.9.9"),
	    .program = SLICE("edsctl") };
	ipc_encode(out, IPC_HELLO, &body);
}

static void
add_command(struct buf *out, const char *verb)
{
	union ipc_body	 body = { 0 };

	body.command.verb = slice_of(verb);
	ipc_encode(out, IPC_COMMAND, &body);
}

/* Turns the loop until the peer has closed; what it said before is in `heard`. */
static void
read_to_end(int fd, struct buf *heard)
{
	char	 bytes[4096];
	ssize_t	 n;

	for (;;) {
		(void)ev_run(loop, EVRUN_NOWAIT);
		while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
			buf_add(heard, bytes, (size_t)n);
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			break;
		(void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5);
	}
	(void)close(fd);
}

static bool
contains(const struct buf *b, const char *text)
{
	return b->len > 0 && memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static void
wait_until_clients_are(size_t n)
{
	while (control_clients(control) != n)
		(void)ev_run(loop, EVRUN_ONCE);
}

static void
a_command_gets_its_answer(void **state)
{
	(void)state;
	expect("status", NULL, 0, CONTROL_DEGRADED, "{\"version\":1}");
	expect("ping", NULL, 0, CONTROL_OK, "{\"version\":1,\"ok\":true,\"message\":\"done\"}");
	expect("restart", (const char *const[]){ "worker", "file" }, 2, CONTROL_OK, "{\"version\":1,\"ok\":true,\"message\":\"done\"}");
	assert_string_equal(owner.verb, "restart");
	assert_string_equal(owner.args, "worker file");
	expect("why", (const char *const[]){ "x\"y" }, 1, CONTROL_FAILED,
	    "{\"version\":1,\"ok\":false,\"error\":\"no destination \\\"x\\\"y\\\"\"}");
	wait_until_clients_are(0);
}

static void
unknown_verbs_and_wrong_arguments_never_reach_the_owner(void **state)
{
	struct call	 c;

	(void)state;
	for (const char *const *verb = (const char *const[]){ "selfdestruct", "help", "why", "restart", NULL }; *verb != NULL; verb++) {
		call_start(&c, *verb, (const char *const[]){ "a", "b" }, strcmp(*verb, "why") == 0 ? 0 : 2);
		call_finish(&c);
		assert_int_equal(c.rc, 0);
		assert_int_equal(c.answer.status, CONTROL_USAGE);
		assert_true(contains(&c.answer.json, "\"ok\":false"));
		buf_free(&c.answer.json);
	}
	assert_int_equal(owner.calls, 0);
}

static void
an_answer_may_come_later(void **state)
{
	struct call	 c;

	(void)state;
	owner.hold = true;
	control_set_deadline(control, 1000);	/* must not strike while the owner thinks */
	call_start(&c, "restart", NULL, 0);
	while (owner.held == NULL)
		(void)ev_run(loop, EVRUN_ONCE);
	for (int i = 0; i < 120; i++) {
		(void)poll(NULL, 0, 10);
		(void)ev_run(loop, EVRUN_NOWAIT);
	}
	control_set_deadline(control, CONTROL_DEADLINE_MS);
	assert_int_equal(control_clients(control), 1);
	control_reply_message(owner.held, "drained");
	call_finish(&c);
	assert_int_equal(c.rc, 0);
	assert_true(contains(&c.answer.json, "drained"));
	buf_free(&c.answer.json);
}

static void
a_client_that_left_before_the_answer_is_no_trouble(void **state)
{
	struct buf	 out = { 0 };
	int		 fd = raw_connect();

	(void)state;
	owner.hold = true;
	add_hello(&out, 1);
	add_command(&out, "restart");
	send_all(fd, &out);
	while (owner.held == NULL)
		(void)ev_run(loop, EVRUN_ONCE);
	(void)close(fd);
	wait_until_clients_are(0);
	control_reply_message(owner.held, "too late");
	buf_free(&out);
	owner.hold = false;
	expect("status", NULL, 0, CONTROL_DEGRADED, "{\"version\":1}");
}

static void
a_request_survives_the_end_of_the_socket(void **state)
{
	struct buf	 out = { 0 };
	int		 fd = raw_connect();

	(void)state;
	owner.hold = true;
	add_hello(&out, 1);
	add_command(&out, "restart");
	send_all(fd, &out);
	while (owner.held == NULL)
		(void)ev_run(loop, EVRUN_ONCE);
	control_free(&control);
	control_reply_message(owner.held, "the server is gone");
	(void)close(fd);
	buf_free(&out);
}

static void
a_malformed_frame_ends_that_client_only(void **state)
{
	static const char	*const bad[] = { "\0\0\0\0", "\xff\xff\xff\xff", "\0\0\0\3abc", "\0\0\0\2\x92\1" };
	static const size_t	 sizes[] = { 4, 4, 7, 6 };
	int			 good = raw_connect();
	struct buf		 hello = { 0 }, heard = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		int fd = raw_connect();

		assert_int_equal(send(fd, bad[i], sizes[i], MSG_NOSIGNAL), sizes[i]);
		read_to_end(fd, &heard);
		assert_true(contains(&heard, "reason"));	/* of the GOODBYE */
		buf_reset(&heard);
	}
	add_hello(&hello, 1);
	add_command(&hello, "status");
	send_all(good, &hello);
	assert_int_equal(control_clients(control), 1);
	while (owner.calls == 0)
		(void)ev_run(loop, EVRUN_ONCE);
	assert_int_equal(shutdown(good, SHUT_WR), 0);
	read_to_end(good, &heard);
	assert_true(contains(&heard, "{\"version\":1}"));
	buf_free(&hello);
	buf_free(&heard);
}

static void
a_command_before_hello_or_a_second_one_ends_the_client(void **state)
{
	struct buf	 out = { 0 }, heard = { 0 };
	int		 fd = raw_connect();

	(void)state;
	add_command(&out, "status");
	send_all(fd, &out);
	read_to_end(fd, &heard);
	assert_int_equal(owner.calls, 0);
	owner.hold = true;
	buf_reset(&out);
	add_hello(&out, 1);
	add_command(&out, "ping");
	add_command(&out, "ping");
	fd = raw_connect();
	send_all(fd, &out);
	read_to_end(fd, &heard);
	assert_true(contains(&heard, "second command"));
	assert_int_equal(owner.calls, 1);
	control_reply_message(owner.held, "nobody hears this");
	buf_free(&out);
	buf_free(&heard);
}

static void
versions_that_do_not_fit_are_named_to_the_client(void **state)
{
	struct buf	 out = { 0 }, heard = { 0 };
	int		 fd = raw_connect();

	(void)state;
	add_hello(&out, 77);
	send_all(fd, &out);
	read_to_end(fd, &heard);
	assert_true(contains(&heard, "9.9.9"));
	assert_true(contains(&heard, "same package"));
	buf_free(&out);
	buf_free(&heard);
}

static void
too_many_clients_are_refused_with_a_reason(void **state)
{
	int		 fds[CONTROL_CLIENTS_MAX];
	struct call	 c;

	(void)state;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = raw_connect();
		wait_until_clients_are(i + 1);
	}
	call_start(&c, "ping", NULL, 0);
	call_finish(&c);
	assert_int_equal(c.rc, -1);
	assert_int_equal(c.err.code, ERR_CONFLICT);
	assert_non_null(strstr(c.err.text, "32 clients"));
	(void)close(fds[0]);
	wait_until_clients_are(CONTROL_CLIENTS_MAX - 1);
	expect("ping", NULL, 0, CONTROL_OK, "{\"version\":1,\"ok\":true,\"message\":\"done\"}");
	for (size_t i = 1; i < CONTROL_CLIENTS_MAX; i++)
		(void)close(fds[i]);
	wait_until_clients_are(0);
}

static void
silence_ends_a_client(void **state)
{
	struct buf	 heard = { 0 };
	int		 fd;

	(void)state;
	control_set_deadline(control, 20);
	fd = raw_connect();
	read_to_end(fd, &heard);
	assert_true(contains(&heard, "in time"));
	assert_int_equal(control_clients(control), 0);
	buf_free(&heard);
}

static void
a_client_that_does_not_take_its_answer_is_dropped(void **state)
{
	size_t		 n = 8u << 20;
	char		*big = malloc(n);
	struct buf	 out = { 0 };
	int		 fd;

	(void)state;
	(void)memset(big, ' ', n - 1);
	big[n - 1] = '\0';
	owner.hold = true;
	control_set_deadline(control, 20);
	fd = raw_connect();
	add_hello(&out, 1);
	add_command(&out, "status");
	send_all(fd, &out);
	while (owner.held == NULL)
		(void)ev_run(loop, EVRUN_ONCE);
	control_reply(owner.held, CONTROL_OK, big);
	wait_until_clients_are(0);
	(void)close(fd);
	free(big);
	buf_free(&out);
}

static void
a_large_answer_arrives_whole(void **state)
{
	size_t		 n = 3u << 20;
	char		*big = malloc(n);
	struct call	 c;

	(void)state;
	(void)memset(big, 'x', n - 1);
	big[n - 1] = '\0';
	owner.hold = true;
	call_start(&c, "status", NULL, 0);
	while (owner.held == NULL)
		(void)ev_run(loop, EVRUN_ONCE);
	control_reply(owner.held, CONTROL_OK, big);
	call_finish(&c);
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.answer.json.len, n - 1);
	assert_string_equal(buf_cstr(&c.answer.json), big);
	buf_free(&c.answer.json);
	free(big);
}

static void
the_socket_is_private_replaces_a_leftover_and_goes_with_the_server(void **state)
{
	struct control	*second = NULL;
	struct stat	 st;
	struct err	 err = { 0 };
	char		 path[sizeof(dir) + 20];
	int		 fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, CONTROL_SOCKET);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(control_new(&second, loop, dir, on_command, NULL, &err), 0);
	control_free(&second);
	assert_int_equal(lstat(path, &st), -1);

	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	(void)close(fd);
	assert_int_equal(control_new(&second, loop, dir, on_command, NULL, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(control_new(&second, loop, "/nonexistent/dir", on_command, NULL, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
}

static void
a_data_directory_with_a_long_path_works(void **state)
{
	struct control	*second = NULL;
	char		 sub[120], outer[sizeof(dir)], path[sizeof(dir) + 20];

	(void)state;
	(void)memset(sub, 'd', sizeof(sub) - 1);
	sub[sizeof(sub) - 1] = '\0';
	(void)snprintf(outer, sizeof(outer), "%s", dir);
	(void)snprintf(dir, sizeof(dir), "%.200s/%s", outer, sub);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(control_new(&second, loop, dir, on_command, NULL, NULL), 0);
	expect("ping", NULL, 0, CONTROL_OK, "{\"version\":1,\"ok\":true,\"message\":\"done\"}");
	(void)snprintf(path, sizeof(path), "%s/%s", dir, CONTROL_SOCKET);
	assert_int_equal(access(path, F_OK), 0);
	control_free(&second);
	assert_int_equal(rmdir(dir), 0);
	(void)snprintf(dir, sizeof(dir), "%s", outer);
}

static void
no_server_is_said_with_the_place_that_was_looked_at(void **state)
{
	struct edsctl_call	 what = { .data_dir = dir, .verb = "ping", .timeout_ms = 1000 };
	struct edsctl_answer	 answer;
	struct err		 err = { 0 };

	(void)state;
	control_free(&control);
	assert_int_equal(edsctl_call(&what, &answer, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_non_null(strstr(err.text, dir));
	assert_non_null(strstr(err.text, "is it running?"));
	what.data_dir = "/nonexistent/dir";
	assert_int_equal(edsctl_call(&what, &answer, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
}

static void
a_server_that_does_not_answer_is_not_waited_for_forever(void **state)
{
	struct edsctl_call	 what = { .data_dir = dir, .verb = "ping", .timeout_ms = 10 };
	struct edsctl_answer	 answer;
	struct err		 err = { 0 };

	(void)state;
	assert_int_equal(edsctl_call(&what, &answer, &err), -1);	/* nobody turns the loop */
	assert_int_equal(err.code, ERR_TEMPORARY);
	assert_non_null(strstr(err.text, "did not answer"));
}

/* Needs root, to be somebody else for a moment; the modes are opened so that only the server itself can refuse. */
static void
another_user_is_refused(void **state)
{
	char	 path[sizeof(dir) + 20];
	int	 st;
	pid_t	 pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	(void)snprintf(path, sizeof(path), "%s/%s", dir, CONTROL_SOCKET);
	assert_int_equal(chmod(dir, 0711), 0);
	assert_int_equal(chmod(path, 0666), 0);
	if ((pid = fork()) == 0) {
		struct edsctl_call	 what = { .data_dir = dir, .verb = "ping", .timeout_ms = 20000 };
		struct edsctl_answer	 answer;
		struct err		 err = { 0 };

		if (setuid(65534) != 0 || edsctl_call(&what, &answer, &err) == 0)
			_exit(1);
		_exit(err.code == ERR_CONFLICT && strstr(err.text, "user 65534") != NULL ? 0 : 2);
	}
	while (waitpid(pid, &st, WNOHANG) == 0) {
		(void)ev_run(loop, EVRUN_NOWAIT);
		(void)poll(NULL, 0, 1);
	}
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
	assert_int_equal(owner.calls, 0);
}

static void
every_verb_has_its_row(void **state)
{
	size_t				 n;
	const struct control_command	*c = control_commands(&n);

	(void)state;
	assert_true(n >= 10);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(control_command_find(slice_of(c[i].verb)), &c[i]);
		assert_true(c[i].args_min <= c[i].args_max);
		assert_true(c[i].since >= IPC_PROTOCOL_MIN && c[i].since <= IPC_PROTOCOL_MAX);
		assert_true(strlen(c[i].help) > 0);
	}
	assert_null(control_command_find(SLICE("")));
}

/* The verb, and each word that its usage shows in small letters, such as "worker" or "--json". */
static void
every_verb_stands_in_the_page_with_its_words(void **state)
{
	size_t				 n, got;
	const struct control_command	*c = control_commands(&n);
	char				 page[40000], wanted[64], word[32];
	FILE				*file = fopen("supervisor/control/edsctl.8", "re");

	(void)state;
	assert_non_null(file);
	got = fread(page, 1, sizeof(page) - 1, file);
	(void)fclose(file);
	page[got] = '\0';
	assert_true(got > 1000 && got < sizeof(page) - 1);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(wanted, sizeof(wanted), "\n.It Cm %s", c[i].verb);
		if (strstr(page, wanted) == NULL)
			fail_msg("edsctl.8 lacks %s", c[i].verb);
		for (const char *p = c[i].usage; *(p += strcspn(p, "abcdefghijklmnopqrstuvwxyz")) != '\0'; p += strlen(word)) {
			(void)snprintf(word, sizeof(word), "%.*s", (int)strspn(p, "abcdefghijklmnopqrstuvwxyz"), p);
			if (strstr(page, word) == NULL)
				fail_msg("edsctl.8 lacks %s %s", c[i].verb, word);
		}
	}
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_command_gets_its_answer),
		T(unknown_verbs_and_wrong_arguments_never_reach_the_owner),
		T(an_answer_may_come_later),
		T(a_client_that_left_before_the_answer_is_no_trouble),
		T(a_request_survives_the_end_of_the_socket),
		T(a_malformed_frame_ends_that_client_only),
		T(a_command_before_hello_or_a_second_one_ends_the_client),
		T(versions_that_do_not_fit_are_named_to_the_client),
		T(too_many_clients_are_refused_with_a_reason),
		T(silence_ends_a_client),
		T(a_client_that_does_not_take_its_answer_is_dropped),
		T(a_large_answer_arrives_whole),
		T(the_socket_is_private_replaces_a_leftover_and_goes_with_the_server),
		T(a_data_directory_with_a_long_path_works),
		T(no_server_is_said_with_the_place_that_was_looked_at),
		T(a_server_that_does_not_answer_is_not_waited_for_forever),
		T(another_user_is_refused),
		cmocka_unit_test(every_verb_has_its_row),
		cmocka_unit_test(every_verb_stands_in_the_page_with_its_words),
	};

	log_init(LOG_ERROR, false, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
