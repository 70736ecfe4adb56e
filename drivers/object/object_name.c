/* From an event to the parts of a name. */

#include "drivers/object/object_name.h"
#include "ipc/base/hash.h"

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void
object_name_element(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool looks_encoded = c == '%' && s.n - i > 2 && is_hex(s.p[i + 1]) && is_hex(s.p[i + 2]);

		if (c == '/' || c < 0x20 || c == 0x7f || looks_encoded)
			buf_printf(b, "%%%02X", c);
		else
			buf_addc(b, (char)c);
	}
}

int64_t
object_name_seconds(const struct event *ev)
{
	int64_t	 seconds = ev->timestamp_ms / 1000;

	return ev->timestamp_ms % 1000 < 0 ? seconds - 1 : seconds;
}

void
object_name_mvcc(struct buf *b, const struct event *ev)
{
	size_t	 start = b->len;
	char	 hash[17];

	for (size_t i = 0; i < ev->mvcc_timestamp.n; i++)
		if (ev->mvcc_timestamp.p[i] >= '0' && ev->mvcc_timestamp.p[i] <= '9')
			buf_addc(b, ev->mvcc_timestamp.p[i]);
	if (b->len == start) {
		hash_hex(ev->id, hash);
		buf_adds(b, hash);
	}
}

void
object_name_clean_path(struct buf *b, struct slice path)
{
	struct slice	 part;
	size_t		 start = b->len;

	while (slice_cut(&path, '/', &part)) {
		if (part.n == 0 || slice_is(part, "."))
			continue;
		if (!slice_is(part, "..")) {
			buf_addc(b, '/');
			buf_adds_slice(b, part);
			continue;
		}
		while (b->len > start && b->data[--b->len] != '/')
			;
	}
	if (b->len == start)
		buf_addc(b, '/');
}
