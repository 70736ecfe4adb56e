/*
 * db-lib, as much of it as is needed, around its ways (FreeTDS 1.3.17, measured):
 *
 *  - Encryption is set in freetds.conf only.  It gets one of its own, in memory, named by FREETDSCONF.
 *  - Parameters of type XSYBNVARCHAR are cut to 4,000 characters without a word.  SYBNTEXT goes out as
 *    NVARCHAR(MAX), whole; but an empty one becomes NULL.
 *  - Without handlers it prints to standard error, and ends the process at a time-out.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/sqlserver/sqlserver_conn.h"
#include "drivers/sqlserver/sqlserver_error.h"

#define MAX_COLUMNS	16

/* dbopen() calls the handlers before there is a DBPROCESS that could carry the address. */
static struct ms_conn	*opening;

static struct ms_conn *
conn_of(DBPROCESS *db)
{
	struct ms_conn	*c = db == NULL ? NULL : (struct ms_conn *)(void *)dbgetuserdata(db);

	return c == NULL ? opening : c;
}

/* --- handlers --- */

static int
on_error(DBPROCESS *db, int severity, int number, int os_number, char *text, char *os_text)
{
	struct ms_conn	*c = conn_of(db);

	(void)severity;
	(void)os_number;
	/* SYBESMSG only says that the server said something. */
	if (c != NULL && c->library == 0 && number != SYBESMSG) {
		c->library = number;
		if (c->number == 0)
			(void)snprintf(c->words, sizeof(c->words), "%s%s%s", text == NULL ? "unknown error" : text,
			    os_text == NULL || os_number == 0 ? "" : ": ", os_text == NULL || os_number == 0 ? "" : os_text);
	}
	return INT_CANCEL;
}

/* Severities up to 10 are not errors.  3621, "the statement has been terminated", follows others. */
static int
on_message(DBPROCESS *db, DBINT number, int state, int severity, char *text, char *server, char *procedure, int line)
{
	struct ms_conn	*c = conn_of(db);

	(void)state;
	(void)server;
	(void)procedure;
	(void)line;
	if (c == NULL)
		return 0;
	if (number == 0 && severity == 0)
		c->mark = strtol(text, NULL, 10);
	if (severity > 10 && c->number == 0 && number != 3621) {
		c->number = number;
		c->severity = severity;
		(void)snprintf(c->words, sizeof(c->words), "%s", text);
		ms_words_without_values(c->words);
	}
	return 0;
}

/* Asked about once a second while an answer is awaited. */
static int
is_stopping(void *db)
{
	const struct ms_conn	*c = conn_of(db);

	return c != NULL && c->host != NULL && c->host->stopping(c->host->ctx);
}

static int
on_stopping(void *db)
{
	(void)db;
	return INT_CANCEL;
}

/* --- life cycle --- */

