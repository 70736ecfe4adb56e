/*
 * What an error means.  Numbers below 2000 and from 3000 on are the server's, the others
 * the client library's.
 */

#include <mariadb/errmsg.h>
#include <mariadb/mysqld_error.h>

#include "drivers/mysql/mysql_private.h"

#define RETRY(number, code, remedy)	{ NULL, number, DRV_RETRY, DRV_RETRY, code, remedy, false }
#define CONFIG(number, remedy)		{ NULL, number, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, remedy, false }
#define REJECT(number, remedy)		{ NULL, number, DRV_REJECT, DRV_REJECT, ERR_INVALID, remedy, false }
#define STALE(number, remedy)		{ NULL, number, DRV_RETRY, DRV_RETRY, ERR_TEMPORARY, remedy, true }

#define READ_ONLY	"if it stays so, name the server that takes writes"
#define ROOM		"make room on the server's disk"
#define LIMIT		"raise the limit or end other sessions"
#define GRANT		"grant the user what is missing (SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP on the database)"
#define ROW		"the table does not accept this row"
#define SCHEMA		"the table has changed; it is read anew"

/* MySQL's own, which the library's header does not have. */
enum {
	MY_NOT_A_WRITER		= 1792,		/* in a read only transaction */
	MY_JSON_TEXT		= 3140,
	MY_JSON_CHARSET		= 3144,
	MY_JSON_DEPTH		= 3157,
	MY_JSON_KEY		= 3158,
	MY_GROUP_HOOK		= 3100,
	MY_GROUP_ROLLBACK	= 3101,
	MY_DISCONNECTED		= 4031,		/* by inactivity */
	MY_SESSION_KILLED	= 3169,
	MY_NOWAIT		= 3572,
	MY_QUERY_TIME		= 3024,
	MY_NO_PRIMARY_KEY	= 3750,
	MY_CHECK		= 3819,
	MY_CONSTRAINT		= 4025,		/* MariaDB's check, of JSON too */
	MY_ACCOUNT_LOCKED	= 4151,		/* MariaDB's; MySQL's is 3118 */
	MY_LOCKED		= 3118,
};

