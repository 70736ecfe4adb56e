/*
 * A validating JSON scanner over borrowed bytes.  Every event of every worker
 * passes through here, so strings, which are most of an event, are looked at a
 * word at a time; all the rest is plain recursive descent with a limited depth.
 */

#include <stdio.h>

#include "ipc/base/json_scan.h"
#include "ipc/base/utf8.h"

struct scan {
	const char	*start, *p, *end;
	bool		 lenient;	/* invalid UTF-8 may pass                          */
	unsigned	 depth;
	json_member_fn	 fn;		/* gets the members of the outermost object        */
	void		*arg;
	const char	*what;		/* what is wrong at `p`, once something is         */
	struct slice	 path[2];	/* the outermost keys on the way there, outer first */
};

#define ONES	0x0101010101010101u
#define HIGHS	0x8080808080808080u

static bool scan_value(struct scan *, struct json_val *);

static inline bool
fail(struct scan *s, const char *what)
{
	s->what = what;
	return false;
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline const char *
skip_space(const char *p, const char *end)
{
	while (p < end && is_space(*p))
		p++;
	return p;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* High bits at the bytes of w that are zero; exact up to and including the lowest of them. */
static inline uint64_t
zero_bytes(uint64_t w)
{
	return (w - ONES) & ~w & HIGHS;
}

static inline uint64_t
load_word(const char *p)
{
	uint64_t	 w;

	(void)memcpy(&w, p, sizeof(w));
	return w;
}
#endif

/* The first quote, backslash, control character or byte above 7F. */
static inline const char *
skip_plain(const char *p, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	while (end - p >= 8) {
		uint64_t w = load_word(p);
		uint64_t hit = ((w | ((w - ONES * 0x20) & ~w)) & HIGHS) |
		    zero_bytes(w ^ ONES * '"') | zero_bytes(w ^ ONES * '\\');

		if (hit != 0)
			return p + __builtin_ctzll(hit) / 8;
		p += 8;
	}
#endif
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The first quote or backslash. */
static inline const char *
skip_checked(const char *p, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	while (end - p >= 8) {
		uint64_t w = load_word(p);
		uint64_t hit = zero_bytes(w ^ ONES * '"') | zero_bytes(w ^ ONES * '\\');

		if (hit != 0)
			return p + __builtin_ctzll(hit) / 8;
		p += 8;
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* At a backslash. */
static bool
scan_escape(struct scan *s)
{
	if (s->end - s->p < 2)
		return fail(s, "string without end");
	if (s->p[1] == 'u') {
		for (int i = 2; i < 6; i++) {
			if (s->end - s->p <= i)
				return fail(s, "string without end");
			if (hex_value(s->p[i]) < 0)
				return fail(s, "\\u without four hexadecimal digits");
		}
		s->p += 6;
		return true;
	}
	if (s->p[1] == '\0' || strchr("\"\\/bfnrt", s->p[1]) == NULL)
		return fail(s, "unknown escape in a string");
	s->p += 2;
	return true;
}

/* At the opening quote. */
static bool
scan_string(struct scan *s, struct json_val *v)
{
	const char	*start = s->p++;

	v->escaped = false;
	for (;;) {
		s->p = skip_plain(s->p, s->end);
		if (s->p == s->end)
			return fail(s, "string without end");
		if (*s->p == '"')
			break;
		if (*s->p == '\\') {
			v->escaped = true;
			if (!scan_escape(s))
				return false;
		} else if ((unsigned char)*s->p < 0x20) {
			return fail(s, "control character in a string");
		} else {
			size_t n = utf8_length((const unsigned char *)s->p, (size_t)(s->end - s->p));

			if (n == 0 && !s->lenient)
				return fail(s, "invalid UTF-8");
			s->p += n == 0 ? 1 : n;
		}
	}
	s->p++;
	v->type = JV_STRING;
	v->raw = (struct slice){ start, (size_t)(s->p - start) };
	return true;
}

static inline bool
scan_digits(struct scan *s)
{
	const char	*start = s->p;

	while (s->p < s->end && is_digit(*s->p))
		s->p++;
	return s->p > start || fail(s, "number with a digit missing");
}

static bool
scan_number(struct scan *s, struct json_val *v)
{
	const char	*start = s->p;

	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0') {
		s->p++;
		if (s->p < s->end && is_digit(*s->p))
			return fail(s, "number with a leading zero");
	} else if (!scan_digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!scan_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!scan_digits(s))
			return false;
	}
	v->type = JV_NUMBER;
	v->raw = (struct slice){ start, (size_t)(s->p - start) };
	return true;
}

static bool
scan_word(struct scan *s, struct slice word, enum json_type type, struct json_val *v)
{
	if ((size_t)(s->end - s->p) < word.n || memcmp(s->p, word.p, word.n) != 0)
		return fail(s, "unknown word");
	v->type = type;
	v->raw = (struct slice){ s->p, word.n };
	s->p += word.n;
	return true;
}

/* True when the container at hand goes on, false at its end or at an error. */
static inline bool
scan_goes_on(struct scan *s, char close, const char *expected)
{
	s->p = skip_space(s->p, s->end);
	if (s->p == s->end)
		return fail(s, "text without end");
	if (*s->p != ',' && *s->p != close)
		return fail(s, expected);
	return *s->p++ == ',';
}

static inline bool
scan_member(struct scan *s, struct json_val *key, struct json_val *val)
{
	s->p = skip_space(s->p, s->end);
	if (s->p == s->end)
		return fail(s, "text without end");
	if (*s->p != '"')
		return fail(s, "expected a key in quotes");
	if (!scan_string(s, key))
		return false;
	s->p = skip_space(s->p, s->end);
	if (s->p == s->end)
		return fail(s, "text without end");
	if (*s->p != ':')
		return fail(s, "expected a colon");
	s->p++;
	if (scan_value(s, val))
		return true;
	s->path[1] = s->path[0];	/* on the way out the outer keys come last */
	s->path[0] = key->raw;
	return false;
}

static bool
scan_object(struct scan *s)
{
	struct json_val	 key, val;

	s->p = skip_space(s->p + 1, s->end);
	if (s->p < s->end && *s->p == '}') {
		s->p++;
		return true;
	}
	do {
		if (!scan_member(s, &key, &val))
			return false;
		if (s->depth == 1 && s->fn != NULL)
			s->fn(s->arg, &key, &val);
	} while (scan_goes_on(s, '}', "expected a comma or }"));
	return s->what == NULL;
}

static bool
scan_array(struct scan *s)
{
	struct json_val	 val;

	s->p = skip_space(s->p + 1, s->end);
	if (s->p < s->end && *s->p == ']') {
		s->p++;
		return true;
	}
	do {
		if (!scan_value(s, &val))
			return false;
	} while (scan_goes_on(s, ']', "expected a comma or ]"));
	return s->what == NULL;
}

static bool
scan_container(struct scan *s, struct json_val *v)
{
	const char	*start = s->p;
	bool		 ok;

	if (s->depth == JSON_MAX_DEPTH)
		return fail(s, "nesting too deep");
	s->depth++;
	v->type = *start == '{' ? JV_OBJECT : JV_ARRAY;
	ok = *start == '{' ? scan_object(s) : scan_array(s);
	s->depth--;
	v->raw = (struct slice){ start, (size_t)(s->p - start) };
	return ok;
}

static bool
scan_value(struct scan *s, struct json_val *v)
{
	v->escaped = false;
	s->p = skip_space(s->p, s->end);
	if (s->p == s->end)
		return fail(s, "text without end");
	switch (*s->p) {
	case '"':
		return scan_string(s, v);
	case '{':
	case '[':
		return scan_container(s, v);
	case 't':
		return scan_word(s, SLICE("true"), JV_TRUE, v);
	case 'f':
		return scan_word(s, SLICE("false"), JV_FALSE, v);
	case 'n':
		return scan_word(s, SLICE("null"), JV_NULL, v);
	default:
		if (*s->p == '-' || is_digit(*s->p))
			return scan_number(s, v);
		return fail(s, "expected a value");
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
scan_failed(const struct scan *s, struct err *err)
{
	char	 where[150] = "";

	for (size_t i = 0; i < NELEM(s->path) && s->path[i].p != NULL; i++) {
		struct slice key = is_presentable(s->path[i]) ? s->path[i] : SLICE("\"?\"");
		size_t n = strlen(where);

		(void)snprintf(where + n, sizeof(where) - n, "%s" SLICE_FMT, i == 0 ? " in " : ".",
		    (int)key.n - 2, key.p + 1);
	}
	return err_set(err, ERR_INVALID, "%s at byte %zu%s", s->what, (size_t)(s->p - s->start), where);
}

int
json_scan_members(struct slice text, bool lenient_utf8, json_member_fn fn, void *arg, struct json_val *root_r,
    struct err *err)
{
	struct scan	 s = { .lenient = lenient_utf8, .fn = fn, .arg = arg };

	if (text.p == NULL)
		text = SLICE("");
	s.start = s.p = text.p;
	s.end = text.p + text.n;
	if (!scan_value(&s, root_r))
		return scan_failed(&s, err);
	s.p = skip_space(s.p, s.end);
	if (s.p < s.end) {
		(void)fail(&s, "something after the end of the value");
		return scan_failed(&s, err);
	}
	return 0;
}

int
json_scan(struct slice text, bool lenient_utf8, struct json_val *root_r, struct err *err)
{
	return json_scan_members(text, lenient_utf8, NULL, NULL, root_r, err);
}

void
json_iter_init(struct json_iter *it, const struct json_val *v)
{
	if (v->type != JV_OBJECT && v->type != JV_ARRAY) {
		*it = (struct json_iter){ NULL, NULL };
		return;
	}
	it->at = v->raw.p + 1;
	it->end = v->raw.p + v->raw.n - 1;
}

/* From the opening quote to behind the closing one of a string that is known to be good. */
static inline const char *
skip_string(const char *p, const char *end, bool *escaped_r)
{
	*escaped_r = false;
	for (p = skip_checked(p + 1, end); p < end && *p == '\\'; p = skip_checked(p + 2, end))
		*escaped_r = true;
	return p + 1;
}

static const char *
skip_container(const char *p, const char *end)
{
	size_t	 depth = 0;
	bool	 escaped;

	do {
		switch (*p) {
		case '"':
			p = skip_string(p, end, &escaped);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			depth--;
			break;
		}
		p++;
	} while (depth > 0 && p < end);
	return p;
}

/* Takes the next value of a text that json_scan() has accepted. */
static bool
next_value(struct json_iter *it, struct json_val *v)
{
	const char	*p = it->at;

	while (p < it->end && (is_space(*p) || *p == ',' || *p == ':'))
		p++;
	it->at = p;
	if (p == it->end)
		return false;
	v->escaped = false;
	switch (*p) {
	case '"':
		v->type = JV_STRING;
		p = skip_string(p, it->end, &v->escaped);
		break;
	case '{':
	case '[':
		v->type = *p == '{' ? JV_OBJECT : JV_ARRAY;
		p = skip_container(p, it->end);
		break;
	case 't':
		v->type = JV_TRUE;
		p += 4;
		break;
	case 'f':
		v->type = JV_FALSE;
		p += 5;
		break;
	case 'n':
		v->type = JV_NULL;
		p += 4;
		break;
	default:
		v->type = JV_NUMBER;
		while (p < it->end && *p != ',' && !is_space(*p))
			p++;
		break;
	}
	v->raw = (struct slice){ it->at, (size_t)(p - it->at) };
	it->at = p;
	return true;
}

bool
json_object_next(struct json_iter *it, struct json_val *key_r, struct json_val *val_r)
{
	return next_value(it, key_r) && next_value(it, val_r);
}

bool
json_array_next(struct json_iter *it, struct json_val *val_r)
{
	return next_value(it, val_r);
}

static uint32_t
hex4(const char *p)
{
	uint32_t	 v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (uint32_t)hex_value(p[i]);
	return v;
}

/* Behind "\u" at p: the code point, and how many bytes of text it took from the backslash on. */
static uint32_t
unescape_u(const char *p, const char *end, size_t *taken_r)
{
	uint32_t	 cp = hex4(p), low;

	*taken_r = 6;
	if (cp < 0xd800 || cp > 0xdfff)
		return cp;
	if (cp < 0xdc00 && end - p >= 10 && p[4] == '\\' && p[5] == 'u') {
		low = hex4(p + 6);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*taken_r = 12;
			return 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;		/* a surrogate without its other half */
}

/* Decodes one character at *p into out_r; returns its length and moves *p on. */
static size_t
decode_one(const char **p, const char *end, char out_r[4])
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char	*at = *p, *letter;
	size_t		 taken, n;

	if (*at != '\\') {
		n = utf8_length((const unsigned char *)at, (size_t)(end - at));
		if (n == 0) {
			*p += 1;
			return utf8_put(0xfffd, out_r);
		}
		(void)memcpy(out_r, at, n);
		*p += n;
		return n;
	}
	if (at[1] == 'u') {
		n = utf8_put(unescape_u(at + 2, end, &taken), out_r);
		*p += taken;
		return n;
	}
	letter = strchr(from, at[1]);
	out_r[0] = letter == NULL ? at[1] : to[letter - from];
	*p += 2;
	return 1;
}

void
json_unescape(struct buf *b, const struct json_val *v)
{
	const char	*p = v->raw.p + 1, *end = v->raw.p + v->raw.n - 1;

	while (p < end) {
		const char *run = p;
		char one[4];

		p = skip_plain(p, end);
		buf_add(b, run, (size_t)(p - run));
		if (p < end) {
			size_t n = decode_one(&p, end, one);

			buf_add(b, one, n);
		}
	}
}

struct slice
json_text(const struct json_val *v, struct buf *arena)
{
	size_t	 at = arena->len;

	if (!v->escaped)
		return (struct slice){ v->raw.p + 1, v->raw.n - 2 };
	json_unescape(arena, v);
	if (arena->oom)
		return (struct slice){ NULL, 0 };
	return (struct slice){ (const char *)arena->data + at, arena->len - at };
}

bool
json_string_eq(const struct json_val *v, const char *want)
{
	const char	*p = v->raw.p + 1, *end = v->raw.p + v->raw.n - 1;
	size_t		 left = strlen(want);

	if (v->type != JV_STRING)
		return false;
	if (!v->escaped)
		return (size_t)(end - p) == left && memcmp(p, want, left) == 0;
	while (p < end) {
		char one[4];
		size_t n = decode_one(&p, end, one);

		if (n > left || memcmp(one, want, n) != 0)
			return false;
		want += n;
		left -= n;
	}
	return left == 0;
}

struct json_val
json_member(const struct json_val *object, const char *name)
{
	struct json_val	 key, val, found = { .type = JV_ABSENT };
	struct json_iter it;

	if (object->type != JV_OBJECT)
		return found;
	json_iter_init(&it, object);
	while (json_object_next(&it, &key, &val))
		if (json_string_eq(&key, name))
			found = val;
	return found;
}