int
ms_conn_init(struct ms_conn *c, struct ms_url *url, const struct drv_env *env, struct err *err)
{
	struct buf	 where = { 0 };

	*c = (struct ms_conn){ .host = env->host, .conf_fd = -1 };
	buf_printf(&where, "%s/%s", url->host, url->database);
	if ((c->where = buf_steal(&where)) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the connection");
	if (dbinit() != SUCCEED) {
		free(c->where);
		return err_set(err, ERR_NOMEM, "FreeTDS cannot be started: memory is short");
	}
	(void)dberrhandle(on_error);
	(void)dbmsghandle(on_message);
	c->url = *url;
	*url = (struct ms_url){ .user = NULL };		/* given away */
	return 0;
}

void
ms_conn_free(struct ms_conn *c)
{
	ms_conn_close(c);
	if (c->where == NULL)
		return;			/* never initialised */
	dbexit();
	if (c->conf_fd != -1)
		(void)close(c->conf_fd);
	ms_url_free(&c->url);
	free(c->where);
	c->where = NULL;
}

/* Nothing of it is secret; user and password go by other ways. */
static int
write_conf(struct ms_conn *c, struct err *err)
{
	struct buf	 conf = { 0 };
	char		 path[32];
	int		 rc = -1;

	if (c->conf_fd != -1)
		return 0;
	ms_url_conf(&c->url, &conf);
	if (conf.oom)
		err_set(err, ERR_NOMEM, "no memory for the settings of FreeTDS");
	else if ((c->conf_fd = memfd_create("freetds.conf", MFD_CLOEXEC)) == -1 ||
	    write(c->conf_fd, conf.data, conf.len) != (ssize_t)conf.len)
		err_sys(err, "settings of FreeTDS in memory");
	else {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", c->conf_fd);
		rc = setenv("FREETDSCONF", path, 1) == 0 ? 0 : err_sys(err, "FREETDSCONF");
	}
	buf_free(&conf);
	return rc;
}

static LOGINREC *
make_login(const struct ms_conn *c)
{
	const struct ms_url	*u = &c->url;
	LOGINREC		*l = dblogin();

	if (l == NULL)
		return NULL;
	if (DBSETLUSER(l, u->user) == SUCCEED && DBSETLPWD(l, u->password) == SUCCEED && DBSETLAPP(l, u->app) == SUCCEED &&
	    DBSETLCHARSET(l, "UTF-8") == SUCCEED && DBSETLPACKET(l, u->packet) == SUCCEED &&
	    dbsetlversion(l, DBVERSION_74) == SUCCEED &&
	    (*u->database == '\0' || DBSETLDBNAME(l, u->database) == SUCCEED))
		return l;
	dbloginfree(l);
	return NULL;
}

static void
forget_errors(struct ms_conn *c)
{
	c->number = c->severity = c->library = 0;
	c->stale = false;
	c->mark = 0;
	(void)snprintf(c->words, sizeof(c->words), "the connection failed");
}

static enum drv_result
check_ca(const struct ms_conn *c, struct err *err)
{
	if (c->url.ca == NULL || access(c->url.ca, R_OK) == 0)
		return DRV_STORED;
	err_set(err, ERR_CONFIG, "the certificates that the URL's `certificate` names cannot be read: %s: %s", c->url.ca,
	    strerror(errno));
	return DRV_CONFIG;
}

enum drv_result
ms_conn_open(struct ms_conn *c, struct err *err)
{
	struct buf	 server = { 0 };
	LOGINREC	*login = NULL;
	enum drv_result	 r = check_ca(c, err);

	if (r != DRV_STORED)
		return r;
	r = DRV_RETRY;
	if (write_conf(c, err) != 0)
		goto out;
	ms_url_server(&c->url, &server);
	if (server.oom || (login = make_login(c)) == NULL) {
		err_set(err, ERR_CONFIG, "FreeTDS does not accept the user, the password or the database of the URL: one of "
		    "them is too long");
		r = DRV_CONFIG;
		goto out;
	}
	(void)dbsetlogintime(c->url.login_s);
	(void)dbsettime(c->url.answer_s);
	forget_errors(c);
	opening = c;
	c->db = dbopen(login, buf_cstr(&server));
	opening = NULL;
	if (c->db == NULL) {
		r = ms_verdict(c, true, "connecting", err);
		goto out;
	}
	dbsetuserdata(c->db, (BYTE *)c);
	dbsetinterrupt(c->db, is_stopping, on_stopping);
	r = DRV_STORED;
out:
	if (login != NULL)
		dbloginfree(login);
	buf_free(&server);
	return r;
}

void
ms_conn_close(struct ms_conn *c)
{
	if (c->db != NULL)
		dbclose(c->db);
	c->db = NULL;
}

/* After a time-out the server may still be at it; a severity of 20 or more ends the connection. */
bool
ms_conn_is_broken(const struct ms_conn *c)
{
	return c->db == NULL || c->library != 0 || c->severity >= 20 || DBDEAD(c->db);
}

/* --- requests --- */

static enum drv_result
take_rows(struct ms_conn *c, ms_row_fn fn, void *arg, struct err *err)
{
	struct slice	 columns[MAX_COLUMNS];
	size_t		 n = (size_t)dbnumcols(c->db);
	enum drv_result	 r = DRV_STORED;

	if (n > MAX_COLUMNS)
		n = MAX_COLUMNS;
	while (dbnextrow(c->db) == REG_ROW) {
		for (size_t i = 0; i < n; i++) {
			columns[i].p = (const char *)dbdata(c->db, (int)i + 1);
			columns[i].n = (size_t)dbdatlen(c->db, (int)i + 1);
		}
		if (r == DRV_STORED && fn != NULL)
			r = fn(arg, columns, n, err);
	}
	return r;
}

/* Every result is read to its end: errors may come late. */
static enum drv_result
finish(struct ms_conn *c, bool sent, ms_row_fn fn, void *arg, const char *doing, struct err *err)
{
	enum drv_result	 r = DRV_STORED, rows;
	RETCODE		 rc = FAIL;

	if (sent) {
		(void)dbsqlok(c->db);
		while ((rc = dbresults(c->db)) != NO_MORE_RESULTS && !DBDEAD(c->db)) {
			rows = rc == FAIL ? DRV_STORED : take_rows(c, fn, arg, err);
			if (r == DRV_STORED)
				r = rows;
			if (rc == FAIL)
				break;
		}
	}
	if (c->number == 0 && c->library == 0 && rc == NO_MORE_RESULTS)
		return r;
	if (!DBDEAD(c->db))
		(void)dbcancel(c->db);
	return ms_verdict(c, false, doing, err);
}

static enum drv_result
not_connected(const struct ms_conn *c, struct err *err)
{
	err_set(err, ERR_TEMPORARY, "%s: the connection is gone", c->where);
	return DRV_RETRY;
}

enum drv_result
ms_batch(struct ms_conn *c, const char *sql, ms_row_fn fn, void *arg, const char *doing, struct err *err)
{
	bool	 sent;

	if (c->db == NULL)
		return not_connected(c, err);
	forget_errors(c);
	dbfreebuf(c->db);
	sent = dbcmd(c->db, sql) == SUCCEED && dbsqlsend(c->db) == SUCCEED;
	return finish(c, sent, fn, arg, doing, err);
}

static bool
add_param(DBPROCESS *db, const char *name, struct slice text)
{
	return text.n > 0 && text.n <= INT32_MAX &&
	    dbrpcparam(db, name, 0, SYBNTEXT, -1, (DBINT)text.n, (BYTE *)(uintptr_t)text.p) == SUCCEED;
}

enum drv_result
ms_call(struct ms_conn *c, const char *sql, const char *declared, const struct ms_param *params, size_t n, ms_row_fn fn,
    void *arg, const char *doing, struct err *err)
{
	bool	 sent;

	if (c->db == NULL)
		return not_connected(c, err);
	forget_errors(c);
	sent = dbrpcinit(c->db, "sp_executesql", 0) == SUCCEED && add_param(c->db, "", slice_of(sql)) &&
	    add_param(c->db, "", slice_of(declared));
	for (size_t i = 0; sent && i < n; i++)
		sent = add_param(c->db, params[i].name, params[i].text);
	sent = sent && dbrpcsend(c->db) == SUCCEED;
	if (!sent)
		(void)dbrpcinit(c->db, NULL, DBRPCRESET);
	return finish(c, sent, fn, arg, doing, err);
}
