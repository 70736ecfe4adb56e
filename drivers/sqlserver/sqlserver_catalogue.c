/* What is there, of the one schema that is ours (hazard H18), and DDL. */

#include "drivers/sqlserver/sqlserver_private.h"

/* Views and synonyms too: their names are taken. */
static const char columns_of[] =
    "SELECT o.[type], o.[name], c.[name], TYPE_NAME(c.[system_type_id]), CONVERT(NVARCHAR(11), c.[max_length]), "
    "CONVERT(NVARCHAR(11), c.[precision]), CONVERT(NVARCHAR(11), c.[scale]), CONVERT(NVARCHAR(11), c.[is_nullable]), "
    "c.[collation_name], CONVERT(NVARCHAR(11), ISNULL(k.[key_ordinal], 0)) "
    "FROM sys.objects AS o LEFT JOIN sys.columns AS c ON c.[object_id] = o.[object_id] "
    "LEFT JOIN sys.indexes AS i ON i.[object_id] = o.[object_id] AND i.[is_primary_key] = 1 "
    "LEFT JOIN sys.index_columns AS k ON k.[object_id] = o.[object_id] AND k.[index_id] = i.[index_id] AND "
    "k.[column_id] = c.[column_id] "
    "WHERE o.[schema_id] = SCHEMA_ID(@s) AND o.[name] = @t AND o.[type] IN ('U', 'V', 'SN') ORDER BY c.[column_id]";

struct reading {
	struct drv		*d;
	struct slice		 table;
	struct sql_reading	*to;
};

static int
number(struct slice s)
{
	bool	 negative = s.n > 0 && s.p[0] == '-';
	int	 n = 0;

	for (size_t i = negative; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && n < 100000000; i++)
		n = n * 10 + (s.p[i] - '0');
	return negative ? -n : n;
}

static enum drv_result
taken(const struct reading *rd, const struct slice *c, struct err *err)
{
	err_set(err, ERR_CONFIG, "table \"" SLICE_FMT "\" cannot be kept in %s: its %s \"" SLICE_FMT "\" has that name; "
	    "rename it", SLICE_ARG(rd->table), rd->d->conn.where,
	    c[MS_C_KIND].p[0] == 'U' ? "table" : c[MS_C_KIND].p[0] == 'V' ? "view" : "synonym", SLICE_ARG(c[MS_C_TABLE]));
	return DRV_CONFIG;
}

/* max_length is in bytes. */
static int32_t
size_of(const struct ms_type *t, int length)
{
	return length > 0 && t->class == MS_NTEXT ? length / 2 : length;
}

static enum drv_result
take_column(void *arg, const struct slice *c, size_t n, struct err *err)
{
	struct reading		*rd = arg;
	struct sql_found	 found;

	if (n < MS_C_COUNT || c[MS_C_KIND].n == 0)
		return DRV_STORED;
	if (c[MS_C_KIND].p[0] != 'U' || !slice_eq(c[MS_C_TABLE], rd->table))
		return taken(rd, c, err);
	found.name = c[MS_C_NAME];
	if (ms_types_add(&rd->d->types, c[MS_C_TYPE], number(c[MS_C_PRECISION]), number(c[MS_C_SCALE]), c[MS_C_COLLATION], &found.type,
	    err) != 0)
		return DRV_RETRY;
	found.size = size_of(&rd->d->types.v[found.type], number(c[MS_C_LENGTH]));
	found.demands = number(c[MS_C_NULLABLE]) == 0;
	found.key = number(c[MS_C_KEY]) > 0;
	return sql_reading_column(rd->to, &found, err);
}

enum drv_result
ms_columns(struct drv *d, struct slice table, ms_row_fn fn, void *arg, struct err *err)
{
	const struct ms_param	 params[] = { { "@s", slice_of(d->schema) }, { "@t", table } };

	return ms_call(&d->conn, columns_of, "@s NVARCHAR(MAX), @t NVARCHAR(MAX)", params, NELEM(params), fn, arg,
	    "reading the catalogue", err);
}

enum drv_result
ms_read_table(struct drv *d, struct slice table, struct sql_reading *to, struct err *err)
{
	struct reading	 rd = { .d = d, .table = table, .to = to };

	return ms_columns(d, table, take_column, &rd, err);
}

#define ALREADY_A_TABLE		2714
#define ALREADY_A_COLUMN	2705

/*
 * Somebody else may do the same at the same time.  What the server cannot make of a schema, such as thousands of
 * columns, is the fault of its events alone.
 */
enum drv_result
ms_ddl(struct drv *d, const char *sql, struct err *err)
{
	enum drv_result	 r = ms_batch(&d->conn, sql, NULL, NULL, "changing a table", err);

	if (r != DRV_STORED && (d->conn.number == ALREADY_A_TABLE || d->conn.number == ALREADY_A_COLUMN))
		return DRV_STORED;
	return r;
}
