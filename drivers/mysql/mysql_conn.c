/* The connection: how it is made, and what every session is told first. */

#include <mariadb/errmsg.h>
#include <stdlib.h>

#include "drivers/mysql/mysql_private.h"

#define CONNECT_S	10
#define READ_S		120
#define WRITE_S		120
#define IDLE_MS		10000		/* after that it is asked whether it is still there */
#define LEAST_PACKET	((size_t)64 * 1024)
#define MOST_PACKET	((size_t)8 * 1024 * 1024)
#define CLIENT_PACKET	((size_t)1024 * 1024 * 1024)

/*
 * Everything that changes what a value becomes, so that the server's defaults do not matter:
 * without NO_BACKSLASH_ESCAPES or ANSI_QUOTES, errors instead of cut and rounded values, UTC.
 * NO_AUTO_VALUE_ON_ZERO: a 0 stays 0.  Locks are waited for in the worker, where it shows.
 */
static const char *const	settings[] = {
	"SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
	    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 0, "
	    "innodb_lock_wait_timeout = 10, lock_wait_timeout = 30, net_read_timeout = 120, net_write_timeout = 120",
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
};

struct my_fault
my_fault(struct drv *d)
{
	return (struct my_fault){ mysql_errno(d->db), mysql_sqlstate(d->db), mysql_error(d->db) };
}

enum drv_result
my_exec(struct drv *d, const char *sql, const char *doing, struct err *err)
{
	if (mysql_query(d->db, sql) != 0)
		return my_result(d, my_fault(d), doing, NULL, err);
	d->used = mono_now();
	return DRV_STORED;
}

void
my_rollback(struct drv *d)
{
	if (d->db != NULL && !d->lost && mysql_rollback(d->db) != 0)
		d->lost = true;
}

void
my_disconnect(struct drv *d)
{
	sql_stmts_flush(&d->stmts);
	if (d->db != NULL)
		mysql_close(d->db);
	d->db = NULL;
	d->lost = false;
}

/* --- options --- */

static void
set_number(MYSQL *db, enum mysql_option option, unsigned value)
{
	(void)mysql_optionsv(db, option, &value);
}

/*
 * The methods by which a password may be asked for: none that shows it to the server, unless
 * the URL says so.
 */
