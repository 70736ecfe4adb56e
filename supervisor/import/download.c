/* Fetching files, each with as many attempts as it needs. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "ipc/base/log.h"
#include "supervisor/import/download.h"

#define ATTEMPTS	6u		/* in a row that brought nothing */
#define PAUSE_MIN_MS	200
#define PAUSE_MAX_MS	15000

struct download {
	struct downloads	*all;
	struct download		*next;
	size_t			 file;
	char			*url, *name;
	struct http_call	*call;
	ev_timer		 pause;
	unsigned		 failures;
	int			 fd;		/* of the part, while an attempt is under way */
	uint64_t		 have;		/* of the part */
	uint64_t		 had;		/* at the start of the attempt */
	uint64_t		 best;		/* most that it ever had */
	int			 sink_errno;
	struct err		 doom;		/* an attempt could not even begin */
};

struct downloads {
	struct ev_loop		*loop;
	struct http		*http;
	struct log		 log;
	struct download_events	 on;
	int			 dir;
	unsigned		 parallel, running;
	struct download		*waiting, **waiting_end;	/* in the order in which they came */
	struct download		*active;
	size_t			 busy;
	uint64_t		 bytes;
};

static void	attempt(struct download *);

static void
download_free(struct download *d)
{
	http_cancel(&d->call);
	ev_timer_stop(d->all->loop, &d->pause);
	if (d->fd != -1)
		(void)close(d->fd);
	free(d->url);
	free(d->name);
	free(d);
}

static void
start_waiting(struct downloads *all)
{
	while (all->running < all->parallel && all->waiting != NULL) {
		struct download *d = all->waiting;

		if ((all->waiting = d->next) == NULL)
			all->waiting_end = &all->waiting;
		d->next = all->active;
		all->active = d;
		all->running++;
		attempt(d);
	}
}

/* Takes it off the list; the caller tells and frees. */
static void
retire(struct download *d)
{
	struct download	**at = &d->all->active;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	d->all->running--;
	d->all->busy--;
}

static void
finish(struct download *d)
{
	struct downloads	*all = d->all;
	struct download_events	 on = all->on;
	size_t			 file = d->file;
	uint64_t		 have = d->have;

	retire(d);
	download_free(d);
	start_waiting(all);
	on.done(on.arg, file, have);	/* may free us */
}

static void
give_up(struct download *d, enum download_trouble trouble, const struct err *why)
{
	struct downloads	*all = d->all;
	struct download_events	 on = all->on;
	struct err		 err = *why;
	size_t			 file = d->file;

	(void)err_prefix(&err, "%s", d->name);
	retire(d);
	download_free(d);
	start_waiting(all);
	on.failed(on.arg, file, trouble, &err);
}

static void
part_name(const struct download *d, char *out, size_t size)
{
	(void)snprintf(out, size, DOWNLOAD_PART "%s", d->name);
}

static void
on_pause(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	attempt(w->data);
}

static void
try_again(struct download *d, const struct http_response *r, const struct err *err)
{
	int64_t	 pause = (int64_t)PAUSE_MIN_MS << (d->failures < 10 ? d->failures : 10);

	if (d->have > d->best) {	/* it broke off, but it goes on */
		d->best = d->have;
		d->failures = 0;
	}
	if (++d->failures >= ATTEMPTS) {
		give_up(d, DOWNLOAD_FAILED, err);
		return;
	}
	if (pause < r->retry_after_ms)
		pause = r->retry_after_ms;
	if (pause > PAUSE_MAX_MS)
		pause = PAUSE_MAX_MS;
	log_debug(&d->all->log, "%s: %s; going on at byte %llu", d->name, err->text, (unsigned long long)d->have);
	ev_timer_set(&d->pause, (double)(pause / 2 + (int64_t)random_below((uint64_t)pause / 2 + 1)) / 1000.0, 0.);
	ev_timer_start(d->all->loop, &d->pause);
}

/* The part is of no use. */
static void
start_over(struct download *d)
{
	if (ftruncate(d->fd, 0) == -1)
		d->sink_errno = errno;
	d->had = d->have = 0;
}

/* What came is what was announced; a part that is too long has to come anew. */
static int
check_size(struct download *d, const struct http_response *r, struct err *err)
{
	if (r->whole < 0 || d->have == (uint64_t)r->whole)
		return 0;
	if (d->have > (uint64_t)r->whole)
		start_over(d);
	return err_set(err, ERR_TEMPORARY, "%llu bytes came of %lld", (unsigned long long)d->have, (long long)r->whole);
}

static int
keep(struct download *d, struct err *err)
{
	char	 part[300];

	part_name(d, part, sizeof(part));
	if (renameat(d->all->dir, part, d->all->dir, d->name) == -1)
		return err_sys(err, "cannot give the file its name");
	return 0;
}

static bool
is_stale(long status)
{
	return status == 400 || status == 401 || status == 403 || status == 404 || status == 410;
}

