/* edsctl, the operator's tool: arguments, one question to the server, the answer on the screen, an exit status. */

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "supervisor/cli/completion_scripts.h"
#include "supervisor/control/control_commands.h"
#include "supervisor/control/control_path.h"
#include "supervisor/control/edsctl_client.h"
#include "supervisor/control/edsctl_complete.h"
#include "supervisor/control/edsctl_logs.h"
#include "supervisor/control/edsctl_text.h"

#define TIMEOUT_S	60	/* a drain may take its time    */
#define WATCH_TIMEOUT_S	5
#define TEXT_OF(macro)	TEXT_OF_TOKEN(macro)
#define TEXT_OF_TOKEN(t) #t
#define WATCH_EVERY_S	1
#define VERB_COLUMN	13u	/* the help: where a verb's forms begin, and what it is for */
#define HELP_COLUMN	32u
#define OPTION_COLUMN	23u	/* and where it says what an option is for */
#define HELP_WIDTH	60u	/* on narrower screens what a verb is for stands below its forms */

struct options {
	const char	*data_dir;
	bool		 json;
	bool		 watch;
	bool		 follow;	/* of logs */
	char		*flags[8];	/* what goes to the server behind the arguments: "connect", "only=order" ... */
	size_t		 n_flags;
	uint64_t	 timeout_s;	/* 0: not given */
};

static volatile sig_atomic_t	interrupted;

static void
on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* One verb: its forms on the left, what it is for on the right, or below when the forms take that place. */
static void
add_verb(struct buf *out, const struct control_command *c, unsigned width)
{
	unsigned	 column = VERB_COLUMN + 1 + (unsigned)strlen(c->usage), at = width < HELP_WIDTH ? VERB_COLUMN : HELP_COLUMN;

	buf_printf(out, "  %-*s ", (int)VERB_COLUMN - 3, c->verb);
	if (c->usage[0] == '\0' || column <= at)
		buf_printf(out, "%-*s", (int)(at - VERB_COLUMN), c->usage);
	else {
		text_wrap(out, slice_of(c->usage), VERB_COLUMN, VERB_COLUMN, width);
		buf_printf(out, "%*s", (int)at, "");
	}
	text_wrap(out, slice_of(c->help), at, at, width);
}

static const struct {
	const char	*option, *help;
} option_help[] = {
	{ "-d, --data-dir DIR", "the server's data directory; default: $EDS_DATA_DIR, ./data if a server lives there, /var/lib/eds" },
	{ "-j, --json", "the answer as JSON" },
	{ "-f, --follow", "logs: go on as lines come, until Ctrl-C" },
	{ "-w, --watch", "status: again every second, until Ctrl-C" },
	{ "    --timeout SECS", "wait that long for the answer (" TEXT_OF(TIMEOUT_S) ")" },
	{ "-h, --help", "this help" },
};

static void
usage(FILE *to)
{
	size_t				 n;
	const struct control_command	*c = control_commands(&n);
	struct buf			 text = { 0 };
	unsigned			 width = text_width(fileno(to));

	text_wrap(&text, SLICE("usage: edsctl [-d DIR] [options] VERB [arguments]"), 0, 7, width);
	buf_addc(&text, '\n');
	for (size_t i = 0; i < n; i++)
		add_verb(&text, &c[i], width);
	buf_addc(&text, '\n');
	for (size_t i = 0; i < NELEM(option_help); i++) {
		buf_printf(&text, "  %-*s", (int)OPTION_COLUMN - 2, option_help[i].option);
		text_wrap(&text, slice_of(option_help[i].help), OPTION_COLUMN, OPTION_COLUMN, width);
	}
	buf_addc(&text, '\n');
	text_wrap(&text, SLICE("exit status: 0 fine, 1 failed, 2 usage, 3 no server there, 4 degraded"), 0, 2, width);
	(void)fputs(buf_cstr(&text), to);
	buf_free(&text);
}

static int
complain(const char *text)
{
	(void)fprintf(stderr, "edsctl: %s\n", text);
	return CONTROL_USAGE;
}

