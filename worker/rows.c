/*
 * From an export's file to events.  A row usually is a line, and is parsed as
 * such at once; only where that fails is its true extent looked for, since any
 * white space may stand between rows and within them.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "ipc/base/hash.h"
#include "worker/rows.h"

#define READ_SIZE	((size_t)128 << 10)
#define EXTENT_MAX	((size_t)1 << 20)	/* a row of several lines is not looked for any further */

struct rows {
	int			 fd;
	struct rows_source	 source;
	bool			 started;	/* the first bytes told whether it is gzip */
	bool			 gzip;
	bool			 member_open;	/* inside a gzip member */
	bool			 eof;		/* of the file */
	bool			 over;		/* nothing more will come out of it */
	z_stream		 z;
	uint8_t			 raw[READ_SIZE];	/* as read */
	size_t			 raw_at, raw_n;
	uint64_t		 bytes;
	char			*text;		/* unpacked */
	size_t			 cap, len, at;
	uint64_t		 count;
	bool			 skipping;	/* the rest of a row that is too long */
	struct buf		 scratch;
};

int
rows_new(struct rows **rows_r, int fd, size_t room, const struct rows_source *source, struct err *err)
{
	struct rows	*r = calloc(1, sizeof(*r));

	if (r == NULL || (r->text = malloc(room)) == NULL || inflateInit2(&r->z, 15 + 16) != Z_OK) {
		if (r != NULL)
			free(r->text);
		free(r);
		return err_set(err, ERR_NOMEM, "no memory to read a file of the export");
	}
	r->fd = fd;
	r->cap = room;
	r->source = *source;
	*rows_r = r;
	return 0;
}

void
rows_free(struct rows **rp)
{
	struct rows	*r = *rp;

	if (r == NULL)
		return;
	(void)inflateEnd(&r->z);
	buf_free(&r->scratch);
	free(r->text);
	free(r);
	*rp = NULL;
}

uint64_t
rows_count(const struct rows *r)
{
	return r->count;
}

uint64_t
rows_bytes(const struct rows *r)
{
	return r->bytes;
}

/* --- unpacking --- */

static int
read_raw(struct rows *r, struct err *err)
{
	ssize_t	 n;

	do
		n = read(r->fd, r->raw, sizeof(r->raw));
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return err_sys(err, "reading the file");
	r->raw_at = 0;
	r->raw_n = (size_t)n;
	r->bytes += (size_t)n;
	r->eof = n == 0;
	return 0;
}

/* One step of gzip, which may be several members one behind the other. */
static int
unpack(struct rows *r, struct err *err)
{
	int	 rc;

	if (!r->member_open && inflateReset(&r->z) != Z_OK)
		return err_set(err, ERR_INVALID, "it cannot be unpacked");
	r->member_open = true;
	r->z.next_in = r->raw + r->raw_at;
	r->z.avail_in = (uInt)(r->raw_n - r->raw_at);
	r->z.next_out = (Bytef *)r->text + r->len;
	r->z.avail_out = (uInt)(r->cap - r->len);
	rc = inflate(&r->z, Z_NO_FLUSH);
	r->raw_at = r->raw_n - r->z.avail_in;
	r->len = r->cap - r->z.avail_out;
	if (rc == Z_STREAM_END)
		r->member_open = false;
	else if (rc == Z_MEM_ERROR)
		return err_set(err, ERR_NOMEM, "no memory to unpack it");
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		return err_set(err, ERR_INVALID, "it is not what was packed: %s", r->z.msg == NULL ? "no gzip" : r->z.msg);
	return 0;
}

static void
copy_plain(struct rows *r)
{
	size_t	 n = r->raw_n - r->raw_at, free_n = r->cap - r->len;

	n = n < free_n ? n : free_n;
	(void)memcpy(r->text + r->len, r->raw + r->raw_at, n);
	r->raw_at += n;
	r->len += n;
}