static void
set_auth(struct drv *d, MYSQL *db)
{
	(void)mysql_optionsv(db, MARIADB_OPT_RESTRICTED_AUTH, d->url.cleartext ?
	    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,mysql_clear_password,dialog" :
	    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519");
}

static void
set_tls(struct drv *d, MYSQL *db)
{
	my_bool	 on = 1, verify = d->url.tls == MY_TLS_VERIFY;

	if (d->url.tls == MY_TLS_OFF)
		return;
	(void)mysql_optionsv(db, MYSQL_OPT_SSL_ENFORCE, &on);
	(void)mysql_optionsv(db, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	(void)mysql_optionsv(db, MYSQL_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
	if (d->url.ca != NULL)
		(void)mysql_optionsv(db, MYSQL_OPT_SSL_CA, d->url.ca);
	if (d->url.cert != NULL)
		(void)mysql_optionsv(db, MYSQL_OPT_SSL_CERT, d->url.cert);
	if (d->url.key != NULL)
		(void)mysql_optionsv(db, MYSQL_OPT_SSL_KEY, d->url.key);
}

static void
set_options(struct drv *d, MYSQL *db)
{
	const struct my_url	*u = &d->url;
	size_t			 packet = CLIENT_PACKET;

	/* Never the Unix socket that "localhost" means to the library, unless it was named. */
	set_number(db, MYSQL_OPT_PROTOCOL, u->socket != NULL ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP);
	set_number(db, MYSQL_OPT_LOCAL_INFILE, 0);	/* the server could ask for any file of ours */
	set_number(db, MYSQL_OPT_CONNECT_TIMEOUT, u->connect_s > 0 ? u->connect_s : CONNECT_S);
	set_number(db, MYSQL_OPT_READ_TIMEOUT, u->read_s > 0 ? u->read_s : READ_S);
	set_number(db, MYSQL_OPT_WRITE_TIMEOUT, u->write_s > 0 ? u->write_s : WRITE_S);
	(void)mysql_optionsv(db, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_optionsv(db, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	(void)mysql_optionsv(db, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "eds");
	set_auth(d, db);
	set_tls(d, db);
}

/* --- the server --- */

/* Only MariaDB takes arrays; the header's own macro for the question does not compile. */
static bool
takes_arrays(MYSQL *db)
{
	unsigned long	 caps = 0;

	return mariadb_get_infov(db, MARIADB_CONNECTION_EXTENDED_SERVER_CAPABILITIES, &caps) == 0 &&
	    (caps & (unsigned long)(MARIADB_CLIENT_STMT_BULK_OPERATIONS >> 32)) != 0;
}

static enum drv_result
refuse_reader(struct drv *d, struct err *err)
{
	d->lost = true;
	err_set(err, ERR_TEMPORARY, "%s: this server only reads (innodb_read_only); name the one that writes", d->store.where);
	return DRV_RETRY;
}

static enum drv_result
ask_server(struct drv *d, struct err *err)
{
	enum drv_result	 r;
	MYSQL_RES	*res;
	MYSQL_ROW	 row;
	uint64_t	 packet = 0;
	bool		 reader = false;

	r = my_exec(d, "SELECT @@max_allowed_packet, @@innodb_read_only, @@version", "asking for its settings", err);
	if (r != DRV_STORED)
		return r;
	if ((res = mysql_store_result(d->db)) == NULL)
		return my_result(d, my_fault(d), "asking for its settings", NULL, err);
	if ((row = mysql_fetch_row(res)) != NULL) {
		if (!slice_u64(slice_of(row[0]), &packet))
			packet = 0;
		reader = row[1] != NULL && strcmp(row[1], "1") == 0;
		log_info(d->log, "connected to %s, version %s%s%s%s", d->store.where, row[2] == NULL ? "unknown" : row[2],
		    mysql_get_ssl_cipher(d->db) != NULL ? ", encrypted" : "",
		    d->url.tls == MY_TLS_VERIFY ? ", certificate verified" : "", d->bulk ? ", by arrays" : "");
	}
	mysql_free_result(res);
	packet -= packet / 4;		/* room for what goes along with the values */
	d->packet = packet < LEAST_PACKET ? LEAST_PACKET : packet > MOST_PACKET ? MOST_PACKET : (size_t)packet;
	return reader ? refuse_reader(d, err) : DRV_STORED;
}

static enum drv_result
set_up(struct drv *d, struct err *err)
{
	enum drv_result	 r = DRV_STORED;

	if (d->url.tls >= MY_TLS_SKIP_VERIFY && mysql_get_ssl_cipher(d->db) == NULL)
		return my_result(d, (struct my_fault){ CR_SSL_CONNECTION_ERROR, "HY000",
		    "the server does not support encryption" }, "connecting", NULL, err);
	for (size_t i = 0; i < NELEM(settings) && r == DRV_STORED; i++)
		r = my_exec(d, settings[i], "setting up the session", err);
	if (r == DRV_STORED && d->url.no_foreign_keys)
		r = my_exec(d, "SET SESSION foreign_key_checks = 0", "setting up the session", err);
	d->bulk = !d->url.no_bulk && takes_arrays(d->db);
	if (r == DRV_STORED)
		r = ask_server(d, err);
	return r;
}

static enum drv_result
make_connection(struct drv *d, struct err *err)
{
	const struct my_url	*u = &d->url;
	enum drv_result		 r;

	if ((d->db = mysql_init(NULL)) == NULL) {
		err_set(err, ERR_NOMEM, "no memory for a connection");
		return DRV_RETRY;
	}
	set_options(d, d->db);
	if (mysql_real_connect(d->db, u->socket != NULL ? NULL : u->host, u->user, u->password, u->database, u->port, u->socket,
	    0) == NULL)
		r = my_result(d, my_fault(d), "connecting", NULL, err);
	else
		r = set_up(d, err);
	if (r != DRV_STORED)
		my_disconnect(d);
	return r;
}

enum drv_result
my_connect(struct drv *d, struct err *err)
{
	enum drv_result	 r;

	d->committing = false;
	if (d->db != NULL && !d->lost && mono_now() - d->used > IDLE_MS) {
		if (mysql_ping(d->db) == 0)
			d->used = mono_now();
		else
			d->lost = true;		/* servers and firewalls end what is idle: no reason to complain */
	}
	if (d->db != NULL && !d->lost)
		return DRV_STORED;
	my_disconnect(d);
	if ((r = make_connection(d, err)) == DRV_STORED) {
		my_dialect(d);
		sql_store_stale(&d->store);
	}
	return r;
}
