/* The text of one element. */

#include "drivers/s3/xml.h"

/* The name after < or </, without namespace prefix; *rest goes behind it. */
static struct slice
take_name(struct slice *rest)
{
	struct slice	 name = { rest->p, 0 };
	size_t		 start = 0, n = 0;

	while (n < rest->n && strchr(" \t\r\n/>", rest->p[n]) == NULL) {
		if (rest->p[n] == ':')
			start = n + 1;
		n++;
	}
	name.p += start;
	name.n = n - start;
	rest->p += n;
	rest->n -= n;
	return name;
}

static bool
advance(struct slice *s, char until)
{
	const char	*p = s->n == 0 ? NULL : memchr(s->p, until, s->n);

	if (p == NULL)
		return false;
	s->n -= (size_t)(p + 1 - s->p);
	s->p = p + 1;
	return true;
}

static void
add_character(struct buf *b, uint32_t c)
{
	if (c < 0x80)
		buf_addc(b, (char)c);
	else if (c < 0x800) {
		buf_addc(b, (char)(0xc0 | c >> 6));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_addc(b, (char)(0xe0 | c >> 12));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else
		buf_addc(b, '?');
}

/* &#39; or &#x27;, without & and ;. */
static bool
number_of(struct slice e, uint32_t *c_r)
{
	uint32_t	 c = 0;
	bool		 hex = e.n > 1 && e.p[1] == 'x';

	if (e.n < 2 || e.n > 9 || e.p[0] != '#' || (hex && e.n == 2))
		return false;
	for (size_t i = hex ? 2 : 1; i < e.n; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *at = e.p[i] == '\0' ? NULL : strchr(digits, e.p[i] >= 'A' && e.p[i] <= 'F' ? e.p[i] | 32 : e.p[i]);

		if (at == NULL || (!hex && at - digits > 9))
			return false;
		c = c * (hex ? 16 : 10) + (uint32_t)(at - digits);
	}
	*c_r = c;
	return c != 0;
}

static bool
add_entity(struct buf *b, struct slice e)
{
	static const struct { const char *name; char c; } known[] = {
		{ "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' } };
	uint32_t	 c;

	for (size_t i = 0; i < NELEM(known); i++)
		if (slice_is(e, known[i].name)) {
			buf_addc(b, known[i].c);
			return true;
		}
	if (!number_of(e, &c))
		return false;
	add_character(b, c);
	return true;
}

static void
add_decoded(struct buf *b, struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		const char *end = text.p[i] == '&' ? memchr(text.p + i, ';', text.n - i) : NULL;
		struct slice entity = { text.p + i + 1, end == NULL ? 0 : (size_t)(end - text.p) - i - 1 };

		if (end != NULL && add_entity(b, entity))
			i += entity.n + 1;
		else
			buf_addc(b, text.p[i]);
	}
}

bool
xml_text(struct slice document, const char *name, struct buf *b)
{
	struct slice	 rest = document, text;
	const char	*end;

	while (advance(&rest, '<')) {
		if (!slice_is(take_name(&rest), name))
			continue;
		if (rest.n > 0 && rest.p[0] == '/')
			return true;			/* <Name/>: there, and empty */
		if (!advance(&rest, '>') || (end = rest.n == 0 ? NULL : memchr(rest.p, '<', rest.n)) == NULL)
			return false;
		text = (struct slice){ rest.p, (size_t)(end - rest.p) };
		add_decoded(b, slice_trim(text));
		return true;
	}
	return false;
}
