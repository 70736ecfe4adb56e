/* Views of bytes. */

#include <stdlib.h>

#include "ipc/base/slice.h"

char *
slice_dup(struct slice s)
{
	char	*p = malloc(s.n + 1);

	if (p == NULL)
		return NULL;
	if (s.n > 0)
		(void)memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

bool
slice_u64(struct slice s, uint64_t *out_r)
{
	uint64_t	 v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)(unsigned char)s.p[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out_r = v;
	return true;
}

bool
slice_i64(struct slice s, int64_t *out_r)
{
	uint64_t	 v;
	bool		 neg = s.n > 0 && s.p[0] == '-';

	if (neg) {
		s.p++;
		s.n--;
	}
	if (!slice_u64(s, &v) || v > (uint64_t)INT64_MAX + (neg ? 1 : 0))
		return false;
	*out_r = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool
slice_cut(struct slice *rest, char sep, struct slice *part_r)
{
	const char	*at;

	if (rest->p == NULL)
		return false;
	at = rest->n == 0 ? NULL : memchr(rest->p, sep, rest->n);
	if (at == NULL) {
		*part_r = *rest;
		*rest = (struct slice){ NULL, 0 };
		return true;
	}
	*part_r = (struct slice){ rest->p, (size_t)(at - rest->p) };
	rest->n -= part_r->n + 1;
	rest->p = at + 1;
	return true;
}

struct slice
slice_trim(struct slice s)
{
	while (s.n > 0 && strchr(" \t\r\n\v\f", s.p[0]) != NULL && s.p[0] != '\0') {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && strchr(" \t\r\n\v\f", s.p[s.n - 1]) != NULL && s.p[s.n - 1] != '\0')
		s.n--;
	return s;
}

/* How many bytes at the front are ASCII, or some less. */
static inline size_t
ascii_run(const unsigned char *p, size_t n)
{
	size_t	 i = 0;

	for (uint64_t w; n - i >= sizeof(w); i += sizeof(w)) {
		(void)memcpy(&w, p + i, sizeof(w));
		if ((w & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return i;
}

bool
slice_is_utf8(struct slice s)
{
	const unsigned char	*p = (const unsigned char *)s.p;
	size_t			 i = 0;

	while (i < s.n) {
		unsigned char c = p[i];
		size_t more;
		uint32_t cp, least;

		if (c < 0x80) {
			i++;
			i += ascii_run(p + i, s.n - i);
			continue;
		}
		if (c >= 0xc2 && c <= 0xdf) {
			more = 1, cp = c & 0x1f, least = 0x80;
		} else if ((c & 0xf0) == 0xe0) {
			more = 2, cp = c & 0x0f, least = 0x800;
		} else if (c >= 0xf0 && c <= 0xf4) {
			more = 3, cp = c & 0x07, least = 0x10000;
		} else
			return false;
		if (s.n - i <= more)
			return false;
		for (size_t k = 1; k <= more; k++) {
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | (p[i + k] & 0x3f);
		}
		if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
			return false;
		i += more + 1;
	}
	return true;
}
