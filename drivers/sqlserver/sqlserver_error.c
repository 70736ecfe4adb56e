/*
 * What follows from an error of SQL Server or of db-lib: contract/tds.md section 4.
 *
 * An error that nobody thought of is taken for the row's fault up to severity 16, "can be corrected by the
 * user", and for the server's above.
 */

#include "drivers/sqlserver/sqlserver_error.h"

#define SERVER		DRV_RETRY, DRV_RETRY, ERR_TEMPORARY
#define OPERATOR	DRV_CONFIG, DRV_CONFIG, ERR_CONFIG
#define ROW		DRV_CONFIG, DRV_REJECT, ERR_INVALID
#define OUR_TABLE	DRV_CONFIG, DRV_CONFIG, ERR_CONFIG

static const struct sql_verdict verdicts[] = {
	/* locks, memory, somebody else */
	{ NULL, 1205, SERVER, NULL, false },
	{ NULL, 1222, SERVER, "somebody holds a lock for long", false },
	{ NULL, 3960, SERVER, NULL, false }, { NULL, 3961, SERVER, NULL, false },
	{ NULL, 701, SERVER, NULL, false }, { NULL, 802, SERVER, NULL, false },
	{ NULL, 1203, SERVER, NULL, false }, { NULL, 1204, SERVER, NULL, false },
	{ NULL, 8645, SERVER, NULL, false }, { NULL, 8651, SERVER, NULL, false },
	{ NULL, 17830, SERVER, NULL, false },

	/* room */
	{ NULL, 1105, DRV_RETRY, DRV_RETRY, ERR_FULL, "make room for the database", false },
	{ NULL, 1101, DRV_RETRY, DRV_RETRY, ERR_FULL, "make room for the database", false },
	{ NULL, 9002, DRV_RETRY, DRV_RETRY, ERR_FULL, "back up or enlarge the database's log", false },
	{ NULL, 40544, DRV_RETRY, DRV_RETRY, ERR_FULL, "raise the database's size limit", false },

	/* failing over, starting, moving */
	{ NULL, 3906, SERVER, "the database is read-only, as after a failover", false },
	{ NULL, 3908, SERVER, NULL, false }, { NULL, 3935, SERVER, NULL, false },
	{ NULL, 615, SERVER, NULL, false }, { NULL, 904, SERVER, NULL, false }, { NULL, 922, SERVER, NULL, false },
	{ NULL, 924, SERVER, NULL, false }, { NULL, 926, SERVER, NULL, false }, { NULL, 942, SERVER, NULL, false },
	{ NULL, 945, SERVER, NULL, false }, { NULL, 976, SERVER, NULL, false }, { NULL, 978, SERVER, NULL, false },
	{ NULL, 983, SERVER, NULL, false }, { NULL, 4221, SERVER, NULL, false },
	{ NULL, 4060, SERVER, "check the database's name and the login's right to it", false },
	{ NULL, 6005, SERVER, NULL, false }, { NULL, 17142, SERVER, NULL, false },

	/* Azure: throttled, moved, paused */
	{ NULL, 10928, SERVER, NULL, false }, { NULL, 10929, SERVER, NULL, false }, { NULL, 10936, SERVER, NULL, false },
	{ NULL, 40143, SERVER, NULL, false }, { NULL, 40166, SERVER, NULL, false }, { NULL, 40197, SERVER, NULL, false },
	{ NULL, 40501, SERVER, NULL, false }, { NULL, 40540, SERVER, NULL, false }, { NULL, 40549, SERVER, NULL, false },
	{ NULL, 40550, SERVER, NULL, false }, { NULL, 40551, SERVER, NULL, false }, { NULL, 40552, SERVER, NULL, false },
	{ NULL, 40553, SERVER, NULL, false }, { NULL, 40613, SERVER, NULL, false }, { NULL, 42108, SERVER, NULL, false },
	{ NULL, 42109, SERVER, NULL, false }, { NULL, 49918, SERVER, NULL, false }, { NULL, 49919, SERVER, NULL, false },
	{ NULL, 49920, SERVER, NULL, false },

	/* only the operator can mend it */
	{ NULL, 18456, OPERATOR, "correct user and password in the destination's URL", false },
	{ NULL, 18452, OPERATOR, "use a SQL Server login; Windows accounts are not supported", false },
	{ NULL, 18470, OPERATOR, "enable the login", false },
	{ NULL, 18486, OPERATOR, "unlock the login", false },
	{ NULL, 18487, OPERATOR, "set a new password for the login", false },
	{ NULL, 18488, OPERATOR, "set a new password for the login", false },
	{ NULL, 40615, OPERATOR, "let the server's firewall admit this machine's address", false },
	{ NULL, 40914, OPERATOR, "let the server's firewall admit this machine's network", false },
	{ NULL, 229, OPERATOR, "grant the login that permission", false },
	{ NULL, 230, OPERATOR, "grant the login that permission", false },
	{ NULL, 262, OPERATOR, "grant the login that permission", false },
	{ NULL, 297, OPERATOR, "grant the login that permission", false },
	{ NULL, 300, OPERATOR, "grant the login that permission", false },
	{ NULL, 916, OPERATOR, "make the login a user of the database", false },
	{ NULL, 1088, OPERATOR, "grant the login ALTER on the table or its schema", false },
	{ NULL, 15247, OPERATOR, "grant the login ALTER on the table or its schema", false },
	{ NULL, 2760, OPERATOR, "create the schema, or grant the login ALTER on it", false },
	{ NULL, 3726, OPERATOR, "drop the foreign keys that refer to the table", false },
	{ NULL, 1934, OUR_TABLE, "look at the indexes and triggers of the table", false },
	{ NULL, 544, OUR_TABLE, "the table's key must not be an identity column", false },
	{ NULL, 271, OUR_TABLE, "a column of the schema is a computed column in the table; rename it", false },
	{ NULL, 102, OUR_TABLE, "the server does not understand a statement; SQL Server 2016 or newer is needed", false },
	{ NULL, 156, OUR_TABLE, "the server does not understand a statement; SQL Server 2016 or newer is needed", false },
	{ NULL, 447, OUR_TABLE, "a column has a type that this driver does not know", false },
	{ NULL, 468, OUR_TABLE, "two columns have different collations", false },

	/* tables are not as they were when they were read */
	{ NULL, 207, SERVER, "the table was changed meanwhile", true },
	{ NULL, 208, SERVER, "the table was changed meanwhile", true },
	{ NULL, 213, SERVER, "the table was changed meanwhile", true },
	{ NULL, 4902, SERVER, "the table was changed meanwhile", true },
	{ NULL, 515, DRV_CONFIG, DRV_REJECT, ERR_INVALID, "the table does not accept this row", true },

	/* the table's own rules: any other error up to severity 16 is the same */
	{ NULL, 547, ROW, "the table does not accept this row", false },
	{ NULL, 2601, ROW, "the table does not accept this row", false },
	{ NULL, 2627, ROW, "the table does not accept this row", false },
	{ NULL, 2628, ROW, "the column is too short for this row", false },
	{ NULL, 8152, ROW, "a column is too short for this row", false },
	{ NULL, 511, ROW, "the row is longer than SQL Server can hold", false },
};

