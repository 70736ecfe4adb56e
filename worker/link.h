#ifndef EDS_LINK_H
#define EDS_LINK_H

#include "worker/worker.h"

#define LINK_FD		3	/* where the supervisor leaves the worker's end of the socket */
#define LINK_GRACE_MS	5000	/* for a driver call to return, and for last words to be read */

/*
 * The main thread's life: handshake, configuration, then frames in and frames
 * out until the driver thread is done.  `sigfd` is a signalfd; a signal stops the worker.
 * *stuck_r: the driver thread did not come back in time, so that the process must
 * end without tearing down what that thread uses.
 */
enum worker_exit link_run(int fd, int sigfd, bool *stuck_r);

#endif
