/* Growing byte buffer. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/buf.h"

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

void
buf_free_wiped(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}

void
free_wiped(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->oom = false;
}

bool
buf_reserve(struct buf *b, size_t more)
{
	size_t	 cap;
	uint8_t	*p;

	if (b->oom)
		return false;
	if (b->cap - b->len >= more)
		return true;
	if (more > SIZE_MAX / 2 - b->len) {
		b->oom = true;
		return false;
	}
	cap = b->cap == 0 ? 64 : b->cap;
	while (cap - b->len < more)
		cap *= 2;
	if ((p = realloc(b->data, cap)) == NULL) {
		b->oom = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_reserve(b, n))
		return;
	(void)memcpy(b->data + b->len, p, n);
	b->len += n;
}

void
buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_adds_slice(struct buf *b, struct slice s)
{
	buf_add(b, s.p, s.n);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !buf_reserve(b, (size_t)n + 1))
		return;
	va_start(ap, fmt);
	(void)vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	(void)memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

const char *
buf_cstr(struct buf *b)
{
	if (!buf_reserve(b, 1))
		return "";
	b->data[b->len] = '\0';
	return (const char *)b->data;
}

struct slice
buf_slice(const struct buf *b)
{
	return (struct slice){ (const char *)b->data, b->len };
}

char *
buf_steal(struct buf *b)
{
	char	*p;

	if (!buf_reserve(b, 1)) {
		buf_free(b);
		return NULL;
	}
	b->data[b->len] = '\0';
	p = (char *)b->data;
	*b = (struct buf){ 0 };
	return p;
}

void
buf_hex(struct buf *b, const void *data, size_t n)
{
	const uint8_t	*p = data;

	for (size_t i = 0; i < n; i++) {
		buf_addc(b, "0123456789abcdef"[p[i] >> 4]);
		buf_addc(b, "0123456789abcdef"[p[i] & 15]);
	}
}

void
buf_base64(struct buf *b, const void *data, size_t n)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t	*p = data;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;
		char out[4];

		if (i + 1 < n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			v |= p[i + 2];
		out[0] = abc[v >> 18];
		out[1] = abc[v >> 12 & 63];
		out[2] = i + 1 < n ? abc[v >> 6 & 63] : '=';
		out[3] = i + 2 < n ? abc[v & 63] : '=';
		buf_add(b, out, 4);
	}
}

static int
base64_value(char c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

static bool
unbase64(struct buf *b, struct slice s, bool url)
{
	uint32_t	 acc = 0;
	unsigned	 bits = 0;

	if (s.n % 4 == 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int v = base64_value(s.p[i], url);

		if (v < 0)
			return false;
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf_addc(b, (char)(acc >> bits & 0xff));
		}
	}
	return (acc & ((1u << bits) - 1)) == 0;	/* spare bits must be zero */
}

bool
buf_unbase64(struct buf *b, struct slice s)
{
	if (s.n % 4 != 0)
		return false;
	for (int pad = 0; pad < 2 && s.n > 0 && s.p[s.n - 1] == '='; pad++)
		s.n--;
	return unbase64(b, s, false);
}

bool
buf_unbase64url(struct buf *b, struct slice s)
{
	return unbase64(b, s, true);
}
