/* One supervisor per data directory. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "ipc/base/slice.h"
#include "supervisor/store/lock.h"

static int
lock_held_by_other(int fd, const char *data_dir, struct err *err)
{
	char		 text[32] = "";
	ssize_t		 n = pread(fd, text, sizeof(text) - 1, 0);
	uint64_t	 pid;

	if (n > 0 && slice_u64(slice_trim((struct slice){ text, (size_t)n }), &pid))
		return err_set(err, ERR_CONFLICT, "another eds server (pid %llu) already uses the data directory %s; "
		    "stop it first, or give this one a directory of its own with --data-dir",
		    (unsigned long long)pid, data_dir);
	return err_set(err, ERR_CONFLICT, "another eds server already uses the data directory %s; stop it first, "
	    "or give this one a directory of its own with --data-dir", data_dir);
}

int
data_dir_lock(const char *data_dir, struct err *err)
{
	char	 path[4096], text[32];
	int	 fd, n;

	n = snprintf(path, sizeof(path), "%s/eds.lock", data_dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, ERR_CONFIG, "the data directory's path is too long: %s", data_dir);
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) == -1)
		return err_sys(err, "cannot write to the data directory %s", data_dir);
	if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			(void)lock_held_by_other(fd, data_dir, err);
		else
			(void)err_sys(err, "cannot lock %s", path);
		(void)close(fd);
		return -1;
	}
	n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == -1 || pwrite(fd, text, (size_t)n, 0) != n) {
		(void)err_sys(err, "cannot write %s", path);
		(void)close(fd);
		return -1;
	}
	return fd;
}