static const struct sql_verdict	verdicts[] = {
	/* by the server's number */
	RETRY(ER_LOCK_DEADLOCK, ERR_TEMPORARY, NULL),
	RETRY(ER_LOCK_WAIT_TIMEOUT, ERR_TEMPORARY, NULL),
	RETRY(MY_NOWAIT, ERR_TEMPORARY, NULL),
	RETRY(MY_QUERY_TIME, ERR_TEMPORARY, NULL),
	RETRY(ER_QUERY_INTERRUPTED, ERR_TEMPORARY, NULL),
	RETRY(ER_STATEMENT_TIMEOUT, ERR_TEMPORARY, NULL),
	RETRY(ER_ERROR_DURING_COMMIT, ERR_TEMPORARY, NULL),
	RETRY(MY_GROUP_HOOK, ERR_TEMPORARY, NULL),
	RETRY(MY_GROUP_ROLLBACK, ERR_TEMPORARY, NULL),
	RETRY(ER_CHECKREAD, ERR_TEMPORARY, NULL),
	RETRY(ER_LOCK_TABLE_FULL, ERR_TEMPORARY, LIMIT),
	RETRY(ER_OUTOFMEMORY, ERR_TEMPORARY, LIMIT),
	RETRY(ER_OUT_OF_SORTMEMORY, ERR_TEMPORARY, LIMIT),
	RETRY(ER_OUT_OF_RESOURCES, ERR_TEMPORARY, LIMIT),
	RETRY(ER_CANT_CREATE_THREAD, ERR_TEMPORARY, LIMIT),
	RETRY(ER_CON_COUNT_ERROR, ERR_TEMPORARY, LIMIT),
	RETRY(ER_TOO_MANY_USER_CONNECTIONS, ERR_TEMPORARY, LIMIT),
	RETRY(ER_USER_LIMIT_REACHED, ERR_TEMPORARY, LIMIT),
	RETRY(ER_HOST_IS_BLOCKED, ERR_TEMPORARY, "unblock this machine with FLUSH HOSTS"),
	RETRY(ER_OPTION_PREVENTS_STATEMENT, ERR_TEMPORARY, READ_ONLY),
	RETRY(ER_READ_ONLY_MODE, ERR_TEMPORARY, READ_ONLY),
	RETRY(MY_NOT_A_WRITER, ERR_TEMPORARY, READ_ONLY),
	RETRY(ER_UNKNOWN_COM_ERROR, ERR_TEMPORARY, NULL),
	RETRY(ER_DISK_FULL, ERR_FULL, ROOM),
	RETRY(ER_RECORD_FILE_FULL, ERR_FULL, ROOM),
	RETRY(ER_ERROR_ON_WRITE, ERR_FULL, ROOM),
	RETRY(ER_GET_ERRNO, ERR_IO, ROOM),
	RETRY(ER_SERVER_SHUTDOWN, ERR_TEMPORARY, NULL),
	RETRY(ER_NORMAL_SHUTDOWN, ERR_TEMPORARY, NULL),
	RETRY(ER_SHUTDOWN_COMPLETE, ERR_TEMPORARY, NULL),
	RETRY(ER_CONNECTION_KILLED, ERR_TEMPORARY, NULL),
	RETRY(MY_SESSION_KILLED, ERR_TEMPORARY, NULL),
	RETRY(MY_DISCONNECTED, ERR_TEMPORARY, NULL),
	STALE(ER_NO_SUCH_TABLE, SCHEMA),
	STALE(ER_BAD_FIELD_ERROR, SCHEMA),
	STALE(ER_TABLE_DEF_CHANGED, SCHEMA),
	STALE(ER_NEED_REPREPARE, SCHEMA),
	STALE(ER_UNKNOWN_STMT_HANDLER, SCHEMA),
	CONFIG(ER_ACCESS_DENIED_ERROR, "correct user and password in the URL"),
	CONFIG(ER_ACCESS_DENIED_NO_PASSWORD_ERROR, "give the password in the URL"),
	CONFIG(ER_HOST_NOT_PRIVILEGED, "let the user sign in from this machine"),
	CONFIG(MY_ACCOUNT_LOCKED, "unlock the account"),
	CONFIG(MY_LOCKED, "unlock the account"),
	CONFIG(ER_MUST_CHANGE_PASSWORD_LOGIN, "give the account a new password"),
	CONFIG(ER_BAD_DB_ERROR, "create the database or correct its name in the URL"),
	CONFIG(ER_DBACCESS_DENIED_ERROR, GRANT),
	CONFIG(ER_TABLEACCESS_DENIED_ERROR, GRANT),
	CONFIG(ER_COLUMNACCESS_DENIED_ERROR, GRANT),
	CONFIG(ER_SPECIFIC_ACCESS_DENIED_ERROR, GRANT),
	CONFIG(MY_NO_PRIMARY_KEY, "give the table a primary key"),
	REJECT(ER_DATA_TOO_LONG, ROW),
	REJECT(ER_WARN_DATA_OUT_OF_RANGE, ROW),
	REJECT(ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ROW),
	REJECT(ER_TRUNCATED_WRONG_VALUE, ROW),
	REJECT(WARN_DATA_TRUNCATED, ROW),
	REJECT(ER_NO_DEFAULT_FOR_FIELD, ROW),
	REJECT(ER_TOO_BIG_ROWSIZE, "the row has more than a page of InnoDB holds"),
	REJECT(ER_NET_PACKET_TOO_LARGE, "raise max_allowed_packet on the server, then retry"),
	REJECT(CR_NET_PACKET_TOO_LARGE, "raise max_allowed_packet on the server, then retry"),
	REJECT(ER_TOO_LONG_IDENT, "the name is longer than MySQL allows"),
	REJECT(ER_TOO_MANY_FIELDS, "the table has more columns than MySQL allows"),
	REJECT(ER_TOO_LONG_KEY, "the primary key is longer than MySQL allows"),
	REJECT(MY_JSON_TEXT, ROW),
	REJECT(MY_JSON_CHARSET, ROW),
	REJECT(MY_JSON_DEPTH, ROW),
	REJECT(MY_JSON_KEY, ROW),
	REJECT(MY_CONSTRAINT, ROW),
	REJECT(MY_CHECK, ROW),

	/* by the library's number */
	RETRY(CR_CONNECTION_ERROR, ERR_TEMPORARY, NULL),
	RETRY(CR_CONN_HOST_ERROR, ERR_TEMPORARY, NULL),
	RETRY(CR_UNKNOWN_HOST, ERR_TEMPORARY, NULL),
	RETRY(CR_SERVER_GONE_ERROR, ERR_TEMPORARY, NULL),
	RETRY(CR_SERVER_LOST, ERR_TEMPORARY, NULL),
	RETRY(CR_SERVER_LOST_EXTENDED, ERR_TEMPORARY, NULL),
	RETRY(CR_OUT_OF_MEMORY, ERR_NOMEM, NULL),
	CONFIG(CR_AUTH_PLUGIN_CANNOT_LOAD, "let the account sign in by one of mysql_native_password, caching_sha2_password, "
	    "sha256_password and ed25519"),

	/* by what the state begins with */
	{ "08", 0, DRV_RETRY, DRV_RETRY, ERR_TEMPORARY, NULL, false },
	{ "40", 0, DRV_RETRY, DRV_RETRY, ERR_TEMPORARY, NULL, false },
	{ "22", 0, DRV_REJECT, DRV_REJECT, ERR_INVALID, ROW, false },
	{ "23", 0, DRV_REJECT, DRV_REJECT, ERR_INVALID, ROW, false },
	{ "45", 0, DRV_REJECT, DRV_REJECT, ERR_INVALID, "a trigger refuses this row", false },
	{ "28", 0, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "correct user and password in the URL", false },
	{ "42", 0, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "look at the tables, triggers and views of the database", false },
};

