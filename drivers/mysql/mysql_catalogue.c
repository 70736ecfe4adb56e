/*
 * Tables of the database and the types of their columns:
 *
 *	property		types=wide			types=classic, as the Go server
 *	string, other		LONGTEXT			TEXT
 *	date-time		DATETIME(6), in UTC		TIMESTAMP
 *	integer			BIGINT				BIGINT
 *	number			DOUBLE				FLOAT
 *	boolean			BOOLEAN				BOOLEAN
 *	object, array		JSON				JSON
 *	array with enum		VARCHAR(64)			VARCHAR(64)
 *	primary key of text	VARCHAR(64), binary order	VARCHAR(64)
 *
 * With json=text MySQL's JSON is LONGTEXT, as it is in MariaDB; the type of its own rounds numbers of more than 64 bits,
 * which are therefore refused.  Tables that are there keep the types they have; mysql_value.c looks at those.
 */

#include <mariadb/mysqld_error.h>

#include "drivers/mysql/mysql_private.h"
#include "drivers/sql/quote.h"

/* --- types --- */

static const char *
type_of(const struct sql_column *c, bool as_key, const char *key, bool classic)
{
	switch (c->kind) {
	case SQL_INTEGER:
		return "BIGINT";
	case SQL_NUMBER:
		return classic ? "FLOAT" : "DOUBLE";
	case SQL_BOOLEAN:
		return "BOOLEAN";
	case SQL_ENUM_ARRAY:
		return as_key ? key : "VARCHAR(64)";
	case SQL_DATETIME:
		return as_key ? key : classic ? "TIMESTAMP" : "DATETIME(6)";
	case SQL_OBJECT:
	case SQL_ARRAY:
		return as_key ? key : "JSON";
	case SQL_STRING:
	case SQL_OTHER:
		break;
	}
	return as_key ? key : classic ? "TEXT" : "LONGTEXT";
}

/*
 * Keys are compared byte by byte and with their trailing blanks: by most orders `a` and `A` are
 * one key, and by most of the others `a` and `a ` are.
 */
static const char *
type_mariadb(const struct sql_column *c, bool as_key)
{
	return type_of(c, as_key, "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", false);
}

static const char *
type_mysql8(const struct sql_column *c, bool as_key)
{
	return type_of(c, as_key, "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin", false);
}

static const char *
type_other(const struct sql_column *c, bool as_key)
{
	return type_of(c, as_key, "VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", false);
}

static const char *
type_mysql8_text(const struct sql_column *c, bool as_key)
{
	return sql_kind_is_json(c->kind) && !as_key ? "LONGTEXT" : type_mysql8(c, as_key);
}

static const char *
type_other_text(const struct sql_column *c, bool as_key)
{
	return sql_kind_is_json(c->kind) && !as_key ? "LONGTEXT" : type_other(c, as_key);
}

static const char *
type_classic(const struct sql_column *c, bool as_key)
{
	return type_of(c, as_key, "VARCHAR(64)", true);
}

/* utf8mb4_0900_bin came with 8.0.17, utf8mb4_nopad_bin with MariaDB 10.2. */
void
my_dialect(struct drv *d)
{
	unsigned long	 version = mysql_get_server_version(d->db);

	if (d->url.classic)
		d->backend.dialect.type = type_classic;
	else if (mariadb_connection(d->db))
		d->backend.dialect.type = version >= 100200 ? type_mariadb : type_other;
	else
		d->backend.dialect.type = version >= 80017 ? (d->url.json_text ? type_mysql8_text : type_mysql8) :
		    d->url.json_text ? type_other_text : type_other;
	d->backend.dialect.create_end = d->url.classic ? " CHARACTER SET=utf8mb4" :
	    " ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4";
}

/* --- reading --- */

/* The columns of SHOW FULL COLUMNS. */
enum { AT_NAME, AT_TYPE, AT_COLLATION, AT_NULL, AT_KEY, AT_DEFAULT, AT_EXTRA, AT_END };
#define AT_INDEX	2	/* the index's name in SHOW INDEX */

static struct slice
field(MYSQL_ROW row, const unsigned long *lengths, unsigned at)
{
	return (struct slice){ row[at] == NULL ? "" : row[at], row[at] == NULL ? 0 : lengths[at] };
}

static void
describe(MYSQL_ROW row, const unsigned long *n, struct sql_found *c)
{
	struct slice	 extra = field(row, n, AT_EXTRA);
	bool		 not_null = slice_is(field(row, n, AT_NULL), "NO");
	struct my_type	 t = my_type_make(field(row, n, AT_TYPE), field(row, n, AT_COLLATION), extra, not_null);

	*c = (struct sql_found){ .name = field(row, n, AT_NAME), .type = my_type_pack(t), .size = t.size,
	    .demands = not_null && row[AT_DEFAULT] == NULL && memmem(extra.p, extra.n, "auto_increment", 14) == NULL,
	    .key = slice_is(field(row, n, AT_KEY), "PRI") };
}

