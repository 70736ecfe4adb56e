/*
 * What an import does to tables.  DDL is part of transactions here: all new tables are put in place in one.
 *
 * Rows come the way they do otherwise, not by FreeTDS's bulk copy (1.3.17; tests/unit/lab/test_lab_tds_bulk.py
 * shows both): it makes NULL of every text of length zero, and sends those for NVARCHAR as the bytes it was given.  To
 * be exact all columns would have to go as marked texts to a table of their own, to be converted and written once
 * more, and each batch would take two round trips instead of one.
 */

#include "drivers/sql/quote.h"
#include "drivers/sqlserver/sqlserver_private.h"

/* Between these a text is done as a whole or not at all. */
static const char	all_or[] = "SET XACT_ABORT ON;\nBEGIN TRY\nBEGIN TRANSACTION;\n";
static const char	nothing[] = "COMMIT TRANSACTION;\nEND TRY\nBEGIN CATCH\nIF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;\n"
			    "THROW;\nEND CATCH";

static bool
add_name(struct buf *b, const char *before, struct slice name, struct err *err)
{
	buf_adds(b, before);
	return sql_quote_with(b, name, '[', ']', err) == 0;
}

static bool
add_table(struct buf *b, const struct drv *d, const char *before, struct slice name, struct err *err)
{
	buf_adds(b, before);
	return add_name(b, d->qualifier, name, err);
}

static enum drv_result
run(struct drv *d, struct buf *sql, bool spelled, const char *doing, struct err *err)
{
	enum drv_result	 r = DRV_REJECT;

	if (sql->oom) {
		err_set(err, ERR_NOMEM, "no memory for an import");
		r = DRV_RETRY;
	} else if (spelled) {
		r = ms_batch(&d->conn, buf_cstr(sql), NULL, NULL, doing, err);
	}
	buf_free(sql);
	return r;
}

static enum drv_result
drop(struct drv *d, struct slice table, struct err *err)
{
	struct buf	 sql = { 0 };
	bool		 ok = add_table(&sql, d, "DROP TABLE IF EXISTS ", table, err);

	return run(d, &sql, ok, "dropping a table of an import", err);
}

/* --- clone --- */

struct keys {
	struct buf	 names;		/* quoted, with a comma behind each but the last */
	bool		 ok;
};

/* In the order of the columns, which is as good as that of the key. */
static enum drv_result
take_key(void *arg, const struct slice *c, size_t n, struct err *err)
{
	struct keys	*k = arg;

	if (n == MS_C_COUNT && c[MS_C_KEY].n > 0 && c[MS_C_KEY].p[0] != '0')
		k->ok &= add_name(&k->names, k->names.len == 0 ? "" : ", ", c[MS_C_NAME], err);
	return DRV_STORED;
}

/* SELECT INTO copies types, collations and what may be NULL, but no key. */
static enum drv_result
clone(struct drv *d, struct slice from, struct slice to, struct err *err)
{
	struct keys	 keys = { .ok = true };
	struct buf	 sql = { 0 };
	enum drv_result	 r = ms_columns(d, from, take_key, &keys, err);
	bool		 ok;

	buf_adds(&sql, all_or);
	ok = keys.ok && add_table(&sql, d, "SELECT TOP (0) * INTO ", to, err) && add_table(&sql, d, " FROM ", from, err) &&
	    add_table(&sql, d, ";\nALTER TABLE ", to, err);
	buf_printf(&sql, " ADD PRIMARY KEY (%s);\n%s", buf_cstr(&keys.names), nothing);
	sql.oom |= keys.names.oom;
	buf_free(&keys.names);
	if (r == DRV_STORED)
		return run(d, &sql, ok, "making a table for an import", err);
	buf_free(&sql);
	return r;
}

/* --- swap --- */

/* sp_rename takes the old name quoted and the new one as it is. */
static bool
add_rename(struct buf *b, const struct drv *d, const struct sql_staged *s, struct err *err)
{
	struct buf	 old = { 0 };
	bool		 ok = add_table(&old, d, "", s->table->name, err);

	buf_adds(b, "EXEC sys.sp_rename ");
	ms_sql_text(b, buf_slice(&old));
	buf_adds(b, ", ");
	ms_sql_text(b, s->live);
	buf_adds(b, ", N'OBJECT';\n");
	b->oom |= old.oom;
	buf_free(&old);
	return ok;
}

