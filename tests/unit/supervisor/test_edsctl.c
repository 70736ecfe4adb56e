/* The program edsctl itself, beside this one in the build directory, talking to a control socket of ours. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/base/log.h"
#include "supervisor/control/control.h"
#include "supervisor/control/control_path.h"

static char		 dir[40], program[4096];
static struct ev_loop	*loop;
static struct control	*control;
static unsigned		 status_status;

static void
on_command(void *arg, struct control_request *req, const char *verb, const struct ipc_strs *args)
{
	(void)arg;
	if (strcmp(verb, "status") == 0)
		control_reply(req, status_status, "{\"version\":1,\"server\":{\"id\":\"6a0f\"},\"destinations\":[{\"name\":\"file\"}]}");
	else if (strcmp(verb, "check") == 0)
		control_reply(req, CONTROL_OK, "[]");
	else if (args->n == 1)
		control_reply_error(req, CONTROL_FAILED, "no destination \"" SLICE_FMT "\"", SLICE_ARG(args->v[0]));
	else
		control_reply_message(req, "done");
}

static int
setup(void **state)
{
	ssize_t	 n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char	*cut;

	(void)state;
	if (n < 0)
		return -1;
	program[n] = '\0';
	if ((cut = strstr(program, "/tests/unit/")) == NULL)
		return -1;
	(void)snprintf(cut, sizeof(program) - (size_t)(cut - program), "/edsctl");
	(void)snprintf(dir, sizeof(dir), "/tmp/eds-edsctl-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	status_status = CONTROL_OK;
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

struct run {
	pid_t		 pid;
	int		 fds[2];	/* its stdout and stderr */
	struct buf	 text[2];
	int		 status;	/* exit status, -1 while it runs */
};

static void
run_start(struct run *r, const char *const *words)
{
	const char	*argv[12] = { "edsctl", "-d", dir };
	int		 pipes[2][2];

	*r = (struct run){ .status = -1 };
	for (size_t i = 3; i < NELEM(argv) - 1 && *words != NULL; i++)
		argv[i] = *words++;
	assert_int_equal(pipe2(pipes[0], O_CLOEXEC), 0);
	assert_int_equal(pipe2(pipes[1], O_CLOEXEC), 0);
	if ((r->pid = fork()) == 0) {
		union {
			const char	*const *in;
			char		*const *out;
		} args = { .in = argv };

		(void)dup2(pipes[0][1], STDOUT_FILENO);
		(void)dup2(pipes[1][1], STDERR_FILENO);
		(void)unsetenv("COLUMNS");
		(void)execv(program, args.out);
		_exit(127);
	}
	assert_true(r->pid > 0);
	for (size_t i = 0; i < 2; i++) {
		(void)close(pipes[i][1]);
		r->fds[i] = pipes[i][0];
		(void)fcntl(r->fds[i], F_SETFL, O_NONBLOCK);
	}
}

/* One turn: our loop, and what the program has written; false once it has ended and all is read. */
static bool
run_turn(struct run *r)
{
	char	 bytes[4096];
	ssize_t	 n;
	int	 st;
	bool	 ended = waitpid(r->pid, &st, WNOHANG) == r->pid;

	(void)ev_run(loop, EVRUN_NOWAIT);
	for (size_t i = 0; i < 2; i++) {
		while ((n = read(r->fds[i], bytes, sizeof(bytes))) > 0)
			buf_add(&r->text[i], bytes, (size_t)n);
	}
	if (ended) {
		r->status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
		(void)close(r->fds[0]);
		(void)close(r->fds[1]);
		return false;
	}
	(void)poll(&(struct pollfd){ .fd = r->fds[0], .events = POLLIN }, 1, 2);
	return true;
}

