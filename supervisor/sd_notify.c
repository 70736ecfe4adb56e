/* The service manager's notification socket: one datagram per message, to a path or an abstract name. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "supervisor/sd_notify.h"

static const char *const variables[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" };

struct sd_notify {
	int			 fd;		/* -1: nobody wants to know */
	char			*given[NELEM(variables)];	/* NULL: not in the environment */
	int64_t			 watchdog_ms;
	struct sockaddr_un	 addr;
	socklen_t		 addr_n;
};

static int
set_address(struct sd_notify *n, const char *path, struct err *err)
{
	size_t	 len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len < 2)
		return err_set(err, ERR_INVALID, "NOTIFY_SOCKET=%s is neither a path nor an abstract name; unset it", path);
	if (len >= sizeof(n->addr.sun_path))
		return err_set(err, ERR_INVALID, "NOTIFY_SOCKET is longer than a socket's name may be (%zu bytes)",
		    sizeof(n->addr.sun_path) - 1);
	n->addr.sun_family = AF_UNIX;
	(void)memcpy(n->addr.sun_path, path, len);
	n->addr_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (path[0] == '@')
		n->addr.sun_path[0] = '\0';	/* an abstract name has no NUL at its end */
	else
		n->addr_n++;
	if ((n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return err_sys(err, "socket for NOTIFY_SOCKET");
	return 0;
}

static int64_t
watchdog_from_env(void)
{
	const char	*usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t	 v;

	if (usec == NULL || !slice_u64(slice_of(usec), &v))
		return 0;
	v /= 2000;
	if (pid != NULL) {
		uint64_t whose;

		if (!slice_u64(slice_of(pid), &whose) || whose != (uint64_t)getpid())
			return 0;
	}
	return v > INT64_MAX ? 0 : (int64_t)v;
}

int
sd_notify_new(struct sd_notify **n_r, struct err *err)
{
	struct sd_notify	*n;
	const char		*path = getenv("NOTIFY_SOCKET");
	int			 rc = -1;

	if ((n = calloc(1, sizeof(*n))) == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the service manager's socket");
		goto out;
	}
	n->fd = -1;
	for (size_t i = 0; i < NELEM(variables); i++)
		if (getenv(variables[i]) != NULL && (n->given[i] = strdup(getenv(variables[i]))) == NULL) {
			err_set(err, ERR_NOMEM, "no memory for the service manager's socket");
			goto out;
		}
	n->watchdog_ms = watchdog_from_env();
	if (path != NULL && path[0] != '\0' && set_address(n, path, err) != 0)
		goto out;
	*n_r = n;
	n = NULL;
	rc = 0;
out:
	for (size_t i = 0; i < NELEM(variables); i++)
		(void)unsetenv(variables[i]);
	sd_notify_free(&n);
	return rc;
}

void
sd_notify_free(struct sd_notify **np)
{
	struct sd_notify	*n = *np;

	if (n == NULL)
		return;
	if (n->fd != -1)
		(void)close(n->fd);
	for (size_t i = 0; i < NELEM(variables); i++)
		free(n->given[i]);
	free(n);
	*np = NULL;
}

void
sd_notify_hand_on(const struct sd_notify *n)
{
	for (size_t i = 0; i < NELEM(variables); i++)
		if (n->given[i] != NULL)
			(void)setenv(variables[i], n->given[i], 1);
}

int64_t
sd_notify_watchdog_ms(const struct sd_notify *n)
{
	return n->fd == -1 ? 0 : n->watchdog_ms;
}

static int
tell(struct sd_notify *n, const char *what, size_t len, struct err *err)
{
	if (n->fd == -1)
		return 0;
	/* must not wait: a manager with a full queue would stop the supervisor's loop */
	while (sendto(n->fd, what, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&n->addr, n->addr_n) == -1) {
		if (errno != EINTR)
			return err_sys(err, "cannot tell the service manager \"%.*s\"", (int)strcspn(what, "\n"), what);
	}
	return 0;
}

int
sd_notify_ready(struct sd_notify *n, struct err *err)
{
	return tell(n, "READY=1", 7, err);
}

int
sd_notify_reloading(struct sd_notify *n, struct err *err)
{
	char	 text[64];
	int	 len;

	len = snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)mono_us());
	return tell(n, text, (size_t)len, err);
}

int
sd_notify_stopping(struct sd_notify *n, struct err *err)
{
	return tell(n, "STOPPING=1", 10, err);
}

int
sd_notify_watchdog(struct sd_notify *n, struct err *err)
{
	return tell(n, "WATCHDOG=1", 10, err);
}

int
sd_notify_patience(struct sd_notify *n, struct err *err)
{
	static const char	 text[] = "EXTEND_TIMEOUT_USEC=120000000\nWATCHDOG=1";

	return tell(n, text, sizeof(text) - 1, err);
}

int
sd_notify_status(struct sd_notify *n, struct err *err, const char *fmt, ...)
{
	char	 text[512] = "STATUS=";
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text + 7, sizeof(text) - 7, fmt, ap);
	va_end(ap);
	for (char *p = text; *p != '\0'; p++) {
		if (*p == '\n')
			*p = ' ';
	}
	return tell(n, text, strlen(text), err);
}
