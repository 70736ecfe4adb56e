#ifndef EDS_ACTIONS_H
#define EDS_ACTIONS_H

#include "ipc/base/slice.h"

/* What HQ can ask for: actions.def. */
enum hq_action {
#define ACTION(name, what) HQ_##name,
#include "supervisor/hq/actions.def"
#undef ACTION
	HQ_ACTIONS		/* how many there are */
};

#define HQ_ACTION_BIT(a)	(1u << (a))

const char *hq_action_name(enum hq_action);
bool	 hq_action_find(struct slice name, enum hq_action *) MUST_CHECK;

#endif
