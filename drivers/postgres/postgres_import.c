/*
 * What an import does to tables.  DDL is part of transactions here, so all new tables come in place at once,
 * by their names.  Rows reach the tables beside by COPY (postgres_load.c), and these get their key when they are
 * complete.  That of rows with the same key only the latest is to stay, is seen to when the key is refused.
 * With `keep` the table beside is one like the live one, constraints and all, and its rows go by INSERT.
 *
 * What depends on a table, such as a view, keeps it from being replaced: that is said, nothing is
 * dropped along with it.
 */

#include <stdarg.h>

#include "drivers/postgres/postgres_private.h"
#include "drivers/sql/quote.h"

#define END	((const char *)NULL)

/* Appends pieces and quoted names in turn, END after the last piece or name. */
static int
spell(struct buf *b, struct err *err, const char *piece, ...)
{
	va_list	 ap;
	int	 rc = 0;

	va_start(ap, piece);
	for (const char *name; piece != NULL && rc == 0; piece = va_arg(ap, const char *)) {
		buf_adds(b, piece);
		if ((name = va_arg(ap, const char *)) == NULL)
			break;
		rc = sql_quote(b, slice_of(name), err);
	}
	va_end(ap);
	return rc;
}

/* In one transaction, of which nothing is left when it fails; it takes as long as it takes. */
static enum drv_result
run(struct drv *d, struct buf *sql, int spelled, const char *doing, struct err *err)
{
	struct buf	 whole = { 0 };
	struct err	 ignored;
	enum drv_result	 r = DRV_REJECT;

	d->patient = true;
	if (spelled == 0) {
		buf_printf(&whole, "BEGIN; SET LOCAL statement_timeout = 0; %s; COMMIT", buf_cstr(sql));
		if (whole.oom || sql->oom) {
			err_set(err, ERR_NOMEM, "no memory for an import");
			r = DRV_RETRY;
		} else if ((r = pg_exec(d, buf_cstr(&whole), doing, err)) != DRV_STORED && d->conn != NULL &&
		    pg_exec(d, "ROLLBACK", doing, &ignored) != DRV_STORED) {
			pg_disconnect(d);
		}
	}
	d->patient = false;
	buf_free(&whole);
	buf_free(sql);
	return r;
}

static enum drv_result
drop(struct drv *d, struct slice table, struct err *err)
{
	struct buf	 sql = { 0 };
	int		 rc;

	buf_adds(&sql, "DROP TABLE IF EXISTS ");
	rc = sql_quote(&sql, table, err);
	return run(d, &sql, rc, "dropping a table of an import", err);
}

static enum drv_result
clone(struct drv *d, struct slice from, struct slice to, struct err *err)
{
	struct buf	 sql = { 0 };
	int		 rc = spell(&sql, err, "CREATE TABLE IF NOT EXISTS ", to.p, " (LIKE ", from.p, " INCLUDING ALL)", END);

	return run(d, &sql, rc, "making a table for an import", err);
}

static int
spell_key(struct buf *sql, const struct sql_table *t, struct err *err)
{
	buf_adds(sql, sql->len == 0 ? "" : "; ");
	if (spell(sql, err, "ALTER TABLE ", t->name.p, " ADD PRIMARY KEY (", END) != 0 ||
	    sql_add_names(sql, t, NULL, 0, t->nkeys, ", ", "", err) != 0)
		return -1;
	buf_addc(sql, ')');
	return 0;
}

/*
 * Rows that came twice, from an export that has them so or because a file came once more: the one of the
 * latest transaction stays.  Where they lie does not tell, since a short row goes where there is room.
 */
static enum drv_result
drop_doubles(struct drv *d, const struct sql_table *t, struct err *err)
{
	struct buf	 sql = { 0 };
	int		 rc = spell(&sql, err, "DELETE FROM ", t->name.p, " WHERE ctid IN (SELECT at FROM (SELECT ctid AS at, "
	    "row_number() OVER (PARTITION BY ", END);

	if (rc == 0)
		rc = sql_add_names(&sql, t, NULL, 0, t->nkeys, ", ", "", err);
	if (rc == 0)
		rc = spell(&sql, err, " ORDER BY age(xmin)) AS n FROM ", t->name.p, ") AS x WHERE n > 1)", END);
	return run(d, &sql, rc, "looking for rows that came twice", err);
}

