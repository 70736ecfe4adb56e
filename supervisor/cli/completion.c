/* What can stand at the cursor of a command line of eds: `eds __complete` (completion_scripts.h). */

#include "drivers/registry.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/completion_scripts.h"

struct search {
	enum cli_command	 command;
	size_t			 n_args;	/* of the command, before the cursor */
	bool			 flags_over;	/* "--" was there */
	struct slice		 word;		/* under the cursor */
	struct buf		*out;
};

static void
offer(struct search *s, const char *before, const char *text, const char *help)
{
	completion_offer(s->out, s->word, before, text, help);
}

/* The flag that a word such as --dir, --dir=x or -vd names, if the command has it; the value is its own argument's. */
static const struct cli_flag *
flag_of(const struct search *s, struct slice word)
{
	size_t			 n;
	const struct cli_flag	*f = cli_flags(&n);
	bool			 is_long = word.n > 2 && word.p[1] == '-';
	const char		*equals = memchr(word.p, '=', word.n);
	struct slice		 name = { word.p + 2, is_long ? (equals == NULL ? word.n : (size_t)(equals - word.p)) - 2 : 0 };

	for (size_t i = 0; i < n; i++)
		if ((f[i].commands & 1u << s->command) != 0 &&
		    (is_long ? slice_is(name, f[i].name) : word.n > 1 && f[i].letter == word.p[word.n - 1]))
			return &f[i];
	return NULL;
}

static void
offer_value(struct search *s, const struct cli_flag *f)
{
	if ((f->traits & CLI_FOLDER) != 0)
		buf_adds(s->out, ":folders\n");
	else if ((f->traits & CLI_FILE) != 0)
		buf_adds(s->out, ":files\n");
}

static void
offer_flags(struct search *s)
{
	size_t			 n;
	const struct cli_flag	*f = cli_flags(&n);

	for (size_t i = 0; i < n; i++)
		if ((f[i].traits & CLI_HIDDEN) == 0 && (f[i].commands & 1u << s->command) != 0)
			offer(s, "--", f[i].name, f[i].help);
	offer(s, "--", "help", "help about this command");
}

static void
offer_commands(struct search *s, enum cli_command parent)
{
	for (unsigned i = 1; i < CLI_COMMANDS; i++) {
		const struct cli_command_info	*info = cli_command_info((enum cli_command)i);

		if (info->parent == parent && info->shown != 0)
			offer(s, "", info->word, info->help);
	}
}

static void
offer_kinds(struct search *s)
{
	size_t				 n;
	const struct driver_info	*all = driver_info_all(&n);

	for (size_t i = 0; i < n; i++)
		if ((all[i].flags & DRIVER_HIDDEN) == 0)
			offer(s, "", all[i].id, all[i].name);
}

static void
offer_arguments(struct search *s)
{
	const struct cli_command_info	*info = cli_command_info(s->command);

	if (s->n_args == 0)
		offer_commands(s, s->command);
	if (s->n_args + 1 != info->most && info->completes != CLI_COMPLETES_COMMANDS)
		return;
	switch (info->completes) {
	case CLI_COMPLETES_COMMANDS:
		offer_commands(s, CLI_ROOT);
		break;
	case CLI_COMPLETES_KINDS:
		offer_kinds(s);
		break;
	case CLI_COMPLETES_SHELLS:
		for (const struct completion_script *c = completion_scripts; c->shell != NULL; c++)
			offer(s, "", c->shell, "");
		break;
	case CLI_COMPLETES_FILES:
		buf_adds(s->out, ":files\n");
		break;
	case CLI_COMPLETES_NOTHING:
		break;
	}
}

static bool
takes_value(const struct cli_flag *f)
{
	return f != NULL && f->type != CLI_BOOL && f->type != CLI_TRISTATE;
}

/* A command's word or one of its arguments. */
static void
step(struct search *s, struct slice word)
{
	for (unsigned i = 1; i < CLI_COMMANDS && s->n_args == 0; i++)
		if (cli_command_info((enum cli_command)i)->parent == s->command &&
		    slice_is(word, cli_command_info((enum cli_command)i)->word)) {
			s->command = (enum cli_command)i;
			return;
		}
	s->n_args++;
}

/* A word that is complete; the flag whose value the next one is, or NULL. */
static const struct cli_flag *
pass(struct search *s, struct slice word)
{
	const struct cli_flag	*f;

	if (s->flags_over || word.n < 2 || word.p[0] != '-')
		step(s, word);
	else if (slice_is(word, "--"))
		s->flags_over = true;
	else if (memchr(word.p, '=', word.n) == NULL && takes_value(f = flag_of(s, word)))
		return f;
	return NULL;
}

void
cli_complete(struct slice words, struct buf *out)
{
	struct search		 s = { .command = CLI_ROOT, .out = out };
	const struct cli_flag	*wants = NULL;
	struct slice		 next;

	if (words.n > 0 && words.p[words.n - 1] == '\n')
		words.n--;
	if (!slice_cut(&words, '\n', &s.word))
		return;
	while (slice_cut(&words, '\n', &next)) {
		wants = wants != NULL ? NULL : pass(&s, s.word);
		s.word = next;
	}
	if (wants != NULL)
		offer_value(&s, wants);
	else if (s.flags_over || s.word.n == 0 || s.word.p[0] != '-')
		offer_arguments(&s);
	else if (memchr(s.word.p, '=', s.word.n) == NULL)
		offer_flags(&s);
	else if (takes_value(wants = flag_of(&s, s.word)))
		offer_value(&s, wants);
}