static int
help(const char *verb)
{
	const struct control_command	*c;
	struct buf			 text = { 0 };

	if (verb == NULL) {
		usage(stdout);
		return CONTROL_OK;
	}
	if ((c = control_command_find(slice_of(verb))) == NULL) {
		(void)fprintf(stderr, "edsctl: there is no verb \"%s\"; see edsctl help\n", verb);
		return CONTROL_USAGE;
	}
	buf_printf(&text, "usage: edsctl %s ", c->verb);
	text_wrap(&text, slice_of(c->usage), (unsigned)text.len, (unsigned)text.len, text_width(STDOUT_FILENO));
	text_wrap(&text, slice_of(c->help), 0, 0, text_width(STDOUT_FILENO));
	(void)fputs(buf_cstr(&text), stdout);
	buf_free(&text);
	return CONTROL_OK;
}

static struct text_style
style_of_terminal(int fd)
{
	struct text_style	 style = { .width = text_width(fd), .now_ms = wall_ms() };
	const char		*term = getenv("TERM"), *no_colour = getenv("NO_COLOR");

	style.colour = isatty(fd) && (no_colour == NULL || no_colour[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
	return style;
}

/* The answer as text; false when it is not the JSON object it should be. */
static bool
render(struct buf *out, const char *verb, const struct edsctl_answer *answer, const struct text_style *style)
{
	json_t	*doc = json_loadb((const char *)answer->json.data, answer->json.len, 0, NULL);

	if (!json_is_object(doc)) {
		json_decref(doc);
		return false;
	}
	if (strcmp(verb, "quarantine") == 0 && json_object_get(doc, "next") != NULL && !isatty(STDOUT_FILENO))
		text_raw(out, doc);
	else if (strcmp(verb, "status") == 0 && json_object_get(doc, "server") != NULL)
		text_status(out, doc, style);
	else if (strcmp(verb, "why") == 0)
		text_why(out, doc, style);
	else
		text_answer(out, doc, style);
	json_decref(doc);
	return true;
}

/* Shows the answer and gives the exit status: failures on stderr, everything else and all JSON on stdout. */
static int
show(const char *verb, const struct edsctl_answer *answer, const struct options *opt, struct buf *out)
{
	bool			 failed = answer->status != CONTROL_OK && answer->status != CONTROL_DEGRADED;
	struct text_style	 style = style_of_terminal(failed ? STDERR_FILENO : STDOUT_FILENO);

	buf_reset(out);
	if (opt->json) {
		buf_adds_slice(out, buf_slice(&answer->json));
		buf_addc(out, '\n');
	} else if (!render(out, verb, answer, &style)) {
		(void)fprintf(stderr, "edsctl: the server's answer is no JSON object; install eds and edsctl from the same package\n");
		return CONTROL_FAILED;
	}
	if (out->oom) {
		(void)fprintf(stderr, "edsctl: out of memory\n");
		return CONTROL_FAILED;
	}
	(void)fwrite(out->data, 1, out->len, failed && !opt->json ? stderr : stdout);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)fprintf(stderr, "edsctl: cannot write the answer: %s\n", strerror(errno));
		return CONTROL_FAILED;
	}
	return (int)answer->status;
}

static int
exit_status_of(const struct err *err)
{
	return err->code == ERR_NOTFOUND ? CONTROL_NOBODY : CONTROL_FAILED;
}

static int
ask_once(const struct edsctl_call *call, const struct options *opt)
{
	struct edsctl_answer	 answer;
	struct buf		 out = { 0 };
	struct err		 err = { 0 };
	int			 rc;

	if (edsctl_call(call, &answer, &err) != 0) {
		(void)fprintf(stderr, "edsctl: %s\n", err.text);
		return exit_status_of(&err);
	}
	rc = show(call->verb, &answer, opt, &out);
	buf_free(&answer.json);
	buf_free(&out);
	return rc;
}

/* What stands before each picture: on a terminal the place it is drawn at, else a line between two pictures. */
static void
watch_separate(const struct options *opt, bool first)
{
	if (opt->json)
		return;
	if (isatty(STDOUT_FILENO))
		(void)fputs("\033[H\033[2J", stdout);
	else if (!first)
		(void)fputs("---\n", stdout);
}

/* Until the next picture is due, or Ctrl-C. */
static void
watch_pause(const sigset_t *mask)
{
	struct timespec	 ts = { .tv_sec = WATCH_EVERY_S };

	if (!interrupted)
		(void)ppoll(NULL, 0, &ts, mask);
}

