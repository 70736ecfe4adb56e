/*
 * From an export's file to events.  A row usually is a line, and is parsed as
 * such at once; only where that fails is its true extent looked for, since any
 * white space may stand between rows and within them.
 */

#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/hash.h"
#include "worker/rows.h"
#include "worker/unzip.h"

#define WINDOW_LEAST	((size_t)64 << 10)
#define EXTENT_MAX	((size_t)1 << 20)	/* a row of several lines is not looked for any further */

struct rows {
	struct rows_source	 source;
	struct unzip		*file;
	struct rows_text	 text;
	size_t			 len, at;	/* of the text: how much there is, and how much of it was handed out */
	size_t			 window;	/* no more of it is filled at once */
	uint64_t		 count;
	bool			 skipping;	/* the rest of a row that is too long */
	struct buf		 scratch;
};

int
rows_new(struct rows **rows_r, int fd, size_t room, const struct rows_source *source, struct err *err)
{
	struct rows	*r = calloc(1, sizeof(*r));

	if (r == NULL || (r->text.p = malloc(room)) == NULL || unzip_new(&r->file, fd, err) == -1) {
		if (r != NULL)
			free(r->text.p);
		free(r);
		return err_set(err, ERR_NOMEM, "no memory to read a file of the export");
	}
	r->text.cap = r->window = room;
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
	unzip_free(&r->file);
	buf_free(&r->scratch);
	free(r->text.p);
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
	return unzip_bytes(r->file);
}

/* --- text --- */

static bool
over(const struct rows *r)
{
	return unzip_over(r->file);
}

/* Fills what room there is behind the text. */
static int
fill(struct rows *r, struct err *err)
{
	size_t	 n;

	if (unzip_read(r->file, r->text.p + r->len, r->window - r->len, &n, err) == -1)
		return -1;
	r->len += n;
	return 0;
}

static bool
reserve(struct rows_text *t, size_t n)
{
	char	*p;

	if (n <= t->cap)
		return true;
	if ((p = realloc(t->p, n)) == NULL)
		return false;
	*t = (struct rows_text){ p, n };
	return true;
}

/* Text that was not handed out is copied, which is to remain the smaller part of it. */
static void
set_window(struct rows *r)
{
	size_t	 twice = 2 * r->at < WINDOW_LEAST ? WINDOW_LEAST : 2 * r->at;

	r->window = r->len - r->at > r->at && twice < r->text.cap ? twice : r->text.cap;
	if (r->window < r->len - r->at)
		r->window = r->len - r->at;
}

bool
rows_turn(struct rows *r, struct rows_text *other)
{
	struct rows_text	 old = r->text;

	if (r->at == 0)
		return true;		/* nothing was handed out */
	if (!reserve(other, old.cap))
		return false;
	set_window(r);
	r->len -= r->at;
	(void)memcpy(other->p, old.p + r->at, r->len);
	r->at = 0;
	r->text = *other;
	*other = old;
	return true;
}

static bool
grow(struct rows *r)
{
	if (r->window == r->text.cap && !reserve(&r->text, r->text.cap * 2))
		return false;
	r->window = r->text.cap;
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
	struct event	*ev;		/* for its members */
	const char	*row;
	bool		 oom;
};

static void
take_member(void *arg, const struct json_val *key, const struct json_val *val)
{
	struct found	*f = arg;

	f->oom |= !event_member_add(f->ev, f->row, key, val);
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

static void
add_number(struct buf *b, uint64_t n)
{
	char	 digits[20];
	size_t	 at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	buf_add(b, digits + at, sizeof(digits) - at);
}

/* Unlike the file's name alone, which all its rows would share (hazard H24); the same when the file comes again. */
static struct slice
event_id(struct rows *r, struct buf *arena)
{
	char	 hex[17];

	buf_reset(&r->scratch);
	buf_adds_slice(&r->scratch, r->source.name);
	buf_addc(&r->scratch, '/');
	add_number(&r->scratch, r->count);
	hash_hex(buf_slice(&r->scratch), hex);
	return append(arena, (struct slice){ hex, 16 });
}

static int
make_event(struct rows *r, struct event *ev, const struct json_val *row, const struct found *f, struct err *err)
{
	struct event	 old = *ev;
	size_t		 at;

	buf_reset(&old.arena);
	*ev = (struct event){ .op = EVENT_INSERT, .operation = SLICE("INSERT"), .table = r->source.table,
	    .model_version = r->source.version, .mvcc_timestamp = r->source.mvcc_timestamp,
	    .timestamp_ms = r->source.timestamp_ms, .after = *row, .imported = true, .arena = old.arena, .members = old.members };
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
parse(struct slice text, struct event *ev, struct json_val *row, struct found *f, struct err *err)
{
	*f = (struct found){ .ev = ev, .row = text.p };		/* which begins with no space */
	ev->members.n = 0;
	if (json_scan_members(text, false, take_member, f, row, err) == -1)
		return -1;
	return f->oom ? err_set(err, ERR_NOMEM, "no memory for a row") : 0;
}

/*
 * The row that begins at r->at, whose text is *text_r then.  ROWS_PAUSE: it is not all there.
 */
static enum rows_result
take_row(struct rows *r, struct event *ev, struct slice *text_r, struct err *err)
{
	struct slice	 rest = { r->text.p + r->at, r->len - r->at }, line = rest;
	const char	*nl = memchr(rest.p, '\n', rest.n);
	struct json_val	 row;
	struct found	 f;
	int		 rc;
	size_t		 n;

	if (nl != NULL)
		line.n = (size_t)(nl - rest.p);
	else if (!over(r))
		return ROWS_PAUSE;
	*text_r = line;
	if ((rc = parse(line, ev, &row, &f, err)) == -1 && err->code != ERR_NOMEM) {
		n = extent((struct slice){ rest.p, rest.n < EXTENT_MAX ? rest.n : EXTENT_MAX });
		if (n == 0 && !over(r) && rest.n < EXTENT_MAX)
			return ROWS_PAUSE;
		/* A row of other lines than one, or several in it? */
		if (n != 0 && n != slice_trim(line).n) {
			*text_r = (struct slice){ rest.p, n };
			rc = parse(*text_r, ev, &row, &f, err);
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
	const char	*nl = memchr(r->text.p + r->at, '\n', r->len - r->at);

	r->at = nl == NULL ? r->len : (size_t)(nl - r->text.p);
	r->skipping = nl == NULL && !over(r);
	return !r->skipping;
}

/* The text at hand is less than a row: more of it, if there is room at all. */
static enum rows_result
want_more(struct rows *r, struct slice *text_r, struct err *err)
{
	if (r->at > 0)
		return ROWS_PAUSE;	/* rows_turn() makes room */
	if (r->len < r->window)
		return fill(r, err) == 0 ? ROWS_PAUSE : err->code == ERR_NOMEM ? ROWS_NOMEM : ROWS_DAMAGED;
	if (r->window < ROWS_ROW_MAX)
		return grow(r) ? ROWS_PAUSE : ROWS_NOMEM;
	*text_r = (struct slice){ r->text.p, 1000 };
	r->at = text_r->n;
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
	while (r->at < r->len && is_space(r->text.p[r->at]))
		r->at++;
	if (r->at == r->len && over(r))
		return ROWS_END;
	if (r->at < r->len)
		result = take_row(r, ev, text_r, err);
	return result == ROWS_PAUSE ? want_more(r, text_r, err) : result;
}
