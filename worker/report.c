/* Results, troubles and log lines on their way to the main thread. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/report.h"

struct report {
	pthread_mutex_t	 out_lock;	/* guards the sending side of the channel; taken before `lock` */
	struct channel	*channel;	/* NULL: nobody listens */

	pthread_mutex_t	 lock;		/* guards what follows */
	pthread_cond_t	 changed;	/* `unsent` */
	bool		 unsent;	/* something is here, or in the channel and not yet written */
	int		 fd;
	struct buf	 frames;
	uint64_t	 lines_dropped;
};

struct report *
report_new(struct err *err)
{
	struct report	*r = calloc(1, sizeof(*r));

	if (r == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the report queue");
		return NULL;
	}
	(void)pthread_mutex_init(&r->out_lock, NULL);
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->changed, NULL);
	if ((r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1) {
		(void)err_sys(err, "eventfd");
		report_free(&r);
	}
	return r;
}

void
report_free(struct report **r)
{
	if (*r == NULL)
		return;
	if ((*r)->fd != -1)
		(void)close((*r)->fd);
	(void)pthread_cond_destroy(&(*r)->changed);
	(void)pthread_mutex_destroy(&(*r)->lock);
	(void)pthread_mutex_destroy(&(*r)->out_lock);
	buf_free(&(*r)->frames);
	free(*r);
	*r = NULL;
}

int
report_fd(const struct report *r)
{
	return r->fd;
}

void
report_heard(struct report *r)
{
	uint64_t	 count;

	/* What comes after this rings again. */
	if (read(r->fd, &count, sizeof(count)) == -1)
		return;
}

void
report_nudge(struct report *r)
{
	uint64_t	 one = 1;

	/* A counter that is full wakes just as well. */
	if (write(r->fd, &one, sizeof(one)) == -1)
		return;
}

void
report_queue(struct report *r, enum ipc_type type, const union ipc_body *body)
{
	(void)pthread_mutex_lock(&r->lock);
	ipc_encode(&r->frames, type, body);
	r->unsent = true;
	(void)pthread_mutex_unlock(&r->lock);
}

void
report_send(struct report *r, enum ipc_type type, const union ipc_body *body)
{
	report_queue(r, type, body);
	report_nudge(r);
}

bool
report_queued(struct report *r)
{
	bool	 queued;

	(void)pthread_mutex_lock(&r->lock);
	queued = r->frames.len > 0;
	(void)pthread_mutex_unlock(&r->lock);
	return queued;
}

void
report_fetch(struct report *r, struct buf *out)
{
	(void)pthread_mutex_lock(&r->lock);
	buf_adds_slice(out, buf_slice(&r->frames));
	if (r->frames.oom)
		out->oom = true;
	buf_reset(&r->frames);
	(void)pthread_mutex_unlock(&r->lock);
}

/* Nothing fetched is left to be written. */
static void
all_sent(struct report *r)
{
	(void)pthread_mutex_lock(&r->lock);
	if (r->frames.len == 0 && r->unsent) {
		r->unsent = false;
		(void)pthread_cond_broadcast(&r->changed);
	}
	(void)pthread_mutex_unlock(&r->lock);
}

/* Nobody will ever read it. */
static void
drop(struct report *r)
{
	struct buf	 nobody = { 0 };

	report_fetch(r, &nobody);
	buf_free(&nobody);
	all_sent(r);
}

void
report_attach(struct report *r, struct channel *ch)
{
	(void)pthread_mutex_lock(&r->out_lock);
	r->channel = ch;
	(void)pthread_mutex_unlock(&r->out_lock);
}

void
report_detach(struct report *r)
{
	(void)pthread_mutex_lock(&r->out_lock);
	r->channel = NULL;
	drop(r);
	(void)pthread_mutex_unlock(&r->out_lock);
}

/* True when the frames that wait are in the channel. */
static bool
pass_on(struct report *r)
{
	bool	 some;

	(void)pthread_mutex_lock(&r->lock);
	some = r->frames.len > 0 || r->frames.oom;
	(void)pthread_mutex_unlock(&r->lock);
	if (some)
		report_fetch(r, channel_out(r->channel));
	return channel_wants_write(r->channel) || some;
}

int
report_flush(struct report *r, struct err *err)
{
	int	 rc = 0;

	(void)pthread_mutex_lock(&r->out_lock);
	if (r->channel == NULL)
		drop(r);
	else if (pass_on(r)) {
		rc = channel_flush(r->channel, err);
		if (rc == 0 && !channel_wants_write(r->channel))
			all_sent(r);
	}
	(void)pthread_mutex_unlock(&r->out_lock);
	return rc;
}

bool
report_wants_write(struct report *r)
{
	bool	 wants;

	(void)pthread_mutex_lock(&r->out_lock);
	wants = r->channel != NULL && channel_wants_write(r->channel);
	(void)pthread_mutex_unlock(&r->out_lock);
	return wants;
}

static bool
is_unsent(struct report *r)
{
	bool	 unsent;

	(void)pthread_mutex_lock(&r->lock);
	unsent = r->unsent;
	(void)pthread_mutex_unlock(&r->lock);
	return unsent;
}

void
report_push(struct report *r)
{
	struct err	 err;

	/* What went wrong stays, and goes wrong again for the main thread, which knows what to do about it. */
	if (is_unsent(r) && (report_flush(r, &err) == -1 || is_unsent(r)))
		report_nudge(r);
}

void
report_await_sent(struct report *r)
{
	report_push(r);
	(void)pthread_mutex_lock(&r->lock);
	while (r->unsent)
		(void)pthread_cond_wait(&r->changed, &r->lock);
	(void)pthread_mutex_unlock(&r->lock);
}

static void
encode_line(struct buf *out, enum log_level level, const char *prefix, const char *text, const char *json)
{
	union ipc_body	 body = { .log = {
		.level = (uint64_t)level,
		.prefix = slice_of(prefix),
		.text = slice_of(text),
		.json = slice_of(json),
	} };

	ipc_encode(out, IPC_LOG, &body);
}

void
report_log(void *arg, enum log_level level, const char *prefix, const char *text, const char *json)
{
	struct report	*r = arg;
	char		 gap[80];

	(void)pthread_mutex_lock(&r->lock);
	if (r->frames.len > REPORT_LOG_MOST)
		r->lines_dropped++;
	else {
		if (r->lines_dropped > 0) {
			(void)snprintf(gap, sizeof(gap), "%llu log lines were dropped here",
			    (unsigned long long)r->lines_dropped);
			encode_line(&r->frames, LOG_WARN, prefix, gap, NULL);
			r->lines_dropped = 0;
		}
		encode_line(&r->frames, level, prefix, text, json);
	}
	(void)pthread_mutex_unlock(&r->lock);
	report_nudge(r);
}
