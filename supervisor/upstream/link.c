/*
 * A connection to NATS.  natsConnection_Connect() blocks, so it runs in a thread of
 * its own; everything after that happens on the loop.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/buf.h"
#include "ipc/base/log.h"
#include "supervisor/upstream/link.h"
#include "supervisor/upstream/nats_loop.h"

#define CONNECT_TIMEOUT_MS	2000
#define IO_BYTES		(256 << 10)	/* of one read or write; the library's own 32 KiB hold some twenty events */

struct link {
	struct ev_loop		*loop;
	struct link_events	 on;
	struct nats_loop	*nl;
	natsOptions		*opts;
	natsConnection		*nc;
	natsSubscription	*notices;
	ev_async		 note;
	pthread_t		 thread;
	bool			 thread_running;
	bool			 is_up, is_down;
	char			 url[512];
	char			 notice_subject[200];	/* "" for none */

	/* The owner's, and one of the attempt, which passes on to the library until its closed callback has run. */
	atomic_int		 refs;

	pthread_mutex_t		 lock;		/* guards what follows */
	bool			 attempt_done, lost;
	natsStatus		 attempt;
	natsConnection		*attempt_nc;
	struct err		 why;
	char			 complaint[256];
	bool			 closing;	/* the loop may be gone: no more notes */
};

/* Asks the loop to look; any thread, with the lock held. */
static void
leave_note(struct link *l)
{
	if (!l->closing)
		ev_async_send(l->loop, &l->note);
}

static void
link_unref(struct link *l)
{
	if (atomic_fetch_sub(&l->refs, 1) > 1)
		return;
	nats_loop_free(&l->nl);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

void
link_url_for_log(const char *url, char *out, size_t size)
{
	struct slice	 rest = slice_of(url), one;
	struct buf	 b = { 0 };

	while (slice_cut(&rest, ',', &one)) {
		const char *scheme = one.n < 3 ? NULL : memmem(one.p, one.n, "://", 3);
		const char *at = one.n == 0 ? NULL : memrchr(one.p, '@', one.n);

		if (b.len > 0)
			buf_addc(&b, ',');
		if (at != NULL && scheme != NULL && at > scheme) {
			buf_add(&b, one.p, (size_t)(scheme + 3 - one.p));
			buf_adds(&b, "xxxxx@");
			buf_add(&b, at + 1, (size_t)(one.p + one.n - at - 1));
		} else
			buf_adds_slice(&b, one);
	}
	(void)snprintf(out, size, "%s", buf_cstr(&b));
	buf_free(&b);
}

/* Library threads. */

static void
on_closed(natsConnection *nc, void *arg)
{
	struct link	*l = arg;
	const char	*text = NULL;
	natsStatus	 s = natsConnection_GetLastError(nc, &text);

	(void)pthread_mutex_lock(&l->lock);
	l->lost = true;
	if (l->why.code == ERR_NONE)
		(void)err_set(&l->why, ERR_TEMPORARY, "%s", text != NULL && text[0] != '\0' ? text :
		    s == NATS_OK ? "connection closed" : natsStatus_GetText(s));
	leave_note(l);
	(void)pthread_mutex_unlock(&l->lock);
	link_unref(l);
}

static void
on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *arg)
{
	struct link	*l = arg;
	const char	*text = NULL;

	(void)sub;
	(void)natsConnection_GetLastError(nc, &text);
	(void)pthread_mutex_lock(&l->lock);
	(void)snprintf(l->complaint, sizeof(l->complaint), "%s", text != NULL && text[0] != '\0' ? text : natsStatus_GetText(s));
	leave_note(l);
	(void)pthread_mutex_unlock(&l->lock);
}

