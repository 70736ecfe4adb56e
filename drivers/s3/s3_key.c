/* From an event to the key of its object. */

#include <inttypes.h>
#include <time.h>

#include "drivers/object/object_name.h"
#include "drivers/s3/s3_key.h"
#include "ipc/base/hash.h"

static void
add_table(struct buf *b, struct slice prefix, struct slice table)
{
	buf_adds_slice(b, prefix);
	if (slice_is(table, ".") || slice_is(table, "..")) {
		buf_adds(b, "%2E");
		table.p++;
		table.n--;
	}
	object_name_element(b, table);
	buf_addc(b, '/');
}

/* The id's own ~ as %7E; a %7E that stands in it is left with %257E by the element's rules. */
static void
add_id(struct buf *b, struct slice id)
{
	struct slice	 part;
	bool		 first = true;

	while (slice_cut(&id, '~', &part)) {
		if (!first)
			buf_adds(b, "%7E");
		first = false;
		object_name_element(b, part);
	}
}

void
s3_key_event(struct buf *b, struct slice prefix, const struct event *ev, bool unique)
{
	add_table(b, prefix, ev->table);
	buf_printf(b, "%" PRId64 "-", object_name_seconds(ev));
	object_name_element(b, ev->primary_key);
	if (unique) {
		buf_addc(b, '~');
		object_name_mvcc(b, ev);
		buf_addc(b, '~');
		add_id(b, ev->id);
	}
	buf_adds(b, ".json");
}

void
s3_key_path(struct buf *b, struct slice prefix, struct slice path)
{
	buf_adds_slice(b, prefix);
	buf_adds_slice(b, path);
}

static void
add_date(struct buf *b, const struct event *ev)
{
	time_t		 t = (time_t)object_name_seconds(ev);
	struct tm	 tm;
	char		 date[32];

	if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099 ||
	    strftime(date, sizeof(date), "%Y-%m-%d", &tm) == 0)
		buf_adds(b, "date=unknown/");
	else
		buf_printf(b, "date=%s/", date);
}

static void
add_suffix(struct buf *b, bool gzip)
{
	buf_adds(b, gzip ? ".ndjson.gz" : ".ndjson");
}

void
s3_key_roll(struct buf *b, struct slice prefix, const struct event *first, uint64_t seq, bool gzip)
{
	add_table(b, prefix, first->table);
	add_date(b, first);
	buf_printf(b, "%020" PRIu64 "-%" PRId64, seq, first->timestamp_ms);
	add_suffix(b, gzip);
}

void
s3_key_import(struct buf *b, struct slice prefix, const struct event *first, struct slice job, bool gzip)
{
	char	 hash[17];

	add_table(b, prefix, first->table);
	hash_hex(first->primary_key, hash);
	buf_printf(b, "import-" SLICE_FMT "/%s", SLICE_ARG(job), hash);
	add_suffix(b, gzip);
}

void
s3_key_prefix(struct buf *b, struct slice path)
{
	struct buf	 clean = { 0 };

	object_name_clean_path(&clean, path);
	b->oom |= clean.oom;
	if (clean.len > 1) {
		buf_add(b, clean.data + 1, clean.len - 1);
		buf_addc(b, '/');
	}
	buf_free(&clean);
}
