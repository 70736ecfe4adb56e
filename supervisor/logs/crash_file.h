#ifndef EDS_CRASH_FILE_H
#define EDS_CRASH_FILE_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * What workers wrote before they died, for HQ: <data-dir>/logs/server_stderr.txt (contract/hq-api.md section 5.1).
 * It is kept until HQ has it; the log file has the same lines, among all others.
 */
int	 crash_file_add(const char *data_dir, struct slice text, struct err *) MUST_CHECK;

/* Its path and size; made when it is missing, because HQ expects it even when it is empty. */
int	 crash_file_ready(const char *data_dir, struct buf *path, uint64_t *size_r, struct err *) MUST_CHECK;

/* HQ has the first `size` bytes: what came meanwhile stays, with the rest, for the next time. */
void	 crash_file_sent(const char *data_dir, uint64_t size);

#endif
