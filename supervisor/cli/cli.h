#ifndef EDS_CLI_H
#define EDS_CLI_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"
#include "supervisor/config/config.h"

/* The command line of `eds` (contract/cli.md), taken apart. */
enum cli_command {
#define COMMAND(NAME, parent, word, arguments, least, most, completes, shown, help) CLI_##NAME,
#include "supervisor/cli/commands.def"
#undef COMMAND
	CLI_COMMANDS
};

/* Flags of `eds import` that no other command has. */
struct cli_import {
	const char	*url, *job_id, *dir, *time_offset;
	const char	**only, **location_ids;		/* NULL-ended, NULL when not given */
	bool		 dry_run, validate_only, schema_only, no_delete, no_confirm, no_cleanup, single;
	int64_t		 parallel;			/* -1: not given */
};

struct cli {
	enum cli_command	 command;
	bool			 help;		/* -h, --help */
	struct config_flags	 flags;		/* its strings belong to the cli */
	const char		**urls, **company_ids;	/* NULL-ended, NULL when not given */
	int64_t			 port, health_port;
	struct cli_import	 import;
	const char		*release_url, *release_key;	/* NULL: not given */
	const char		**args;		/* behind the command word, NULL-ended */
	size_t			 n_args;
	char			**argv;		/* a copy of the whole line, NULL-ended: for running the program anew */
};

/*
 * Fills *cli and overwrites the secrets in argv, which every user of the machine can read.  On an
 * error (ERR_CONFIG, text as the user is used to it) cli->command is the one whose usage helps.
 */
int	 cli_parse(struct cli *cli, int argc, char **argv, struct err *err) MUST_CHECK;
void	 cli_free(struct cli *);

/* usage.c */
void	 cli_usage(enum cli_command, struct buf *);	/* "Usage:" to the last flag */
void	 cli_help(enum cli_command, struct buf *);	/* with the description in front */

/* What a shell offers for the arguments: the last one, or with COMMANDS each. */
enum cli_completes { CLI_COMPLETES_NOTHING, CLI_COMPLETES_COMMANDS, CLI_COMPLETES_KINDS, CLI_COMPLETES_SHELLS, CLI_COMPLETES_FILES };

struct cli_command_info {
	const char		*word, *arguments, *help;
	enum cli_command	 parent;
	size_t			 least, most;
	enum cli_completes	 completes;
	int			 shown;
};
#define CLI_SHOWN	1
const struct cli_command_info *cli_command_info(enum cli_command);
void	 cli_command_path(enum cli_command, struct buf *);	/* "eds server help" */

enum cli_type { CLI_BOOL, CLI_TRISTATE, CLI_TEXT, CLI_NUMBER, CLI_ANY_NUMBER, CLI_DURATION, CLI_LIST, CLI_URLS };
#define CLI_HIDDEN	1u
#define CLI_SECRET	2u
#define CLI_IGNORED	4u
#define CLI_FOLDER	8u	/* a shell completes its value */
#define CLI_FILE	16u
struct cli_flag {
	unsigned	 commands;		/* bits 1 << enum cli_command; all of them: global */
	const char	*name;
	char		 letter;
	enum cli_type	 type;
	size_t		 offset;
	unsigned	 traits;
	const char	*help;
};
#define CLI_ALL_COMMANDS	(~0u)
const struct cli_flag *cli_flags(size_t *n_r);

/* The program as the user may type it: "./eds" when it lies below the current folder. */
const char *cli_program(void);

/* Each command; the result is the exit code. */
int	 cmd_download(const struct cli *);
int	 cmd_enroll(struct cli *);
int	 cmd_import(struct cli *);
int	 cmd_server(struct cli *);
int	 cmd_server_help(const struct cli *);

/* completion.c: candidates for the last of the words, which are one a line. */
void	 cli_complete(struct slice words, struct buf *out);

/*
 * confirm.c: asks on the terminal, with `Cancel` as the first answer.  1: confirmed, 0: cancelled, -1: there is no
 * terminal.
 */
int	 confirm(const char *title, const char *question);

/* import_words.c: what was asked for as edsctl's words: "only=a,b", "dry-run"; to be freed also when `oom`. */
#define IMPORT_WORDS_MAX	10u
struct import_words {
	char	*word[IMPORT_WORDS_MAX];
	size_t	 n;
	bool	 oom;
};
void	 import_words_make(struct import_words *, const struct cli *);
void	 import_words_free(struct import_words *);

/* import_ask.c: a server runs on the data directory, which is to do it.  The exit code. */
int	 import_ask_server(const struct cli *, const struct config *, const struct log *, const struct err *why_not_here);
/* The destination of that URL in the configuration; NULL: there is none. */
const struct destination_config *import_destination(const struct config *, const char *url);

/* import_show.c: how far it is, on the terminal as a line that changes, else as lines in the log. */
struct text_import;
void	 import_show(const struct log *, const struct text_import *);
void	 import_show_end(void);		/* the line is complete */

/* data_dir.c: made (0700) when it is missing, and something can be written there. */
int	 data_dir_ensure(const char *path, struct err *) MUST_CHECK;

/* enroll.c: exchanges the code for token and server id and writes config.toml. */
int	 enroll(const char *code, const char *data_dir, const char *api_url, struct err *) MUST_CHECK;

/* prompt.c: asks for codes until one is good.  0: enrolled, otherwise the exit code. */
int	 prompt_enroll(const char *data_dir, const char *api_url);

#endif
