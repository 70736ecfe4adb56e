/* From a filled-in form to a URL. */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/fields_url.h"

/* One form being read: its values by name, and the URL under way. */
struct reading {
	const struct driver_form	*form;
	const json_t			*values;
	struct buf			 url;
	struct field_errors		*errors;
};

void
field_errors_free(struct field_errors *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free(e->v[i].field);
		free(e->v[i].error);
	}
	free(e->v);
	*e = (struct field_errors){ 0 };
}

static void	complain(struct reading *, const char *field, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
complain(struct reading *r, const char *field, const char *fmt, ...)
{
	struct field_error	*v = realloc(r->errors->v, (r->errors->n + 1) * sizeof(*v));
	char			 text[600];
	va_list			 ap;

	r->url.oom |= v == NULL;
	if (v == NULL)
		return;
	r->errors->v = v;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	v += r->errors->n;
	*v = (struct field_error){ .field = strdup(field), .error = strdup(text) };
	if (v->field == NULL || v->error == NULL) {
		free(v->field);
		free(v->error);
		r->url.oom = true;
		return;
	}
	r->errors->n++;
}

/* The text of a field, "" when it is optional and not there. */
static const char *
text(struct reading *r, const char *name)
{
	const json_t	*v = json_object_get(r->values, name);
	const char	*s = json_string_value(v);

	if (s != NULL && strlen(s) != json_string_length(v)) {
		complain(r, name, "must not contain a NUL character");
		return "";
	}
	return s == NULL ? "" : s;
}

/* --- percent-encoding, as Go's net/url writes it --- */

static void
escape(struct buf *out, const char *s, const char *kept)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c < 0x80 && isalnum(c)) || strchr("-_.~", c) != NULL || strchr(kept, c) != NULL)
			buf_addc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

#define KEPT_IN_USER	"$&+,;="
#define KEPT_IN_PATH	"$&+,/:;=@"
#define KEPT_IN_QUERY	""

/* With the slash in front that a path behind a host needs. */
static void
put_path(struct buf *out, const char *path)
{
	if (path[0] == '\0')
		return;
	if (path[0] != '/')
		buf_addc(out, '/');
	escape(out, path, KEPT_IN_PATH);
}

/* Writes "?a=b&c=d" of those that are not empty; keys come sorted. */
static void
put_query(struct buf *out, const char *const (*pairs)[2], size_t n)
{
	char	 sign = '?';

	for (size_t i = 0; i < n; i++) {
		if (pairs[i][1][0] == '\0')
			continue;
		buf_addc(out, sign);
		sign = '&';
		buf_printf(out, "%s=", pairs[i][0]);
		for (const char *s = pairs[i][1]; *s != '\0'; s++)
			if (*s == ' ')
				buf_addc(out, '+');
			else
				escape(out, (char[]){ *s, '\0' }, KEPT_IN_QUERY);
	}
}

/* --- hosts and ports --- */

/* A host name or address; an IPv6 address gets its brackets.  A port of its own is left to `with_port`. */
static void
put_host(struct reading *r, const char *field, const char *host, bool with_port)
{
	struct in6_addr	 six;
	size_t		 n = strlen(host), name = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	if (inet_pton(AF_INET6, host, &six) == 1) {
		buf_printf(&r->url, "[%s]", host);
		return;
	}
	if (host[0] == '[' && n > 1 && host[n - 1] == ']' && strspn(host + 1, "0123456789abcdefABCDEF:.") == n - 2) {
		buf_adds(&r->url, host);
		return;
	}
	if (with_port && name > 0 && host[name] == ':' && n > name + 1 &&
	    strspn(host + name + 1, "0123456789") == n - name - 1) {
		buf_adds(&r->url, host);
		return;
	}
	if (name != n)
		complain(r, field, host[name] == ':' ? "expected a host name alone; the port has a field of its own" :
		    "expected a host name or an address");
	buf_adds(&r->url, host);
}

