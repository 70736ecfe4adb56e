/* One child process whose output is kept to its last part. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/base/buf.h"
#include "supervisor/upgrade/run.h"

#define SAID_MAX	4096

extern char	**environ;

struct run {
	struct ev_loop	*loop;
	pid_t		 pid;		/* 0: it has ended */
	int		 fd;		/* its output; -1: at its end */
	ev_child	 exited;
	ev_io		 readable;
	ev_timer	 limit;
	bool		 late;
	int		 status;
	struct buf	 said;
	run_fn		 fn;
	void		*arg;
};

static void
run_free(struct run *r)
{
	ev_child_stop(r->loop, &r->exited);
	ev_io_stop(r->loop, &r->readable);
	ev_timer_stop(r->loop, &r->limit);
	if (r->pid > 0)
		(void)kill(r->pid, SIGKILL);
	if (r->fd != -1)
		(void)close(r->fd);
	buf_free(&r->said);
	free(r);
}

/* When it has ended and all it said is here. */
static void
finish(struct run *r)
{
	run_fn		 fn = r->fn;
	void		*arg = r->arg;
	int		 status = r->late ? -1 : r->status;
	struct buf	 said = r->said;

	if (r->pid > 0 || r->fd != -1)
		return;
	r->said = (struct buf){ 0 };
	run_free(r);
	fn(arg, status, buf_cstr(&said));
	buf_free(&said);
}

static void
on_exited(struct ev_loop *loop, ev_child *w, int events)
{
	struct run	*r = w->data;

	(void)events;
	ev_child_stop(loop, w);
	r->pid = 0;
	r->status = w->rstatus;
	finish(r);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct run	*r = w->data;
	char		 part[1024];
	ssize_t		 n = read(r->fd, part, sizeof(part));

	(void)events;
	if (n > 0) {
		buf_add(&r->said, part, (size_t)n);
		if (r->said.len > SAID_MAX)
			buf_consume(&r->said, r->said.len - SAID_MAX);
		return;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	ev_io_stop(loop, w);
	(void)close(r->fd);
	r->fd = -1;
	finish(r);
}

static void
on_limit(struct ev_loop *loop, ev_timer *w, int events)
{
	struct run	*r = w->data;

	(void)loop;
	(void)events;
	r->late = true;
	if (r->pid > 0)
		(void)kill(r->pid, SIGKILL);
}

static int
spawn(struct run *r, const char *const *argv, struct err *err)
{
	union { const char *const *in; char *const *out; } args = { .in = argv };
	posix_spawn_file_actions_t	 actions;
	posix_spawnattr_t		 attr;
	sigset_t			 none, usual;
	int				 fds[2], rc;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
		return err_sys(err, "%s", argv[0]);
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
	(void)sigemptyset(&none);
	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE);
	(void)posix_spawnattr_init(&attr);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setsigdefault(&attr, &usual);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawnp(&r->pid, argv[0], &actions, &attr, args.out, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	(void)close(fds[1]);
	r->fd = fds[0];
	if (rc == 0)
		return 0;
	r->pid = 0;
	errno = rc;
	return err_sys(err, "cannot run %s", argv[0]);
}

int
run_start(struct run **r_r, struct ev_loop *loop, const char *const *argv, int64_t limit_ms, run_fn fn, void *arg, struct err *err)
{
	struct run	*r = calloc(1, sizeof(*r));

	if (r == NULL)
		return err_set(err, ERR_NOMEM, "%s", argv[0]);
	r->loop = loop;
	r->fd = -1;
	r->fn = fn;
	r->arg = arg;
	ev_init(&r->exited, on_exited);
	ev_init(&r->readable, on_readable);
	ev_timer_init(&r->limit, on_limit, (double)limit_ms / 1000.0, 0.);
	r->exited.data = r->readable.data = r->limit.data = r;
	if (spawn(r, argv, err) == -1) {
		run_free(r);
		return -1;
	}
	ev_child_set(&r->exited, r->pid, 0);
	ev_child_start(loop, &r->exited);
	ev_io_set(&r->readable, r->fd, EV_READ);
	ev_io_start(loop, &r->readable);
	ev_timer_start(loop, &r->limit);
	*r_r = r;
	return 0;
}

void
run_cancel(struct run **rp)
{
	if (*rp != NULL)
		run_free(*rp);
	*rp = NULL;
}
