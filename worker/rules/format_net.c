/* Names and addresses of the network. */

#include <arpa/inet.h>
#include <ctype.h>

#include "worker/rules/format.h"

static bool
is_label_char(char c, bool wide)
{
	return (unsigned char)c >= 0x80 ? wide : isalnum((unsigned char)c) || c == '-';
}

/* RFC 1123: labels of letters, digits and hyphens, which are not at their ends. */
static bool
is_hostname(struct slice s, bool wide)
{
	struct slice	 label;

	if (s.n == 0 || s.n > 253)
		return false;
	while (slice_cut(&s, '.', &label)) {
		if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!is_label_char(label.p[i], wide))
				return false;
		/* --, but for encoded names, whose own rules are not looked at */
		if (label.n >= 4 && label.p[2] == '-' && label.p[3] == '-' && (label.p[0] | 0x20) != 'x')
			return false;
	}
	return true;
}

bool
format_hostname(struct slice s)
{
	return is_hostname(s, false);
}

static bool
is_address(struct slice s, int family)
{
	char	 text[INET6_ADDRSTRLEN + 1];
	struct in6_addr	 any;

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	(void)memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, &any) == 1;
}

bool
format_ipv4(struct slice s)
{
	return is_address(s, AF_INET);
}

bool
format_ipv6(struct slice s)
{
	return is_address(s, AF_INET6);
}

static bool
is_domain(struct slice s, bool wide)
{
	if (s.n < 2 || s.p[0] != '[')
		return is_hostname(s, wide);
	if (s.p[s.n - 1] != ']')
		return false;
	s = (struct slice){ s.p + 1, s.n - 2 };
	if (s.n > 5 && memcmp(s.p, "IPv6:", 5) == 0)
		return format_ipv6((struct slice){ s.p + 5, s.n - 5 });
	return format_ipv4(s);
}

static bool
is_quoted(struct slice s)
{
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '"' || (s.p[i] == '\\' && ++i + 1 == s.n))
			return false;
	}
	return s.n >= 2 && s.p[s.n - 1] == '"';
}

/* RFC 5321; `wide`: with letters beyond ASCII, RFC 6531. */
static bool
is_email(struct slice s, bool wide)
{
	const char	*at = s.n == 0 ? NULL : memrchr(s.p, '@', s.n);
	struct slice	 local, part;

	if (at == NULL || at == s.p)
		return false;
	local = (struct slice){ s.p, (size_t)(at - s.p) };
	if (local.n > 64 || !is_domain((struct slice){ at + 1, s.n - local.n - 1 }, wide))
		return false;
	if (local.p[0] == '"')
		return is_quoted(local);
	while (slice_cut(&local, '.', &part)) {
		if (part.n == 0)
			return false;
		for (size_t i = 0; i < part.n; i++) {
			unsigned char c = (unsigned char)part.p[i];

			if (c >= 0x80 ? !wide : !isalnum(c) && (c == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL))
				return false;
		}
	}
	return true;
}

bool
format_email(struct slice s)
{
	return is_email(s, false);
}

bool
format_idn_email(struct slice s)
{
	return is_email(s, true);
}
