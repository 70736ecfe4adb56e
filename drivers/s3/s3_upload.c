/*
 * Many objects at a time.  Those of one chain, the changes of one row, go one after the
 * other; chains go side by side, as many as there are places (`puts`).  A service that is
 * overloaded gets fewer at a time until it has recovered.
 *
 * A request that fails for a reason that may pass keeps its place, waits a little and is signed
 * again.  When one has failed too often, nothing further is begun, what is under way is
 * awaited, and the batch is given back; which of its objects are stored is remembered, so
 * that they are not sent again when it is offered anew.
 */

#include <stdlib.h>

#include "drivers/s3/s3_private.h"
#include "ipc/base/hash.h"

#define WINDOW_LEAST	4u
#define TRIED_MOST_MS	45000		/* well below hang_timeout */
#define MENDED_MOST	3u
#define BUFFER_KEPT	((size_t)64 << 10)	/* a larger one was for a rare object: given back */
#define WAIT_MS		200

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
	struct s3_job		*job;
	struct drv_outcome	*out;
	enum drv_result		 result;
	bool			 ending;		/* nothing further is begun */
	size_t			 first, last;		/* drv->ready[first .. last - 1] may begin */
	size_t			 used;			/* places that are not free */
	size_t			 paused;
	size_t			 since_slower;		/* stored since the window was changed */
	mono_t			 slower_at;
};

static void	on_answer(void *, const struct https_answer *);

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

/* What comes behind it in its chain may begin. */
static void
let_next(struct upload *up, uint32_t object)
{
	uint32_t	 next = up->job->v[object].next;

	if (next != S3_NONE)
		up->drv->ready[up->last++] = next;
}

/* The window grows by an eighth with each round of successes. */
static void
widen(struct upload *up)
{
	struct drv	*drv = up->drv;

	if (drv->window == drv->config.tasks || ++up->since_slower < drv->window)
		return;
	up->since_slower = 0;
	drv->window += 1 + drv->window / 8;
	if (drv->window > drv->config.tasks)
		drv->window = drv->config.tasks;
}

/* Halved, but once only for the answers to what was sent at the same time. */
static void
narrow(struct upload *up)
{
	struct drv	*drv = up->drv;
	size_t		 least = drv->config.tasks < WINDOW_LEAST ? drv->config.tasks : WINDOW_LEAST;

	up->since_slower = 0;
	if (mono_now() < up->slower_at + 1000)
		return;
	up->slower_at = mono_now();
	drv->window = drv->window / 2 > least ? drv->window / 2 : least;
}

