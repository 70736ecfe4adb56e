/*
 * The ceiling of an import: rows that are ready in memory, stored the quickest way
 * that is as safe, by one process that does nothing else.
 *
 *	bare_import file DIRECTORY COUNT TEMPLATES
 *	bare_import sqlite DATABASE COUNT TEMPLATES
 *
 * TEMPLATES: the statement that makes the table, then rows; each part is a length (32 bits) and
 * bytes.  A row is a number of cells, and the cells: a document for `file`, for
 * `sqlite` a letter for the type (n null, i integer, d double, t text) and its text.  In
 * all of them MARK stands for the row's number.  Prints the seconds.
 */

#include <fcntl.h>
#include <sqlite3.h>
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
	c.mark = strstr(c.text, MARK);
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
	char	 temporary[64], name[64];
	int	 base, fd;

	(void)mkdir(dir, 0755);
	if ((base = open(dir, O_RDONLY | O_DIRECTORY)) == -1)
		die(dir);
	for (size_t from = 0; from < count; from += BATCH) {
		size_t to = from + BATCH < count ? from + BATCH : count;

		for (size_t i = from; i < to; i++) {
			const struct cell *c = &number_row(i)->v[0];

			(void)snprintf(temporary, sizeof(temporary), ".t-%zu", i - from);
			if ((fd = openat(base, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644)) == -1 ||
			    write(fd, c->text, c->n) != (ssize_t)c->n || close(fd) == -1)
				die("write");
		}
		if (syncfs(base) == -1)
			die("syncfs");
		for (size_t i = from; i < to; i++) {
			(void)snprintf(temporary, sizeof(temporary), ".t-%zu", i - from);
			(void)snprintf(name, sizeof(name), "1720549683-%08zu.json", i);
			if (renameat(base, temporary, base, name) == -1)
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

int
main(int argc, char **argv)
{
	struct timespec	 from, to;

	if (argc != 5) {
		(void)fprintf(stderr, "usage: bare_import file|sqlite TARGET COUNT TEMPLATES\n");
		return 1;
	}
	read_templates(argv[4]);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	if (strcmp(argv[1], "file") == 0)
		write_files(argv[2], strtoull(argv[3], NULL, 10));
	else
		write_sqlite(argv[2], strtoull(argv[3], NULL, 10));
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	(void)printf("%.3f\n", (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return 0;
}
