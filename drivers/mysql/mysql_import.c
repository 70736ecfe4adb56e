/*
 * What an import does to tables.  RENAME TABLE puts all new ones in place at once; no transaction
 * could, since DDL ends it.
 */

#include "drivers/mysql/mysql_private.h"
#include "drivers/sql/quote.h"

/* Appends pieces and quoted names in turn; NULL ends them. */
static bool
spell(struct buf *b, struct err *err, const char *piece, ...)
{
	struct slice	 name;
	va_list		 ap;
	int		 rc = 0;

	va_start(ap, piece);
	for (; piece != NULL && rc == 0; piece = va_arg(ap, const char *)) {
		buf_adds(b, piece);
		name = va_arg(ap, struct slice);
		if (name.p != NULL)
			rc = sql_quote_with(b, name, '`', '`', err);
	}
	va_end(ap);
	return rc == 0;
}

#define NO_NAME	((struct slice){ NULL, 0 })

static enum drv_result
run(struct drv *d, struct buf *sql, bool spelled, const char *doing, struct err *err)
{
	enum drv_result	 r = DRV_REJECT;

	if (sql->oom) {
		err_set(err, ERR_NOMEM, "no memory for an import");
		r = DRV_RETRY;
	} else if (spelled) {
		r = my_exec(d, buf_cstr(sql), doing, err);
	}
	buf_free(sql);
	return r;
}

static enum drv_result
drop(struct drv *d, struct slice table, struct err *err)
{
	struct buf	 sql = { 0 };
	bool		 ok = spell(&sql, err, "DROP TABLE IF EXISTS ", table, NULL);

	return run(d, &sql, ok, "dropping a table of an import", err);
}

static enum drv_result
clone(struct drv *d, struct slice from, struct slice to, struct err *err)
{
	struct buf	 sql = { 0 };
	bool		 ok = spell(&sql, err, "CREATE TABLE IF NOT EXISTS ", to, " LIKE ", from, NULL);

	return run(d, &sql, ok, "making a table for an import", err);
}

/* --- swap --- */

/* A foreign key would go on pointing to the table that is dropped. */
static enum drv_result
check_reference(struct drv *d, struct slice table, MYSQL_RES *res, struct err *err)
{
	MYSQL_ROW	 row = mysql_fetch_row(res);

	if (row == NULL)
		return DRV_STORED;
	err_set(err, ERR_CONFIG, "%s: the foreign key \"%s\" of table \"%s\" refers to table \"" SLICE_FMT "\", which the import "
	    "would replace; drop the key, or import with --no-delete", d->store.where, row[0], row[1], SLICE_ARG(table));
	return DRV_CONFIG;
}

static enum drv_result
check_references(struct drv *d, struct slice table, struct err *err)
{
	struct buf	 sql = { 0 };
	char		 name[2 * 256 + 1];
	MYSQL_RES	*res;
	enum drv_result	 r;

	if (table.n > 256)
		return DRV_STORED;	/* longer than any name there */
	(void)mysql_real_escape_string(d->db, name, table.p, table.n);
	buf_printf(&sql, "SELECT constraint_name, table_name FROM information_schema.referential_constraints "
	    "WHERE constraint_schema = DATABASE() AND BINARY referenced_table_name = '%s' "
	    "AND table_name <> referenced_table_name LIMIT 1", name);
	if ((r = run(d, &sql, true, "looking for foreign keys", err)) != DRV_STORED)
		return r;
	if ((res = mysql_store_result(d->db)) == NULL)
		return my_result(d, my_fault(d), "looking for foreign keys", NULL, err);
	r = check_reference(d, table, res, err);
	mysql_free_result(res);
	return r;
}

static bool
spell_swap(struct buf *sql, const struct sql_staged *s, struct err *err)
{
	const char	*start = sql->len == 0 ? "RENAME TABLE " : ", ";

	if (s->live_exists && !spell(sql, err, start, s->live, " TO ", s->old, NULL))
		return false;
	return spell(sql, err, s->live_exists ? ", " : start, s->table->name, " TO ", s->live, NULL);
}

static enum drv_result
drop_old(struct drv *d, const struct sql_staged *v, size_t n, struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	for (size_t i = 0; i < n && r == DRV_STORED; i++)
		if (v[i].table != NULL)
			r = drop(d, v[i].old, err);
	return r;
}

static enum drv_result
swap(struct drv *d, const struct sql_staged *v, size_t n, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 r = drop_old(d, v, n, err);
	bool		 ok = true;

	for (size_t i = 0; i < n && r == DRV_STORED; i++)
		if (v[i].table != NULL && v[i].live_exists)
			r = check_references(d, v[i].live, err);
	for (size_t i = 0; i < n && ok; i++)
		if (v[i].table != NULL)
			ok = spell_swap(&sql, &v[i], err);
	if (r == DRV_STORED && sql.len > 0)
		r = run(d, &sql, ok, "putting imported tables in place", err);
	buf_free(&sql);
	return r == DRV_STORED ? drop_old(d, v, n, err) : r;
}

/* --- merge --- */

static bool
spell_columns(struct buf *sql, const struct sql_table *t, struct err *err)
{
	for (size_t i = 0; i < t->ncols; i++)
		if (!spell(sql, err, i == 0 ? "" : ", ", t->cols[i].name, NULL))
			return false;
	return true;
}

static bool
spell_merge(struct buf *sql, const struct sql_staged *s, struct err *err)
{
	const struct sql_table	*t = s->table;

	if (!spell(sql, err, "INSERT INTO ", s->live, " (", NO_NAME, NULL) || !spell_columns(sql, t, err))
		return false;
	buf_adds(sql, ") SELECT ");
	if (!spell_columns(sql, t, err) || !spell(sql, err, " FROM ", t->name, " ON DUPLICATE KEY UPDATE ", NO_NAME, NULL))
		return false;
	/* A table of nothing but its key has that one set to what it is. */
	for (size_t i = t->ncols > t->nkeys ? t->nkeys : 0; i < t->ncols; i++)
		if (!spell(sql, err, i > t->nkeys ? ", " : "", t->cols[i].name, " = VALUES(", t->cols[i].name, ")", NO_NAME, NULL))
			return false;
	return true;
}

static enum drv_result
merge(struct drv *d, const struct sql_staged *s, struct err *err)
{
	struct buf	 sql = { 0 };
	bool		 ok = spell_merge(&sql, s, err);

	return run(d, &sql, ok, "adding imported rows", err);
}

const struct sql_import_backend	my_import_backend = { .drop = drop, .clone = clone, .swap = swap, .merge = merge };
