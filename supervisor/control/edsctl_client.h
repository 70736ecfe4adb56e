#ifndef EDS_EDSCTL_CLIENT_H
#define EDS_EDSCTL_CLIENT_H

#include <signal.h>

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* edsctl's end of the control socket: one connection, one command, one answer. */
struct edsctl_answer {
	unsigned	 status;	/* enum control_status */
	struct buf	 json;
};

struct edsctl_call {
	const char		*data_dir;
	const char		*verb;
	const char *const	*args;
	size_t			 n_args;
	int64_t			 timeout_ms;	/* of the whole call */
	const sigset_t		*waiting_mask;	/* signals blocked while waiting, as for ppoll(2); NULL: unchanged */
};

/*
 * Fails with ERR_NOTFOUND when no server answers there, ERR_AUTH when the socket is closed to us, ERR_CONFLICT
 * when the versions do not fit, ERR_TEMPORARY when the time is over or a signal came, ERR_INVALID when what comes
 * back makes no sense.  The caller frees answer->json.
 */
int	 edsctl_call(const struct edsctl_call *, struct edsctl_answer *, struct err *) MUST_CHECK;

#endif
