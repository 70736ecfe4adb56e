/* From an event to the name of its file. */

#include <inttypes.h>

#include "drivers/file/file_name.h"
#include "drivers/object/object_name.h"
#include "ipc/base/hash.h"

#define HASH_TAIL	17	/* "~" and 16 digits */

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
	object_name_element(b, table);
	shorten(b, start, FILE_NAME_MOST);
}

void
file_object_name(struct buf *b, const struct event *ev, bool unique)
{
	size_t	 start = b->len;

	buf_printf(b, "%" PRId64 "-", object_name_seconds(ev));
	object_name_element(b, ev->primary_key);
	if (unique) {
		buf_addc(b, '-');
		object_name_mvcc(b, ev);
	}
	shorten(b, start, FILE_NAME_MOST - (sizeof(".json") - 1));
	buf_adds(b, ".json");
}
