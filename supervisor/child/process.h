#ifndef EDS_PROCESS_H
#define EDS_PROCESS_H

#include <ev.h>
#include <sys/types.h>

#include "ipc/base/log.h"
#include "ipc/channel.h"

/*
 * A worker process with one task, from its start to its end: a test of
 * settings, an import.  (A destination's own worker has more lives than one:
 * child.h.)  HELLO, log lines and standard error are dealt with here.
 */
struct process;

struct process_host {
	void		*arg;
	struct ev_loop	*loop;			/* the default loop: it hears of exits */
	const char	*program;		/* worker to run */
	const char	*name;			/* of the destination: in the process list and in front of log lines */

	/* It has greeted and is ready to be told what to do. */
	void		(*greeted)(void *arg);
	/* Any other message; -1 with a reason: nonsense, it is killed. */
	int		(*hear)(void *arg, const struct ipc_msg *, struct err *);
	/* It is gone, for `why` ("" when it ended by itself and in good order); called once, the last of all. */
	void		(*ended)(void *arg, const char *why);
};

/* Strings and the host are copied.  Callbacks come from the loop, never before the return. */
int	 process_start(struct process **, const struct process_host *, struct err *) MUST_CHECK;

/* Queues a message.  Failures end the process, which says so with ended(). */
void	 process_send(struct process *, enum ipc_type, const union ipc_body *);

/* The same with a descriptor, of which the caller keeps its own. */
void	 process_send_fd(struct process *, enum ipc_type, const union ipc_body *, int fd);

/* SIGKILL; ended() follows with that reason. */
void	 process_kill(struct process *, const char *why);

/* From any callback too; none comes afterwards.  What still runs is killed without waiting for it. */
void	 process_free(struct process **);

/* A worker's log line becomes one of ours. */
void	 process_log(const struct ipc_log_body *);

pid_t	 process_pid(const struct process *);	/* 0: it has ended */

#endif
