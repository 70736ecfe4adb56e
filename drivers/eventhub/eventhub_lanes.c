/* Sorting a batch by partition key, order within each key kept. */

#include <stdlib.h>

#include "drivers/eventhub/eventhub_lanes.h"
#include "drivers/eventhub/eventhub_message.h"
#include "ipc/base/hash.h"

/* Nothing in there is kept from one batch to the next. */
static int
reserve(struct lanes *l, size_t n, struct err *err)
{
	if (n > l->cap) {
		lanes_free(l);
		for (l->table_size = 16; l->table_size < 2 * n; )
			l->table_size *= 2;
		l->v = calloc(n, sizeof(*l->v));
		l->entries = calloc(n, sizeof(*l->entries));
		l->table = calloc(l->table_size, sizeof(*l->table));
		if (l->v == NULL || l->entries == NULL || l->table == NULL) {
			lanes_free(l);
			return err_set(err, ERR_NOMEM, "no memory to sort %zu events", n);
		}
		l->cap = n;
	}
	for (size_t i = 0; i < l->table_size; i++)
		l->table[i] = LANE_END;
	return 0;
}

static struct lane *
find(struct lanes *l, struct slice key)
{
	size_t	 mask = l->table_size - 1;
	size_t	 at = (size_t)hash_xxh64(key) & mask;

	for (; l->table[at] != LANE_END; at = (at + 1) & mask)
		if (slice_eq(l->v[l->table[at]].key, key))
			return &l->v[l->table[at]];
	l->table[at] = l->n;
	l->v[l->n] = (struct lane){ .key = key, .first = LANE_END, .last = LANE_END, .most = SIZE_MAX };
	return &l->v[l->n++];
}

/* All keys first: slices of the buffer hold once it no longer grows. */
static int
write_keys(struct lanes *l, const struct offer *o, const struct drv_batch *batch, struct err *err)
{
	size_t	 i = 0;

	buf_reset(&l->keys);
	for (size_t at = 0; at < o->n; at++) {
		if (o->v[at].state != OFFER_REFUSED) {
			l->entries[at].index = i;
			if (o->v[at].state == OFFER_NEW)
				eventhub_partition_key(batch->v[i].ev, &l->keys);
			i++;
		}
		l->entries[at].key_end = l->keys.len;
	}
	if (!l->keys.oom)
		return 0;
	buf_free(&l->keys);
	return err_set(err, ERR_NOMEM, "no memory to sort %zu events", o->n);
}

int
lanes_make(struct lanes *l, const struct offer *o, const struct drv_batch *batch, struct err *err)
{
	size_t	 start = 0;

	l->n = 0;
	if (reserve(l, o->n, err) == -1 || write_keys(l, o, batch, err) == -1)
		return -1;
	for (size_t at = 0; at < o->n; start = l->entries[at++].key_end) {
		struct lane *lane;

		if (o->v[at].state != OFFER_NEW)
			continue;
		lane = find(l, (struct slice){ (const char *)l->keys.data + start, l->entries[at].key_end - start });
		l->entries[at].next = LANE_END;
		if (lane->first == LANE_END)
			lane->first = at;
		else
			l->entries[lane->last].next = at;
		lane->last = at;
	}
	return 0;
}

void
lanes_free(struct lanes *l)
{
	free(l->v);
	free(l->entries);
	free(l->table);
	buf_free(&l->keys);
	*l = (struct lanes){ .v = NULL };
}