/* Fills what room there is behind the text. */
static int
fill(struct rows *r, struct err *err)
{
	while (!r->over && r->len < r->cap) {
		if (r->raw_at == r->raw_n && !r->eof && read_raw(r, err) == -1)
			return -1;
		if (!r->started) {
			r->gzip = r->raw_n >= 2 && r->raw[0] == 0x1f && r->raw[1] == 0x8b;
			r->started = true;
		}
		if (r->raw_at == r->raw_n) {
			r->over = true;
			return r->member_open ? err_set(err, ERR_INVALID, "it ends too early") : 0;
		}
		if (!r->gzip)
			copy_plain(r);
		else if (unpack(r, err) == -1)
			return -1;
	}
	return 0;
}

void
rows_turn(struct rows *r)
{
	r->len -= r->at;
	(void)memmove(r->text, r->text + r->at, r->len);
	r->at = 0;
}

static bool
grow(struct rows *r)
{
	char	*text = realloc(r->text, r->cap * 2);

	if (text == NULL)
		return false;
	r->text = text;
	r->cap *= 2;
	return true;
}

/* --- finding rows --- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/*
 * Bytes of the value at the front, found by its brackets alone; 0: more is needed.  What is
 * no object ends with its line.
 */
static size_t
extent(struct slice s)
{
	size_t	 depth = 0;
	bool	 in_string = false;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"')
			in_string = true;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0 && --depth == 0)
			return i + 1;
		else if (c == '\n' && depth == 0)
			return i;
	}
	return 0;
}

/* What the members of a row say about its event. */
struct found {
	struct json_val	 id, company, location, user;
};

static void
take_member(void *arg, const struct json_val *key, const struct json_val *val)
{
	struct found	*f = arg;

	if (val->type != JV_STRING)
		return;
	if (json_string_eq(key, "id"))
		f->id = *val;
	else if (json_string_eq(key, "companyId"))
		f->company = *val;
	else if (json_string_eq(key, "locationId"))
		f->location = *val;
	else if (json_string_eq(key, "userId"))
		f->user = *val;
}

static struct slice
maybe_text(const struct json_val *v, struct buf *arena)
{
	return v->type == JV_STRING ? json_text(v, arena) : (struct slice){ NULL, 0 };
}

static struct slice
append(struct buf *arena, struct slice s)
{
	size_t	 at = arena->len;

	buf_adds_slice(arena, s);
	return (struct slice){ (const char *)arena->data + at, s.n };
}

/* Unlike the file's name alone, which all its rows would share (hazard H24); the same when the file comes again. */
static struct slice
event_id(struct rows *r, struct buf *arena)
{
	char	 hex[17];

	buf_reset(&r->scratch);
	buf_adds_slice(&r->scratch, r->source.name);
	buf_printf(&r->scratch, "/%llu", (unsigned long long)r->count);
	hash_hex(buf_slice(&r->scratch), hex);
	return append(arena, (struct slice){ hex, 16 });
}

static int
make_event(struct rows *r, struct event *ev, const struct json_val *row, const struct found *f, struct err *err)
{
	struct buf	 arena = ev->arena;
	size_t		 at;

	buf_reset(&arena);
	*ev = (struct event){ .op = EVENT_INSERT, .operation = SLICE("INSERT"), .table = r->source.table,
	    .model_version = r->source.version, .mvcc_timestamp = r->source.mvcc_timestamp,
	    .timestamp_ms = r->source.timestamp_ms, .after = *row, .imported = true, .arena = arena };
	/* All the room at once: slices must not move. */
	if (!buf_reserve(&ev->arena, 32 + 2 * f->id.raw.n + f->company.raw.n + f->location.raw.n + f->user.raw.n))
		return err_set(err, ERR_NOMEM, "no memory for a row");
	ev->id = event_id(r, &ev->arena);
	ev->company_id = maybe_text(&f->company, &ev->arena);
	ev->location_id = maybe_text(&f->location, &ev->arena);
	ev->user_id = maybe_text(&f->user, &ev->arena);
	ev->primary_key = json_text(&f->id, &ev->arena);
	at = ev->arena.len;
	buf_addc(&ev->arena, '[');
	buf_adds_slice(&ev->arena, f->id.raw);
	buf_addc(&ev->arena, ']');
	ev->key = (struct json_val){ .type = JV_ARRAY, .raw = { (const char *)ev->arena.data + at, f->id.raw.n + 2 } };
	return 0;
}

