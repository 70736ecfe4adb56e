/*
 * What people may see of a secret: enough to tell two of them apart.  The
 * masks are part of the outside contract, they show in HQ.
 */

#include <stdlib.h>

#include "ipc/base/url_private.h"

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

void
mask_text(struct buf *b, struct slice s)
{
	buf_add(b, s.p, s.n / 2);
	for (size_t i = s.n / 2; i < s.n; i++)
		buf_addc(b, '*');
}

static void
mask_decoded(struct buf *b, struct slice s)
{
	struct buf	 plain = { 0 };

	(void)url_decode(&plain, s, false);	/* url_split() has checked it */
	mask_text(b, buf_slice(&plain));
	b->oom |= plain.oom;
	buf_free(&plain);
}

/* `/` stays, the rest of the path is one text. */
static void
mask_path(struct buf *b, struct slice path)
{
	if (path.n == 0 || slice_is(path, "/"))
		return;
	buf_addc(b, '/');
	if (path.p[0] == '/') {
		path.p++;
		path.n--;
	}
	mask_decoded(b, path);
}

/* A key of the query and its values, joined with commas. */
struct pair {
	struct buf	 key, values;
	char		*text;		/* as shown */
};

struct pairs {
	struct pair	*at;
	size_t		 n;
	bool		 oom;
};

static void
pairs_free(struct pairs *all)
{
	for (size_t i = 0; i < all->n; i++) {
		buf_free(&all->at[i].key);
		buf_free(&all->at[i].values);
		free(all->at[i].text);
	}
	free(all->at);
}

static struct pair *
pairs_find(struct pairs *all, struct slice key)
{
	struct pair	*grown;

	for (size_t i = 0; i < all->n; i++)
		if (slice_eq(buf_slice(&all->at[i].key), key)) {
			buf_addc(&all->at[i].values, ',');
			return &all->at[i];
		}
	if ((grown = realloc(all->at, (all->n + 1) * sizeof(*grown))) == NULL) {
		all->oom = true;
		return NULL;
	}
	all->at = grown;
	all->at[all->n] = (struct pair){ .text = NULL };
	buf_adds_slice(&all->at[all->n].key, key);
	return &all->at[all->n++];
}

static int
by_text(const void *a, const void *b)
{
	const struct pair	*pa = a, *pb = b;

	return strcmp(pa->text, pb->text);
}

static void
pairs_print(struct pairs *all, struct buf *b)
{
	for (size_t i = 0; i < all->n; i++) {
		struct pair *p = &all->at[i];

		buf_addc(&p->key, '=');
		mask_text(&p->key, buf_slice(&p->values));
		p->key.oom |= p->values.oom;
		if ((p->text = buf_steal(&p->key)) == NULL) {
			all->oom = true;
			return;
		}
	}
	if (all->n > 0)
		qsort(all->at, all->n, sizeof(*all->at), by_text);
	for (size_t i = 0; i < all->n; i++) {
		buf_addc(b, i == 0 ? '?' : '&');
		buf_adds(b, all->at[i].text);
	}
}

static void
mask_query(struct buf *b, struct slice query)
{
	struct pairs	 all = { .at = NULL };
	struct buf	 key = { 0 }, value = { 0 };
	struct pair	*p;

	while (url_next_pair(&query, &key, &value)) {
		if ((p = pairs_find(&all, buf_slice(&key))) == NULL)
			break;
		buf_adds_slice(&p->values, buf_slice(&value));
	}
	pairs_print(&all, b);
	b->oom |= all.oom || key.oom || value.oom;
	pairs_free(&all);
	buf_free(&key);
	buf_free(&value);
}

