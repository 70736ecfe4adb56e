/*
 * The ceiling of an import: rows that are ready in memory, stored the quickest way
 * that is as safe, by one process that does nothing else.
 *
 *	bare_import file DIRECTORY COUNT TEMPLATES
 *	bare_import sqlite DATABASE COUNT TEMPLATES
 *	bare_import postgres URL COUNT TEMPLATES		one COPY
 *	bare_import mariadb PORT COUNT TEMPLATES		one LOAD DATA LOCAL, as bench/bench in the database "bench"
 *
 * TEMPLATES: a statement (for SQLite the one that makes the table, for the others the one that loads), then rows;
 * each part is a length (32 bits) and bytes.  A row is a number of cells, and the cells: for `file`
 * the name and the document; for `sqlite` a letter for the type (n null, i integer, d double, t text) and its text; for
 * the servers the whole row, with what ends it.  In all of them MARK stands for the row's number.  Prints the seconds.
 */

#include <fcntl.h>
#include <libpq-fe.h>
#include <mariadb/mysql.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MARK		"########"
#define BATCH		1000u		/* files, after which the disk has them */
#define TRANSACTION	50000u		/* rows */
#define CHUNK		((size_t)64 << 10)	/* bytes at once to a server */

struct cell {
	char	*text;
	size_t	 n;
	char	*mark;		/* NULL: none in it */
};

struct row {
	struct cell	*v;
	uint32_t	 n;
};

static struct cell	 ddl;
static struct row	*rows;
static size_t		 n_rows;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static uint32_t
read_u32(FILE *f)
{
	uint32_t	 v;

	if (fread(&v, sizeof(v), 1, f) != 1)
		die("templates");
	return v;
}

static struct cell
read_cell(FILE *f)
{
	struct cell	 c = { .n = read_u32(f) };

	if ((c.text = malloc(c.n + 1)) == NULL || fread(c.text, 1, c.n, f) != c.n)
		die("templates");
	c.text[c.n] = '\0';
	c.mark = memmem(c.text, c.n, MARK, sizeof(MARK) - 1);
	return c;
}

static void
read_templates(const char *path)
{
	FILE	*f = fopen(path, "r");

	if (f == NULL)
		die(path);
	ddl = read_cell(f);
	n_rows = read_u32(f);
	if ((rows = calloc(n_rows, sizeof(*rows))) == NULL)
		die("templates");
	for (size_t i = 0; i < n_rows; i++) {
		rows[i].n = read_u32(f);
		if ((rows[i].v = calloc(rows[i].n, sizeof(*rows[i].v))) == NULL)
			die("templates");
		for (uint32_t k = 0; k < rows[i].n; k++)
			rows[i].v[k] = read_cell(f);
	}
	(void)fclose(f);
}

static const struct row *
number_row(size_t i)
{
	struct row	*r = &rows[i % n_rows];
	char		 number[sizeof(MARK) + 16];

	(void)snprintf(number, sizeof(number), "%08zu", i);
	for (uint32_t k = 0; k < r->n; k++)
		if (r->v[k].mark != NULL)
			(void)memcpy(r->v[k].mark, number, sizeof(MARK) - 1);
	return r;
}

static void
write_files(const char *dir, size_t count)
{
	char	 temporary[64];
	int	 base, fd;

	(void)mkdir(dir, 0755);
	if ((base = open(dir, O_RDONLY | O_DIRECTORY)) == -1)
		die(dir);
	for (size_t from = 0; from < count; from += BATCH) {
		size_t to = from + BATCH < count ? from + BATCH : count;

		for (size_t i = from; i < to; i++) {
			const struct cell *c = &number_row(i)->v[1];

			(void)snprintf(temporary, sizeof(temporary), ".t-%zu", i - from);
			if ((fd = openat(base, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644)) == -1 ||
			    write(fd, c->text, c->n) != (ssize_t)c->n || close(fd) == -1)
				die("write");
		}
		if (syncfs(base) == -1)
			die("syncfs");
		for (size_t i = from; i < to; i++) {
			(void)snprintf(temporary, sizeof(temporary), ".t-%zu", i - from);
			if (renameat(base, temporary, base, number_row(i)->v[0].text) == -1)
				die("rename");
		}
		if (fsync(base) == -1)
			die("fsync");
	}
}

static void
run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		(void)fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
		exit(1);
	}
}

static void
bind(sqlite3_stmt *s, int at, const struct cell *c)
{
	switch (c->text[0]) {
	case 'n':
		(void)sqlite3_bind_null(s, at);
		break;
	case 'i':
		(void)sqlite3_bind_int64(s, at, atoll(c->text + 1));
		break;
	case 'd':
		(void)sqlite3_bind_double(s, at, atof(c->text + 1));
		break;
	default:
		(void)sqlite3_bind_text(s, at, c->text + 1, (int)c->n - 1, SQLITE_STATIC);
	}
}