static void
expect(const char *const *words, int status, const char *on_stdout, const char *on_stderr)
{
	struct run	 r;

	run_start(&r, words);
	while (run_turn(&r))
		continue;
	if (r.status != status)
		fail_msg("%s: exit status %d, stderr: %s", words[0], r.status, buf_cstr(&r.text[1]));
	if (strstr(buf_cstr(&r.text[0]), on_stdout) == NULL)
		fail_msg("\"%s\" is not in: %s", on_stdout, buf_cstr(&r.text[0]));
	if (strstr(buf_cstr(&r.text[1]), on_stderr) == NULL)
		fail_msg("\"%s\" is not in: %s", on_stderr, buf_cstr(&r.text[1]));
	assert_true((on_stdout[0] == '\0') == (r.text[0].len == 0));
	assert_true((on_stderr[0] == '\0') == (r.text[1].len == 0));
	buf_free(&r.text[0]);
	buf_free(&r.text[1]);
}
#define WORDS(...)	((const char *const[]){ __VA_ARGS__, NULL })

static void
the_exit_status_is_the_servers(void **state)
{
	(void)state;
	expect(WORDS("ping"), 0, "done\n", "");
	expect(WORDS("status"), 0, "DESTINATION", "");
	status_status = CONTROL_DEGRADED;
	expect(WORDS("status"), 4, "DESTINATION", "");
	expect(WORDS("why", "nobody"), 1, "", "no destination \"nobody\"\n");
	expect(WORDS("pause"), 0, "done\n", "");
}

static void
json_is_passed_on_as_it_came(void **state)
{
	(void)state;
	expect(WORDS("status", "--json"), 0, "{\"version\":1,\"server\":{\"id\":\"6a0f\"},\"destinations\":[{\"name\":\"file\"}]}\n", "");
	expect(WORDS("--json", "why", "x"), 1, "{\"version\":1,\"ok\":false,\"error\":\"no destination \\\"x\\\"\"}\n", "");
}

static void
wrong_usage_is_2_and_the_server_is_not_asked(void **state)
{
	(void)state;
	expect(WORDS("frobnicate"), 2, "", "no verb \"frobnicate\"");
	expect(WORDS("why"), 2, "", "usage: edsctl why NAME");
	expect(WORDS("restart", "file"), 2, "", "usage: edsctl restart [worker NAME]");
	expect(WORDS("ping", "--watch"), 2, "", "--watch goes with status only");
	expect(WORDS("ping", "--timeout", "soon"), 2, "", "whole seconds");
	expect(WORDS("--no-such-option"), 2, "", "edsctl help");
	expect(WORDS("-h"), 0, "exit status: 0 fine", "");
	expect(WORDS("help", "why"), 0, "usage: edsctl why NAME", "");
	expect(WORDS("version"), 0, "edsctl " EDS_VERSION "\n", "");
}

static void
no_server_is_3_and_says_where_it_looked(void **state)
{
	(void)state;
	control_free(&control);
	expect(WORDS("status"), 3, "", "/eds.sock; is it running?");
	expect(WORDS("status", "--watch"), 3, "", dir);
}

static void
an_answer_that_is_no_document_is_a_failure(void **state)
{
	(void)state;
	expect(WORDS("check"), 1, "", "no JSON object");
}

static void
watch_repeats_until_it_is_interrupted(void **state)
{
	struct run	 r;

	(void)state;
	run_start(&r, WORDS("status", "--watch"));
	while (strstr(buf_cstr(&r.text[0]), "\n---\n") == NULL)
		assert_true(run_turn(&r));
	assert_int_equal(kill(r.pid, SIGINT), 0);
	while (run_turn(&r))
		continue;
	assert_int_equal(r.status, 0);
	assert_int_equal(r.text[1].len, 0);
	buf_free(&r.text[0]);
	buf_free(&r.text[1]);
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_exit_status_is_the_servers),
		T(json_is_passed_on_as_it_came),
		T(wrong_usage_is_2_and_the_server_is_not_asked),
		T(no_server_is_3_and_says_where_it_looked),
		T(an_answer_that_is_no_document_is_a_failure),
		T(watch_repeats_until_it_is_interrupted),
	};

	log_init(LOG_ERROR, false, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
