#ifndef EDS_LOCK_H
#define EDS_LOCK_H

#include "ipc/base/err.h"

/*
 * One supervisor per data directory: an exclusive lock on <data-dir>/eds.lock that the kernel
 * drops with the process, however it ends.  Returns the descriptor to keep open,
 * or -1: ERR_CONFLICT names the process that holds it.
 */
int	 data_dir_lock(const char *data_dir, struct err *) MUST_CHECK;

#endif
