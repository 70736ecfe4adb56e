/* Events as Event Hubs' REST interface takes them. */

#include "drivers/eventhub/eventhub_body.h"
#include "drivers/eventhub/eventhub_message.h"
#include "ipc/base/json_out.h"
#include "ipc/base/utf8.h"

static void
add_broker_properties(struct buf *b, const struct event *ev, struct slice partition_key)
{
	buf_adds(b, "{\"PartitionKey\":");
	json_out_str(b, partition_key);
	buf_adds(b, ",\"MessageId\":");
	json_out_str(b, ev->id);
	buf_addc(b, '}');
}

void
eventhub_body_add(struct buf *b, const struct event *ev, struct slice partition_key, struct buf *scratch)
{
	buf_adds(b, b->len == 0 ? "[{\"Body\":" : ",{\"Body\":");
	buf_reset(scratch);
	event_store_json(ev, scratch);
	json_out_str(b, buf_slice(scratch));
	buf_adds(b, ",\"UserProperties\":{\"objectId\":");
	buf_reset(scratch);
	eventhub_object_id(ev, scratch);
	json_out_str(b, buf_slice(scratch));
	buf_adds(b, "},\"BrokerProperties\":");
	add_broker_properties(b, ev, partition_key);
	buf_addc(b, '}');
	b->oom |= scratch->oom;
}

static uint32_t
code_point(const unsigned char *p, size_t n)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };	/* bits of the first byte, by length */
	uint32_t	 code = p[0] & first[n];

	for (size_t i = 1; i < n; i++)
		code = code << 6 | (p[i] & 0x3f);
	return code;
}

/* JSON in a header: what is not ASCII is written as an escape, which says the same.  Well-formed, as json_out_str() makes it. */
static void
add_ascii(struct buf *b, struct slice json)
{
	const unsigned char	*p = (const unsigned char *)json.p, *end = p + json.n;

	while (p < end) {
		size_t		 n = utf8_length(p, (size_t)(end - p));
		uint32_t	 code = code_point(p, n);

		if (code < 0x7f)
			buf_addc(b, (char)code);
		else if (code < 0x10000)
			buf_printf(b, "\\u%04x", (unsigned)code);
		else
			buf_printf(b, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((code - 0x10000) >> 10)),
			    (unsigned)(0xdc00 + ((code - 0x10000) & 0x3ff)));
		p += n;
	}
}

bool
eventhub_body_headers(struct buf *broker_properties, struct buf *object_id, const struct event *ev, struct slice partition_key)
{
	struct buf	 json = { 0 };
	struct slice	 id;

	add_broker_properties(&json, ev, partition_key);
	buf_adds(broker_properties, "BrokerProperties: ");
	add_ascii(broker_properties, buf_slice(&json));
	broker_properties->oom |= json.oom;
	buf_free(&json);
	buf_adds(object_id, "objectId: ");
	eventhub_object_id(ev, object_id);
	id = buf_slice(object_id);
	for (size_t i = 0; i < id.n; i++)
		if ((unsigned char)id.p[i] < 0x20 || id.p[i] == 0x7f)
			return false;
	return true;
}
