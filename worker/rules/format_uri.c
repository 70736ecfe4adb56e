/* URIs by RFC 3986, IRIs by RFC 3987, templates of them by RFC 6570: what characters may stand where. */

#include <ctype.h>

#include "ipc/base/hex.h"
#include "worker/rules/format.h"
#include "worker/rules/uri.h"

/* Only unreserved characters, % escapes and those of `more`; with `wide` everything beyond ASCII, too. */
static bool
is_made_of(struct slice s, const char *more, bool wide)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x80) {
			if (!wide)
				return false;
		} else if (c == '%') {
			if (s.n - i < 3 || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
				return false;
		} else if (!isalnum(c) && (c == '\0' || (strchr("-._~", c) == NULL && strchr(more, c) == NULL)))
			return false;
	}
	return true;
}

#define SUB_DELIMS	"!$&'()*+,;="

static bool
is_port(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isdigit((unsigned char)s.p[i]))
			return false;
	return true;
}

static bool
is_authority(struct slice s, bool wide)
{
	const char	*at = s.n == 0 ? NULL : memrchr(s.p, '@', s.n), *end;
	struct slice	 host = s, port = { NULL, 0 };

	if (at != NULL) {
		if (!is_made_of((struct slice){ s.p, (size_t)(at - s.p) }, SUB_DELIMS ":", wide))
			return false;
		host = (struct slice){ at + 1, s.n - (size_t)(at - s.p) - 1 };
	}
	if (host.n > 0 && host.p[0] == '[') {
		if ((end = memchr(host.p, ']', host.n)) == NULL)
			return false;
		port = (struct slice){ end + 1, host.n - (size_t)(end - host.p) - 1 };
		host = (struct slice){ host.p + 1, (size_t)(end - host.p) - 1 };
		if (port.n > 0 && port.p[0] != ':')
			return false;
		if (port.n > 0)
			port = (struct slice){ port.p + 1, port.n - 1 };
		return is_port(port) && (format_ipv6(host) ||
		    (host.n > 2 && (host.p[0] | 0x20) == 'v' && is_made_of(host, SUB_DELIMS ":", false)));
	}
	if (host.n > 0 && (end = memrchr(host.p, ':', host.n)) != NULL) {
		port = (struct slice){ end + 1, host.n - (size_t)(end - host.p) - 1 };
		host.n = (size_t)(end - host.p);
	}
	return is_port(port) && is_made_of(host, SUB_DELIMS, wide);
}

/* Behind the scheme and in front of the fragment. */
static bool
is_rest(struct slice s, bool wide)
{
	const char	*mark = s.n == 0 ? NULL : memchr(s.p, '?', s.n), *slash;
	struct slice	 authority;

	if (mark != NULL) {
		if (!is_made_of((struct slice){ mark + 1, s.n - (size_t)(mark - s.p) - 1 }, SUB_DELIMS ":@/?", wide))
			return false;
		s.n = (size_t)(mark - s.p);
	}
	if (s.n >= 2 && s.p[0] == '/' && s.p[1] == '/') {
		slash = memchr(s.p + 2, '/', s.n - 2);
		authority = (struct slice){ s.p + 2, (slash == NULL ? s.n : (size_t)(slash - s.p)) - 2 };
		if (!is_authority(authority, wide))
			return false;
		s = (struct slice){ authority.p + authority.n, s.n - authority.n - 2 };
	}
	return is_made_of(s, SUB_DELIMS ":@/", wide);
}

static bool
is_reference(struct slice s, bool absolute, bool wide)
{
	struct slice	 fragment;
	size_t		 n, colon = 0;

	s = uri_cut_fragment(s, &fragment);
	if (!is_made_of(fragment, SUB_DELIMS ":@/?", wide))
		return false;
	if (uri_has_scheme(s, &n))
		return is_rest((struct slice){ s.p + n + 1, s.n - n - 1 }, wide);
	if (absolute)
		return false;
	while (colon < s.n && s.p[colon] != ':' && s.p[colon] != '/' && s.p[colon] != '?')
		colon++;
	return (colon == s.n || s.p[colon] != ':') && is_rest(s, wide);
}

bool
format_uri(struct slice s)
{
	return is_reference(s, true, false);
}

bool
format_uri_reference(struct slice s)
{
	return is_reference(s, false, false);
}

bool
format_iri(struct slice s)
{
	return is_reference(s, true, true);
}

bool
format_iri_reference(struct slice s)
{
	return is_reference(s, false, true);
}

/* Between braces: an operator, and names with a modifier each. */
static bool
is_expression(struct slice s)
{
	struct slice	 name;

	if (s.n > 0 && s.p[0] != '\0' && strchr("+#./;?&=,!@|", s.p[0]) != NULL)
		s = (struct slice){ s.p + 1, s.n - 1 };
	while (slice_cut(&s, ',', &name)) {
		const char *colon = name.n == 0 ? NULL : memchr(name.p, ':', name.n);

		if (colon != NULL) {
			struct slice most = { colon + 1, name.n - (size_t)(colon - name.p) - 1 };

			if (most.n == 0 || most.n > 4 || most.p[0] == '0' || !is_port(most))
				return false;
			name.n = (size_t)(colon - name.p);
		} else if (name.n > 0 && name.p[name.n - 1] == '*')
			name.n--;
		if (name.n == 0 || !is_made_of(name, "", false))
			return false;
	}
	return true;
}

bool
format_uri_template(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		const char *end;

		if (c <= ' ' || c == 0x7f || strchr("\"'<>\\^`|}", c) != NULL)
			return false;
		if (c != '{')
			continue;
		if ((end = memchr(s.p + i, '}', s.n - i)) == NULL ||
		    !is_expression((struct slice){ s.p + i + 1, (size_t)(end - s.p) - i - 1 }))
			return false;
		i = (size_t)(end - s.p);
	}
	return true;
}
