/* XXH64 and FNV-1a: Kafka partitions and message ids must come out as the Go server's did. */

#include "ipc/base/hash.h"

#define P1	11400714785074694791u
#define P2	14029467366897019727u
#define P3	1609587929392839161u
#define P4	9650029242287828579u
#define P5	2870177450012600261u

static inline uint64_t
rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

/* Little-endian on every machine. */
static inline uint64_t
load(const unsigned char *p, unsigned bytes)
{
	uint64_t	 v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static inline uint64_t
step(uint64_t acc, uint64_t word)
{
	return rotl(acc + word * P2, 31) * P1;
}

static uint64_t
finish(uint64_t h, const unsigned char *p, size_t left)
{
	for (; left >= 8; p += 8, left -= 8)
		h = rotl(h ^ step(0, load(p, 8)), 27) * P1 + P4;
	if (left >= 4) {
		h = rotl(h ^ load(p, 4) * P1, 23) * P2 + P3;
		p += 4;
		left -= 4;
	}
	for (; left > 0; p++, left--)
		h = rotl(h ^ *p * P5, 11) * P1;
	h = (h ^ h >> 33) * P2;
	h = (h ^ h >> 29) * P3;
	return h ^ h >> 32;
}

uint64_t
hash_xxh64(struct slice s)
{
	const unsigned char	*p = (const unsigned char *)s.p;
	size_t			 left = s.n;
	uint64_t		 h = P5;

	if (left >= 32) {
		uint64_t lane[4] = { P1 + P2, P2, 0, -P1 };

		for (; left >= 32; p += 32, left -= 32)
			for (int i = 0; i < 4; i++)
				lane[i] = step(lane[i], load(p + 8 * i, 8));
		h = rotl(lane[0], 1) + rotl(lane[1], 7) + rotl(lane[2], 12) + rotl(lane[3], 18);
		for (int i = 0; i < 4; i++)
			h = (h ^ step(0, lane[i])) * P1 + P4;
	}
	return finish(h + s.n, p, left);
}

void
hash_hex(struct slice s, char out_r[17])
{
	uint64_t	 h = hash_xxh64(s);

	for (int i = 16; i-- > 0; h >>= 4)
		out_r[i] = "0123456789abcdef"[h & 15];
	out_r[16] = '\0';
}

uint32_t
hash_fnv1a(struct slice s)
{
	uint32_t	 h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

uint32_t
hash_modulo(struct slice s, uint32_t n)
{
	return hash_fnv1a(s) % n;
}
