/* Where the control socket is, however long the path. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/control/control_path.h"

int
control_dir_open(const char *data_dir, struct err *err)
{
	int	 fd = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1)
		return fd;
	return err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOTFOUND : errno == EACCES ? ERR_AUTH : ERR_IO,
	    "data directory %s: %s", data_dir, strerror(errno));
}

const char *
control_default_dir(void)
{
	const char	*dir = getenv("EDS_DATA_DIR");

	if (dir != NULL && dir[0] != '\0')
		return dir;
	return access("data/" CONTROL_SOCKET, F_OK) == 0 ? "data" : "/var/lib/eds";
}

void
control_address(int dir_fd, struct sockaddr_un *sun)
{
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	(void)snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d/%s", dir_fd, CONTROL_SOCKET);
}
