/* What of a batch is stored, what is under way. */

#include <stdlib.h>

#include "drivers/common/offer.h"

bool
offer_resumes(const struct offer *o, const struct drv_batch *batch)
{
	size_t	 i = 0;

	if (!o->open)
		return false;
	for (size_t at = 0; at < o->n; at++) {
		if (o->v[at].state == OFFER_REFUSED)
			continue;
		if (i == batch->n || batch->v[i].seq != o->v[at].seq)
			return false;
		i++;
	}
	return i == batch->n;
}

int
offer_begin(struct offer *o, const struct drv_batch *batch, struct err *err)
{
	struct offer_entry	*grown;

	if (batch->n > o->cap) {
		if ((grown = realloc(o->v, batch->n * sizeof(*grown))) == NULL)
			return err_set(err, ERR_NOMEM, "no memory for a batch of %zu events", batch->n);
		o->v = grown;
		o->cap = batch->n;
	}
	for (size_t i = 0; i < batch->n; i++)
		o->v[i] = (struct offer_entry){ .seq = batch->v[i].seq, .state = OFFER_NEW, .partition = -1 };
	o->n = batch->n;
	o->open = true;
	return 0;
}

struct offer_entry *
offer_first(const struct offer *o, enum offer_state state)
{
	for (size_t at = 0; at < o->n; at++)
		if (o->v[at].state == state)
			return &o->v[at];
	return NULL;
}

size_t
offer_index(const struct offer *o, const struct offer_entry *entry)
{
	size_t	 i = 0;

	for (const struct offer_entry *e = o->v; e < entry; e++)
		i += e->state != OFFER_REFUSED;
	return i;
}

void
offer_end(struct offer *o)
{
	o->n = 0;
	o->open = false;
}

void
offer_free(struct offer *o)
{
	free(o->v);
	*o = (struct offer){ .v = NULL };
}