static void *
attempt(void *arg)
{
	struct link	*l = arg;
	natsConnection	*nc = NULL;
	natsStatus	 s = natsConnection_Connect(&nc, l->opts);
	natsStatus	 last;
	const char	*text = nats_GetLastError(&last);

	(void)pthread_mutex_lock(&l->lock);
	l->attempt_done = true;
	l->attempt = s;
	l->attempt_nc = nc;
	if (s != NATS_OK)
		(void)err_set(&l->why, s == NATS_CONNECTION_AUTH_FAILED ? ERR_AUTH : ERR_TEMPORARY,
		    "error connecting to NATS hosts at %s. %s", l->url,
		    text != NULL && text[0] != '\0' ? text : natsStatus_GetText(s));
	leave_note(l);
	(void)pthread_mutex_unlock(&l->lock);
	nats_ReleaseThreadMemory();
	if (s != NATS_OK)
		link_unref(l);		/* there will be no closed callback */
	return NULL;
}

/* Loop thread. */

static void
on_readable(void *arg)
{
	struct link	*l = arg;

	if (l->is_up && !l->is_down)
		l->on.readable(l->on.arg, l);
}

/* A refused permission comes as a complaint later; what fails here is the connection itself. */
static void
subscribe_notices(struct link *l)
{
	natsStatus	 s;

	if (l->notice_subject[0] == '\0')
		return;
	if ((s = natsConnection_SubscribeSync(&l->notices, l->nc, l->notice_subject)) != NATS_OK)
		log_warn(NULL, "cannot listen to HQ: %s", natsStatus_GetText(s));
}

static void
on_note(struct ev_loop *loop, ev_async *w, int events)
{
	struct link	*l = w->data;
	struct err	 why;
	char		 complaint[sizeof(l->complaint)];
	bool		 done, lost;

	(void)loop;
	(void)events;
	(void)pthread_mutex_lock(&l->lock);
	done = l->attempt_done;
	lost = l->lost;
	why = l->why;
	(void)snprintf(complaint, sizeof(complaint), "%s", l->complaint);
	l->complaint[0] = '\0';
	(void)pthread_mutex_unlock(&l->lock);
	if (done && l->thread_running) {
		(void)pthread_join(l->thread, NULL);
		l->thread_running = false;
		l->nc = l->attempt_nc;
		if (l->nc == NULL) {
			l->is_down = true;
			l->on.down(l->on.arg, l, &why);
			return;		/* l may be gone */
		}
		l->is_up = true;
		nats_loop_start(l->nl);
		if (!lost) {
			subscribe_notices(l);
			l->on.up(l->on.arg, l);
			return;		/* l may be gone; a complaint comes with the next note */
		}
	}
	if (lost && !l->is_down) {
		l->is_down = true;
		l->on.down(l->on.arg, l, &why);
		return;
	}
	if (complaint[0] != '\0' && !l->is_down)
		l->on.complaint(l->on.arg, l, complaint);
}

static natsStatus
set_servers(natsOptions *opts, const char *url)
{
	char		*list[64];
	struct slice	 rest = slice_of(url), one;
	int		 n = 0;
	natsStatus	 s = NATS_OK;

	while (n < (int)NELEM(list) && slice_cut(&rest, ',', &one)) {
		one = slice_trim(one);
		if (one.n > 0 && one.p[one.n - 1] == '/')
			one.n--;
		if (one.n == 0)
			continue;
		if ((list[n] = slice_dup(one)) == NULL) {
			s = NATS_NO_MEMORY;
			break;
		}
		n++;
	}
	if (s == NATS_OK)
		s = n == 0 ? NATS_INVALID_ARG : natsOptions_SetServers(opts, (const char **)(void *)list, n);
	while (n > 0)
		free(list[--n]);
	return s;
}

