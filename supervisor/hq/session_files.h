#ifndef EDS_SESSION_FILES_H
#define EDS_SESSION_FILES_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* What a session leaves in the data directory: <sid>/nats.creds. */

bool	 session_id_is_safe(const char *sid);	/* fit for a file name: it comes from outside */

/* Folder 0700, file 0600, replaced by rename.  *path gets the file's path. */
int	 session_files_write(const char *data_dir, const char *sid, struct slice creds, struct buf *path, struct err *) MUST_CHECK;

/* Removes the credentials of every session but `keep` (may be NULL), and folders that are empty then. */
void	 session_files_prune(const char *data_dir, const char *keep);

#endif