int
mask_url(struct buf *b, struct slice text, struct err *err)
{
	struct url_parts u;

	if (url_split(text, &u, err) != 0)
		return -1;
	for (size_t i = 0; i < u.scheme.n; i++)
		buf_addc(b, u.scheme.p[i] >= 'A' && u.scheme.p[i] <= 'Z' ? (char)(u.scheme.p[i] + 32) : u.scheme.p[i]);
	buf_adds(b, "://");
	if (u.user.p != NULL) {
		mask_decoded(b, u.user);
		if (u.password.p != NULL) {
			buf_addc(b, ':');
			mask_decoded(b, u.password);
		}
		buf_addc(b, '@');
	}
	(void)url_decode(b, u.authority, false);
	mask_path(b, u.path);
	mask_query(b, u.query);
	return 0;
}

void
mask_url_for_log(struct buf *b, struct slice text)
{
	struct buf	 masked = { 0 };
	size_t		 n = 0;

	if (mask_url(&masked, text, NULL) == 0 && !masked.oom)
		buf_adds_slice(b, buf_slice(&masked));
	else {
		while (n < text.n && (is_alnum(text.p[n]) || text.p[n] == '-'))
			n++;
		/* Without the slashes behind it, what looks like a scheme may be a user or a secret. */
		if (text.n - n > 3 && memcmp(text.p + n, "://", 3) == 0)
			buf_add(b, text.p, n + 3);
		buf_adds(b, "***");
	}
	buf_free(&masked);
}

void
mask_email(struct buf *b, struct slice s)
{
	struct slice	 local, label;

	(void)slice_cut(&s, '@', &local);
	mask_text(b, local);
	if (s.p == NULL)
		return;
	buf_addc(b, '@');
	(void)slice_cut(&s, '.', &label);
	mask_text(b, label);
	if (s.p == NULL)
		return;
	buf_addc(b, '.');
	buf_adds_slice(b, s);
}

static bool
all_of(struct slice s, const char *also)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || strchr(also, s.p[i]) == NULL))
			return false;
	return s.n > 0;
}

static bool
looks_like_url(struct slice s)
{
	struct slice	 scheme = { s.p, 0 };

	while (scheme.n < s.n && s.p[scheme.n] != ':')
		scheme.n++;
	return s.n - scheme.n >= 3 && memcmp(s.p + scheme.n, "://", 3) == 0 && all_of(scheme, "_-+.");
}

/* name@domain.tld, the last part letters only, two at least */
static bool
looks_like_email(struct slice s)
{
	struct slice	 local, domain = s, last;
	const char	*dot;

	if (!slice_cut(&domain, '@', &local) || domain.p == NULL || !all_of(local, "._%+-") ||
	    !all_of(domain, ".-") || (dot = memrchr(domain.p, '.', domain.n)) == NULL || dot == domain.p)
		return false;
	last = (struct slice){ dot + 1, (size_t)(domain.p + domain.n - dot) - 1 };
	for (size_t i = 0; i < last.n; i++)
		if (!is_alnum(last.p[i]) || (last.p[i] >= '0' && last.p[i] <= '9'))
			return false;
	return last.n >= 2;
}

/* Three groups between dots, as a JSON web token has them. */
static bool
looks_like_token(struct slice s)
{
	struct slice	 part;
	unsigned	 groups = 0;

	while (slice_cut(&s, '.', &part)) {
		if (!all_of(part, "-_"))
			return false;
		groups++;
	}
	return groups == 3;
}

static void
mask_value(struct buf *b, struct slice s)
{
	if (looks_like_url(s)) {
		if (mask_url(b, s, NULL) != 0)
			mask_text(b, s);
	} else if (looks_like_email(s))
		mask_email(b, s);
	else if (looks_like_token(s))
		mask_text(b, s);
	else
		buf_adds_slice(b, s);
}

void
mask_argument(struct buf *b, struct slice s)
{
	struct slice	 value = s, name;

	/* --flag=value: the value is a word of its own, and secrets come that way too. */
	if (s.n > 2 && memcmp(s.p, "--", 2) == 0 && slice_cut(&value, '=', &name) && value.p != NULL) {
		buf_add(b, s.p, name.n + 1);
		s = value;
	}
	mask_value(b, s);
}
