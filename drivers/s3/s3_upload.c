/*
 * Many objects at a time.  Those of one chain, the changes that have one key, go one after the
 * other; chains go side by side, as many as there are places (s3_window.c).  While there are places,
 * further events are asked for (struct drv_flow), so that none waits for the slowest one of a batch.
 *
 * Objects are numbered in the order of their events.  Number i stands in drv->objects[i & mask], from when it is
 * added until all up to it are stored (s3_chain.c).
 *
 * A request that fails for a reason that may pass keeps its place, waits a little and is signed
 * again.  When one has failed too often, nothing further is begun, what is under way is
 * awaited, and the batch is given back; which of its objects are stored is remembered, so
 * that they are not sent again when it is offered anew.
 */

#include <stdlib.h>

#include "drivers/s3/s3_private.h"

#define TRIED_MOST_MS	45000		/* well below hang_timeout */
#define MENDED_MOST	3u
#define BUFFER_KEPT	((size_t)64 << 10)	/* a larger one was for a rare object: given back */
#define WAIT_MS		200
#define STOP_MS		5000

enum put_state { PUT_FREE, PUT_UNDER_WAY, PUT_PAUSED };

struct s3_put {
	struct upload		*up;
	enum put_state		 state;
	uint32_t		 object;
	unsigned		 attempts, mended;
	mono_t			 first_at, due;
	struct buf		 key, body;
	struct s3_wire		 wire;
};

struct upload {
	struct drv		*drv;
	const struct s3_job	*job;
	struct drv_outcome	*out;
	enum drv_result		 result;
	bool			 ending;		/* nothing further is begun */
	mono_t			 stop_at;		/* the worker is to end, and what is under way is dropped then; 0: it is not */
	size_t			 used;			/* places that are not free */
	size_t			 paused;
};

static void	on_answer(void *, const struct https_answer *);

static const struct s3_object *
object_of(const struct upload *up, const struct s3_put *put)
{
	return s3_object_at(up->drv, put->object);
}

static void
trim(struct buf *b)
{
	if (b->cap > BUFFER_KEPT)
		buf_free(b);
	else
		buf_reset(b);
}

static void
release(struct upload *up, struct s3_put *put)
{
	put->state = PUT_FREE;
	trim(&put->body);
	trim(&put->key);
	up->used--;
}

static void
stored(struct upload *up, struct s3_put *put)
{
	up->drv->stored_any = true;
	s3_chain_done(up->drv, put->object, true);
	release(up, put);
	s3_window_stored(&up->drv->window);
}

/* The batch is to come again. */
static void
give_up(struct upload *up, struct s3_put *put, const struct err *err)
{
	up->ending = true;
	if (up->result == DRV_STORED) {
		up->result = DRV_RETRY;
		up->out->err = *err;
	}
	release(up, put);
}

/* This object is at fault; of several, the first is reported, and the others again when the batch comes without it. */
static void
reject(struct upload *up, struct s3_put *put, const struct err *err)
{
	size_t	 event = object_of(up, put)->event;

	if (up->result != DRV_REJECT || event < up->out->index) {
		up->result = DRV_REJECT;
		up->out->index = event;
		up->out->err = *err;
	}
	s3_chain_done(up->drv, put->object, false);
	release(up, put);
}

static void
pause_put(struct upload *up, struct s3_put *put, int64_t ms)
{
	put->state = PUT_PAUSED;
	put->due = mono_now() + ms;
	up->paused++;
}

static bool
may_try_again(const struct upload *up, const struct s3_put *put)
{
	return !up->ending && up->stop_at == 0 && put->attempts < up->drv->config.attempts &&
	    mono_now() - put->first_at < TRIED_MOST_MS;
}

static void
begin(struct upload *up, struct s3_put *put)
{
	struct drv		*drv = up->drv;
	struct s3_request	 r = { .method = "PUT", .key = buf_slice(&put->key), .body = buf_slice(&put->body),
		.content_type = up->job->content_type };
	struct https_request	 request;
	struct err		 err = { 0 };

	put->state = PUT_UNDER_WAY;
	put->attempts++;
	if (s3_wire_sign(drv, &r, &put->wire, &request, &err) != 0 ||
	    https_start(drv->https, &request, on_answer, put, &err) != 0)
		give_up(up, put, &err);
}

static void
take_object(struct upload *up, struct s3_put *put, uint32_t object)
{
	struct err	 err;

	put->up = up;
	put->object = object;
	put->attempts = put->mended = 0;
	put->first_at = mono_now();
	up->used++;
	up->job->render(up->drv, up->job, object_of(up, put), &put->key, &put->body);
	if (put->key.oom || put->body.oom) {
		(void)err_set(&err, ERR_NOMEM, "no memory for an object");
		give_up(up, put, &err);
	} else if (put->key.len > S3_KEY_MOST) {
		(void)err_set(&err, ERR_TOOBIG, "the key of its object would have %zu bytes, and %d are possible", put->key.len,
		    S3_KEY_MOST);
		reject(up, put, &err);
	} else
		begin(up, put);
}

static void
on_error(struct upload *up, struct s3_put *put, const struct s3_error *e)
{
	struct drv	*drv = up->drv;
	bool		 one_event = object_of(up, put)->n_events == 1;
	struct err	 err;

	if (e->fate == S3_SLOWER)
		s3_window_slower(&drv->window, mono_now());
	if (put->mended < MENDED_MOST && s3_mend(drv, &put->wire, e)) {
		put->mended++;
		put->attempts--;
		pause_put(up, put, 0);
		return;
	}
	s3_say(drv, e, buf_slice(&put->key), &err);
	if (e->fate == S3_THIS_ONE && one_event)
		reject(up, put, &err);
	else if ((e->fate == S3_AGAIN || e->fate == S3_SLOWER || e->fate == S3_ODD_REQUEST) && may_try_again(up, put))
		pause_put(up, put, https_pause_ms(put->attempts, e->retry_after_ms));
	else if (e->fate == S3_ODD_REQUEST && drv->stored_any && one_event)
		reject(up, put, &err);
	else {
		if (e->fate == S3_DENIED)
			cred_doubt(drv->creds);		/* perhaps there are others by now */
		give_up(up, put, &err);
	}
}

