#ifndef EDS_RUN_H
#define EDS_RUN_H

#include <ev.h>

#include "ipc/base/err.h"

/* A program of ours or of the system run beside the loop: `eds download`, dpkg-query. */
struct run;

/*
 * `status`: as waitpid() has it, -1 when the time was over and it was killed; `said`: the last of its output.
 * Called once, never before the return; the handle is gone then.
 */
typedef void (*run_fn)(void *arg, int status, const char *said);

int	 run_start(struct run **, struct ev_loop *, const char *const *argv, int64_t limit_ms, run_fn, void *arg, struct err *) MUST_CHECK;
void	 run_cancel(struct run **);	/* kills it; not called back any more */

#endif
