/* Paths made of what stands in a document. */

#include <ctype.h>
#include <stdlib.h>

#include "ipc/base/json_out.h"
#include "worker/rules/template.h"

/* One step into a document: a member by name, or an item by number. */
struct hop {
	bool		 by_number;
	struct slice	 name;
	uint32_t	 hash;
	uint64_t	 number;
	struct hop	*next;
};

struct part {
	struct slice	 text;			/* when there are no hops */
	struct hop	*hops;
	struct part	*next;
};

struct template {
	enum template_form	 form;
	struct part		*parts;
};

struct parse {
	struct arena	*arena;
	struct slice	 action;		/* at hand, for messages */
	struct slice	 rest;			/* of it */
	struct hop	**end;
	struct err	*err;
};

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for a path");
}

static int
unsupported(const struct parse *p)
{
	return err_set(p->err, ERR_CONFIG, "path: {{%.*s}} is not supported; write {{.name}}, {{.after.name}} or {{index .key 0}}",
	    p->action.n > 200 ? 200 : (int)p->action.n, p->action.p);
}

static int
add_hop(struct parse *p, const struct hop *hop)
{
	struct hop	*h = arena_get(p->arena, sizeof(*h));

	if (h == NULL)
		return no_memory(p->err);
	*h = *hop;
	h->hash = dom_hash(h->name);
	*p->end = h;
	p->end = &h->next;
	return 0;
}

static void
skip_space(struct parse *p)
{
	while (p->rest.n > 0 && isspace((unsigned char)p->rest.p[0])) {
		p->rest.p++;
		p->rest.n--;
	}
}

/* As many bytes as `fits` takes. */
static struct slice
take_while(struct parse *p, bool (*fits)(char))
{
	struct slice	 s = { p->rest.p, 0 };

	while (s.n < p->rest.n && fits(s.p[s.n]))
		s.n++;
	p->rest.p += s.n;
	p->rest.n -= s.n;
	return s;
}

static bool
in_name(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c) || c == '_';
}

static bool
in_number(char c)
{
	return isdigit((unsigned char)c);
}

static bool
in_quotes(char c)
{
	return c != '"' && c != '\\';
}

/* .name.name */
static int
take_fields(struct parse *p)
{
	struct hop	 hop = { .by_number = false };

	if (p->rest.n == 0 || p->rest.p[0] != '.')
		return unsupported(p);
	while (p->rest.n > 0 && p->rest.p[0] == '.') {
		p->rest.p++;
		p->rest.n--;
		hop.name = take_while(p, in_name);
		if (hop.name.n == 0 || isdigit((unsigned char)hop.name.p[0]))
			return unsupported(p);
		if (add_hop(p, &hop) != 0)
			return -1;
	}
	return 0;
}

/* A number, or a name in quotes without escapes. */
static int
take_index(struct parse *p)
{
	struct hop	 hop = { .by_number = p->rest.p[0] != '"', .name = SLICE("") };

	if (hop.by_number)
		return slice_u64(take_while(p, in_number), &hop.number) ? add_hop(p, &hop) : unsupported(p);
	p->rest.p++;
	p->rest.n--;
	hop.name = take_while(p, in_quotes);
	if (p->rest.n == 0 || p->rest.p[0] != '"')
		return unsupported(p);
	p->rest.p++;
	p->rest.n--;
	return add_hop(p, &hop);
}

static int
take_action(struct parse *p)
{
	size_t	 n = 0;
	bool	 index;

	if (p->action.n > 0 && (p->action.p[0] == '-' || p->action.p[p->action.n - 1] == '-'))
		return err_set(p->err, ERR_CONFIG, "path: {{%.*s}}: markers that trim space are not supported; write it without the hyphen",
		    p->action.n > 200 ? 200 : (int)p->action.n, p->action.p);
	p->rest = p->action;
	skip_space(p);
	index = p->rest.n > 6 && memcmp(p->rest.p, "index", 5) == 0 && isspace((unsigned char)p->rest.p[5]);
	if (index) {
		p->rest.p += 5;
		p->rest.n -= 5;
		skip_space(p);
	}
	if (take_fields(p) != 0)
		return -1;
	for (skip_space(p); p->rest.n > 0; skip_space(p), n++)
		if (!index || !isspace((unsigned char)p->rest.p[-1]))
			return unsupported(p);
		else if (take_index(p) != 0)
			return -1;
	return index && n == 0 ? unsupported(p) : 0;
}

