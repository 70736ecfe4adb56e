#ifndef EDS_LOGFILE_H
#define EDS_LOGFILE_H

#include "ipc/base/err.h"
#include "ipc/base/log.h"

/*
 * The log as a file for HQ and for `edsctl logs`: one JSON object per line
 * (contract/cli.md section 7.3), <data-dir>/logs/eds-<epoch ms>.log.  A file that has
 * grown to `max_bytes` is closed and a new one begun; the oldest are removed once all of them
 * together exceed `keep_bytes`.  Files of earlier runs count as closed.
 */
struct logfile;

int	 logfile_open(struct logfile **, const char *data_dir, uint64_t max_bytes, uint64_t keep_bytes, struct err *) MUST_CHECK;
void	 logfile_close(struct logfile **);
void	 logfile_limits(struct logfile *, uint64_t max_bytes, uint64_t keep_bytes);	/* after a reload */

/* A log_sink_fn.  A line that the disk does not take is lost, which is said once on the console. */
void	 logfile_line(void *logfile, enum log_level, const char *prefix, const char *text, const char *json);

/* Closes the present file, if anything is in it, and begins a new one. */
int	 logfile_rotate(struct logfile *, struct err *) MUST_CHECK;

/* The oldest closed file that HQ does not have, as a path; absent when there is none. */
struct slice logfile_unsent(struct logfile *, struct buf *path);

/* HQ has it: it is removed, or put into logs/sent/ with `keep`. */
int	 logfile_sent(struct logfile *, const char *path, bool keep, struct err *) MUST_CHECK;

/* One line of such a file, without its line end; pure apart from the clock. */
void	 logfile_format(struct buf *, int64_t epoch_ns, enum log_level, const char *prefix, const char *text, const char *json);

#endif
