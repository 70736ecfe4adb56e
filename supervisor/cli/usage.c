/* Usage and help texts, made from the tables of commands and flags. */

#include <stdio.h>
#include <unistd.h>

#include "supervisor/cli/cli.h"
#include "supervisor/control/edsctl_text.h"

#define HELP_COLUMN	34u	/* where the help of a flag begins */
#define WORD_COLUMN	14u	/* and that of a command */

void
cli_command_path(enum cli_command command, struct buf *out)
{
	const struct cli_command_info	*info = cli_command_info(command);

	if (command != CLI_ROOT) {
		cli_command_path(info->parent, out);
		buf_addc(out, ' ');
	}
	buf_adds(out, info->word);
}

static const char *
type_name(enum cli_type type)
{
	switch (type) {
	case CLI_TEXT:
	case CLI_URLS:
		return " string";
	case CLI_LIST:
		return " strings";
	case CLI_NUMBER:
	case CLI_ANY_NUMBER:
		return " int";
	case CLI_DURATION:
		return " duration";
	case CLI_BOOL:
	case CLI_TRISTATE:
		break;
	}
	return "";
}

static void
add_flag(struct buf *out, char letter, const char *name, const char *type, const char *help)
{
	char	 left[64], both[64];

	(void)snprintf(both, sizeof(both), "--%s%s", name, type);
	if (letter != 0)
		(void)snprintf(left, sizeof(left), "-%c, %.56s", letter, both);
	else
		(void)snprintf(left, sizeof(left), "    %.56s", both);
	buf_printf(out, "  %-*s", (int)HELP_COLUMN - 2, left);
	text_wrap(out, slice_of(help), HELP_COLUMN, HELP_COLUMN, text_width(STDOUT_FILENO));
}

static void
add_flags(struct buf *out, enum cli_command command, bool global)
{
	size_t			 n;
	const struct cli_flag	*f = cli_flags(&n);

	for (size_t i = 0; i < n; i++)
		if ((f[i].traits & CLI_HIDDEN) == 0 && (f[i].commands == CLI_ALL_COMMANDS) == global &&
		    (f[i].commands & 1u << command) != 0)
			add_flag(out, f[i].letter, f[i].name, type_name(f[i].type), f[i].help);
	if (!global)
		add_flag(out, 'h', "help", "", "this text");
}

static void
add_commands(struct buf *out, enum cli_command parent)
{
	bool		 any = false;

	for (unsigned i = 1; i < CLI_COMMANDS; i++) {
		const struct cli_command_info *info = cli_command_info((enum cli_command)i);

		if (info->parent != parent || info->shown == 0)
			continue;
		if (!any)
			buf_adds(out, "\nAvailable Commands:\n");
		any = true;
		buf_printf(out, "  %-*s", (int)WORD_COLUMN - 2, info->word);
		text_wrap(out, slice_of(info->help), WORD_COLUMN, WORD_COLUMN, text_width(STDOUT_FILENO));
	}
}

static bool
has_commands(enum cli_command parent)
{
	for (unsigned i = 1; i < CLI_COMMANDS; i++)
		if (cli_command_info((enum cli_command)i)->parent == parent)
			return true;
	return false;
}

void
cli_usage(enum cli_command command, struct buf *out)
{
	const struct cli_command_info	*info = cli_command_info(command);
	struct buf			 path = { 0 };

	cli_command_path(command, &path);
	buf_printf(out, "Usage:\n  %s%s%s%s\n", buf_cstr(&path), info->arguments[0] == '\0' ? "" : " ", info->arguments,
	    command == CLI_ROOT ? "" : " [flags]");
	if (command != CLI_ROOT && has_commands(command))
		buf_printf(out, "  %s [command]\n", buf_cstr(&path));
	add_commands(out, command);
	buf_adds(out, "\nFlags:\n");
	add_flags(out, command, false);
	buf_adds(out, "\nGlobal Flags:\n");
	add_flags(out, command, true);
	if (has_commands(command))
		buf_printf(out, "\nUse \"%s [command] --help\" for more information about a command.\n", buf_cstr(&path));
	buf_free(&path);
}

void
cli_help(enum cli_command command, struct buf *out)
{
	if (command == CLI_ROOT)
		buf_adds(out, "Shopmonkey Enterprise Data Streaming server\n"
		    "For detailed information, see:\n  https://shopmonkey.dev/eds\n  https://github.com/shopmonkeyus/eds\n\n");
	else
		buf_printf(out, "%s\n\n", cli_command_info(command)->help);
	cli_usage(command, out);
}
