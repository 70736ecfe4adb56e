/* The data directory: there, and writable in fact, whoever it belongs to. */

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/cli/cli.h"

int
data_dir_ensure(const char *path, struct err *err)
{
	struct buf	 probe = { 0 };
	struct stat	 st;
	int		 fd = -1, rc = -1;

	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return err_sys(err, "create the data directory %s (its parent must exist and be writable, or choose another with --data-dir)",
		    path);
	if (stat(path, &st) == -1)
		return err_sys(err, "look at the data directory %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_CONFIG, "the data directory %s is not a directory: choose another with --data-dir", path);
	buf_printf(&probe, "%s/.eds-probe.XXXXXX", path);
	if (buf_cstr(&probe)[0] == '\0')
		(void)err_set(err, ERR_NOMEM, "no memory for a path");
	else if ((fd = mkstemp((char *)probe.data)) == -1)
		(void)err_sys(err, "nothing can be written to the data directory %s: check its owner and mode, or choose another "
		    "with --data-dir", path);
	else {
		(void)unlink((const char *)probe.data);
		(void)close(fd);
		rc = 0;
	}
	buf_free(&probe);
	return rc;
}
