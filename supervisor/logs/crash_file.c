/* The file of the workers' last words: appended to, bounded, and gone when HQ has it. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/logs/crash_file.h"

#define MAX_BYTES	262144
#define FOLDER		"%s/logs"
#define NAME		"/server_stderr.txt"

/* 0600, in a folder of 0700 that the log file shares. */
static int
open_file(const char *data_dir, struct buf *path, struct stat *st, struct err *err)
{
	int	 fd;

	buf_reset(path);
	buf_printf(path, FOLDER, data_dir);
	if (mkdir(buf_cstr(path), 0700) == -1 && errno != EEXIST)
		return err_sys(err, "cannot make the folder %s", buf_cstr(path));
	buf_adds(path, NAME);
	if (path->oom)
		return err_set(err, ERR_NOMEM, "no memory for a path");
	if ((fd = open(buf_cstr(path), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) == -1)
		return err_sys(err, "cannot open %s", buf_cstr(path));
	if (fstat(fd, st) == 0)
		return fd;
	(void)err_sys(err, "cannot read %s", buf_cstr(path));
	(void)close(fd);
	return -1;
}

int
crash_file_add(const char *data_dir, struct slice text, struct err *err)
{
	struct buf	 path = { 0 };
	struct stat	 st;
	int		 fd = open_file(data_dir, &path, &st, err), rc = -1;

	/* Nobody has fetched it for a long time: the newest deaths say more than the oldest. */
	if (fd != -1 && st.st_size + (off_t)text.n > MAX_BYTES && ftruncate(fd, 0) == -1)
		(void)err_sys(err, "cannot empty %s", buf_cstr(&path));
	else if (fd != -1 && write(fd, text.p, text.n) != (ssize_t)text.n)
		(void)err_sys(err, "cannot write %s", buf_cstr(&path));
	else if (fd != -1)
		rc = 0;
	if (fd != -1)
		(void)close(fd);
	buf_free(&path);
	return rc;
}

int
crash_file_ready(const char *data_dir, struct buf *path, uint64_t *size_r, struct err *err)
{
	struct stat	 st;
	int		 fd = open_file(data_dir, path, &st, err);

	if (fd == -1)
		return -1;
	(void)close(fd);
	*size_r = (uint64_t)st.st_size;
	return 0;
}

void
crash_file_sent(const char *data_dir, uint64_t size)
{
	struct buf	 path = { 0 };
	struct stat	 st;

	buf_printf(&path, FOLDER NAME, data_dir);
	if (stat(buf_cstr(&path), &st) == 0 && (uint64_t)st.st_size == size)
		(void)unlink(buf_cstr(&path));
	buf_free(&path);
}
