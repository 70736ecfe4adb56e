/* JSON text the way Go's writer makes it: what the receivers of EDS are used to. */

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/json_out.h"
#include "ipc/base/utf8.h"

/* Bytes of ASCII that cannot be copied as they are when they stand inside a string. */
static const bool special[0x80] = {
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	['"'] = 1, ['\\'] = 1, ['<'] = 1, ['>'] = 1, ['&'] = 1,
};

static inline bool
is_plain(unsigned char c)
{
	return c < 0x80 && !special[c];
}

/* U+2028 and U+2029 are E2 80 A8 and E2 80 A9: legal in JSON, but not in JavaScript. */
static inline bool
is_line_separator(const unsigned char *p, size_t left)
{
	return left >= 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
}

static void
escape_byte(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char		  text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '"':	buf_add(b, "\\\"", 2); break;
	case '\\':	buf_add(b, "\\\\", 2); break;
	case '\b':	buf_add(b, "\\b", 2); break;
	case '\f':	buf_add(b, "\\f", 2); break;
	case '\n':	buf_add(b, "\\n", 2); break;
	case '\r':	buf_add(b, "\\r", 2); break;
	case '\t':	buf_add(b, "\\t", 2); break;
	default:	buf_add(b, text, sizeof(text)); break;
	}
}

void
json_out_str(struct buf *b, struct slice s)
{
	const unsigned char	*p = (const unsigned char *)(s.p == NULL ? "" : s.p), *end = p + s.n, *run = p;

	buf_addc(b, '"');
	while (p < end) {
		size_t n;

		if (is_plain(*p)) {
			p++;
			continue;
		}
		n = *p < 0x80 ? 0 : utf8_length(p, (size_t)(end - p));
		if (n > 0 && !is_line_separator(p, n)) {
			p += n;		/* well-formed: stays part of the run */
			continue;
		}
		buf_add(b, run, (size_t)(p - run));
		if (n > 0) {
			buf_adds(b, p[2] == 0xa8 ? "\\u2028" : "\\u2029");
			p += n;
		} else if (*p >= 0x80) {
			buf_adds(b, "\\ufffd");
			p++;
		} else
			escape_byte(b, *p++);
		run = p;
	}
	buf_add(b, run, (size_t)(p - run));
	buf_addc(b, '"');
}

/*
 * The text of `digits` significant digits that reads back as v; "" when there is
 * none.  At a power of two the gap below v is half the gap above, so the nearest
 * text may lie outside while the next one up is still inside.
 */
static void
digits_of(double v, int digits, char *text, size_t size)
{
	(void)snprintf(text, size, "%.*e", digits - 1, v);
	if (strtod(text, NULL) == v)
		return;
	for (char *p = strchr(text, 'e') - 1; p >= text; p--) {
		if (*p == '.')
			continue;
		if (*p != '9') {
			++*p;
			if (strtod(text, NULL) == v)
				return;
			break;
		}
		*p = '0';
	}
	text[0] = '\0';
}

/* The fewest digits that read back as v > 0, without trailing zeros, and the exponent of the first. */
static int
shortest(double v, char *digits)
{
	char	 text[40], *e, *out = digits;
	/* Any text of up to 15 digits survives a normal double, so 15 finds all shorter ones too. */
	int	 n = v < DBL_MIN ? 1 : DBL_DIG;

	do
		digits_of(v, n, text, sizeof(text));
	while (text[0] == '\0' && n++ < DBL_DECIMAL_DIG);
	e = strchr(text, 'e');
	for (const char *p = text; p < e; p++)
		if (*p != '.')
			*out++ = *p;
	while (out > digits + 1 && out[-1] == '0')
		out--;
	*out = '\0';
	return (int)strtol(e + 1, NULL, 10);
}

static void
zeros(struct buf *b, int n)
{
	while (n-- > 0)
		buf_addc(b, '0');
}

void
json_out_double(struct buf *b, double v)
{
	char	 digits[40];
	int	 exp, n;

	if (!isfinite(v)) {
		buf_adds(b, "null");	/* JSON has no such numbers */
		return;
	}
	if (signbit(v)) {
		buf_addc(b, '-');
		v = -v;
	}
	if (v == 0) {
		buf_addc(b, '0');
		return;
	}
	exp = shortest(v, digits);
	n = (int)strlen(digits);
	if (v < 1e-6 || v >= 1e21) {
		buf_addc(b, digits[0]);
		if (n > 1) {
			buf_addc(b, '.');
			buf_adds(b, digits + 1);
		}
		buf_printf(b, "e%c%d", exp < 0 ? '-' : '+', abs(exp));
	} else if (exp < 0) {
		buf_adds(b, "0.");
		zeros(b, -exp - 1);
		buf_adds(b, digits);
	} else if (n <= exp + 1) {
		buf_adds(b, digits);
		zeros(b, exp + 1 - n);
	} else {
		buf_add(b, digits, (size_t)exp + 1);
		buf_addc(b, '.');
		buf_adds(b, digits + exp + 1);
	}
}

