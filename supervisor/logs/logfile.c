/* The log file: written line by line, changed by size and on request, limited as a whole. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "ipc/base/json_out.h"
#include "supervisor/logs/logfile.h"
#include "supervisor/logs/logfile_name.h"

struct logfile {
	char		*dir;
	char		*path;		/* of the present file */
	int		 fd;
	uint64_t	 size, max_bytes, keep_bytes;
	bool		 failing;
};

/* --- one line --- */

static void
put_time(struct buf *out, int64_t epoch_ns)
{
	time_t		 s = (time_t)(epoch_ns / 1000000000);
	char		 text[64], fraction[16] = "";
	struct tm	 tm;
	size_t		 n;

	if (localtime_r(&s, &tm) == NULL)
		return;
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	if (epoch_ns % 1000000000 != 0) {
		n = (size_t)snprintf(fraction, sizeof(fraction), ".%09lld", (long long)(epoch_ns % 1000000000));
		while (fraction[n - 1] == '0')
			fraction[--n] = '\0';
	}
	buf_printf(out, "%s%s", text, fraction);
	if (tm.tm_gmtoff == 0)
		buf_addc(out, 'Z');
	else
		buf_printf(out, "%c%02ld:%02ld", tm.tm_gmtoff < 0 ? '-' : '+', labs(tm.tm_gmtoff) / 3600,
		    labs(tm.tm_gmtoff) / 60 % 60);
}

/* "[server] [postgres] " becomes "server, postgres". */
static void
put_component(struct buf *out, const char *prefix)
{
	const char	*comma = "";

	for (const char *open = strchr(prefix, '['), *close; open != NULL; open = strchr(close, '[')) {
		if ((close = strchr(open, ']')) == NULL)
			break;
		buf_adds(out, comma);
		buf_adds_slice(out, (struct slice){ open + 1, (size_t)(close - open - 1) });
		comma = ", ";
	}
}

/* Text without ANSI sequences. */
static void
put_plain(struct buf *out, const char *text)
{
	while (*text != '\0') {
		if (text[0] == '\033' && text[1] == '[') {
			text += 2;
			text += strspn(text, "0123456789;?");
			if (*text != '\0')
				text++;
		} else
			buf_addc(out, *text++);
	}
}

void
logfile_format(struct buf *out, int64_t epoch_ns, enum log_level level, const char *prefix, const char *text, const char *json)
{
	struct buf	 part = { 0 };

	buf_adds(out, "{\"timestamp\":\"");
	put_time(out, epoch_ns);
	buf_adds(out, "\",\"message\":");
	put_plain(&part, text);
	json_out_str(out, buf_slice(&part));
	buf_printf(out, ",\"severity\":\"%s\"", level == LOG_WARN ? "WARNING" : log_level_name(level));
	if (json != NULL && strcmp(json, "{}") != 0)
		buf_printf(out, ",\"metadata\":%s", json);
	buf_reset(&part);
	put_component(&part, prefix);
	if (part.len > 0) {
		buf_adds(out, ",\"component\":");
		json_out_str(out, buf_slice(&part));
	}
	buf_addc(out, '}');
	out->oom |= part.oom;
	buf_free(&part);
}

/* --- files --- */

static int
only_logs(const struct dirent *e)
{
	return logfile_is_name(e->d_name);
}

/* Names of one length, so that their order is that of time until the year 2286. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
free_list(struct dirent **list, int n)
{
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static bool
is_present(const struct logfile *lf, const char *name)
{
	const char	*slash = lf->path == NULL ? NULL : strrchr(lf->path, '/');

	return slash != NULL && strcmp(slash + 1, name) == 0;
}

/* Removes the oldest until the rest fits. */
static void
trim(struct logfile *lf)
{
	struct dirent	**list = NULL;
	uint64_t	  total = 0;
	int		  n = scandir(lf->dir, &list, only_logs, by_name);
	struct buf	  path = { 0 };
	struct stat	  st;

	for (int i = n - 1; i >= 0; i--) {
		buf_reset(&path);
		buf_printf(&path, "%s/%s", lf->dir, list[i]->d_name);
		if (stat(buf_cstr(&path), &st) == -1)
			continue;
		total += (uint64_t)st.st_size;
		if (total > lf->keep_bytes && !is_present(lf, list[i]->d_name))
			(void)unlink(buf_cstr(&path));
	}
	buf_free(&path);
	if (n >= 0)
		free_list(list, n);
}

