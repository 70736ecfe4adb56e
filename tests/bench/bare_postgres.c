/*
 * The bounds of the PostgreSQL driver, over the events of the SQL paths.
 *
 *	bare_postgres URL CREDS CONSUMER COUNT CONNINFO set|rows
 *
 * set: the ceiling.  The changes of up to 2,000 events in one transaction, BEGIN, one INSERT ... ON CONFLICT
 * over binary arrays for each 256 rows, one DELETE, COMMIT, in libpq's pipeline.  The table is known, the
 * statement prepared once, the last event of a row wins, numbers and times are read without the driver's care.
 *
 * rows: as the Go server does it.  One statement per event with all values as text, twice where a
 * row may exist; 500 events in one transaction, sent as one text.
 *
 * While one batch is stored the next one arrives.
 */

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "tests/bench/change.h"
#include "tests/bench/pull.h"

#define ROWS_AT_ONCE	256u

struct store {
	PGconn		*db;
	struct buf	 arrays[CHANGE_COLUMNS];
	struct buf	 sql, text;
};

static void
fail(const struct store *s, const char *doing)
{
	die(doing, PQerrorMessage(s->db));
}

static void
done(const struct store *s, PGresult *res)
{
	if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_PIPELINE_SYNC)
		fail(s, "storing");
	PQclear(res);
}

/* --- set-wise --- */

static const struct { char kind; uint32_t oid; const char *array, *cast; } types[] = {
	{ 't', 25, "text", "" }, { 'j', 25, "text", "::jsonb" }, { 'b', 16, "boolean", "" }, { 'd', 701, "double precision", "" },
	{ 'i', 20, "bigint", "" }, { 'z', 1184, "timestamptz", "" },
};

static size_t
type_of(size_t column)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].kind == change_kind(column))
			return i;
	die("starting", "a column of no kind");
}

static void
prepare(struct store *s)
{
	struct buf	*q = &s->sql;

	buf_adds(q, "INSERT INTO " CHANGE_TABLE " (");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++)
		buf_printf(q, "%s%s", i == 0 ? "" : ", ", change_columns[i]);
	buf_adds(q, ") SELECT ");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++)
		buf_printf(q, "%su.%s%s", i == 0 ? "" : ", ", change_columns[i], types[type_of(i)].cast);
	buf_adds(q, " FROM (SELECT ");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++)
		buf_printf(q, "%sunnest($%zu::%s[]) AS %s", i == 0 ? "" : ", ", i + 1, types[type_of(i)].array,
		    change_columns[i]);
	buf_adds(q, ") AS u ON CONFLICT (id) DO UPDATE SET ");
	for (size_t i = 1; i < CHANGE_COLUMNS; i++)
		buf_printf(q, "%s%s = excluded.%s", i == 1 ? "" : ", ", change_columns[i], change_columns[i]);
	done(s, PQprepare(s->db, "upsert", buf_cstr(q), 0, NULL));
	done(s, PQprepare(s->db, "remove", "DELETE FROM " CHANGE_TABLE " WHERE id = ANY ($1::text[])", 0, NULL));
}

static void
add_u32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_add(b, &v, sizeof(v));
}

static void
add_u64(struct buf *b, uint64_t v)
{
	add_u32(b, 8);
	v = htobe64(v);
	buf_add(b, &v, sizeof(v));
}

static void
add_text(struct buf *b, struct slice v)
{
	add_u32(b, (uint32_t)v.n);
	buf_adds_slice(b, v);
}

/* YYYY-MM-DDThh:mm:ss.mmmZ, as all times of these events are. */
static uint64_t
microseconds(struct slice v)
{
	struct tm	tm = { 0 };

	if (v.n != 26)
		die("reading an event", "a time of another form");
	tm.tm_year = atoi(v.p + 1) - 1900;
	tm.tm_mon = atoi(v.p + 6) - 1;
	tm.tm_mday = atoi(v.p + 9);
	tm.tm_hour = atoi(v.p + 12);
	tm.tm_min = atoi(v.p + 15);
	tm.tm_sec = atoi(v.p + 18);
	return (uint64_t)((timegm(&tm) - 946684800) * 1000000 + atoi(v.p + 21) * 1000);
}