static void
on_answer(void *arg, const struct https_answer *answer)
{
	struct s3_put	*put = arg;
	struct upload	*up = put->up;
	struct s3_error	 e;

	s3_window_answered(&up->drv->window, (int64_t)mono_us());
	if (answer->outcome != HTTPS_ANSWERED) {
		if (answer->outcome != HTTPS_UNTRUSTED && may_try_again(up, put))
			pause_put(up, put, https_pause_ms(put->attempts, 0));
		else
			give_up(up, put, &answer->err);
		return;
	}
	s3_error_parse(&e, answer);
	if (e.fate == S3_STORED)
		stored(up, put);
	else
		on_error(up, put, &e);
}

/* Those whose pause is over; milliseconds until the next one's is. */
static int64_t
resume(struct upload *up)
{
	struct drv	*drv = up->drv;
	int64_t		 wait = WAIT_MS;
	mono_t		 now = mono_now();

	for (size_t i = 0; i < drv->config.tasks && up->paused > 0; i++) {
		struct s3_put *put = &drv->puts[i];

		if (put->state != PUT_PAUSED)
			continue;
		if (up->ending) {
			up->paused--;
			release(up, put);
		} else if (put->due <= now) {
			up->paused--;
			begin(up, put);
		} else if (put->due - now < wait)
			wait = put->due - now;
	}
	return wait;
}

static bool
has_place(const struct upload *up)
{
	return up->used < s3_window_size(&up->drv->window);
}

/* As many of those that may begin as there are places for. */
static void
begin_ready(struct upload *up)
{
	struct drv	*drv = up->drv;

	for (size_t i = 0; !up->ending && drv->n_ready > 0 && has_place(up); i++) {
		if (i == drv->config.tasks)
			i = 0;
		if (drv->puts[i].state == PUT_FREE)
			take_object(up, &drv->puts[i], s3_chain_take_ready(drv));
	}
}

/* Further events, as long as there is room for all that may come at once and something for them to do. */
static void
ask_for_more(struct upload *up)
{
	struct drv		*drv = up->drv;
	const struct drv_flow	*flow = up->job->flow;
	struct drv_batch	 batch;

	/* (numbers have 32 bits: with very many, this call ends and another begins) */
	while (flow != NULL && drv->n_objects < INT32_MAX && up->result == DRV_STORED && up->stop_at == 0 && drv->n_ready + up->used < s3_window_size(&drv->window) &&
	    s3_chain_room(drv) >= drv->batch_events && flow->more(flow->ctx, &batch))
		s3_add_events(drv, &batch);
}

static void
report_stored(struct upload *up)
{
	const struct drv_flow	*flow = up->job->flow;

	if (s3_chain_advance(up->drv) && flow != NULL)
		flow->stored(flow->ctx, up->drv->oldest);
}

static void
drop(struct upload *up)
{
	struct drv	*drv = up->drv;

	https_drop_all(drv->https);
	for (size_t i = 0; i < drv->config.tasks; i++)
		if (drv->puts[i].state != PUT_FREE)
			release(up, &drv->puts[i]);
	up->result = DRV_RETRY;
	(void)err_set(&up->out->err, ERR_TEMPORARY, "given up, because the worker is to end");
}

/* Once the worker is to end there is a little time for what can still be stored, and none for repetitions. */
static bool
is_over(struct upload *up)
{
	if (up->stop_at == 0 && s3_stopping(up->drv))
		up->stop_at = mono_now() + STOP_MS;
	return up->stop_at != 0 && mono_now() >= up->stop_at;
}

static void
run(struct upload *up)
{
	struct drv	*drv = up->drv;

	for (;;) {
		int64_t	 wait = resume(up);

		if (is_over(up)) {
			drop(up);
			return;
		}
		report_stored(up);
		ask_for_more(up);
		begin_ready(up);
		if (up->used == 0 && (drv->n_ready == 0 || up->ending))
			return;
		s3_window_waited(&drv->window, https_run(drv->https, up->used == 0 ? 0 : wait), drv->n_ready > 0 && !has_place(up));
	}
}

enum drv_result
s3_upload(struct drv *drv, const struct s3_job *job, struct drv_outcome *out)
{
	struct upload	 up = { .drv = drv, .job = job, .out = out, .result = DRV_STORED };

	if (job->flow != NULL)
		https_watch(drv->https, job->flow->fd);
	run(&up);
	s3_chain_keep(drv, job->flow != NULL);
	return up.result;
}

int
s3_upload_new(struct drv *drv, struct err *err)
{
	s3_window_init(&drv->window, drv->config.tasks);
	if ((drv->puts = calloc(drv->config.tasks, sizeof(*drv->puts))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for %zu requests at a time", (size_t)drv->config.tasks);
	return 0;
}

void
s3_upload_free(struct drv *drv)
{
	for (size_t i = 0; drv->puts != NULL && i < drv->config.tasks; i++) {
		buf_free(&drv->puts[i].key);
		buf_free(&drv->puts[i].body);
		s3_wire_free(&drv->puts[i].wire);
	}
	free(drv->puts);
}
