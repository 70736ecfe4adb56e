/*
 * The bounds of the MySQL driver, over the events of the SQL paths.
 *
 *	bare_mysql URL CREDS CONSUMER COUNT PORT set|rows
 *
 * set: the ceiling.  The changes of up to 2,000 events in one transaction: one prepared INSERT ...
 * ON DUPLICATE KEY UPDATE and one prepared DELETE, each executed with arrays.  The table is
 * known, the last event of a row wins, numbers and times go as they came, without the driver's care.
 *
 * rows: as the Go server does it.  One REPLACE or DELETE per event with all values as text; 500 events in
 * one transaction, sent as one text.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mariadb/mysql.h>

#include "tests/bench/change.h"
#include "tests/bench/pull.h"

/* One parameter of the statement for all rows. */
struct column {
	const char	*text[CHANGE_BATCH];
	unsigned long	 length[CHANGE_BATCH];
	long long	 number[CHANGE_BATCH];
	char		 indicator[CHANGE_BATCH];
};

static struct {
	MYSQL		*db;
	MYSQL_STMT	*upsert, *remove;
	struct column	 columns[CHANGE_COLUMNS];
	struct buf	 texts, sql;
} store;

static void
must_sql(int rc, const char *doing)
{
	if (rc != 0)
		die(doing, mysql_error(store.db));
}

static void
must_stmt(MYSQL_STMT *s, int rc, const char *doing)
{
	if (rc != 0)
		die(doing, mysql_stmt_error(s));
}

/* --- set-wise --- */

static MYSQL_STMT *
prepare(struct buf *sql)
{
	MYSQL_STMT	*s = mysql_stmt_init(store.db);

	if (s == NULL)
		die("preparing", "memory is short");
	must_stmt(s, mysql_stmt_prepare(s, buf_cstr(sql), sql->len), "preparing");
	buf_reset(sql);
	return s;
}

static void
prepare_all(void)
{
	struct buf	*q = &store.sql;

	buf_adds(q, "INSERT INTO " CHANGE_TABLE " (");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++)
		buf_printf(q, "%s%s", i == 0 ? "" : ", ", change_columns[i]);
	buf_adds(q, ") VALUES (");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++)
		buf_adds(q, i == 0 ? "?" : ", ?");
	buf_adds(q, ") ON DUPLICATE KEY UPDATE ");
	for (size_t i = 1; i < CHANGE_COLUMNS; i++)
		buf_printf(q, "%s%s = VALUES(%s)", i == 1 ? "" : ", ", change_columns[i], change_columns[i]);
	store.upsert = prepare(q);
	buf_adds(q, "DELETE FROM " CHANGE_TABLE " WHERE id = ?");
	store.remove = prepare(q);
}

static bool
is_number(size_t column)
{
	return change_kind(column) == 'i' || change_kind(column) == 'b';
}

static void
take_value(struct column *c, size_t column, size_t row, const struct json_val *v)
{
	struct slice	text = v->raw;

	c->indicator[row] = v->type <= JV_NULL ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
	if (change_kind(column) == 'b')
		c->number[row] = v->type == JV_TRUE;
	else if (change_kind(column) == 'i')
		c->number[row] = strtoll(v->raw.p, NULL, 10);
	else if (v->type == JV_STRING && change_kind(column) == 'z')
		text = (struct slice){ text.p + 1, text.n - 3 };	/* without quotes and Z */
	else if (v->type == JV_STRING && change_kind(column) == 't')
		text = json_text(v, &store.texts);
	c->text[row] = text.p;
	c->length[row] = text.n;
}

static void
run(MYSQL_STMT *s, size_t columns, size_t n)
{
	MYSQL_BIND	binds[CHANGE_COLUMNS];
	unsigned	rows = (unsigned)n;

	memset(binds, 0, sizeof(binds));
	for (size_t i = 0; i < columns; i++) {
		struct column *c = &store.columns[i];

		binds[i].buffer_type = is_number(i) ? MYSQL_TYPE_LONGLONG : MYSQL_TYPE_STRING;
		binds[i].buffer = is_number(i) ? (void *)c->number : (void *)c->text;
		binds[i].length = c->length;
		binds[i].u.indicator = c->indicator;
	}
	must_stmt(s, mysql_stmt_attr_set(s, STMT_ATTR_ARRAY_SIZE, &rows), "binding");
	must_stmt(s, mysql_stmt_bind_param(s, binds), "binding");
	must_stmt(s, mysql_stmt_execute(s), "storing");
}

static int
by_key(const void *pa, const void *pb)
{
	const struct change	*a = *(struct change *const *)pa, *b = *(struct change *const *)pb;

	return memcmp(a->id.raw.p, b->id.raw.p, a->id.raw.n < b->id.raw.n ? a->id.raw.n : b->id.raw.n);
}

