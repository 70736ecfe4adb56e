/* From a schema as it is written to the steps of a check. */

#include <stdio.h>
#include <stdlib.h>

#include "worker/rules/schema_private.h"

struct schema_set *
schema_set_new(void)
{
	return calloc(1, sizeof(struct schema_set));
}

void
schema_set_free(struct schema_set **sp)
{
	struct schema_set	*set = *sp;

	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n_patterns; i++)
		pattern_free(&set->patterns[i]);
	free(set->patterns);
	free(set->compiled.v);
	buf_free(&set->text);
	arena_free(&set->scratch);
	arena_free(&set->arena);
	free(set);
	*sp = NULL;
}

static struct schema **
slot_for(struct compiled *t, const struct dom *source)
{
	size_t	 at = (size_t)((uintptr_t)source / sizeof(void *) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (t->cap - 1);

	while (t->v[at] != NULL && t->v[at]->source != source)
		at = (at + 1) & (t->cap - 1);
	return &t->v[at];
}

static bool
table_grow(struct compiled *t)
{
	struct compiled	 wider = { .n = t->n, .cap = t->cap == 0 ? 256 : t->cap * 2 };

	if ((wider.v = calloc(wider.cap, sizeof(struct schema *))) == NULL)
		return false;
	for (size_t i = 0; i < t->cap; i++)
		if (t->v[i] != NULL)
			*slot_for(&wider, t->v[i]->source) = t->v[i];
	free(t->v);
	*t = wider;
	return true;
}

/* Compiled or about to be: what refers to itself finds itself.  NULL: *err says why. */
static struct schema *
want(struct compile *c, struct resource *r, const struct dom *source, const char *where)
{
	struct compiled	*t = &c->set->compiled;
	struct resource	*own = registry_of_root(c->set, source);
	struct schema	*s, **slot;

	if ((t->n * 2 >= t->cap && !table_grow(t)) || where == NULL) {
		(void)compile_oom(c);
		return NULL;
	}
	slot = slot_for(t, source);
	if (*slot != NULL)
		return *slot;
	if ((s = arena_get(&c->set->arena, sizeof(*s))) == NULL) {
		(void)compile_oom(c);
		return NULL;
	}
	*s = (struct schema){ .resource = own != NULL ? own : r, .source = source, .where = where, .todo = c->set->todo };
	c->set->todo = s;
	*slot = s;
	t->n++;
	return s;
}

/* A schema below the keyword; token "" for the keyword's own argument. */
static struct schema *
want_inner(struct compile *c, const char *keyword, struct slice token, const struct dom *source)
{
	const char	*where = registry_where(c->set, c->schema->where, slice_of(keyword));

	if (where != NULL && token.p != NULL)
		where = registry_where(c->set, where, token);
	return want(c, c->schema->resource, source, where);
}

static int
one(struct compile *c, const char *keyword, const struct dom *arg, struct schema **out_r)
{
	return (*out_r = want_inner(c, keyword, (struct slice){ NULL, 0 }, arg)) == NULL ? -1 : 0;
}

/* The schema of a keyword beside, or NULL without it. */
static int
maybe(struct compile *c, const char *keyword, struct schema **out_r)
{
	const struct dom	*arg = dom_get(c->schema->source, keyword);

	*out_r = NULL;
	return arg == NULL ? 0 : one(c, keyword, arg, out_r);
}

static int
room_for(struct compile *c, size_t n, struct schemas *out_r)
{
	*out_r = (struct schemas){ .v = arena_get(&c->set->arena, n * sizeof(struct schema *)), .n = n };
	return out_r->v == NULL ? compile_oom(c) : 0;
}

static int
list(struct compile *c, const char *keyword, const struct dom *arg, struct schemas *out_r)
{
	char	 text[16];

	if (arg->type != JV_ARRAY)
		return compile_error(c, keyword, "a list of schemas");
	if (room_for(c, arg->n, out_r) != 0)
		return -1;
	for (uint32_t i = 0; i < arg->n; i++) {
		(void)snprintf(text, sizeof(text), "%u", (unsigned)i);
		if ((out_r->v[i] = want_inner(c, keyword, slice_of(text), &arg->u.items[i])) == NULL)
			return -1;
	}
	return 0;
}

static int
map(struct compile *c, const char *keyword, const struct dom *arg, struct schemas *out_r)
{
	if (arg->type != JV_OBJECT)
		return compile_error(c, keyword, "an object of schemas");
	if (room_for(c, arg->n, out_r) != 0)
		return -1;
	for (uint32_t i = 0; i < arg->n; i++)
		if ((out_r->v[i] = want_inner(c, keyword, arg->u.members[i].key, &arg->u.members[i].val)) == NULL)
			return -1;
	return 0;
}

/* True once for several keywords that are one step: at the first of them that the schema has. */
static bool
is_first(const struct compile *c, const struct keyword *k)
{
	for (const struct keyword *other = keywords; other < k; other++)
		if (other->op == k->op && keyword_counts(other, c->schema->resource->draft) &&
		    dom_get(c->schema->source, other->name) != NULL)
			return false;
	return true;
}

static int
compile_members(struct compile *c, struct step *step)
{
	const struct dom	*src = c->schema->source, *named = dom_get(src, "properties"), *like = dom_get(src, "patternProperties");
	struct members		*m = arena_get(&c->set->arena, sizeof(*m));

	if (m == NULL)
		return compile_oom(c);
	*m = (struct members){ .properties = { .type = JV_OBJECT } };
	if (named != NULL) {
		if (map(c, "properties", named, &m->schemas) != 0)
			return -1;
		m->properties = *named;
	}
	if (like != NULL) {
		if (map(c, "patternProperties", like, &m->of_patterns) != 0)
			return -1;
		if ((m->patterns = arena_get(&c->set->arena, like->n * sizeof(struct pattern *))) == NULL)
			return compile_oom(c);
		for (uint32_t i = 0; i < like->n; i++)
			if ((m->patterns[i] = compile_pattern(c, "patternProperties", like->u.members[i].key)) == NULL)
				return -1;
	}
	step->u.members = m;
	return maybe(c, "additionalProperties", &m->rest);
}

static int
compile_items(struct compile *c, struct step *step)
{
	const struct dom	*src = c->schema->source, *items = dom_get(src, "items"), *prefix = dom_get(src, "prefixItems");

	step->u.items.prefix = (struct schemas){ NULL, 0 };
	step->u.items.rest = NULL;
	if (c->schema->resource->draft == DRAFT_2020) {
		if (prefix != NULL && list(c, "prefixItems", prefix, &step->u.items.prefix) != 0)
			return -1;
		return maybe(c, "items", &step->u.items.rest);
	}
	if (items == NULL) {
		step->op = OP_NONE;		/* additionalItems alone says nothing */
		return 0;
	}
	if (items->type != JV_ARRAY)
		return one(c, "items", items, &step->u.items.rest);
	return list(c, "items", items, &step->u.items.prefix) != 0 ? -1 : maybe(c, "additionalItems", &step->u.items.rest);
}

static int
compile_contains(struct compile *c, const struct dom *arg, struct step *step)
{
	enum draft		 draft = c->schema->resource->draft;
	const struct dom	*least = dom_get(c->schema->source, "minContains"), *most = dom_get(c->schema->source, "maxContains");

	step->u.contains.least = 1;
	step->u.contains.most = UINT64_MAX;
	step->u.contains.marks = draft >= DRAFT_2020;
	if (draft >= DRAFT_2019 &&
	    ((least != NULL && compile_count(c, "minContains", least, &step->u.contains.least) != 0) ||
	    (most != NULL && compile_count(c, "maxContains", most, &step->u.contains.most) != 0)))
		return -1;
	return one(c, "contains", arg, &step->u.contains.schema);
}

static int
compile_dependencies(struct compile *c, const char *keyword, const struct dom *arg, struct step *step)
{
	struct dependency	*v = arena_get(&c->set->arena, (arg->type == JV_OBJECT ? arg->n : 0) * sizeof(*v));

	if (arg->type != JV_OBJECT)
		return compile_error(c, keyword, "an object");
	if (v == NULL)
		return compile_oom(c);
	for (uint32_t i = 0; i < arg->n; i++) {
		const struct dom_member *m = &arg->u.members[i];

		v[i] = (struct dependency){ .name = m->key, .hash = m->hash };
		if (step->op == OP_DEPENDENCIES && m->val.type == JV_ARRAY) {
			if (compile_names(c, keyword, &m->val, &v[i].required) != 0)
				return -1;
		} else if ((v[i].schema = want_inner(c, keyword, m->key, &m->val)) == NULL)
			return -1;
	}
	step->op = OP_DEPENDENCIES;
	step->u.dependencies.v = v;
	step->u.dependencies.n = arg->n;
	return 0;
}

/* Sets `dynamic` when the reference is by an anchor that others in the way may have, too. */
static void
take_dynamic(const struct place *p, struct slice ref, struct step *step)
{
	for (const struct anchor *a = p->resource->anchors; a != NULL; a = a->next)
		if (a->dynamic && a->at == p->at && ref.n > a->name.n && ref.p[ref.n - a->name.n - 1] == '#' &&
		    memcmp(ref.p + ref.n - a->name.n, a->name.p, a->name.n) == 0) {
			step->u.ref.dynamic = true;
			step->u.ref.name = a->name;
		}
}

static int
compile_ref(struct compile *c, const struct keyword *k, const struct dom *arg, struct step *step)
{
	struct slice	 ref = dom_text(arg);
	struct place	 p;

	if (arg->type != JV_STRING)
		return compile_error(c, k->name, "a string");
	if (registry_find(c->set, c->schema->resource, ref, &p, c->err) != 0)
		return err_prefix(c->err, "%.250s/%s: cannot follow \"%.*s\"", c->schema->where, k->name, ref.n > 150 ? 150 : (int)ref.n,
		    ref.p);
	step->u.ref.name = (struct slice){ NULL, 0 };
	step->u.ref.dynamic = k->op == OP_RECURSIVE_REF && p.resource->recursive;
	if (k->op == OP_DYNAMIC_REF)
		take_dynamic(&p, ref, step);
	return (step->u.ref.schema = want(c, p.resource, p.at, p.where)) == NULL ? -1 : 0;
}

static int
compile_keyword(struct compile *c, const struct keyword *k, const struct dom *arg, struct step *step)
{
	switch (k->op) {
	case OP_MEMBERS:
		return compile_members(c, step);
	case OP_ITEMS:
		return compile_items(c, step);
	case OP_NAMES:
	case OP_NOT:
		return one(c, k->name, arg, &step->u.schema);
	case OP_UNEVALUATED_ITEMS:
	case OP_UNEVALUATED_PROPERTIES:
		c->schema->leftovers = true;
		return one(c, k->name, arg, &step->u.schema);
	case OP_CONTAINS:
		return compile_contains(c, arg, step);
	case OP_REF:
	case OP_DYNAMIC_REF:
	case OP_RECURSIVE_REF:
		return compile_ref(c, k, arg, step);
	case OP_ALL_OF:
	case OP_ANY_OF:
	case OP_ONE_OF:
		return list(c, k->name, arg, &step->u.schemas);
	case OP_IF:
		return maybe(c, "then", &step->u.cond.yes) != 0 || maybe(c, "else", &step->u.cond.no) != 0 ? -1 :
		    one(c, k->name, arg, &step->u.cond.schema);
	case OP_DEPENDENT:
	case OP_DEPENDENCIES:
		return compile_dependencies(c, k->name, arg, step);
	default:
		return compile_plain(c, k, arg, step);
	}
}

/* Whether the keyword makes a step of this schema. */
static const struct dom *
argument(const struct compile *c, const struct keyword *k)
{
	const struct dom	*src = c->schema->source, *arg;
	enum draft		 draft = c->schema->resource->draft;

	if (k->op == OP_NONE || !keyword_counts(k, draft) || (arg = dom_get(src, k->name)) == NULL || !is_first(c, k))
		return NULL;
	if (draft <= DRAFT_7 && k->op != OP_REF && dom_get(src, "$ref") != NULL)
		return NULL;		/* up to draft 7 nothing beside a reference counts */
	return arg;
}

static int
compile_steps(struct compile *c)
{
	struct schema		*s = c->schema;
	const struct dom	*arg;
	size_t			 n = 0;

	for (size_t i = 0; i < n_keywords; i++)
		n += argument(c, &keywords[i]) != NULL;
	if ((s->steps = arena_get(&c->set->arena, n * sizeof(*s->steps))) == NULL)
		return compile_oom(c);
	for (size_t i = 0; i < n_keywords; i++) {
		const struct keyword *k = &keywords[i];
		struct step *step = &s->steps[s->n_steps];

		if ((arg = argument(c, k)) == NULL)
			continue;
		step->op = k->op;
		if ((step->where = registry_where(c->set, s->where, slice_of(k->name))) == NULL)
			return compile_oom(c);
		if (compile_keyword(c, k, arg, step) != 0)
			return -1;
		if (step->op != OP_NONE)
			s->n_steps++;
	}
	return 0;
}

/* What a dynamic reference may lead to once something of this resource is on the way. */
static int
enter(struct compile *c, struct resource *r)
{
	if (r->entered)
		return 0;
	r->entered = true;
	if (r->recursive && (r->schema = want(c, r, r->root, r->where)) == NULL)
		return -1;
	for (struct anchor *a = r->anchors; a != NULL; a = a->next)
		if (a->dynamic && (a->schema = want(c, r, a->at, a->where)) == NULL)
			return -1;
	return 0;
}

static int
compile_schema(struct compile *c)
{
	const struct dom	*src = c->schema->source;

	if (enter(c, c->schema->resource) != 0)
		return -1;
	if (src->type == JV_OBJECT)
		return compile_steps(c);
	c->schema->never = src->type == JV_FALSE;
	if (src->type == JV_TRUE || src->type == JV_FALSE)
		return 0;
	return err_set(c->err, ERR_CONFIG, "%.400s: a schema must be an object, true or false", c->schema->where);
}

int
schema_set_compile(struct schema_set *set, const char *uri, const struct schema **schema_r, struct err *err)
{
	struct compile	 c = { .set = set, .err = err };
	struct place	 p;

	if (registry_find(set, NULL, slice_of(uri), &p, err) != 0)
		return -1;
	if ((*schema_r = want(&c, p.resource, p.at, p.where)) == NULL)
		return -1;
	while ((c.schema = set->todo) != NULL) {
		set->todo = c.schema->todo;
		if (compile_schema(&c) != 0)
			return -1;
	}
	return 0;
}
