/* SQL text of the statements that write rows, prepared when they are first needed. */

#include "drivers/mysql/mysql_stmt.h"
#include "drivers/sql/quote.h"

#define UPDATED	"updatedDate"

static enum drv_result
nomem(struct err *err)
{
	err_set(err, ERR_NOMEM, "no memory for a statement");
	return DRV_RETRY;
}

/* --- text --- */

static int
quote(struct buf *b, struct slice name, struct err *err)
{
	return sql_quote_with(b, name, '`', '`', err);
}

static int
add_columns(struct buf *b, const struct my_shape *s, struct err *err)
{
	bool	 first = true;

	for (size_t i = 0; i < s->table->ncols; i++) {
		if (!my_mask_has(&s->insert, i))
			continue;
		buf_adds(b, first ? "" : ", ");
		first = false;
		if (quote(b, s->table->cols[i].name, err) != 0)
			return -1;
	}
	return 0;
}

static void
add_values(struct buf *b, const struct my_shape *s)
{
	for (size_t row = 0; row < s->rows; row++) {
		bool	 first = true;

		buf_adds(b, row == 0 ? "(" : ", (");
		for (size_t i = 0; i < s->table->ncols; i++)
			if (my_mask_has(&s->insert, i)) {
				buf_adds(b, first ? "?" : ", ?");
				first = false;
			}
		buf_addc(b, ')');
	}
}

/* The condition under which a row that is there gives way, with update_strategy = after. */
static void
add_newer(struct buf *b)
{
	buf_adds(b, "(`" UPDATED "` IS NULL OR VALUES(`" UPDATED "`) IS NULL OR VALUES(`" UPDATED "`) >= `" UPDATED "`)");
}

static int
add_assignment(struct buf *b, const struct my_shape *s, size_t at, bool *first, struct err *err)
{
	bool		 guard = my_mask_has(&s->guard, at);
	struct buf	 name = { 0 };
	int		 rc = quote(&name, s->table->cols[at].name, err);

	buf_adds(b, *first ? "" : ", ");
	*first = false;
	buf_adds_slice(b, buf_slice(&name));
	if (!guard && !s->after) {
		buf_printf(b, " = VALUES(%s)", buf_cstr(&name));
	} else {
		buf_adds(b, guard ? " = IF(?" : " = IF(");
		if (s->after) {
			buf_adds(b, guard ? " AND " : "");
			add_newer(b);
		}
		buf_printf(b, ", VALUES(%s), %s)", buf_cstr(&name), buf_cstr(&name));
	}
	b->oom |= name.oom;
	buf_free(&name);
	return rc;
}

/* `c = c`: without it a column with ON UPDATE would be set to the present moment. */
static int
add_unchanged(struct buf *b, struct slice name, bool *first, struct err *err)
{
	buf_adds(b, *first ? "" : ", ");
	*first = false;
	if (quote(b, name, err) != 0)
		return -1;
	buf_adds(b, " = ");
	return quote(b, name, err);
}

static bool
changes_by_itself(const struct sql_table *t, size_t at)
{
	return t->held[at].exists && (my_type_unpack(t->held[at].type, t->held[at].size).flags & MY_ON_UPDATE) != 0;
}

/* Assignments are made one after the other: updatedDate, which the others are compared by, comes last. */
static int
add_updates(struct buf *b, const struct my_shape *s, struct err *err)
{
	const struct sql_table	*t = s->table;
	size_t			 last = SQL_NO_COLUMN;
	bool			 first = true;

	buf_adds(b, " ON DUPLICATE KEY UPDATE ");
	for (size_t i = t->nkeys; i < t->ncols; i++) {
		bool update = my_mask_has(&s->update, i);

		if (update && s->after && slice_is(t->cols[i].name, UPDATED))
			last = i;
		else if (update && add_assignment(b, s, i, &first, err) != 0)
			return -1;
		else if (!update && changes_by_itself(t, i) && add_unchanged(b, t->cols[i].name, &first, err) != 0)
			return -1;
	}
	if (last != SQL_NO_COLUMN && add_assignment(b, s, last, &first, err) != 0)
		return -1;
	return first ? add_unchanged(b, t->cols[0].name, &first, err) : 0;	/* a row of nothing but its key */
}

