/*
 * Folded rows to the file: prepared statements only, every value bound.
 *
 * Invariant: what lands equals what left.  A column of numeric affinity turns
 * text that looks like a number into one, and rounds numbers beyond 64 bits or 15
 * digits.  So numbers are bound as integer or real where that holds their value,
 * and otherwise, like text that a numeric column would change, as a blob of
 * their exact text.  Columns of affinity TEXT or none get that text as text.
 */

#include "drivers/sql/number.h"
#include "drivers/sql/quote.h"
#include "drivers/sql/upsert.h"
#include "drivers/sqlite/sqlite_private.h"

enum lite_op { OP_UPSERT, OP_UPDATE, OP_DELETE };

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

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for a statement");
	return DRV_RETRY;
}

void
lite_stmt_drop(struct sql_stmt *s)
{
	(void)sqlite3_finalize(s->handle);
}

void
lite_cache_flush(struct drv *d)
{
	sql_stmts_flush(&d->cache);
}

static int
add_where(struct buf *b, const struct sql_table *t, struct err *err)
{
	buf_adds(b, " WHERE ");
	return sql_add_names(b, t, NULL, 0, t->nkeys, " AND ", " = ?", err);
}

static bool
only_key(const struct sql_table *t, const uint64_t *mask)
{
	for (size_t i = t->nkeys; i < t->ncols; i++)
		if (sql_mask_has(mask, i))
			return false;
	return true;
}

static int
add_upsert(struct buf *b, const struct sql_table *t, const uint64_t *mask, struct err *err)
{
	bool	 first = true;

	buf_adds(b, "INSERT INTO ");
	if (sql_quote(b, t->name, err) != 0)
		return -1;
	buf_adds(b, " (");
	if (sql_add_names(b, t, mask, 0, t->ncols, ", ", "", err) != 0)
		return -1;
	buf_adds(b, ") VALUES (");
	for (size_t i = 0; i < t->ncols; i++)
		if (sql_mask_has(mask, i)) {
			buf_adds(b, first ? "?" : ", ?");
			first = false;
		}
	buf_addc(b, ')');
	return sql_add_conflict(b, t, mask, err);
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
	} else if (sql_add_names(b, t, mask, t->nkeys, t->ncols, ", ", " = ?", err) != 0) {
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
stmt_text(struct buf *b, const struct sql_stmt *s, struct err *err)
{
	switch ((enum lite_op)s->kind) {
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
stmt_prepare(struct drv *d, struct sql_stmt *s, struct err *err)
{
	struct buf		 sql = { 0 };
	sqlite3_stmt		*stmt = NULL;
	enum drv_result		 r = DRV_REJECT;

	if (stmt_text(&sql, s, err) == 0)
		r = sql.oom ? nomem(err) : lite_result(d, sqlite3_prepare_v3(d->db, buf_cstr(&sql), -1,
		    SQLITE_PREPARE_PERSISTENT, &stmt, NULL), err, "preparing a statement");
	s->handle = stmt;
	buf_free(&sql);
	return r;
}

#define MAX_WORDS	((32767 + 63) / 64)	/* no build of SQLite allows more columns */

/* A DELETE needs no columns. */
static enum drv_result
stmt_get(struct drv *d, const struct sql_row *r, enum lite_op op, struct sql_stmt **stmt_r, struct err *err)
{
	uint64_t	 mask[MAX_WORDS];
	size_t		 words = sql_mask_words(r->table);
	struct sql_stmt	*s;
	enum drv_result	 result = DRV_STORED;

	if (words > MAX_WORDS) {
		err_set(err, ERR_TOOBIG, "table \"%s\" has %zu columns, more than SQLite can hold", r->table->name.p,
		    r->table->ncols);
		return DRV_REJECT;
	}
	if (op == OP_DELETE)
		memset(mask, 0, words * sizeof(*mask));
	else
		sql_mask_of(r, mask);
	if ((s = sql_stmts_get(&d->cache, r->table, op, mask, words)) == NULL)
		return nomem(err);
	if (s->handle == NULL && (result = stmt_prepare(d, s, err)) != DRV_STORED)
		sql_stmts_forget(&d->cache, s);
	*stmt_r = s;
	return result;
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
bind_row(struct drv *d, const struct sql_row *r, const struct sql_stmt *s)
{
	size_t	 room = 0;
	int	 at = 0, rc = SQLITE_OK;

	/* Texts must not move once they are bound. */
	for (size_t i = 0; i < r->table->ncols; i++)
		room += r->v[i].raw.n;
	buf_reset(&d->scratch);
	if (!buf_reserve(&d->scratch, room))
		return SQLITE_NOMEM;
	if (s->kind != OP_DELETE)
		rc = bind_range(d, r, s->handle, &at, s->kind == OP_UPDATE ? r->table->nkeys : 0, r->table->ncols);
	if (rc == SQLITE_OK && s->kind != OP_UPSERT)
		rc = bind_range(d, r, s->handle, &at, 0, r->table->nkeys);
	return rc;
}

static enum drv_result
row_run(struct drv *d, const struct sql_row *r, const struct sql_stmt *s, struct err *err)
{
	int	rc = bind_row(d, r, s), reset_rc;

	if (rc == SQLITE_OK && (rc = sqlite3_step(s->handle)) == SQLITE_DONE)
		rc = SQLITE_OK;
	reset_rc = sqlite3_reset(s->handle);
	return lite_result(d, rc == SQLITE_OK ? reset_rc : rc, err, r->table->name.p);
}

static enum drv_result
row_op(struct drv *d, const struct sql_row *r, enum lite_op op, struct err *err)
{
	struct sql_stmt	*s;
	enum drv_result		 result = stmt_get(d, r, op, &s, err);

	return result == DRV_STORED ? row_run(d, r, s, err) : result;
}

/*
 * SQLite looks at NOT NULL before it looks for a conflict, so a row without all those
 * columns is updated first and made only when there is none (hazard H69).
 */
enum drv_result
lite_upsert(struct drv *d, struct sql_row *r, struct err *err)
{
	struct sql_stmt	*s;
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
		return lite_upsert(d, r, err);
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
