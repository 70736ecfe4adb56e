/*
 * T-SQL for one table.  No MERGE (contract/tds.md section 2): the rows that are there are updated, those that
 * are not inserted, both under key-range locks (HOLDLOCK), so that nobody makes the row in between.
 *
 * Keys are compared twice.  By the column's collation, which may take "A" for "a", because only
 * that comparison finds its way through the index; and byte by byte, so that no row is taken for another.
 *
 * A column that a row's mask does not have is set to itself.  One statement for each set of columns would be
 * the alternative; it would mean almost one for each row, and a plan to be made for each.
 */

#include <stdio.h>

#include "drivers/sql/quote.h"
#include "drivers/sqlserver/sqlserver_sql.h"

#define EXACT		"Latin1_General_BIN2"
#define DATE_COLUMN	"updatedDate"

static const struct ms_type *
type_of(const struct ms_target *t, size_t column)
{
	return &t->types->v[t->table->held[column].type];
}

static bool
is_text(const struct ms_type *type)
{
	return type->class == MS_NTEXT || type->class == MS_CTEXT;
}

static int
done(const struct buf *b, struct err *err)
{
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for a statement") : 0;
}

static int
name(struct buf *b, struct slice text, struct err *err)
{
	return sql_quote_with(b, text, '[', ']', err);
}

static int
table_name(struct buf *b, const struct ms_target *t, struct err *err)
{
	buf_adds(b, t->qualifier);
	return name(b, t->table->name, err);
}

/* t.[name] */
static int
theirs(struct buf *b, const struct ms_target *t, size_t column, struct err *err)
{
	buf_adds(b, "t.");
	return name(b, t->table->cols[column].name, err);
}

/* A key's text is converted to the type of its column: the other way round the index would be of no use. */
static void
ours(struct buf *b, const struct ms_target *t, size_t column)
{
	const struct ms_type	*type = type_of(t, column);
	bool			 convert = type->class == MS_CTEXT && column < t->table->nkeys;

	buf_printf(b, "%ss.[c%zu]", convert ? "CONVERT(VARCHAR(8000), " : "", column);
	if (is_text(type))
		buf_printf(b, " COLLATE %s", type->collation);
	buf_adds(b, convert ? ")" : "");
}

/* The columns of @j that a statement needs. */
static void
document(struct buf *b, const struct ms_target *t, bool mask, size_t ncols)
{
	size_t	 position = MS_FIRST;

	buf_printf(b, "OPENJSON(@j) WITH ([w] CHAR(1) '$[%d]'", MS_WHAT);
	if (mask)
		buf_printf(b, ", [m] VARCHAR(1024) '$[%d]'", MS_MASK);
	for (size_t i = 0; i < t->table->ncols && i < ncols; i++) {
		const struct ms_type	*type = type_of(t, i);

		if (!t->table->held[i].exists)
			continue;
		buf_printf(b, ", [c%zu] ", i);
		if (type->class == MS_INTEGER)
			buf_adds(b, "BIGINT");
		else if (type->class == MS_BIT)
			buf_adds(b, "BIT");
		else if (type->class == MS_FLOAT || type->class == MS_REAL)
			buf_adds(b, "FLOAT");
		else if (type->class == MS_DECIMAL)
			buf_printf(b, "DECIMAL(%d, %d)", type->precision, type->scale);
		else
			buf_adds(b, i < t->table->nkeys ? "NVARCHAR(4000)" : "NVARCHAR(MAX)");
		buf_printf(b, " '$[%zu]'", position++);
	}
	buf_adds(b, ") AS s");
}

