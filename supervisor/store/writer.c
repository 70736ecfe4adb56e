/* The thread that waits for the disk. */

#include <pthread.h>
#include <stdlib.h>

#include "supervisor/store/writer.h"

struct writer {
	struct ev_loop		*loop;
	ev_async		 note;
	pthread_t		 thread;
	bool			 running;	/* the thread is */
	bool			 busy;		/* a job was started and done() has not been called; loop only */

	pthread_mutex_t		 lock;		/* guards what follows */
	pthread_cond_t		 changed;
	struct writer_job	 job;
	enum { WRITER_IDLE, WRITER_GIVEN, WRITER_FINISHED, WRITER_ENDS } state;
	int			 rc;
	struct err		 err;
};

static void *
writer_thread(void *arg)
{
	struct writer	*w = arg;

	(void)pthread_mutex_lock(&w->lock);
	for (;;) {
		struct err err = { 0 };
		int rc;

		while (w->state != WRITER_GIVEN && w->state != WRITER_ENDS)
			(void)pthread_cond_wait(&w->changed, &w->lock);
		if (w->state == WRITER_ENDS)
			break;
		(void)pthread_mutex_unlock(&w->lock);
		rc = w->job.run(w->job.arg, &err);
		(void)pthread_mutex_lock(&w->lock);
		w->rc = rc;
		w->err = err;
		w->state = WRITER_FINISHED;
		(void)pthread_cond_broadcast(&w->changed);
		ev_async_send(w->loop, &w->note);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Calls done() once; the note of a job that was waited for finds nothing left to do. */
static void
finish(struct writer *w)
{
	struct writer_job	 job;
	struct err		 err;
	int			 rc;

	(void)pthread_mutex_lock(&w->lock);
	if (w->state != WRITER_FINISHED) {
		(void)pthread_mutex_unlock(&w->lock);
		return;
	}
	w->state = WRITER_IDLE;
	job = w->job;
	rc = w->rc;
	err = w->err;
	(void)pthread_mutex_unlock(&w->lock);
	w->busy = false;
	job.done(job.arg, rc, &err);
}

static void
on_note(struct ev_loop *loop, ev_async *a, int events)
{
	(void)loop;
	(void)events;
	finish(a->data);
}

int
writer_new(struct writer **w_r, struct ev_loop *loop, struct err *err)
{
	struct writer	*w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_set(err, ERR_NOMEM, "writer");
	w->loop = loop;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->changed, NULL);
	ev_async_init(&w->note, on_note);
	w->note.data = w;
	if (pthread_create(&w->thread, NULL, writer_thread, w) != 0) {
		writer_free(&w);
		return err_set(err, ERR_TEMPORARY, "cannot start the thread that writes the store");
	}
	w->running = true;
	ev_async_start(loop, &w->note);
	*w_r = w;
	return 0;
}

void
writer_free(struct writer **wp)
{
	struct writer	*w = *wp;

	if (w == NULL)
		return;
	if (w->running) {
		(void)pthread_mutex_lock(&w->lock);
		while (w->state == WRITER_GIVEN)
			(void)pthread_cond_wait(&w->changed, &w->lock);
		w->state = WRITER_ENDS;
		(void)pthread_cond_broadcast(&w->changed);
		(void)pthread_mutex_unlock(&w->lock);
		(void)pthread_join(w->thread, NULL);
		ev_async_stop(w->loop, &w->note);
	}
	(void)pthread_cond_destroy(&w->changed);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
	*wp = NULL;
}

bool
writer_busy(const struct writer *w)
{
	return w->busy;
}

void
writer_start(struct writer *w, const struct writer_job *job)
{
	if (w->busy)
		bug("the writer was given a second job");
	w->busy = true;
	(void)pthread_mutex_lock(&w->lock);
	w->job = *job;
	w->state = WRITER_GIVEN;
	(void)pthread_cond_broadcast(&w->changed);
	(void)pthread_mutex_unlock(&w->lock);
}

void
writer_wait(struct writer *w)
{
	if (!w->busy)
		return;
	(void)pthread_mutex_lock(&w->lock);
	while (w->state == WRITER_GIVEN)
		(void)pthread_cond_wait(&w->changed, &w->lock);
	(void)pthread_mutex_unlock(&w->lock);
	finish(w);
}
