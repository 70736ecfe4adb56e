/* The heartbeat's bytes. */

#include "supervisor/hq/heartbeat.h"
#include "supervisor/hq/msgpack_out.h"

#define MEMORY_KEYS	38

static void
put_i64(struct buf *out, const char *key, int64_t v)
{
	msgpack_out_str(out, key);
	msgpack_out_i64(out, v);
}

static void
put_u64(struct buf *out, const char *key, uint64_t v)
{
	msgpack_out_str(out, key);
	msgpack_out_u64(out, v);
}

static void
put_double(struct buf *out, const char *key, double v)
{
	msgpack_out_str(out, key);
	msgpack_out_double(out, v);
}

static void
open_map(struct buf *out, const char *key, unsigned n)
{
	msgpack_out_str(out, key);
	msgpack_out_map(out, n);
}

static void
put_memory(struct buf *out, const struct heartbeat_memory *m)
{
	open_map(out, "memory", MEMORY_KEYS);
#define MEM(name) \
	put_u64(out, #name, m->name); \
	if (&m->name == &m->used) \
		put_double(out, "usedPercent", m->used_percent);
#include "supervisor/hq/heartbeat_memory.def"
#undef MEM
}

static void
put_stats(struct buf *out, const struct heartbeat *h)
{
	open_map(out, "stats", 3);
	open_map(out, "metrics", 5);
	put_double(out, "flushCount", h->flush_count);
	put_double(out, "flushDuration", h->flush_duration);
	put_double(out, "processingDuration", h->processing_duration);
	put_double(out, "pendingEvents", h->pending_events);
	put_double(out, "totalEvents", h->total_events);
	put_memory(out, &h->memory);
	open_map(out, "load", 3);
	put_double(out, "load1", h->load1);
	put_double(out, "load5", h->load5);
	put_double(out, "load15", h->load15);
}

void
heartbeat_encode(const struct heartbeat *h, struct buf *out)
{
	msgpack_out_map(out, h->paused_ns != 0 ? 5 : 4);
	msgpack_out_str(out, "sessionId");
	msgpack_out_str(out, h->session_id);
	put_i64(out, "offset", h->offset);
	put_i64(out, "uptime", h->uptime_s);
	put_stats(out, h);
	if (h->paused_ns != 0) {
		msgpack_out_str(out, "paused");
		msgpack_out_time(out, h->paused_ns);
	}
}

void
heartbeat_header(struct buf *out, const char msg_id[17])
{
	buf_printf(out, "NATS/1.0\r\nNats-Msg-Id: %.16s\r\ncontent-encoding: msgpack\r\n\r\n", msg_id);
}
