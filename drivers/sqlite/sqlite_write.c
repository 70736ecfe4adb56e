/*
 * Folded rows to the file: prepared statements only, every value bound.
 *
 * Invariant: what lands equals what left.  A column of numeric affinity turns
 * text that looks like a number into one, and rounds numbers beyond 64 bits or 15
 * digits.  So numbers are bound as integer or real where that holds their value,
 * and otherwise, like text that a numeric column would change, as a blob of
 * their exact text.  Columns of affinity TEXT or none get that text as text.
 */

#include <stdlib.h>

#include "drivers/sql/number.h"
#include "drivers/sql/quote.h"
#include "drivers/sqlite/sqlite_private.h"

#define CACHE_STATEMENTS	256

enum lite_op { OP_UPSERT, OP_UPDATE, OP_DELETE };

/* A prepared statement for one set of columns of a table. */
struct lite_stmt {
	const struct sql_table	*table;
	enum lite_op		 op;
	bool			 partial;	/* lacks columns that a new row must have */
	uint64_t		*mask;		/* columns present, by number */
	size_t			 words;
	uint64_t		 hash;
	uint64_t		 used;
	sqlite3_stmt		*stmt;
};

/* --- binding --- */

static int
bind_bytes(sqlite3_stmt *s, int at, struct slice v, bool as_blob)
{
	if (v.p == NULL)
		return SQLITE_NOMEM;
	if (as_blob)
		return sqlite3_bind_blob64(s, at, v.p, v.n, SQLITE_STATIC);
	return sqlite3_bind_text64(s, at, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
}

static size_t
skip_space(struct slice s, size_t at)
{
	while (at < s.n && (s.p[at] == ' ' || (s.p[at] >= '\t' && s.p[at] <= '\r')))
		at++;
	return at;
}

static size_t
skip_sign(struct slice s, size_t at)
{
	return at + (at < s.n && (s.p[at] == '-' || s.p[at] == '+'));
}

static size_t
skip_digits(struct slice s, size_t at)
{
	while (at < s.n && s.p[at] >= '0' && s.p[at] <= '9')
		at++;
	return at;
}

/* Text that a numeric column would turn into a number: 12, " -.5e3 ", but no date. */
static bool
looks_numeric(struct slice s)
{
	size_t	start = skip_sign(s, skip_space(s, 0)), at = skip_digits(s, start), digits = at - start;

	if (at < s.n && s.p[at] == '.') {
		start = at + 1;
		at = skip_digits(s, start);
		digits += at - start;
	}
	if (digits == 0)
		return false;
	if (at < s.n && (s.p[at] == 'e' || s.p[at] == 'E')) {
		start = skip_sign(s, at + 1);
		if ((at = skip_digits(s, start)) == start)
			return false;
	}
	return skip_space(s, at) == s.n;
}

static int
bind_text(sqlite3_stmt *s, int at, struct slice v, enum lite_affinity a)
{
	return bind_bytes(s, at, v, (a == LITE_NUMERIC || a == LITE_REAL) && v.p != NULL && looks_numeric(v));
}

static int
bind_number(sqlite3_stmt *s, int at, struct slice text, enum lite_affinity a)
{
	int64_t	 i;
	double	 d;

	if (a == LITE_TEXT)
		return bind_bytes(s, at, text, false);
	if (a != LITE_REAL && sql_number_i64(text, &i))
		return sqlite3_bind_int64(s, at, i);
	if (sql_number_double(text, &d))
		return sqlite3_bind_double(s, at, d);
	return bind_bytes(s, at, text, a != LITE_BLOB);
}

/* A number inside a JSON column keeps its spelling; only plain integers may become integers. */
static int
bind_json_number(sqlite3_stmt *s, int at, struct slice text, enum lite_affinity a)
{
	int64_t	 i;

	if (a == LITE_NUMERIC && slice_i64(text, &i) && !slice_is(text, "-0"))
		return sqlite3_bind_int64(s, at, i);
	return bind_text(s, at, text, a);
}

static bool
is_numeric_kind(enum sql_kind kind)
{
	return kind == SQL_INTEGER || kind == SQL_NUMBER;
}

static int
bind_value(struct drv *d, sqlite3_stmt *s, int at, const struct sql_column *c, enum lite_affinity a,
    const struct json_val *v)
{
	struct slice	 text;

	switch (v->type) {
	case JV_ABSENT:
	case JV_NULL:
		return sqlite3_bind_null(s, at);
	case JV_TRUE:
	case JV_FALSE:
		if (c->kind == SQL_BOOLEAN || is_numeric_kind(c->kind))
			return sqlite3_bind_int(s, at, v->type == JV_TRUE);
		return bind_bytes(s, at, v->raw, false);
	case JV_NUMBER:
		if (sql_kind_is_json(c->kind))
			return bind_json_number(s, at, v->raw, a);
		if (is_numeric_kind(c->kind) || c->kind == SQL_BOOLEAN)
			return bind_number(s, at, v->raw, a);
		return bind_text(s, at, v->raw, a);
	case JV_STRING:
		if (sql_kind_is_json(c->kind))
			return bind_bytes(s, at, v->raw, false);	/* a JSON string, with its quotes */
		text = sql_text(v, &d->scratch);
		if (is_numeric_kind(c->kind) && text.p != NULL && sql_number_is(text))
			return bind_number(s, at, text, a);
		return bind_text(s, at, text, a);
	case JV_OBJECT:
	case JV_ARRAY:
		return bind_bytes(s, at, sql_json(v, &d->scratch), false);
	}
	return SQLITE_MISUSE;
}

/* --- statements --- */

static bool
mask_has(const uint64_t *mask, size_t i)
{
	return (mask[i / 64] >> (i % 64) & 1) != 0;
}

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for a statement");
	return DRV_RETRY;
}

