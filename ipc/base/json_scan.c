/*
 * A validating JSON scanner over borrowed bytes.  Every event of every worker
 * passes through here, so strings, which are most of an event, are looked at many
 * bytes at a time, and the nesting is kept in an array instead of the call stack.
 */

#include <stdio.h>

#include "ipc/base/hex.h"
#include "ipc/base/json_bytes.h"
#include "ipc/base/json_scan.h"
#include "ipc/base/utf8.h"

struct scan {
	const char	*end;
	bool		 lenient;	/* invalid UTF-8 may pass                          */
	const char	*what, *at;	/* what is wrong, and where                        */

	size_t		 depth;		/* open containers ...                             */
	char		 close[JSON_MAX_DEPTH];	/* ... and what each of them ends with     */
	const char	*opened[2];	/* where the outermost two began                   */
	size_t		 n_keys;	/* open members: their value has not ended         */
	struct json_val	 key[2];	/* the outermost two                               */
};

/*
 * The steps below get the place where they begin and return the one behind
 * what they took, or NULL with what is wrong.
 */
static const char *
fail(struct scan *s, const char *p, const char *what)
{
	s->at = p;
	s->what = what;
	return NULL;
}

/* At a backslash. */
static const char *
scan_escape(struct scan *s, const char *p)
{
	if (s->end - p < 2)
		return fail(s, p, "string without end");
	if (p[1] == 'u') {
		for (int i = 2; i < 6; i++) {
			if (s->end - p <= i)
				return fail(s, p, "string without end");
			if (hex_value(p[i]) < 0)
				return fail(s, p, "\\u without four hexadecimal digits");
		}
		return p + 6;
	}
	if (p[1] == '\0' || strchr("\"\\/bfnrt", p[1]) == NULL)
		return fail(s, p, "unknown escape in a string");
	return p + 2;
}

/* At something in a string that skip_plain() stopped at and that is no quote. */
static const char *
scan_odd(struct scan *s, const char *p, bool *escaped)
{
	size_t	 n;

	if (p == s->end)
		return fail(s, p, "string without end");
	if (*p == '\\') {
		*escaped = true;
		return scan_escape(s, p);
	}
	if ((unsigned char)*p < 0x20)
		return fail(s, p, "control character in a string");
	do {			/* where there is one there are more */
		n = utf8_length((const unsigned char *)p, (size_t)(s->end - p));
		if (n == 0 && !s->lenient)
			return fail(s, p, "invalid UTF-8");
		p += n == 0 ? 1 : n;
	} while (p < s->end && (unsigned char)*p >= 0x80);
	return p;
}

/* At the opening quote. */
static inline __attribute__((always_inline)) const char *
scan_string(struct scan *s, const char *p, struct json_val *v)
{
	const char	*start = p, *end = s->end;
	bool		 escaped = false;

	p++;
	while ((p = skip_plain(p, end)) == end || *p != '"')
		if ((p = scan_odd(s, p, &escaped)) == NULL)
			return NULL;
	p++;
	v->type = JV_STRING;
	v->escaped = escaped;
	v->raw.p = start;
	v->raw.n = (size_t)(p - start);
	return p;
}

static inline const char *
scan_digits(struct scan *s, const char *p)
{
	const char	*start = p;

	while (p < s->end && is_digit(*p))
		p++;
	return p > start ? p : fail(s, p, "number with a digit missing");
}

static const char *
scan_number(struct scan *s, const char *p, struct json_val *v)
{
	const char	*start = p;

	if (*p == '-')
		p++;
	if (p < s->end && *p == '0') {
		p++;
		if (p < s->end && is_digit(*p))
			return fail(s, p, "number with a leading zero");
	} else if ((p = scan_digits(s, p)) == NULL)
		return NULL;
	if (p < s->end && *p == '.' && (p = scan_digits(s, p + 1)) == NULL)
		return NULL;
	if (p < s->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < s->end && (*p == '+' || *p == '-'))
			p++;
		if ((p = scan_digits(s, p)) == NULL)
			return NULL;
	}
	v->type = JV_NUMBER;
	v->raw = (struct slice){ start, (size_t)(p - start) };
	return p;
}

static const char *
scan_word(struct scan *s, const char *p, struct slice word, enum json_type type, struct json_val *v)
{
	if ((size_t)(s->end - p) < word.n || memcmp(p, word.p, word.n) != 0)
		return fail(s, p, "unknown word");
	v->type = type;
	v->raw = (struct slice){ p, word.n };
	return p + word.n;
}

/* At something that is neither a string nor a container. */
static const char *
scan_scalar(struct scan *s, const char *p, struct json_val *v)
{
	v->escaped = false;
	switch (*p) {
	case 't':
		return scan_word(s, p, SLICE("true"), JV_TRUE, v);
	case 'f':
		return scan_word(s, p, SLICE("false"), JV_FALSE, v);
	case 'n':
		return scan_word(s, p, SLICE("null"), JV_NULL, v);
	default:
		if (*p == '-' || is_digit(*p))
			return scan_number(s, p, v);
		return fail(s, p, "expected a value");
	}
}

/* At the next byte that is not white space; there has to be one. */
static inline const char *
scan_space(struct scan *s, const char *p)
{
	p = skip_space(p, s->end);
	return p < s->end ? p : fail(s, p, "text without end");
}