static void
store_set(struct change *all, size_t n)
{
	static struct change	*v[CHANGE_BATCH];
	size_t			 left, rows = 0, deletes = 0;

	for (size_t i = 0; i < n; i++)
		v[i] = &all[i];
	left = change_fold(v, n);
	qsort(v, left, sizeof(*v), by_key);
	buf_reset(&store.texts);
	if (!buf_reserve(&store.texts, CHANGE_BATCH * 4096))		/* texts must not move */
		die("storing", "memory is short");
	for (size_t i = 0; i < left; i++)
		if (v[i]->op == 'D')
			take_value(&store.columns[0], 0, deletes++, &v[i]->id);
	if (deletes > 0)
		run(store.remove, 1, deletes);
	for (size_t i = 0; i < left; i++) {
		if (v[i]->op == 'D')
			continue;
		for (size_t c = 0; c < CHANGE_COLUMNS; c++)
			take_value(&store.columns[c], c, rows, &v[i]->v[c]);
		rows++;
	}
	if (rows > 0)
		run(store.upsert, CHANGE_COLUMNS, rows);
	must_sql(mysql_commit(store.db), "committing");
}

/* --- row by row --- */

static void
add_literal(const struct json_val *v, bool time)
{
	struct slice	text = v->raw;
	size_t		n;

	if (v->type < JV_STRING) {
		buf_adds_slice(&store.sql, v->type == JV_ABSENT ? SLICE("NULL") : text);
		return;
	}
	buf_reset(&store.texts);
	if (time)
		text = (struct slice){ text.p + 1, text.n - 3 };
	else if (v->type == JV_STRING)
		text = json_text(v, &store.texts);
	if (!buf_reserve(&store.sql, 2 * text.n + 3))
		die("storing", "memory is short");
	buf_addc(&store.sql, '\'');
	n = mysql_real_escape_string(store.db, (char *)store.sql.data + store.sql.len, text.p, text.n);
	store.sql.len += n;
	buf_addc(&store.sql, '\'');
}

static void
add_statement(const struct change *c)
{
	if (c->op == 'D') {
		buf_adds(&store.sql, "DELETE FROM " CHANGE_TABLE " WHERE id=");
		add_literal(&c->id, false);
		buf_adds(&store.sql, ";\n");
		return;
	}
	buf_adds(&store.sql, "REPLACE INTO " CHANGE_TABLE " (");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++)
		buf_printf(&store.sql, "%s%s", i == 0 ? "" : ",", change_columns[i]);
	buf_adds(&store.sql, ") VALUES (");
	for (size_t i = 0; i < CHANGE_COLUMNS; i++) {
		buf_adds(&store.sql, i == 0 ? "" : ",");
		add_literal(&c->v[i], change_kind(i) == 'z');
	}
	buf_adds(&store.sql, ");\n");
}

static void
store_rows(struct change *v, size_t n)
{
	int	more;

	buf_reset(&store.sql);
	for (size_t i = 0; i < n; i++)
		add_statement(&v[i]);
	must_sql(mysql_real_query(store.db, buf_cstr(&store.sql), store.sql.len), "storing");
	while ((more = mysql_next_result(store.db)) == 0)
		;
	must_sql(more > 0 ? more : 0, "storing");
	must_sql(mysql_commit(store.db), "committing");
}

/* --- */

static void
open_store(const char *port, bool set)
{
	unsigned	tcp = MYSQL_PROTOCOL_TCP;

	if ((store.db = mysql_init(NULL)) == NULL)
		die("connecting", "memory is short");
	(void)mysql_options(store.db, MYSQL_OPT_PROTOCOL, &tcp);
	(void)mysql_options(store.db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (mysql_real_connect(store.db, "127.0.0.1", "bench", "bench", "bench", (unsigned)atoi(port), NULL,
	    CLIENT_MULTI_STATEMENTS) == NULL)
		die("connecting", mysql_error(store.db));
	must_sql(mysql_query(store.db, "SET SESSION sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00', autocommit = 0"),
	    "connecting");
	if (set)
		prepare_all();
}

static void
close_store(void)
{
	if (store.upsert != NULL)
		(void)mysql_stmt_close(store.upsert);
	if (store.remove != NULL)
		(void)mysql_stmt_close(store.remove);
	mysql_close(store.db);
	buf_free(&store.texts);
	buf_free(&store.sql);
}

int
main(int argc, char **argv)
{
	return change_main(argc, argv, &(const struct change_store){ open_store, store_set, store_rows, close_store });
}
