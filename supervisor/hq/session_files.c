/* Credentials on disk: written for the session at hand, removed with the session. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/hq/session_files.h"

bool
session_id_is_safe(const char *sid)
{
	size_t	 n = strlen(sid);

	return n > 0 && n <= 64 &&
	    strspn(sid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

static int
write_whole(const char *path, struct slice text, struct err *err)
{
	int	 fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600), rc = -1;

	if (fd == -1)
		return err_sys(err, "create %s", path);
	if (fchmod(fd, 0600) == -1 || write(fd, text.p, text.n) != (ssize_t)text.n || fsync(fd) == -1)
		(void)err_sys(err, "write %s", path);
	else
		rc = 0;
	(void)close(fd);
	return rc;
}

int
session_files_write(const char *data_dir, const char *sid, struct slice creds, struct buf *path, struct err *err)
{
	struct buf	 temp = { 0 };
	int		 rc = -1;

	buf_printf(path, "%s/%s", data_dir, sid);
	if (mkdir(buf_cstr(path), 0700) == -1 && errno != EEXIST)
		return err_sys(err, "create the folder %s", buf_cstr(path));
	buf_adds(path, "/nats.creds");
	buf_printf(&temp, "%s.new", buf_cstr(path));
	if (path->oom || buf_cstr(&temp)[0] == '\0')
		(void)err_set(err, ERR_NOMEM, "no memory for a path");
	else if (write_whole(buf_cstr(&temp), creds, err) == 0) {
		if ((rc = rename(buf_cstr(&temp), buf_cstr(path))) == -1)
			(void)err_sys(err, "replace %s", buf_cstr(path));
	}
	if (rc != 0 && temp.len > 0)
		(void)unlink(buf_cstr(&temp));
	buf_free(&temp);
	return rc;
}

/* Only folders that look like a session's and hold credentials; logs in them stay. */
static void
prune_one(int dir, const char *sid)
{
	char	 path[300];

	for (int i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/nats.creds%s", sid, i == 0 ? "" : ".new");
		if (unlinkat(dir, path, 0) == 0)
			(void)unlinkat(dir, sid, AT_REMOVEDIR);	/* fails while something else is in it */
	}
}

void
session_files_prune(const char *data_dir, const char *keep)
{
	DIR		*dir = opendir(data_dir);
	struct dirent	*e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (session_id_is_safe(e->d_name) && (keep == NULL || strcmp(e->d_name, keep) != 0))
			prune_one(dirfd(dir), e->d_name);
	(void)closedir(dir);
}
