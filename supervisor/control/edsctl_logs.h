#ifndef EDS_EDSCTL_LOGS_H
#define EDS_EDSCTL_LOGS_H

#include <stdbool.h>

/*
 * edsctl logs: the last lines of <data-dir>/logs, of one destination when `name` is not NULL; with
 * `follow` further ones as they come, until the process is interrupted.  `json`: as they stand in the
 * file.  Returns edsctl's exit status.
 */
int	 edsctl_logs(const char *data_dir, const char *name, bool follow, bool json);

#endif
