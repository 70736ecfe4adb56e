/* Results: the rows in the answer, then those behind URLs of the cloud's store. */

#include <stdlib.h>
#include <zlib.h>

#include "drivers/snowflake/result.h"

#define CHUNK_MOST	((size_t)64 << 20)	/* unpacked */
#define CHUNK_ATTEMPTS	5
#define CHUNK_MS	60000

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for a result of Snowflake");
}

static int
not_as_expected(struct err *err)
{
	return err_set(err, ERR_INVALID, "Snowflake's result is not as it should be");
}

void
snow_columns_free(struct snow_columns *c)
{
	buf_free(&c->names);
	c->n = 0;
}

int
snow_columns_read(struct snow_columns *c, const struct json_val *data, struct err *err)
{
	struct json_val	 rowtype = json_member(data, "rowtype"), column;
	struct json_iter it;

	*c = (struct snow_columns){ .n = 0 };
	if (rowtype.type != JV_ARRAY)
		return 0;	/* a statement without a result */
	json_iter_init(&it, &rowtype);
	while (json_array_next(&it, &column)) {
		struct json_val	name = { .type = JV_ABSENT };

		if (column.type == JV_OBJECT)
			name = json_member(&column, "name");
		if (name.type != JV_STRING) {
			snow_columns_free(c);
			return not_as_expected(err);
		}
		json_unescape(&c->names, &name);
		buf_addc(&c->names, '\0');
		c->n++;
	}
	if (!c->names.oom)
		return 0;
	snow_columns_free(c);
	return nomem(err);
}

struct slice
snow_cell(const struct snow_row *row, const char *column)
{
	struct slice	 rest = buf_slice(&row->columns->names), name;

	for (size_t i = 0; i < row->columns->n && slice_cut(&rest, '\0', &name); i++)
		if (slice_is(name, column))
			return row->cells[i];
	return (struct slice){ NULL, 0 };
}

/* Cells are strings or null. */
static int
read_row(const struct snow_columns *c, const struct json_val *row, struct slice *cells, struct buf *arena, struct err *err)
{
	struct json_iter it;
	struct json_val	 v;
	size_t		 n = 0;

	if (row->type != JV_ARRAY)
		return not_as_expected(err);
	buf_reset(arena);
	if (!buf_reserve(arena, row->raw.n))
		return nomem(err);
	json_iter_init(&it, row);
	while (json_array_next(&it, &v)) {
		if (n == c->n)
			return not_as_expected(err);
		cells[n++] = v.type == JV_STRING ? json_text(&v, arena) :
		    v.type == JV_NULL ? (struct slice){ NULL, 0 } : v.raw;
	}
	return n == c->n ? 0 : not_as_expected(err);
}

int
snow_rows_read(const struct snow_columns *c, const struct json_val *rowset, snow_row_fn fn, void *arg, struct err *err)
{
	struct slice	*cells = calloc(c->n + 1, sizeof(*cells));
	struct buf	 arena = { 0 };
	struct json_iter it;
	struct json_val	 row;
	int		 rc = 0;

	if (cells == NULL)
		return nomem(err);
	json_iter_init(&it, rowset);
	while (rc == 0 && json_array_next(&it, &row))
		if ((rc = read_row(c, &row, cells, &arena, err)) == 0)
			rc = fn(arg, &(struct snow_row){ .columns = c, .cells = cells }, err);
	buf_free(&arena);
	free(cells);
	return rc;
}

/* --- chunks --- */

static int
inflate_all(struct buf *out, struct slice body, struct err *err)
{
	z_stream	 z = { 0 };
	int		 rc;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return nomem(err);
	z.next_in = (unsigned char *)(uintptr_t)body.p;
	z.avail_in = (unsigned)body.n;
	do {
		if (out->len > CHUNK_MOST || !buf_reserve(out, 65536)) {
			(void)inflateEnd(&z);
			return out->oom ? nomem(err) : not_as_expected(err);
		}
		z.next_out = out->data + out->len;
		z.avail_out = 65536;
		rc = inflate(&z, Z_NO_FLUSH);
		out->len += 65536 - z.avail_out;
	} while (rc == Z_OK && (z.avail_in > 0 || z.avail_out == 0));
	(void)inflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : not_as_expected(err);
}

int
snow_chunk_text(struct buf *out, struct slice body, struct err *err)
{
	buf_addc(out, '[');
	if (body.n >= 2 && memcmp(body.p, "\x1f\x8b", 2) == 0) {
		if (inflate_all(out, body, err) != 0)
			return -1;
	} else {
		buf_adds_slice(out, body);
	}
	buf_addc(out, ']');
	return out->oom ? nomem(err) : 0;
}

/* What has to be remembered of an answer while chunks are fetched, each text ended by a NUL. */
struct chunks {
	struct buf	 urls, headers;
	size_t		 n, nheaders;
};

static void
chunks_free(struct chunks *k)
{
	buf_free(&k->urls);
	buf_free_wiped(&k->headers);	/* among them a key */
}

static void
add_header(struct chunks *k, const struct json_val *name, const struct json_val *value)
{
	json_unescape(&k->headers, name);
	buf_adds(&k->headers, ": ");
	json_unescape(&k->headers, value);
	buf_addc(&k->headers, '\0');
	k->nheaders++;
}

