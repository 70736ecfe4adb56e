/* Which schemas have a name: documents, what `$id` names in them, and anchors. */

#include <stdio.h>
#include <stdlib.h>

#include "worker/rules/schema_private.h"
#include "worker/rules/uri.h"

static const struct {
	const char	*uri;			/* behind http:// or https://, without # */
	enum draft	 draft;
} drafts[] = {
	{ "json-schema.org/draft/2020-12/schema", DRAFT_2020 },
	{ "json-schema.org/schema", DRAFT_2020 },	/* "the latest one" */
	{ "json-schema.org/draft/2019-09/schema", DRAFT_2019 },
	{ "json-schema.org/draft-07/schema", DRAFT_7 },
	{ "json-schema.org/draft-06/schema", DRAFT_6 },
	{ "json-schema.org/draft-04/schema", DRAFT_4 },
};

struct scan {
	struct schema_set	*set;
	const struct document	*document;
	struct err		*err;
};

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the schemas");
}

static bool
find_draft(struct slice uri, enum draft *out_r)
{
	struct slice	 fragment;

	uri = uri_cut_fragment(uri, &fragment);
	if (fragment.n > 0)
		return false;
	for (size_t n = 7; n <= 8; n++)
		for (size_t i = 0; i < NELEM(drafts); i++)
			if (uri.n > n && memcmp(uri.p, n == 7 ? "http://" : "https://", n) == 0 &&
			    slice_is((struct slice){ uri.p + n, uri.n - n }, drafts[i].uri)) {
				*out_r = drafts[i].draft;
				return true;
			}
	return false;
}

/* As one token of a JSON pointer. */
const char *
registry_where(struct schema_set *set, const char *where, struct slice token)
{
	buf_reset(&set->text);
	buf_adds(&set->text, where);
	buf_addc(&set->text, '/');
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] == '~' || token.p[i] == '/')
			buf_adds(&set->text, token.p[i] == '~' ? "~0" : "~1");
		else if ((unsigned char)token.p[i] < 0x20)
			buf_printf(&set->text, "%%%02X", (unsigned char)token.p[i]);
		else
			buf_addc(&set->text, token.p[i]);
	}
	return set->text.oom ? NULL : arena_copy(&set->arena, buf_slice(&set->text)).p;
}

static const char *
where_of_number(struct schema_set *set, const char *where, uint32_t i)
{
	char	 text[16];

	(void)snprintf(text, sizeof(text), "%u", (unsigned)i);
	return registry_where(set, where, slice_of(text));
}

static int
fault(const struct scan *s, const char *where, const char *keyword, const char *what, struct slice found)
{
	(void)s;
	return err_set(s->err, ERR_CONFIG, "%.300s/%s: %s \"%.*s\"", where, keyword, what, found.n > 200 ? 200 : (int)found.n, found.p);
}

static struct slice
text_member(const struct dom *d, const char *name)
{
	const struct dom	*v = dom_get(d, name);

	return v != NULL && v->type == JV_STRING ? dom_text(v) : (struct slice){ NULL, 0 };
}

static int
add_anchor(const struct scan *s, struct resource *r, struct slice name, const struct dom *at, const char *where, bool dynamic)
{
	struct anchor	*a = arena_get(&s->set->arena, sizeof(*a));

	if (a == NULL)
		return no_memory(s->err);
	*a = (struct anchor){ .name = name, .at = at, .where = where, .dynamic = dynamic, .next = r->anchors };
	r->anchors = a;
	return 0;
}

static int
add_uri(const struct scan *s, struct resource *r, struct slice uri)
{
	const char	**uris = arena_get(&s->set->arena, (r->n_uris + 1) * sizeof(*uris));

	if (uris == NULL || (uris[0] = arena_copy(&s->set->arena, uri).p) == NULL)
		return no_memory(s->err);
	for (size_t i = 0; i < r->n_uris; i++)
		uris[i + 1] = r->uris[i];
	r->uris = uris;
	r->n_uris++;
	return 0;
}

static struct resource *
add_resource(const struct scan *s, const struct dom *root, const char *where, enum draft draft)
{
	struct resource	*r = arena_get(&s->set->arena, sizeof(*r));

	if (r == NULL) {
		(void)no_memory(s->err);
		return NULL;
	}
	*r = (struct resource){ .document = s->document, .root = root, .where = where, .draft = draft, .next = s->set->resources };
	s->set->resources = r;
	return r;
}

/* The `$id` of a schema, absent when it has none that counts. */
static struct slice
id_of(const struct dom *d, enum draft draft)
{
	if (draft <= DRAFT_7 && dom_get(d, "$ref") != NULL)
		return (struct slice){ NULL, 0 };
	return text_member(d, draft == DRAFT_4 ? "id" : "$id");
}

