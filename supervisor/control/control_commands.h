#ifndef EDS_CONTROL_COMMANDS_H
#define EDS_CONTROL_COMMANDS_H

#include "ipc/codec.h"

/* edsctl's exit status. */
enum control_status {
	CONTROL_OK		= 0,
	CONTROL_FAILED		= 1,
	CONTROL_USAGE		= 2,
	CONTROL_NOBODY		= 3,	/* never sent: edsctl found no server */
	CONTROL_DEGRADED	= 4,
};

/* The verbs of edsctl as data: control_commands.def. */
enum control_where { CONTROL_SERVER, CONTROL_LOCAL };

struct control_command {
	const char		*verb;
	enum control_where	 where;
	const char		*usage;		/* of the arguments, "" when there are none */
	unsigned		 args_min, args_max;
	unsigned		 since;
	const char		*help;
};

const struct control_command *control_commands(size_t *n_r);
const struct control_command *control_command_find(struct slice verb);	/* NULL: no such verb */

/* Whether the arguments fit the verb; otherwise ERR_INVALID with the usage. */
int	 control_command_check(const struct control_command *, const struct ipc_strs *args, struct err *) MUST_CHECK;

#endif
