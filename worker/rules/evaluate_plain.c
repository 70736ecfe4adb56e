/* Steps that look at the value alone. */

#include <stdlib.h>

#include "worker/rules/evaluate_private.h"

#define FEW	16u		/* items that are held against each other one by one */

static bool
has_type(const struct dom *d, unsigned types)
{
	struct number	 x;

	if ((types >> d->type & 1) != 0)
		return true;
	if (d->type != JV_NUMBER || (types & TYPE_INTEGER) == 0)
		return false;
	number_read(&x, dom_text(d));
	return number_is_integer(&x);
}

static bool
is_among(const struct dom *d, const struct dom *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (dom_equal(d, &list->u.items[i]))
			return true;
	return false;
}

/* In code points. */
static uint64_t
length_of(struct slice s)
{
	uint64_t	 n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static bool
number_fits(const struct step *step, const struct dom *d)
{
	struct number	 x;
	int		 cmp;

	number_read(&x, dom_text(d));
	if (step->op == OP_MULTIPLE_OF)
		return number_is_multiple(&x, &step->u.number);
	cmp = number_cmp(&x, &step->u.number);
	switch (step->op) {
	case OP_MINIMUM:
		return cmp >= 0;
	case OP_MAXIMUM:
		return cmp <= 0;
	case OP_ABOVE:
		return cmp > 0;
	default:
		return cmp < 0;
	}
}

static bool
has_all(const struct dom *d, const struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (dom_find(d, names->v[i].key, names->v[i].hash) == NULL)
			return false;
	return true;
}

struct hashed {
	uint64_t		 hash;
	const struct dom	*item;
};

static int
by_hash(const void *a, const void *b)
{
	const struct hashed	*x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static bool
few_are_unique(const struct dom *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (dom_equal(&d->u.items[i], &d->u.items[j]))
				return false;
	return true;
}

static bool
are_unique(struct run *r, const struct dom *d, const char *where)
{
	struct hashed	*v;

	if (d->n <= FEW)
		return few_are_unique(d);
	if (!run_spend(r, d->n / 4, where))
		return false;
	if ((v = arena_get(&r->set->scratch, d->n * sizeof(*v))) == NULL)
		return run_no_memory(r);
	for (uint32_t i = 0; i < d->n; i++)
		v[i] = (struct hashed){ dom_value_hash(&d->u.items[i]), &d->u.items[i] };
	qsort(v, d->n, sizeof(*v), by_hash);
	for (uint32_t i = 1; i < d->n; i++)
		for (uint32_t j = i; j > 0 && v[j - 1].hash == v[i].hash; j--) {
			if (dom_equal(v[j - 1].item, v[i].item))
				return false;
			if (!run_spend(r, 1, where))
				return false;
		}
	return true;
}

bool
evaluate_pattern(struct run *r, const struct pattern *p, struct slice text, const char *where)
{
	if (!run_spend(r, text.n / 1024, where))
		return false;
	switch (pattern_find(p, text)) {
	case PATTERN_FOUND:
		return true;
	case PATTERN_NOT:
		return false;
	case PATTERN_GIVEN_UP:
		break;
	}
	return run_trouble(r, "a pattern takes too long", where);
}

static bool
text_fits(struct run *r, const struct step *step, struct slice text)
{
	switch (step->op) {
	case OP_MIN_LENGTH:
		return length_of(text) >= step->u.count;
	case OP_MAX_LENGTH:
		return length_of(text) <= step->u.count;
	case OP_FORMAT:
		return step->u.format(text);
	default:
		return evaluate_pattern(r, step->u.pattern, text, step->where);
	}
}

static bool
fits(struct run *r, const struct step *step, const struct dom *d)
{
	switch (step->op) {
	case OP_TYPE:
		return has_type(d, step->u.types);
	case OP_CONST:
		return dom_equal(d, step->u.value);
	case OP_ENUM:
		return is_among(d, step->u.value);
	case OP_MIN_LENGTH:
	case OP_MAX_LENGTH:
	case OP_FORMAT:
	case OP_PATTERN:
		return d->type != JV_STRING || text_fits(r, step, dom_text(d));
	case OP_MINIMUM:
	case OP_MAXIMUM:
	case OP_ABOVE:
	case OP_BELOW:
	case OP_MULTIPLE_OF:
		return d->type != JV_NUMBER || number_fits(step, d);
	case OP_MIN_ITEMS:
		return d->type != JV_ARRAY || d->n >= step->u.count;
	case OP_MAX_ITEMS:
		return d->type != JV_ARRAY || d->n <= step->u.count;
	case OP_MIN_PROPERTIES:
		return d->type != JV_OBJECT || d->n >= step->u.count;
	case OP_MAX_PROPERTIES:
		return d->type != JV_OBJECT || d->n <= step->u.count;
	case OP_REQUIRED:
		return d->type != JV_OBJECT || has_all(d, &step->u.names);
	case OP_UNIQUE:
		return d->type != JV_ARRAY || are_unique(r, d, step->where);
	default:
		bug("rules: step %d is none of these", (int)step->op);
	}
}

bool
evaluate_plain(struct run *r, const struct step *step, const struct dom *d)
{
	return fits(r, step, d) || run_fail(r, step->where);
}
