/* HQ's actions by name. */

#include "supervisor/hq/actions.h"

static const char *const names[] = {
#define ACTION(name, what) #name,
#include "supervisor/hq/actions.def"
#undef ACTION
};

const char *
hq_action_name(enum hq_action a)
{
	return names[a];
}

bool
hq_action_find(struct slice name, enum hq_action *a_r)
{
	for (size_t i = 0; i < NELEM(names); i++)
		if (slice_is(name, names[i])) {
			*a_r = (enum hq_action)i;
			return true;
		}
	return false;
}
