/*
 * Reads the part of TOML that config.toml needs.  Values of other types are skipped
 * by their own rules, so that what somebody else put into the file neither
 * disturbs us nor gets lost.
 */

#include <stdlib.h>

#include "supervisor/config/toml_private.h"

struct reader {
	const char	*p, *end;
	unsigned	 line;
	struct err	*err;
};

static int
wrong(struct reader *r, const char *what)
{
	return err_set(r->err, ERR_INVALID, "line %u: %s", r->line, what);
}

static bool
starts(const struct reader *r, const char *word)
{
	size_t	 n = strlen(word);

	return (size_t)(r->end - r->p) >= n && memcmp(r->p, word, n) == 0;
}

static void
skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t'))
		r->p++;
}

/* Blanks, line ends and comments, as between the items of an array. */
static void
skip_space(struct reader *r)
{
	for (; r->p < r->end; r->p++) {
		if (*r->p == '\n')
			r->line++;
		else if (*r->p == '#') {
			while (r->p + 1 < r->end && r->p[1] != '\n')
				r->p++;
		} else if (*r->p != ' ' && *r->p != '\t' && *r->p != '\r')
			break;
	}
}

static int
add_code_point(struct reader *r, unsigned digits, struct buf *out)
{
	uint32_t	 c = 0;

	for (unsigned i = 0; i < digits; i++, r->p++) {
		const char *hex = "0123456789abcdefABCDEF", *at;

		if (r->p == r->end || *r->p == '\0' || (at = strchr(hex, *r->p)) == NULL)
			return wrong(r, "expected hexadecimal digits after \\u");
		c = c << 4 | (uint32_t)(at - hex < 16 ? at - hex : at - hex - 6);
	}
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c == 0)
		return wrong(r, "\\u names no character");
	if (c < 0x80)
		buf_addc(out, (char)c);
	else if (c < 0x800)
		buf_printf(out, "%c%c", (char)(0xc0 | c >> 6), (char)(0x80 | (c & 63)));
	else if (c < 0x10000)
		buf_printf(out, "%c%c%c", (char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)));
	else
		buf_printf(out, "%c%c%c%c", (char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)),
		    (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)));
	return 0;
}

static int
read_escape(struct reader *r, struct buf *out)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char	*at;

	if (++r->p == r->end)
		return wrong(r, "the string has no end");
	if (*r->p == 'u' || *r->p == 'U') {
		r->p++;
		return add_code_point(r, r->p[-1] == 'u' ? 4 : 8, out);
	}
	if (*r->p == '\0' || (at = strchr(from, *r->p)) == NULL)
		return wrong(r, "unknown escape in a string; a backslash is written \\\\");
	buf_addc(out, to[at - from]);
	r->p++;
	return 0;
}

/* r->p is at the opening quote, one of " ' ; the text lands in `out`. */
static int
read_string(struct reader *r, struct buf *out)
{
	char	 quote = *r->p++;

	for (;;) {
		unsigned char c;

		if (r->p == r->end || *r->p == '\n')
			return wrong(r, "the string has no end");
		c = (unsigned char)*r->p;
		if (*r->p == quote) {
			r->p++;
			return 0;
		}
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return wrong(r, "control character in a string");
		if (quote == '"' && *r->p == '\\') {
			if (read_escape(r, out) != 0)
				return -1;
			continue;
		}
		buf_addc(out, *r->p++);
	}
}

/* """...""" or '''...''', skipped. */
static int
skip_long_string(struct reader *r)
{
	char		 quote = *r->p;
	unsigned	 opened = r->line;

	for (r->p += 3; r->end - r->p >= 3; r->p++) {
		if (r->p[0] == quote && r->p[1] == quote && r->p[2] == quote) {
			r->p += 3;
			while (r->p < r->end && *r->p == quote)		/* up to two more belong to the text */
				r->p++;
			return 0;
		}
		if (*r->p == '\n')
			r->line++;
		if (quote == '"' && *r->p == '\\' && r->p[1] != '\n')
			r->p++;
	}
	r->line = opened;
	return wrong(r, "the string has no end");
}

/* One value of any type; brackets are counted, strings inside them looked over. */
static int
skip_value(struct reader *r)
{
	unsigned	 depth = 0;

	do {
		if (depth > 0)
			skip_space(r);
		if (r->p == r->end || *r->p == '\n' || *r->p == '\r' || *r->p == '#')
			return wrong(r, depth > 0 ? "a bracket has no end" : "expected a value after the equals sign");
		if (starts(r, "\"\"\"") || starts(r, "'''")) {
			if (skip_long_string(r) != 0)
				return -1;
		} else if (*r->p == '"' || *r->p == '\'') {
			struct buf text = { 0 };
			int rc = read_string(r, &text);

			buf_free(&text);
			if (rc != 0)
				return -1;
		} else if (*r->p == '[' || *r->p == '{') {
			depth++;
			r->p++;
		} else if (depth > 0 && (*r->p == ']' || *r->p == '}')) {
			depth--;
			r->p++;
		} else if (depth > 0)
			r->p++;
		else
			while (r->p < r->end && memchr("\n\r#", *r->p, 3) == NULL)
				r->p++;
	} while (depth > 0);
	return 0;
}