static void
on_response(void *arg, const struct http_response *r)
{
	struct download	*d = arg;
	struct err	 err = { 0 };

	d->call = NULL;
	if (d->sink_errno != 0) {
		errno = d->sink_errno;
		(void)err_sys(&err, "cannot write to the download folder");
		give_up(d, DOWNLOAD_FAILED, &err);
	} else if (r->status == 200 || r->status == 206 || (r->status == 416 && r->whole >= 0)) {
		/* 416: nothing is behind the part, which then is the whole file, or more than that. */
		if (check_size(d, r, &err) == -1)
			try_again(d, r, &err);
		else if (keep(d, &err) == -1)
			give_up(d, DOWNLOAD_FAILED, &err);
		else
			finish(d);
	} else {
		if (r->status == 0)
			err = *r->err;
		else
			(void)err_set(&err, ERR_IO, "the download answers with status %ld", r->status);
		if (is_stale(r->status))
			give_up(d, DOWNLOAD_STALE, &err);
		else
			try_again(d, r, &err);
	}
}

static int
on_piece(void *arg, long status, struct slice piece)
{
	struct download	*d = arg;

	/* The server begins at the front, whatever was asked for. */
	if (status == 200 && d->had > 0)
		start_over(d);
	if (d->sink_errno != 0)
		return -1;
	while (piece.n > 0) {
		ssize_t n = write(d->fd, piece.p, piece.n);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			d->sink_errno = errno;
			return -1;
		}
		piece.p += n;
		piece.n -= (size_t)n;
		d->have += (uint64_t)n;
		d->all->bytes += (uint64_t)n;
	}
	return 0;
}

static int
open_part(struct download *d, struct err *err)
{
	struct stat	 st;
	char		 part[300];

	part_name(d, part, sizeof(part));
	if (d->fd == -1 && (d->fd = openat(d->all->dir, part, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)) == -1)
		return err_sys(err, "cannot write to the download folder");
	if (fstat(d->fd, &st) == -1)
		return err_sys(err, "cannot look at the download folder");
	d->have = d->had = (uint64_t)st.st_size;
	return 0;
}

static void
on_doomed(struct ev_loop *loop, ev_timer *w, int events)
{
	struct download	*d = w->data;

	(void)loop;
	(void)events;
	give_up(d, DOWNLOAD_FAILED, &d->doom);
}

static void
attempt(struct download *d)
{
	struct http_request	 request = { .method = "GET", .url = d->url, .sink = on_piece };

	d->sink_errno = 0;
	if (open_part(d, &d->doom) == 0) {
		request.from = d->have;
		if (http_start(d->all->http, &request, on_response, d, &d->call, &d->doom) == 0)
			return;
	}
	/* Said from the loop, like everything else. */
	ev_timer_init(&d->pause, on_doomed, 0., 0.);
	ev_timer_start(d->all->loop, &d->pause);
}

/* It is there from an earlier run: said from the loop, like any other. */
static void
on_there(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	finish(w->data);
}

int
downloads_add(struct downloads *all, size_t file, const char *url, const char *name, struct err *err)
{
	struct download	*d = calloc(1, sizeof(*d));
	struct stat	 st;

	if (d == NULL || (d->url = strdup(url)) == NULL || (d->name = strdup(name)) == NULL) {
		if (d != NULL)
			free(d->url);
		free(d);
		return err_set(err, ERR_NOMEM, "downloading %s", name);
	}
	d->all = all;
	d->file = file;
	d->fd = -1;
	ev_init(&d->pause, on_pause);
	d->pause.data = d;
	all->busy++;
	if (fstatat(all->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
		d->have = (uint64_t)st.st_size;
		d->next = all->active;
		all->active = d;
		all->running++;
		ev_timer_init(&d->pause, on_there, 0., 0.);
		ev_timer_start(all->loop, &d->pause);
		return 0;
	}
	*all->waiting_end = d;
	all->waiting_end = &d->next;
	start_waiting(all);
	return 0;
}

size_t
downloads_busy(const struct downloads *all)
{
	return all->busy;
}

uint64_t
downloads_bytes(const struct downloads *all)
{
	return all->bytes;
}

int
downloads_new(struct downloads **all_r, struct ev_loop *loop, struct http *http, const char *dir, unsigned parallel,
    const struct download_events *on, struct err *err)
{
	struct downloads	*all = calloc(1, sizeof(*all));

	if (all == NULL)
		return err_set(err, ERR_NOMEM, "downloads");
	if ((all->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1) {
		free(all);
		return err_sys(err, "cannot open the download folder %s", dir);
	}
	all->loop = loop;
	all->http = http;
	all->on = *on;
	all->parallel = parallel == 0 ? 1 : parallel;
	all->waiting_end = &all->waiting;
	log_make(&all->log, "import", NULL);
	*all_r = all;
	return 0;
}

static void
free_list(struct download *d)
{
	struct download	*next;

	for (; d != NULL; d = next) {
		next = d->next;
		download_free(d);
	}
}

void
downloads_free(struct downloads **allp)
{
	struct downloads	*all = *allp;

	*allp = NULL;
	if (all == NULL)
		return;
	free_list(all->active);
	free_list(all->waiting);
	(void)close(all->dir);
	free(all);
}
