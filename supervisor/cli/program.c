/* The name under which the user can start this program again. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/cli/cli.h"

const char *
cli_program(void)
{
	static char	 name[600];
	char		*self = realpath("/proc/self/exe", NULL), *here = realpath(".", NULL);
	size_t		 n = here == NULL ? 0 : strlen(here);

	(void)snprintf(name, sizeof(name), "eds");
	if (self != NULL && n > 1 && strncmp(self, here, n) == 0 && self[n] == '/')
		(void)snprintf(name, sizeof(name), "./%s", self + n + 1);
	free(self);
	free(here);
	return name;
}
