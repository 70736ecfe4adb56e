/* Partition key, object id, and the hash by which the service turns a key into a partition. */

#include "drivers/eventhub/eventhub_message.h"

/* A member of the row that is a text; NONE when it is missing, empty or something else. */
static void
add_column(struct buf *b, const struct json_val *row, const char *name)
{
	struct json_val	 v = row->type == JV_OBJECT ? json_member(row, name) : (struct json_val){ .type = JV_ABSENT };

	buf_addc(b, '.');
	if (v.type == JV_STRING && v.raw.n > 2)
		json_unescape(b, &v);
	else
		buf_adds(b, "NONE");
}

static void
add_owner_and_key(struct buf *b, const struct event *ev)
{
	struct json_val	 row = event_object(ev);

	add_column(b, &row, "companyId");
	add_column(b, &row, "locationId");
	buf_addc(b, '.');
	buf_adds_slice(b, ev->primary_key);
}

void
eventhub_partition_key(const struct event *ev, struct buf *b)
{
	buf_adds_slice(b, ev->table);
	add_owner_and_key(b, ev);
}

void
eventhub_object_id(const struct event *ev, struct buf *b)
{
	buf_adds(b, "dbchange.");
	buf_adds_slice(b, ev->table);
	buf_addc(b, '.');
	buf_adds_slice(b, ev->operation);
	add_owner_and_key(b, ev);
}

/* Bob Jenkins' lookup3 with both seeds 0. */

struct jenkins {
	uint32_t	 a, b, c;
};

static inline uint32_t
rotl(uint32_t v, unsigned by)
{
	return v << by | v >> (32 - by);
}

static void
mix(struct jenkins *j)
{
	j->a -= j->c; j->a ^= rotl(j->c, 4); j->c += j->b;
	j->b -= j->a; j->b ^= rotl(j->a, 6); j->a += j->c;
	j->c -= j->b; j->c ^= rotl(j->b, 8); j->b += j->a;
	j->a -= j->c; j->a ^= rotl(j->c, 16); j->c += j->b;
	j->b -= j->a; j->b ^= rotl(j->a, 19); j->a += j->c;
	j->c -= j->b; j->c ^= rotl(j->b, 4); j->b += j->a;
}

static void
finish(struct jenkins *j)
{
	j->c ^= j->b; j->c -= rotl(j->b, 14);
	j->a ^= j->c; j->a -= rotl(j->c, 11);
	j->b ^= j->a; j->b -= rotl(j->a, 25);
	j->c ^= j->b; j->c -= rotl(j->b, 16);
	j->a ^= j->c; j->a -= rotl(j->c, 4);
	j->b ^= j->a; j->b -= rotl(j->a, 14);
	j->c ^= j->b; j->c -= rotl(j->b, 24);
}

/* Up to twelve bytes as three little-endian words, what is missing as 0. */
static void
add(struct jenkins *j, const unsigned char *p, size_t n)
{
	uint32_t	 words[3] = { 0, 0, 0 };

	for (size_t i = 0; i < n; i++)
		words[i / 4] |= (uint32_t)p[i] << (8 * (i % 4));
	j->a += words[0];
	j->b += words[1];
	j->c += words[2];
}

int16_t
eventhub_hash(struct slice s)
{
	const unsigned char	*p = (const unsigned char *)s.p;
	size_t			 left = s.n;
	uint32_t		 start = 0xdeadbeef + (uint32_t)s.n;
	struct jenkins		 j = { start, start, start };

	for (; left > 12; p += 12, left -= 12) {
		add(&j, p, 12);
		mix(&j);
	}
	if (left > 0) {
		add(&j, p, left);
		finish(&j);
	}
	return (int16_t)(uint16_t)(j.b ^ j.c);
}

int32_t
eventhub_partition(uint32_t hash, int32_t count)
{
	int32_t	 remainder = (int16_t)(uint16_t)hash % count;

	return remainder < 0 ? -remainder : remainder;
}
