/* Where this program lies, and what lies beside it. */

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/base/self.h"

bool
self_relative(char *path, size_t size, const char *relative)
{
	char	 self[PATH_MAX];
	ssize_t	 n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char	*slash;
	int	 len;

	if (n <= 0)
		return false;
	self[n] = '\0';
	if ((slash = strrchr(self, '/')) == NULL)
		return false;
	*slash = '\0';
	len = snprintf(path, size, "%s/%s", self, relative);
	return len > 0 && (size_t)len < size && access(path, F_OK) == 0;
}