static int
watch(struct edsctl_call *call, const struct options *opt)
{
	struct sigaction	 sa = { .sa_handler = on_signal };
	struct edsctl_answer	 answer;
	struct buf		 out = { 0 };
	struct err		 err = { 0 };
	sigset_t		 blocked, before;
	int			 rc = CONTROL_OK;

	/* signals come only while waiting, so none is missed between looking and waiting */
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGINT);
	(void)sigaddset(&blocked, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &blocked, &before);
	(void)sigdelset(&before, SIGINT);
	(void)sigdelset(&before, SIGTERM);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	call->waiting_mask = &before;
	for (bool first = true; !interrupted; first = false) {
		if (edsctl_call(call, &answer, &err) == 0) {
			watch_separate(opt, first);
			rc = show(call->verb, &answer, opt, &out);
			buf_free(&answer.json);
			if (rc == CONTROL_FAILED)
				break;
			rc = CONTROL_OK;
		} else if (!interrupted) {
			/* a server that was never there is a mistake; one that is restarting comes back */
			(void)fprintf(stderr, "edsctl: %s\n", err.text);
			if (first) {
				rc = exit_status_of(&err);
				break;
			}
		}
		watch_pause(&before);
	}
	buf_free(&out);
	return rc;
}

/* Flags of single verbs; the server gets their names without dashes, and `=value` behind. */
static const struct verb_flag {
	const char	*verb, *name;
	int		 argument;
} verb_flags[] = {
	{ "check", "connect", no_argument },
	{ "import", "only", required_argument },
	{ "import", "dry-run", no_argument },
	{ "import", "no-delete", no_argument },
	{ "import", "schema-only", no_argument },
	{ "import", "timeOffset", required_argument },
	{ "import", "job-id", required_argument },
	{ "import", "dir", required_argument },
	{ "import", "cancel", no_argument },
};
#define VERB_FLAG	1000	/* getopt's number of the first one */

/* Keeps the text for the server. */
static int
take_verb_flag(struct options *opt, const struct verb_flag *f, const char *value)
{
	char	*text;

	if (opt->n_flags == NELEM(opt->flags) || asprintf(&text, "%s%s%s", f->name, value == NULL ? "" : "=", value == NULL ? "" : value) == -1)
		return complain("too many flags");
	opt->flags[opt->n_flags++] = text;
	return 0;
}

static bool
flags_fit(const struct control_command *cmd, const struct options *opt, struct err *err)
{
	for (size_t i = 0; i < opt->n_flags; i++)
		for (size_t k = 0; k < NELEM(verb_flags); k++) {
			size_t n = strlen(verb_flags[k].name);

			if (strncmp(opt->flags[i], verb_flags[k].name, n) != 0 ||
			    (opt->flags[i][n] != '\0' && opt->flags[i][n] != '='))
				continue;
			if (strcmp(cmd->verb, verb_flags[k].verb) != 0) {
				(void)err_set(err, ERR_INVALID, "--%s goes with %s only", verb_flags[k].name, verb_flags[k].verb);
				return false;
			}
		}
	return true;
}

static int
run_verb(const struct control_command *cmd, char **argv, int argc, const struct options *opt)
{
	const char		*words[16];
	struct edsctl_call	 call = { .data_dir = opt->data_dir, .verb = cmd->verb, .args = words };

	for (int i = 0; i < argc; i++)
		words[call.n_args++] = argv[i];		/* arguments_fit() has counted them */
	for (size_t i = 0; i < opt->n_flags; i++)
		words[call.n_args++] = opt->flags[i];

	if (cmd->where == CONTROL_LOCAL && strcmp(cmd->verb, "version") == 0) {
		(void)printf("edsctl %s\n", EDS_VERSION);
		return CONTROL_OK;
	}
	if (cmd->where == CONTROL_LOCAL && strcmp(cmd->verb, "logs") == 0)
		return edsctl_logs(opt->data_dir, argc == 0 ? NULL : argv[0], opt->follow, opt->json);
	if (cmd->where == CONTROL_LOCAL && strcmp(cmd->verb, "completion") == 0)
		return completion_print("edsctl", argv[0]) == 0 ? CONTROL_OK : CONTROL_USAGE;
	if (cmd->where == CONTROL_LOCAL)
		return help(argc == 0 ? NULL : argv[0]);
	call.timeout_ms = 1000 * (int64_t)(opt->timeout_s != 0 ? opt->timeout_s : opt->watch ? WATCH_TIMEOUT_S : TIMEOUT_S);
	return opt->watch ? watch(&call, opt) : ask_once(&call, opt);
}

