/* Which schema and which path an event's table has. */

#include <stdlib.h>
#include <strings.h>

#include "worker/rules/document.h"
#include "worker/rules/rules.h"
#include "worker/rules/schema.h"
#include "worker/rules/template.h"
#include "worker/rules/uri.h"

#define CONFIG	"config.json"

struct rule {
	struct slice		 table;
	const struct schema	*schema;
	const struct template	*path;		/* NULL: none */
};

struct rules {
	char			*text;
	struct arena		 arena;		/* the files as trees, and paths */
	struct schema_set	*set;
	struct rule		*v;
	size_t			 n;
	/* of one check */
	struct arena		 scratch;
	struct dom_maker	 maker;
};

const char *
rules_result_name(enum rules_result r)
{
	static const char *const names[RULES_RESULTS] = {
		[RULES_FIT] = "fits", [RULES_NONE] = "no rule for its table", [RULES_DIFFER] = "does not fit its schema",
		[RULES_FAILED] = "could not be checked", [RULES_NOMEM] = "memory is short",
	};

	return names[r];
}

void
rules_free(struct rules **rp)
{
	struct rules	*r = *rp;

	if (r == NULL)
		return;
	schema_set_free(&r->set);
	dom_maker_free(&r->maker);
	arena_free(&r->scratch);
	arena_free(&r->arena);
	free(r->v);
	free(r->text);
	free(r);
	*rp = NULL;
}

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the rules");
}

#define FOLDERS_MOST	2u		/* with and without links */

/* NULL: no memory. */
static const char *
address(struct rules *r, const char *start, struct slice folder, struct slice name)
{
	struct buf	 uri = { 0 };
	const char	*made;

	buf_adds(&uri, start);
	if (folder.n > 0) {
		buf_adds_slice(&uri, folder);
		buf_addc(&uri, '/');
	}
	buf_adds_slice(&uri, name);
	made = uri.oom ? NULL : arena_copy(&r->arena, buf_slice(&uri)).p;
	buf_free(&uri);
	return made;
}

/* The addresses of the contract; the first one makes relative references lead to files beside it. */
static int
add_file(struct rules *r, const struct dom *folders, const struct dom_member *file, struct err *err)
{
	const char	*uris[2 + FOLDERS_MOST], *name = arena_copy(&r->arena, file->key).p;
	size_t		 n = 0;

	uris[n++] = address(r, "file:///", SLICE(""), file->key);
	uris[n++] = address(r, "file://", SLICE(""), file->key);
	for (uint32_t i = 0; i < folders->n && i < FOLDERS_MOST; i++)
		uris[n++] = address(r, "file://", dom_text(&folders->u.items[i]), file->key);
	for (size_t i = 0; i < n; i++)
		if (name == NULL || uris[i] == NULL)
			return no_memory(err);
	return schema_set_add(r->set, name, &file->val, uris, n, err);
}

/* A member of a rule; the case of names does not count, as it did not for the former EDS. */
static const struct dom *
setting(const struct dom *rule, const char *name)
{
	const struct dom	*found = dom_get(rule, name);

	for (uint32_t i = 0; found == NULL && i < rule->n; i++) {
		const struct dom_member *m = &rule->u.members[i];

		if (m->key.n == strlen(name) && strncasecmp(m->key.p, name, m->key.n) == 0)
			found = &m->val;
	}
	return found;
}

static int
add_schema(struct rules *r, const struct dom *schema, struct rule *rule, struct err *err)
{
	struct slice	 fragment, name;
	struct buf	 uri = { 0 };
	int		 rc;

	if (schema == NULL || schema->type != JV_STRING || schema->n == 0)
		return err_set(err, ERR_CONFIG, "\"schema\" must name a file of the folder");
	name = uri_cut_fragment(dom_text(schema), &fragment);
	uri_resolve(&uri, SLICE("file:///" CONFIG), name);
	if (fragment.n > 0) {
		buf_addc(&uri, '#');
		buf_adds_slice(&uri, fragment);
	}
	rc = uri.oom ? no_memory(err) : schema_set_compile(r->set, buf_cstr(&uri), &rule->schema, err);
	buf_free(&uri);
	return rc != 0 ? err_prefix(err, "schema \"" SLICE_FMT "\"", schema->n > 200 ? 200 : (int)schema->n, schema->u.text) : 0;
}

