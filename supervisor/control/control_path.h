#ifndef EDS_CONTROL_PATH_H
#define EDS_CONTROL_PATH_H

#include <sys/socket.h>
#include <sys/un.h>

#include "ipc/base/err.h"

/*
 * The control socket's address.  A data directory may have a longer path than a socket address holds,
 * therefore the directory is opened and the socket named through /proc/self/fd.
 */
#define CONTROL_SOCKET	"eds.sock"

/* Where edsctl looks for a server when it is not told: EDS_DATA_DIR, ./data, /var/lib/eds. */
const char *control_default_dir(void);

/* A descriptor for the directory (O_PATH), -1 on failure: ERR_NOTFOUND, ERR_AUTH or ERR_IO. */
int	 control_dir_open(const char *data_dir, struct err *) MUST_CHECK;
void	 control_address(int dir_fd, struct sockaddr_un *);	/* good while dir_fd is open */

#endif
