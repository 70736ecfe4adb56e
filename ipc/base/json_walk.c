/* Walking a text that json_scan() has accepted, and the texts of its strings. */

#include "ipc/base/hex.h"
#include "ipc/base/json_bytes.h"
#include "ipc/base/json_scan.h"
#include "ipc/base/utf8.h"

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