/* A key, and what is before its value. */
static inline const char *
scan_key(struct scan *s, const char *p)
{
	struct json_val	 deep, *key = s->n_keys < NELEM(s->key) ? &s->key[s->n_keys] : &deep;

	if ((p = scan_space(s, p)) == NULL)
		return NULL;
	if (*p != '"')
		return fail(s, p, "expected a key in quotes");
	if ((p = scan_string(s, p, key)) == NULL || (p = scan_space(s, p)) == NULL)
		return NULL;
	if (*p != ':')
		return fail(s, p, "expected a colon");
	s->n_keys++;
	return p + 1;
}

static inline bool
in_object(const struct scan *s)
{
	return s->depth > 0 && s->close[s->depth - 1] == '}';
}

/* At the opening bracket. */
static inline const char *
open_container(struct scan *s, const char *p)
{
	if (s->depth == JSON_MAX_DEPTH)
		return fail(s, p, "nesting too deep");
	if (s->depth < NELEM(s->opened))
		s->opened[s->depth] = p;
	s->close[s->depth++] = *p == '{' ? '}' : ']';
	return skip_space(p + 1, s->end);
}

/* At the closing bracket; *v is what ended, if it is of the outermost two levels: nobody asks about others. */
static inline const char *
close_container(struct scan *s, const char *p, struct json_val *v)
{
	p++;
	s->depth--;
	if (s->depth < NELEM(s->opened)) {
		v->type = s->close[s->depth] == '}' ? JV_OBJECT : JV_ARRAY;
		v->escaped = false;
		v->raw = (struct slice){ s->opened[s->depth], (size_t)(p - s->opened[s->depth]) };
	}
	return p;
}

/* What is there to do next? */
enum step { AT_VALUE, AT_KEY, BEHIND_VALUE };

/* Begins a value, which for all but a container means that it is over, too. */
static inline const char *
begin_value(struct scan *s, const char *p, struct json_val *v, enum step *step_r)
{
	*step_r = BEHIND_VALUE;
	if ((p = scan_space(s, p)) == NULL)
		return NULL;
	if (*p == '"')
		return scan_string(s, p, v);
	if (*p != '{' && *p != '[')
		return scan_scalar(s, p, v);
	if ((p = open_container(s, p)) == NULL)
		return NULL;
	if (p < s->end && *p == s->close[s->depth - 1])
		return close_container(s, p, v);
	*step_r = in_object(s) ? AT_KEY : AT_VALUE;
	return p;
}

/* In a container, behind one of its values: it goes on, or it ends and is a value that has ended. */
static inline const char *
behind_value(struct scan *s, const char *p, struct json_val *v, enum step *step_r)
{
	char	 close = s->close[s->depth - 1];

	if ((p = scan_space(s, p)) == NULL)
		return NULL;
	if (*p == close) {
		*step_r = BEHIND_VALUE;
		return close_container(s, p, v);
	}
	if (*p != ',')
		return fail(s, p, close == '}' ? "expected a comma or }" : "expected a comma or ]");
	*step_r = close == '}' ? AT_KEY : AT_VALUE;
	return p + 1;
}

static const char *
scan_root(struct scan *s, const char *p, json_member_fn fn, void *arg, struct json_val *v)
{
	enum step	 step = AT_VALUE;

	for (;;) {
		if (step == AT_KEY && (p = scan_key(s, p)) == NULL)
			return NULL;
		if (step != BEHIND_VALUE && (p = begin_value(s, p, v, &step)) == NULL)
			return NULL;
		if (step != BEHIND_VALUE)
			continue;
		if (s->depth == 0)
			return p;
		if (in_object(s)) {
			s->n_keys--;
			if (s->depth == 1 && fn != NULL)
				fn(arg, &s->key[0], v);
		}
		if ((p = behind_value(s, p, v, &step)) == NULL)
			return NULL;
	}
}

/* Keys are shown only when they are harmless in a log line. */
static bool
is_presentable(struct slice key)
{
	if (key.n > 66)
		return false;
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] < 0x20 || key.p[i] > 0x7e || key.p[i] == '\\')
			return false;
	return true;
}

static int
scan_failed(const struct scan *s, struct slice text, struct err *err)
{
	char	 where[150] = "";

	for (size_t i = 0; i < NELEM(s->key) && i < s->n_keys; i++) {
		struct slice key = is_presentable(s->key[i].raw) ? s->key[i].raw : SLICE("\"?\"");
		size_t n = strlen(where);

		(void)snprintf(where + n, sizeof(where) - n, "%s" SLICE_FMT, i == 0 ? " in " : ".",
		    (int)key.n - 2, key.p + 1);
	}
	return err_set(err, ERR_INVALID, "%s at byte %zu%s", s->what, (size_t)(s->at - text.p), where);
}

int
json_scan_members(struct slice text, bool lenient_utf8, json_member_fn fn, void *arg, struct json_val *root_r,
    struct err *err)
{
	struct scan	 s;
	const char	*p;

	if (text.p == NULL)
		text = SLICE("");
	s.end = text.p + text.n;
	s.lenient = lenient_utf8;
	s.depth = s.n_keys = 0;
	p = scan_root(&s, text.p, fn, arg, root_r);
	if (p != NULL && (p = skip_space(p, s.end)) < s.end)
		p = fail(&s, p, "something after the end of the value");
	return p == NULL ? scan_failed(&s, text, err) : 0;
}

int
json_scan(struct slice text, bool lenient_utf8, struct json_val *root_r, struct err *err)
{
	return json_scan_members(text, lenient_utf8, NULL, NULL, root_r, err);
}
