/*
 * URLs: from the forms that HQ writes and shops have stored to libpq's parameters.
 *
 * What a query names is either one of libpq's parameters, or a setting of the session as with the
 * Go server's client library, such as search_path.  Parameters that name another
 * server or a file with passwords are refused: they belong into the URL's own places.
 */

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/postgres/postgres_private.h"
#include "ipc/base/url.h"

#define MAX_PARAMS	64
#define SYSTEM_ROOTS	"/etc/ssl/certs/ca-certificates.crt"

static const char *const	known[] = {
	"application_name", "channel_binding", "connect_timeout", "gssencmode", "host", "keepalives", "keepalives_count",
	"keepalives_idle", "keepalives_interval", "krbsrvname", "options", "require_auth", "sslcert", "sslcompression",
	"sslcrl", "sslcrldir", "sslkey", "sslmode", "sslpassword", "sslrootcert", "sslsni", "ssl_min_protocol_version",
	"ssl_max_protocol_version", "target_session_attrs", "tcp_user_timeout",
};
/* Of the Go server's client library; they say how it talks, which is our own affair here. */
static const char *const	ignored[] = { "binary_parameters", "disable_prepared_binary_result", "fallback_application_name" };
static const char *const	refused[] = { "dbname", "hostaddr", "passfile", "password", "port", "replication", "service",
	"user" };

static bool
listed(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the parameters of the connection");
}

static int
pair_add(struct pg_pair **list, size_t *n, const char *name, const char *value, struct err *err)
{
	struct pg_pair	*p;

	if (*n == MAX_PARAMS)
		return err_set(err, ERR_CONFIG, "postgres URL: more than %d parameters", MAX_PARAMS);
	if (*list == NULL && (*list = calloc(MAX_PARAMS + 1, sizeof(**list))) == NULL)
		return nomem(err);
	p = &(*list)[*n];
	p->name = strdup(name);
	p->value = strdup(value);
	++*n;
	return p->name == NULL || p->value == NULL ? nomem(err) : 0;
}

static void
pairs_free(struct pg_pair *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free_wiped(list[i].value);
	}
	free(list);
}

void
pg_url_free(struct pg_url *u)
{
	pairs_free(u->params, u->nparams);
	pairs_free(u->settings, u->nsettings);
	free(u->where);
	*u = (struct pg_url){ .params = NULL };
}

const char *
pg_url_param(const struct pg_url *u, const char *name)
{
	for (size_t i = 0; i < u->nparams; i++)
		if (strcmp(u->params[i].name, name) == 0)
			return u->params[i].value;
	return NULL;
}

static int
param_add(struct pg_url *u, const char *name, const char *value, struct err *err)
{
	return pg_url_param(u, name) != NULL ? 0 : pair_add(&u->params, &u->nparams, name, value, err);
}

static bool
is_setting(const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && *p != '_' &&
		    (p == name || (!(*p >= '0' && *p <= '9') && *p != '.')))
			return false;
	return *name != '\0';
}

/* One name=value of the query; of a name that stands twice the first counts. */
static int
query_take(struct pg_url *u, const struct url *url, const char *name, struct err *err)
{
	char	*value;
	int	 rc;

	if (!is_setting(name))		/* those of the library are such, too */
		return err_set(err, ERR_CONFIG, "postgres URL: a parameter after the ? has a name that is none");
	if ((value = url_query_get(url, name)) == NULL)
		return nomem(err);
	if (listed(refused, NELEM(refused), name))
		rc = err_set(err, ERR_CONFIG, "postgres URL: parameter \"%s\" is not taken; write postgres://user:password@host:"
		    "port/database", name);
	else if (listed(known, NELEM(known), name))
		rc = param_add(u, name, value, err);
	else if (listed(ignored, NELEM(ignored), name))
		rc = 0;
	else
		rc = pair_add(&u->settings, &u->nsettings, name, value, err);
	explicit_bzero(value, strlen(value));
	free(value);
	return rc;
}