/* The draft that the schema says it is of, or *draft stays. */
static int
take_draft(const struct scan *s, const struct dom *d, const char *where, enum draft *draft)
{
	struct slice	 uri = text_member(d, "$schema");

	if (uri.p == NULL || find_draft(uri, draft))
		return 0;
	return fault(s, where, "$schema", "must be the address of draft 2020-12, 2019-09, 7, 6 or 4 at json-schema.org, not", uri);
}

/* *resource changes when the schema has a URI of its own. */
static int
take_names(const struct scan *s, const struct dom *d, const char *where, struct resource **resource)
{
	enum draft	 draft = (*resource)->draft;
	struct slice	 fragment, id = id_of(d, draft), uri = uri_cut_fragment(id, &fragment), name;
	struct resource	*r = *resource;
	const struct dom *flag;

	if (uri.n > 0) {
		if (d != r->root && (take_draft(s, d, where, &draft) != 0 || (r = add_resource(s, d, where, draft)) == NULL))
			return -1;
		buf_reset(&s->set->text);
		uri_resolve(&s->set->text, slice_of((*resource)->uris[0]), uri);
		if (s->set->text.oom || add_uri(s, r, buf_slice(&s->set->text)) != 0)
			return no_memory(s->err);
		*resource = r;
	}
	if (draft <= DRAFT_7 && fragment.n > 0)
		return add_anchor(s, r, fragment, d, where, false);
	if (draft < DRAFT_2019)
		return 0;
	if ((name = text_member(d, "$anchor")).p != NULL && add_anchor(s, r, name, d, where, false) != 0)
		return -1;
	flag = dom_get(d, "$recursiveAnchor");
	if (draft == DRAFT_2019 && d == r->root && flag != NULL && flag->type == JV_TRUE)
		r->recursive = true;
	name = text_member(d, "$dynamicAnchor");
	return draft == DRAFT_2020 && name.p != NULL ? add_anchor(s, r, name, d, where, true) : 0;
}

static int scan_schema(const struct scan *, const struct dom *, const char *where, struct resource *);

static int
scan_list(const struct scan *s, const struct dom *d, const char *where, struct resource *r)
{
	for (uint32_t i = 0; i < d->n; i++) {
		const char *inner = where_of_number(s->set, where, i);

		if (inner == NULL)
			return no_memory(s->err);
		if (scan_schema(s, &d->u.items[i], inner, r) != 0)
			return -1;
	}
	return 0;
}

static int
scan_map(const struct scan *s, const struct dom *d, const char *where, struct resource *r)
{
	for (uint32_t i = 0; i < d->n; i++) {
		const char *inner = registry_where(s->set, where, d->u.members[i].key);

		if (inner == NULL)
			return no_memory(s->err);
		if (scan_schema(s, &d->u.members[i].val, inner, r) != 0)
			return -1;
	}
	return 0;
}

static int
scan_keyword(const struct scan *s, const struct keyword *k, const struct dom *d, const char *where, struct resource *r)
{
	const char	*inner = registry_where(s->set, where, slice_of(k->name));

	if (inner == NULL)
		return no_memory(s->err);
	if (k->holds == SCHEMA || (k->holds == EITHER && d->type != JV_ARRAY))
		return scan_schema(s, d, inner, r);
	if ((k->holds == LIST || k->holds == EITHER) && d->type == JV_ARRAY)
		return scan_list(s, d, inner, r);
	return d->type == JV_OBJECT ? scan_map(s, d, inner, r) : 0;
}

/* Of what is no schema the compiler will complain, if it gets there. */
static int
scan_schema(const struct scan *s, const struct dom *d, const char *where, struct resource *r)
{
	if (d->type != JV_OBJECT)
		return 0;
	if (take_names(s, d, where, &r) != 0)
		return -1;
	for (size_t i = 0; i < n_keywords; i++) {
		const struct keyword *k = &keywords[i];
		const struct dom *arg;

		if (k->holds == NOTHING || !keyword_counts(k, r->draft) || (arg = dom_get(d, k->name)) == NULL)
			continue;
		if (scan_keyword(s, k, arg, where, r) != 0)
			return -1;
	}
	return 0;
}

int
schema_set_add(struct schema_set *set, const char *name, const struct dom *root, const char *const *uris, size_t n_uris,
    struct err *err)
{
	struct document		*doc = arena_get(&set->arena, sizeof(*doc));
	struct scan		 s = { .set = set, .document = doc, .err = err };
	struct resource		*r;
	const char		*where;
	enum draft		 draft = DRAFT_2020;

	buf_reset(&set->text);
	buf_printf(&set->text, "%s#", name);
	if (doc == NULL || set->text.oom || (where = arena_copy(&set->arena, buf_slice(&set->text)).p) == NULL)
		return no_memory(err);
	doc->root = root;
	if (take_draft(&s, root, where, &draft) != 0 || (r = add_resource(&s, root, where, draft)) == NULL)
		return -1;
	for (size_t i = n_uris; i > 0; i--)
		if (add_uri(&s, r, slice_of(uris[i - 1])) != 0)
			return -1;
	return scan_schema(&s, root, where, r);
}

