/*
 * Statements.  One writes all rows of a batch that have the same columns of one table, each column an
 * array:
 *
 *	INSERT INTO "order" ("id", "note", "labels", "paid")
 *	SELECT u.c0, u.c1, u.c2::jsonb, false
 *	FROM (SELECT unnest($1::text[]) AS c0, unnest($2::text[]) AS c1, unnest($3::text[]) AS c2) AS u
 *	ON CONFLICT ("id") DO UPDATE SET "note" = excluded."note", "labels" = excluded."labels"
 *
 * Side by side in one SELECT the arrays give a row at a time; unnest() of several, in FROM, first puts
 * what each of them holds aside, which costs the server a tenth of its time.
 *
 * `paid` is not in the events and must not be NULL: a new row gets a default, an existing one keeps what
 * it has (hazard H69).  Names are quoted, values are parameters, always.
 */

#include "drivers/postgres/postgres_private.h"
#include "drivers/sql/quote.h"
#include "drivers/sql/upsert.h"

#define UPDATED	"updatedDate"

/* What the server is to make of the array of a column, and of one element. */
static const char *
array_type(const struct sql_table *t, const uint64_t *native, size_t i)
{
	if (!sql_mask_has(native, i))
		return "text";
	switch (t->held[i].type) {
	case PG_INT8:
		return "bigint";
	case PG_FLOAT8:
		return "double precision";
	case PG_BOOL:
		return "boolean";
	default:
		return "timestamptz";
	}
}

static void
add_element(struct drv *d, struct buf *b, const struct sql_table *t, const uint64_t *native, size_t i, size_t at)
{
	uint32_t	 type = t->held[i].type;

	buf_printf(b, "u.c%zu", at);
	if (!sql_mask_has(native, i) && type != PG_TEXT && type != PG_VARCHAR && type != PG_BPCHAR)
		buf_printf(b, "::%s", pg_type_name(d, type));
}

/* Fixed texts: what sql_row_default() says of a column that a new row must have; a time needs one of its own. */
static void
add_default(struct drv *d, struct buf *b, const struct sql_table *t, size_t i)
{
	struct json_val	 v = sql_row_default(t->cols[i].kind);

	if (t->held[i].type == PG_TIMESTAMPTZ)
		buf_adds(b, "'1970-01-01T00:00:00Z'::timestamptz");
	else if (v.type == JV_STRING)
		buf_printf(b, "''::%s", pg_type_name(d, t->held[i].type));
	else
		buf_printf(b, "'" SLICE_FMT "'::%s", SLICE_ARG(v.raw), pg_type_name(d, t->held[i].type));
}

static void
add_from(struct buf *b, const struct sql_table *t, const uint64_t *mask, const uint64_t *native, size_t ncols)
{
	size_t	n = 0;

	buf_adds(b, " FROM (SELECT ");
	for (size_t i = 0; i < ncols; i++)
		if (sql_mask_has(mask, i)) {
			buf_printf(b, "%sunnest($%zu::%s[]) AS c%zu", n == 0 ? "" : ", ", n + 1, array_type(t, native, i), n);
			n++;
		}
	buf_adds(b, ") AS u");
}

static bool
is_filled(const struct sql_table *t, const uint64_t *mask, size_t i)
{
	return t->held[i].demands && !sql_mask_has(mask, i);
}

static int
add_targets(struct buf *b, const struct sql_table *t, const uint64_t *mask, struct err *err)
{
	bool	first = true;

	for (size_t i = 0; i < t->ncols; i++) {
		if (!sql_mask_has(mask, i) && !is_filled(t, mask, i))
			continue;
		buf_adds(b, first ? " (" : ", ");
		first = false;
		if (sql_quote(b, t->cols[i].name, err) != 0)
			return -1;
	}
	buf_adds(b, ") SELECT ");
	return 0;
}

static void
add_sources(struct drv *d, struct buf *b, const struct sql_table *t, const uint64_t *mask, const uint64_t *native)
{
	bool	first = true;
	size_t	at = 0;

	for (size_t i = 0; i < t->ncols; i++) {
		bool	present = sql_mask_has(mask, i);

		if (!present && !is_filled(t, mask, i))
			continue;
		buf_adds(b, first ? "" : ", ");
		first = false;
		if (present)
			add_element(d, b, t, native, i, at++);
		else
			add_default(d, b, t, i);
	}
}

/*
 * update_strategy = after: a row that the destination has with a later `updatedDate` stays.  With the same
 * one it is written, because two changes may share it and the events are in order.
 */
static int
add_guard(struct drv *d, struct buf *b, const struct sql_table *t, const uint64_t *mask, struct err *err)
{
	size_t	at = sql_table_find(t, SLICE(UPDATED));

	if (!d->after || at == SQL_NO_COLUMN || at < t->nkeys || !sql_mask_has(mask, at))
		return 0;
	buf_adds(b, " WHERE ");
	if (sql_quote(b, t->name, err) != 0)
		return -1;
	buf_adds(b, ".\"" UPDATED "\" IS NULL OR excluded.\"" UPDATED "\" IS NULL OR excluded.\"" UPDATED "\" >= ");
	if (sql_quote(b, t->name, err) != 0)
		return -1;
	buf_adds(b, ".\"" UPDATED "\"");
	return 0;
}

int
pg_stmt_upsert(struct drv *d, struct buf *b, const struct sql_table *t, const uint64_t *mask, struct err *err)
{
	const uint64_t	*native = mask + sql_mask_words(t);

	buf_reset(b);
	buf_adds(b, "INSERT INTO ");
	if (sql_quote(b, t->name, err) != 0 || add_targets(b, t, mask, err) != 0)
		return -1;
	add_sources(d, b, t, mask, native);
	add_from(b, t, mask, native, t->ncols);
	if (!d->keyless && (sql_add_conflict(b, t, mask, err) != 0 || add_guard(d, b, t, mask, err) != 0))
		return -1;
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for a statement") : 0;
}

int
pg_stmt_delete(struct drv *d, struct buf *b, const struct sql_table *t, const uint64_t *native, struct err *err)
{
	uint64_t	 keys = UINT64_MAX;		/* no more than 32 of them */

	buf_reset(b);
	buf_adds(b, "DELETE FROM ");
	if (sql_quote(b, t->name, err) != 0)
		return -1;
	buf_adds(b, " WHERE (");
	if (sql_add_names(b, t, NULL, 0, t->nkeys, ", ", "", err) != 0)
		return -1;
	buf_adds(b, ") IN (SELECT ");
	for (size_t i = 0; i < t->nkeys; i++) {
		buf_adds(b, i == 0 ? "" : ", ");
		add_element(d, b, t, native, i, i);
	}
	add_from(b, t, &keys, native, t->nkeys);
	buf_addc(b, ')');
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for a statement") : 0;
}