static int
query_take_all(struct pg_url *u, const struct url *url, struct err *err)
{
	struct slice	 rest = slice_of(url->query), one, name;
	char		*text;
	int		 rc = 0;

	while (rc == 0 && slice_cut(&rest, '&', &one)) {
		if (!slice_cut(&one, '=', &name) || name.n == 0)
			continue;
		if ((text = slice_dup(name)) == NULL)
			return nomem(err);
		rc = query_take(u, url, text, err);
		free(text);
	}
	return rc;
}

static bool
ends_in(const char *text, const char *end)
{
	size_t	n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* This machine: there is nobody on the way to read along. */
static bool
is_loopback(const char *host)
{
	struct in_addr	 v4;
	struct in6_addr	 v6;

	if (*host == '\0' || *host == '/' || strcmp(host, "localhost") == 0 || ends_in(host, ".localhost"))
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127 || v4.s_addr == 0;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/*
 * Unless the URL says otherwise: no encryption on this machine, elsewhere encryption to a server whose
 * certificate is that of its name.  libpq knows no certificate authorities of the system.
 */
static int
tls_defaults(struct pg_url *u, const char *host, struct err *err)
{
	const char	*mode = pg_url_param(u, "sslmode");

	if (mode == NULL) {
		mode = is_loopback(host) ? "disable" : "verify-full";
		if (param_add(u, "sslmode", mode, err) != 0)
			return -1;
	}
	if (strncmp(mode, "verify-", 7) == 0 && access(SYSTEM_ROOTS, R_OK) == 0)
		return param_add(u, "sslrootcert", SYSTEM_ROOTS, err);
	return 0;
}

static int
check_port(const char *port, struct err *err)
{
	uint64_t	n;

	if (*port != '\0' && (!slice_u64(slice_of(port), &n) || n == 0 || n > 65535))
		return err_set(err, ERR_CONFIG, "postgres URL: the port must be a number from 1 to 65535");
	return 0;
}

static int
take_place(struct pg_url *u, const struct url *url, struct err *err)
{
	struct buf	 where = { 0 };
	const char	*host, *port = *url->port == '\0' ? "5432" : url->port;
	const char	*db = url->path + (*url->path == '/');

	if (param_add(u, "host", *url->host == '\0' ? "localhost" : url->host, err) != 0)
		return -1;
	host = pg_url_param(u, "host");
	if (param_add(u, "port", port, err) != 0 || tls_defaults(u, host, err) != 0 ||
	    param_add(u, "application_name", "eds", err) != 0 || param_add(u, "client_encoding", "UTF8", err) != 0)
		return -1;
	if (*db != '\0' && param_add(u, "dbname", db, err) != 0)
		return -1;
	if (url->user != NULL && *url->user != '\0' && param_add(u, "user", url->user, err) != 0)
		return -1;
	if (url->password != NULL && *url->password != '\0' && param_add(u, "password", url->password, err) != 0)
		return -1;
	buf_printf(&where, "%s:%s/%s", host, port, db);
	u->where = buf_steal(&where);
	return u->where == NULL ? nomem(err) : 0;
}

int
pg_url_parse(struct pg_url *u, const char *text, struct err *err)
{
	struct url	 url;
	int		 rc = -1;

	*u = (struct pg_url){ .params = NULL };
	if (url_parse(&url, slice_of(text), err) != 0) {
		if (err != NULL && err->code != ERR_NOMEM)
			err->code = ERR_CONFIG;
		return -1;
	}
	if (strcmp(url.scheme, "postgres") != 0 && strcmp(url.scheme, "postgresql") != 0)
		err_set(err, ERR_CONFIG, "postgres URL: the scheme must be postgres or postgresql");
	else if (check_port(url.port, err) == 0 && query_take_all(u, &url, err) == 0)
		rc = take_place(u, &url, err);
	url_free(&url);
	if (rc != 0)
		pg_url_free(u);
	return rc;
}
