/* eds: which command, and its exit code. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/completion_scripts.h"
#include "supervisor/supervisor.h"
#include "supervisor/upgrade/release.h"

static void
print(FILE *to, enum cli_command command, bool help)
{
	struct buf	 text = { 0 };

	if (help)
		cli_help(command, &text);
	else
		cli_usage(command, &text);
	(void)fputs(buf_cstr(&text), to);
	buf_free(&text);
}

/* A wrong line: the reason, and the usage of the command it was for. */
static int
wrong_line(const struct cli *cli, const struct err *err)
{
	(void)fprintf(stderr, "Error: %s\n", err->text);
	if (cli->command == CLI_ROOT && cli->n_args > 0)
		(void)fputs("Run 'eds --help' for usage.\n", stderr);
	else
		print(stderr, cli->command, false);
	return EXIT_FATAL;
}

/* `eds help server`: the help of the command named behind it. */
static int
help(const struct cli *cli)
{
	enum cli_command	 command = CLI_ROOT;

	for (size_t i = 0; i < cli->n_args; i++) {
		unsigned c = 1;

		while (c < CLI_COMMANDS && (cli_command_info((enum cli_command)c)->parent != command ||
		    strcmp(cli_command_info((enum cli_command)c)->word, cli->args[i]) != 0))
			c++;
		if (c == CLI_COMMANDS) {
			(void)fprintf(stderr, "Unknown help topic \"%s\"\n", cli->args[i]);
			print(stderr, CLI_ROOT, false);
			return EXIT_FATAL;
		}
		command = (enum cli_command)c;
	}
	print(stdout, command, true);
	return 0;
}

static int
run(struct cli *cli)
{
	if (cli->help) {
		print(stdout, cli->command, true);
		return 0;
	}
	switch (cli->command) {
	case CLI_COMPLETE:
		completion_answer(cli_complete);
		return 0;
	case CLI_COMPLETION:
		return completion_print("eds", cli->args[0]) == 0 ? 0 : 1;
	case CLI_ENROLL:
		return cmd_enroll(cli);
	case CLI_SERVER:
		return cmd_server(cli);
	case CLI_SERVER_HELP:
		return cmd_server_help(cli);
	case CLI_VERSION:
		(void)puts(EDS_VERSION);
		return 0;
	case CLI_IMPORT:
		return cmd_import(cli);
	case CLI_DOWNLOAD:
		return cmd_download(cli);
	case CLI_PUBLICKEY:
		(void)puts(release_public_key);
		return 0;
	case CLI_HELP:
		return help(cli);
	case CLI_ROOT:
	case CLI_COMMANDS:
		break;
	}
	print(stdout, CLI_ROOT, true);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct rlimit	 none = { 0, 0 };
	struct cli		 cli;
	struct err		 err = { 0 };
	int			 rc;

	(void)setrlimit(RLIMIT_CORE, &none);	/* a core file would hold the token */
	if (cli_parse(&cli, argc, argv, &err) != 0)
		rc = wrong_line(&cli, &err);
	else {
		if (cli.health_port != -1)
			(void)fputs("Flag --health-port has been deprecated, use --port instead\n", stderr);
		log_init(cli.flags.silent ? LOG_ERROR : cli.flags.verbose ? LOG_TRACE : LOG_INFO, cli.flags.timestamps,
		    cli.flags.log_label);
		rc = run(&cli);
	}
	cli_free(&cli);
	return rc;
}
