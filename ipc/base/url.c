/*
 * URLs by the rules of Go's net/url, because shops have configured theirs for
 * it.  Error texts name the part that is wrong, never its content: any part
 * may hold a password, if only by a slip of the one who typed it.
 */

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

#include "ipc/base/hex.h"
#include "ipc/base/url_private.h"

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool
is_digits(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

bool
url_decode(struct buf *b, struct slice s, bool plus_is_space)
{
	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] == '+' && plus_is_space) {
			buf_addc(b, ' ');
			continue;
		}
		if (s.p[i] != '%') {
			buf_addc(b, s.p[i]);
			continue;
		}
		if (s.n - i < 3 || (high = hex_value(s.p[i + 1])) < 0 || (low = hex_value(s.p[i + 2])) < 0 ||
		    high + low == 0)
			return false;
		buf_addc(b, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

static int
check_escapes(const char *part, struct slice s, struct err *err)
{
	struct buf	 unused = { 0 };
	bool		 ok = url_decode(&unused, s, false);

	buf_free(&unused);
	if (ok)
		return 0;
	return err_set(err, ERR_INVALID, "URL: bad %% escape in the %s; a %% itself is written %%25", part);
}

static int
split_scheme(struct slice *rest, struct slice *scheme_r, struct err *err)
{
	size_t	 n = 0;

	while (n < rest->n && (is_alnum(rest->p[n]) || (n > 0 && is_one_of(rest->p[n], "+-."))))
		n++;
	if (n == 0 || n == rest->n || rest->p[n] != ':' || (rest->p[0] >= '0' && rest->p[0] <= '9'))
		return err_set(err, ERR_INVALID, "URL: no scheme; it starts like postgres:// or file://");
	*scheme_r = (struct slice){ rest->p, n };
	rest->p += n + 1;
	rest->n -= n + 1;
	return 0;
}

static int
split_userinfo(struct slice info, struct url_parts *u, struct err *err)
{
	for (size_t i = 0; i < info.n; i++)
		if (!is_alnum(info.p[i]) && !is_one_of(info.p[i], "-._:~!$&'()*+,;=%@"))
			return err_set(err, ERR_INVALID,
			    "URL: a character in user or password must be written as %%XX, for instance a blank as %%20");
	(void)slice_cut(&info, ':', &u->user);
	u->password = info;
	if (check_escapes("user", u->user, err) != 0)
		return -1;
	return check_escapes("password", u->password, err);
}

/* Only bytes above 7F may be percent-encoded in a host, and % itself (of an IPv6 zone). */
static int
check_host(struct slice host, struct err *err)
{
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (c == '%') {
			if (host.n - i < 3 || hex_value(host.p[i + 1]) < 0 || hex_value(host.p[i + 2]) < 0 ||
			    (hex_value(host.p[i + 1]) < 8 && memcmp(host.p + i, "%25", 3) != 0))
				return err_set(err, ERR_INVALID, "URL: bad %% escape in the host");
			i += 2;
		} else if (!is_alnum(c) && (unsigned char)c < 0x80 && !is_one_of(c, "-_.~!$&'()*+,;=:[]<>\""))
			return err_set(err, ERR_INVALID, "URL: a character that no host name may have");
	}
	return 0;
}

static int
split_host(struct slice host, struct url_parts *u, struct err *err)
{
	const char	*colon = NULL, *bracket;

	u->authority = u->host = host;
	u->port = SLICE("");
	if (host.n > 0 && host.p[0] == '[') {
		if ((bracket = memrchr(host.p, ']', host.n)) == NULL)
			return err_set(err, ERR_INVALID, "URL: the host has a [ but no ]");
		u->host = (struct slice){ host.p + 1, (size_t)(bracket - host.p) - 1 };
		if (bracket + 1 < host.p + host.n)
			colon = bracket + 1;
	} else if (host.n > 0 && (colon = memrchr(host.p, ':', host.n)) != NULL)
		u->host.n = (size_t)(colon - host.p);
	if (colon != NULL) {
		u->port = (struct slice){ colon + 1, (size_t)(host.p + host.n - colon) - 1 };
		if (*colon != ':' || !is_digits(u->port))
			return err_set(err, ERR_INVALID, "URL: invalid port: only digits may follow the host's colon "
			    "(a / ? # or @ in a password is written as %%2F %%3F %%23 %%40)");
	}
	return check_host(u->host, err);
}

