/*
 * sqlserver://user:password@host:port/database?encrypt=true&...
 *
 * The parameters are those of the earlier server's library.  What FreeTDS cannot do is refused by its name, and so
 * is what nobody knows: a misspelled `encrypt` must not pass for one.
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "drivers/sqlserver/sqlserver_url.h"
#include "ipc/base/url.h"

#define PORT_DEFAULT	"1433"
#define LOGIN_S		15
#define ANSWER_S	120
#define SECONDS_MAX	3600
#define PACKET		16384
#define PACKET_MIN	512
#define PACKET_MAX	32767

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the parts of the URL");
}

void
ms_url_free(struct ms_url *u)
{
	free(u->user);
	free(u->password);
	free(u->host);
	free(u->port);
	free(u->database);
	free(u->schema);
	free(u->app);
	free(u->ca);
	*u = (struct ms_url){ .user = NULL };
}

static bool
is_loopback(const char *host)
{
	struct in_addr	 v4;
	struct in6_addr	 v6;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127 || v4.s_addr == INADDR_ANY;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* --- parameters --- */

static int
take_text(char **at, const char *value, struct err *err)
{
	free(*at);
	return (*at = strdup(value)) == NULL ? nomem(err) : 0;
}

static int
set_database(struct ms_url *u, const char *value, struct err *err)
{
	return *u->database != '\0' ? 0 : take_text(&u->database, value, err);	/* the path comes first */
}

static int
set_schema(struct ms_url *u, const char *value, struct err *err)
{
	if (*value == '\0')
		return err_set(err, ERR_CONFIG, "sqlserver URL: schema must be the name of a schema");
	return take_text(&u->schema, value, err);
}

static int
set_app(struct ms_url *u, const char *value, struct err *err)
{
	return take_text(&u->app, value, err);
}