static void
stmt_free(struct lite_stmt *s)
{
	(void)sqlite3_finalize(s->stmt);
	free(s->mask);
	*s = (struct lite_stmt){ .table = NULL };
}

void
lite_cache_flush(struct drv *d)
{
	for (size_t i = 0; i < d->cache.n; i++)
		stmt_free(&d->cache.v[i]);
	free(d->cache.v);
	d->cache = (struct lite_cache){ .v = NULL };
}

/* `sep` between, `end` after each name. */
static int
add_names(struct buf *b, const struct sql_table *t, const uint64_t *mask, size_t from, size_t to, const char *sep,
    const char *format_end, struct err *err)
{
	bool	 first = true;

	for (size_t i = from; i < to; i++) {
		if (mask != NULL && !mask_has(mask, i))
			continue;
		buf_adds(b, first ? "" : sep);
		first = false;
		if (sql_quote(b, t->cols[i].name, err) != 0)
			return -1;
		buf_adds(b, format_end);
	}
	return 0;
}

static int
add_where(struct buf *b, const struct sql_table *t, struct err *err)
{
	buf_adds(b, " WHERE ");
	return add_names(b, t, NULL, 0, t->nkeys, " AND ", " = ?", err);
}

static bool
only_key(const struct sql_table *t, const uint64_t *mask)
{
	for (size_t i = t->nkeys; i < t->ncols; i++)
		if (mask_has(mask, i))
			return false;
	return true;
}

static int
add_conflict(struct buf *b, const struct sql_table *t, const uint64_t *mask, struct err *err)
{
	bool	 first = true;

	buf_adds(b, ") ON CONFLICT (");
	if (add_names(b, t, NULL, 0, t->nkeys, ", ", "", err) != 0)
		return -1;
	if (only_key(t, mask)) {
		buf_adds(b, ") DO NOTHING");
		return 0;
	}
	buf_adds(b, ") DO UPDATE SET ");
	for (size_t i = t->nkeys; i < t->ncols; i++) {
		if (!mask_has(mask, i))
			continue;
		buf_adds(b, first ? "" : ", ");
		first = false;
		if (sql_quote(b, t->cols[i].name, err) != 0)
			return -1;
		buf_adds(b, " = excluded.");
		if (sql_quote(b, t->cols[i].name, err) != 0)
			return -1;
	}
	return 0;
}

static int
add_upsert(struct buf *b, const struct sql_table *t, const uint64_t *mask, struct err *err)
{
	bool	 first = true;

	buf_adds(b, "INSERT INTO ");
	if (sql_quote(b, t->name, err) != 0)
		return -1;
	buf_adds(b, " (");
	if (add_names(b, t, mask, 0, t->ncols, ", ", "", err) != 0)
		return -1;
	buf_adds(b, ") VALUES (");
	for (size_t i = 0; i < t->ncols; i++)
		if (mask_has(mask, i)) {
			buf_adds(b, first ? "?" : ", ?");
			first = false;
		}
	return add_conflict(b, t, mask, err);
}

