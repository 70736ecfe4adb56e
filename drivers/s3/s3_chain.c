/*
 * The objects of a delivery: which may begin, which have to wait for one of the same chain, and
 * up to which all are stored.
 *
 * They stand in a ring.  Those that are not stored are also found by the hash of their chain, newest first,
 * in drv->buckets and object->beside: the newest of a chain is the one that the next one waits for.
 */

#include <stdlib.h>

#include "drivers/s3/s3_private.h"
#include "ipc/base/hash.h"

struct s3_object *
s3_object_at(const struct drv *drv, size_t number)
{
	return &drv->objects[number & (drv->cap_objects - 1)];
}

static uint32_t *
bucket_of(const struct drv *drv, const struct s3_object *o)
{
	uint64_t	 hash = hash_xxh64(o->chain[0]) * 31 + hash_xxh64(o->chain[1]) + o->chain_no * 0x9e3779b97f4a7c15;

	return &drv->buckets[hash & (drv->cap_objects - 1)];
}

static bool
same_chain(const struct s3_object *a, const struct s3_object *b)
{
	return a->chain_no == b->chain_no && slice_eq(a->chain[1], b->chain[1]) && slice_eq(a->chain[0], b->chain[0]);
}

static void
make_ready(struct drv *drv, uint32_t number)
{
	drv->ready[(drv->first_ready + drv->n_ready++) & (drv->cap_objects - 1)] = number;
}

uint32_t
s3_chain_take_ready(struct drv *drv)
{
	uint32_t	 number = drv->ready[drv->first_ready & (drv->cap_objects - 1)];

	drv->first_ready++;
	drv->n_ready--;
	return number;
}

/* Whether a batch that failed has stored it.  Numbers and ids both ascend. */
static bool
is_kept(struct drv *drv, uint64_t id)
{
	while (drv->at_kept < drv->n_kept && drv->kept[drv->at_kept] < id)
		drv->at_kept++;
	return drv->at_kept < drv->n_kept && drv->kept[drv->at_kept] == id;
}

void
s3_chain_add(struct drv *drv, const struct s3_object *new)
{
	uint32_t		 number = (uint32_t)drv->n_objects++, before;
	struct s3_object	*o = s3_object_at(drv, number);
	uint32_t		*bucket;

	*o = *new;
	o->next = S3_NONE;
	if ((o->stored = is_kept(drv, o->id)))
		return;
	bucket = bucket_of(drv, o);
	for (before = *bucket; before != S3_NONE; before = s3_object_at(drv, before)->beside)
		if (same_chain(s3_object_at(drv, before), o))
			break;
	o->beside = *bucket;
	*bucket = number;
	if (before != S3_NONE)
		s3_object_at(drv, before)->next = number;
	else
		make_ready(drv, number);
}

void
s3_chain_done(struct drv *drv, uint32_t number, bool stored)
{
	struct s3_object	*o = s3_object_at(drv, number);
	uint32_t		*at = bucket_of(drv, o);

	while (*at != number)
		at = &s3_object_at(drv, *at)->beside;
	*at = o->beside;
	o->stored = stored;
	if (o->next != S3_NONE)
		make_ready(drv, o->next);
}

bool
s3_chain_advance(struct drv *drv)
{
	size_t	 before = drv->oldest;

	while (drv->oldest < drv->n_objects && s3_object_at(drv, drv->oldest)->stored)
		drv->oldest++;
	return drv->oldest != before;
}

/*
 * A batch comes again whole when its last event is not stored, so of those before `oldest` as many
 * as a batch may have are still of interest.
 */
static size_t
oldest_of_interest(const struct drv *drv)
{
	return drv->oldest > drv->batch_events ? drv->oldest - drv->batch_events : 0;
}

size_t
s3_chain_room(const struct drv *drv)
{
	return drv->cap_objects - (drv->n_objects - oldest_of_interest(drv));
}

/* Those stored of what was added and, behind them, those of which the present call has not heard. */
void
s3_chain_keep(struct drv *drv, bool flows)
{
	size_t		 from = flows ? oldest_of_interest(drv) : 0;
	size_t		 rest = drv->n_kept - drv->at_kept, n = 0;
	uint64_t	*aside = drv->kept + drv->cap_objects;
	uint64_t	 last = drv->n_objects > 0 ? s3_object_at(drv, drv->n_objects - 1)->id : 0;

	if (rest > drv->cap_objects)
		rest = drv->cap_objects;
	(void)memmove(aside, drv->kept + drv->at_kept, rest * sizeof(*aside));
	for (size_t i = from; i < drv->n_objects; i++)
		if (s3_object_at(drv, i)->stored)
			drv->kept[n++] = s3_object_at(drv, i)->id;
	for (size_t i = 0; i < rest && n < drv->cap_objects; i++)
		if (aside[i] > last)
			drv->kept[n++] = aside[i];
	drv->n_kept = n;
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
s3_chain_begin(struct drv *drv, size_t objects, struct err *err)
{
	size_t	 cap = 64;

	while (cap < objects)
		cap *= 2;
	if (cap > drv->cap_objects) {
		if (!grow(&drv->objects, cap, sizeof(*drv->objects)) || !grow(&drv->ready, cap, sizeof(*drv->ready)) ||
		    !grow(&drv->kept, 2 * cap, sizeof(*drv->kept)) || !grow(&drv->buckets, cap, sizeof(*drv->buckets)))
			return err_set(err, ERR_NOMEM, "no memory for a batch of %zu objects", objects);
		drv->cap_objects = cap;
	}
	for (size_t i = 0; i < drv->cap_objects; i++)
		drv->buckets[i] = S3_NONE;
	drv->n_objects = drv->oldest = drv->n_ready = drv->first_ready = drv->at_kept = 0;
	return 0;
}

void
s3_chain_free(struct drv *drv)
{
	free(drv->objects);
	free(drv->ready);
	free(drv->kept);
	free(drv->buckets);
}