/* The path becomes a line of a configuration file. */
static int
set_ca(struct ms_url *u, const char *value, struct err *err)
{
	for (const char *p = value; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			return err_set(err, ERR_CONFIG, "sqlserver URL: certificate must be the path of a file");
	if (*value != '/')
		return err_set(err, ERR_CONFIG, "sqlserver URL: certificate must be the absolute path of a PEM file with the "
		    "certificates to trust");
	u->verify = true;
	return take_text(&u->ca, value, err);
}

static bool
is_one_of(const char *value, const char *words)
{
	struct slice	 rest = slice_of(words), one;

	while (slice_cut(&rest, ' ', &one))
		if (strlen(value) == one.n && strncasecmp(value, one.p, one.n) == 0)
			return true;
	return false;
}

static int
set_encrypt(struct ms_url *u, const char *value, struct err *err)
{
	if (is_one_of(value, "disable"))
		u->encrypt = MS_ENCRYPT_OFF;
	else if (is_one_of(value, "false optional no 0 f"))
		u->encrypt = MS_ENCRYPT_LOGIN;
	else if (is_one_of(value, "true mandatory yes 1 t"))
		u->encrypt = MS_ENCRYPT_ALL;
	else if (is_one_of(value, "strict"))
		return err_set(err, ERR_CONFIG, "sqlserver URL: encrypt=strict (TDS 8.0) is not supported by this system's "
		    "FreeTDS; use encrypt=true, and let the server not force strict encryption");
	else
		return err_set(err, ERR_CONFIG, "sqlserver URL: encrypt must be true, false or disable");
	return 0;
}

static int
set_trust(struct ms_url *u, const char *value, struct err *err)
{
	if (is_one_of(value, "true yes 1 t"))
		u->verify = false;
	else if (is_one_of(value, "false no 0 f"))
		u->verify = true;
	else
		return err_set(err, ERR_CONFIG, "sqlserver URL: trustservercertificate must be true or false");
	return 0;
}

static int
set_number(int *at, const char *name, const char *value, int low, int high, struct err *err)
{
	uint64_t	 n;

	if (!slice_u64(slice_of(value), &n) || n < (uint64_t)low || n > (uint64_t)high)
		return err_set(err, ERR_CONFIG, "sqlserver URL: %s must be %d to %d", name, low, high);
	*at = (int)n;
	return 0;
}

static int
set_login_s(struct ms_url *u, const char *value, struct err *err)
{
	return set_number(&u->login_s, "dial timeout", value, 1, SECONDS_MAX, err);
}

/* 0 stood for "none"; here there is always one, as a server that hangs must not hold the batch for ever. */
static int
set_answer_s(struct ms_url *u, const char *value, struct err *err)
{
	if (set_number(&u->answer_s, "connection timeout", value, 0, SECONDS_MAX, err) != 0)
		return -1;
	if (u->answer_s == 0)
		u->answer_s = ANSWER_S;
	return 0;
}

static int
set_packet(struct ms_url *u, const char *value, struct err *err)
{
	return set_number(&u->packet, "packet size", value, PACKET_MIN, PACKET_MAX, err);
}

static const struct parameter {
	const char	*name;
	int		(*set)(struct ms_url *, const char *value, struct err *);
} parameters[] = {
	{ "database", set_database }, { "schema", set_schema }, { "app name", set_app }, { "encrypt", set_encrypt },
	{ "certificate", set_ca }, { "trustservercertificate", set_trust }, { "dial timeout", set_login_s },
	{ "connection timeout", set_answer_s }, { "packet size", set_packet },
};

#define KNOWN	"database, schema, app name, encrypt, trustservercertificate, certificate, dial timeout, " \
		"connection timeout and packet size"

/* The name as the query spells it, with blanks for `+` and %20: that is how url_query_get() finds it. */
static int
read_parameter(struct ms_url *out, const struct url *u, struct slice name, struct err *err)
{
	struct buf	 plain = { 0 };
	char		*value = NULL;
	int		 rc = -1;

	for (size_t i = 0; i < name.n; i++) {
		bool	 escaped = name.n - i >= 3 && strncmp(name.p + i, "%20", 3) == 0;

		buf_addc(&plain, escaped || name.p[i] == '+' ? ' ' : name.p[i]);
		i += escaped ? 2 : 0;
	}
	for (size_t i = 0; i < NELEM(parameters); i++)
		if (strcasecmp(buf_cstr(&plain), parameters[i].name) == 0) {
			value = url_query_get(u, buf_cstr(&plain));
			rc = value == NULL ? nomem(err) : parameters[i].set(out, value, err);
			goto out;
		}
	err_set(err, ERR_CONFIG, "sqlserver URL: the parameter \"%.40s\" is not supported; supported are " KNOWN,
	    buf_cstr(&plain));
out:
	free(value);
	buf_free(&plain);
	return rc;
}

static int
read_query(struct ms_url *out, const struct url *u, struct err *err)
{
	struct slice	 rest = slice_of(u->query), pair, name;

	while (slice_cut(&rest, '&', &pair)) {
		if (pair.n == 0)
			continue;
		(void)slice_cut(&pair, '=', &name);
		if (read_parameter(out, u, name, err) != 0)
			return -1;
	}
	return 0;
}

/* --- the whole --- */

static int
read_place(struct ms_url *out, const struct url *u, struct err *err)
{
	const char	*database = u->path[0] == '/' ? u->path + 1 : u->path;

	if (strcmp(u->scheme, "sqlserver") != 0 && strcmp(u->scheme, "mssql") != 0)
		return err_set(err, ERR_CONFIG, "sqlserver URL: the scheme must be sqlserver or mssql");
	if (*u->host == '\0')
		return err_set(err, ERR_CONFIG, "sqlserver URL: the host is missing; expected "
		    "sqlserver://user:password@host:1433/database");
	if (strchr(u->host, '\\') != NULL)
		return err_set(err, ERR_CONFIG, "sqlserver URL: name the instance's port instead of its name");
	if (u->user == NULL || *u->user == '\0')
		return err_set(err, ERR_CONFIG, "sqlserver URL: the user is missing; expected "
		    "sqlserver://user:password@host:1433/database");
	if (strchr(database, '/') != NULL)
		return err_set(err, ERR_CONFIG, "sqlserver URL: the path must be the name of the database alone");
	out->user = strdup(u->user);
	out->password = strdup(u->password == NULL ? "" : u->password);
	out->host = strdup(u->host);
	out->port = strdup(*u->port == '\0' ? PORT_DEFAULT : u->port);
	out->database = strdup(database);
	out->app = strdup("eds");
	if (out->user == NULL || out->password == NULL || out->host == NULL || out->port == NULL || out->database == NULL ||
	    out->app == NULL)
		return nomem(err);
	return 0;
}

/* Off loopback everything is encrypted and verified unless the URL says otherwise. */
int
ms_url_parse(struct ms_url *out, const char *text, struct err *err)
{
	struct url	 u;
	int		 rc;

	*out = (struct ms_url){ .login_s = LOGIN_S, .answer_s = ANSWER_S, .packet = PACKET };
	if (url_parse(&u, slice_of(text), err) != 0) {
		if (err != NULL && err->code != ERR_NOMEM)
			err->code = ERR_CONFIG;
		return -1;
	}
	out->verify = !is_loopback(u.host);
	out->encrypt = out->verify ? MS_ENCRYPT_ALL : MS_ENCRYPT_OFF;
	rc = read_place(out, &u, err) != 0 || read_query(out, &u, err) != 0 ? -1 : 0;
	url_free(&u);
	if (rc != 0)
		ms_url_free(out);
	return rc;
}

void
ms_url_server(const struct ms_url *u, struct buf *b)
{
	bool	 v6 = strchr(u->host, ':') != NULL;

	buf_printf(b, v6 ? "[%s]:%s" : "%s:%s", u->host, u->port);
}

void
ms_url_conf(const struct ms_url *u, struct buf *b)
{
	static const char *const encryption[] = { "off", "request", "require" };

	buf_printf(b, "[global]\n\ttds version = 7.4\n\tclient charset = UTF-8\n\tencryption = %s\n",
	    encryption[u->encrypt]);
	if (u->encrypt != MS_ENCRYPT_OFF && u->verify)
		buf_printf(b, "\tca file = %s\n\tcheck certificate hostname = yes\n", u->ca == NULL ? "system" : u->ca);
}
