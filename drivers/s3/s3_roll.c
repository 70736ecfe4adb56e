/*
 * Rolls: the events of one table in a batch as one object, a line for each.
 *
 * A batch is acknowledged when its objects are stored, so a roll is what a batch holds: it
 * grows by waiting for more events (roll-seconds), up to roll-bytes or roll-events.
 *
 * Its key is made of its first event alone (s3_key.h).  A batch that comes again after a crash begins with the
 * same event, since everything that was not acknowledged comes again, but may end with another
 * one.  Its object then overwrites the one of the first time: with the same events or more, or with fewer, and
 * then those that are missing follow in the next batch.
 *
 * More than one batch comes again when the machine failed before the place in the stream was on the
 * disk.  If they were then cut in other places, the second would begin with another event, have another key, and
 * the object that is there already would hold events twice.  Therefore the end of each
 * batch is noted on the disk before the upload, and a batch in which a noted end lies is cut there.  So
 * whatever comes again, every object is overwritten by one that begins with the same event, and in the end
 * each event stands in exactly one object.
 *
 * (When the notes are lost too, with the data directory, such events stand in two objects.  None is ever missing.)
 */

#include <stdlib.h>

#include "drivers/s3/s3_lines.h"
#include "drivers/s3/s3_private.h"

void
s3_roll_render(struct drv *drv, const struct s3_job *job, size_t i, struct buf *key, struct buf *body)
{
	const struct s3_object	*o = &job->v[i];
	const struct drv_event	*v = job->batch->v;
	struct s3_lines		*lines = s3_lines_new(drv->config.gzip, body);
	struct buf		 line = { 0 };
	bool			 ok = lines != NULL;

	s3_key_roll(key, slice_of(drv->config.prefix), v[o->event].ev, o->id, drv->config.gzip);
	for (uint32_t e = (uint32_t)o->event; ok && e != S3_NONE; e = job->next_event[e]) {
		buf_reset(&line);
		event_store_json(v[e].ev, &line);
		buf_addc(&line, '\n');
		ok = !line.oom && s3_lines_add(lines, buf_slice(&line));
	}
	if (lines == NULL || !s3_lines_end(&lines) || !ok)
		body->oom = true;
	buf_free(&line);
}

/* The object of that table among those from `from` on; its last event is at *last. */
static struct s3_object *
find_object(struct s3_job *job, size_t from, struct slice table)
{
	for (size_t i = from; i < job->n; i++)
		if (slice_eq(job->v[i].chain[0], table))
			return &job->v[i];
	return NULL;
}

static void
add_event(struct drv *drv, struct s3_job *job, size_t from, uint32_t *last, size_t i)
{
	const struct drv_event	*e = &job->batch->v[i];
	struct s3_object	*o = find_object(job, from, e->ev->table);

	drv->next_event[i] = S3_NONE;
	if (o == NULL) {
		o = &job->v[job->n++];
		*o = (struct s3_object){ .chain = { e->ev->table, SLICE("") }, .id = e->seq, .event = i };
	} else
		drv->next_event[last[o - job->v]] = (uint32_t)i;
	o->n_events++;
	last[o - job->v] = (uint32_t)i;
}

/* One object for each table between two noted ends. */
static void
divide(struct drv *drv, struct s3_job *job, uint32_t *last)
{
	const struct drv_batch	*batch = job->batch;
	uint64_t		 end = 0;
	size_t			 from = 0;

	for (size_t i = 0; i < batch->n; i++) {
		if (i == 0 || batch->v[i].seq > end) {
			end = s3_cuts_end(drv->cuts, batch->v[i].seq, batch->v[batch->n - 1].seq);
			from = job->n;
		}
		add_event(drv, job, from, last, i);
	}
}

static int
reserve(struct drv *drv, size_t n, struct err *err)
{
	uint32_t	*grown;

	if (s3_reserve(drv, n, err) != 0)
		return -1;
	if (n <= drv->cap_events)
		return 0;
	if ((grown = realloc(drv->next_event, 2 * n * sizeof(*grown))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a batch of %zu events", n);
	drv->next_event = grown;
	drv->cap_events = n;
	return 0;
}

enum drv_result
s3_roll(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	struct s3_job	 job = { .batch = batch, .content_type = S3_ROLL_TYPE(&drv->config), .render = s3_roll_render };

	if (reserve(drv, batch->n, &out->err) != 0 ||
	    s3_cuts_add(drv->cuts, batch->v[batch->n - 1].seq, &out->err) != 0)
		return DRV_RETRY;
	job.v = drv->objects;
	job.next_event = drv->next_event;
	divide(drv, &job, drv->next_event + drv->cap_events);
	return s3_upload(drv, &job, out);
}