/* With nothing but the key this only tells whether the row exists. */
static int
add_update(struct buf *b, const struct sql_table *t, const uint64_t *mask, struct err *err)
{
	buf_adds(b, "UPDATE ");
	if (sql_quote(b, t->name, err) != 0)
		return -1;
	buf_adds(b, " SET ");
	if (only_key(t, mask)) {
		if (sql_quote(b, t->cols[0].name, err) != 0)
			return -1;
		buf_adds(b, " = ");
		if (sql_quote(b, t->cols[0].name, err) != 0)
			return -1;
	} else if (add_names(b, t, mask, t->nkeys, t->ncols, ", ", " = ?", err) != 0) {
		return -1;
	}
	return add_where(b, t, err);
}

static int
add_delete(struct buf *b, const struct sql_table *t, struct err *err)
{
	buf_adds(b, "DELETE FROM ");
	if (sql_quote(b, t->name, err) != 0)
		return -1;
	return add_where(b, t, err);
}

static int
stmt_text(struct buf *b, const struct lite_stmt *s, struct err *err)
{
	switch (s->op) {
	case OP_UPSERT:
		return add_upsert(b, s->table, s->mask, err);
	case OP_UPDATE:
		return add_update(b, s->table, s->mask, err);
	case OP_DELETE:
		return add_delete(b, s->table, err);
	}
	return -1;
}

static enum drv_result
stmt_prepare(struct drv *d, struct lite_stmt *s, struct err *err)
{
	struct buf		 sql = { 0 };
	enum drv_result		 r = DRV_REJECT;

	for (size_t i = 0; i < s->table->ncols; i++)
		s->partial |= s->table->held[i].demands && !mask_has(s->mask, i);
	if (stmt_text(&sql, s, err) == 0)
		r = sql.oom ? nomem(err) : lite_result(d, sqlite3_prepare_v3(d->db, buf_cstr(&sql), -1,
		    SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL), err, "preparing a statement");
	buf_free(&sql);
	return r;
}

/* A free place, if need be that of the statement not used for longest. */
static struct lite_stmt *
cache_place(struct lite_cache *c)
{
	struct lite_stmt	*oldest;

	if (c->v == NULL && (c->v = calloc(CACHE_STATEMENTS, sizeof(*c->v))) == NULL)
		return NULL;
	if (c->n < CACHE_STATEMENTS)
		return &c->v[c->n++];
	oldest = &c->v[0];
	for (size_t i = 1; i < c->n; i++)
		if (c->v[i].used < oldest->used)
			oldest = &c->v[i];
	stmt_free(oldest);
	return oldest;
}

#define MAX_WORDS	((32767 + 63) / 64)	/* no build of SQLite allows more columns */

