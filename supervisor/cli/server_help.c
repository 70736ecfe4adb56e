/* `eds server help`: the kinds of destination, from the drivers' table. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/registry.h"
#include "supervisor/cli/cli.h"
#include "supervisor/control/edsctl_text.h"

static bool
colours(void)
{
	const char	*term = getenv("TERM");

	return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL && (term == NULL || strcmp(term, "dumb") != 0);
}

static void
show(const struct driver_info *info, bool with_help)
{
	const char	*on = colours() ? "\033[1m" : "", *off = colours() ? "\033[0m" : "";
	struct buf	 description = { 0 };

	text_wrap(&description, slice_of(info->description), 0, 0, text_width(STDOUT_FILENO));
	(void)printf("%s%s%s\n%sExample url: %s\n", on, info->name, off, buf_cstr(&description), info->example);
	buf_free(&description);
	if (with_help)
		(void)printf("\n%s", info->help);
}

int
cmd_server_help(const struct cli *cli)
{
	size_t				 n;
	const struct driver_info	*all = driver_info_all(&n), *info;

	if (cli->n_args > 0) {
		if ((info = driver_info_by_name(slice_of(cli->args[0]))) == NULL) {
			(void)printf("No integration named %s is not found.\n", cli->args[0]);
			return 1;
		}
		show(info, true);
		return 0;
	}
	(void)printf("Shopmonkey Enterprise Data Streaming (EDS) Server\nversion: %s\n\n", EDS_VERSION);
	for (size_t i = 0; i < n; i++) {
		if ((all[i].flags & DRIVER_HIDDEN) != 0)
			continue;
		show(&all[i], false);
		(void)putchar('\n');
	}
	(void)printf("Run `%s server help [name]` for more about one of them.\n", cli_program());
	return 0;
}
