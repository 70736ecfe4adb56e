#ifndef EDS_LOGFILE_NAME_H
#define EDS_LOGFILE_NAME_H

#include <stdbool.h>
#include <string.h>

/* "eds-1720000000000.log": what the server writes and edsctl reads. */
static inline bool
logfile_is_name(const char *name)
{
	size_t	 n = strlen(name);

	return n > 8 && strncmp(name, "eds-", 4) == 0 && strcmp(name + n - 4, ".log") == 0 &&
	    strspn(name + 4, "0123456789") == n - 8;
}

#endif
