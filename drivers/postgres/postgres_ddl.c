/*
 * The catalogue, and tables in step with it.  Read is the table that the unqualified name means: the
 * first of that name in the schemas of search_path, no other (hazard H18).
 */

#include <stdlib.h>

#include "drivers/postgres/postgres_private.h"

static const char	ask_columns[] =
	"SELECT a.attname, a.atttypid::bigint, a.atttypmod, a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', "
	"coalesce(a.attnum = ANY (i.indkey), false), format_type(a.atttypid, NULL), c.relkind, n.nspname "
	"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
	"JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
	"LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary "
	"WHERE c.relname = $1 AND n.nspname = ANY (current_schemas(false)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
	"ORDER BY array_position(current_schemas(false), n.nspname), a.attnum";

/* CREATE in the schema where tables would be made, and all that is done to those that are there. */
static const char	ask_privileges[] =
	"SELECT coalesce(current_schema(), ''), "
	"CASE WHEN current_schema() IS NULL THEN false ELSE has_schema_privilege(current_schema(), 'USAGE') END, "
	"current_setting('transaction_read_only')";

const char *
pg_column_type(const struct sql_column *c, bool as_key)
{
	(void)as_key;
	return sql_kind_postgres(c->kind);
}

/* --- types --- */

void
pg_types_free(struct drv *d)
{
	for (size_t i = 0; i < d->ntypes; i++)
		free(d->types[i].name);
	free(d->types);
	d->types = NULL;
	d->ntypes = 0;
}

const char *
pg_type_name(const struct drv *d, uint32_t oid)
{
	for (size_t i = 0; i < d->ntypes; i++)
		if (d->types[i].oid == oid)
			return d->types[i].name;
	return "text";
}

static bool
note_type(struct drv *d, uint32_t oid, const char *name)
{
	struct pg_type	*types;

	for (size_t i = 0; i < d->ntypes; i++)
		if (d->types[i].oid == oid)
			return true;
	if ((types = reallocarray(d->types, d->ntypes + 1, sizeof(*types))) == NULL)
		return false;
	d->types = types;
	types[d->ntypes] = (struct pg_type){ .oid = oid, .name = strdup(name) };
	return types[d->ntypes++].name != NULL;
}

/* --- tables --- */

static bool
is_true(const PGresult *res, int row, int column)
{
	return PQgetvalue(res, row, column)[0] == 't';
}

static enum drv_result
take_column(struct drv *d, const PGresult *res, int row, struct sql_reading *to, struct err *err)
{
	struct sql_found	 c = {
		.name = { PQgetvalue(res, row, 0), (size_t)PQgetlength(res, row, 0) },
		.type = (uint32_t)strtoul(PQgetvalue(res, row, 1), NULL, 10),
		.size = (int32_t)strtol(PQgetvalue(res, row, 2), NULL, 10),
		.demands = is_true(res, row, 3),
		.key = is_true(res, row, 4),
	};

	if (!note_type(d, c.type, PQgetvalue(res, row, 5))) {
		err_set(err, ERR_NOMEM, "no memory for the columns of a table");
		return DRV_RETRY;
	}
	return sql_reading_column(to, &c, err);
}

enum drv_result
pg_read_table(struct drv *d, struct slice table, struct sql_reading *to, struct err *err)
{
	char		*name = slice_dup(table);
	const char	*value = name;
	PGresult	*res = NULL;
	enum drv_result	 r;

	if (name == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the columns of a table");
		return DRV_RETRY;
	}
	r = pg_query(d, ask_columns, 1, &value, &res, "reading the catalogue", err);
	if (r == DRV_STORED && PQntuples(res) > 0 && strchr("rp", PQgetvalue(res, 0, 6)[0]) == NULL) {
		err_set(err, ERR_CONFIG, "table \"%s\" cannot be kept in %s: a view has that name; rename it", name, d->url.where);
		r = DRV_CONFIG;
	}
	for (int i = 0; r == DRV_STORED && i < PQntuples(res); i++) {
		if (strcmp(PQgetvalue(res, i, 7), PQgetvalue(res, 0, 7)) != 0)
			break;		/* of a schema further down the path */
		r = take_column(d, res, i, to, err);
	}
	PQclear(res);
	free(name);
	return r;
}

/* Somebody else was quicker with the same: that of our own, killed a moment ago, perhaps. */
static bool
is_there(const PGresult *res)
{
	return pg_state_is(res, "42P07") || pg_state_is(res, "42701") || pg_state_is(res, "42710") ||
	    pg_state_is(res, "23505");
}

enum drv_result
pg_ddl(struct drv *d, const char *sql, struct err *err)
{
	enum drv_result	 r = DRV_STORED;
	PGresult	*res;
	bool		 lost;

	if (PQsendQuery(d->conn, sql) != 1 || !pg_flush_all(d, err)) {
		err_set(err, ERR_TEMPORARY, "%s: changing a table: the connection was lost", d->url.where);
		return DRV_RETRY;
	}
	while ((res = pg_result(d, &lost, err)) != NULL) {
		if (PQresultStatus(res) != PGRES_COMMAND_OK && !is_there(res))
			r = pg_fail(d, res, NULL, "changing a table", err);
		PQclear(res);
	}
	return lost ? DRV_RETRY : r;
}

enum drv_result
pg_check_privileges(struct drv *d, struct err *err)
{
	PGresult	*res = NULL;
	enum drv_result	 r = pg_query(d, ask_privileges, 0, NULL, &res, "asking for privileges", err);

	if (r != DRV_STORED)
		return r;
	if (*PQgetvalue(res, 0, 0) == '\0') {
		err_set(err, ERR_CONFIG, "%s: there is no schema to keep tables in; create it, or name one by search_path in the URL",
		    d->url.where);
		r = DRV_CONFIG;
	} else if (!is_true(res, 0, 1)) {
		err_set(err, ERR_AUTH, "%s: the role of the URL may not use the schema \"%s\"; GRANT USAGE, CREATE ON SCHEMA to it",
		    d->url.where, PQgetvalue(res, 0, 0));
		r = DRV_CONFIG;
	} else if (strcmp(PQgetvalue(res, 0, 2), "on") == 0) {
		err_set(err, ERR_TEMPORARY, "%s: the server is read-only, a standby perhaps", d->url.where);
		r = DRV_RETRY;
	}
	PQclear(res);
	return r;
}
