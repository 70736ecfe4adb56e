/*
 * Three lines: a schema, a value, a path.
 *
 * Whatever a schema is made of, it is refused with a place or says the same of a value each time.  A path, if it is taken, leads
 * to nothing but whole elements below its own place.
 */

#include "worker/rules/schema.h"
#include "worker/rules/template.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct world {
	struct arena		 arena;
	struct dom_maker	 maker;
	struct schema_set	*set;
};

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static bool
read_value(struct world *w, struct slice text, struct dom *d)
{
	struct json_val	 root;

	if (json_scan(text.p == NULL ? SLICE("") : text, false, &root, NULL) != 0)
		return false;
	must(dom_make(&w->maker, &root, d) == 0, "memory");
	must(dom_equal(d, d), "a value that is not equal to itself");
	return true;
}

static void
try_schema(struct world *w, const struct dom *schema, const struct dom *value)
{
	const char		*uri = "file:///s.json", *where;
	const struct schema	*s = NULL;
	struct err		 err = { 0 };
	enum schema_result	 first;

	if (schema_set_add(w->set, "s.json", schema, &uri, 1, &err) != 0 || schema_set_compile(w->set, uri, &s, &err) != 0) {
		must(err.code == ERR_CONFIG && err.text[0] != '\0', "refused without saying why");
		return;
	}
	first = schema_check(w->set, s, value, &where);
	must(first == SCHEMA_FITS || where != NULL, "no reason");
	must(schema_check(w->set, s, value, &where) == first, "another answer the second time");
}

static void
look_at_path(struct slice path)
{
	struct slice	 element;

	if (path.n == 0)
		return;
	while (slice_cut(&path, '/', &element))
		must(element.n > 0 && !slice_is(element, ".") && !slice_is(element, ".."), "a path that leaves its place");
}

static void
try_path(struct world *w, struct slice text, enum template_form form, const struct dom *value)
{
	struct template	*t;
	struct buf	 b = { 0 };
	struct err	 err = { 0 };
	const char	*why;

	if (template_parse(&w->arena, text, form, &t, &err) != 0)
		must(err.code == ERR_CONFIG, "a path that is refused without saying why");
	else if (template_render(t, value, &b, &why))
		look_at_path(buf_slice(&b));
	else
		must(why != NULL && why[0] != '\0', "a path that fails without saying why");
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world	 w = { .set = schema_set_new() };
	struct slice	 rest = { len == 0 ? "" : (const char *)data, len }, schema = { 0 }, value = { 0 };
	struct dom	 s, v;

	w.maker.arena = &w.arena;
	(void)slice_cut(&rest, '\n', &schema);
	(void)slice_cut(&rest, '\n', &value);
	if (read_value(&w, value, &v)) {
		if (read_value(&w, schema, &s))
			try_schema(&w, &s, &v);
		for (enum template_form form = TEMPLATE_HTML; rest.p != NULL && form <= TEMPLATE_PLAIN; form++)
			try_path(&w, rest, form, &v);
	}
	schema_set_free(&w.set);
	dom_maker_free(&w.maker);
	arena_free(&w.arena);
	return 0;
}
