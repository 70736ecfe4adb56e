/* A value held against a schema. */

#include "worker/rules/evaluate_private.h"

bool
run_fail(struct run *r, const char *where)
{
	r->where = where;
	return false;
}

bool
run_trouble(struct run *r, const char *what, const char *where)
{
	if (r->trouble == NULL) {
		r->trouble = what;
		r->trouble_at = where;
	}
	return false;
}

bool
run_no_memory(struct run *r)
{
	r->no_memory = true;
	return run_trouble(r, "memory is short", NULL);
}

bool
run_spend(struct run *r, size_t steps, const char *where)
{
	if (r->trouble != NULL)
		return false;
	if (steps > SCHEMA_STEPS - r->steps)
		return run_trouble(r, "it takes too many steps", where);
	r->steps += (uint32_t)steps;
	return true;
}

bool
marks_new(struct run *r, const struct dom *d, struct marks *m)
{
	size_t	 words = (d->type == JV_OBJECT || d->type == JV_ARRAY ? d->n : 0) / 64 + 1;

	*m = (struct marks){ .n = (uint32_t)words };
	if (!run_spend(r, words / 8, NULL))
		return false;
	if ((m->bits = arena_get(&r->set->scratch, words * sizeof(*m->bits))) == NULL)
		return run_no_memory(r);
	(void)memset(m->bits, 0, words * sizeof(*m->bits));
	return true;
}

void
marks_add(struct marks *to, const struct marks *from)
{
	for (uint32_t i = 0; to != NULL && i < from->n; i++)
		to->bits[i] |= from->bits[i];
}

/* Marks are those of a value that fitted: what does not fit leaves none. */
static bool
try(struct run *r, const struct schema *s, const struct dom *d, struct marks *seen)
{
	struct marks	 own;

	if (seen == NULL)
		return evaluate(r, s, d, NULL);
	if (!marks_new(r, d, &own) || !evaluate(r, s, d, &own))
		return false;
	marks_add(seen, &own);
	return true;
}

static bool
all_of(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	for (size_t i = 0; i < step->u.schemas.n; i++)
		if (!evaluate(r, step->u.schemas.v[i], d, seen))
			return false;
	return true;
}

static bool
any_of(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	bool	 any = false;

	for (size_t i = 0; i < step->u.schemas.n && (!any || seen != NULL); i++)
		any |= try(r, step->u.schemas.v[i], d, seen);
	return any || run_fail(r, step->where);
}

static bool
one_of(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	size_t	 n = 0;

	for (size_t i = 0; i < step->u.schemas.n && n < 2; i++)
		n += try(r, step->u.schemas.v[i], d, seen);
	return n == 1 || run_fail(r, step->where);
}

static bool
conditional(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	const struct schema	*then = try(r, step->u.cond.schema, d, seen) ? step->u.cond.yes : step->u.cond.no;

	return then == NULL || evaluate(r, then, d, seen);
}

static bool
dependencies(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	for (size_t i = 0; d->type == JV_OBJECT && i < step->u.dependencies.n; i++) {
		const struct dependency *dep = &step->u.dependencies.v[i];

		if (dom_find(d, dep->name, dep->hash) == NULL)
			continue;
		for (size_t j = 0; j < dep->required.n; j++)
			if (dom_find(d, dep->required.v[j].key, dep->required.v[j].hash) == NULL)
				return run_fail(r, step->where);
		if (dep->schema != NULL && !evaluate(r, dep->schema, d, seen))
			return false;
	}
	return true;
}

/* A dynamic reference leads to the outermost resource on the way that has the anchor, too. */
static const struct schema *
target(const struct run *r, const struct step *step)
{
	const struct schema	*found = step->u.ref.schema;

	if (!step->u.ref.dynamic)
		return found;
	for (const struct scope *s = r->scope; s != NULL; s = s->outer) {
		if (step->op == OP_RECURSIVE_REF && s->resource->recursive)
			found = s->resource->schema;
		for (const struct anchor *a = s->resource->anchors; step->op == OP_DYNAMIC_REF && a != NULL; a = a->next)
			if (a->dynamic && slice_eq(a->name, step->u.ref.name))
				found = a->schema;
	}
	return found;
}

static bool
take_step(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	switch (step->op) {
	case OP_MEMBERS:
		return d->type != JV_OBJECT || evaluate_members(r, step, d, seen);
	case OP_NAMES:
		return d->type != JV_OBJECT || evaluate_names(r, step, d);
	case OP_ITEMS:
		return d->type != JV_ARRAY || evaluate_items(r, step, d, seen);
	case OP_CONTAINS:
		return d->type != JV_ARRAY || evaluate_contains(r, step, d, seen);
	case OP_UNEVALUATED_ITEMS:
		return d->type != JV_ARRAY || evaluate_leftovers(r, step, d, seen);
	case OP_UNEVALUATED_PROPERTIES:
		return d->type != JV_OBJECT || evaluate_leftovers(r, step, d, seen);
	case OP_REF:
	case OP_DYNAMIC_REF:
	case OP_RECURSIVE_REF:
		return evaluate(r, target(r, step), d, seen);
	case OP_ALL_OF:
		return all_of(r, step, d, seen);
	case OP_ANY_OF:
		return any_of(r, step, d, seen);
	case OP_ONE_OF:
		return one_of(r, step, d, seen);
	case OP_NOT:
		return !evaluate(r, step->u.schema, d, NULL) || run_fail(r, step->where);
	case OP_IF:
		return conditional(r, step, d, seen);
	case OP_DEPENDENCIES:
		return dependencies(r, step, d, seen);
	default:
		return evaluate_plain(r, step, d);
	}
}

static bool
take_steps(struct run *r, const struct schema *s, const struct dom *d, struct marks *seen)
{
	struct marks	 own;

	if (s->leftovers && !marks_new(r, d, &own))
		return false;
	for (size_t i = 0; i < s->n_steps; i++)
		if (!take_step(r, &s->steps[i], d, s->leftovers ? &own : seen))
			return false;
	if (s->leftovers)
		marks_add(seen, &own);
	return true;
}

bool
evaluate(struct run *r, const struct schema *s, const struct dom *d, struct marks *seen)
{
	struct scope	 scope = { .resource = s->resource, .outer = r->scope };
	bool		 changes = r->scope == NULL || r->scope->resource != s->resource, fits;

	if (s->never)
		return run_fail(r, s->where);
	if (!run_spend(r, 1, s->where))
		return false;
	if (r->depth == SCHEMA_DEPTH)
		return run_trouble(r, "it goes too deep, or refers to itself without end", s->where);
	r->depth++;
	if (changes)
		r->scope = &scope;
	fits = take_steps(r, s, d, seen);
	if (changes)
		r->scope = scope.outer;
	r->depth--;
	return fits;
}

enum schema_result
schema_check(struct schema_set *set, const struct schema *s, const struct dom *d, const char **where_r)
{
	struct run	 r = { .set = set };
	bool		 fits;

	arena_reset(&set->scratch);
	fits = evaluate(&r, s, d, NULL);
	*where_r = r.where;
	if (r.trouble == NULL)
		return fits ? SCHEMA_FITS : SCHEMA_DIFFERS;
	buf_reset(&set->text);
	buf_printf(&set->text, "%s%s%s", r.trouble, r.trouble_at == NULL ? "" : ", at ", r.trouble_at == NULL ? "" : r.trouble_at);
	*where_r = set->text.oom ? r.trouble : buf_cstr(&set->text);
	return r.no_memory ? SCHEMA_NOMEM : SCHEMA_FAILED;
}
