/*
 * SQLite: one table per kind of record in one file of the shop's machine.
 *
 *	sqlite:///absolute/path.db?journal=wal&busy_timeout=5000
 *
 * journal is wal (readers do not wait for the writer) or delete; busy_timeout, in
 * milliseconds, is how long a batch waits for somebody else's lock before the worker
 * takes over the waiting.  A host other than localhost is refused rather than
 * ignored: `sqlite://./shop.db` would otherwise quietly mean `/shop.db`.
 *
 * A batch is one transaction, begun with the write lock in hand, and durable when
 * deliver() returns: the journal is synced with the disk at commit.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/sqlite/sqlite_private.h"
#include "ipc/base/clock.h"
#include "ipc/base/url.h"

#define BATCH_EVENTS	1000
#define BATCH_BYTES	((size_t)8 * 1024 * 1024)
#define BUSY_DEFAULT	5000
#define BUSY_MAX	600000

struct lite_url {
	char	*path;
	bool	 wal;
	int64_t	 busy_timeout_ms;
};

/* --- URL --- */

static void
lite_url_free(struct lite_url *u)
{
	free(u->path);
	u->path = NULL;
}

static int
check_names(const char *query, struct err *err)
{
	struct slice	 rest = slice_of(query), one, name;

	while (slice_cut(&rest, '&', &one)) {
		if (!slice_cut(&one, '=', &name) || name.n == 0)
			continue;
		if (!slice_is(name, "journal") && !slice_is(name, "busy_timeout"))
			return err_set(err, ERR_CONFIG, "sqlite URL: unknown parameter \"" SLICE_FMT
			    "\"; known are journal and busy_timeout", SLICE_ARG(name));
	}
	return 0;
}

static int
read_query(const struct url *u, struct lite_url *out, struct err *err)
{
	char		*journal = NULL, *busy = NULL;
	uint64_t	 ms = BUSY_DEFAULT;
	int		 rc = -1;

	out->wal = true;
	if (u->query != NULL && check_names(u->query, err) != 0)
		goto out;
	journal = url_query_get(u, "journal");
	busy = url_query_get(u, "busy_timeout");
	if (journal != NULL && strcmp(journal, "wal") != 0 && strcmp(journal, "delete") != 0) {
		err_set(err, ERR_CONFIG, "sqlite URL: journal must be wal or delete");
		goto out;
	}
	if (busy != NULL && (!slice_u64(slice_of(busy), &ms) || ms > BUSY_MAX)) {
		err_set(err, ERR_CONFIG, "sqlite URL: busy_timeout must be 0 to %d milliseconds", BUSY_MAX);
		goto out;
	}
	out->wal = journal == NULL || strcmp(journal, "wal") == 0;
	out->busy_timeout_ms = (int64_t)ms;
	rc = 0;
out:
	free(journal);
	free(busy);
	return rc;
}