/* A text that the template's author wrote: it goes out as it is, so it is looked at now. */
static int
check_text(struct slice text, struct err *err)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '<' || (unsigned char)text.p[i] < 0x20)
			return err_set(err, ERR_CONFIG, "path: the text outside of {{ }} must not have a < or control characters");
	if (memmem(text.p, text.n, "}}", 2) != NULL)
		return err_set(err, ERR_CONFIG, "path: a }} without its {{");
	return 0;
}

static int
add_part(struct arena *a, struct part ***end, struct slice text, struct hop *hops, struct err *err)
{
	struct part	*part = arena_get(a, sizeof(*part));

	if (part == NULL)
		return no_memory(err);
	*part = (struct part){ .text = text, .hops = hops };
	**end = part;
	*end = &part->next;
	return 0;
}

/* Up to the end of the action that begins at `p`, braces in quotes aside; NULL: it has none. */
static const char *
end_of_action(const char *p, const char *end)
{
	bool	 quoted = false;

	for (; end - p >= 2; p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (!quoted && p[0] == '}' && p[1] == '}')
			return p;
	}
	return NULL;
}

int
template_parse(struct arena *a, struct slice text, enum template_form form, struct template **template_r, struct err *err)
{
	struct template	*t = arena_get(a, sizeof(*t));
	struct part	**end;
	const char	*p = text.p, *stop = text.p + text.n, *open, *close;

	if (t == NULL)
		return no_memory(err);
	*t = (struct template){ .form = form };
	for (end = &t->parts; p < stop; p = close + 2) {
		struct parse action = { .arena = a, .err = err };
		struct hop *hops = NULL;
		struct slice plain = { p, (size_t)(stop - p) };

		if ((open = memmem(p, plain.n, "{{", 2)) != NULL)
			plain.n = (size_t)(open - p);
		if (check_text(plain, err) != 0 || (plain.n > 0 && add_part(a, &end, plain, NULL, err) != 0))
			return -1;
		if (open == NULL)
			break;
		if ((close = end_of_action(open + 2, stop)) == NULL)
			return err_set(err, ERR_CONFIG, "path: a {{ without its }}");
		action.action = (struct slice){ open + 2, (size_t)(close - open) - 2 };
		action.end = &hops;
		if (take_action(&action) != 0 || add_part(a, &end, SLICE(""), hops, err) != 0)
			return -1;
	}
	*template_r = t;
	return 0;
}

/* NULL: empty, unless *why_r is set. */
static const struct dom *
follow(const struct hop *h, const struct dom *d, const char **why_r)
{
	for (; h != NULL && d != NULL; h = h->next) {
		if (h->by_number) {
			if (d->type != JV_ARRAY || h->number >= d->n)
				*why_r = "an index of the path is beyond what the event has";
			else {
				d = &d->u.items[h->number];
				continue;
			}
		} else if (d->type == JV_OBJECT) {
			d = dom_find(d, h->name, h->hash);
			continue;
		} else if (d->type != JV_NULL)
			*why_r = "the path names a member of what is no object";
		return NULL;
	}
	if (h != NULL && h->by_number)
		*why_r = "an index of the path is beyond what the event has";
	return d;
}

static int
by_key(const void *a, const void *b)
{
	const struct dom_member	*const *x = a, *const *y = b;
	size_t			 n = (*x)->key.n < (*y)->key.n ? (*x)->key.n : (*y)->key.n;
	int			 cmp = n == 0 ? 0 : memcmp((*x)->key.p, (*y)->key.p, n);

	return cmp != 0 ? cmp : (*x)->key.n < (*y)->key.n ? -1 : (*x)->key.n > (*y)->key.n;
}

static bool	 print(struct buf *, const struct dom *, enum template_form);

/* map[a:1 b:2], as Go prints one. */
static bool
print_object(struct buf *b, const struct dom *d, enum template_form form)
{
	const struct dom_member	**v = calloc(d->n + 1, sizeof(const struct dom_member *));
	bool			 fine = v != NULL;

	for (uint32_t i = 0; fine && i < d->n; i++)
		v[i] = &d->u.members[i];
	if (fine)
		qsort(v, d->n, sizeof(const struct dom_member *), by_key);
	buf_adds(b, "map[");
	for (uint32_t i = 0; fine && i < d->n; i++) {
		buf_adds(b, i > 0 ? " " : "");
		buf_adds_slice(b, v[i]->key);
		buf_addc(b, ':');
		fine = print(b, &v[i]->val, form);
	}
	buf_addc(b, ']');
	b->oom |= v == NULL;
	free(v);
	return fine;
}