static int
split_authority(struct slice *rest, struct url_parts *u, struct err *err)
{
	struct slice	 auth = { rest->p + 2, 0 };
	const char	*at;

	while (auth.n < rest->n - 2 && auth.p[auth.n] != '/')
		auth.n++;
	rest->p += auth.n + 2;
	rest->n -= auth.n + 2;
	if (auth.n > 0 && (at = memrchr(auth.p, '@', auth.n)) != NULL) {
		struct slice info = { auth.p, (size_t)(at - auth.p) };

		auth.n -= info.n + 1;
		auth.p = at + 1;
		if (split_userinfo(info, u, err) != 0)
			return -1;
	}
	return split_host(auth, u, err);
}

int
url_split(struct slice text, struct url_parts *u, struct err *err)
{
	struct slice	 rest = text, part;

	*u = (struct url_parts){ .authority = SLICE(""), .host = SLICE(""), .port = SLICE(""), .path = SLICE("") };
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return err_set(err, ERR_INVALID, "URL: control character, a line end perhaps");
	if (slice_cut(&rest, '#', &part)) {
		u->fragment = rest;
		rest = part;
	}
	if (split_scheme(&rest, &u->scheme, err) != 0)
		return -1;
	if (slice_cut(&rest, '?', &part)) {
		u->query = rest;
		rest = part;
	}
	if (rest.n >= 2 && rest.p[0] == '/' && rest.p[1] == '/') {
		if (split_authority(&rest, u, err) != 0)
			return -1;
	} else if (rest.n > 0 && rest.p[0] != '/')
		return err_set(err, ERR_INVALID, "URL: // is missing after the scheme");
	if (rest.n > 0)
		u->path = rest;
	if (check_escapes("path", u->path, err) != 0)
		return -1;
	return check_escapes("fragment", u->fragment, err);
}

/* NULL for an absent part and when memory is short, which sets *oom. */
static char *
decoded(struct slice s, bool *oom)
{
	struct buf	 b = { 0 };
	char		*text;

	if (s.p == NULL)
		return NULL;
	(void)url_decode(&b, s, false);		/* url_split() has checked it */
	text = buf_steal(&b);
	*oom |= text == NULL;
	return text;
}

int
url_parse(struct url *url, struct slice text, struct err *err)
{
	struct url_parts u;
	bool		 oom = false;

	*url = (struct url){ .scheme = NULL };
	if (url_split(text, &u, err) != 0)
		return -1;
	url->scheme = decoded(u.scheme, &oom);
	url->user = decoded(u.user, &oom);
	url->password = decoded(u.password, &oom);
	url->host = decoded(u.host, &oom);
	url->port = decoded(u.port, &oom);
	url->path = decoded(u.path, &oom);
	url->fragment = decoded(u.fragment, &oom);
	if (u.query.p != NULL) {
		url->query = slice_dup(u.query);
		oom |= url->query == NULL;
	}
	if (oom) {
		url_free(url);
		return err_set(err, ERR_NOMEM, "memory is short for a URL of %zu bytes", text.n);
	}
	for (char *p = url->scheme; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return 0;
}

void
url_free(struct url *url)
{
	free(url->scheme);
	free_wiped(url->user);
	free_wiped(url->password);
	free(url->host);
	free(url->port);
	free_wiped(url->path);
	free_wiped(url->query);
	free(url->fragment);
	*url = (struct url){ .scheme = NULL };
}

bool
url_next_pair(struct slice *rest, struct buf *key, struct buf *value)
{
	struct slice	 pair, name;

	while (slice_cut(rest, '&', &pair)) {
		if (pair.n == 0 || memchr(pair.p, ';', pair.n) != NULL)
			continue;
		(void)slice_cut(&pair, '=', &name);
		buf_reset(key);
		buf_reset(value);
		if (url_decode(key, name, true) && url_decode(value, pair, true))
			return true;
	}
	return false;
}

char *
url_query_get(const struct url *url, const char *want)
{
	struct slice	 rest = slice_of(url->query);
	struct buf	 key = { 0 }, value = { 0 };
	char		*found = NULL;

	while (found == NULL && url_next_pair(&rest, &key, &value))
		if (slice_is(buf_slice(&key), want)) {
			found = buf_steal(&value);
			break;
		}
	buf_free(&key);
	buf_free(&value);
	return found;
}

void
url_escape_segment(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (is_alnum(s.p[i]) || is_one_of(s.p[i], "-_.~"))
			buf_addc(b, s.p[i]);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)s.p[i]);
	}
}

bool
host_is_loopback(const char *host)
{
	struct in6_addr	 six;
	struct in_addr	 four;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}