void
json_out_double_g(struct buf *b, double v)
{
	char	 digits[40];
	int	 exp = 0, n = 0;

	if (isfinite(v) && v != 0) {
		exp = shortest(fabs(v), digits);
		n = (int)strlen(digits);
	}
	if (exp >= -4 && exp < 6) {
		json_out_double(b, v);
		return;
	}
	buf_printf(b, "%s%c%s%s", v < 0 ? "-" : "", digits[0], n > 1 ? "." : "", digits + 1);
	buf_printf(b, "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
}

/* One step within a string, at least a byte.  *run is where the text begins that has not been copied yet. */
static const unsigned char *
compact_in_string(struct buf *b, const unsigned char *p, const unsigned char *end, bool *inside, const unsigned char **run)
{
	if (is_plain(*p) || (*p >= 0x80 && !is_line_separator(p, (size_t)(end - p))))
		return p + 1;
	if (*p == '\\')
		return p + (end - p >= 2 ? 2 : 1);
	if (*p == '"') {
		*inside = false;
		return p + 1;
	}
	buf_add(b, *run, (size_t)(p - *run));
	if (*p >= 0x80) {
		buf_adds(b, p[2] == 0xa8 ? "\\u2028" : "\\u2029");
		p += 3;
	} else
		escape_byte(b, *p++);
	*run = p;
	return p;
}

/* Byte by byte up to `stop`, or a little behind it. */
static const unsigned char *
compact_bytes(struct buf *b, const unsigned char *p, const unsigned char *stop, const unsigned char *end, bool *inside,
    const unsigned char **run)
{
	while (p < stop) {
		if (*inside)
			p = compact_in_string(b, p, end, inside, run);
		else if (*p > ' ')
			*inside = *p++ == '"';
		else {
			buf_add(b, *run, (size_t)(p - *run));
			*run = ++p;
		}
	}
	return p;
}

#ifdef __SSE2__
#define BLOCK	32

/* One bit per byte of 16. */
struct marks {
	uint32_t	 quotes, odd, spaces;
};

static inline struct marks
marks_of(const unsigned char *p)
{
	__m128i	 x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i	 odd = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\\')), _mm_cmpeq_epi8(x, _mm_set1_epi8('&')));

	/* < and > differ in one bit; E2 begins U+2028 and U+2029 */
	odd = _mm_or_si128(odd, _mm_cmpeq_epi8(_mm_or_si128(x, _mm_set1_epi8(2)), _mm_set1_epi8('>')));
	odd = _mm_or_si128(odd, _mm_cmpeq_epi8(x, _mm_set1_epi8((char)0xe2)));
	return (struct marks){
		.quotes = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('"'))),
		.odd = (uint32_t)_mm_movemask_epi8(odd),
		.spaces = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(' ')), x)),
	};
}

/*
 * Most text needs no change: nothing to escape, and no white space but in strings.  Whether a byte is in one is the number
 * of quotes up to it, even or odd.
 */
static inline bool
block_stays(const unsigned char *p, bool *inside)
{
	struct marks	 low = marks_of(p), high = marks_of(p + BLOCK / 2);
	uint32_t	 in = low.quotes | high.quotes << 16;

	for (int i = 1; i < BLOCK; i *= 2)
		in ^= in << i;
	if (*inside)
		in = ~in;
	if ((low.odd | high.odd) != 0 || ((low.spaces | high.spaces << 16) & ~in) != 0)
		return false;
	*inside = in >> (BLOCK - 1) != 0;
	return true;
}
#endif

void
json_out_compact(struct buf *b, struct slice raw)
{
	const unsigned char	*p = (const unsigned char *)(raw.p == NULL ? "" : raw.p), *end = p + raw.n, *run = p;
	bool			 inside = false;

#ifdef __SSE2__
	while (end - p >= BLOCK)
		p = block_stays(p, &inside) ? p + BLOCK : compact_bytes(b, p, p + BLOCK, end, &inside, &run);
#endif
	p = compact_bytes(b, p, end, end, &inside, &run);
	buf_add(b, run, (size_t)(p - run));
}
