/*
 * The ceiling of the SQLite driver: pulls, and applies each event to its table
 * with the driver's durability (WAL, synchronous = EXTRA), up to a thousand in one
 * transaction, acknowledged after the commit.  While one batch is stored the next one arrives.
 *
 * One statement per table, prepared once, that sets every column; the bench's
 * events have every column of their table.  The JSON is read by the project's scanner, the fastest at
 * hand, once over the event and once over the row; numbers become integers or
 * doubles by strtoll() and strtod(), without the driver's care for those that fit neither.
 * No schemas are asked for (the tables are there), no order is kept per row, nothing is folded.
 *
 *	bare_sqlite URL CREDS CONSUMER COUNT DATABASE
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "ipc/base/json_scan.h"
#include "tests/bench/pull.h"

#define BATCH	1000u
#define TABLES	256u
#define COLUMNS	256u

struct table {
	char		 name[128];
	char		*columns[COLUMNS];
	size_t		 column_n[COLUMNS];
	size_t		 n;
	sqlite3_stmt	*upsert, *remove;
};

struct store {
	sqlite3		*db;
	struct table	 tables[TABLES];
	size_t		 n;
	struct buf	 arena;		/* decoded texts of the row at hand */
};

static void
lite(struct store *s, int rc, const char *doing)
{
	if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
		die(doing, sqlite3_errmsg(s->db));
}

static sqlite3_stmt *
prepare(struct store *s, struct buf *sql)
{
	sqlite3_stmt	*st = NULL;

	lite(s, sqlite3_prepare_v3(s->db, buf_cstr(sql), -1, SQLITE_PREPARE_PERSISTENT, &st, NULL), "preparing");
	buf_free(sql);
	return st;
}

static void
read_columns(struct store *s, struct table *t)
{
	struct buf	 sql = { 0 };
	sqlite3_stmt	*st;

	buf_printf(&sql, "SELECT name FROM pragma_table_info('%s') ORDER BY name <> 'id'", t->name);
	st = prepare(s, &sql);
	while (sqlite3_step(st) == SQLITE_ROW && t->n < COLUMNS) {
		t->columns[t->n] = strdup((const char *)sqlite3_column_text(st, 0));
		t->column_n[t->n] = strlen(t->columns[t->n]);
		t->n++;
	}
	(void)sqlite3_finalize(st);
	if (t->n == 0 || t->n == COLUMNS)
		die("no such table, or too wide a one", t->name);
}

static void
prepare_statements(struct store *s, struct table *t)
{
	struct buf	 sql = { 0 };

	buf_printf(&sql, "INSERT INTO \"%s\" (", t->name);
	for (size_t i = 0; i < t->n; i++)
		buf_printf(&sql, "%s\"%s\"", i == 0 ? "" : ", ", t->columns[i]);
	buf_adds(&sql, ") VALUES (");
	for (size_t i = 0; i < t->n; i++)
		buf_adds(&sql, i == 0 ? "?" : ", ?");
	buf_adds(&sql, ") ON CONFLICT (id) DO UPDATE SET ");
	for (size_t i = 1; i < t->n; i++)
		buf_printf(&sql, "%s\"%s\" = excluded.\"%s\"", i == 1 ? "" : ", ", t->columns[i], t->columns[i]);
	t->upsert = prepare(s, &sql);
	buf_printf(&sql, "DELETE FROM \"%s\" WHERE id = ?", t->name);
	t->remove = prepare(s, &sql);
}

static struct table *
table_of(struct store *s, natsMsg *msg)
{
	const char	*name = strchr(natsMsg_GetSubject(msg), '.') + 1;
	size_t		 n = strcspn(name, ".");
	struct table	*t;

	for (size_t i = 0; i < s->n; i++)
		if (strncmp(s->tables[i].name, name, n) == 0 && s->tables[i].name[n] == '\0')
			return &s->tables[i];
	if (s->n == TABLES || n >= sizeof(t->name))
		die("storing", "too many tables, or a name too long");
	t = &s->tables[s->n++];
	(void)snprintf(t->name, sizeof(t->name), "%.*s", (int)n, name);
	read_columns(s, t);
	prepare_statements(s, t);
	return t;
}

static int
bind_number(sqlite3_stmt *st, int at, struct slice raw)
{
	char		 text[64];
	char		*end;
	long long	 i;

	if (raw.n >= sizeof(text))
		return sqlite3_bind_text64(st, at, raw.p, raw.n, SQLITE_STATIC, SQLITE_UTF8);
	(void)memcpy(text, raw.p, raw.n);
	text[raw.n] = '\0';
	i = strtoll(text, &end, 10);
	if (*end == '\0')
		return sqlite3_bind_int64(st, at, i);
	return sqlite3_bind_double(st, at, strtod(text, NULL));
}

