/*
 * eds-worker: one destination's own process.  Started by eds, with a socket as
 * descriptor 3; everything else it needs comes through that socket, so that
 * no secret stands in its arguments or its environment.
 */

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/link.h"

#define HEAP_SLACK	(4 << 20)	/* free memory that is kept: events come in blocks, which go and come again */

static const char usage_text[] =
    "usage: eds-worker --help | --version\n"
    "\n"
    "Delivers events to one destination.  It is started by eds, which hands it a\n"
    "socket; there is nothing to configure here.  See eds(8).\n";

static int
usage(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		(void)puts(EDS_VERSION);
	else if (argc == 2 && strcmp(argv[1], "--help") == 0)
		(void)fputs(usage_text, stdout);
	else {
		(void)fputs("eds-worker: it takes no arguments but --help and --version\n", stderr);
		return WORKER_EXIT_CONFIG;
	}
	return WORKER_EXIT_FINE;
}

/* The descriptor that the supervisor left, ready for use; -1 when there is none. */
static int
inherited_socket(void)
{
	int		 domain, flags;
	socklen_t	 size = sizeof(domain);

	if (getsockopt(LINK_FD, SOL_SOCKET, SO_DOMAIN, &domain, &size) == -1 || domain != AF_UNIX)
		return -1;
	if ((flags = fcntl(LINK_FD, F_GETFL)) == -1 || fcntl(LINK_FD, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    fcntl(LINK_FD, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	return LINK_FD;
}

/* Ctrl-C at the terminal reaches every process there; only eds decides what it means. */
static int
signals_as_descriptor(void)
{
	sigset_t	 stop;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &stop, NULL);
	return signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
main(int argc, char **argv)
{
	const struct rlimit	 none = { 0, 0 };
	enum worker_exit	 code;
	bool			 stuck;
	int			 fd, sigfd;

	if (argc > 1)
		return usage(argc, argv);
	if ((fd = inherited_socket()) == -1) {
		(void)fputs("eds-worker: this program is started by eds, not by hand; see eds(8)\n", stderr);
		return WORKER_EXIT_CONFIG;
	}
	/* A core file would hold the URL with its password. */
	if (setrlimit(RLIMIT_CORE, &none) == -1 || (sigfd = signals_as_descriptor()) == -1) {
		(void)fprintf(stderr, "eds-worker: setting up the process: %s\n", strerror(errno));
		return WORKER_EXIT_BROKEN;
	}
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_SLACK);
	(void)mallopt(M_MMAP_THRESHOLD, HEAP_SLACK);
	code = link_run(fd, sigfd, &stuck);
	if (stuck)
		_exit(code);	/* the driver thread still uses what exit() would tear down */
	return code;
}
