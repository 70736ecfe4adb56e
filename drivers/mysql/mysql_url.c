/* What a mysql:// URL says. */

#include <stdlib.h>

#include "drivers/mysql/mysql_url.h"
#include "ipc/base/clock.h"
#include "ipc/base/slice.h"
#include "ipc/base/url.h"

#define DEFAULT_PORT	3306
#define MAX_SECONDS	3600

/* Options of Go's driver and session variables that EDS sets for itself. */
static const char *const	without_effect[] = {
	"allowAllFiles", "allowFallbackToPlaintext", "allowNativePasswords", "allowOldPasswords", "charset",
	"checkConnLiveness", "clientFoundRows", "collation", "columnsWithAlias", "connectionAttributes",
	"interpolateParams", "loc", "maxAllowedPacket", "multiStatements", "parseTime", "rejectReadOnly", "timeTruncate",
	"autocommit", "sql_mode", "time_zone", "transaction_isolation", "tx_isolation",
};

static const char *const	options[] = {
	"tls", "ssl-ca", "ssl-cert", "ssl-key", "socket", "timeout", "readTimeout", "writeTimeout", "types", "json", "bulk",
	"foreign_key_checks", "allowCleartextPasswords",
};

static bool
is_in(struct slice name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_is(name, list[i]))
			return true;
	return false;
}

static int
check_names(const char *query, struct err *err)
{
	struct slice	 rest = slice_of(query), one, name;

	while (slice_cut(&rest, '&', &one)) {
		if (!slice_cut(&one, '=', &name) || name.n == 0 || is_in(name, options, NELEM(options)) ||
		    is_in(name, without_effect, NELEM(without_effect)))
			continue;
		return err_set(err, ERR_CONFIG, "mysql URL: unknown option \"" SLICE_FMT "\"; known are tls, ssl-ca, ssl-cert, "
		    "ssl-key, socket, timeout, readTimeout, writeTimeout, types, json, bulk, foreign_key_checks and "
		    "allowCleartextPasswords", SLICE_ARG(name));
	}
	return 0;
}

/* Which of some words, separated by blanks; `*at_r` stays as it is when the option is absent. */
static int
read_word(const struct url *u, const char *name, const char *words, unsigned *at_r, struct err *err)
{
	char		*text = url_query_get(u, name);
	struct slice	 rest = slice_of(words), word;
	unsigned	 at = 0;
	int		 rc = -1;

	if (text == NULL)
		return 0;
	for (; rc != 0 && slice_cut(&rest, ' ', &word); at++)
		if (slice_is(word, text)) {
			*at_r = at;
			rc = 0;
		}
	free(text);
	return rc == 0 ? 0 : err_set(err, ERR_CONFIG, "mysql URL: %s must be one of: %s", name, words);
}

/* The second of two words means yes. */
static int
read_flag(const struct url *u, const char *name, const char *words, bool *flag_r, struct err *err)
{
	unsigned	 at = 0;

	if (read_word(u, name, words, &at, err) != 0)
		return -1;
	*flag_r = at == 1;
	return 0;
}

static int
read_seconds(const struct url *u, const char *name, unsigned *out_r, struct err *err)
{
	char	*text = url_query_get(u, name);
	int64_t	 ms = 0;
	int	 rc = 0;

	if (text != NULL && (!duration_parse(slice_of(text), &ms) || ms < 0 || ms > MAX_SECONDS * 1000))
		rc = err_set(err, ERR_CONFIG, "mysql URL: %s must be a time up to 1h, such as 10s", name);
	*out_r = (unsigned)((ms + 999) / 1000);
	free(text);
	return rc;
}

static int
read_tls(const struct url *u, struct my_url *out, struct err *err)
{
	static const enum my_tls	 meaning[] = { MY_TLS_VERIFY, MY_TLS_OFF, MY_TLS_SKIP_VERIFY, MY_TLS_PREFERRED };
	unsigned			 at = 0;

	if (out->socket != NULL || host_is_loopback(out->host))
		at = 1;
	if (read_word(u, "tls", "true false skip-verify preferred", &at, err) != 0)
		return -1;
	out->tls = meaning[at];
	if (out->cleartext && out->tls < MY_TLS_SKIP_VERIFY)
		return err_set(err, ERR_CONFIG, "mysql URL: allowCleartextPasswords would show the password to the network; "
		    "add tls=true");
	return 0;
}

static int
read_options(const struct url *u, struct my_url *out, struct err *err)
{
	if (u->query != NULL && check_names(u->query, err) != 0)
		return -1;
	out->ca = url_query_get(u, "ssl-ca");
	out->cert = url_query_get(u, "ssl-cert");
	out->key = url_query_get(u, "ssl-key");
	out->socket = url_query_get(u, "socket");
	if (read_seconds(u, "timeout", &out->connect_s, err) != 0 || read_seconds(u, "readTimeout", &out->read_s, err) != 0 ||
	    read_seconds(u, "writeTimeout", &out->write_s, err) != 0 ||
	    read_flag(u, "types", "wide classic", &out->classic, err) != 0 ||
	    read_flag(u, "json", "native text", &out->json_text, err) != 0 ||
	    read_flag(u, "bulk", "auto off", &out->no_bulk, err) != 0 ||
	    read_flag(u, "foreign_key_checks", "1 0", &out->no_foreign_keys, err) != 0 ||
	    read_flag(u, "allowCleartextPasswords", "false true", &out->cleartext, err) != 0)
		return -1;
	return read_tls(u, out, err);
}

static int
read_place(const struct url *u, struct my_url *out, struct err *err)
{
	uint64_t	 port = DEFAULT_PORT;

	if (strcmp(u->scheme, "mysql") != 0)
		return err_set(err, ERR_CONFIG, "mysql URL: the scheme must be mysql");
	if (*u->host == '\0')
		return err_set(err, ERR_CONFIG, "mysql URL: expected a host, such as mysql://user:password@db.example.com/shop");
	if (*u->port != '\0' && (!slice_u64(slice_of(u->port), &port) || port == 0 || port > UINT16_MAX))
		return err_set(err, ERR_CONFIG, "mysql URL: the port must be 1 to 65535");
	if (u->path[0] != '/' || u->path[1] == '\0')
		return err_set(err, ERR_CONFIG, "mysql URL: expected the name of a database behind the host, such as "
		    "mysql://user:password@db.example.com/shop");
	out->port = (unsigned)port;
	out->host = strdup(u->host);
	out->database = strdup(u->path + 1);
	out->user = strdup(u->user == NULL ? "" : u->user);
	out->password = strdup(u->password == NULL ? "" : u->password);
	if (out->host == NULL || out->database == NULL || out->user == NULL || out->password == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the URL");
	return 0;
}

int
my_url_parse(struct my_url *out, const char *text, struct err *err)
{
	struct url	 u;
	int		 rc;

	*out = (struct my_url){ .host = NULL };
	if (url_parse(&u, slice_of(text), err) != 0) {
		if (err != NULL && err->code != ERR_NOMEM)
			err->code = ERR_CONFIG;
		return -1;
	}
	rc = read_place(&u, out, err) != 0 || read_options(&u, out, err) != 0 ? -1 : 0;
	url_free(&u);
	if (rc != 0)
		my_url_free(out);
	return rc;
}

void
my_url_free(struct my_url *u)
{
	char	*const all[] = { u->user, u->password, u->host, u->database, u->ca, u->cert, u->key, u->socket };

	if (u->password != NULL)
		explicit_bzero(u->password, strlen(u->password));
	for (size_t i = 0; i < NELEM(all); i++)
		free(all[i]);
	*u = (struct my_url){ .host = NULL };
}
