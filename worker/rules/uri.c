/* References to absolute URIs, RFC 3986 section 5. */

#include <ctype.h>

#include "ipc/base/hex.h"
#include "worker/rules/uri.h"

struct parts {
	struct slice	 scheme, authority, path, query;	/* p == NULL: absent, but for the path */
};

struct slice
uri_cut_fragment(struct slice uri, struct slice *fragment_r)
{
	const char	*hash = uri.n == 0 ? NULL : memchr(uri.p, '#', uri.n);
	struct slice	 whole = uri;

	*fragment_r = (struct slice){ NULL, 0 };
	if (hash == NULL)
		return uri;
	whole.n = (size_t)(hash - uri.p);
	*fragment_r = (struct slice){ hash + 1, uri.n - whole.n - 1 };
	return whole;
}

bool
uri_has_scheme(struct slice s, size_t *n_r)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (i > 0 && c == ':') {
			*n_r = i;
			return true;
		}
		if (c >= 0x80 || !(isalpha(c) || (i > 0 && (isdigit(c) || strchr("+-.", c) != NULL))))
			return false;
	}
	return false;
}

static struct parts
take_apart(struct slice s)
{
	struct parts	 u = { .path = SLICE("") };
	struct slice	 fragment;
	size_t		 n;
	const char	*at;

	s = uri_cut_fragment(s, &fragment);
	if (uri_has_scheme(s, &n)) {
		u.scheme = (struct slice){ s.p, n };
		s.p += n + 1;
		s.n -= n + 1;
	}
	if (s.n > 0 && (at = memchr(s.p, '?', s.n)) != NULL) {
		u.query = (struct slice){ at + 1, s.n - (size_t)(at - s.p) - 1 };
		s.n = (size_t)(at - s.p);
	}
	if (s.n >= 2 && s.p[0] == '/' && s.p[1] == '/') {
		at = memchr(s.p + 2, '/', s.n - 2);
		n = at == NULL ? s.n : (size_t)(at - s.p);
		u.authority = (struct slice){ s.p + 2, n - 2 };
		s.p += n;
		s.n -= n;
	}
	if (s.n > 0)
		u.path = s;
	return u;
}

/* Section 5.2.4, from `start` to the end of the buffer. */
static void
remove_dots(struct buf *b, size_t start)
{
	struct buf	 in = { 0 };
	struct slice	 rest, part;
	bool		 rooted = b->len > start && b->data[start] == '/';
	size_t		 floor = start + rooted;

	buf_add(&in, b->data + floor, b->len - floor);
	b->len = floor;
	rest = buf_slice(&in);
	while (slice_cut(&rest, '/', &part)) {
		bool	 last = rest.p == NULL;

		if (slice_is(part, "..")) {
			if (b->len > floor)
				b->len--;		/* the slash behind the element that goes */
			while (b->len > floor && b->data[b->len - 1] != '/')
				b->len--;
		} else if (!slice_is(part, ".")) {
			buf_adds_slice(b, part);
			if (!last)
				buf_addc(b, '/');
		}
	}
	b->oom |= in.oom;
	buf_free(&in);
}

static void
put_path(struct buf *b, const struct parts *base, const struct parts *ref)
{
	size_t		 start = b->len, n = base->path.n;

	if (ref->scheme.p == NULL && ref->authority.p == NULL && (ref->path.n == 0 || ref->path.p[0] != '/')) {
		while (n > 0 && base->path.p[n - 1] != '/')
			n--;
		if (ref->path.n == 0)
			n = base->path.n;
		if (n == 0 && base->authority.p != NULL)
			buf_addc(b, '/');
		buf_add(b, base->path.p, n);
	}
	buf_adds_slice(b, ref->path);
	if (!b->oom && b->len > start)
		remove_dots(b, start);
}

void
uri_resolve(struct buf *b, struct slice base, struct slice ref)
{
	struct parts	 u = take_apart(base), r = take_apart(ref), *head = r.scheme.p != NULL ? &r : &u;
	struct slice	 authority = head == &r || r.authority.p != NULL ? r.authority : u.authority;
	struct slice	 query = r.query;

	if (head->scheme.p != NULL) {
		buf_adds_slice(b, head->scheme);
		buf_addc(b, ':');
	}
	if (authority.p != NULL) {
		buf_adds(b, "//");
		buf_adds_slice(b, authority);
	}
	if (r.scheme.p == NULL && r.authority.p == NULL && r.path.n == 0 && query.p == NULL)
		query = u.query;
	if (head == &r && authority.p == NULL)
		buf_adds_slice(b, r.path);	/* urn:, tag: and the like have no folders */
	else
		put_path(b, &u, &r);
	if (query.p != NULL) {
		buf_addc(b, '?');
		buf_adds_slice(b, query);
	}
}

bool
uri_unescape(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			buf_addc(b, s.p[i]);
			continue;
		}
		if (s.n - i < 3 || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0)
			return false;
		buf_addc(b, (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2])));
		i += 2;
	}
	return true;
}
