/* Steps about the members of an object and the items of a list. */

#include "worker/rules/evaluate_private.h"

/* The schema of a member by its name; NULL: `properties` does not have it. */
static const struct schema *
named(const struct members *m, const struct dom_member *member)
{
	const struct dom	*at = m->properties.n == 0 ? NULL : dom_find(&m->properties, member->key, member->hash);

	if (at == NULL)
		return NULL;
	return m->schemas.v[dom_place(&m->properties, at)];
}

/* Nothing but `properties`, and fewer of them than the value has members: those are looked for. */
static bool
few_members(struct run *r, const struct members *m, const struct dom *d, struct marks *seen)
{
	for (uint32_t i = 0; i < m->properties.n; i++) {
		const struct dom_member *want = &m->properties.u.members[i];
		const struct dom *val = dom_find(d, want->key, want->hash);

		if (val == NULL)
			continue;
		if (!evaluate(r, m->schemas.v[i], val, NULL))
			return false;
		marks_set(seen, dom_place(d, val));
	}
	return true;
}

bool
evaluate_members(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	const struct members	*m = step->u.members;

	if (m->of_patterns.n == 0 && m->rest == NULL && m->properties.n < d->n)
		return few_members(r, m, d, seen);
	for (uint32_t i = 0; i < d->n; i++) {
		const struct dom_member *member = &d->u.members[i];
		const struct schema *s = named(m, member);
		bool known = s != NULL;

		if (s != NULL && !evaluate(r, s, &member->val, NULL))
			return false;
		for (size_t j = 0; j < m->of_patterns.n; j++) {
			if (!evaluate_pattern(r, m->patterns[j], member->key, step->where))
				continue;
			known = true;
			if (!evaluate(r, m->of_patterns.v[j], &member->val, NULL))
				return false;
		}
		if (!known && m->rest == NULL)
			continue;
		if (!known && !evaluate(r, m->rest, &member->val, NULL))
			return false;
		marks_set(seen, i);
	}
	return true;
}

bool
evaluate_names(struct run *r, const struct step *step, const struct dom *d)
{
	for (uint32_t i = 0; i < d->n; i++) {
		const struct dom name = dom_of_text(d->u.members[i].key);

		if (!evaluate(r, step->u.schema, &name, NULL))
			return false;
	}
	return true;
}

bool
evaluate_items(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	for (uint32_t i = 0; i < d->n; i++) {
		const struct schema *s = i < step->u.items.prefix.n ? step->u.items.prefix.v[i] : step->u.items.rest;

		if (s == NULL)
			break;
		if (!evaluate(r, s, &d->u.items[i], NULL))
			return false;
		marks_set(seen, i);
	}
	return true;
}

bool
evaluate_contains(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	uint64_t	 n = 0;

	for (uint32_t i = 0; i < d->n; i++) {
		if (!evaluate(r, step->u.contains.schema, &d->u.items[i], NULL))
			continue;
		n++;
		if (step->u.contains.marks)
			marks_set(seen, i);
	}
	return (n >= step->u.contains.least && n <= step->u.contains.most) || run_fail(r, step->where);
}

/* What no other step of this schema has looked at. */
bool
evaluate_leftovers(struct run *r, const struct step *step, const struct dom *d, struct marks *seen)
{
	for (uint32_t i = 0; i < d->n; i++) {
		if ((seen->bits[i / 64] >> i % 64 & 1) != 0)
			continue;
		if (!evaluate(r, step->u.schema, d->type == JV_ARRAY ? &d->u.items[i] : &d->u.members[i].val, NULL))
			return false;
		marks_set(seen, i);
	}
	return true;
}