static int
same_key(struct buf *b, const struct ms_target *t, struct err *err)
{
	for (size_t i = 0; i < t->table->nkeys; i++) {
		buf_adds(b, i == 0 ? "" : " AND ");
		if (theirs(b, t, i, err) != 0)
			return -1;
		buf_adds(b, " = ");
		ours(b, t, i);
		if (!is_text(type_of(t, i)) || type_of(t, i)->fixed)
			continue;
		buf_adds(b, " AND CONVERT(VARBINARY(8000), ");
		if (theirs(b, t, i, err) != 0)
			return -1;
		buf_adds(b, ") = CONVERT(VARBINARY(8000), ");
		ours(b, t, i);
		buf_adds(b, ")");
	}
	return 0;
}

static int
add_delete(struct buf *b, const struct ms_target *t, struct err *err)
{
	buf_adds(b, "DELETE t FROM ");
	if (table_name(b, t, err) != 0)
		return -1;
	buf_adds(b, " AS t JOIN ");
	document(b, t, false, t->table->nkeys);
	buf_adds(b, " ON ");
	if (same_key(b, t, err) != 0)
		return -1;
	buf_adds(b, " WHERE s.[w] IN ('D', 'R');\n");
	return 0;
}

static size_t
date_column(const struct ms_target *t)
{
	size_t	 at = t->by_date ? sql_table_find(t->table, SLICE(DATE_COLUMN)) : SQL_NO_COLUMN;

	return at != SQL_NO_COLUMN && t->table->held[at].exists && is_text(type_of(t, at)) ? at : SQL_NO_COLUMN;
}

#define MOMENT	"N'____-__-__T__:__:__%%Z'"		/* in a format */

/*
 * Not older than what is there.  Moments are compared as texts without their Z, so that fractions of any
 * length compare rightly; what is no moment in UTC, or missing, holds nothing up.
 */
static int
add_date(struct buf *b, const struct ms_target *t, size_t at, struct err *err)
{
	buf_printf(b, " AND NOT (ISNULL(s.[c%zu], N'') LIKE " MOMENT " AND ISNULL(", at);
	if (theirs(b, t, at, err) != 0)
		return -1;
	buf_printf(b, ", N'') LIKE " MOMENT " AND REPLACE(s.[c%zu] COLLATE " EXACT ", N'Z', N'') < REPLACE(", at);
	if (theirs(b, t, at, err) != 0)
		return -1;
	buf_adds(b, " COLLATE " EXACT ", N'Z', N''))");
	return 0;
}

static int
add_assignments(struct buf *b, const struct ms_target *t, struct err *err)
{
	size_t	 position = 0;
	bool	 first = true;

	for (size_t i = 0; i < t->table->ncols; i++) {
		if (!t->table->held[i].exists)
			continue;
		position++;
		if (i < t->table->nkeys)
			continue;
		buf_adds(b, first ? "" : ", ");
		first = false;
		if (theirs(b, t, i, err) != 0)
			return -1;
		buf_printf(b, " = CASE WHEN SUBSTRING(s.[m], %zu, 1) = '1' THEN ", position);
		ours(b, t, i);
		buf_adds(b, " ELSE ");
		if (theirs(b, t, i, err) != 0)
			return -1;
		buf_adds(b, " END");
	}
	return 0;
}

static int
add_update(struct buf *b, const struct ms_target *t, struct err *err)
{
	size_t	 date = date_column(t);

	buf_adds(b, "UPDATE t SET ");
	if (add_assignments(b, t, err) != 0)
		return -1;
	buf_adds(b, " FROM ");
	if (table_name(b, t, err) != 0)
		return -1;
	buf_adds(b, " AS t WITH (UPDLOCK, HOLDLOCK) JOIN ");
	document(b, t, true, SIZE_MAX);
	buf_adds(b, " ON ");
	if (same_key(b, t, err) != 0)
		return -1;
	buf_adds(b, " WHERE s.[w] = 'U'");
	if (date != SQL_NO_COLUMN && add_date(b, t, date, err) != 0)
		return -1;
	buf_adds(b, ";\n");
	return 0;
}

