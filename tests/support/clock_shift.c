/*
 * Preloaded into a program: the wall clock is off by as many seconds as the file
 * that CLOCK_SHIFT names says, from one call to the next.  The monotonic clock is left alone, as it
 * is when an operator or NTP sets the time.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t
shift(void)
{
	const char	*path = getenv("CLOCK_SHIFT");
	char		 text[32] = "";
	int		 fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return 0;
	if (read(fd, text, sizeof(text) - 1) == -1)
		text[0] = '\0';
	(void)close(fd);
	return (time_t)strtoll(text, NULL, 10);
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int	(*real)(clockid_t, struct timespec *);
	int		 rc;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	rc = real(clock, ts);
	if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		ts->tv_sec += shift();
	return rc;
}

/* A deadline made from the shifted clock is meant for the kernel's.  One of the monotonic clock is far smaller. */
int
pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
	static int	(*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	struct timespec	 ts = *until;

	if (real == NULL)
		*(void **)&real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	if (ts.tv_sec > 1000000000)
		ts.tv_sec -= shift();
	return real(cond, mutex, &ts);
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec	 ts;
	int		 rc = clock_gettime(CLOCK_REALTIME, &ts);

	(void)zone;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return rc;
}

time_t
time(time_t *t)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}
