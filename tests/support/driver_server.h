#ifndef EDS_TEST_DRIVER_SERVER_H
#define EDS_TEST_DRIVER_SERVER_H

/* For unit tests of a driver's calls: a server that python starts, and rows of a table `part` for an import. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/driver.h"

struct driver_server {
	pid_t	 pid;
	int	 end;			/* the server ends when this is closed */
	char	 url[512];		/* its first line; another text says why there is none */
};

#define PART(type)	"{\"table\":\"part\",\"modelVersion\":\"v1\",\"primaryKeys\":[\"id\"],\"required\":[],\"properties\":{" \
	"\"id\":{\"type\":\"string\"},\"note\":{\"type\":\"" type "\",\"nullable\":true}}}"

static inline void
server_exec(const char *module, int in, int out)
{
	(void)dup2(in, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)execl("/usr/bin/python3", "python3", "-m", module, (char *)NULL);
	_exit(127);
}

/* python3 -m `module`: prints a URL, and ends with its standard input. */
static inline void
server_start(struct driver_server *s, const char *module)
{
	int	 to[2], from[2];
	FILE	*answer;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	assert_true((s->pid = fork()) >= 0);
	if (s->pid == 0) {
		(void)close(to[1]);
		(void)close(from[0]);
		server_exec(module, to[0], from[1]);
	}
	(void)close(to[0]);
	(void)close(from[1]);
	s->end = to[1];
	assert_non_null(answer = fdopen(from[0], "r"));
	if (fgets(s->url, sizeof(s->url), answer) == NULL)
		s->url[0] = '\0';
	(void)fclose(answer);
	s->url[strcspn(s->url, "\n")] = '\0';
}

static inline void
server_stop(struct driver_server *s)
{
	(void)close(s->end);
	(void)waitpid(s->pid, NULL, 0);
}

/* Rows number `from` and so on of table `part`, with a note as JSON. */
static inline enum drv_result
import_parts(const struct driver *driver, struct drv *drv, size_t from, size_t n, const char *note, struct drv_outcome *out)
{
	struct event		*events = calloc(n, sizeof(*events));
	struct drv_event	*v = calloc(n, sizeof(*v));
	struct drv_batch	 b = { .v = v, .n = n };
	char			*text = calloc(n, 256);
	struct err		 err;
	enum drv_result		 r;

	assert_true(events != NULL && v != NULL && text != NULL);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text + i * 256, 256, "{\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"part\",\"key\":[\"%zu\"],"
		    "\"modelVersion\":\"v1\",\"mvccTimestamp\":\"1\",\"timestamp\":1,\"after\":{\"id\":\"%zu\",\"note\":%s}}",
		    from + i, from + i, note);
		assert_int_equal(event_parse(&events[i], slice_of(text + i * 256), &err), 0);
		v[i] = (struct drv_event){ .seq = i + 1, .ev = &events[i], .payload = slice_of(text + i * 256) };
	}
	r = driver->import_rows(drv, 0, &b, out);
	for (size_t i = 0; i < n; i++)
		event_free(&events[i]);
	free(events);
	free(v);
	free(text);
	return r;
}

#endif