static void
stored(struct upload *up, struct s3_put *put)
{
	up->job->v[put->object].stored = true;
	up->drv->stored_any = true;
	let_next(up, put->object);
	release(up, put);
	widen(up);
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
	size_t	 event = up->job->v[put->object].event;

	if (up->result != DRV_REJECT || event < up->out->index) {
		up->result = DRV_REJECT;
		up->out->index = event;
		up->out->err = *err;
	}
	let_next(up, put->object);
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
	return !up->ending && put->attempts < up->drv->config.attempts &&
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
	up->job->render(up->drv, up->job, object, &put->key, &put->body);
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
	bool		 one_event = up->job->v[put->object].n_events == 1;
	struct err	 err;

	if (e->fate == S3_SLOWER)
		narrow(up);
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

/* As many of those that may begin as there are places for. */
static void
begin_ready(struct upload *up)
{
	struct drv	*drv = up->drv;

	for (size_t i = 0; !up->ending && up->first < up->last && up->used < drv->window; i++) {
		if (i == drv->config.tasks)
			i = 0;
		if (drv->puts[i].state == PUT_FREE)
			take_object(up, &drv->puts[i], drv->ready[up->first++]);
	}
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

static void
run(struct upload *up)
{
	while (up->used > 0 || (up->first < up->last && !up->ending)) {
		int64_t	 wait;

		if (s3_stopping(up->drv)) {
			drop(up);
			return;
		}
		wait = resume(up);
		begin_ready(up);
		if (up->used > 0)
			https_run(up->drv->https, wait);
	}
}

/* ---- chains, and what is stored already */

static uint64_t
chain_hash(const struct s3_object *o)
{
	return hash_xxh64(o->chain[0]) * 31 + hash_xxh64(o->chain[1]);
}

static bool
same_chain(const struct s3_object *a, const struct s3_object *b)
{
	return slice_eq(a->chain[0], b->chain[0]) && slice_eq(a->chain[1], b->chain[1]);
}

/* Appends the object to its chain; true when it is the first there. */
static bool
enchain(struct drv *drv, struct s3_job *job, uint32_t i, size_t mask)
{
	uint32_t *last = &drv->table[chain_hash(&job->v[i]) & mask];
	bool	 first;

	job->v[i].next = S3_NONE;
	while (*last != S3_NONE && !same_chain(&job->v[*last], &job->v[i]))
		last = last == &drv->table[mask] ? drv->table : last + 1;
	first = *last == S3_NONE;
	if (!first)
		job->v[*last].next = i;
	*last = i;
	return first;
}

/* Both lists ascend. */
static void
mark_kept(struct drv *drv, struct s3_job *job)
{
	size_t	 k = 0;

	for (size_t i = 0; i < job->n; i++) {
		while (k < drv->n_kept && drv->kept[k] < job->v[i].id)
			k++;
		job->v[i].stored = k < drv->n_kept && drv->kept[k] == job->v[i].id;
	}
}

static void
keep(struct drv *drv, const struct s3_job *job)
{
	drv->n_kept = 0;
	for (size_t i = 0; i < job->n; i++)
		if (job->v[i].stored)
			drv->kept[drv->n_kept++] = job->v[i].id;
}

static void
line_up(struct upload *up)
{
	struct drv	*drv = up->drv;
	size_t		 mask = drv->cap_table - 1;

	for (size_t i = 0; i < drv->cap_table; i++)
		drv->table[i] = S3_NONE;
	mark_kept(drv, up->job);
	for (uint32_t i = 0; i < up->job->n; i++)
		if (!up->job->v[i].stored && enchain(drv, up->job, i, mask))
			drv->ready[up->last++] = i;
}

enum drv_result
s3_upload(struct drv *drv, struct s3_job *job, struct drv_outcome *out)
{
	struct upload	 up = { .drv = drv, .job = job, .out = out, .result = DRV_STORED };

	line_up(&up);
	run(&up);
	if (up.result == DRV_STORED)
		drv->n_kept = 0;
	else
		keep(drv, job);
	return up.result;
}

static bool
grow(void *pp, size_t n, size_t size)
{
	void	*p;

	(void)memcpy(&p, pp, sizeof(p));
	if ((p = realloc(p, n * size)) == NULL)
		return false;
	(void)memcpy(pp, &p, sizeof(p));
	return true;
}

int
s3_reserve(struct drv *drv, size_t objects, struct err *err)
{
	size_t	 table = 64;

	if (objects <= drv->cap_objects)
		return 0;
	while (table < 2 * objects)
		table *= 2;
	if (!grow(&drv->objects, objects, sizeof(*drv->objects)) || !grow(&drv->ready, objects, sizeof(*drv->ready)) ||
	    !grow(&drv->kept, objects, sizeof(*drv->kept)) || !grow(&drv->table, table, sizeof(*drv->table)))
		return err_set(err, ERR_NOMEM, "no memory for a batch of %zu objects", objects);
	drv->cap_objects = objects;
	drv->cap_table = table;
	return 0;
}

int
s3_upload_new(struct drv *drv, struct err *err)
{
	drv->window = drv->config.tasks;
	if ((drv->puts = calloc(drv->config.tasks, sizeof(*drv->puts))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for %zu requests at a time", drv->window);
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
	free(drv->objects);
	free(drv->ready);
	free(drv->kept);
	free(drv->table);
}
