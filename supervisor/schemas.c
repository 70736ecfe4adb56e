/* Workers ask for schemas, the registry answers; in between a worker may have died. */

#include <stdlib.h>

#include "supervisor/supervisor_private.h"

struct schema_request {
	struct supervisor	*sup;
	struct child		*child;
	char			*table, *version;
	struct schema_request	*next;
};

static void
request_free(struct schema_request *r)
{
	struct schema_request	**at = &r->sup->schema_requests;

	while (*at != NULL && *at != r)
		at = &(*at)->next;
	if (*at == r)
		*at = r->next;
	free(r->table);
	free(r->version);
	free(r);
}

static void
answered(void *arg, enum registry_result result, struct slice text)
{
	struct schema_request	*r = arg;
	unsigned		 status = result == REGISTRY_FOUND ? 0 : result == REGISTRY_UNKNOWN ? 1 : 2;

	child_schema(r->child, slice_of(r->table), slice_of(r->version), status, text);
	request_free(r);
}

void
schemas_want(struct supervisor *s, struct child *c, struct slice table, struct slice version)
{
	struct schema_request	*r = calloc(1, sizeof(*r));

	if (r == NULL || (r->table = slice_dup(table)) == NULL || (r->version = slice_dup(version)) == NULL) {
		if (r != NULL)
			free(r->table);
		free(r);
		child_schema(c, table, version, 2, SLICE("memory is short"));
		return;
	}
	r->sup = s;
	r->child = c;
	r->next = s->schema_requests;
	s->schema_requests = r;
	registry_get(s->registry, c, slice_of(r->table), slice_of(r->version), answered, r);
}

void
schemas_forget(struct supervisor *s, struct child *c)
{
	struct schema_request	*next;

	registry_forget(s->registry, c);
	for (struct schema_request *r = s->schema_requests; r != NULL; r = next) {
		next = r->next;
		if (r->child == c)
			request_free(r);
	}
}
