/* Signing: a canonical form of the request, hashed, signed with a key of the day. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "drivers/s3/sigv4.h"
#include "ipc/base/err.h"
#include "ipc/base/hash.h"

#define PAIRS_MOST	16u

static bool
unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	    c == '.' || c == '~';
}

static void
encode(struct buf *b, struct slice s, bool keep_slash)
{
	static const char	 hex[] = "0123456789ABCDEF";

	for (size_t i = 0, run; i < s.n; i++) {
		unsigned char c;

		for (run = i; run < s.n && (unreserved((unsigned char)s.p[run]) || (s.p[run] == '/' && keep_slash)); )
			run++;
		buf_add(b, s.p + i, run - i);
		if ((i = run) == s.n)
			break;
		c = (unsigned char)s.p[i];
		buf_addc(b, '%');
		buf_addc(b, hex[c >> 4]);
		buf_addc(b, hex[c & 15]);
	}
}

void
sigv4_path(struct buf *b, struct slice raw)
{
	if (raw.n == 0)
		buf_addc(b, '/');
	encode(b, raw, true);
}

static int
compare(struct slice a, struct slice b)
{
	int	 c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

/* Order of the encoded texts, of which the bytes before the first difference are the same. */
static void
sort_texts(struct slice *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct slice	 x = v[i];
		size_t		 k = i;

		for (; k > 0 && compare(v[k - 1], x) > 0; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

/*
 * Each pair becomes "name" NUL "value": NUL sorts before every other byte, so that
 * comparing whole texts compares names first.
 */
void
sigv4_query(struct buf *b, const struct sigv4_pair *pairs, size_t n)
{
	struct slice	 v[PAIRS_MOST];
	size_t		 at[PAIRS_MOST + 1] = { 0 };
	struct buf	 text = { 0 };

	if (n > PAIRS_MOST)
		bug("%zu pairs in a query to be signed", n);
	for (size_t i = 0; i < n; i++) {
		encode(&text, pairs[i].name, false);
		buf_addc(&text, '\0');
		encode(&text, pairs[i].value, false);
		at[i + 1] = text.len;
	}
	b->oom |= text.oom;
	for (size_t i = 0; i < n && !text.oom; i++)
		v[i] = (struct slice){ (const char *)text.data + at[i], at[i + 1] - at[i] };
	if (!text.oom)
		sort_texts(v, n);
	for (size_t i = 0; i < n && !text.oom; i++) {
		size_t name = strnlen(v[i].p, v[i].n);

		if (i > 0)
			buf_addc(b, '&');
		buf_add(b, v[i].p, name);
		buf_addc(b, '=');
		buf_add(b, v[i].p + name + 1, v[i].n - name - 1);
	}
	buf_free(&text);
}

static void
hex_of(const uint8_t *bytes, char out[65])
{
	static const char	 hex[] = "0123456789abcdef";

	for (size_t i = 0; i < 32; i++) {
		out[2 * i] = hex[bytes[i] >> 4];
		out[2 * i + 1] = hex[bytes[i] & 15];
	}
	out[64] = '\0';
}

bool
sigv4_hash(struct sigv4 *s, struct slice body, char out_r[65])
{
	uint8_t	 digest[SHA256_BYTES];

	if (!sha256_of(&s->sha, body, digest))
		return false;
	hex_of(digest, out_r);
	return true;
}

/* Signs with the key that is in `out` and leaves the result there. */
static bool
derive(struct sha256 *sha, uint8_t out[SHA256_BYTES], struct slice text)
{
	return sha256_key(sha, out, SHA256_BYTES) && sha256_mac(sha, text, out);
}

bool
sigv4_key(struct sha256 *sha, const struct sigv4_request *r, uint8_t out_r[SHA256_BYTES])
{
	struct buf	 first = { 0 };
	bool		 ok;

	buf_adds(&first, "AWS4");
	buf_adds(&first, r->secret);
	ok = sha256_key(sha, buf_cstr(&first), first.len) && sha256_mac(sha, (struct slice){ r->date, 8 }, out_r) &&
	    derive(sha, out_r, slice_of(r->region)) && derive(sha, out_r, slice_of(r->service)) &&
	    derive(sha, out_r, SLICE("aws4_request")) && !first.oom;
	buf_free_wiped(&first);
	return ok;
}

static void
add_line(struct buf *b, const char *text)
{
	buf_addc(b, '\n');
	buf_adds(b, text);
}

static void
add_scope(struct buf *b, const struct sigv4_request *r)
{
	buf_add(b, r->date, 8);
	buf_addc(b, '/');
	buf_adds(b, r->region);
	buf_addc(b, '/');
	buf_adds(b, r->service);
	buf_adds(b, "/aws4_request");
}

/* The key of the day, derived and prepared anew when date, region, service or secret have changed. */
static bool
take_day_key(struct sigv4 *s, const struct sigv4_request *r)
{
	uint64_t	 of;

	buf_reset(&s->scratch);
	buf_add(&s->scratch, r->date, 8);
	add_line(&s->scratch, r->region);
	add_line(&s->scratch, r->service);
	add_line(&s->scratch, r->secret);
	of = hash_xxh64(buf_slice(&s->scratch)) | 1;
	if (s->day_of == of)
		return true;
	s->day_of = 0;
	if (s->scratch.oom || !sigv4_key(&s->sha, r, s->day_key) || !sha256_key(&s->sha, s->day_key, sizeof(s->day_key)))
		return false;
	s->day_of = of;
	return true;
}

/*
 * The name in lower case, NUL, the value without white space around it and with one blank for each run of them.
 * (NUL for the reason above: "x-amz" comes before "x-amz-date", which a colon would turn round.)
 */
static void
add_header(struct buf *b, const struct sigv4_pair *h)
{
	struct slice	 v = slice_trim(h->value);

	for (size_t i = 0; i < h->name.n; i++)
		buf_addc(b, h->name.p[i] >= 'A' && h->name.p[i] <= 'Z' ? (char)(h->name.p[i] | 32) : h->name.p[i]);
	buf_addc(b, '\0');
	while (v.n > 0) {
		const char	*blank = memchr(v.p, ' ', v.n);
		size_t		 n = blank == NULL ? v.n : (size_t)(blank - v.p) + 1;

		buf_add(b, v.p, n);
		for (v.p += n, v.n -= n; v.n > 0 && v.p[0] == ' '; v.n--)
			v.p++;
	}
	buf_addc(b, '\n');
}

static void
add_headers(struct sigv4 *s, const struct sigv4_request *r)
{
	struct slice	 v[PAIRS_MOST];
	size_t		 at[PAIRS_MOST + 1] = { 0 };

	if (r->n_headers > PAIRS_MOST)
		bug("%zu headers to be signed", r->n_headers);
	buf_reset(&s->scratch);
	for (size_t i = 0; i < r->n_headers; i++) {
		add_header(&s->scratch, &r->headers[i]);
		at[i + 1] = s->scratch.len;
	}
	if (s->scratch.oom)
		return;
	for (size_t i = 0; i < r->n_headers; i++)
		v[i] = (struct slice){ (const char *)s->scratch.data + at[i], at[i + 1] - at[i] };
	sort_texts(v, r->n_headers);
	for (size_t i = 0; i < r->n_headers; i++) {
		struct slice name = { v[i].p, strnlen(v[i].p, v[i].n) };

		buf_adds_slice(&s->canonical, name);
		buf_addc(&s->canonical, ':');
		buf_add(&s->canonical, name.p + name.n + 1, v[i].n - name.n - 1);
		if (i > 0)
			buf_addc(&s->signed_headers, ';');
		buf_adds_slice(&s->signed_headers, name);
	}
}

static void
canonicalise(struct sigv4 *s, const struct sigv4_request *r)
{
	buf_reset(&s->canonical);
	buf_reset(&s->signed_headers);
	buf_adds(&s->canonical, r->method);
	buf_addc(&s->canonical, '\n');
	sigv4_path(&s->canonical, r->path);
	buf_addc(&s->canonical, '\n');
	sigv4_query(&s->canonical, r->query, r->n_query);
	buf_addc(&s->canonical, '\n');
	add_headers(s, r);
	buf_addc(&s->canonical, '\n');
	buf_adds_slice(&s->canonical, buf_slice(&s->signed_headers));
	buf_addc(&s->canonical, '\n');
	buf_adds_slice(&s->canonical, r->payload_hash);
}

bool
sigv4_sign(struct sigv4 *s, const struct sigv4_request *r)
{
	uint8_t	 mac[SHA256_BYTES];
	char	 hash[65];

	canonicalise(s, r);
	if (!sigv4_hash(s, buf_slice(&s->canonical), hash))
		return false;
	buf_reset(&s->to_sign);
	buf_adds(&s->to_sign, "AWS4-HMAC-SHA256");
	add_line(&s->to_sign, r->date);
	buf_addc(&s->to_sign, '\n');
	add_scope(&s->to_sign, r);
	add_line(&s->to_sign, hash);
	if (!take_day_key(s, r) || !sha256_mac(&s->sha, buf_slice(&s->to_sign), mac))
		return false;
	hex_of(mac, s->signature);
	buf_reset(&s->authorization);
	buf_adds(&s->authorization, "AWS4-HMAC-SHA256 Credential=");
	buf_adds(&s->authorization, r->access_key);
	buf_addc(&s->authorization, '/');
	add_scope(&s->authorization, r);
	buf_adds(&s->authorization, ",SignedHeaders=");
	buf_adds_slice(&s->authorization, buf_slice(&s->signed_headers));
	buf_adds(&s->authorization, ",Signature=");
	buf_adds(&s->authorization, s->signature);
	return !s->canonical.oom && !s->to_sign.oom && !s->authorization.oom && !s->scratch.oom && !s->signed_headers.oom;
}

void
sigv4_free(struct sigv4 *s)
{
	if (s->scratch.data != NULL)
		explicit_bzero(s->scratch.data, s->scratch.cap);	/* held the secret */
	explicit_bzero(s->day_key, sizeof(s->day_key));
	sha256_free(&s->sha);
	buf_free(&s->signed_headers);
	buf_free(&s->canonical);
	buf_free(&s->to_sign);
	buf_free(&s->authorization);
	buf_free(&s->scratch);
}

void
sigv4_date(int64_t epoch_ms, char out_r[17])
{
	time_t		 seconds = (time_t)(epoch_ms / 1000);
	struct tm	 tm;

	(void)gmtime_r(&seconds, &tm);
	(void)strftime(out_r, 17, "%Y%m%dT%H%M%SZ", &tm);
}
