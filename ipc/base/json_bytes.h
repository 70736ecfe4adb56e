#ifndef EDS_JSON_BYTES_H
#define EDS_JSON_BYTES_H

/* For whoever walks over the text of JSON: what is looked for, as many bytes at a time as the machine allows. */

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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
	while (p < end && (unsigned char)*p <= ' ' && is_space(*p))
		p++;
	return p;
}

#ifdef __SSE2__
/* One bit per byte: quote or backslash, and unless `checked` control characters and those above 7F. */
static inline uint32_t
stops(const char *p, bool checked)
{
	__m128i	 x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i	 hit = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('"')), _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));

	if (!checked)		/* as signed numbers, bytes above 7F are below 20, too */
		hit = _mm_or_si128(hit, _mm_cmplt_epi8(x, _mm_set1_epi8(0x20)));
	return (uint32_t)_mm_movemask_epi8(hit);
}

static inline const char *
leap(const char *p, const char *end, bool checked)
{
	for (; end - p >= 32; p += 32) {
		uint32_t hit = stops(p, checked) | stops(p + 16, checked) << 16;

		if (hit != 0)
			return p + __builtin_ctz(hit);
	}
	return p;
}
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ONES	UINT64_C(0x0101010101010101)
#define HIGHS	UINT64_C(0x8080808080808080)

/* High bits at the bytes of w that are zero; exact up to and including the lowest of them. */
static inline uint64_t
zero_bytes(uint64_t w)
{
	return (w - ONES) & ~w & HIGHS;
}

static inline const char *
leap(const char *p, const char *end, bool checked)
{
	for (; end - p >= 8; p += 8) {
		uint64_t w, hit;

		(void)memcpy(&w, p, sizeof(w));
		hit = zero_bytes(w ^ ONES * '"') | zero_bytes(w ^ ONES * '\\');
		if (!checked)
			hit |= (w | ((w - ONES * 0x20) & ~w)) & HIGHS;
		if (hit != 0)
			return p + __builtin_ctzll(hit) / 8;
	}
	return p;
}
#else
static inline const char *
leap(const char *p, const char *end, bool checked)
{
	(void)end;
	(void)checked;
	return p;
}
#endif

/* The first quote, backslash, control character or byte above 7F. */
static inline const char *
skip_plain(const char *p, const char *end)
{
	p = leap(p, end, false);
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The first quote or backslash. */
static inline const char *
skip_checked(const char *p, const char *end)
{
	p = leap(p, end, true);
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* From the opening quote to behind the closing one of a string that is known to be good, never behind `end`. */
static inline const char *
skip_string(const char *p, const char *end, bool *escaped_r)
{
	*escaped_r = false;
	for (p = skip_checked(p + 1, end); p < end && *p == '\\'; p = end - p > 2 ? skip_checked(p + 2, end) : end)
		*escaped_r = true;
	return p < end ? p + 1 : end;
}

#endif