static const char *
preset_of(const struct reading *r, const char *name)
{
	for (size_t i = 0; i < r->form->n_fields; i++)
		if (strcmp(r->form->fields[i].name, name) == 0)
			return r->form->fields[i].preset;
	return NULL;
}

/* A number, or its digits as text; nothing at all means the usual one (hazard H39). */
static void
put_port(struct reading *r)
{
	const json_t	*v = json_object_get(r->values, "Port");
	uint64_t	 port = 0;
	const char	*digits;
	double		 d;

	if (v == NULL || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0)) {
		buf_printf(&r->url, ":%s", preset_of(r, "Port"));
		return;
	}
	if (json_is_string(v)) {
		digits = text(r, "Port");
		if (!slice_u64(slice_of(digits[0] == '+' ? digits + 1 : digits), &port))
			port = 0;
	} else if (json_is_number(v)) {
		d = json_number_value(v);
		port = d >= 1 && d <= 65535 ? (uint64_t)d : 0;
		if ((double)port != d)
			port = 0;
	}
	if (port < 1 || port > 65535)
		complain(r, "Port", "must be a whole number from 1 to 65535");
	buf_printf(&r->url, ":%llu", (unsigned long long)port);
}

/* --- one function for each kind of form --- */

/* The reason why the present user cannot write there, in the words HQ knows; false when he can. */
static bool
not_writable(const char *dir, char *why, size_t size)
{
	struct stat	 st;

	if (stat(dir, &st) != 0) {
		(void)snprintf(why, size, "stat: stat %s: %s", dir, strerror(errno));
		why[strlen(why) - strlen(strerror(errno))] = (char)tolower((unsigned char)strerror(errno)[0]);
		return true;
	}
	if (!S_ISDIR(st.st_mode)) {
		(void)snprintf(why, size, "%s is not a directory", dir);
		return true;
	}
	if (access(dir, W_OK | X_OK) != 0) {
		(void)snprintf(why, size, "%s is not writable by this user (uid %u)", dir, (unsigned)geteuid());
		return true;
	}
	return false;
}

/* Absolute, without empty, . and .. parts; for the caller to free(). */
static char *
clean_path(const char *path)
{
	struct buf	 out = { 0 };
	struct slice	 rest, part;
	char		 cwd[4096];

	if (path[0] != '/') {
		if (getcwd(cwd, sizeof(cwd)) == NULL)
			return NULL;
		buf_adds(&out, strcmp(cwd, "/") == 0 ? "" : cwd);
	}
	rest = slice_of(path);
	while (slice_cut(&rest, '/', &part)) {
		if (part.n == 0 || slice_is(part, "."))
			continue;
		if (slice_is(part, "..")) {
			while (out.len > 0 && out.data[--out.len] != '/')
				;
			continue;
		}
		buf_addc(&out, '/');
		buf_adds_slice(&out, part);
	}
	if (out.len == 0)
		buf_addc(&out, '/');
	return buf_steal(&out);
}

static void
check_directory(struct reading *r, char *path)
{
	struct stat	 st;
	char		 why[500], *slash;

	if (stat(path, &st) == 0) {
		if (not_writable(path, why, sizeof(why)))
			complain(r, "Directory", "error checking directory permission: %s", why);
		return;
	}
	slash = strrchr(path, '/');
	if (slash == path) {
		if (not_writable("/", why, sizeof(why)))
			complain(r, "Directory", "error checking for parent / directory permission: %s", why);
		return;
	}
	*slash = '\0';
	if (not_writable(path, why, sizeof(why)))
		complain(r, "Directory", "error checking for parent %s directory permission: %s", path, why);
	*slash = '/';
}