struct resource *
registry_of_root(const struct schema_set *set, const struct dom *d)
{
	for (struct resource *r = set->resources; r != NULL; r = r->next)
		if (r->root == d)
			return r;
	return NULL;
}

static bool
is_known_as(const struct resource *r, struct slice uri)
{
	for (size_t i = 0; i < r->n_uris; i++)
		if (slice_is(uri, r->uris[i]))
			return true;
	return false;
}

/* What the document at hand calls that comes first; two others that do cannot be told apart. */
static struct resource *
find_resource(const struct schema_set *set, const struct resource *from, struct slice uri, struct err *err)
{
	struct resource	*found = NULL;

	for (struct resource *r = set->resources; r != NULL; r = r->next) {
		if (!is_known_as(r, uri))
			continue;
		if (from != NULL && r->document == from->document)
			return r;
		if (found != NULL) {
			(void)err_set(err, ERR_CONFIG, "both %.200s and %.200s have that `$id`; give each one of its own", found->where,
			    r->where);
			return NULL;
		}
		found = r;
	}
	if (found == NULL)
		(void)err_set(err, ERR_CONFIG, "no file of the folder is known by that address, and nothing is fetched; put the "
		    "schema into the folder, with that address as its `$id`");
	return found;
}

/* One token of a pointer. */
static const struct dom *
step_into(const struct dom *d, struct slice token)
{
	uint64_t	 i;

	if (d->type == JV_OBJECT)
		return dom_find(d, token, dom_hash(token));
	if (d->type == JV_ARRAY && slice_u64(token, &i) && i < d->n && (token.n == 1 || token.p[0] != '0'))
		return &d->u.items[i];
	return NULL;
}

static int
follow_pointer(struct schema_set *set, struct slice pointer, struct place *p, struct err *err)
{
	struct buf	 plain = { 0 };
	struct slice	 token;
	struct resource	*r;

	(void)slice_cut(&pointer, '/', &token);		/* what is before the first one is empty */
	while (p->at != NULL && slice_cut(&pointer, '/', &token)) {
		buf_reset(&plain);
		for (size_t i = 0; i < token.n; i++) {
			bool escape = token.p[i] == '~' && i + 1 < token.n && (token.p[i + 1] == '0' || token.p[i + 1] == '1');

			buf_addc(&plain, !escape ? token.p[i] : token.p[i + 1] == '0' ? '~' : '/');
			i += escape;
		}
		p->where = registry_where(set, p->where, buf_slice(&plain));
		if (plain.oom || p->where == NULL) {
			buf_free(&plain);
			return no_memory(err);
		}
		if ((p->at = step_into(p->at, buf_slice(&plain))) != NULL && (r = registry_of_root(set, p->at)) != NULL)
			p->resource = r;
	}
	buf_free(&plain);
	return p->at != NULL ? 0 : err_set(err, ERR_CONFIG, "there is no %.300s", p->where);
}

static int
follow_fragment(struct schema_set *set, struct slice fragment, struct place *p, struct err *err)
{
	struct slice	 plain;

	buf_reset(&set->text);
	if (!uri_unescape(&set->text, fragment))
		return err_set(err, ERR_CONFIG, "a %% without two hexadecimal digits");
	if (set->text.oom || (plain = arena_copy(&set->arena, buf_slice(&set->text))).p == NULL)
		return no_memory(err);
	if (plain.n == 0)
		return 0;
	if (plain.p[0] == '/')
		return follow_pointer(set, plain, p, err);
	for (const struct anchor *a = p->resource->anchors; a != NULL; a = a->next)
		if (slice_eq(a->name, plain)) {
			p->at = a->at;
			p->where = a->where;
			return 0;
		}
	return err_set(err, ERR_CONFIG, "%.300s has no anchor of that name", p->resource->where);
}

int
registry_find(struct schema_set *set, const struct resource *from, struct slice ref, struct place *out_r, struct err *err)
{
	struct slice	 fragment, uri = uri_cut_fragment(ref, &fragment), whole = uri;
	struct resource	*r;

	if (from != NULL) {
		buf_reset(&set->text);
		uri_resolve(&set->text, slice_of(from->uris[0]), uri);
		if (set->text.oom || (whole = arena_copy(&set->arena, buf_slice(&set->text))).p == NULL)
			return no_memory(err);
	}
	if ((r = find_resource(set, from, whole, err)) == NULL)
		return -1;
	*out_r = (struct place){ .resource = r, .at = r->root, .where = r->where };
	return follow_fragment(set, fragment, out_r, err);
}
