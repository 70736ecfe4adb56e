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
add_key(struct buf *b, const struct event *ev)
{
	buf_adds(b, "dbchange");
	add_part(b, ev->table);
	add_part(b, ev->operation);
	add_owner(b, ev);
	add_part(b, ev->id);
}

static void
add_partition_key(struct buf *b, const struct event *ev)
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
	size_t		 header_at, value_at;
	const char	*text;

	add_key(scratch, ev);
	header_at = scratch->len;
	add_partition_key(scratch, ev);
	value_at = scratch->len;
	event_store_json(ev, scratch);
	text = (const char *)scratch->data;
	if (scratch->oom)
		return;
	m->key = (struct slice){ text, header_at };
	m->value = (struct slice){ text + value_at, scratch->len - value_at };
	m->headers[0].name = HEADER;
	m->headers[0].value = (struct slice){ text + header_at, value_at - header_at };
	m->n_headers = 1;
	m->hash = partition_hash(m->headers[0].value);
}

int32_t
kafka_partition(uint32_t hash, int32_t count)
{
	return (int32_t)(hash % (uint32_t)count);
}
