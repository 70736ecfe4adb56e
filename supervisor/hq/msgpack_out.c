/* msgpack as HQ's reader wants it. */

#include "supervisor/hq/msgpack_out.h"

static void
big_endian(struct buf *out, uint64_t v, unsigned bytes)
{
	while (bytes-- > 0)
		buf_addc(out, (char)(v >> 8 * bytes & 0xff));
}

void
msgpack_out_map(struct buf *out, unsigned n)
{
	if (n < 16)
		buf_addc(out, (char)(0x80 | n));
	else {
		buf_addc(out, (char)0xde);
		big_endian(out, n, 2);
	}
}

void
msgpack_out_str(struct buf *out, const char *s)
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

void
msgpack_out_bool(struct buf *out, bool v)
{
	buf_addc(out, (char)(v ? 0xc3 : 0xc2));
}

void
msgpack_out_i64(struct buf *out, int64_t v)
{
	buf_addc(out, (char)0xd3);
	big_endian(out, (uint64_t)v, 8);
}

void
msgpack_out_u64(struct buf *out, uint64_t v)
{
	buf_addc(out, (char)0xcf);
	big_endian(out, v, 8);
}

void
msgpack_out_double(struct buf *out, double v)
{
	uint64_t	 bits;

	(void)memcpy(&bits, &v, sizeof(bits));
	buf_addc(out, (char)0xcb);
	big_endian(out, bits, 8);
}

/* Extension -1 in the shortest of its forms. */
void
msgpack_out_time(struct buf *out, int64_t epoch_ns)
{
	int64_t		 s = epoch_ns / 1000000000;
	uint64_t	 ns = (uint64_t)(epoch_ns % 1000000000);

	if (ns == 0 && s < (int64_t)1 << 32) {
		buf_add(out, "\xd6\xff", 2);
		big_endian(out, (uint64_t)s, 4);
	} else {
		buf_add(out, "\xd7\xff", 2);
		big_endian(out, ns << 34 | (uint64_t)s, 8);
	}
}