/* Only what would end the path is encoded: HQ shows the URL to people, and blanks have always stood in it. */
static void
url_of_file(struct reading *r)
{
	char	*path = clean_path(text(r, "Directory"));

	if (path == NULL) {
		r->url.oom = true;
		return;
	}
	if (strcmp(path, "/") == 0)
		complain(r, "Directory", "cannot be the root directory");
	else
		check_directory(r, path);
	buf_adds(&r->url, "file://");
	for (const char *s = path; *s != '\0'; s++)
		if (strchr("%#?", *s) != NULL)
			buf_printf(&r->url, "%%%02X", (unsigned char)*s);
		else
			buf_addc(&r->url, *s);
	free(path);
}

/* Several brokers, separated by commas, may each name a port. */
static void
url_of_kafka(struct reading *r)
{
	struct slice	 rest = slice_of(text(r, "Hostname")), one;
	const char	*topic = text(r, "Topic"), *comma = "";

	buf_adds(&r->url, "kafka://");
	while (slice_cut(&rest, ',', &one)) {
		char	 *host = slice_dup(slice_trim(one));

		if (host == NULL) {
			r->url.oom = true;
			return;
		}
		buf_adds(&r->url, comma);
		put_host(r, "Hostname", host, true);
		if (strchr(host, ':') == NULL)
			put_port(r);
		comma = ",";
		free(host);
	}
	if (topic[0] == '\0' || strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(topic))
		complain(r, "Topic", "expected letters, digits, dots, underscores and hyphens");
	buf_printf(&r->url, "/%s", topic);
}

static void
url_of_eventhub(struct reading *r)
{
	const char	*s = text(r, "Connection String"), *rest;

	if (strncmp(s, "Endpoint=", 9) != 0)
		complain(r, "Connection String", "expected to start with the prefix Endpoint=");
	else if ((rest = strstr(s, "://")) == NULL)
		complain(r, "Connection String", "expected a url scheme after Endpoint= prefix");
	else
		buf_printf(&r->url, "eventhub://%s", rest + 3);
}

/* One that s3_config.c takes for a service when it stands in front of the bucket; every other name there is a bucket's (hazard H53). */
static bool
may_stand_in_front(const char *endpoint)
{
	static const char	 google[] = "googleapis.com";
	size_t			 n = strlen(endpoint), m = sizeof(google) - 1;

	if (strstr(endpoint, "://") != NULL)
		return false;
	return strchr(endpoint, ':') != NULL || endpoint[strspn(endpoint, "0123456789.")] == '\0' ||
	    strcmp(endpoint, "localhost") == 0 || (n > m && endpoint[n - m - 1] == '.' && strcmp(endpoint + n - m, google) == 0);
}

/* A host, with what may be written around it. */
static void
check_endpoint(struct reading *r, const char *endpoint)
{
	const char	*host = strstr(endpoint, "://");
	size_t		 n;

	if (host == NULL)
		host = endpoint;
	else if (strncmp(endpoint, "https://", 8) == 0 || strncmp(endpoint, "http://", 7) == 0)
		host += 3;
	else {
		complain(r, "Endpoint", "expected http:// or https:// and a host, or a host alone");
		return;
	}
	n = host[0] == '[' ? strcspn(host, "]") + 1 :
	    strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
	if (n > strlen(host) || n == 0) {
		complain(r, "Endpoint", "expected a host name or an address");
		return;
	}
	host += n;
	if (host[0] == ':')
		host += 1 + strspn(host + 1, "0123456789");
	if (host[0] == '/')
		host++;
	if (host[0] != '\0')
		complain(r, "Endpoint", "expected a host name or an address");
}

/* The bucket is behind the service, in the path. */
static void
put_service(struct reading *r, const char *endpoint, const char *bucket, const char *prefix)
{
	struct buf	 joined = { 0 };
	char		*path;

	put_host(r, "Endpoint", endpoint, true);
	buf_printf(&joined, "/%s/%s", bucket, prefix);
	path = clean_path(buf_cstr(&joined));
	r->url.oom |= joined.oom || path == NULL;
	put_path(&r->url, path == NULL ? "" : path);
	free(path);
	buf_free(&joined);
}

