/*
 * Flags as pflag reads them: --name value, --name=value, booleans without a value,
 * -vs in one, -d value, -dvalue, before or behind the command word, -- ends them.
 */

#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/clock.h"
#include "supervisor/cli/cli.h"

#define SERVER		(1u << CLI_SERVER)
#define ENROLL		(1u << CLI_ENROLL)
#define IMPORT		(1u << CLI_IMPORT)
#define DOWNLOAD	(1u << CLI_DOWNLOAD)
#define ALL_COMMANDS	CLI_ALL_COMMANDS
#define HIDDEN		CLI_HIDDEN
#define FOLDER		CLI_FOLDER
#define A_FILE		CLI_FILE
#define SECRET		CLI_SECRET

static const struct cli_flag flags[] = {
#define FLAG(commands, name, letter, type, member, traits, help) \
	{ commands, name, letter, CLI_##type, offsetof(struct cli, member), traits, help },
#define ONLY(commands, name, letter, type, traits, help) \
	{ commands, name, letter, CLI_##type, 0, (traits) | CLI_IGNORED, help },
#include "supervisor/cli/flags.def"
};

#undef SERVER
#undef DOWNLOAD
#undef ENROLL
#undef IMPORT

static const struct cli_command_info commands[] = {
#define COMMAND(NAME, parent, word, arguments, least, most, completes, shown, help) \
	[CLI_##NAME] = { word, arguments, help, CLI_##parent, least, most, CLI_COMPLETES_##completes, shown },
#include "supervisor/cli/commands.def"
#undef COMMAND
};

struct parse {
	struct cli	*cli;
	char		**argv;		/* the program's own, to be overwritten */
	int		 argc, at;
	bool		 act;		/* second pass: take values */
	struct err	*err;
};

const struct cli_flag *
cli_flags(size_t *n_r)
{
	*n_r = NELEM(flags);
	return flags;
}

const struct cli_command_info *
cli_command_info(enum cli_command command)
{
	return &commands[command];
}

/* A flag of the command, or in the first pass of any. */
static const struct cli_flag *
find_flag(const struct parse *p, struct slice name, char letter)
{
	for (size_t i = 0; i < NELEM(flags); i++) {
		if (p->act && (flags[i].commands & 1u << p->cli->command) == 0)
			continue;
		if (letter != 0 ? flags[i].letter == letter : slice_is(name, flags[i].name))
			return &flags[i];
	}
	return NULL;
}

static bool
has_own_value(const struct cli_flag *f)
{
	return f->type != CLI_BOOL && f->type != CLI_TRISTATE;
}

static int
invalid(struct parse *p, const struct cli_flag *f, const char *value, const char *why)
{
	if (f->letter != 0)
		return err_set(p->err, ERR_CONFIG, "invalid argument \"%s\" for \"-%c, --%s\" flag: %s", value, f->letter,
		    f->name, why);
	return err_set(p->err, ERR_CONFIG, "invalid argument \"%s\" for \"--%s\" flag: %s", value, f->name, why);
}

static bool
bool_parse(const char *s, bool *v_r)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < NELEM(yes); i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*v_r = strcmp(s, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

static int
append(struct parse *p, const char ***list, const char *value)
{
	size_t		  n = 0;
	const char	**grown;

	while (*list != NULL && (*list)[n] != NULL)
		n++;
	if ((grown = reallocarray(*list, n + 2, sizeof(*grown))) == NULL)
		return err_set(p->err, ERR_NOMEM, "no memory for the command line");
	grown[n] = value;
	grown[n + 1] = NULL;
	*list = grown;
	return 0;
}

/* The parts of a comma separated list; the text is ours to cut. */
static int
append_parts(struct parse *p, const char ***list, char *value)
{
	while (value != NULL) {
		char *part = strsep(&value, ",");

		if (part[0] != '\0' && append(p, list, part) != 0)
			return -1;
	}
	return 0;
}

static int
take_number(struct parse *p, const struct cli_flag *f, const char *value, int64_t *v_r)
{
	char	 why[300];

	if (!slice_i64(slice_of(value), v_r)) {
		(void)snprintf(why, sizeof(why), "strconv.ParseInt: parsing \"%.200s\": invalid syntax", value);
		return invalid(p, f, value, why);
	}
	return *v_r < 0 && f->type != CLI_ANY_NUMBER ? invalid(p, f, value, "expected 0 or more") : 0;
}

static int
take(struct parse *p, const struct cli_flag *f, char *value)
{
	void	*at = (char *)p->cli + f->offset;
	char	 why[300];
	int64_t	 number;
	bool	 truth;

	switch (f->type) {
	case CLI_BOOL:
	case CLI_TRISTATE:
		if (!bool_parse(value, &truth)) {
			(void)snprintf(why, sizeof(why), "strconv.ParseBool: parsing \"%.200s\": invalid syntax", value);
			return invalid(p, f, value, why);
		}
		if ((f->traits & CLI_IGNORED) != 0)
			return 0;
		if (f->type == CLI_BOOL)
			*(bool *)at = truth;
		else
			*(int *)at = truth;
		return 0;
	case CLI_NUMBER:
	case CLI_ANY_NUMBER:
		if (take_number(p, f, value, &number) != 0)
			return -1;
		if ((f->traits & CLI_IGNORED) == 0)
			*(int64_t *)at = number;
		return 0;
	case CLI_DURATION:
		if (!duration_parse(slice_of(value), &number)) {
			(void)snprintf(why, sizeof(why), "time: invalid duration \"%.200s\"", value);
			return invalid(p, f, value, why);
		}
		*(int64_t *)at = number;
		return 0;
	case CLI_TEXT:
		if ((f->traits & CLI_IGNORED) == 0)
			*(const char **)at = value;
		return 0;
	case CLI_LIST:
		return append_parts(p, at, value);
	case CLI_URLS:
		return append(p, at, value);
	}
	bug("flag --%s has no type", f->name);
}

/* The value's original is in argv[index], from `offset` on. */
static int
take_and_hide(struct parse *p, const struct cli_flag *f, char *value, int index, size_t offset)
{
	if (!p->act)
		return 0;
	if ((f->traits & CLI_SECRET) != 0)
		(void)memset(p->argv[index] + offset, '*', strlen(p->argv[index] + offset));
	return take(p, f, value);
}

static int
long_flag(struct parse *p, char *arg)
{
	static char		 yes[] = "true";
	char			*equals = strchr(arg, '=');
	struct slice		 name = { arg + 2, equals == NULL ? strlen(arg + 2) : (size_t)(equals - arg) - 2 };
	const struct cli_flag	*f;

	if (name.n == 0 || name.p[0] == '-')
		return err_set(p->err, ERR_CONFIG, "bad flag syntax: %s", arg);
	if (slice_is(name, "help")) {
		p->cli->help = true;
		return 0;
	}
	if ((f = find_flag(p, name, 0)) == NULL)
		return p->act ? err_set(p->err, ERR_CONFIG, "unknown flag: --" SLICE_FMT, SLICE_ARG(name)) : 0;
	if (equals != NULL)
		return take_and_hide(p, f, equals + 1, p->at, (size_t)(equals + 1 - arg));
	if (!has_own_value(f))
		return take_and_hide(p, f, yes, p->at, strlen(arg));
	if (p->at + 1 == p->argc)
		return p->act ? err_set(p->err, ERR_CONFIG, "flag needs an argument: --%s", f->name) : 0;
	p->at++;
	return take_and_hide(p, f, p->cli->argv[p->at], p->at, 0);
}

static int
short_flags(struct parse *p, char *arg)
{
	static char	 yes[] = "true";

	for (char *c = arg + 1; *c != '\0'; c++) {
		const struct cli_flag *f;

		if (*c == 'h') {
			p->cli->help = true;
			continue;
		}
		if ((f = find_flag(p, (struct slice){ NULL, 0 }, *c)) == NULL)
			return p->act ? err_set(p->err, ERR_CONFIG, "unknown shorthand flag: '%c' in %s", *c, arg) : 0;
		if (c[1] == '=')
			return take_and_hide(p, f, c + 2, p->at, (size_t)(c + 2 - arg));
		if (!has_own_value(f)) {
			if (take_and_hide(p, f, yes, p->at, strlen(arg)) != 0)
				return -1;
			continue;
		}
		if (c[1] != '\0')
			return take_and_hide(p, f, c + 1, p->at, (size_t)(c + 1 - arg));
		if (p->at + 1 == p->argc)
			return p->act ? err_set(p->err, ERR_CONFIG, "flag needs an argument: '%c' in %s", *c, arg) : 0;
		p->at++;
		return take_and_hide(p, f, p->cli->argv[p->at], p->at, 0);
	}
	return 0;
}

static bool
find_command(enum cli_command parent, const char *word, enum cli_command *command_r)
{
	for (size_t i = 1; i < NELEM(commands); i++) {
		if (commands[i].parent == parent && strcmp(commands[i].word, word) == 0) {
			*command_r = (enum cli_command)i;
			return true;
		}
	}
	return false;
}

/* A word that is no flag: in the first pass perhaps a command, in the second one an argument. */
static int
word(struct parse *p, char *arg, bool *command_done)
{
	struct cli	*cli = p->cli;

	if (p->act) {
		if (cli->command == CLI_ENROLL && cli->n_args > 0)	/* the code was the first one */
			(void)memset(p->argv[p->at], '*', strlen(p->argv[p->at]));
		if (append(p, &cli->args, arg) != 0)
			return -1;
		cli->n_args++;
		return 0;
	}
	if (!*command_done && !find_command(cli->command, arg, &cli->command))
		*command_done = true;
	return 0;
}

static int
walk(struct parse *p, bool act)
{
	bool	 flags_done = false, command_done = false;

	p->act = act;
	for (p->at = 1; p->at < p->argc; p->at++) {
		char *arg = p->cli->argv[p->at];
		int rc;

		if (flags_done || arg[0] != '-' || arg[1] == '\0')
			rc = word(p, arg, &command_done);
		else if (strcmp(arg, "--") == 0) {
			flags_done = true;
			rc = 0;
		} else
			rc = arg[1] == '-' ? long_flag(p, arg) : short_flags(p, arg);
		if (rc != 0)
			return -1;
	}
	return 0;
}

/* The command's own words are no arguments; the rest must be as many as it takes. */
static int
check_arguments(struct parse *p)
{
	struct cli			*cli = p->cli;
	const struct cli_command_info	*info = &commands[cli->command];
	size_t				 words = cli->command == CLI_ROOT ? 0 : info->parent == CLI_ROOT ? 1 : 2;
	struct buf			 path = { 0 };

	if (words > 0)
		(void)memmove(cli->args, cli->args + words, (cli->n_args - words + 1) * sizeof(*cli->args));
	cli->n_args -= words;
	if (cli->n_args >= info->least && cli->n_args <= info->most)
		return 0;
	if (info->most == 0) {
		cli_command_path(cli->command, &path);
		(void)err_set(p->err, ERR_CONFIG, "unknown command \"%s\" for \"%s\"", cli->args[0], buf_cstr(&path));
		buf_free(&path);
	} else if (info->least == info->most)
		(void)err_set(p->err, ERR_CONFIG, "accepts %zu arg(s), received %zu", info->most, cli->n_args);
	else
		(void)err_set(p->err, ERR_CONFIG, "accepts at most %zu arg(s), received %zu", info->most, cli->n_args);
	return -1;
}

static int
copy_argv(struct cli *cli, int argc, char **argv)
{
	if ((cli->argv = calloc((size_t)argc + 1, sizeof(*cli->argv))) == NULL)
		return -1;
	for (int i = 0; i < argc; i++)
		if ((cli->argv[i] = slice_dup(slice_of(argv[i]))) == NULL)
			return -1;
	return 0;
}

/* Every secret, also of a line that turns out to be wrong. */
static void
hide_rest(struct parse *p)
{
	struct err	*err = p->err;

	p->err = NULL;
	for (size_t i = 0; i < NELEM(flags); i++) {
		size_t n = strlen(flags[i].name);

		if ((flags[i].traits & CLI_SECRET) == 0)
			continue;
		for (int a = 1; a < p->argc; a++) {
			char *s = p->argv[a];

			if (strncmp(s, "--", 2) != 0 || strncmp(s + 2, flags[i].name, n) != 0)
				continue;
			if (s[2 + n] == '=')
				(void)memset(s + n + 3, '*', strlen(s + n + 3));
			else if (s[2 + n] == '\0' && a + 1 < p->argc)
				(void)memset(p->argv[a + 1], '*', strlen(p->argv[a + 1]));
		}
	}
	p->err = err;
}

int
cli_parse(struct cli *cli, int argc, char **argv, struct err *err)
{
	struct parse	 p = { .cli = cli, .argv = argv, .argc = argc, .err = err };

	*cli = (struct cli){ .port = -1, .health_port = -1, .import.parallel = -1 };
	cli->flags = (struct config_flags){ .port = -1, .keep_logs = -1, .max_ack_pending = -1, .max_pending_buffer = -1,
	    .min_latency_ms = -1, .max_latency_ms = -1, .renew_interval_ms = -1 };
	if (copy_argv(cli, argc, argv) != 0)
		return err_set(err, ERR_NOMEM, "no memory for the command line");
	if (walk(&p, false) != 0 || walk(&p, true) != 0) {
		hide_rest(&p);
		return -1;
	}
	hide_rest(&p);
	if (!cli->help && check_arguments(&p) != 0)
		return -1;
	if (cli->port > 65535 || cli->health_port > 65535)
		return err_set(err, ERR_CONFIG, "invalid argument \"%lld\" for \"--%s\" flag: expected a port from 0 to 65535",
		    (long long)(cli->port > 65535 ? cli->port : cli->health_port), cli->port > 65535 ? "port" : "health-port");
	cli->flags.port = (int)(cli->health_port > 0 ? cli->health_port : cli->port);
	cli->flags.urls = cli->urls;
	cli->flags.company_ids = cli->company_ids;
	return 0;
}

void
cli_free(struct cli *cli)
{
	for (size_t i = 0; cli->argv != NULL && cli->argv[i] != NULL; i++) {
		explicit_bzero(cli->argv[i], strlen(cli->argv[i]));
		free(cli->argv[i]);
	}
	free(cli->argv);
	free(cli->urls);
	free(cli->company_ids);
	free(cli->import.only);
	free(cli->import.location_ids);
	free(cli->args);
	*cli = (struct cli){ 0 };
}
