/*
 * The heartbeat's bytes.  HQ's reader expects the very forms that the reference's msgpack
 * library writes (contract/encoding.md section 7): integers at full width, map16 from 16 entries.
 */

#include "supervisor/hq/heartbeat.h"

#define MEMORY_KEYS	38

static void
big_endian(struct buf *out, uint64_t v, unsigned bytes)
{
	while (bytes-- > 0)
		buf_addc(out, (char)(v >> 8 * bytes & 0xff));
}

static void
put_map(struct buf *out, unsigned n)
{
	if (n < 16)
		buf_addc(out, (char)(0x80 | n));
	else {
		buf_addc(out, (char)0xde);
		big_endian(out, n, 2);
	}
}

static void
put_str(struct buf *out, const char *s)
{
	size_t	 n = strlen(s);

	if (n < 32)
		buf_addc(out, (char)(0xa0 | n));
	else if (n < 256) {
		buf_addc(out, (char)0xd9);
		big_endian(out, n, 1);
	} else {
		n = n < 65536 ? n : 65535;
		buf_addc(out, (char)0xda);
		big_endian(out, n, 2);
	}
	buf_add(out, s, n);
}

static void
put_i64(struct buf *out, const char *key, int64_t v)
{
	put_str(out, key);
	buf_addc(out, (char)0xd3);
	big_endian(out, (uint64_t)v, 8);
}

static void
put_u64(struct buf *out, const char *key, uint64_t v)
{
	put_str(out, key);
	buf_addc(out, (char)0xcf);
	big_endian(out, v, 8);
}

static void
put_double(struct buf *out, const char *key, double v)
{
	uint64_t	 bits;

	(void)memcpy(&bits, &v, sizeof(bits));
	put_str(out, key);
	buf_addc(out, (char)0xcb);
	big_endian(out, bits, 8);
}

/* Extension -1 in the shortest of its three forms. */
static void
put_time(struct buf *out, const char *key, int64_t epoch_ns)
{
	int64_t		 s = epoch_ns / 1000000000;
	uint64_t	 ns = (uint64_t)(epoch_ns % 1000000000);	/* never before 1970 */

	put_str(out, key);
	if (ns == 0 && s < (int64_t)1 << 32) {
		buf_add(out, "\xd6\xff", 2);
		big_endian(out, (uint64_t)s, 4);
	} else {
		buf_add(out, "\xd7\xff", 2);
		big_endian(out, ns << 34 | (uint64_t)s, 8);
	}
}

static void
put_memory(struct buf *out, const struct heartbeat_memory *m)
{
	put_str(out, "memory");
	put_map(out, MEMORY_KEYS);
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
	put_str(out, "stats");
	put_map(out, 3);
	put_str(out, "metrics");
	put_map(out, 5);
	put_double(out, "flushCount", h->flush_count);
	put_double(out, "flushDuration", h->flush_duration);
	put_double(out, "processingDuration", h->processing_duration);
	put_double(out, "pendingEvents", h->pending_events);
	put_double(out, "totalEvents", h->total_events);
	put_memory(out, &h->memory);
	put_str(out, "load");
	put_map(out, 3);
	put_double(out, "load1", h->load1);
	put_double(out, "load5", h->load5);
	put_double(out, "load15", h->load15);
}

void
heartbeat_encode(const struct heartbeat *h, struct buf *out)
{
	put_map(out, h->paused_ns != 0 ? 5 : 4);
	put_str(out, "sessionId");
	put_str(out, h->session_id);
	put_i64(out, "offset", h->offset);
	put_i64(out, "uptime", h->uptime_s);
	put_stats(out, h);
	if (h->paused_ns != 0)
		put_time(out, "paused", h->paused_ns);
}

void
heartbeat_header(struct buf *out, const char msg_id[17])
{
	buf_printf(out, "NATS/1.0\r\nNats-Msg-Id: %.16s\r\ncontent-encoding: msgpack\r\n\r\n", msg_id);
}