static natsStatus
set_options(struct link *l, const struct link_options *o)
{
	natsStatus	 s = natsOptions_Create(&l->opts);

	if (s == NATS_OK)
		s = set_servers(l->opts, o->url);
	if (s == NATS_OK)
		s = natsOptions_SetName(l->opts, o->name);
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(l->opts, CONNECT_TIMEOUT_MS);
	if (s == NATS_OK)
		s = natsOptions_SetIOBufSize(l->opts, IO_BYTES);
	if (s == NATS_OK)
		s = natsOptions_SetSendAsap(l->opts, true);	/* here: tell our loop, instead of a thread that tells it a ms later */
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(l->opts, false);
	if (s == NATS_OK)
		s = natsOptions_SetPingInterval(l->opts, 30000);
	if (s == NATS_OK)
		s = natsOptions_SetMaxPingsOut(l->opts, 2);
	if (s == NATS_OK && o->creds_path != NULL)
		s = natsOptions_SetUserCredentialsFromFiles(l->opts, o->creds_path, NULL);
	if (s == NATS_OK && o->ca_file != NULL)
		s = natsOptions_LoadCATrustedCertificates(l->opts, o->ca_file);
	if (s == NATS_OK)
		s = natsOptions_SetClosedCB(l->opts, on_closed, l);
	if (s == NATS_OK)
		s = natsOptions_SetErrorHandler(l->opts, on_error, l);
	if (s == NATS_OK)
		s = nats_loop_use(l->nl, l->opts);
	return s;
}

int
link_open(struct link **link_r, struct ev_loop *loop, const struct link_options *o, const struct link_events *on, struct err *err)
{
	struct link	*l;
	natsStatus	 s;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return err_set(err, ERR_NOMEM, "NATS connection");
	l->loop = loop;
	l->on = *on;
	atomic_init(&l->refs, 2);
	(void)pthread_mutex_init(&l->lock, NULL);
	ev_async_init(&l->note, on_note);
	l->note.data = l;
	link_url_for_log(o->url, l->url, sizeof(l->url));
	(void)snprintf(l->notice_subject, sizeof(l->notice_subject), "%s", o->notices == NULL ? "" : o->notices);
	if ((l->nl = nats_loop_new(loop, on_readable, l)) == NULL) {
		(void)err_set(err, ERR_NOMEM, "NATS connection");
		goto fail;
	}
	if ((s = set_options(l, o)) != NATS_OK) {
		natsStatus last;
		const char *text = nats_GetLastError(&last);

		(void)err_set(err, ERR_CONFIG, "NATS connection to %s cannot be set up: %s", l->url,
		    text != NULL && text[0] != '\0' ? text : natsStatus_GetText(s));
		goto fail;
	}
	ev_async_start(loop, &l->note);
	if (pthread_create(&l->thread, NULL, attempt, l) != 0) {
		(void)err_set(err, ERR_TEMPORARY, "cannot start a thread for the NATS connection");
		ev_async_stop(loop, &l->note);
		goto fail;
	}
	l->thread_running = true;
	*link_r = l;
	return 0;
fail:
	link_unref(l);		/* the attempt's, which never was */
	link_close(&l);
	return -1;
}

void
link_close(struct link **lp)
{
	struct link	*l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	l->is_down = true;
	if (l->thread_running) {
		(void)pthread_join(l->thread, NULL);
		l->nc = l->attempt_nc;
	}
	ev_async_stop(l->loop, &l->note);
	if (l->nl != NULL)
		nats_loop_close(l->nl);
	(void)pthread_mutex_lock(&l->lock);
	l->closing = true;
	(void)pthread_mutex_unlock(&l->lock);
	natsSubscription_Destroy(l->notices);
	if (l->nc != NULL) {
		natsConnection_Close(l->nc);
		natsConnection_Destroy(l->nc);
	}
	natsOptions_Destroy(l->opts);
	link_unref(l);
}

natsConnection *
link_nats(struct link *l)
{
	return l->is_up && !l->is_down ? l->nc : NULL;
}

natsMsg *
link_take_notice(struct link *l)
{
	natsMsg	*msg = NULL;

	if (l->notices == NULL || l->is_down || natsSubscription_NextMsg(&msg, l->notices, 0) != NATS_OK)
		return NULL;
	return msg;
}