static int
read_path(const struct url *u, struct lite_url *out, struct err *err)
{
	size_t	 n = strlen(u->path);

	if (strcmp(u->scheme, "sqlite") != 0 && strcmp(u->scheme, "sqlite3") != 0)
		return err_set(err, ERR_CONFIG, "sqlite URL: the scheme must be sqlite or sqlite3");
	if (*u->host != '\0' && strcmp(u->host, "localhost") != 0)
		return err_set(err, ERR_CONFIG, "sqlite URL: \"%s\" stands where a host would; write three slashes and an "
		    "absolute path, such as sqlite:///var/lib/eds/shop.db", u->host);
	if (n == 0 || u->path[0] != '/' || u->path[n - 1] == '/')
		return err_set(err, ERR_CONFIG, "sqlite URL: expected the absolute path of the database file, such as "
		    "sqlite:///var/lib/eds/shop.db");
	if ((out->path = strdup(u->path)) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the path of the database");
	return 0;
}

static int
lite_url_parse(struct lite_url *out, const char *text, struct err *err)
{
	struct url	 u;
	int		 rc;

	*out = (struct lite_url){ .path = NULL };
	if (url_parse(&u, slice_of(text), err) != 0) {
		if (err != NULL)
			err->code = ERR_CONFIG;
		return -1;
	}
	rc = read_path(&u, out, err) != 0 || read_query(&u, out, err) != 0 ? -1 : 0;
	url_free(&u);
	if (rc != 0)
		lite_url_free(out);
	return rc;
}

static int
lite_validate(const char *url, struct err *err)
{
	struct lite_url	 u;

	if (lite_url_parse(&u, url, err) != 0)
		return -1;
	lite_url_free(&u);
	return 0;
}

/* --- errors --- */

struct verdict {
	int		 rc;			/* primary result code */
	enum drv_result	 result;
	enum err_code	 code;
	const char	*remedy;
};

static const struct verdict	verdicts[] = {
	{ SQLITE_BUSY,		DRV_RETRY,	ERR_TEMPORARY,	"another program holds the lock" },
	{ SQLITE_LOCKED,	DRV_RETRY,	ERR_TEMPORARY,	"another program holds the lock" },
	{ SQLITE_PROTOCOL,	DRV_RETRY,	ERR_TEMPORARY,	"another program holds the lock" },
	{ SQLITE_INTERRUPT,	DRV_RETRY,	ERR_TEMPORARY,	NULL },
	{ SQLITE_SCHEMA,	DRV_RETRY,	ERR_TEMPORARY,	"another program changed a table" },
	{ SQLITE_NOMEM,		DRV_RETRY,	ERR_NOMEM,	"memory is short" },
	{ SQLITE_IOERR,		DRV_RETRY,	ERR_IO,		"look at the disk" },
	{ SQLITE_FULL,		DRV_RETRY,	ERR_FULL,	"make room on the disk" },
	{ SQLITE_CONSTRAINT,	DRV_REJECT,	ERR_INVALID,	"the table does not accept this row" },
	{ SQLITE_MISMATCH,	DRV_REJECT,	ERR_INVALID,	"the table does not accept this row" },
	{ SQLITE_TOOBIG,	DRV_REJECT,	ERR_TOOBIG,	"the row is larger than SQLite can hold" },
	{ SQLITE_NOTADB,	DRV_CONFIG,	ERR_CONFIG,	"the file is no SQLite database; name another or move it away" },
	{ SQLITE_CORRUPT,	DRV_CONFIG,	ERR_CONFIG,	"restore the file or move it away and import again" },
	{ SQLITE_READONLY,	DRV_CONFIG,	ERR_CONFIG,	"let the worker write to the file and its directory" },
	{ SQLITE_CANTOPEN,	DRV_CONFIG,	ERR_CONFIG,	"let the worker write to the file and its directory" },
	{ SQLITE_PERM,		DRV_CONFIG,	ERR_CONFIG,	"let the worker write to the file and its directory" },
	{ SQLITE_AUTH,		DRV_CONFIG,	ERR_CONFIG,	"let the worker write to the file and its directory" },
	{ SQLITE_ERROR,		DRV_CONFIG,	ERR_CONFIG,	"look at the tables and triggers of the database" },
};

/* SQLite's texts name tables and columns, never values. */
enum drv_result
lite_result(struct drv *d, int rc, struct err *err, const char *doing)
{
	const char	*why;

	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
		return DRV_STORED;
	why = d->db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(d->db);
	for (size_t i = 0; i < NELEM(verdicts); i++)
		if (verdicts[i].rc == (rc & 0xff)) {
			err_set(err, verdicts[i].code, "%s: %s: %s", d->path, doing, why);
			err_remedy(err, verdicts[i].remedy);
			return verdicts[i].result;
		}
	err_set(err, ERR_IO, "%s: %s: %s (result code %d)", d->path, doing, why, rc);
	return DRV_BROKEN;
}

enum drv_result
lite_exec(struct drv *d, const char *sql, struct err *err, const char *doing)
{
	return lite_result(d, sqlite3_exec(d->db, sql, NULL, NULL, NULL), err, doing);
}

/* --- the backend --- */

/* The write lock is in hand from the start, and the catalogue cannot change any more. */
static enum drv_result
lite_begin(struct drv *d, struct err *err)
{
	enum drv_result	 r = lite_exec(d, "BEGIN IMMEDIATE", err, "beginning a transaction");

	return r == DRV_STORED ? lite_catalogue(d, err) : r;
}

static void
lite_undo(struct drv *d)
{
	/* SQLite has rolled back by itself after some errors. */
	if (sqlite3_get_autocommit(d->db) == 0)
		(void)sqlite3_exec(d->db, "ROLLBACK", NULL, NULL, NULL);
}

/* SQLite lets NULL into primary keys unless told otherwise. */
static const struct sql_backend	backend = {
	.dialect = { .open = '"', .close = '"', .create = "CREATE TABLE IF NOT EXISTS", .create_end = "",
	    .add = "ADD COLUMN", .key_not_null = true, .type = lite_type },
	.names		= SQL_NAMES_NOCASE,
	.begin		= lite_begin,
	.read_table	= lite_read_table,
	.ddl		= lite_ddl,
	.apply		= lite_apply,
	.undo		= lite_undo,
	.forget		= lite_cache_flush,
};

const struct sql_dialect *
lite_dialect(void)
{
	return &backend.dialect;
}

/* --- life cycle --- */

/* Waits for somebody's lock, but not when the worker is to end. */
static int
on_busy(void *arg, int tries)
{
	struct drv	*d = arg;

	if (tries == 0)
		d->busy_since = mono_now();
	if (mono_now() - d->busy_since >= d->busy_timeout_ms || d->host->stopping(d->host->ctx))
		return 0;
	(void)poll(NULL, 0, tries < 10 ? 1 + tries : 20);
	return 1;
}

/* An entry made in a directory is on disk once the directory is synced. */
static int
sync_directory(const char *path, struct err *err)
{
	int	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd == -1)
		return errno == EACCES ? 0 : err_sys(err, "open %s", path);
	if (fsync(fd) != 0 && errno != EINVAL)
		rc = err_sys(err, "fsync %s", path);
	(void)close(fd);
	return rc;
}