static enum drv_result
read_columns(MYSQL_RES *res, struct sql_reading *rd, struct err *err)
{
	struct sql_found	 c;
	enum drv_result		 r = DRV_STORED;
	MYSQL_ROW		 row;

	while (r == DRV_STORED && (row = mysql_fetch_row(res)) != NULL) {
		describe(row, mysql_fetch_lengths(res), &c);
		r = sql_reading_column(rd, &c, err);
	}
	return r;
}

/*
 * ON DUPLICATE KEY UPDATE changes whichever row is in the way, by any unique index.  Ours have none but the
 * key; the operator is told of others.
 */
static enum drv_result
warn_of_unique(struct drv *d, struct slice table, const char *quoted, struct err *err)
{
	struct buf	 sql = { 0 };
	enum drv_result	 r;
	MYSQL_RES	*res;
	MYSQL_ROW	 row;

	buf_printf(&sql, "SHOW INDEX FROM %s WHERE Non_unique = 0 AND Key_name <> 'PRIMARY'", quoted);
	r = my_exec(d, buf_cstr(&sql), "reading the catalogue", err);
	buf_free(&sql);
	if (r != DRV_STORED)
		return r;
	if ((res = mysql_store_result(d->db)) == NULL)
		return my_result(d, my_fault(d), "reading the catalogue", NULL, err);
	if ((row = mysql_fetch_row(res)) != NULL && row[AT_INDEX] != NULL && !my_told(d, 'u', table))
		log_warn(d->log, "table " SLICE_FMT " has a unique index besides its primary key, %s: a change with a value that "
		    "another row has there changes that row instead of its own; make it an index that is not unique",
		    SLICE_ARG(table), row[AT_INDEX]);
	mysql_free_result(res);
	return DRV_STORED;
}

enum drv_result
my_read_table(struct drv *d, struct slice table, struct sql_reading *rd, struct err *err)
{
	static const char show[] = "SHOW FULL COLUMNS FROM ";
	struct buf	 sql = { 0 };
	MYSQL_RES	*res = NULL;
	enum drv_result	 r = DRV_STORED;

	buf_adds(&sql, show);
	if (sql_quote_with(&sql, table, '`', '`', err) != 0)
		r = DRV_REJECT;
	else if (mysql_query(d->db, buf_cstr(&sql)) != 0 || (res = mysql_store_result(d->db)) == NULL) {
		if (mysql_errno(d->db) != ER_NO_SUCH_TABLE)
			r = my_result(d, my_fault(d), "reading the catalogue", NULL, err);
	} else if (mysql_num_fields(res) >= AT_END) {
		r = read_columns(res, rd, err);
		if (r == DRV_STORED)
			r = warn_of_unique(d, table, buf_cstr(&sql) + strlen(show), err);
	}
	mysql_free_result(res);
	buf_free(&sql);
	return r;
}

/* --- changing --- */

/* Somebody else was quicker: the table is read again anyway. */
static bool
is_done(unsigned number)
{
	return number == ER_TABLE_EXISTS_ERROR || number == ER_DUP_FIELDNAME;
}

/*
 * InnoDB refuses a table whose rows, with every text at its longest, might not fit a page.  A shop's widest tables are
 * among them, and their rows are not: then it is told to look at the rows.
 */
static int
run_ddl(struct drv *d, const char *sql, bool *forbidden_r)
{
	*forbidden_r = false;
	if (mysql_query(d->db, sql) == 0)
		return 0;
	if (mysql_errno(d->db) != ER_TOO_BIG_ROWSIZE)
		return -1;
	if (mysql_query(d->db, "SET SESSION innodb_strict_mode = OFF") == 0)
		return mysql_query(d->db, sql);
	*forbidden_r = mysql_errno(d->db) == ER_SPECIFIC_ACCESS_DENIED_ERROR;
	return -1;
}

enum drv_result
my_ddl(struct drv *d, const char *sql, struct err *err)
{
	bool	 forbidden;

	if (run_ddl(d, sql, &forbidden) == 0 || is_done(mysql_errno(d->db)))
		return DRV_STORED;
	if (forbidden) {
		err_set(err, ERR_CONFIG, "%s: changing a table: with every text at its longest its rows would not fit a page; GRANT "
		    "SESSION_VARIABLES_ADMIN ON *.* to the user, so that innodb_strict_mode can be turned off for it, or turn that "
		    "off in the server", d->store.where);
		return d->proven ? DRV_RETRY : DRV_CONFIG;
	}
	return my_result(d, my_fault(d), "changing a table", NULL, err);
}
