/* edsctl logs: reads the server's log files, newest lines last. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "ipc/base/buf.h"
#include "supervisor/control/control_commands.h"
#include "supervisor/control/edsctl_logs.h"
#include "supervisor/logs/logfile_name.h"

#define SHOWN	50

/* What is shown, and the last lines held until it is known which those are. */
struct view {
	char		*dir;
	const char	*name;
	bool		 json;
	char		*last[SHOWN];	/* a ring */
	size_t		 seen;
};

/* The destination's name is one of the parts of "component". */
static bool
is_about(const json_t *line, const char *name)
{
	const char	*component = json_string_value(json_object_get(line, "component"));
	struct slice	 rest, part;

	if (name == NULL)
		return true;
	rest = slice_of(component == NULL ? "" : component);
	while (slice_cut(&rest, ',', &part))
		if (slice_is(slice_trim(part), name))
			return true;
	return false;
}

static const char *
text_of(const json_t *line, const char *key)
{
	const char	*text = json_string_value(json_object_get(line, key));

	return text == NULL ? "" : text;
}

/* "2026-11-26T18:03:11.123456789Z" as "2026-11-26 18:03:11". */
static void
put_for_people(struct buf *out, const json_t *line)
{
	const char	*at = text_of(line, "timestamp"), *component = text_of(line, "component");
	struct slice	 rest = slice_of(component), part;

	buf_printf(out, "%.10s %.8s %-7s ", at, strlen(at) > 11 ? at + 11 : "", text_of(line, "severity"));
	while (component[0] != '\0' && slice_cut(&rest, ',', &part))
		buf_printf(out, "[" SLICE_FMT "] ", SLICE_ARG(slice_trim(part)));
	buf_adds(out, text_of(line, "message"));
}

/* What is to be printed for a line of the file, for the caller to free(); NULL: nothing. */
static char *
render(const struct view *v, struct slice text)
{
	json_t		*line = json_loadb(text.p, text.n, 0, NULL);
	struct buf	 out = { 0 };
	char		*shown = NULL;

	if (line == NULL || !is_about(line, v->name)) {
		json_decref(line);
		return NULL;
	}
	if (v->json)
		buf_adds_slice(&out, text);
	else
		put_for_people(&out, line);
	shown = buf_steal(&out);
	json_decref(line);
	return shown;
}

static void
hold(struct view *v, char *shown)
{
	char	**at = &v->last[v->seen++ % SHOWN];

	free(*at);
	*at = shown;
}

static void
print_held(struct view *v)
{
	for (size_t i = v->seen > SHOWN ? v->seen - SHOWN : 0; i < v->seen; i++) {
		(void)puts(v->last[i % SHOWN]);
		free(v->last[i % SHOWN]);
		v->last[i % SHOWN] = NULL;
	}
	v->seen = 0;
}

/* Lines that are complete leave the front of `text`. */
static void
take_lines(struct view *v, struct buf *text)
{
	char	*end;

	while ((end = memchr(text->data, '\n', text->len)) != NULL) {
		size_t	 n = (size_t)(end - (char *)text->data);
		char	*shown = render(v, (struct slice){ (const char *)text->data, n });

		if (shown != NULL)
			hold(v, shown);
		buf_consume(text, n + 1);
	}
}

static void
read_more(struct view *v, int fd, struct buf *text)
{
	char	 part[65536];
	ssize_t	 n;

	while ((n = read(fd, part, sizeof(part))) > 0) {
		buf_add(text, part, (size_t)n);
		take_lines(v, text);
	}
}

static int
is_log(const struct dirent *e)
{
	return logfile_is_name(e->d_name);
}

/* Opens the file after `*present` (NULL: the first one), which it replaces; -1 when there is none. */
static int
open_next(const struct view *v, char **present)
{
	struct dirent	**list = NULL;
	struct buf	  path = { 0 };
	int		  n = scandir(v->dir, &list, is_log, alphasort), fd = -1;

	for (int i = 0; i < n; i++) {
		if (fd == -1 && (*present == NULL || strcmp(list[i]->d_name, *present) > 0)) {
			buf_reset(&path);
			buf_printf(&path, "%s/%s", v->dir, list[i]->d_name);
			if ((fd = open(buf_cstr(&path), O_RDONLY | O_CLOEXEC)) != -1) {
				free(*present);
				*present = strdup(list[i]->d_name);
			}
		}
		free(list[i]);
	}
	free(list);
	buf_free(&path);
	return fd;
}

/* Reads to the end of the newest file, from where fd stands. */
static void
catch_up(struct view *v, int *fd, char **present, struct buf *text)
{
	int	 next;

	if (*fd != -1)
		read_more(v, *fd, text);
	while ((next = open_next(v, present)) != -1) {
		if (*fd != -1) {
			read_more(v, *fd, text);	/* what came after we looked */
			(void)close(*fd);
		}
		*fd = next;
		buf_reset(text);
		read_more(v, *fd, text);
	}
}

/* Until somebody interrupts us, or our reader has gone. */
static int
go_on(struct view *v, int *fd, char **present, struct buf *text)
{
	int		 changes = inotify_init1(IN_CLOEXEC);
	char		 events[4096];

	if (changes == -1 || inotify_add_watch(changes, v->dir, IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_DELETE) == -1) {
		(void)fprintf(stderr, "edsctl: cannot watch %s: %s\n", v->dir, strerror(errno));
		if (changes != -1)
			(void)close(changes);
		return CONTROL_FAILED;
	}
	do {
		catch_up(v, fd, present, text);
		print_held(v);
		if (fflush(stdout) != 0)
			break;
	} while (read(changes, events, sizeof(events)) > 0);
	(void)close(changes);
	return CONTROL_OK;
}

int
edsctl_logs(const char *data_dir, const char *name, bool follow, bool json)
{
	struct view	 v = { .name = name, .json = json };
	struct buf	 text = { 0 };
	char		*present = NULL;
	int		 fd = -1, rc = CONTROL_OK;

	if (asprintf(&v.dir, "%s/logs", data_dir) == -1) {
		(void)fprintf(stderr, "edsctl: out of memory\n");
		return CONTROL_FAILED;
	}
	if (access(v.dir, R_OK | X_OK) == -1) {
		(void)fprintf(stderr, "edsctl: cannot read %s: %s%s\n", v.dir, strerror(errno),
		    errno == ENOENT ? "; is it the right --data-dir, and is log_file_size not 0?" : "");
		rc = errno == ENOENT ? CONTROL_NOBODY : CONTROL_FAILED;
	} else {
		catch_up(&v, &fd, &present, &text);
		print_held(&v);
		if (follow)
			rc = go_on(&v, &fd, &present, &text);
	}
	if (fd != -1)
		(void)close(fd);
	free(present);
	free(v.dir);
	buf_free(&text);
	return rc;
}