static void
add_value(struct store *s, struct buf *b, size_t column, const struct json_val *v)
{
	double		 d;
	uint64_t	 bits;

	if (v->type <= JV_NULL) {
		add_u32(b, UINT32_MAX);
		return;
	}
	switch (change_kind(column)) {
	case 'b':
		add_u32(b, 1);
		buf_addc(b, v->type == JV_TRUE);
		return;
	case 'i':
		add_u64(b, (uint64_t)strtoll(v->raw.p, NULL, 10));
		return;
	case 'd':
		d = strtod(v->raw.p, NULL);
		memcpy(&bits, &d, sizeof(bits));
		add_u64(b, bits);
		return;
	case 'z':
		add_u64(b, microseconds(v->raw));
		return;
	case 'j':
		add_text(b, v->raw);
		return;
	default:
		buf_reset(&s->text);
		add_text(b, json_text(v, &s->text));
	}
}

static void
begin_array(struct buf *b, uint32_t oid, size_t n)
{
	buf_reset(b);
	add_u32(b, 1);
	add_u32(b, 1);
	add_u32(b, oid);
	add_u32(b, (uint32_t)n);
	add_u32(b, 1);
}

static void
send_arrays(struct store *s, const char *statement, int n)
{
	const char	*values[CHANGE_COLUMNS];
	int		 lengths[CHANGE_COLUMNS], formats[CHANGE_COLUMNS];

	for (int i = 0; i < n; i++) {
		values[i] = (const char *)s->arrays[i].data;
		lengths[i] = (int)s->arrays[i].len;
		formats[i] = 1;
	}
	if (PQsendQueryPrepared(s->db, statement, n, values, lengths, formats, 0) != 1 || PQflush(s->db) == -1)
		fail(s, "sending");
}

static void
send_rows(struct store *s, struct change *const *v, size_t n)
{
	for (size_t c = 0; c < CHANGE_COLUMNS; c++) {
		begin_array(&s->arrays[c], types[type_of(c)].oid, n);
		for (size_t i = 0; i < n; i++)
			add_value(s, &s->arrays[c], c, &v[i]->v[c]);
	}
	send_arrays(s, "upsert", (int)CHANGE_COLUMNS);
}

static void
send_deletes(struct store *s, struct change *const *v, size_t n)
{
	begin_array(&s->arrays[0], 25, n);
	for (size_t i = 0; i < n; i++)
		add_value(s, &s->arrays[0], 0, &v[i]->id);
	send_arrays(s, "remove", 1);
}

static void
say(struct store *s, const char *sql)
{
	if (PQsendQueryParams(s->db, sql, 0, NULL, NULL, NULL, NULL, 0) != 1)
		fail(s, "sending");
}

static void
await(struct store *s, size_t statements)
{
	PGresult	*res;
	int		 rc;

	if (PQpipelineSync(s->db) != 1)
		fail(s, "sending");
	while ((rc = PQflush(s->db)) == 1) {
		struct pollfd p = { .fd = PQsocket(s->db), .events = POLLIN | POLLOUT };

		if (poll(&p, 1, -1) == -1 || PQconsumeInput(s->db) == 0)
			fail(s, "sending");
	}
	if (rc == -1)
		fail(s, "sending");
	for (; statements > 0; statements--)
		while ((res = PQgetResult(s->db)) != NULL)
			done(s, res);
	done(s, PQgetResult(s->db));	/* the end of the pipeline */
}

static void
store_set(struct store *s, struct change *all, size_t n)
{
	static struct change	*v[CHANGE_BATCH], *gone[CHANGE_BATCH];
	size_t			 left, rows = 0, deletes = 0, statements = 2;

	for (size_t i = 0; i < n; i++)
		v[i] = &all[i];
	left = change_fold(v, n);
	say(s, "BEGIN");
	for (size_t i = 0; i < left; i++)
		if (v[i]->op == 'D')
			gone[deletes++] = v[i];
		else
			v[rows++] = v[i];
	for (size_t i = 0; i < rows; i += ROWS_AT_ONCE, statements++)
		send_rows(s, v + i, rows - i < ROWS_AT_ONCE ? rows - i : ROWS_AT_ONCE);
	if (deletes > 0) {
		send_deletes(s, gone, deletes);
		statements++;
	}
	say(s, "COMMIT");
	await(s, statements);
}

