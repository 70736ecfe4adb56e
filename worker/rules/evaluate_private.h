#ifndef EDS_RULES_EVALUATE_PRIVATE_H
#define EDS_RULES_EVALUATE_PRIVATE_H

#include "worker/rules/schema_private.h"

/* Which members or items of one value some schema has looked at, for the unevaluated... keywords.  NULL: nobody asks. */
struct marks {
	uint64_t	*bits;
	uint32_t	 n;
};

/* The resources on the way to the schema at hand, for dynamic references. */
struct scope {
	const struct resource	*resource;
	const struct scope	*outer;
};

/* One check. */
struct run {
	struct schema_set	*set;
	uint32_t		 steps, depth;
	const struct scope	*scope;
	const char		*where;		/* the keyword that was not met last */
	const char		*trouble;	/* why nothing can be told any more; what is answered then does not count */
	const char		*trouble_at;
	bool			 no_memory;	/* that is the trouble */
};

/* Whether the value fits; what was looked at is added to `seen` only when it does. */
bool	 evaluate(struct run *, const struct schema *, const struct dom *, struct marks *seen);
bool	 run_fail(struct run *, const char *where);		/* false */
bool	 run_trouble(struct run *, const char *what, const char *where);	/* false */
bool	 run_no_memory(struct run *);				/* false */
bool	 run_spend(struct run *, size_t steps, const char *where);	/* false: too many */

/* evaluate_plain.c: steps without schemas. */
bool	 evaluate_plain(struct run *, const struct step *, const struct dom *);
bool	 evaluate_pattern(struct run *, const struct pattern *, struct slice text, const char *where);

/* evaluate_inner.c: steps about the members and items of a value. */
bool	 evaluate_members(struct run *, const struct step *, const struct dom *, struct marks *seen);
bool	 evaluate_items(struct run *, const struct step *, const struct dom *, struct marks *seen);
bool	 evaluate_contains(struct run *, const struct step *, const struct dom *, struct marks *seen);
bool	 evaluate_names(struct run *, const struct step *, const struct dom *);
bool	 evaluate_leftovers(struct run *, const struct step *, const struct dom *, struct marks *seen);

/* Room for the marks of that value, none set; false: trouble. */
bool	 marks_new(struct run *, const struct dom *, struct marks *);
void	 marks_add(struct marks *to, const struct marks *from);		/* `to` may be NULL */

static inline void
marks_set(struct marks *m, uint32_t i)
{
	if (m != NULL)
		m->bits[i / 64] |= (uint64_t)1 << i % 64;
}

#endif
