/* From the URL to the account: host, names, who signs in and how. */

#include <stdlib.h>
#include <strings.h>

#include "drivers/snowflake/account.h"
#include "ipc/base/url.h"

#define DOMAIN		".snowflakecomputing."
#define CLIENT_ID	"Go"		/* what the server has seen of EDS so far */
#define CLIENT_VERSION	"1.14.0"
#define KEY_ENV		"SNOWFLAKE_SECRET_ACCESS_KEY"
#define LOGIN_TIMEOUT_S	60
#define LOGIN_TIMEOUT_MAX_S	300

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the Snowflake URL");
}

/* --- pure rules --- */

static bool
ends_with(struct slice s, const char *end)
{
	size_t	n = strlen(end);

	return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

static struct slice
first_label(struct slice s)
{
	const char	*dot = s.n == 0 ? NULL : memchr(s.p, '.', s.n);

	return dot == NULL ? s : (struct slice){ s.p, (size_t)(dot - s.p) };
}

/* TLS certificates have no names with an underscore. */
static void
add_host(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(b, s.p[i] == '_' ? '-' : s.p[i]);
}

void
snow_account_host(struct buf *b, struct slice account, struct slice region)
{
	struct slice	 label = first_label(account), rest = { account.p + label.n, account.n - label.n };

	if (rest.n == 0 && region.n > 0) {
		add_host(b, account);
		if (!slice_is(region, "us-west-2")) {
			buf_addc(b, '.');
			add_host(b, region);
		}
		rest = (struct slice){ region.p, region.n };
	} else {
		add_host(b, slice_is(rest, ".us-west-2") ? label : account);
		if (rest.n > 0)
			rest = (struct slice){ rest.p + 1, rest.n - 1 };
	}
	buf_adds(b, DOMAIN);
	buf_adds(b, rest.n > 3 && memcmp(rest.p, "cn-", 3) == 0 ? "cn" : "com");
}

void
snow_account_name(struct buf *b, struct slice account)
{
	struct slice	 label = first_label(account);

	/* name-externalid.global: the id is no part of the name */
	if (ends_with(account, ".global"))
		for (size_t i = label.n; i > 0; i--)
			if (label.p[i - 1] == '-') {
				label.n = i - 1;
				break;
			}
	buf_adds_slice(b, label);
}

static bool
is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* --- query parameters --- */

struct known {
	const char	*name;
	size_t		 offset;
	bool		 keypair_only;
};

#define KNOWN(name, field)	{ name, offsetof(struct snow_account, field), false }
#define KEYPAIR(name, field)	{ name, offsetof(struct snow_account, field), true }

static const struct known	known[] = {
	KNOWN("warehouse", warehouse),
	KNOWN("role", role),
	KNOWN("ca-file", ca_file),
	KNOWN("client-id", client_id),
	KNOWN("client-version", client_version),
	KEYPAIR("secret-key", key_env),
	KEYPAIR("secret-key-file", key_file),
	KEYPAIR("secret-key-passphrase", key_passphrase),
};

/* Read elsewhere, or always on (`application`, `client_session_keep_alive`). */
static const char *const	special[] = {
	"account", "region", "host", "port", "protocol", "loginTimeout", "application", "client_session_keep_alive",
	"database", "schema",
};

static bool
is_known(const char *name)
{
	for (size_t i = 0; i < NELEM(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return true;
	for (size_t i = 0; i < NELEM(special); i++)
		if (strcmp(special[i], name) == 0)
			return true;
	return false;
}

/* The value goes into the session's parameters as it is; the name must look like one. */
static bool
is_parameter_name(const char *name)
{
	size_t	n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && name[n] == '\0';
}

static int
add_param(struct snow_account *a, const struct url *u, struct slice name, struct err *err)
{
	struct snow_param	*p = reallocarray(a->params, a->nparams + 1, sizeof(*p));

	if (p == NULL)
		return nomem(err);
	a->params = p;
	p = &a->params[a->nparams];
	*p = (struct snow_param){ .name = slice_dup(name) };
	if (p->name == NULL)
		return nomem(err);
	a->nparams++;
	if (is_known(p->name)) {
		a->nparams--;
		free(p->name);
		return 0;
	}
	if (!is_parameter_name(p->name))
		return err_set(err, ERR_CONFIG, "Snowflake URL: a parameter's name may have letters, digits and _ only");
	return (p->value = url_query_get(u, p->name)) == NULL ? nomem(err) : 0;
}

static int
read_params(struct snow_account *a, const struct url *u, struct err *err)
{
	struct slice	 rest = slice_of(u->query), one, name;

	while (slice_cut(&rest, '&', &one))
		if (slice_cut(&one, '=', &name) && name.n > 0 && add_param(a, u, name, err) != 0)
			return -1;
	return 0;
}

/* NULL also when the value is empty. */
static char *
get(const struct url *u, const char *name)
{
	char	*value = url_query_get(u, name);

	if (value != NULL && *value == '\0') {
		free(value);
		value = NULL;
	}
	return value;
}

static int
read_known(struct snow_account *a, const struct url *u, struct err *err)
{
	for (size_t i = 0; i < NELEM(known); i++) {
		char	**field = (char **)(void *)((char *)a + known[i].offset), *value = get(u, known[i].name);

		if (value == NULL)
			continue;
		*field = value;
		if (known[i].keypair_only && !a->keypair)
			return err_set(err, ERR_CONFIG, "Snowflake URL: %s belongs to snowflake-keypair://", known[i].name);
	}
	return 0;
}

/* --- host --- */

static int
check_plain(const char *protocol, const char *host, struct err *err)
{
	if (protocol == NULL || strcmp(protocol, "https") == 0)
		return 0;
	if (strcmp(protocol, "http") != 0)
		return err_set(err, ERR_CONFIG, "Snowflake URL: protocol must be https");
	if (!is_loopback(host))
		return err_set(err, ERR_CONFIG, "Snowflake URL: protocol=http is for a server on this machine only; leave it out");
	return 0;
}

static int
set_origin(struct snow_account *a, const char *protocol, const char *port, struct err *err)
{
	struct buf	 b = { 0 };
	bool		 v6 = strchr(a->host, ':') != NULL;

	buf_printf(&b, "%s://%s%s%s", protocol == NULL ? "https" : protocol, v6 ? "[" : "", a->host, v6 ? "]" : "");
	if (port != NULL && *port != '\0')
		buf_printf(&b, ":%s", port);
	return (a->origin = buf_steal(&b)) == NULL ? nomem(err) : 0;
}

/* What stands where a host would is an account, or a host when it has a port or a Snowflake domain. */
static int
set_host(struct snow_account *a, const struct url *u, const char *host, const char *account, const char *region,
    bool has_port, struct err *err)
{
	struct slice	 given = slice_of(account != NULL ? account : u->host);
	struct buf	 b = { 0 };
	bool		 whole = strstr(u->host, DOMAIN) != NULL;

	if (host != NULL)
		buf_adds(&b, host);
	else if (whole || has_port)
		buf_adds(&b, u->host);
	else
		snow_account_host(&b, slice_of(u->host), slice_of(region));
	if ((a->host = buf_steal(&b)) == NULL)
		return nomem(err);
	if (has_port && account == NULL && !whole)
		return err_set(err, ERR_CONFIG, "Snowflake URL: with a port in it, the URL must name the account too: "
		    "?account=myorg-myaccount");
	snow_account_name(&b, given);
	return (a->name = buf_steal(&b)) == NULL ? nomem(err) : 0;
}

static int
read_host(struct snow_account *a, const struct url *u, struct err *err)
{
	char	*host = get(u, "host"), *account = get(u, "account"), *region = get(u, "region"), *port = get(u, "port"),
		*protocol = get(u, "protocol");
	int	 rc = -1;

	if (*u->host == '\0' && account == NULL)
		err_set(err, ERR_CONFIG, "Snowflake URL: the account is missing; write snowflake://user:password@myorg-myaccount/DATABASE/SCHEMA");
	else if (strcmp(u->host, "http") == 0 || strcmp(u->host, "https") == 0)
		err_set(err, ERR_CONFIG, "Snowflake URL: write the account itself, such as myorg-myaccount, without https://");
	else if (set_host(a, u, host, account, region, *u->port != '\0', err) == 0 &&
	    check_plain(protocol, a->host, err) == 0)
		rc = set_origin(a, protocol, port != NULL ? port : u->port, err);
	free(host);
	free(account);
	free(region);
	free(port);
	free(protocol);
	return rc;
}

/* --- the rest --- */

/* /DATABASE[/SCHEMA], already decoded. */
static int
read_path(struct snow_account *a, const struct url *u, struct err *err)
{
	struct slice	 rest = slice_of(u->path[0] == '/' ? u->path + 1 : u->path), part;

	if (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	if (slice_cut(&rest, '/', &part) && part.n > 0 && (a->database = slice_dup(part)) == NULL)
		return nomem(err);
	if (rest.n > 0 && (a->schema = slice_dup(rest)) == NULL)
		return nomem(err);
	if (a->schema != NULL && strchr(a->schema, '/') != NULL)
		return err_set(err, ERR_CONFIG, "Snowflake URL: expected /DATABASE/SCHEMA after the account");
	if (a->keypair && (a->database == NULL || a->schema == NULL))
		return err_set(err, ERR_CONFIG, "invalid URL path: expected /database/schema, got %s", u->path);
	if (a->database == NULL)
		return err_set(err, ERR_CONFIG, "Snowflake URL: the database is missing; write snowflake://user:password@account/DATABASE/SCHEMA");
	return 0;
}

static int
read_user(struct snow_account *a, struct url *u, struct err *err)
{
	if (u->user == NULL || *u->user == '\0')
		return err_set(err, ERR_CONFIG, "Snowflake URL: the user is missing in front of the @");
	if (!a->keypair && (u->password == NULL || *u->password == '\0'))
		return err_set(err, ERR_CONFIG, "Snowflake URL: the password is missing; for a key pair write snowflake-keypair://");
	a->user = u->user;
	a->password = u->password;
	u->user = u->password = NULL;	/* given away */
	return 0;
}

static int
set_default(char **field, const char *value, struct err *err)
{
	if (*field == NULL && (*field = slice_dup(slice_of(value))) == NULL)
		return nomem(err);
	return 0;
}

static int
read_timeout(struct snow_account *a, const struct url *u, struct err *err)
{
	char	*text = url_query_get(u, "loginTimeout");
	int	 rc = 0;

	a->login_timeout_s = LOGIN_TIMEOUT_S;
	if (text != NULL && (!slice_u64(slice_of(text), &a->login_timeout_s) || a->login_timeout_s == 0 ||
	    a->login_timeout_s > LOGIN_TIMEOUT_MAX_S))
		rc = err_set(err, ERR_CONFIG, "Snowflake URL: loginTimeout must be 1 to %d seconds", LOGIN_TIMEOUT_MAX_S);
	free(text);
	return rc;
}

static int
read_url(struct snow_account *a, struct url *u, struct err *err)
{
	if (strcmp(u->scheme, "snowflake") != 0 && strcmp(u->scheme, "snowflake-keypair") != 0)
		return err_set(err, ERR_CONFIG, "Snowflake URL: the scheme must be snowflake or snowflake-keypair");
	a->keypair = strcmp(u->scheme, "snowflake-keypair") == 0;
	if (read_user(a, u, err) != 0 || read_host(a, u, err) != 0 || read_path(a, u, err) != 0 ||
	    read_known(a, u, err) != 0 || read_timeout(a, u, err) != 0 || read_params(a, u, err) != 0)
		return -1;
	if (a->key_env != NULL && a->key_file != NULL)
		return err_set(err, ERR_CONFIG, "Snowflake URL: give secret-key or secret-key-file, not both");
	if (a->keypair && a->key_file == NULL && set_default(&a->key_env, KEY_ENV, err) != 0)
		return -1;
	if (set_default(&a->client_id, CLIENT_ID, err) != 0)
		return -1;
	return set_default(&a->client_version, CLIENT_VERSION, err);
}

int
snow_account_parse(struct snow_account *a, const char *text, struct err *err)
{
	struct url	 u;
	int		 rc;

	*a = (struct snow_account){ 0 };
	if (url_parse(&u, slice_of(text), err) != 0) {
		if (err != NULL)
			err->code = ERR_CONFIG;
		return -1;
	}
	rc = read_url(a, &u, err);
	url_free(&u);
	if (rc != 0)
		snow_account_free(a);
	return rc;
}

static void
wipe(char **secret)
{
	if (*secret != NULL)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void
snow_account_free(struct snow_account *a)
{
	wipe(&a->password);
	wipe(&a->key_passphrase);
	for (size_t i = 0; i < a->nparams; i++) {
		free(a->params[i].name);
		free(a->params[i].value);
	}
	free(a->params);
	free(a->origin);
	free(a->host);
	free(a->name);
	free(a->user);
	free(a->database);
	free(a->schema);
	free(a->warehouse);
	free(a->role);
	free(a->key_env);
	free(a->key_file);
	free(a->client_id);
	free(a->client_version);
	free(a->ca_file);
	*a = (struct snow_account){ 0 };
}
