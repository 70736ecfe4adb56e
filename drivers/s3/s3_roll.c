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

static void
render(struct drv *drv, const struct s3_job *job, const struct s3_object *o, struct buf *key, struct buf *body)
{
	const struct drv_event	*v = job->batch->v;
	struct s3_lines		*lines = s3_lines_new(drv->config.gzip, body);
	struct buf		 line = { 0 };
	bool			 ok = lines != NULL;

	s3_key_roll(key, slice_of(drv->config.prefix), o->first->ev, o->id, drv->config.gzip);
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

/* A roll that is being made: its object, and its last event so far. */
struct roll {
	struct s3_object	 object;
	uint32_t		 last;
};

/* The roll of that table among those from `from` on. */
static struct roll *
find_roll(struct roll *v, size_t from, size_t n, struct slice table)
{
	for (size_t i = from; i < n; i++)
		if (slice_eq(v[i].object.chain[0], table))
			return &v[i];
	return NULL;
}

/* One object for each table between two noted ends; how many there are. */
static size_t
divide(struct drv *drv, const struct drv_batch *batch, struct roll *v)
{
	uint64_t	 end = 0;
	size_t		 from = 0, n = 0;

	for (size_t i = 0; i < batch->n; i++) {
		const struct drv_event	*e = &batch->v[i];
		struct roll		*r;

		if (i == 0 || e->seq > end) {
			end = s3_cuts_end(drv->cuts, e->seq, batch->v[batch->n - 1].seq);
			from = n;
		}
		drv->next_event[i] = S3_NONE;
		if ((r = find_roll(v, from, n, e->ev->table)) != NULL)
			drv->next_event[r->last] = (uint32_t)i;
		else {
			r = &v[n++];
			r->object = (struct s3_object){ .chain = { e->ev->table, SLICE("") }, .first = e, .id = e->seq, .event = i };
		}
		r->object.n_events++;
		r->last = (uint32_t)i;
	}
	return n;
}

static int
reserve(struct drv *drv, size_t n, struct err *err)
{
	uint32_t	*grown;

	if (n <= drv->cap_events)
		return 0;
	if ((grown = realloc(drv->next_event, n * sizeof(*grown))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a batch of %zu events", n);
	drv->next_event = grown;
	drv->cap_events = n;
	return 0;
}

enum drv_result
s3_roll(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	struct s3_job		 job = { .batch = batch, .content_type = S3_ROLL_TYPE(&drv->config), .render = render };
	struct roll		*v = NULL;
	size_t			 n;
	enum drv_result		 rc = DRV_RETRY;

	if (reserve(drv, batch->n, &out->err) != 0 || s3_chain_begin(drv, batch->n, &out->err) != 0)
		return DRV_RETRY;
	if ((v = calloc(batch->n, sizeof(*v))) == NULL)
		(void)err_set(&out->err, ERR_NOMEM, "no memory for a batch of %zu events", batch->n);
	else if (s3_cuts_add(drv->cuts, batch->v[batch->n - 1].seq, &out->err) == 0) {
		job.next_event = drv->next_event;
		n = divide(drv, batch, v);
		for (size_t i = 0; i < n; i++)
			s3_chain_add(drv, &v[i].object);
		rc = s3_upload(drv, &job, out);
	}
	free(v);
	return rc;
}
