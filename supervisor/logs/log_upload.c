/* Packs a log file and hands it to HQ. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "ipc/base/url.h"
#include "supervisor/logs/log_upload.h"

#define UPLOAD_MS	120000

struct log_upload {
	struct ev_loop	*loop;
	struct http	*http;
	struct http_call *call;
	char		*file, *packed, *url, *log_path;
	log_upload_fn	 fn;
	void		*arg;
	ev_async	 done;
	pthread_t	 thread;
	bool		 running;
	struct err	 why;		/* the thread's, to be read when it has ended */
	int		 rc;
};

static int
pack(const char *file, const char *packed, struct err *err)
{
	FILE	*in = fopen(file, "re");
	gzFile	 out = NULL;
	char	 part[16384];
	size_t	 n;
	int	 rc = -1;

	if (in == NULL) {
		(void)err_sys(err, "cannot read %s", file);
		goto out;
	}
	if ((out = gzopen(packed, "wb")) == NULL) {
		(void)err_sys(err, "cannot write %s", packed);
		goto out;
	}
	while ((n = fread(part, 1, sizeof(part), in)) > 0)
		if (gzwrite(out, part, (unsigned)n) != (int)n) {
			(void)err_sys(err, "cannot write %s", packed);
			goto out;
		}
	if (ferror(in))
		(void)err_sys(err, "cannot read %s", file);
	else
		rc = 0;
out:
	if (in != NULL)
		(void)fclose(in);
	if (out != NULL && gzclose(out) != Z_OK && rc == 0)
		rc = err_sys(err, "cannot write %s", packed);
	return rc;
}

static void *
pack_main(void *arg)
{
	struct log_upload	*u = arg;

	u->rc = pack(u->file, u->packed, &u->why);
	ev_async_send(u->loop, &u->done);
	return NULL;
}

static void
upload_free(struct log_upload *u)
{
	if (u->running)
		(void)pthread_join(u->thread, NULL);
	ev_async_stop(u->loop, &u->done);
	http_cancel(&u->call);
	if (u->packed != NULL)
		(void)unlink(u->packed);
	free(u->file);
	free(u->packed);
	free(u->url);
	free(u->log_path);
	free(u);
}

/* The handle is gone before the callback, which may begin the next one. */
static void
finish(struct log_upload *u, bool good)
{
	log_upload_fn	 fn = u->fn;
	void		*arg = u->arg;
	struct err	 why = u->why;
	char		*log_path = u->log_path;

	u->log_path = NULL;
	upload_free(u);
	fn(arg, good ? log_path : NULL, &why);
	free(log_path);
}

static void
on_answer(void *arg, const struct http_response *r)
{
	struct log_upload	*u = arg;

	u->call = NULL;
	if (r->status == 0)
		(void)err_set(&u->why, ERR_TEMPORARY, "sending the log to HQ: %s", r->err->text);
	else if (r->status != 200)
		(void)err_set(&u->why, ERR_TEMPORARY, "sending the log to HQ: it was answered with status %ld", r->status);
	finish(u, r->status == 200);
}

static void
on_packed(struct ev_loop *loop, ev_async *w, int events)
{
	struct log_upload	*u = w->data;
	const struct http_request r = {
		.method = "PUT", .url = u->url, .user_agent_only = true, .upload = u->packed, .content_type = "application/x-tgz",
		.timeout_ms = UPLOAD_MS, .retry = true,
	};

	(void)loop;
	(void)events;
	(void)pthread_join(u->thread, NULL);
	u->running = false;
	if (u->rc == -1 || http_start(u->http, &r, on_answer, u, &u->call, &u->why) == -1)
		finish(u, false);
}

int
log_upload_start(struct log_upload **u_r, struct ev_loop *loop, struct http *http, const char *file, const char *url,
    log_upload_fn fn, void *arg, struct err *err)
{
	struct log_upload	*u;
	struct url		 parts;

	if (url_parse(&parts, slice_of(url), err) == -1)
		return err_prefix(err, "the address that HQ gave for the log");
	if ((u = calloc(1, sizeof(*u))) == NULL) {
		url_free(&parts);
		return err_set(err, ERR_NOMEM, "no memory to send the log");
	}
	u->loop = loop;
	u->http = http;
	u->fn = fn;
	u->arg = arg;
	u->file = strdup(file);
	u->url = strdup(url);
	u->log_path = strdup(parts.path);
	if (asprintf(&u->packed, "%s.gz", file) == -1)
		u->packed = NULL;
	url_free(&parts);
	ev_async_init(&u->done, on_packed);
	u->done.data = u;
	ev_async_start(loop, &u->done);
	if (u->file == NULL || u->url == NULL || u->log_path == NULL || u->packed == NULL) {
		upload_free(u);
		return err_set(err, ERR_NOMEM, "no memory to send the log");
	}
	if ((errno = pthread_create(&u->thread, NULL, pack_main, u)) != 0) {
		(void)err_sys(err, "cannot start a thread to pack the log");
		upload_free(u);
		return -1;
	}
	u->running = true;
	*u_r = u;
	return 0;
}

void
log_upload_cancel(struct log_upload **up)
{
	if (*up != NULL)
		upload_free(*up);
	*up = NULL;
}
