/* information_schema of the session's database and schema, and the primary keys. */

#include <stdlib.h>

#include "drivers/snowflake/catalogue.h"
#include "drivers/snowflake/cell.h"
#include "drivers/snowflake/merge.h"
#include "drivers/sql/quote.h"

struct snow_column {
	size_t		 table, name;	/* offsets in names, each ended by a NUL */
	enum snow_type	 type;
	int32_t		 scale;
	bool		 demands, key;
	bool		 gone;		/* read anew since */
};

void
snow_catalogue_free(struct snow_catalogue *c)
{
	free(c->v);
	buf_free(&c->names);
	*c = (struct snow_catalogue){ .n = 0 };
}

void
snow_catalogue_forget(struct snow_catalogue *c)
{
	c->n = 0;
	buf_reset(&c->names);
	c->read = false;
}

static struct slice
text_at(const struct snow_catalogue *c, size_t offset)
{
	return slice_of((const char *)c->names.data + offset);
}

static size_t
note(struct snow_catalogue *c, struct slice text)
{
	size_t	at = c->names.len;

	buf_adds_slice(&c->names, text);
	buf_addc(&c->names, '\0');
	return at;
}

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the catalogue");
}

static int
take_column(void *arg, const struct snow_row *row, struct err *err)
{
	struct snow_catalogue	*c = arg;
	struct snow_column	*v;
	struct slice		 scale = snow_cell(row, "NUMERIC_SCALE");
	size_t			 capacity = c->capacity == 0 ? 512 : c->capacity * 2;
	int64_t			 digits = 0;

	if (c->n == c->capacity) {
		if ((v = reallocarray(c->v, capacity, sizeof(*v))) == NULL)
			return nomem(err);
		c->v = v;
		c->capacity = capacity;
	}
	if (scale.p != NULL && !slice_i64(scale, &digits))
		digits = 0;
	c->v[c->n++] = (struct snow_column){ .table = note(c, snow_cell(row, "TABLE_NAME")),
	    .name = note(c, snow_cell(row, "COLUMN_NAME")), .type = snow_type_of(snow_cell(row, "DATA_TYPE")),
	    .scale = (int32_t)digits,
	    .demands = slice_is(snow_cell(row, "IS_NULLABLE"), "NO") && snow_cell(row, "COLUMN_DEFAULT").p == NULL };
	return c->names.oom ? nomem(err) : 0;
}

static int
take_key(void *arg, const struct snow_row *row, struct err *err)
{
	struct snow_catalogue	*c = arg;

	(void)err;
	for (size_t i = 0; i < c->n; i++)
		if (!c->v[i].gone && slice_eq(text_at(c, c->v[i].table), snow_cell(row, "table_name")) &&
		    slice_eq(text_at(c, c->v[i].name), snow_cell(row, "column_name")))
			c->v[i].key = true;
	return 0;
}

static enum drv_result
ask(struct snow_session *s, struct buf *sql, bool opening, snow_row_fn fn, void *arg, struct err *err)
{
	struct snow_statement	 st = { .sql = buf_slice(sql), .doing = "reading the catalogue", .opening = opening };
	enum drv_result		 rc;

	if (sql->oom) {
		nomem(err);
		return DRV_RETRY;
	}
	rc = snow_run(s, &st, fn, arg, NULL, err);
	buf_reset(sql);
	return rc == DRV_UNSURE || rc == DRV_REJECT ? DRV_RETRY : rc;	/* nothing was to be stored */
}

/* `table` absent: of all. */
static enum drv_result
read_columns(struct snow_catalogue *c, struct snow_session *s, struct slice table, bool opening, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 rc;

	buf_adds(&sql, "SELECT table_name AS \"TABLE_NAME\", column_name AS \"COLUMN_NAME\", data_type AS \"DATA_TYPE\", "
	    "numeric_scale AS \"NUMERIC_SCALE\", is_nullable AS \"IS_NULLABLE\", column_default AS \"COLUMN_DEFAULT\" "
	    "FROM information_schema.columns WHERE table_catalog = CURRENT_DATABASE() AND table_schema = CURRENT_SCHEMA()");
	if (table.p != NULL) {
		buf_adds(&sql, " AND table_name = ");
		snow_literal(&sql, table);
	}
	buf_adds(&sql, " ORDER BY table_name, ordinal_position");
	rc = ask(s, &sql, opening, take_column, c, err);
	buf_free(&sql);
	return rc;
}

static enum drv_result
read_keys(struct snow_catalogue *c, struct snow_session *s, bool opening, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 rc = DRV_CONFIG;

	buf_adds(&sql, "SHOW PRIMARY KEYS IN SCHEMA ");
	if (sql_quote(&sql, slice_of(s->database), err) != 0)
		goto out;
	buf_addc(&sql, '.');
	if (sql_quote(&sql, slice_of(s->schema), err) != 0)
		goto out;
	rc = ask(s, &sql, opening, take_key, c, err);
out:
	buf_free(&sql);
	return rc;
}

enum drv_result
snow_catalogue_read(struct snow_catalogue *c, struct snow_session *s, bool opening, struct err *err)
{
	const struct slice	 all = { NULL, 0 };
	enum drv_result		 rc;

	if (c->read)
		return DRV_STORED;
	snow_catalogue_forget(c);
	if ((rc = read_columns(c, s, all, opening, err)) == DRV_STORED && c->n > 0)
		rc = read_keys(c, s, opening, err);
	c->read = rc == DRV_STORED;
	return rc;
}

enum drv_result
snow_catalogue_refresh(struct snow_catalogue *c, struct snow_session *s, struct slice table, struct err *err)
{
	enum drv_result	 rc;

	for (size_t i = 0; i < c->n; i++)
		if (slice_eq(text_at(c, c->v[i].table), table))
			c->v[i].gone = true;
	if ((rc = read_columns(c, s, table, false, err)) != DRV_STORED)
		snow_catalogue_forget(c);
	return rc;
}

bool
snow_catalogue_has(const struct snow_catalogue *c, struct slice table, struct slice column)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->v[i].gone && slice_eq(text_at(c, c->v[i].table), table) &&
		    (column.p == NULL || slice_eq(text_at(c, c->v[i].name), column)))
			return true;
	return false;
}

/*
 * Snowflake enforces no primary keys, so a table that somebody copied may have none declared: then the
 * key is that of the schema, or `id`.
 */
static bool
is_key(const struct snow_catalogue *c, const struct snow_column *column, bool declared, const struct sql_table *known)
{
	struct slice	 name = text_at(c, column->name);
	bool		 key = false;

	if (declared)
		return column->key;
	if (known == NULL)
		return slice_is(name, "id");
	for (size_t i = 0; i < known->nkeys; i++)
		key |= slice_eq(known->cols[i].name, name);
	return key;
}

enum drv_result
snow_catalogue_table(struct snow_catalogue *c, struct slice table, const struct sql_table *known, struct sql_reading *rd,
    struct err *err)
{
	enum drv_result	 rc = DRV_STORED;
	bool		 declared = false;

	for (size_t i = 0; i < c->n; i++)
		declared |= !c->v[i].gone && c->v[i].key && slice_eq(text_at(c, c->v[i].table), table);
	for (size_t i = 0; i < c->n && rc == DRV_STORED; i++)
		if (!c->v[i].gone && slice_eq(text_at(c, c->v[i].table), table))
			rc = sql_reading_column(rd, &(struct sql_found){ .name = text_at(c, c->v[i].name),
			    .type = c->v[i].type, .size = c->v[i].scale, .demands = c->v[i].demands,
			    .key = is_key(c, &c->v[i], declared, known) }, err);
	return rc;
}
