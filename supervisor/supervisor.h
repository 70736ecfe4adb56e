#ifndef EDS_SUPERVISOR_H
#define EDS_SUPERVISOR_H

#include "supervisor/config/config.h"

/* Exit codes of `eds server` (contract/cli.md section 1). */
#define EXIT_FATAL	1
#define EXIT_USAGE	3

#define IMPORT_TIME_WANTED	"--timeOffset takes a time such as 2026-01-31T00:00:00Z"

#define SUPERVISOR_AGAIN	(-1)	/* asked to restart: run the program again with the same arguments */

/*
 * Runs the supervisor until it is told to end; returns the exit code or SUPERVISOR_AGAIN.  `flags` are kept for reloads and
 * must outlive the call, as must `self`, the path of this program.  Takes the config over.
 */
int	 supervisor_run(struct config *, const struct config_flags *, const char *self);

#endif
