/* From an event to the message's bytes and its partition. */

#include "drivers/kafka/kafka_message.h"
#include "ipc/base/hash.h"

#define HEADER	"eds-partitionkey"

static void
add_part(struct buf *b, struct slice part)
{
	buf_addc(b, '.');
	buf_adds_slice(b, part);
}

/* Company and location of the envelope, not of the row. */
static void
add_owner(struct buf *b, const struct event *ev)
{
	add_part(b, ev->company_id.n > 0 ? ev->company_id : SLICE("NONE"));
	add_part(b, ev->location_id.n > 0 ? ev->location_id : SLICE("NONE"));
}

static void
add_key(const struct event *ev, struct buf *b)
{
	buf_adds(b, "dbchange");
	add_part(b, ev->table);
	add_part(b, ev->operation);
	add_owner(b, ev);
	add_part(b, ev->id);
}

static void
add_partition_key(const struct event *ev, struct buf *b)
{
	buf_adds_slice(b, ev->table);
	add_owner(b, ev);
	add_part(b, ev->primary_key);
}

/* What the partition is made from: a hash of the hexadecimal digits of a hash. */
static uint32_t
partition_hash(struct slice partition_key)
{
	char	 hex[17];

	hash_hex(partition_key, hex);
	return hash_fnv1a(slice_of(hex));
}

void
kafka_render(const struct event *ev, struct buf *scratch, struct producer_message *m)
{
	if (!producer_texts(ev, scratch, add_key, add_partition_key, &m->key, &m->headers[0].value, &m->value))
		return;
	m->headers[0].name = HEADER;
	m->n_headers = 1;
	m->hash = partition_hash(m->headers[0].value);
}

int32_t
kafka_partition(uint32_t hash, int32_t count)
{
	return (int32_t)(hash % (uint32_t)count);
}
