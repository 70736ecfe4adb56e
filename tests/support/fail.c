/*
 * Allocations are replaced by the linker (--wrap), so that they are those of the code under test;
 * writes and syncs by the program's own symbols, so that they are also those of LMDB.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/support/fail.h"

static enum fail_kind	 kind;
static unsigned long	 left;		/* calls until the one that fails; 0: none does */
static bool		 happened;

void
fail_at(enum fail_kind k, unsigned long n)
{
	kind = k;
	left = n;
	happened = false;
}

bool
fail_happened(void)
{
	left = 0;
	return happened;
}

static bool
now(bool alloc)
{
	if (left == 0 || (kind == FAIL_ALLOC) != alloc || --left > 0)
		return false;
	happened = true;
	errno = alloc ? ENOMEM : ENOSPC;
	return true;
}

void	*__real_malloc(size_t);
void	*__real_calloc(size_t, size_t);
void	*__real_realloc(void *, size_t);
char	*__real_strdup(const char *);
void	*__wrap_malloc(size_t);
void	*__wrap_calloc(size_t, size_t);
void	*__wrap_realloc(void *, size_t);
char	*__wrap_strdup(const char *);

void *
__wrap_malloc(size_t n)
{
	return now(true) ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return now(true) ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return now(true) ? NULL : __real_realloc(p, n);
}

char *
__wrap_strdup(const char *s)
{
	return now(true) ? NULL : __real_strdup(s);
}

/* The function of that name behind ours. */
static void
behind(void *function, const char *name)
{
	void	*found = dlsym(RTLD_NEXT, name);

	if (found == NULL)
		abort();
	(void)memcpy(function, &found, sizeof(found));
}

/* What a call that is to fail answers: an error, or some of the bytes. */
static ssize_t
failed(size_t n)
{
	return kind == FAIL_SHORT_WRITE && n > 1 ? (ssize_t)(n / 2) : -1;
}

ssize_t
pwrite(int fd, const void *data, size_t n, off_t at)
{
	static ssize_t	(*real)(int, const void *, size_t, off_t);

	if (real == NULL)
		behind(&real, "pwrite");
	if (!now(false))
		return real(fd, data, n, at);
	return failed(n) == -1 ? -1 : real(fd, data, n / 2, at);
}

ssize_t
writev(int fd, const struct iovec *v, int count)
{
	static ssize_t	(*real)(int, const struct iovec *, int);

	if (real == NULL)
		behind(&real, "writev");
	if (!now(false))
		return real(fd, v, count);
	return failed((size_t)count) == -1 ? -1 : real(fd, v, count / 2);
}

int
fdatasync(int fd)
{
	static int	(*real)(int);

	if (real == NULL)
		behind(&real, "fdatasync");
	return now(false) ? -1 : real(fd);
}

ssize_t
send(int fd, const void *data, size_t n, int flags)
{
	static ssize_t	(*real)(int, const void *, size_t, int);

	if (real == NULL)
		behind(&real, "send");
	if (!now(false))
		return real(fd, data, n, flags);
	return failed(n) == -1 ? -1 : real(fd, data, n / 2, flags);
}