static bool
is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* A bare or quoted key; `dotted` when it reaches into a table, which is never ours. */
static int
read_key(struct reader *r, struct buf *key, bool *dotted)
{
	for (*dotted = false;; *dotted = true) {
		skip_blanks(r);
		if (r->p < r->end && (*r->p == '"' || *r->p == '\'')) {
			if (read_string(r, key) != 0)
				return -1;
		} else {
			const char *from = r->p;

			while (r->p < r->end && is_bare(*r->p))
				r->p++;
			if (r->p == from)
				return wrong(r, "expected \"key = value\"");
			buf_add(key, from, (size_t)(r->p - from));
		}
		skip_blanks(r);
		if (r->p == r->end || *r->p != '.')
			return 0;
		buf_addc(key, *r->p++);
	}
}

static int
end_of_line(struct reader *r)
{
	skip_blanks(r);
	if (r->p < r->end && *r->p == '#')
		while (r->p < r->end && *r->p != '\n')
			r->p++;
	if (r->p < r->end && *r->p == '\r')
		r->p++;
	if (r->p == r->end)
		return 0;
	if (*r->p != '\n')
		return wrong(r, "expected the end of the line after the value");
	r->p++;
	r->line++;
	return 0;
}

/* Fills the entry when the value is a string or a boolean; other types are skipped, type TOML_OTHER. */
static int
read_value(struct reader *r, struct toml_entry *e)
{
	struct buf	 text = { 0 };

	e->type = TOML_OTHER;
	e->line = r->line;
	if (r->p < r->end && (*r->p == '"' || *r->p == '\'') && !starts(r, "\"\"\"") && !starts(r, "'''")) {
		if (read_string(r, &text) != 0) {
			buf_free(&text);
			return -1;
		}
		if ((e->string = buf_steal(&text)) == NULL)
			return err_set(r->err, ERR_NOMEM, "no memory for config.toml");
		e->type = TOML_STRING;
		return 0;
	}
	if (starts(r, "true") || starts(r, "false")) {
		e->truth = *r->p == 't';
		e->type = TOML_BOOL;
		r->p += e->truth ? 4 : 5;
		return 0;
	}
	return skip_value(r);
}

static bool
is_known(struct slice key)
{
	static const char *const known[] = { "keep_logs", "server_id", "token", "update_strategy", "url" };

	for (size_t i = 0; i < NELEM(known); i++)
		if (slice_is(key, known[i]))
			return true;
	return false;
}

/* One "key = value" line.  Ours becomes an entry, others stay text. */
static int
read_pair(struct reader *r, struct toml *t)
{
	const char		*from = r->p;
	struct toml_entry	 skipped = { 0 }, *e = &skipped;
	struct buf		 key = { 0 };
	bool			 dotted;
	int			 rc = -1;

	if (read_key(r, &key, &dotted) != 0)
		goto out;
	skip_blanks(r);
	if (r->p == r->end || *r->p != '=') {
		(void)wrong(r, "expected \"key = value\"");
		goto out;
	}
	r->p++;
	skip_blanks(r);
	if (!dotted && is_known(buf_slice(&key))) {
		if (toml_find(t, buf_slice(&key)) != NULL) {
			(void)err_set(r->err, ERR_INVALID, "line %u: %s is given twice", r->line, buf_cstr(&key));
			goto out;
		}
		if ((e = toml_add(t, buf_slice(&key))) == NULL) {
			(void)err_set(r->err, ERR_NOMEM, "no memory for config.toml");
			goto out;
		}
	}
	if (read_value(r, e) != 0 || end_of_line(r) != 0)
		goto out;
	if (e == &skipped)
		buf_add(&t->other, from, (size_t)(r->p - from));
	rc = 0;
out:
	free(skipped.string);
	buf_free(&key);
	return rc;
}

static int
read_text(struct reader *r, struct toml *t)
{
	while (r->p < r->end) {
		const char *from = r->p;

		skip_blanks(r);
		if (r->p < r->end && *r->p == '[') {	/* a table: none of ours can follow */
			buf_add(&t->other, from, (size_t)(r->end - from));
			return 0;
		}
		if (r->p == r->end || *r->p == '\n' || *r->p == '\r' || *r->p == '#') {
			bool comment = r->p < r->end && *r->p == '#';

			if (end_of_line(r) != 0)
				return -1;
			if (comment)
				buf_add(&t->other, from, (size_t)(r->p - from));
		} else if (read_pair(r, t) != 0)
			return -1;
	}
	return 0;
}

int
toml_parse(struct toml **t_r, struct slice text, struct err *err)
{
	struct reader	 r = { .line = 1, .err = err };
	struct toml	*t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(err, ERR_NOMEM, "no memory for config.toml");
	if (text.n > 0) {		/* an absent text has no address to count from */
		r.p = text.p;
		r.end = text.p + text.n;
		if (text.n >= 3 && memcmp(r.p, "\xef\xbb\xbf", 3) == 0)
			r.p += 3;
		if (read_text(&r, t) != 0) {
			toml_free(&t);
			return -1;
		}
	}
	if (t->other.oom) {
		toml_free(&t);
		return err_set(err, ERR_NOMEM, "no memory for config.toml");
	}
	*t_r = t;
	return 0;
}
