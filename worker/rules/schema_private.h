#ifndef EDS_RULES_SCHEMA_PRIVATE_H
#define EDS_RULES_SCHEMA_PRIVATE_H

#include "worker/rules/format.h"
#include "worker/rules/number.h"
#include "worker/rules/pattern.h"
#include "worker/rules/schema.h"

enum draft { DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020 };

enum holds { NOTHING, SCHEMA, LIST, MAP, EITHER, DEPENDENCIES };

enum op {
	OP_NONE, OP_TYPE, OP_CONST, OP_ENUM, OP_MIN_LENGTH, OP_MAX_LENGTH, OP_MINIMUM, OP_MAXIMUM, OP_ABOVE, OP_BELOW, OP_MULTIPLE_OF,
	OP_MIN_ITEMS, OP_MAX_ITEMS, OP_MIN_PROPERTIES, OP_MAX_PROPERTIES, OP_REQUIRED, OP_DEPENDENT_REQUIRED, OP_FORMAT, OP_PATTERN,
	OP_MEMBERS, OP_NAMES, OP_ITEMS, OP_UNIQUE, OP_CONTAINS, OP_REF, OP_DYNAMIC_REF, OP_RECURSIVE_REF, OP_ALL_OF, OP_ANY_OF,
	OP_ONE_OF, OP_NOT, OP_IF, OP_DEPENDENT, OP_DEPENDENCIES, OP_UNEVALUATED_ITEMS, OP_UNEVALUATED_PROPERTIES,
};

struct keyword {
	const char	*name;
	unsigned	 drafts;		/* bit per enum draft */
	enum holds	 holds;
	enum op		 op;
};
extern const struct keyword keywords[];
extern const size_t n_keywords;

static inline bool
keyword_counts(const struct keyword *k, enum draft d)
{
	return (k->drafts >> d & 1) != 0;
}

/* --- documents: registry.c --- */

struct document {
	const struct dom *root;
};

struct anchor {
	struct slice	 name;
	const struct dom *at;
	const char	*where;
	bool		 dynamic;
	struct schema	*schema;		/* once compiled */
	struct anchor	*next;
};

/* A schema with a URI of its own, and what of the document below it has none. */
struct resource {
	const char	**uris;			/* the first is the base of what is inside */
	size_t		 n_uris;
	const struct document *document;
	const struct dom *root;
	const char	*where;			/* "<document>#<pointer>" */
	enum draft	 draft;
	bool		 recursive;		/* $recursiveAnchor */
	bool		 entered;		/* something of it was compiled */
	struct schema	*schema;		/* of the root, once compiled */
	struct anchor	*anchors;
	struct resource	*next;
};

/* A place that a reference leads to. */
struct place {
	struct resource	*resource;
	const struct dom *at;
	const char	*where;
};

/* ERR_CONFIG, without saying where the reference stands. */
int	 registry_find(struct schema_set *, const struct resource *from, struct slice ref, struct place *out_r, struct err *)
    MUST_CHECK;
struct resource *registry_of_root(const struct schema_set *, const struct dom *);	/* NULL: it has no URI of its own */
const char *registry_where(struct schema_set *, const char *where, struct slice token);	/* one step further; NULL: no memory */

/* --- compiled: compile.c --- */

struct names {
	struct dom_member	*v;		/* key and hash */
	size_t			 n;
};

struct schemas {
	struct schema	**v;
	size_t		 n;
};

struct members {
	struct dom	 properties;		/* an object whose members stand for those of `schemas` */
	struct schemas	 schemas;
	struct pattern	**patterns;
	struct schemas	 of_patterns;
	struct schema	*rest;
};

struct dependency {
	struct slice	 name;
	uint32_t	 hash;
	struct names	 required;
	struct schema	*schema;		/* or NULL */
};

struct step {
	enum op		 op;
	const char	*where;			/* of the keyword */
	union {
		unsigned		 types;		/* bit per enum json_type; TYPE_INTEGER */
		const struct dom	*value;
		struct number		 number;
		uint64_t		 count;
		struct pattern		*pattern;
		format_fn		 format;
		struct names		 names;
		struct schema		*schema;
		struct schemas		 schemas;
		struct members		*members;
		struct { struct schemas prefix; struct schema *rest; } items;
		struct { struct schema *schema; uint64_t least, most; bool marks; } contains;
		struct { struct schema *schema, *yes, *no; } cond;	/* yes and no may be NULL */
		struct { struct schema *schema; struct slice name; bool dynamic; } ref;
		struct { struct dependency *v; size_t n; } dependencies;
	} u;
};

#define TYPE_INTEGER	(1u << 16)

struct schema {
	struct resource	*resource;
	const struct dom *source;
	const char	*where;
	bool		 never;			/* false as a schema */
	bool		 leftovers;		/* has unevaluatedItems or unevaluatedProperties */
	struct step	*steps;
	size_t		 n_steps;
	struct schema	*todo;			/* the next that waits to be compiled */
};

struct compiled {				/* hash table from source to schema */
	struct schema	**v;
	size_t		 n, cap;
};

struct schema_set {
	struct arena	 arena;			/* everything of the set ... */
	struct arena	 scratch;		/* ... and of one check */
	struct buf	 text;			/* URIs in the making */
	struct resource	*resources;
	struct compiled	 compiled;
	struct schema	*todo;
	struct pattern	**patterns;
	size_t		 n_patterns;
};

/* --- compile_parts.c: the arguments of keywords that hold no schemas --- */
struct compile {
	struct schema_set	*set;
	struct schema		*schema;	/* being compiled */
	struct err		*err;
};
int	 compile_plain(struct compile *, const struct keyword *, const struct dom *arg, struct step *) MUST_CHECK;
int	 compile_count(struct compile *, const char *keyword, const struct dom *, uint64_t *out_r) MUST_CHECK;
int	 compile_names(struct compile *, const char *keyword, const struct dom *, struct names *out_r) MUST_CHECK;
struct pattern *compile_pattern(struct compile *, const char *keyword, struct slice) MUST_CHECK;	/* NULL: *err says why */
int	 compile_error(struct compile *, const char *keyword, const char *expected);	/* -1 */
int	 compile_oom(struct compile *);		/* -1 */

#endif
