/* The arguments of keywords that hold no schemas. */

#include <stdlib.h>

#include "worker/rules/schema_private.h"

int
compile_error(struct compile *c, const char *keyword, const char *expected)
{
	return err_set(c->err, ERR_CONFIG, "%.400s/%s: must be %s", c->schema->where, keyword, expected);
}

int
compile_oom(struct compile *c)
{
	return err_set(c->err, ERR_NOMEM, "no memory for the schemas");
}

int
compile_count(struct compile *c, const char *keyword, const struct dom *d, uint64_t *out_r)
{
	struct number	 x;

	if (d->type == JV_NUMBER) {
		number_read(&x, dom_text(d));
		if (number_u64(&x, out_r))
			return 0;
		if (!x.negative && number_is_integer(&x)) {
			*out_r = UINT64_MAX;
			return 0;
		}
	}
	return compile_error(c, keyword, "an integer that is not negative");
}

int
compile_names(struct compile *c, const char *keyword, const struct dom *d, struct names *out_r)
{
	if (d->type != JV_ARRAY)
		return compile_error(c, keyword, "a list of names");
	*out_r = (struct names){ .v = arena_get(&c->set->arena, d->n * sizeof(*out_r->v)), .n = d->n };
	if (out_r->v == NULL)
		return compile_oom(c);
	for (uint32_t i = 0; i < d->n; i++) {
		if (d->u.items[i].type != JV_STRING)
			return compile_error(c, keyword, "a list of names");
		out_r->v[i] = (struct dom_member){ .key = dom_text(&d->u.items[i]), .hash = dom_hash(dom_text(&d->u.items[i])) };
	}
	return 0;
}

static bool
add_type(const struct dom *d, unsigned *types)
{
	static const struct {
		const char	*name;
		unsigned	 bits;
	} known[] = {
		{ "null", 1u << JV_NULL }, { "boolean", 1u << JV_FALSE | 1u << JV_TRUE }, { "object", 1u << JV_OBJECT },
		{ "array", 1u << JV_ARRAY }, { "string", 1u << JV_STRING }, { "number", 1u << JV_NUMBER },
		{ "integer", TYPE_INTEGER },
	};

	for (size_t i = 0; d->type == JV_STRING && i < NELEM(known); i++)
		if (slice_is(dom_text(d), known[i].name)) {
			*types |= known[i].bits;
			return true;
		}
	return false;
}

static int
compile_type(struct compile *c, const struct dom *arg, struct step *step)
{
	static const char expected[] = "null, boolean, object, array, string, number, integer, or a list of these";

	step->u.types = 0;
	if (arg->type != JV_ARRAY)
		return add_type(arg, &step->u.types) ? 0 : compile_error(c, "type", expected);
	for (uint32_t i = 0; i < arg->n; i++)
		if (!add_type(&arg->u.items[i], &step->u.types))
			return compile_error(c, "type", expected);
	return 0;
}

/* minimum and maximum: up to draft 4 a boolean beside them says whether they are outside. */
static void
take_exclusive(const struct compile *c, struct step *step, const char *flag, enum op outside)
{
	const struct dom	*d = dom_get(c->schema->source, flag);

	if (c->schema->resource->draft == DRAFT_4 && d != NULL && d->type == JV_TRUE)
		step->op = outside;
}

static int
compile_number(struct compile *c, const struct keyword *k, const struct dom *arg, struct step *step)
{
	if (arg->type != JV_NUMBER)
		return compile_error(c, k->name, "a number");
	number_read(&step->u.number, dom_text(arg));
	if (k->op == OP_MINIMUM)
		take_exclusive(c, step, "exclusiveMinimum", OP_ABOVE);
	else if (k->op == OP_MAXIMUM)
		take_exclusive(c, step, "exclusiveMaximum", OP_BELOW);
	else if (k->op == OP_MULTIPLE_OF && (step->u.number.negative || step->u.number.n == 0))
		return compile_error(c, k->name, "a number above 0");
	else if (k->op == OP_MULTIPLE_OF && step->u.number.n > NUMBER_DIVISOR_DIGITS)
		return compile_error(c, k->name, "a number of 18 digits at most");
	return 0;
}

static int
compile_dependent_required(struct compile *c, const struct dom *arg, struct step *step)
{
	struct dependency	*v = arena_get(&c->set->arena, (arg->type == JV_OBJECT ? arg->n : 0) * sizeof(*v));

	if (arg->type != JV_OBJECT)
		return compile_error(c, "dependentRequired", "an object");
	if (v == NULL)
		return compile_oom(c);
	for (uint32_t i = 0; i < arg->n; i++) {
		v[i] = (struct dependency){ .name = arg->u.members[i].key, .hash = arg->u.members[i].hash };
		if (compile_names(c, "dependentRequired", &arg->u.members[i].val, &v[i].required) != 0)
			return -1;
	}
	step->op = OP_DEPENDENCIES;
	step->u.dependencies.v = v;
	step->u.dependencies.n = arg->n;
	return 0;
}

struct pattern *
compile_pattern(struct compile *c, const char *keyword, struct slice text)
{
	struct schema_set	*set = c->set;
	struct pattern		**v = reallocarray(set->patterns, set->n_patterns + 1, sizeof(struct pattern *)), *p;

	if (v == NULL) {
		(void)compile_oom(c);
		return NULL;
	}
	set->patterns = v;
	if ((p = pattern_new(text, c->err)) == NULL) {
		(void)err_prefix(c->err, "%.400s/%s: bad pattern", c->schema->where, keyword);
		return NULL;
	}
	v[set->n_patterns++] = p;
	return p;
}

static int
compile_text(struct compile *c, const struct keyword *k, const struct dom *arg, struct step *step)
{
	if (arg->type != JV_STRING)
		return compile_error(c, k->name, "a string");
	if (k->op == OP_PATTERN)
		return (step->u.pattern = compile_pattern(c, k->name, dom_text(arg))) == NULL ? -1 : 0;
	if ((step->u.format = format_find(dom_text(arg))) == NULL)
		step->op = OP_NONE;		/* one that nobody knows says nothing */
	return 0;
}

int
compile_plain(struct compile *c, const struct keyword *k, const struct dom *arg, struct step *step)
{
	switch (k->op) {
	case OP_TYPE:
		return compile_type(c, arg, step);
	case OP_CONST:
		step->u.value = arg;
		return 0;
	case OP_ENUM:
		step->u.value = arg;
		return arg->type == JV_ARRAY ? 0 : compile_error(c, k->name, "a list of values");
	case OP_MINIMUM:
	case OP_MAXIMUM:
	case OP_ABOVE:
	case OP_BELOW:
	case OP_MULTIPLE_OF:
		return compile_number(c, k, arg, step);
	case OP_REQUIRED:
		return compile_names(c, k->name, arg, &step->u.names);
	case OP_DEPENDENT_REQUIRED:
		return compile_dependent_required(c, arg, step);
	case OP_FORMAT:
	case OP_PATTERN:
		return compile_text(c, k, arg, step);
	case OP_UNIQUE:
		if (arg->type == JV_FALSE)
			step->op = OP_NONE;
		return arg->type == JV_FALSE || arg->type == JV_TRUE ? 0 : compile_error(c, k->name, "true or false");
	default:
		return compile_count(c, k->name, arg, &step->u.count);
	}
}