/* Whether verb and arguments make sense; says so when not. */
static bool
arguments_fit(const struct control_command *cmd, char **argv, int argc, const struct options *opt)
{
	struct slice	 words[17];
	struct ipc_strs	 args = { words, 0 };
	struct err	 err = { 0 };

	for (int i = 0; i < argc && args.n < NELEM(words); i++)
		words[args.n++] = slice_of(argv[i]);
	for (size_t i = 0; i < opt->n_flags && args.n < NELEM(words); i++)
		words[args.n++] = slice_of(opt->flags[i]);
	if (opt->watch && strcmp(cmd->verb, "status") != 0)
		err_set(&err, ERR_INVALID, "--watch goes with status only");
	else if (opt->follow && strcmp(cmd->verb, "logs") != 0)
		err_set(&err, ERR_INVALID, "-f goes with logs only");
	else if (flags_fit(cmd, opt, &err) && control_command_check(cmd, &args, &err) == 0)
		return true;
	(void)complain(err.text);
	return false;
}

/* 0, or -1 after a complaint, or 1 when all is done. */
static int
parse_options(int argc, char **argv, struct options *opt)
{
	enum { TIMEOUT = 256 };
	struct option longs[7 + NELEM(verb_flags)] = {
		{ "data-dir", required_argument, NULL, 'd' },
		{ "follow", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ "watch", no_argument, NULL, 'w' },
		{ "timeout", required_argument, NULL, TIMEOUT },
		{ "help", no_argument, NULL, 'h' },
	};
	int	 c;

	for (int i = 0; i < (int)NELEM(verb_flags); i++)
		longs[6 + i] = (struct option){ verb_flags[i].name, verb_flags[i].argument, NULL, VERB_FLAG + i };

	while ((c = getopt_long(argc, argv, "d:fjwh", longs, NULL)) != -1) {
		switch (c) {
		case 'd':
			opt->data_dir = optarg;
			break;
		case 'f':
			opt->follow = true;
			break;
		case 'j':
			opt->json = true;
			break;
		case 'w':
			opt->watch = true;
			break;
		case TIMEOUT:
			if (!slice_u64(slice_of(optarg), &opt->timeout_s) || opt->timeout_s == 0 || opt->timeout_s > 86400) {
				(void)complain("--timeout takes whole seconds, from 1 to 86400");
				return -1;
			}
			break;
		case 'h':
			usage(stdout);
			return 1;
		default:
			if (c >= VERB_FLAG) {
				if (take_verb_flag(opt, &verb_flags[c - VERB_FLAG], optarg) != 0)
					return -1;
				break;
			}
			(void)complain("see edsctl help");
			return -1;
		}
	}
	if (opt->data_dir == NULL)
		opt->data_dir = control_default_dir();
	return 0;
}

static int
run(int argc, char **argv, struct options *opt)
{
	const struct control_command	*cmd;
	int				 rc = parse_options(argc, argv, opt);

	if (rc != 0)
		return rc < 0 ? CONTROL_USAGE : CONTROL_OK;
	argc -= optind;
	argv += optind;
	if (argc == 0) {
		usage(stderr);
		return CONTROL_USAGE;
	}
	if ((cmd = control_command_find(slice_of(argv[0]))) == NULL) {
		(void)fprintf(stderr, "edsctl: there is no verb \"%s\"; see edsctl help\n", argv[0]);
		return CONTROL_USAGE;
	}
	if (!arguments_fit(cmd, argv + 1, argc - 1, opt))
		return CONTROL_USAGE;
	return run_verb(cmd, argv + 1, argc - 1, opt);
}

int
main(int argc, char **argv)
{
	struct options	 opt = { 0 };
	int		 rc;

	if (argc == 2 && strcmp(argv[1], "__complete") == 0) {
		completion_answer(edsctl_complete);
		return CONTROL_OK;
	}
	rc = run(argc, argv, &opt);
	for (size_t i = 0; i < opt.n_flags; i++)
		free(opt.flags[i]);
	return rc;
}