static int
begin(struct logfile *lf, struct err *err)
{
	struct buf	 path = { 0 };
	int64_t		 ms = wall_ms();
	char		*text;
	int		 fd;

	/* Two changes within a millisecond, or a clock that was set back. */
	for (;; ms++) {
		buf_reset(&path);
		buf_printf(&path, "%s/eds-%lld.log", lf->dir, (long long)ms);
		fd = open(buf_cstr(&path), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd != -1 || errno != EEXIST)
			break;
	}
	if (fd == -1) {
		(void)err_sys(err, "cannot begin the log file %s", buf_cstr(&path));
		buf_free(&path);
		return -1;
	}
	if ((text = buf_steal(&path)) == NULL) {
		(void)close(fd);
		return err_set(err, ERR_NOMEM, "log file");
	}
	if (lf->fd != -1)
		(void)close(lf->fd);
	free(lf->path);
	lf->path = text;
	lf->fd = fd;
	lf->size = 0;
	trim(lf);
	return 0;
}

int
logfile_open(struct logfile **lf_r, const char *data_dir, uint64_t max_bytes, uint64_t keep_bytes, struct err *err)
{
	struct logfile	*lf = calloc(1, sizeof(*lf));
	int		 rc = -1;

	if (lf == NULL)
		return err_set(err, ERR_NOMEM, "log file");
	lf->fd = -1;
	logfile_limits(lf, max_bytes, keep_bytes);
	if (asprintf(&lf->dir, "%s/logs", data_dir) == -1) {
		lf->dir = NULL;
		(void)err_set(err, ERR_NOMEM, "log file");
	} else if (mkdir(lf->dir, 0700) == -1 && errno != EEXIST)
		(void)err_sys(err, "cannot make the folder %s", lf->dir);
	else
		rc = begin(lf, err);
	if (rc == -1)
		logfile_close(&lf);
	*lf_r = lf;
	return rc;
}

void
logfile_close(struct logfile **lfp)
{
	struct logfile	*lf = *lfp;

	if (lf == NULL)
		return;
	if (lf->fd != -1)
		(void)close(lf->fd);
	if (lf->path != NULL && lf->size == 0)
		(void)unlink(lf->path);		/* nothing was said */
	free(lf->path);
	free(lf->dir);
	free(lf);
	*lfp = NULL;
}

void
logfile_limits(struct logfile *lf, uint64_t max_bytes, uint64_t keep_bytes)
{
	lf->max_bytes = max_bytes;
	lf->keep_bytes = keep_bytes;
}

int
logfile_rotate(struct logfile *lf, struct err *err)
{
	return lf->size == 0 ? 0 : begin(lf, err);
}

void
logfile_line(void *arg, enum log_level level, const char *prefix, const char *text, const char *json)
{
	struct logfile	*lf = arg;
	struct buf	 line = { 0 };
	struct err	 err = { 0 };
	ssize_t		 n = -1;
	int		 rc = 0;

	logfile_format(&line, wall_ns(), level, prefix, text, json);
	buf_addc(&line, '\n');
	if (!line.oom && (n = write(lf->fd, line.data, line.len)) == (ssize_t)line.len)
		lf->size += line.len;
	else
		rc = n == -1 ? err_sys(&err, "%s takes no more lines", lf->path) :
		    err_set(&err, ERR_FULL, "%s takes no more lines", lf->path);
	buf_free(&line);
	if (rc == 0 && lf->size >= lf->max_bytes)
		rc = logfile_rotate(lf, &err);
	if (rc == -1 && !lf->failing) {
		lf->failing = true;	/* first, because this line comes here as well */
		log_warn(NULL, "%s; the console has them all", err.text);
	} else if (rc == 0)
		lf->failing = false;
}

struct slice
logfile_unsent(struct logfile *lf, struct buf *path)
{
	struct dirent	**list = NULL;
	int		  n = scandir(lf->dir, &list, only_logs, by_name);

	buf_reset(path);
	for (int i = 0; i < n && path->len == 0; i++)
		if (!is_present(lf, list[i]->d_name))
			buf_printf(path, "%s/%s", lf->dir, list[i]->d_name);
	if (n >= 0)
		free_list(list, n);
	return path->len == 0 ? (struct slice){ NULL, 0 } : slice_of(buf_cstr(path));
}

int
logfile_sent(struct logfile *lf, const char *path, bool keep, struct err *err)
{
	struct buf	 to = { 0 };
	int		 rc = 0;

	if (!keep)
		return unlink(path) == -1 && errno != ENOENT ? err_sys(err, "cannot remove %s", path) : 0;
	buf_printf(&to, "%s/sent", lf->dir);
	if (mkdir(buf_cstr(&to), 0700) == -1 && errno != EEXIST)
		rc = err_sys(err, "cannot make the folder %s", buf_cstr(&to));
	buf_adds(&to, strrchr(path, '/'));
	if (rc == 0 && rename(path, buf_cstr(&to)) == -1)
		rc = err_sys(err, "cannot keep %s", path);
	buf_free(&to);
	return rc;
}