/* --- row by row --- */

static void
add_literal(struct store *s, const struct json_val *v)
{
	struct slice	text;

	if (v->type < JV_STRING) {
		buf_adds_slice(&s->sql, v->type == JV_ABSENT ? SLICE("NULL") : v->raw);
		return;
	}
	buf_reset(&s->text);
	text = v->type == JV_STRING ? json_text(v, &s->text) : v->raw;
	buf_addc(&s->sql, '\'');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\'')
			buf_addc(&s->sql, '\'');
		buf_addc(&s->sql, text.p[i]);
	}
	buf_addc(&s->sql, '\'');
}

static void
add_assignment(struct store *s, const struct change *c, size_t column, bool *first)
{
	buf_printf(&s->sql, "%s%s=", *first ? "" : ",", change_columns[column]);
	*first = false;
	add_literal(s, &c->v[column]);
}

/* An update sets what its diff names, anything else all columns. */
static void
add_statement(struct store *s, const struct change *c)
{
	struct json_iter it;
	struct json_val	 name;
	bool		 first = true;

	if (c->op == 'D') {
		buf_adds(&s->sql, "DELETE FROM " CHANGE_TABLE " WHERE id=");
		add_literal(s, &c->id);
		buf_adds(&s->sql, ";\n");
		return;
	}
	buf_adds(&s->sql, "INSERT INTO " CHANGE_TABLE " (");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++)
		buf_printf(&s->sql, "%s%s", i == 0 ? "" : ",", change_columns[i]);
	buf_adds(&s->sql, ") VALUES (");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++) {
		buf_adds(&s->sql, i == 0 ? "" : ",");
		add_literal(s, &c->v[i]);
	}
	buf_adds(&s->sql, ") ON CONFLICT (id) DO UPDATE SET ");
	if (c->op == 'U')
		for (json_iter_init(&it, &c->diff); json_array_next(&it, &name); ) {
			for (size_t i = 1; i < CHANGE_COLUMNS; i++)
				if (json_string_eq(&name, change_columns[i]))
					add_assignment(s, c, i, &first);
		}
	else
		for (size_t i = 1; i < CHANGE_COLUMNS; i++)
			add_assignment(s, c, i, &first);
	buf_adds(&s->sql, ";\n");
}

static void
store_rows(struct store *s, struct change *v, size_t n)
{
	PGresult	*res;

	buf_reset(&s->sql);
	buf_adds(&s->sql, "BEGIN;\n");
	for (size_t i = 0; i < n; i++)
		add_statement(s, &v[i]);
	buf_adds(&s->sql, "COMMIT;\n");
	if (PQsendQuery(s->db, buf_cstr(&s->sql)) != 1)
		fail(s, "sending");
	while ((res = PQgetResult(s->db)) != NULL)
		done(s, res);
}

/* --- */

static void
open_store(struct store *s, const char *conninfo, bool set)
{
	s->db = PQconnectdb(conninfo);
	if (PQstatus(s->db) != CONNECTION_OK)
		fail(s, "connecting");
	if (!set)
		return;
	prepare(s);
	if (PQsetnonblocking(s->db, 1) != 0 || PQenterPipelineMode(s->db) != 1)
		fail(s, "connecting");
}

static struct store	store;

static void
open_it(const char *conninfo, bool set)
{
	open_store(&store, conninfo, set);
}

static void
set_wise(struct change *v, size_t n)
{
	store_set(&store, v, n);
}

static void
row_by_row(struct change *v, size_t n)
{
	store_rows(&store, v, n);
}

static void
close_it(void)
{
	PQfinish(store.db);
}

int
main(int argc, char **argv)
{
	return change_main(argc, argv, &(const struct change_store){ open_it, set_wise, row_by_row, close_it });
}