static int
add_path(struct rules *r, const struct dom *path, const struct dom *plain, struct rule *rule, struct err *err)
{
	enum template_form	 form = plain != NULL && plain->type == JV_TRUE ? TEMPLATE_PLAIN : TEMPLATE_HTML;
	struct template		*t = NULL;

	if (plain != NULL && plain->type != JV_TRUE && plain->type != JV_FALSE)
		return err_set(err, ERR_CONFIG, "\"plain\" must be true or false");
	if (path == NULL || path->type == JV_NULL)
		return 0;
	if (path->type != JV_STRING)
		return err_set(err, ERR_CONFIG, "\"path\" must be a string");
	if (path->n > 0 && template_parse(&r->arena, dom_text(path), form, &t, err) != 0)
		return -1;
	rule->path = t;
	return 0;
}

static int
add_rules(struct rules *r, const struct dom *config, struct err *err)
{
	if (config->type != JV_OBJECT)
		return err_set(err, ERR_CONFIG, CONFIG ": must be an object with a rule for each table");
	if ((r->v = calloc(config->n + 1, sizeof(*r->v))) == NULL)
		return no_memory(err);
	for (uint32_t i = 0; i < config->n; i++) {
		const struct dom_member *m = &config->u.members[i];
		struct rule *rule = &r->v[r->n++];
		int rc = -1;

		rule->table = m->key;
		if (m->val.type != JV_OBJECT)
			(void)err_set(err, ERR_CONFIG, "must be {\"schema\": \"<file>\"}, and may have a \"path\"");
		else if (add_schema(r, setting(&m->val, "schema"), rule, err) == 0)
			rc = add_path(r, setting(&m->val, "path"), setting(&m->val, "plain"), rule, err);
		if (rc != 0)
			return err_prefix(err, CONFIG ": table \"" SLICE_FMT "\"", m->key.n > 100 ? 100 : (int)m->key.n, m->key.p);
	}
	return 0;
}

static int
make(struct rules *r, struct err *err)
{
	struct dom_maker	 maker = { .arena = &r->arena };
	struct json_val		 root;
	struct dom		 all;
	const struct dom	*files, *folders;
	int			 rc;

	if (json_scan(slice_of(r->text), false, &root, err) != 0)
		return -1;
	rc = dom_make(&maker, &root, &all);
	dom_maker_free(&maker);
	if (rc != 0 || (r->set = schema_set_new()) == NULL)
		return no_memory(err);
	files = dom_get(&all, "files");
	folders = dom_get(&all, "folders");
	if (files == NULL || files->type != JV_OBJECT || folders == NULL || folders->type != JV_ARRAY || dom_get(&all, "config") == NULL)
		return err_set(err, ERR_INVALID, "rules without folders, config or files");
	for (uint32_t i = 0; i < files->n; i++)
		if (add_file(r, folders, &files->u.members[i], err) != 0)
			return -1;
	return add_rules(r, dom_get(&all, "config"), err);
}

int
rules_new(struct rules **rules_r, struct slice text, struct err *err)
{
	struct rules	*r = calloc(1, sizeof(*r));

	if (r == NULL || (r->text = slice_dup(text)) == NULL) {
		free(r);
		return no_memory(err);
	}
	r->maker.arena = &r->scratch;
	if (make(r, err) != 0) {
		rules_free(&r);
		return -1;
	}
	*rules_r = r;
	return 0;
}

static const struct rule *
find_rule(const struct rules *r, struct slice table)
{
	for (size_t i = 0; i < r->n; i++)
		if (slice_eq(r->v[i].table, table))
			return &r->v[i];
	return NULL;
}

enum rules_result
rules_check(struct rules *r, const struct event *ev, struct buf *path, const char **why_r)
{
	const struct rule	*rule = find_rule(r, ev->table);
	struct dom		 doc;

	*why_r = "add one to " CONFIG " if they are wanted";
	if (rule == NULL)
		return RULES_NONE;
	arena_reset(&r->scratch);
	buf_reset(&r->maker.stack);
	*why_r = rules_result_name(RULES_NOMEM);
	if (document_make(&r->maker, ev, &doc) != 0)
		return RULES_NOMEM;
	switch (schema_check(r->set, rule->schema, &doc, why_r)) {
	case SCHEMA_FITS:
		break;
	case SCHEMA_DIFFERS:
		return RULES_DIFFER;
	case SCHEMA_FAILED:
		return RULES_FAILED;
	case SCHEMA_NOMEM:
		return RULES_NOMEM;
	}
	if (rule->path == NULL || template_render(rule->path, &doc, path, why_r))
		return RULES_FIT;
	return *why_r != NULL ? RULES_FAILED : RULES_NOMEM;
}
