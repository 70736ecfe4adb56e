/*
 * Any bytes as a payload.
 *
 * What the scanner thinks of them is held against jansson.  The two agree but for this: jansson goes
 * deeper than JSON_MAX_DEPTH; it overlooks a NUL byte behind a number; it refuses numbers beyond its own types, lone
 * surrogate escapes and \u0000 in a key.  So without NUL bytes, whatever jansson takes the scanner takes, short of
 * the depth; and what the scanner takes jansson takes, unless a number is too large or there is a \u escape.
 *
 * An event that parses is stored; the stored text must parse to the same event
 * and be stored the same again.
 */

#include <jansson.h>

#include "ipc/event.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static void
compare_with_jansson(struct slice text)
{
	struct json_val	 root;
	struct err	 err = { .code = ERR_NONE };
	json_error_t	 why;
	json_t		*tree = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	bool		 ours = json_scan(text, false, &root, &err) == 0;

	if (tree != NULL && !ours && memchr(text.p, '\0', text.n) == NULL)
		must(strncmp(err.text, "nesting too deep", 16) == 0, err.text);
	if (tree == NULL && ours && memmem(text.p, text.n, "\\u", 2) == NULL)
		must(json_error_code(&why) == json_error_numeric_overflow, why.text);
	json_decref(tree);
}

/* Every value inside comes out of the iterators, lies within its container and decodes to no more than its text. */
static void
walk(const struct json_val *v, struct buf *scratch)
{
	struct json_iter it;
	struct json_val	 key, val;

	if (v->type == JV_STRING) {
		buf_reset(scratch);
		json_unescape(scratch, v);
		must(scratch->len <= v->raw.n - 2, "decoded text is longer than its source");
	}
	if (v->type != JV_OBJECT && v->type != JV_ARRAY)
		return;
	json_iter_init(&it, v);
	while (v->type == JV_OBJECT ? json_object_next(&it, &key, &val) : json_array_next(&it, &val)) {
		must(val.raw.p > v->raw.p && val.raw.p + val.raw.n < v->raw.p + v->raw.n, "value outside its container");
		if (v->type == JV_OBJECT) {
			must(key.type == JV_STRING, "key that is no string");
			walk(&key, scratch);
		}
		walk(&val, scratch);
	}
	must(it.at == it.end, "iterator stopped short");
}

static void
same_text(struct slice a, struct slice b, const char *what)
{
	must(slice_eq(a, b) && (a.p == NULL) == (b.p == NULL), what);
}

static void
same_event(const struct event *a, const struct event *b)
{
	must(a->op == b->op, "op");
	same_text(a->id, b->id, "id");
	same_text(a->table, b->table, "table");
	same_text(a->model_version, b->model_version, "model_version");
	same_text(a->company_id, b->company_id, "company_id");
	same_text(a->location_id, b->location_id, "location_id");
	same_text(a->user_id, b->user_id, "user_id");
	same_text(a->mvcc_timestamp, b->mvcc_timestamp, "mvcc_timestamp");
	same_text(a->primary_key, b->primary_key, "primary_key");
	must(a->timestamp_ms == b->timestamp_ms && a->imported == b->imported, "timestamp or imported");
	must(a->key.type == b->key.type && a->diff.type == b->diff.type, "key or diff");
	must(a->before.type == b->before.type && a->after.type == b->after.type, "before or after");
}

static void
store_and_compare(const struct event *ev)
{
	struct event	 again = { .op = EVENT_INSERT };
	struct buf	 once = { 0 }, twice = { 0 };
	struct err	 err = { .code = ERR_NONE };

	event_store_json(ev, &once);
	must(event_parse(&again, buf_slice(&once), &err) == 0, err.text);
	same_event(ev, &again);
	event_store_json(&again, &twice);
	must(slice_eq(buf_slice(&once), buf_slice(&twice)), "stored differently the second time");
	buf_free(&once);
	buf_free(&twice);
	event_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 text = { len == 0 ? "" : (const char *)data, len };
	struct event	 ev = { .op = EVENT_INSERT };
	struct json_val	 root;
	struct err	 err = { .code = ERR_NONE };
	struct buf	 scratch = { 0 };

	compare_with_jansson(text);
	if (json_scan(text, false, &root, NULL) == 0)
		walk(&root, &scratch);
	if (event_parse(&ev, text, &err) == 0) {
		must(ev.table.n > 0 && ev.primary_key.n > 0, "event without table or key");
		store_and_compare(&ev);
	} else
		must(err.code == ERR_INVALID && err.text[0] != '\0', "refused without saying why");
	event_free(&ev);
	buf_free(&scratch);
	return 0;
}
