#ifndef EDS_SPAWN_H
#define EDS_SPAWN_H

#include <sys/types.h>

#include "ipc/base/err.h"

#define EXIT_STATUS_CONFIG	3	/* the worker's word for "only the operator can mend it" */

/*
 * Starts a worker.  All it inherits: its end of a socket pair as descriptor 3,
 * /dev/null as standard input and output, a pipe as standard error, a filtered environment, no
 * other descriptor, its own process group, SIGKILL when its parent dies.
 */
struct spawned {
	pid_t	 pid;
	int	 socket;	/* our end, non-blocking, close-on-exec */
	int	 stderr_fd;	/* read end, non-blocking, close-on-exec */
};

int	 spawn_worker(struct spawned *, const char *program, const char *name, struct err *) MUST_CHECK;

/*
 * Beside our own executable, else in ../libexec/eds as seen from there, else where it was to be
 * installed when this was compiled.  For the caller to free().
 */
char	*spawn_worker_program(struct err *) MUST_CHECK;

#endif
