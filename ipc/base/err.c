/* Errors as values, and the one way to end on a contradiction of our own. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/base/err.h"

int
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list	 ap;

	if (err == NULL)
		return -1;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
err_sys(struct err *err, const char *fmt, ...)
{
	int	 e = errno;
	size_t	 n;
	va_list	 ap;

	if (err == NULL)
		return -1;
	err->code = e == ENOMEM ? ERR_NOMEM : e == ENOSPC || e == EDQUOT ? ERR_FULL : ERR_IO;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	(void)snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(e));
	return -1;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char	 tail[sizeof(err->text)];
	size_t	 n;
	va_list	 ap;

	if (err == NULL)
		return -1;
	(void)memcpy(tail, err->text, sizeof(tail));
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	(void)snprintf(err->text + n, sizeof(err->text) - n, ": %s", tail);
	return -1;
}

int
err_remedy(struct err *err, const char *remedy)
{
	size_t	 n;

	if (err == NULL || remedy == NULL)
		return -1;
	n = strlen(err->text);
	(void)snprintf(err->text + n, sizeof(err->text) - n, "; %s", remedy);
	return -1;
}

void
bug(const char *fmt, ...)
{
	va_list	 ap;

	(void)fputs("internal contradiction: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	abort();
}