static int
bind(struct store *s, sqlite3_stmt *st, int at, const struct json_val *v)
{
	struct slice	 text;

	switch (v->type) {
	case JV_ABSENT:
	case JV_NULL:
		return sqlite3_bind_null(st, at);
	case JV_TRUE:
	case JV_FALSE:
		return sqlite3_bind_int(st, at, v->type == JV_TRUE);
	case JV_NUMBER:
		return bind_number(st, at, v->raw);
	case JV_STRING:
		text = json_text(v, &s->arena);
		return sqlite3_bind_text64(st, at, text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
	case JV_OBJECT:
	case JV_ARRAY:
		return sqlite3_bind_text64(st, at, v->raw.p, v->raw.n, SQLITE_STATIC, SQLITE_UTF8);
	}
	return SQLITE_MISUSE;
}

static void
run(struct store *s, sqlite3_stmt *st)
{
	lite(s, sqlite3_step(st), "storing");
	lite(s, sqlite3_reset(st), "storing");
}

static int
column_of(const struct table *t, struct slice name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->column_n[i] == name.n && memcmp(t->columns[i], name.p, name.n) == 0)
			return (int)i;
	die("the table lacks a column of the event", t->name);
}

struct images {
	struct json_val	 before, after;
};

static void
note(void *arg, const struct json_val *key, const struct json_val *val)
{
	struct images	*im = arg;

	if (json_string_eq(key, "before"))
		im->before = *val;
	else if (json_string_eq(key, "after"))
		im->after = *val;
}

static void
store_one(struct store *s, natsMsg *msg)
{
	struct slice	 text = { natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg) };
	struct table	*t = table_of(s, msg);
	struct images	 im = { 0 };
	struct json_val	 root, key, val;
	struct json_iter it;
	struct err	 err = { 0 };
	size_t		 n = 0;

	if (json_scan_members(text, false, note, &im, &root, &err) != 0)
		die("reading an event", err.text);
	buf_reset(&s->arena);
	if (!buf_reserve(&s->arena, text.n))
		die("reading an event", "memory is short");
	if (im.after.type != JV_OBJECT) {
		val = json_member(&im.before, "id");
		lite(s, bind(s, t->remove, 1, &val), "binding");
		run(s, t->remove);
		return;
	}
	for (json_iter_init(&it, &im.after); json_object_next(&it, &key, &val); n++)
		lite(s, bind(s, t->upsert, column_of(t, (struct slice){ key.raw.p + 1, key.raw.n - 2 }) + 1, &val), "binding");
	if (n != t->n)
		die("an event lacks columns of its table", t->name);
	run(s, t->upsert);
}

static void
exec(struct store *s, const char *sql)
{
	lite(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL), sql);
}

static void
store_close(struct store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t c = 0; c < s->tables[i].n; c++)
			free(s->tables[i].columns[c]);
		(void)sqlite3_finalize(s->tables[i].upsert);
		(void)sqlite3_finalize(s->tables[i].remove);
	}
	(void)sqlite3_close(s->db);
	buf_free(&s->arena);
}

int
main(int argc, char **argv)
{
	static struct store	 s;
	uint64_t		 count;
	struct queue		*q;
	struct puller		*p;
	natsMsg			*v[BATCH];
	size_t			 n;

	if (argc != 6)
		die("usage", "bare_sqlite URL CREDS CONSUMER COUNT DATABASE");
	lite(&s, sqlite3_open_v2(argv[5], &s.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL), "opening");
	exec(&s, "PRAGMA journal_mode = WAL");
	exec(&s, "PRAGMA synchronous = EXTRA");
	count = strtoull(argv[4], NULL, 10);
	q = queue_new(count);
	p = pull_start(argv[1], argv[2], argv[3], count, queue_put, q);
	while ((n = queue_take(q, v, BATCH)) > 0) {
		exec(&s, "BEGIN IMMEDIATE");
		for (size_t i = 0; i < n; i++)
			store_one(&s, v[i]);
		exec(&s, "COMMIT");
		for (size_t i = 0; i < n; i++) {
			pull_ack(p, v[i]);
			natsMsg_Destroy(v[i]);
		}
	}
	pull_end(&p);
	queue_free(&q);
	store_close(&s);
	return 0;
}