static const struct sql_verdict library[] = {
	{ NULL, SYBETIME, SERVER, "the server did not answer in time", false },
	{ NULL, SYBEMEM, DRV_RETRY, DRV_RETRY, ERR_NOMEM, "memory is short", false },
};

/* Everything from the marker on. */
static void
cut_from(char *words, const char *marker)
{
	char	*at = strstr(words, marker);

	if (at != NULL)
		*at = '\0';
}

/* "the nvarchar value 'abc' to": what is quoted, to the last quote, as a value may hold quotes itself. */
static void
blank_value(char *words)
{
	char	*at = strstr(words, " value '"), *end;

	if (at == NULL || (end = strrchr(at + 8, '\'')) == NULL)
		return;
	at += 7;
	memmove(at, end + 1, strlen(end + 1) + 1);
	if (*at == ' ')
		memmove(at - 1, at, strlen(at) + 1);
}

void
ms_words_without_values(char *words)
{
	size_t	 n;

	cut_from(words, " The duplicate key value is");
	cut_from(words, " Truncated value:");
	blank_value(words);
	for (n = strlen(words); n > 0 && (words[n - 1] == '.' || words[n - 1] == ' '); n--)
		words[n - 1] = '\0';
}

static enum drv_result
of_server(struct ms_conn *c, bool opening, const char *doing, struct err *err)
{
	static const struct sql_verdict	 row = { NULL, 0, ROW, "the table does not accept this row", false };
	static const struct sql_verdict	 server = { NULL, 0, SERVER, NULL, false };
	const struct sql_verdict	*v = sql_verdict_find(verdicts, NELEM(verdicts), NULL, c->number);

	if (v == NULL)
		v = c->severity <= 16 ? &row : &server;
	c->stale = v->stale;
	err_set(err, v->code, "%s: %s: %s (error %d)", c->where, doing, c->words, c->number);
	err_remedy(err, opening && v->opening == DRV_CONFIG && v->running == DRV_REJECT ? "look at the database" : v->remedy);
	return opening ? v->opening : v->running;
}

/* Nothing came from the server: the line, the time, or what went before the login. */
static enum drv_result
of_library(const struct ms_conn *c, bool opening, const char *doing, struct err *err)
{
	const struct sql_verdict *v = sql_verdict_find(library, NELEM(library), NULL, c->library);

	if (v != NULL)
		err_set(err, v->code, "%s: %s: %s", c->where, doing, v->remedy);
	else if (opening && c->library != SYBECONN && c->url.encrypt == MS_ENCRYPT_ALL)
		err_set(err, ERR_TEMPORARY, "%s: %s: the connection broke before the login: %s; the server may offer no "
		    "encryption, or %s", c->where, doing, c->words,
		    c->url.verify ? "a certificate that is not trusted or is not for this host (see certificate and "
		    "trustservercertificate)" : "one that this machine does not accept");
	else
		err_set(err, ERR_TEMPORARY, "%s: %s: %s", c->where, doing, c->words);
	return DRV_RETRY;
}

enum drv_result
ms_verdict(struct ms_conn *c, bool opening, const char *doing, struct err *err)
{
	return c->number != 0 ? of_server(c, opening, doing, err) : of_library(c, opening, doing, err);
}
