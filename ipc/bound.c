/*
 * Holds a frame's inner lengths against the frame before msgpack-c sees it.
 * That library reserves room for as many members as a list or map claims to
 * have: five bytes can ask for gigabytes, and a frame full of one-byte members
 * for two dozen times its own size.  What passes here costs 24 bytes per
 * member, of which there are BOUND_ITEMS at most.
 */

#include "ipc/bound.h"

/* One value's head: its own bytes, the raw bytes behind it, the values inside it. */
struct head {
	size_t		 bytes;
	uint64_t	 raw;
	uint64_t	 members;
};

static uint64_t
big_endian(const uint8_t *p, size_t n)
{
	uint64_t	 v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* Heads whose length is a number of 1, 2 or 4 bytes behind the first byte. */
static bool
counted_head(const uint8_t *p, size_t left, struct head *h)
{
	static const struct {
		uint8_t	 len_bytes;
		uint8_t	 extra_raw;	/* type byte of an extension */
		uint8_t	 each;		/* values per count; 0: raw bytes */
	} heads[0x20] = {
		[0x04] = { 1, 0, 0 }, [0x05] = { 2, 0, 0 }, [0x06] = { 4, 0, 0 },	/* bin   */
		[0x07] = { 1, 1, 0 }, [0x08] = { 2, 1, 0 }, [0x09] = { 4, 1, 0 },	/* ext   */
		[0x19] = { 1, 0, 0 }, [0x1a] = { 2, 0, 0 }, [0x1b] = { 4, 0, 0 },	/* str   */
		[0x1c] = { 2, 0, 1 }, [0x1d] = { 4, 0, 1 },				/* array */
		[0x1e] = { 2, 0, 2 }, [0x1f] = { 4, 0, 2 },				/* map   */
	};
	size_t		 k = p[0] & 0x1f, len_bytes = heads[k].len_bytes;
	uint64_t	 n;

	if (left < 1 + len_bytes)
		return false;
	n = big_endian(p + 1, len_bytes);
	h->bytes = 1 + len_bytes;
	h->raw = heads[k].each == 0 ? n + heads[k].extra_raw : 0;
	h->members = n * heads[k].each;
	return true;
}

static bool
read_head(const uint8_t *p, size_t left, struct head *h)
{
	/* 0xca to 0xd8: float, double, unsigned and signed integers, fixed extensions with their type byte */
	static const uint8_t fixed[] = { 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17 };
	uint8_t	 c;

	if (left == 0)
		return false;
	c = p[0];
	*h = (struct head){ .bytes = 1 };
	if (c <= 0x7f || c >= 0xe0)		/* small integers */
		return true;
	if (c <= 0x8f)
		h->members = 2 * (c & 0x0fu);
	else if (c <= 0x9f)
		h->members = c & 0x0fu;
	else if (c <= 0xbf)
		h->raw = c & 0x1fu;
	else if (c == 0xc1)			/* never used */
		return false;
	else if (c >= 0xca && c <= 0xd8)
		h->raw = fixed[c - 0xca];
	else if (c >= 0xc4)
		return counted_head(p, left, h);
	return true;				/* 0xc0 nil, 0xc2 false, 0xc3 true carry nothing */
}

int
bound_check(struct slice s, struct err *err)
{
	const uint8_t	*p = (const uint8_t *)s.p;
	size_t		 pos = 0, depth = 0, items = 0;
	uint64_t	 open[BOUND_DEPTH];	/* members still to come, per open list or map */
	struct head	 h;

	if (s.n == 0)
		return err_set(err, ERR_INVALID, "empty");
	do {
		if (!read_head(p + pos, s.n - pos, &h))
			return err_set(err, ERR_INVALID, "broken or cut short at byte %zu", pos);
		pos += h.bytes;
		/* Every member takes a byte at least, so both can be held against what is left. */
		if (h.raw > s.n - pos || h.members > s.n - pos)
			return err_set(err, ERR_INVALID, "a length before byte %zu goes past the end", pos);
		pos += (size_t)h.raw;
		if (h.members > BOUND_ITEMS - items)
			return err_set(err, ERR_INVALID, "more than %u values in lists and maps", BOUND_ITEMS);
		items += (size_t)h.members;
		if (h.members > 0) {
			if (depth == BOUND_DEPTH)
				return err_set(err, ERR_INVALID, "lists and maps nested deeper than %d", BOUND_DEPTH);
			open[depth++] = h.members;
			continue;
		}
		while (depth > 0 && --open[depth - 1] == 0)
			depth--;
	} while (depth > 0);
	if (pos != s.n)
		return err_set(err, ERR_INVALID, "%zu bytes behind the end", s.n - pos);
	return 0;
}