static int
add_insert(struct buf *b, const struct ms_target *t, struct err *err)
{
	bool	 first = true;

	buf_adds(b, "INSERT INTO ");
	if (table_name(b, t, err) != 0)
		return -1;
	buf_adds(b, " (");
	for (size_t i = 0; i < t->table->ncols; i++) {
		if (!t->table->held[i].exists)
			continue;
		buf_adds(b, first ? "" : ", ");
		first = false;
		if (name(b, t->table->cols[i].name, err) != 0)
			return -1;
	}
	buf_adds(b, ") SELECT ");
	first = true;
	for (size_t i = 0; i < t->table->ncols; i++) {
		if (!t->table->held[i].exists)
			continue;
		buf_adds(b, first ? "" : ", ");
		first = false;
		ours(b, t, i);
	}
	buf_adds(b, " FROM ");
	document(b, t, false, SIZE_MAX);
	buf_adds(b, " WHERE s.[w] IN ('U', 'R') AND NOT EXISTS (SELECT 1 FROM ");
	if (table_name(b, t, err) != 0)
		return -1;
	buf_adds(b, " AS t WITH (UPDLOCK, HOLDLOCK) WHERE ");
	if (same_key(b, t, err) != 0)
		return -1;
	buf_adds(b, ");\n");
	return 0;
}

static bool
only_key(const struct sql_table *t)
{
	for (size_t i = t->nkeys; i < t->ncols; i++)
		if (t->held[i].exists)
			return false;
	return true;
}

int
ms_sql_write(struct buf *b, const struct ms_target *t, unsigned parts, struct err *err)
{
	if ((parts & MS_DELETES) != 0 && add_delete(b, t, err) != 0)
		return -1;
	if ((parts & MS_UPDATES) != 0 && !only_key(t->table) && add_update(b, t, err) != 0)
		return -1;
	if ((parts & MS_INSERTS) != 0 && add_insert(b, t, err) != 0)
		return -1;
	return done(b, err);
}

/* There and back again: what comes back changed is not in the code page. */
int
ms_sql_code_page(struct buf *b, const struct ms_target *t, size_t at, struct err *err)
{
	buf_printf(b, "SELECT TOP (1) CONVERT(NVARCHAR(20), s.[r]) FROM OPENJSON(@j) WITH ([r] BIGINT '$[0]', "
	    "[v] NVARCHAR(MAX) '$[1]') AS s WHERE CONVERT(VARBINARY(MAX), CONVERT(NVARCHAR(MAX), CONVERT(VARCHAR(MAX), "
	    "s.[v] COLLATE %s))) <> CONVERT(VARBINARY(MAX), s.[v])", type_of(t, at)->collation);
	return done(b, err);
}

void
ms_sql_frame(struct buf *b, size_t n, bool commit)
{
	buf_adds(b, "SET XACT_ABORT ON;\nDECLARE @n BIGINT = 0;\nBEGIN TRY\nBEGIN TRANSACTION;\n");
	for (size_t i = 1; i <= n; i++)
		buf_printf(b, "SET @n = %zu;\nEXEC sys.sp_executesql @s%zu, N'" MS_DECLARED_J "', @j%zu;\n", i, i, i);
	buf_printf(b, "%s TRANSACTION;\nEND TRY\nBEGIN CATCH\nIF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;\nPRINT @n;\n"
	    "THROW;\nEND CATCH", commit ? "COMMIT" : "ROLLBACK");
}

void
ms_sql_frame_declared(struct buf *b, size_t n)
{
	for (size_t i = 1; i <= n; i++)
		buf_printf(b, "%s@s%zu NVARCHAR(MAX), @j%zu NVARCHAR(MAX)", i == 1 ? "" : ", ", i, i);
}

void
ms_sql_text(struct buf *b, struct slice text)
{
	buf_adds(b, "N'");
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\'')
			buf_addc(b, '\'');
		buf_addc(b, text.p[i]);
	}
	buf_addc(b, '\'');
}