static int
add_upsert(struct buf *b, const struct my_shape *s, struct err *err)
{
	buf_adds(b, "INSERT INTO ");
	if (quote(b, s->table->name, err) != 0)
		return -1;
	buf_adds(b, " (");
	if (add_columns(b, s, err) != 0)
		return -1;
	buf_adds(b, ") VALUES ");
	add_values(b, s);
	return add_updates(b, s, err);
}

static int
add_key(struct buf *b, const struct sql_table *t, struct err *err)
{
	for (size_t i = 0; i < t->nkeys; i++) {
		buf_adds(b, i == 0 ? "" : " AND ");
		if (quote(b, t->cols[i].name, err) != 0)
			return -1;
		buf_adds(b, " = ?");
	}
	return 0;
}

static int
add_delete(struct buf *b, const struct my_shape *s, struct err *err)
{
	buf_adds(b, "DELETE FROM ");
	if (quote(b, s->table->name, err) != 0)
		return -1;
	buf_adds(b, " WHERE ");
	for (size_t row = 0; row < s->rows; row++) {
		buf_adds(b, row == 0 ? "(" : " OR (");
		if (add_key(b, s->table, err) != 0)
			return -1;
		buf_addc(b, ')');
	}
	return 0;
}

int
my_stmt_text(struct buf *b, const struct my_shape *s, struct err *err)
{
	if ((s->op == MY_UPSERT ? add_upsert(b, s, err) : add_delete(b, s, err)) != 0)
		return -1;
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for a statement") : 0;
}

/* --- prepared ones --- */

void
my_stmt_drop(struct sql_stmt *s)
{
	if (s->handle != NULL)
		(void)mysql_stmt_close(s->handle);
}

static enum drv_result
stmt_prepare(struct drv *d, const struct my_shape *shape, MYSQL_STMT **stmt_r, struct sql_blame *blame, struct err *err)
{
	struct buf	 sql = { 0 };
	MYSQL_STMT	*stmt = NULL;
	enum drv_result	 r = DRV_STORED;
	struct my_fault	 f;

	if (my_stmt_text(&sql, shape, err) != 0) {
		r = err->code == ERR_NOMEM ? DRV_RETRY : DRV_REJECT;
	} else if ((stmt = mysql_stmt_init(d->db)) == NULL) {
		r = nomem(err);
	} else if (mysql_stmt_prepare(stmt, buf_cstr(&sql), sql.len) != 0) {
		f = (struct my_fault){ mysql_stmt_errno(stmt), mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt) };
		r = my_result(d, f, shape->table->name.p, blame, err);
		(void)mysql_stmt_close(stmt);
		stmt = NULL;
	}
	buf_free(&sql);
	*stmt_r = stmt;
	return r;
}

enum drv_result
my_stmt_get(struct drv *d, const struct my_shape *shape, MYSQL_STMT **stmt_r, struct sql_blame *blame, struct err *err)
{
	const struct my_mask	*parts[] = { &shape->insert, &shape->update, &shape->guard };
	uint64_t		 key[NELEM(parts) * MY_WORDS + 1];
	size_t			 words = sql_mask_words(shape->table);
	struct sql_stmt		*s;
	MYSQL_STMT		*stmt;
	enum drv_result		 r;

	for (size_t i = 0; i < NELEM(parts); i++)
		memcpy(key + i * words, parts[i]->w, words * sizeof(*key));
	key[NELEM(parts) * words] = shape->rows;
	s = sql_stmts_get(&d->stmts, shape->table, (unsigned)shape->op << 1 | shape->after, key, NELEM(parts) * words + 1);
	if (s == NULL)
		return nomem(err);
	if (s->handle == NULL) {
		if ((r = stmt_prepare(d, shape, &stmt, blame, err)) != DRV_STORED) {
			sql_stmts_forget(&d->stmts, s);
			return r;
		}
		s->handle = stmt;
	}
	*stmt_r = s->handle;
	return DRV_STORED;
}