static bool
print_number(struct buf *b, struct slice text, enum template_form form)
{
	char	*copy;
	double	 v;

	if (form == TEMPLATE_PLAIN) {
		buf_adds_slice(b, text);
		return true;
	}
	if ((copy = slice_dup(text)) == NULL) {
		b->oom = true;
		return false;
	}
	v = strtod(copy, NULL);
	free(copy);
	json_out_double_g(b, v);
	return v - v == 0;		/* finite */
}

static bool
print(struct buf *b, const struct dom *d, enum template_form form)
{
	bool	 fine = true;

	switch (d->type) {
	case JV_STRING:
		buf_adds_slice(b, dom_text(d));
		break;
	case JV_NUMBER:
		return print_number(b, dom_text(d), form);
	case JV_OBJECT:
		return print_object(b, d, form);
	case JV_ARRAY:
		buf_addc(b, '[');
		for (uint32_t i = 0; fine && i < d->n; i++) {
			buf_adds(b, i > 0 ? " " : "");
			fine = print(b, &d->u.items[i], form);
		}
		buf_addc(b, ']');
		break;
	default:
		buf_adds(b, d->type == JV_TRUE ? "true" : d->type == JV_FALSE ? "false" : "<nil>");
	}
	return fine;
}

static const char *
html_of(char c)
{
	switch (c) {
	case '&':	return "&amp;";
	case '<':	return "&lt;";
	case '>':	return "&gt;";
	case '"':	return "&#34;";
	case '\'':	return "&#39;";
	case '+':	return "&#43;";
	default:	return NULL;
	}
}

#define VALUE_DOT	'\1'		/* a dot of a value, until the path is cleaned */

static void
put_value(struct buf *b, struct slice s, enum template_form form)
{
	const char	*html;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '/' || c < 0x20 || c == 0x7f)
			buf_printf(b, "%%%02X", c);
		else if (c == '.')
			buf_addc(b, VALUE_DOT);
		else if (form == TEMPLATE_HTML && (html = html_of(s.p[i])) != NULL)
			buf_adds(b, html);
		else
			buf_addc(b, s.p[i]);
	}
}

static bool
put_hops(const struct template *t, const struct part *part, const struct dom *doc, struct buf *b, const char **why_r)
{
	const struct dom	*d = follow(part->hops, doc, why_r);
	struct buf		 value = { 0 };
	bool			 fine;

	if (*why_r != NULL)
		return false;
	if (d == NULL || d->type == JV_NULL)
		return true;
	if (!(fine = print(&value, d, t->form) && !value.oom))
		*why_r = value.oom ? NULL : "a number of the path is beyond what a double can hold";
	else
		put_value(b, buf_slice(&value), t->form);
	buf_free(&value);
	return fine;
}

/* An element that is . or .. by what stands in the event is a name like any other. */
static void
put_element(struct buf *b, struct slice s)
{
	bool	 dots = s.n == 1 || (s.n == 2 && (s.p[1] == '.' || s.p[1] == VALUE_DOT));

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '.' && s.p[i] != VALUE_DOT)
			buf_addc(b, s.p[i]);
		else if (i == 0 && dots)
			buf_adds(b, "%2E");
		else
			buf_addc(b, '.');
}

/* Whole elements; those that the template's author wrote as . and .. mean what they mean to Go's path.Clean. */
static void
put_clean(struct buf *b, struct slice path)
{
	struct slice	 element;
	size_t		 start = b->len;

	while (slice_cut(&path, '/', &element)) {
		if (element.n == 0 || slice_is(element, "."))
			continue;
		if (slice_is(element, "..")) {
			while (b->len > start && b->data[--b->len] != '/')
				;
			continue;
		}
		if (b->len > start)
			buf_addc(b, '/');
		put_element(b, element);
	}
}

bool
template_render(const struct template *t, const struct dom *doc, struct buf *b, const char **why_r)
{
	struct buf	 raw = { 0 };
	bool		 fine = true;

	*why_r = NULL;
	for (const struct part *part = t->parts; fine && part != NULL; part = part->next)
		if (part->hops != NULL)
			fine = put_hops(t, part, doc, &raw, why_r);
		else
			buf_adds_slice(&raw, part->text);
	if (fine)
		put_clean(b, buf_slice(&raw));
	if (raw.oom || b->oom) {
		*why_r = NULL;
		fine = false;
	}
	buf_free(&raw);
	return fine;
}