/* Errors of connections that must not be used again. */
bool
my_is_lost(const struct my_fault *f)
{
	static const unsigned	 last[] = {
		ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN, ER_SHUTDOWN_COMPLETE, ER_CONNECTION_KILLED, MY_SESSION_KILLED,
		MY_DISCONNECTED, ER_OPTION_PREVENTS_STATEMENT, ER_READ_ONLY_MODE, MY_NOT_A_WRITER, ER_UNKNOWN_COM_ERROR,
		ER_NET_PACKET_TOO_LARGE,
	};

	if (f->number >= CR_MIN_ERROR && f->number < 3000)
		return true;
	for (size_t i = 0; i < NELEM(last); i++)
		if (f->number == last[i])
			return true;
	return strncmp(f->state, "08", 2) == 0;
}

/*
 * In these texts what stands in quotes are names, or there is nothing of the row.  In all
 * others, such as "Duplicate entry 'x' for key 'y'", it may be a value.
 */
static const unsigned	harmless[] = {
	ER_DATA_TOO_LONG, ER_WARN_DATA_OUT_OF_RANGE, WARN_DATA_TRUNCATED, ER_NO_DEFAULT_FOR_FIELD, ER_BAD_NULL_ERROR,
	ER_TOO_BIG_ROWSIZE, MY_CONSTRAINT, MY_CHECK, ER_NO_REFERENCED_ROW_2, ER_ROW_IS_REFERENCED_2, ER_NO_SUCH_TABLE,
	ER_BAD_FIELD_ERROR, ER_BAD_DB_ERROR, ER_ACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR,
	ER_COLUMNACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR, ER_HOST_NOT_PRIVILEGED, ER_OPTION_PREVENTS_STATEMENT,
	ER_RECORD_FILE_FULL, ER_DISK_FULL, ER_CONNECTION_KILLED, ER_TOO_LONG_IDENT, ER_TOO_LONG_KEY, ER_HOST_IS_BLOCKED,
};

static bool
is_harmless(unsigned number)
{
	if (number >= CR_MIN_ERROR && number < 3000)
		return true;		/* hosts, sockets, certificates */
	for (size_t i = 0; i < NELEM(harmless); i++)
		if (number == harmless[i])
			return true;
	return false;
}

void
my_redact(struct buf *b, struct my_fault f)
{
	const char	*open = strchr(f.text, '\''), *close = strrchr(f.text, '\''), *column;

	if (is_harmless(f.number) || open == NULL) {
		buf_adds(b, f.text);
		return;
	}
	buf_add(b, f.text, (size_t)(open - f.text));
	buf_adds(b, "'...'");
	/* "Incorrect datetime value: 'x' for column `d`.`t`.`c` at row 1": values have no say behind the last quote. */
	if (open != close && (column = strstr(close + 1, " for column ")) != NULL)
		buf_adds(b, column);
}

/* A certificate that is not trusted stays so; a handshake that broke off is another matter. */
static bool
is_certificate(struct my_fault f)
{
	return f.number == CR_SSL_CONNECTION_ERROR && (strstr(f.text, "ertificate") != NULL ||
	    strstr(f.text, "ost name") != NULL || strstr(f.text, "required") != NULL || strstr(f.text, "support") != NULL);
}

static const struct sql_verdict	untrusted = { NULL, CR_SSL_CONNECTION_ERROR, DRV_CONFIG, DRV_RETRY, ERR_CONFIG,
	"name the authority with ssl-ca=FILE in the URL, or turn the check off with tls=skip-verify, or encryption with "
	"tls=false", false };
static const struct sql_verdict	unknown = { NULL, 0, DRV_RETRY, DRV_RETRY, ERR_IO, NULL, false };

static const struct sql_verdict *
verdict_of(struct my_fault f)
{
	const struct sql_verdict	*v;

	if (is_certificate(f))
		return &untrusted;
	v = sql_verdict_find(verdicts, NELEM(verdicts), f.state, (int)f.number);
	return v == NULL ? &unknown : v;
}

enum drv_result
my_result(struct drv *d, struct my_fault f, const char *doing, struct sql_blame *blame, struct err *err)
{
	const struct sql_verdict	*v;
	struct buf			 text = { 0 };
	enum drv_result			 r;

	if (f.number == 0)
		return DRV_STORED;
	v = verdict_of(f);
	r = d->proven ? v->running : v->opening;
	if (my_is_lost(&f))
		d->lost = true;
	if (d->lost && d->committing && r == DRV_RETRY)
		r = DRV_UNSURE;
	if (blame != NULL && v->stale)
		blame->stale = true;
	my_redact(&text, f);
	err_set(err, v->code, "%s: %s: %s (error %u)", d->store.where, doing, buf_cstr(&text), f.number);
	err_remedy(err, v->remedy);
	buf_free(&text);
	return r;
}
