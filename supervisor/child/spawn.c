/* Starting a worker process. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/base/self.h"
#include "supervisor/child/spawn.h"

#define WORKER_FD	3

extern char	**environ;

/* A worker gets its secrets over the socket; ours are none of its business. */
static const char *const env_kept_back[] = { "SM_APIKEY=", "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_" };

static char **
child_environment(void)
{
	size_t	 n = 0, k = 0;
	char	**env;

	while (environ[n] != NULL)
		n++;
	if ((env = calloc(n + 1, sizeof(*env))) == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		bool keep = true;

		for (size_t j = 0; j < NELEM(env_kept_back) && keep; j++)
			keep = strncmp(environ[i], env_kept_back[j], strlen(env_kept_back[j])) != 0;
		if (keep)
			env[k++] = environ[i];
	}
	return env;
}

/* Between fork and exec: only calls that are safe there. */
static void NO_RETURN
become_worker(int sock, int err_fd, const char *program, char *const argv[], char *const env[], pid_t parent)
{
	static const int	 handled[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2, SIGQUIT };
	sigset_t		 none;
	int			 null;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getppid() != parent)
		_exit(127);	/* it died before the line above */
	/* Out of the way of 0 to 3 first. */
	if ((sock = fcntl(sock, F_DUPFD, 10)) == -1 || (err_fd = fcntl(err_fd, F_DUPFD, 10)) == -1 ||
	    (null = open("/dev/null", O_RDWR)) == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 ||
	    dup2(err_fd, 2) == -1 || dup2(sock, WORKER_FD) == -1)
		_exit(126);
	(void)close_range(WORKER_FD + 1, ~0U, 0);
	for (size_t i = 0; i < NELEM(handled); i++)
		(void)signal(handled[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(program, argv, env);
	(void)dprintf(2, "cannot run %s: %s\n", program, strerror(errno));
	_exit(127);
}

int
spawn_worker(struct spawned *s, const char *program, const char *name, struct err *err)
{
	int		 sv[2] = { -1, -1 }, ep[2] = { -1, -1 }, rc = -1;
	char		 title[80], *argv[2] = { title, NULL }, **env = NULL;
	pid_t		 parent = getpid();

	(void)snprintf(title, sizeof(title), "eds-worker: %s", name);
	if (access(program, X_OK) == -1) {
		(void)err_sys(err, "the worker program %s cannot be run", program);
		err->code = ERR_CONFIG;
		goto out;
	}
	if ((env = child_environment()) == NULL) {
		(void)err_set(err, ERR_NOMEM, "starting a worker");
		goto out;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == -1 || pipe2(ep, O_CLOEXEC) == -1) {
		(void)err_sys(err, "starting a worker");
		goto out;
	}
	if (fcntl(ep[0], F_SETFL, O_NONBLOCK) == -1) {
		(void)err_sys(err, "starting a worker");
		goto out;
	}
	if ((s->pid = fork()) == -1) {
		(void)err_sys(err, "starting a worker");
		goto out;
	}
	if (s->pid == 0)
		become_worker(sv[1], ep[1], program, argv, env, parent);
	s->socket = sv[0];
	s->stderr_fd = ep[0];
	sv[0] = ep[0] = -1;
	rc = 0;
out:
	for (int i = 0; i < 2; i++) {
		if (sv[i] != -1)
			(void)close(sv[i]);
		if (ep[i] != -1)
			(void)close(ep[i]);
	}
	free(env);
	return rc;
}

char *
spawn_worker_program(struct err *err)
{
	char		 path[PATH_MAX];
	const char	*found = EDS_LIBEXECDIR "/eds-worker";
	char		*copy;

	/* A build has all programs in one folder; an installed tree is asked before the place it was compiled for. */
	if (self_relative(path, sizeof(path), "eds-worker") ||
	    self_relative(path, sizeof(path), "../libexec/eds/eds-worker"))
		found = path;
	if ((copy = strdup(found)) == NULL)
		(void)err_set(err, ERR_NOMEM, "worker program");
	return copy;
}
