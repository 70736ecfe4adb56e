#ifndef EDS_RULES_PATTERN_H
#define EDS_RULES_PATTERN_H

#include "ipc/base/err.h"
#include "ipc/base/slice.h"

/*
 * A regular expression of a schema, by PCRE2: what both ECMA-262, which JSON Schema names, and
 * Go's package understand means the same here.  A pattern that would take too long on some text is given up.
 */
struct pattern;

struct pattern *pattern_new(struct slice, struct err *) MUST_CHECK;	/* NULL: ERR_CONFIG or ERR_NOMEM */
void	 pattern_free(struct pattern **);

enum pattern_result {
	PATTERN_FOUND,
	PATTERN_NOT,
	PATTERN_GIVEN_UP,		/* too much work, see PATTERN_TEXT_MOST and PATTERN_STEPS */
};

/* Whether it is found anywhere in the text, which must be UTF-8. */
enum pattern_result pattern_find(const struct pattern *, struct slice text);

#define PATTERN_TEXT_MOST	((size_t)64 << 10)	/* of a pattern that may begin anywhere in the text */
#define PATTERN_STEPS		20000000u		/* steps of one search */
#define PATTERN_STEPS_LEAST	2000u			/* ... and from one place of a long text */

#endif
