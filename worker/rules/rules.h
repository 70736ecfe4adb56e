#ifndef EDS_RULES_H
#define EDS_RULES_H

#include "ipc/event.h"

/*
 * The schema validator (contract/drivers.md section 12): for each table a schema that its events must fit, and
 * perhaps a path.  An event that has no rule, does not fit or cannot be checked is not delivered.
 *
 * For one thread at a time.
 */
struct rules;

enum rules_result {
	RULES_FIT,
	RULES_NONE,			/* the table has no rule */
	RULES_DIFFER,			/* the event does not fit its schema */
	RULES_FAILED,			/* that could not be told, or no path be made */
	RULES_NOMEM,			/* no fault of the event's: it may be tried again */
};
#define RULES_RESULTS	5

/* From the text of folder.h, which need not last.  ERR_CONFIG: what is wrong, with file and table. */
int	 rules_new(struct rules **rules_r, struct slice text, struct err *) MUST_CHECK;
void	 rules_free(struct rules **);

/*
 * What becomes of an event.  RULES_FIT: its path, which may be none, is appended to `path`.  Otherwise *why_r says what
 * was not met, without anything of the event, until the next call.
 */
enum rules_result rules_check(struct rules *, const struct event *, struct buf *path, const char **why_r);

const char *rules_result_name(enum rules_result);	/* for people: "no rule for its table" */

#endif
