#ifndef EDS_RULES_SCHEMA_H
#define EDS_RULES_SCHEMA_H

#include "ipc/base/err.h"
#include "worker/rules/dom.h"

/*
 * JSON Schema: drafts 2020-12, 2019-09, 7, 6 and 4, as `$schema` says, 2020-12 without one.  A set
 * holds documents; schemas in them are compiled once, with whatever they refer to, and then held against
 * any number of values.  Nothing is ever fetched: a reference to what is not in the set is an error.
 * `format` counts up to draft 7, as contract/drivers.md section 12 has it.
 */
struct schema_set;
struct schema;

struct schema_set *schema_set_new(void) MUST_CHECK;	/* NULL: memory is short */
void	 schema_set_free(struct schema_set **);

/*
 * A document, known by its `$id` and by these URIs, of which the first is its base; `name` is for messages.  The tree
 * and all texts must last as long as the set.  ERR_CONFIG: `$schema` is unknown, or an `$id` is no URI.
 */
int	 schema_set_add(struct schema_set *, const char *name, const struct dom *, const char *const *uris, size_t n_uris,
	    struct err *) MUST_CHECK;

/* The schema at that URI; once all documents are there.  ERR_CONFIG: what is wrong, in which document and where. */
int	 schema_set_compile(struct schema_set *, const char *uri, const struct schema **schema_r, struct err *) MUST_CHECK;

enum schema_result {
	SCHEMA_FITS,
	SCHEMA_DIFFERS,
	SCHEMA_FAILED,			/* it could not be told: too much work */
	SCHEMA_NOMEM,			/* no fault of the value's: the next try may tell */
};

/*
 * SCHEMA_DIFFERS: `where_r` is the keyword that was not met, as "<document>#<pointer>"; SCHEMA_FAILED: `where_r` is
 * why.  Nothing of the value stands in it.  The text lives as long as the set.
 */
enum schema_result schema_check(struct schema_set *, const struct schema *, const struct dom *, const char **where_r);

/* Most steps of one check, a step being a schema that is held against a value, and deepest nesting of them. */
#define SCHEMA_STEPS	2000000u
#define SCHEMA_DEPTH	4000u

#endif