static void
write_sqlite(const char *path, size_t count)
{
	sqlite3		*db;
	sqlite3_stmt	*s;
	char		 sql[4096] = "INSERT INTO bench VALUES (?";

	for (uint32_t k = 1; k < rows[0].n; k++)
		(void)strcat(sql, ",?");
	(void)strcat(sql, ")");
	if (sqlite3_open(path, &db) != SQLITE_OK)
		die(path);
	run(db, "PRAGMA journal_mode = WAL");
	run(db, "PRAGMA synchronous = EXTRA");
	run(db, "PRAGMA cache_size = -24576");
	run(db, ddl.text);
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		die(sqlite3_errmsg(db));
	for (size_t i = 0; i < count; i++) {
		const struct row *r = number_row(i);

		if (i % TRANSACTION == 0)
			run(db, i == 0 ? "BEGIN" : "COMMIT; BEGIN");
		for (uint32_t k = 0; k < r->n; k++)
			bind(s, (int)k + 1, &r->v[k]);
		if (sqlite3_step(s) != SQLITE_DONE)
			die(sqlite3_errmsg(db));
		(void)sqlite3_reset(s);
	}
	run(db, "COMMIT");
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(db);
}

/* --- servers --- */

static char	*chunk;
static size_t	 chunk_n, chunk_cap, chunk_at;

/* Rows from the `at`-th on, until there are enough bytes for one call; the first that is not among them. */
static size_t
fill_chunk(size_t at, size_t count)
{
	for (chunk_n = 0; at < count && chunk_n < CHUNK; at++) {
		const struct cell *c = &number_row(at)->v[0];

		if (chunk_n + c->n > chunk_cap && (chunk = realloc(chunk, chunk_cap = CHUNK + 2 * c->n)) == NULL)
			die("memory");
		(void)memcpy(chunk + chunk_n, c->text, c->n);
		chunk_n += c->n;
	}
	chunk_at = 0;
	return at;
}

static void
pg_die(PGconn *db)
{
	(void)fprintf(stderr, "%s", PQerrorMessage(db));
	exit(1);
}

static void
pg_put(PGconn *db, const char *bytes, size_t n)
{
	if (PQputCopyData(db, bytes, (int)n) != 1)
		pg_die(db);
}

static void
write_postgres(const char *url, size_t count)
{
	static const char	 start[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0", end[] = "\377\377";
	PGconn			*db = PQconnectdb(url);
	bool			 binary = strstr(ddl.text, "BINARY") != NULL;

	if (PQstatus(db) != CONNECTION_OK || PQresultStatus(PQexec(db, ddl.text)) != PGRES_COPY_IN)
		pg_die(db);
	if (binary)
		pg_put(db, start, sizeof(start) - 1);
	for (size_t at = 0; at < count; ) {
		at = fill_chunk(at, count);
		pg_put(db, chunk, chunk_n);
	}
	if (binary)
		pg_put(db, end, sizeof(end) - 1);
	if (PQputCopyEnd(db, NULL) != 1 || PQresultStatus(PQgetResult(db)) != PGRES_COMMAND_OK)
		pg_die(db);
	PQfinish(db);
}

static size_t	 infile_row, infile_count;

static int
infile_init(void **state, const char *name, void *arg)
{
	(void)name;
	*state = arg;
	return 0;
}

static int
infile_read(void *state, char *to, unsigned room)
{
	size_t	 n;

	(void)state;
	if (chunk_at == chunk_n)
		infile_row = fill_chunk(infile_row, infile_count);
	n = chunk_n - chunk_at < room ? chunk_n - chunk_at : room;
	(void)memcpy(to, chunk + chunk_at, n);
	chunk_at += n;
	return (int)n;
}

static void
infile_end(void *state)
{
	(void)state;
}

static int
infile_error(void *state, char *text, unsigned room)
{
	(void)state;
	(void)snprintf(text, room, "no error");
	return 0;
}

static void
write_mariadb(const char *port, size_t count)
{
	MYSQL		*db = mysql_init(NULL);
	unsigned	 on = 1, protocol = MYSQL_PROTOCOL_TCP;

	infile_count = count;
	(void)mysql_optionsv(db, MYSQL_OPT_LOCAL_INFILE, &on);
	(void)mysql_optionsv(db, MYSQL_OPT_PROTOCOL, &protocol);
	(void)mysql_optionsv(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (mysql_real_connect(db, "127.0.0.1", "bench", "bench", "bench", (unsigned)atoi(port), NULL, CLIENT_LOCAL_FILES) == NULL) {
		(void)fprintf(stderr, "%s\n", mysql_error(db));
		exit(1);
	}
	mysql_set_local_infile_handler(db, infile_init, infile_read, infile_end, infile_error, NULL);
	if (mysql_query(db, ddl.text) != 0 || mysql_affected_rows(db) != count) {
		(void)fprintf(stderr, "%s; %llu rows\n", mysql_error(db), (unsigned long long)mysql_affected_rows(db));
		exit(1);
	}
	mysql_close(db);
}

static const struct {
	const char	*name;
	void		(*write)(const char *target, size_t count);
} kinds[] = {
	{ "file", write_files }, { "sqlite", write_sqlite }, { "postgres", write_postgres }, { "mariadb", write_mariadb },
};

int
main(int argc, char **argv)
{
	struct timespec	 from, to;

	if (argc != 5) {
		(void)fprintf(stderr, "usage: bare_import file|sqlite|postgres|mariadb TARGET COUNT TEMPLATES\n");
		return 1;
	}
	read_templates(argv[4]);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			kinds[i].write(argv[2], strtoull(argv[3], NULL, 10));
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	(void)printf("%.3f\n", (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return 0;
}