static enum drv_result
swap(struct drv *d, const struct sql_staged *v, size_t n, struct err *err)
{
	struct buf	 sql = { 0 };
	bool		 ok = true;

	buf_adds(&sql, all_or);
	for (size_t i = 0; i < n && ok; i++) {
		if (v[i].table == NULL)
			continue;
		if (v[i].live_exists) {
			ok = add_table(&sql, d, "DROP TABLE ", v[i].live, err);
			buf_adds(&sql, ";\n");
		}
		ok = ok && add_rename(&sql, d, &v[i], err);
	}
	buf_adds(&sql, nothing);
	return run(d, &sql, ok, "putting imported tables in place", err);
}

/* --- merge --- */

/* The staging table is a clone: both sides have the same types and collations. */
static bool
add_same_key(struct buf *b, const struct drv *d, const struct sql_table *t, struct err *err)
{
	for (size_t i = 0; i < t->nkeys; i++) {
		enum ms_class	 class = d->types.v[t->held[i].type].class;
		struct slice	 key = t->cols[i].name;

		if (!add_name(b, i == 0 ? "t." : " AND t.", key, err) || !add_name(b, " = s.", key, err))
			return false;
		if (class != MS_NTEXT && class != MS_CTEXT)
			continue;
		if (!add_name(b, " AND CONVERT(VARBINARY(8000), t.", key, err) ||
		    !add_name(b, ") = CONVERT(VARBINARY(8000), s.", key, err))
			return false;
		buf_addc(b, ')');
	}
	return true;
}

static bool
add_columns(struct buf *b, const char *of, const struct sql_table *t, struct err *err)
{
	bool	 ok = true;

	for (size_t i = 0; i < t->ncols && ok; i++) {
		buf_adds(b, i == 0 ? "" : ", ");
		ok = add_name(b, of, t->cols[i].name, err);
	}
	return ok;
}

static bool
add_update(struct buf *b, const struct drv *d, const struct sql_staged *s, struct err *err)
{
	const struct sql_table	*t = s->table;
	bool			 ok = true;

	if (t->ncols == t->nkeys)
		return true;
	buf_adds(b, "UPDATE t SET ");
	for (size_t i = t->nkeys; i < t->ncols && ok; i++)
		ok = add_name(b, i == t->nkeys ? "t." : ", t.", t->cols[i].name, err) &&
		    add_name(b, " = s.", t->cols[i].name, err);
	ok = ok && add_table(b, d, " FROM ", s->live, err) &&
	    add_table(b, d, " AS t WITH (UPDLOCK, HOLDLOCK) JOIN ", t->name, err);
	buf_adds(b, " AS s ON ");
	ok = ok && add_same_key(b, d, t, err);
	buf_adds(b, ";\n");
	return ok;
}

static bool
add_insert(struct buf *b, const struct drv *d, const struct sql_staged *s, struct err *err)
{
	bool	 ok = add_table(b, d, "INSERT INTO ", s->live, err);

	buf_adds(b, " (");
	ok = ok && add_columns(b, "", s->table, err);
	buf_adds(b, ") SELECT ");
	ok = ok && add_columns(b, "s.", s->table, err) && add_table(b, d, " FROM ", s->table->name, err) &&
	    add_table(b, d, " AS s WHERE NOT EXISTS (SELECT 1 FROM ", s->live, err);
	buf_adds(b, " AS t WITH (UPDLOCK, HOLDLOCK) WHERE ");
	ok = ok && add_same_key(b, d, s->table, err);
	buf_adds(b, ");\n");
	return ok;
}

static enum drv_result
merge(struct drv *d, const struct sql_staged *s, struct err *err)
{
	struct buf	 sql = { 0 };
	bool		 ok;

	buf_adds(&sql, all_or);
	ok = add_update(&sql, d, s, err) && add_insert(&sql, d, s, err);
	buf_adds(&sql, nothing);
	return run(d, &sql, ok, "adding imported rows", err);
}

const struct sql_import_backend	ms_import_backend = { .drop = drop, .clone = clone, .swap = swap, .merge = merge };