static void
url_of_s3(struct reading *r)
{
	const char	*endpoint = text(r, "Endpoint"), *bucket = text(r, "Bucket"), *prefix = text(r, "Prefix");
	bool		 in_front = endpoint[0] != '\0' && may_stand_in_front(endpoint);
	const char *const query[][2] = {
		{ "access-key-id", text(r, "Access Key ID") },
		{ "endpoint", in_front ? "" : endpoint },
		{ "region", text(r, "Region") },
		{ "secret-access-key", text(r, "Secret Access Key") },
	};

	buf_adds(&r->url, "s3://");
	if (in_front)
		put_service(r, endpoint, bucket, prefix);
	else {
		if (endpoint[0] != '\0')
			check_endpoint(r, endpoint);
		put_host(r, "Bucket", bucket, false);
		put_path(&r->url, prefix);
	}
	put_query(&r->url, query, NELEM(query));
}

static void
put_user(struct reading *r)
{
	const char	*user = text(r, "Username");

	if (user[0] == '\0')
		return;
	escape(&r->url, user, KEPT_IN_USER);
	buf_addc(&r->url, ':');
	escape(&r->url, text(r, "Password"), KEPT_IN_USER);
	buf_addc(&r->url, '@');
}

static void
url_of_database(struct reading *r)
{
	const char	*host = text(r, "Hostname"), *database = text(r, "Database");
	bool		 port = preset_of(r, "Port") != NULL;

	buf_printf(&r->url, "%s:", r->form->scheme);
	if (!port && host[0] == '\0' && database[0] == '\0' && text(r, "Username")[0] == '\0')
		return;			/* nothing in it */
	buf_adds(&r->url, "//");
	put_user(r);
	put_host(r, "Hostname", host, false);
	if (port)
		put_port(r);
	put_path(&r->url, database);
}

static void
url_of_keypair(struct reading *r)
{
	buf_printf(&r->url, "%s://", r->form->scheme);
	escape(&r->url, text(r, "Username"), KEPT_IN_USER);
	buf_addc(&r->url, '@');
	put_host(r, "Account", text(r, "Account"), false);
	put_path(&r->url, text(r, "Database"));
	buf_adds(&r->url, "?secret-key=");
	escape(&r->url, text(r, "Secret"), KEPT_IN_QUERY);
}

static const struct {
	const char	*scheme;
	void		(*make)(struct reading *);
} makers[] = {
	{ "eventhub", url_of_eventhub }, { "file", url_of_file }, { "kafka", url_of_kafka }, { "mysql", url_of_database },
	{ "postgres", url_of_database }, { "s3", url_of_s3 }, { "snowflake", url_of_database },
	{ "snowflake-keypair", url_of_keypair }, { "sqlserver", url_of_database },
};

/* A required field must be a text, if only an empty one (hazard H40). */
static void
check_present(struct reading *r)
{
	for (size_t i = 0; i < r->form->n_fields; i++) {
		const struct driver_field	*f = &r->form->fields[i];
		const json_t			*v = json_object_get(r->values, f->name);

		if (f->required && (v == NULL || json_is_null(v)))
			complain(r, f->name, "is required");
		else if (!f->number && v != NULL && !json_is_null(v) && !json_is_string(v))
			complain(r, f->name, "must be a text");
	}
}

bool
fields_url(const struct driver_form *form, const json_t *values, struct buf *url, struct field_errors *errors_r)
{
	struct reading	 r = { .form = form, .values = values, .errors = errors_r };
	bool		 good;

	check_present(&r);
	for (size_t i = 0; errors_r->n == 0 && i < NELEM(makers); i++)
		if (strcmp(makers[i].scheme, form->scheme) == 0)
			makers[i].make(&r);
	good = errors_r->n == 0 && !r.url.oom && r.url.len > 0;
	if (good)
		buf_adds_slice(url, buf_slice(&r.url));
	url->oom |= r.url.oom;
	buf_free_wiped(&r.url);
	return good;
}
