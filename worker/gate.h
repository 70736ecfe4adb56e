#ifndef EDS_GATE_H
#define EDS_GATE_H

#include "ipc/base/arena.h"
#include "ipc/base/clock.h"
#include "ipc/base/log.h"
#include "worker/rules/rules.h"

/*
 * The rules at work: which events are delivered, and word to the log about the others, without anything of
 * their rows.  What is said of one table and reason is said once, and again with a number after a while.
 */
#define GATE_COMPLAINTS	256u
#define GATE_QUIET_MS	600000

struct gate_complaint {
	uint64_t		 table;		/* hash of its name */
	enum rules_result	 result;
	uint64_t		 unsaid;
	mono_t			 again;
};

struct gate {
	struct rules		*rules;
	const struct log	*log;
	struct buf		 path;
	struct gate_complaint	 complaints[GATE_COMPLAINTS];
	size_t			 n_complaints;
};

/* ERR_CONFIG: as rules_new(). */
int	 gate_new(struct gate **, struct slice rules, const struct log *, struct err *) MUST_CHECK;
void	 gate_free(struct gate **);

/*
 * RULES_FIT: the event is to be delivered, with its path, which is copied to `paths` and may be none.  Otherwise it is not,
 * unless it is RULES_NOMEM, which says nothing of it.
 * `what` and `number` name it in the log: "event 17", "row 3".  *why_r: what was not met, until the next call.
 */
enum rules_result gate_check(struct gate *, const struct event *, const char *what, uint64_t number, struct arena *paths,
    struct slice *path_r, const char **why_r);

#endif
