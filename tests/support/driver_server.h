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

struct fixture {
	const struct driver	*driver;
	struct driver_server	 server;
	struct log		 log;
	struct drv_host		 host;
	struct drv_env		 env;
	struct drv		*drv;
	struct err		 err;
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

static inline bool
not_stopping(void *ctx)
{
	(void)ctx;
	return false;
}

/* For cmocka's set-up of a group. */
static inline int
fixture_open(void **state, const struct driver *driver, const char *module)
{
	struct fixture	*f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->driver = driver;
	server_start(&f->server, module);
	log_make(&f->log, "test", NULL);
	log_level_set(LOG_ERROR);
	f->host = (struct drv_host){ .stopping = not_stopping };
	f->env = (struct drv_env){ .destination = "test", .url = f->server.url, .update_strategy = "standard", .session = "",
	    .data_dir = "/nonexistent", .log = &f->log, .host = &f->host };
	*state = f;
	return 0;
}

static inline int
fixture_close(void **state)
{
	struct fixture	*f = *state;

	f->driver->close(&f->drv);
	server_stop(&f->server);
	free(f);
	return 0;
}

/* With the driver open; skips the test when there is no server. */
static inline struct fixture *
fixture_ready(void **state)
{
	struct fixture	*f = *state;

	if (strstr(f->server.url, "://") == NULL) {
		print_message("skipped: %s\n", f->server.url[0] == '\0' ? "no server could be started" : f->server.url);
		skip();
	}
	f->err = (struct err){ .code = ERR_NONE };
	if (f->drv == NULL && f->driver->open(&f->drv, &f->env, &f->err) != DRV_STORED)
		fail_msg("open: %s", f->err.text);
	return f;
}

static inline void
stored(struct fixture *f, enum drv_result r)
{
	if (r != DRV_STORED)
		fail_msg("%d %s", (int)r, f->err.text);
}

/* Rows number `from` and so on of table `part`, with a note as JSON. */
static inline enum drv_result
import_parts(struct fixture *f, size_t from, size_t n, const char *note, struct drv_outcome *out)
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
	r = f->driver->import_rows(f->drv, 0, &b, out);
	for (size_t i = 0; i < n; i++)
		event_free(&events[i]);
	free(events);
	free(v);
	free(text);
	return r;
}

static inline void
import_rows(struct fixture *f, size_t from, size_t n, const char *note)
{
	struct drv_outcome	 out;

	if (import_parts(f, from, n, note, &out) != DRV_STORED)
		fail_msg("%s", out.err.text);
	stored(f, f->driver->import_commit(f->drv, &f->err));
}

/* `parts` is table `part`. */
static inline struct drv_import
import_of(const struct drv_import_table *parts, const char *job)
{
	return (struct drv_import){ .tables = parts, .ntables = 1, .job = slice_of(job) };
}

#endif