/* The index of the key gets the name that it would have had from the start. */
static int
spell_swap(struct buf *sql, const struct sql_staged *s, struct err *err)
{
	char	 old[128], new[256];

	buf_adds(sql, sql->len == 0 ? "" : "; ");
	if (s->live_exists && spell(sql, err, "DROP TABLE ", s->live.p, "; ", END) != 0)
		return -1;
	if (spell(sql, err, "ALTER TABLE ", s->table->name.p, " RENAME TO ", s->live.p, END) != 0)
		return -1;
	(void)snprintf(old, sizeof(old), "%s_pkey", s->table->name.p);
	(void)snprintf(new, sizeof(new), "%.58s_pkey", s->live.p);
	return spell(sql, err, "; ALTER INDEX IF EXISTS ", old, " RENAME TO ", new, "", END);
}

/* The indexes, which take their time, come before what locks the live tables. */
static enum drv_result
swap_now(struct drv *d, const struct sql_staged *v, size_t n, struct err *err)
{
	struct buf	 sql = { 0 };
	int		 rc = 0;

	for (size_t i = 0; i < n && rc == 0 && !d->cockroach; i++)
		if (v[i].table != NULL)
			rc = spell_key(&sql, v[i].table, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (v[i].table != NULL)
			rc = spell_swap(&sql, &v[i], err);
	if (rc == 0 && sql.len == 0)
		return DRV_STORED;
	return run(d, &sql, rc, "putting imported tables in place", err);
}

static enum drv_result
swap(struct drv *d, const struct sql_staged *v, size_t n, struct err *err)
{
	enum drv_result	 r = swap_now(d, v, n, err), dropped = DRV_STORED;

	if (r != DRV_REJECT || d->cockroach)
		return r;
	for (size_t i = 0; i < n && dropped == DRV_STORED; i++)
		if (v[i].table != NULL)
			dropped = drop_doubles(d, v[i].table, err);
	return dropped == DRV_STORED ? swap_now(d, v, n, err) : dropped;
}

static int
spell_columns(struct buf *sql, const struct sql_table *t, struct err *err)
{
	return sql_add_names(sql, t, NULL, 0, t->ncols, ", ", "", err);
}

static int
spell_merge(struct drv *d, struct buf *sql, const struct sql_staged *s, struct err *err)
{
	const struct sql_table	*t = s->table;
	size_t			 words = sql_mask_words(t);
	uint64_t		*all;

	arena_reset(&d->arena);
	if ((all = arena_get(&d->arena, words * sizeof(*all))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for an import");
	memset(all, 0xff, words * sizeof(*all));
	if (spell(sql, err, "INSERT INTO ", s->live.p, " (", END) != 0 || spell_columns(sql, t, err) != 0)
		return -1;
	buf_adds(sql, ") SELECT ");
	if (spell_columns(sql, t, err) != 0 || spell(sql, err, " FROM ", t->name.p, "", END) != 0)
		return -1;
	return sql_add_conflict(sql, t, all, err);
}

static enum drv_result
merge(struct drv *d, const struct sql_staged *s, struct err *err)
{
	struct buf	 sql = { 0 };
	int		 rc = spell_merge(d, &sql, s, err);

	return run(d, &sql, rc, "adding imported rows", err);
}

#define CALLS	.drop = drop, .clone = clone, .swap = swap, .merge = merge

static const struct sql_import_backend	by_copy = { CALLS, .load = &pg_load_backend };
static const struct sql_import_backend	by_insert = { CALLS };	/* CockroachDB has neither the lock nor ctid */

/* --- the driver's calls --- */

enum drv_result
pg_import_begin(struct drv *d, const struct drv_import *how, struct err *err)
{
	const struct drv_env	env = { .host = d->host, .log = d->log };

	pg_load_undo(d);
	d->file_lost = false;
	sql_import_free(&d->import);
	return sql_import_begin(&d->import, &d->store, d->cockroach ? &by_insert : &by_copy, &env, how, err);
}

enum drv_result
pg_import_rows(struct drv *d, size_t table, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r = sql_import_rows(d->import, table, b, out);

	if (!d->file_lost)
		return r;
	/* Earlier batches of the file are gone: it has to come from its beginning. */
	pg_load_undo(d);
	d->file_lost = false;
	return r == DRV_STORED || r == DRV_REJECT ? pg_gone(d, &out->err) : r;
}

enum drv_result
pg_import_commit(struct drv *d, struct err *err)
{
	return pg_load_commit(d, err);
}

enum drv_result
pg_import_end(struct drv *d, struct err *err)
{
	pg_load_undo(d);	/* of a file that turned out to be damaged */
	return sql_import_end(&d->import, err);
}

void
pg_import_abort(struct drv *d)
{
	pg_load_undo(d);
	sql_import_abort(&d->import);
}