static int
parse(struct slice text, struct json_val *row, struct found *f, struct err *err)
{
	*f = (struct found){ .id.type = JV_ABSENT };
	return json_scan_members(text, false, take_member, f, row, err);
}

/*
 * The row that begins at r->at, whose text is *text_r then.  ROWS_PAUSE: it is not all there.
 */
static enum rows_result
take_row(struct rows *r, struct event *ev, struct slice *text_r, struct err *err)
{
	struct slice	 rest = { r->text + r->at, r->len - r->at }, line = rest;
	const char	*nl = memchr(rest.p, '\n', rest.n);
	struct json_val	 row;
	struct found	 f;
	int		 rc;
	size_t		 n;

	if (nl != NULL)
		line.n = (size_t)(nl - rest.p);
	else if (!r->over)
		return ROWS_PAUSE;
	*text_r = line;
	if ((rc = parse(line, &row, &f, err)) == -1 && err->code != ERR_NOMEM) {
		n = extent((struct slice){ rest.p, rest.n < EXTENT_MAX ? rest.n : EXTENT_MAX });
		if (n == 0 && !r->over && rest.n < EXTENT_MAX)
			return ROWS_PAUSE;
		/* A row of other lines than one, or several in it? */
		if (n != 0 && n != slice_trim(line).n) {
			*text_r = (struct slice){ rest.p, n };
			rc = parse(*text_r, &row, &f, err);
		}
	}
	if (rc == -1 && err->code == ERR_NOMEM)
		return ROWS_NOMEM;
	r->at += text_r->n;
	r->count++;
	if (rc == -1)
		return ROWS_BAD;
	if (row.type != JV_OBJECT || f.id.type != JV_STRING || f.id.raw.n == 2) {
		(void)err_set(err, ERR_INVALID, row.type != JV_OBJECT ? "it is no JSON object" : "it has no `id`");
		return ROWS_BAD;
	}
	return make_event(r, ev, &row, &f, err) == -1 ? ROWS_NOMEM : ROWS_ROW;
}

/* Drops the rest of a row that is too long; false while there is more of it. */
static bool
skip_line(struct rows *r)
{
	const char	*nl = memchr(r->text + r->at, '\n', r->len - r->at);

	r->at = nl == NULL ? r->len : (size_t)(nl - r->text);
	r->skipping = nl == NULL && !r->over;
	return !r->skipping;
}

/* The text at hand is less than a row: more of it, if there is room at all. */
static enum rows_result
want_more(struct rows *r, struct slice *text_r, struct err *err)
{
	if (r->at > 0)
		return ROWS_PAUSE;	/* rows_turn() makes room */
	if (r->len < r->cap)
		return fill(r, err) == 0 ? ROWS_PAUSE : err->code == ERR_NOMEM ? ROWS_NOMEM : ROWS_DAMAGED;
	if (r->cap < ROWS_ROW_MAX)
		return grow(r) ? ROWS_PAUSE : ROWS_NOMEM;
	*text_r = (struct slice){ r->text, 1000 };
	r->skipping = true;
	r->count++;
	(void)err_set(err, ERR_TOOBIG, "it is longer than %zu MB", ROWS_ROW_MAX >> 20);
	return ROWS_BAD;
}

enum rows_result
rows_next(struct rows *r, struct event *ev, struct slice *text_r, struct err *err)
{
	enum rows_result	 result = ROWS_PAUSE;

	*err = (struct err){ 0 };
	if (r->skipping && !skip_line(r))
		return want_more(r, text_r, err);
	while (r->at < r->len && is_space(r->text[r->at]))
		r->at++;
	if (r->at == r->len && r->over)
		return ROWS_END;
	if (r->at < r->len)
		result = take_row(r, ev, text_r, err);
	return result == ROWS_PAUSE ? want_more(r, text_r, err) : result;
}