/* Which columns are present; a DELETE needs none. */
static uint64_t
mask_make(const struct sql_row *r, enum lite_op op, uint64_t *mask, size_t words)
{
	uint64_t	 hash = UINT64_C(0xcbf29ce484222325) + (uint64_t)op + (uint64_t)r->table->id * 4;

	memset(mask, 0, words * sizeof(*mask));
	for (size_t i = 0; op != OP_DELETE && i < r->table->ncols; i++)
		mask[i / 64] |= (uint64_t)(r->v[i].type != JV_ABSENT) << (i % 64);
	for (size_t i = 0; i < words; i++)
		hash = (hash ^ mask[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return hash;
}

static enum drv_result
stmt_get(struct drv *d, const struct sql_row *r, enum lite_op op, struct lite_stmt **stmt_r, struct err *err)
{
	uint64_t		 mask[MAX_WORDS], hash;
	size_t			 words = (r->table->ncols + 63) / 64;
	struct lite_stmt	*s;
	enum drv_result		 result;

	if (words > MAX_WORDS) {
		err_set(err, ERR_TOOBIG, "table \"%s\" has %zu columns, more than SQLite can hold", r->table->name.p,
		    r->table->ncols);
		return DRV_REJECT;
	}
	hash = mask_make(r, op, mask, words);
	for (size_t i = 0; i < d->cache.n; i++) {
		s = &d->cache.v[i];
		if (s->hash == hash && s->table == r->table && s->op == op && s->words == words &&
		    memcmp(s->mask, mask, words * sizeof(*mask)) == 0) {
			s->used = ++d->cache.clock;
			*stmt_r = s;
			return DRV_STORED;
		}
	}
	if ((s = cache_place(&d->cache)) == NULL)
		return nomem(err);
	*s = (struct lite_stmt){ .table = r->table, .op = op, .words = words, .hash = hash, .used = ++d->cache.clock };
	if ((s->mask = malloc(words * sizeof(*mask))) == NULL)
		result = nomem(err);
	else {
		memcpy(s->mask, mask, words * sizeof(*mask));
		result = stmt_prepare(d, s, err);
	}
	if (result != DRV_STORED) {
		stmt_free(s);	/* leaves a place without a table, which nobody finds */
		return result;
	}
	*stmt_r = s;
	return DRV_STORED;
}

/* --- rows --- */

static int
bind_range(struct drv *d, const struct sql_row *r, sqlite3_stmt *s, int *at, size_t from, size_t to)
{
	int	rc = SQLITE_OK;

	for (size_t i = from; i < to && rc == SQLITE_OK; i++)
		if (r->v[i].type != JV_ABSENT)
			rc = bind_value(d, s, ++*at, &r->table->cols[i], r->table->held[i].type, &r->v[i]);
	return rc;
}

static int
bind_row(struct drv *d, const struct sql_row *r, const struct lite_stmt *s)
{
	size_t	 room = 0;
	int	 at = 0, rc = SQLITE_OK;

	/* Texts must not move once they are bound. */
	for (size_t i = 0; i < r->table->ncols; i++)
		room += r->v[i].raw.n;
	buf_reset(&d->scratch);
	if (!buf_reserve(&d->scratch, room))
		return SQLITE_NOMEM;
	if (s->op != OP_DELETE)
		rc = bind_range(d, r, s->stmt, &at, s->op == OP_UPDATE ? r->table->nkeys : 0, r->table->ncols);
	if (rc == SQLITE_OK && s->op != OP_UPSERT)
		rc = bind_range(d, r, s->stmt, &at, 0, r->table->nkeys);
	return rc;
}

static enum drv_result
row_run(struct drv *d, const struct sql_row *r, const struct lite_stmt *s, struct err *err)
{
	int	rc = bind_row(d, r, s), reset_rc;

	if (rc == SQLITE_OK && (rc = sqlite3_step(s->stmt)) == SQLITE_DONE)
		rc = SQLITE_OK;
	reset_rc = sqlite3_reset(s->stmt);
	return lite_result(d, rc == SQLITE_OK ? reset_rc : rc, err, r->table->name.p);
}

static enum drv_result
row_op(struct drv *d, const struct sql_row *r, enum lite_op op, struct err *err)
{
	struct lite_stmt	*s;
	enum drv_result		 result = stmt_get(d, r, op, &s, err);

	return result == DRV_STORED ? row_run(d, r, s, err) : result;
}

/*
 * SQLite looks at NOT NULL before it looks for a conflict, so a row without all those
 * columns is updated first and made only when there is none (hazard H69).
 */
static enum drv_result
row_upsert(struct drv *d, struct sql_row *r, struct err *err)
{
	struct lite_stmt	*s;
	enum drv_result		 result = stmt_get(d, r, OP_UPSERT, &s, err);

	if (result != DRV_STORED || !s->partial)
		return result == DRV_STORED ? row_run(d, r, s, err) : result;
	if ((result = row_op(d, r, OP_UPDATE, err)) != DRV_STORED || sqlite3_changes64(d->db) > 0)
		return result;
	sql_fill_demanded(r);
	return row_op(d, r, OP_UPSERT, err);
}

static enum drv_result
row_write(struct drv *d, struct sql_row *r, struct err *err)
{
	enum drv_result	 result;

	if (r->what == SQL_UPSERT)
		return row_upsert(d, r, err);
	result = row_op(d, r, OP_DELETE, err);
	if (result != DRV_STORED || r->what == SQL_DELETE)
		return result;
	sql_fill_demanded(r);
	return row_op(d, r, OP_UPSERT, err);
}

static enum drv_result
group_write(struct drv *d, const struct sql_group *g, struct sql_blame *blame, struct err *err)
{
	enum drv_result	 result = DRV_STORED;
	struct sql_row	*r = g->first;

	for (size_t i = 0; i < g->n && result == DRV_STORED; i++, r = r->next)
		if ((result = row_write(d, r, err)) != DRV_STORED) {
			blame->group = g;
			blame->row = r;
		}
	return result;
}

enum drv_result
lite_apply(struct drv *d, const struct sql_group *groups, size_t n, enum sql_end end, struct sql_blame *blame,
    struct err *err)
{
	enum drv_result	 result = DRV_STORED;

	for (size_t g = 0; g < n && result == DRV_STORED; g++)
		if (groups[g].table->exists)
			result = group_write(d, &groups[g], blame, err);
	if (result != DRV_STORED)
		return result;		/* what began is undone by the caller */
	return end == SQL_COMMIT ? lite_exec(d, "COMMIT", err, "committing") : lite_exec(d, "ROLLBACK", err, "trying rows");
}
