/*
 * JSON Schema by hand: a line of JSON on standard input is
 *	{"files": {"<name>": <schema>, ...}, "schema": <schema>, "values": [<value>, ...]}
 * and a line comes back: "error <what>", or a letter for each value: + fits, - differs, ? could not be told.
 */

#include <stdio.h>
#include <stdlib.h>

#include "worker/rules/schema.h"

static int
add_all(struct schema_set *set, const struct dom *files, struct err *err)
{
	for (uint32_t i = 0; files != NULL && i < files->n; i++) {
		const struct dom_member *m = &files->u.members[i];
		char *name = slice_dup(m->key);
		const char *uris[] = { name };
		int rc = name == NULL ? err_set(err, ERR_NOMEM, "no memory") : schema_set_add(set, name, &m->val, uris, 1, err);

		free(name);
		if (rc != 0)
			return -1;
	}
	return 0;
}

static void
answer(const struct dom *request)
{
	static const char	 letters[] = { [SCHEMA_FITS] = '+', [SCHEMA_DIFFERS] = '-', [SCHEMA_FAILED] = '?', [SCHEMA_NOMEM] = '!' };
	const char		*uris[] = { "file:///schema.json" }, *where;
	const struct dom	*values = dom_get(request, "values");
	struct schema_set	*set = schema_set_new();
	const struct schema	*s = NULL;
	struct err		 err;

	if (set == NULL || add_all(set, dom_get(request, "files"), &err) != 0 ||
	    schema_set_add(set, "schema.json", dom_get(request, "schema"), uris, 1, &err) != 0 ||
	    schema_set_compile(set, uris[0], &s, &err) != 0)
		(void)printf("error %s", err.text);
	for (uint32_t i = 0; s != NULL && i < values->n; i++)
		(void)putchar(letters[schema_check(set, s, &values->u.items[i], &where)]);
	(void)putchar('\n');
	(void)fflush(stdout);
	schema_set_free(&set);
}

int
main(void)
{
	struct arena		 arena = { 0 };
	struct dom_maker	 maker = { .arena = &arena };
	struct json_val		 root;
	struct dom		 request;
	struct err		 err;
	char			*line = NULL;
	size_t			 cap = 0;
	ssize_t			 n;

	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (json_scan((struct slice){ line, (size_t)n }, false, &root, &err) != 0 || dom_make(&maker, &root, &request) != 0)
			return 1;
		answer(&request);
		arena_reset(&arena);
	}
	dom_maker_free(&maker);
	arena_free(&arena);
	free(line);
	return 0;
}