/* As given, else those that go with the key of the result. */
static void
chunk_headers(struct chunks *k, const struct json_val *data)
{
	struct json_val	 given = json_member(data, "chunkHeaders"), key = json_member(data, "qrmk"), name, value;
	struct json_iter it;

	if (given.type == JV_OBJECT) {
		json_iter_init(&it, &given);
		while (json_object_next(&it, &name, &value))
			if (value.type == JV_STRING && k->nheaders < HTTPS_HEADERS_MOST)
				add_header(k, &name, &value);
	} else if (key.type == JV_STRING) {
		buf_add(&k->headers, "x-amz-server-side-encryption-customer-algorithm: AES256", 56);
		buf_adds(&k->headers, "x-amz-server-side-encryption-customer-key: ");
		json_unescape(&k->headers, &key);
		buf_addc(&k->headers, '\0');
		k->nheaders = 2;
	}
}

static int
chunks_note(struct chunks *k, const struct json_val *data, struct err *err)
{
	struct json_val	 all = json_member(data, "chunks"), chunk, url;
	struct json_iter it;

	*k = (struct chunks){ .n = 0 };
	if (all.type != JV_ARRAY)
		return 0;
	json_iter_init(&it, &all);
	while (json_array_next(&it, &chunk)) {
		url.type = JV_ABSENT;
		if (chunk.type == JV_OBJECT)
			url = json_member(&chunk, "url");
		if (url.type != JV_STRING) {
			chunks_free(k);
			return not_as_expected(err);
		}
		json_unescape(&k->urls, &url);
		buf_addc(&k->urls, '\0');
		k->n++;
	}
	chunk_headers(k, data);
	if (!k->urls.oom && !k->headers.oom)
		return 0;
	chunks_free(k);
	return nomem(err);
}

/* The store knows nothing of the session: its token must not go there. */
static int
chunk_fetch(struct snow_session *s, const struct chunks *k, const char *url, struct buf *text, struct err *err)
{
	const char		*headers[HTTPS_HEADERS_MOST + 1] = { NULL };
	struct slice		 rest = buf_slice(&k->headers), one;
	struct https_again	 again = { .attempts = CHUNK_ATTEMPTS, .repeatable = true };
	struct https_answer	 answer;

	for (size_t i = 0; i < k->nheaders && slice_cut(&rest, '\0', &one); i++)
		headers[i] = one.p;
	if (https_fetch(s->wire.https, &(struct https_request){ .method = "GET", .url = url, .headers = headers,
	    .timeout_ms = CHUNK_MS, .answer_most = CHUNK_MOST }, &again, &answer, err) != 0)
		return err_prefix(err, "a part of a result cannot be fetched");
	if (answer.status != 200)
		return err_set(err, ERR_TEMPORARY, "a part of a result cannot be fetched: HTTP %ld", answer.status);
	return snow_chunk_text(text, answer.body, err);
}

static int
chunk_rows(const struct snow_columns *c, const struct buf *text, snow_row_fn fn, void *arg, struct err *err)
{
	struct json_val	 rows;

	if (json_scan(buf_slice(text), true, &rows, err) != 0)
		return err_prefix(err, "a part of a result of Snowflake");
	return snow_rows_read(c, &rows, fn, arg, err);
}

static int
chunks_read(struct snow_session *s, const struct snow_columns *c, const struct chunks *k, snow_row_fn fn, void *arg,
    struct err *err)
{
	struct slice	 rest = buf_slice(&k->urls), url;
	struct buf	 text = { 0 };
	int		 rc = 0;

	for (size_t i = 0; rc == 0 && i < k->n && slice_cut(&rest, '\0', &url); i++) {
		buf_reset(&text);
		if ((rc = chunk_fetch(s, k, url.p, &text, err)) == 0)
			rc = chunk_rows(c, &text, fn, arg, err);
	}
	buf_free(&text);
	return rc;
}

static bool
is_arrow(const struct json_val *data)
{
	struct json_val	 format = json_member(data, "queryResultFormat"), rows = json_member(data, "rowsetBase64");

	return format.type == JV_STRING && json_string_eq(&format, "arrow") && rows.type == JV_STRING && rows.raw.n > 2;
}

enum drv_result
snow_result_read(struct snow_session *s, const struct json_val *data, snow_row_fn fn, void *arg, struct err *err)
{
	struct snow_columns	 c;
	struct chunks		 k;
	struct json_val		 rowset;
	int			 rc;

	if (data->type != JV_OBJECT)
		return DRV_STORED;
	if (is_arrow(data)) {
		err_set(err, ERR_CONFIG, "Snowflake answers in Arrow although JSON was asked for as client %s %s: name in the URL what the account "
		    "accepts, client-id= and client-version=, with the parameter ..._QUERY_RESULT_FORMAT=JSON of that client",
		    s->account->client_id, s->account->client_version);
		return DRV_CONFIG;
	}
	if (snow_columns_read(&c, data, err) != 0 )
		return DRV_RETRY;
	rc = chunks_note(&k, data, err);
	rowset = json_member(data, "rowset");
	if (rc == 0 && rowset.type == JV_ARRAY)
		rc = snow_rows_read(&c, &rowset, fn, arg, err);
	if (rc == 0)
		rc = chunks_read(s, &c, &k, fn, arg, err);
	chunks_free(&k);
	snow_columns_free(&c);
	return rc == 0 ? DRV_STORED : DRV_RETRY;
}
