/* The table of verbs, known to edsctl and to the server. */

#include "supervisor/control/control_commands.h"

static const struct control_command commands[] = {
#define COMMAND(verb, where, usage, min, max, since, help)	{ verb, CONTROL_##where, usage, min, max, since, help },
#include "supervisor/control/control_commands.def"
#undef COMMAND
};

const struct control_command *
control_commands(size_t *n_r)
{
	*n_r = NELEM(commands);
	return commands;
}

const struct control_command *
control_command_find(struct slice verb)
{
	for (size_t i = 0; i < NELEM(commands); i++) {
		if (slice_is(verb, commands[i].verb))
			return &commands[i];
	}
	return NULL;
}

int
control_command_check(const struct control_command *c, const struct ipc_strs *args, struct err *err)
{
	bool	 ok = args->n >= c->args_min && args->n <= c->args_max;

	for (size_t i = 0; i < args->n; i++)
		ok = ok && args->v[i].n > 0;
	/* the one verb whose arguments come as a pair */
	if (strcmp(c->verb, "restart") == 0 && args->n != 0)
		ok = ok && args->n == 2 && slice_is(args->v[0], "worker");
	if (ok)
		return 0;
	return err_set(err, ERR_INVALID, "usage: edsctl %s%s%s", c->verb, c->usage[0] == '\0' ? "" : " ", c->usage);
}
