/* From an event to the name of its file. */

#include <inttypes.h>

#include "drivers/file/file_name.h"
#include "ipc/base/hash.h"

#define HASH_TAIL	17	/* "~" and 16 digits */

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void
encode(struct buf *b, struct slice s)
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

/* A place to cut at or before `n` that splits neither a UTF-8 character nor a %XX. */
static size_t
cut_at(const char *text, size_t n)
{
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	if (n >= 1 && text[n - 1] == '%')
		return n - 1;
	if (n >= 2 && text[n - 2] == '%')
		return n - 2;
	return n;
}

/* The text that begins at `start` is not to be longer than `most`. */
static void
shorten(struct buf *b, size_t start, size_t most)
{
	char	 hash[17];

	if (b->oom || b->len - start <= most)
		return;
	hash_hex((struct slice){ (const char *)b->data + start, b->len - start }, hash);
	b->len = start + cut_at((const char *)b->data + start, most - HASH_TAIL);
	buf_addc(b, '~');
	buf_adds(b, hash);
}

void
file_table_name(struct buf *b, struct slice table)
{
	size_t	 start = b->len;

	if (table.n > 0 && table.p[0] == '.') {
		buf_adds(b, "%2E");
		table.p++;
		table.n--;
	}
	encode(b, table);
	shorten(b, start, FILE_NAME_MOST);
}

static void
add_mvcc(struct buf *b, const struct event *ev)
{
	size_t	 start = b->len;
	char	 hash[17];

	buf_addc(b, '-');
	for (size_t i = 0; i < ev->mvcc_timestamp.n; i++)
		if (ev->mvcc_timestamp.p[i] >= '0' && ev->mvcc_timestamp.p[i] <= '9')
			buf_addc(b, ev->mvcc_timestamp.p[i]);
	if (b->len == start + 1) {
		hash_hex(ev->id, hash);
		buf_adds(b, hash);
	}
}

void
file_object_name(struct buf *b, const struct event *ev, bool unique)
{
	int64_t	 seconds = ev->timestamp_ms / 1000;
	size_t	 start = b->len;

	if (ev->timestamp_ms % 1000 < 0)
		seconds--;
	buf_printf(b, "%" PRId64 "-", seconds);
	encode(b, ev->primary_key);
	if (unique)
		add_mvcc(b, ev);
	shorten(b, start, FILE_NAME_MOST - (sizeof(".json") - 1));
	buf_adds(b, ".json");
}

void
file_clean_path(struct buf *b, struct slice path)
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
