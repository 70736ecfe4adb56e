/* The formats by name, and those that need no file of their own. */

#include "ipc/base/hex.h"
#include "ipc/base/json_bytes.h"
#include "worker/rules/format.h"
#include "worker/rules/pattern.h"

static bool
format_uuid(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s.p[i] != '-' : hex_value(s.p[i]) < 0)
			return false;
	return s.n == 36;
}

static bool
format_regex(struct slice s)
{
	struct pattern	*p = pattern_new(s, NULL);
	bool		 fine = p != NULL;

	pattern_free(&p);
	return fine;
}

static bool
format_json_pointer(struct slice s)
{
	if (s.n > 0 && s.p[0] != '/')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
			return false;
	return true;
}

static bool
format_relative_json_pointer(struct slice s)
{
	size_t	 n = 0;

	while (n < s.n && is_digit(s.p[n]))
		n++;
	if (n == 0 || (n > 1 && s.p[0] == '0'))
		return false;
	if (n + 1 == s.n && s.p[n] == '#')
		return true;
	return format_json_pointer((struct slice){ s.p + n, s.n - n });
}

format_fn
format_find(struct slice name)
{
	static const struct {
		const char	*name;
		format_fn	 fn;
	} known[] = {
		{ "date-time", format_date_time }, { "date", format_date }, { "time", format_time }, { "duration", format_duration },
		{ "email", format_email }, { "idn-email", format_idn_email }, { "hostname", format_hostname },
		{ "ipv4", format_ipv4 }, { "ip-address", format_ipv4 }, { "ipv6", format_ipv6 },
		{ "uri", format_uri }, { "uri-reference", format_uri_reference }, { "uriref", format_uri_reference },
		{ "iri", format_iri }, { "iri-reference", format_iri_reference }, { "uri-template", format_uri_template },
		{ "uuid", format_uuid }, { "regex", format_regex }, { "json-pointer", format_json_pointer },
		{ "relative-json-pointer", format_relative_json_pointer },
	};

	for (size_t i = 0; i < NELEM(known); i++)
		if (slice_is(name, known[i].name))
			return known[i].fn;
	return NULL;
}