/* Makes every directory above the file that is missing, and makes sure it stays. */
static int
make_directories(char *path, struct err *err)
{
	char	*parent = path;		/* its closing slash; that of the root at first */
	bool	 made;

	for (char *p = strchr(path + 1, '/'); p != NULL; parent = p, p = strchr(p + 1, '/')) {
		*p = '\0';
		made = mkdir(path, 0755) == 0;
		if (!made && errno != EEXIST)
			return err_sys(err, "cannot make the directory %s for the database", path);
		*p = '/';
		if (!made)
			continue;
		*parent = '\0';
		if (sync_directory(parent == path ? "/" : path, err) != 0)
			return -1;
		*parent = '/';
	}
	return 0;
}

static enum drv_result
open_file(struct drv *d, struct err *err)
{
	int	rc = sqlite3_open_v2(d->path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_EXRESCODE, NULL);

	if (rc != SQLITE_OK)
		return lite_result(d, rc, err, "opening");
	if (sqlite3_db_readonly(d->db, "main") == 1)
		return lite_result(d, SQLITE_READONLY, err, "opening");
	/* An unknown "name" is an error, not a string of that text. */
	(void)sqlite3_db_config(d->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(d->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	(void)sqlite3_busy_handler(d->db, on_busy, d);
	return DRV_STORED;
}

/* Takes and gives back the write lock: a file that cannot be written is better known now. */
static enum drv_result
set_up(struct drv *d, bool wal, struct err *err)
{
	enum drv_result	 r;

	if ((r = lite_exec(d, wal ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE", err, "opening")) != DRV_STORED ||
	    (r = lite_exec(d, "PRAGMA synchronous = EXTRA", err, "opening")) != DRV_STORED ||
	    (r = lite_begin(d, err)) != DRV_STORED)
		return r;
	lite_undo(d);
	if (r == DRV_STORED && stat(d->path, &d->file) != 0) {
		err_sys(err, "%s", d->path);
		r = DRV_RETRY;
	}
	return r;
}

static void
lite_close(struct drv **dp)
{
	struct drv	*d = *dp;

	if (d == NULL)
		return;
	lite_import_free(d);
	sql_stmts_free(&d->cache);
	lite_ddl_close(d);
	(void)sqlite3_close(d->db);
	sql_store_free(&d->store);
	buf_free(&d->scratch);
	free(d->path);
	free(d);
	*dp = NULL;
}

static enum drv_result
lite_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct lite_url	 u;
	struct drv	*d = NULL;
	enum drv_result	 r = DRV_CONFIG;

	if (lite_url_parse(&u, env->url, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	if ((d = calloc(1, sizeof(*d))) == NULL || sql_store_init(&d->store, &backend, d, env, u.path, err) != 0) {
		err_set(err, ERR_NOMEM, "no memory for the state of the driver");
		r = DRV_RETRY;
		goto out;
	}
	d->host = env->host;
	d->cache.drop = lite_stmt_drop;
	d->busy_timeout_ms = u.busy_timeout_ms;
	d->path = u.path;
	u.path = NULL;		/* given away */
	d->schema_cookie = -1;
	if (make_directories(d->path, err) != 0)
		goto out;
	if ((r = open_file(d, err)) == DRV_STORED && (r = set_up(d, u.wal, err)) == DRV_STORED) {
		*drv_r = d;
		d = NULL;	/* given away */
	}
out:
	lite_close(&d);
	lite_url_free(&u);
	return r;
}

/* Opens it and, where there was nothing, leaves nothing. */
static enum drv_result
lite_test(const struct drv_env *env, struct err *err)
{
	static const char *const companions[] = { "", "-wal", "-shm", "-journal" };
	struct lite_url	 u;
	struct drv	*d = NULL;
	struct buf	 path = { 0 };
	enum drv_result	 r;
	bool		 was_there;

	if (lite_url_parse(&u, env->url, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	was_there = access(u.path, F_OK) == 0;
	r = lite_open(&d, env, err);
	lite_close(&d);
	for (size_t i = 0; i < NELEM(companions) && !was_there; i++) {
		buf_reset(&path);
		buf_printf(&path, "%s%s", u.path, companions[i]);
		(void)unlink(buf_cstr(&path));
	}
	buf_free(&path);
	lite_url_free(&u);
	return r;
}

/* --- delivery --- */

/* A file deleted or replaced under us would take what we write with it. */
enum drv_result
lite_check_file(struct drv *d, struct err *err)
{
	struct stat	 now;

	if (stat(d->path, &now) == 0 && now.st_ino == d->file.st_ino && now.st_dev == d->file.st_dev)
		return DRV_STORED;
	err_set(err, ERR_IO, "%s was removed or replaced while in use; it is opened anew", d->path);
	return DRV_BROKEN;
}

static enum drv_result
lite_deliver(struct drv *d, const struct drv_batch *b, struct drv_outcome *out)
{
	enum drv_result	 r;

	*out = (struct drv_outcome){ .index = 0 };
	if ((r = lite_check_file(d, &out->err)) != DRV_STORED)
		return r;
	return sql_store_deliver(&d->store, b, out);
}

const struct driver driver_sqlite = {
	.abi		= DRIVER_ABI,
	.id		= "sqlite",
	.caps		= DRV_CAP_IDEMPOTENT | DRV_CAP_ATOMIC | DRV_CAP_SCHEMA,
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.validate	= lite_validate,
	.open		= lite_open,
	.deliver	= lite_deliver,
	.test		= lite_test,
	.import_begin	= lite_import_begin,
	.import_rows	= lite_import_rows,
	.import_commit	= lite_import_commit,
	.import_end	= lite_import_end,
	.import_abort	= lite_import_abort,
	.close		= lite_close,
};
