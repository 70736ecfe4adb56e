/*
 * What can stand at the cursor of a command line of edsctl.  Verbs, their arguments and flags come from the usage
 * lines of control_commands.def; names of destinations from the server, if it answers soon.
 */

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>

#include "supervisor/cli/completion_scripts.h"
#include "supervisor/control/control_commands.h"
#include "supervisor/control/control_path.h"
#include "supervisor/control/edsctl_client.h"
#include "supervisor/control/edsctl_complete.h"

#define ARGS_MOST	8u
#define PATIENCE_MS	2000	/* somebody waits at the keyboard */

struct search {
	struct slice			 word;		/* under the cursor */
	struct slice			 data_dir;	/* n == 0: the usual one */
	const struct control_command	*verb;		/* NULL: not there yet */
	struct buf			 usage;		/* of the verb, without brackets */
	struct slice			 args[ARGS_MOST];
	size_t				 n_args;
	bool				 named;		/* names were offered */
	struct buf			*out;
};

/* Flags of every verb. */
static const struct general {
	const char	*name, *help;
	bool		 valued;
} general[] = {
	{ "--data-dir", "the server's data directory", true },
	{ "--json", "the answer as JSON", false },
	{ "--timeout", "wait that many seconds for the answer", true },
	{ "--help", "print a summary", false },
};

static void
offer(struct search *s, const char *text, const char *help)
{
	completion_offer(s->out, s->word, "", text, help);
}

static void
offer_slice(struct search *s, struct slice text)
{
	char	*copy = slice_dup(text);

	if (copy != NULL)
		offer(s, copy, "");
	free(copy);
}

static void
offer_verbs(struct search *s)
{
	size_t				 n;
	const struct control_command	*c = control_commands(&n);

	for (size_t i = 0; i < n; i++)
		offer(s, c[i].verb, c[i].help);
}

/* A server that does not answer is no matter of completion. */
static json_t *
ask_status(const struct search *s)
{
	char			*dir = s->data_dir.n > 0 ? slice_dup(s->data_dir) : NULL;
	struct edsctl_call	 call = { .data_dir = dir != NULL ? dir : control_default_dir(), .verb = "status",
		.timeout_ms = PATIENCE_MS };
	struct edsctl_answer	 answer = { .json = { 0 } };
	struct err		 err;
	json_t			*doc = NULL;

	if (edsctl_call(&call, &answer, &err) == 0)
		doc = json_loadb((const char *)answer.json.data, answer.json.len, 0, NULL);
	buf_free(&answer.json);
	free(dir);
	return doc;
}

static void
offer_names(struct search *s)
{
	json_t		*doc, *d;
	size_t		 i;
	const char	*name, *state;

	if (s->named)
		return;
	s->named = true;
	doc = ask_status(s);
	json_array_foreach(json_object_get(doc, "destinations"), i, d)
		if ((name = json_string_value(json_object_get(d, "name"))) != NULL) {
			state = json_string_value(json_object_get(d, "state"));
			offer(s, name, state == NULL ? "" : state);
		}
	json_decref(doc);
}

/* In usage lines what a person puts in is in capitals. */
static bool
is_placeholder(struct slice token)
{
	return token.n > 0 && isupper((unsigned char)token.p[0]);
}

static bool
is_flag(struct slice token)
{
	return token.n > 1 && token.p[0] == '-';
}

/* The next word of a usage line; false at its end. */
static bool
next_token(struct slice *usage, struct slice *token_r)
{
	do {
		if (!slice_cut(usage, ' ', token_r))
			return false;
	} while (token_r->n == 0);
	return true;
}

/* "--only" in "NAME --only TABLES --dry-run": does a value follow? */
static bool
takes_value(const struct search *s, struct slice flag)
{
	struct slice	 usage = buf_slice(&s->usage), token;

	if (slice_is(flag, "-d"))
		return true;
	for (size_t i = 0; i < NELEM(general); i++)
		if (slice_is(flag, general[i].name))
			return general[i].valued;
	while (next_token(&usage, &token))
		if (slice_eq(token, flag))
			return next_token(&usage, &token) && is_placeholder(token);
	return false;
}

static void
offer_flags(struct search *s)
{
	struct slice	 usage = buf_slice(&s->usage), token;

	for (size_t i = 0; i < NELEM(general); i++)
		offer(s, general[i].name, general[i].help);
	while (next_token(&usage, &token))
		if (is_flag(token) && !slice_is(token, "--json"))
			offer_slice(s, token);
}

static void
offer_value(struct search *s, struct slice flag)
{
	if (slice_is(flag, "-d") || slice_is(flag, "--data-dir") || slice_is(flag, "--dir"))
		buf_adds(s->out, ":folders\n");
}

/* One of "SEQ|all". */
static bool
fits(struct slice token, struct slice arg)
{
	struct slice	 one;

	while (slice_cut(&token, '|', &one))
		if (is_placeholder(one) || slice_eq(one, arg))
			return true;
	return false;
}

static void
offer_token(struct search *s, struct slice token)
{
	struct slice	 one;

	while (slice_cut(&token, '|', &one))
		if (slice_is(one, "NAME"))
			offer_names(s);
		else if (slice_is(one, "VERB"))
			offer_verbs(s);
		else if (!is_placeholder(one))
			offer_slice(s, one);
}

/* One of the forms of a verb: its next argument, if those before the cursor fit. */
static void
offer_form(struct search *s, struct slice form)
{
	struct slice	 token;
	size_t		 i = 0;

	while (next_token(&form, &token)) {
		if (is_flag(token)) {
			if (takes_value(s, token))
				(void)next_token(&form, &token);
		} else if (i == s->n_args) {
			offer_token(s, token);
			return;
		} else if (!fits(token, s->args[i++]))
			return;
	}
}

static void
offer_arguments(struct search *s)
{
	struct slice	 usage = buf_slice(&s->usage), rest = usage;

	/* forms stand between bars with blanks around them */
	for (size_t i = 0; i + 2 < usage.n; i++)
		if (memcmp(usage.p + i, " | ", 3) == 0) {
			offer_form(s, (struct slice){ rest.p, (size_t)(usage.p + i - rest.p) });
			rest = (struct slice){ usage.p + i + 3, usage.n - i - 3 };
		}
	offer_form(s, rest);
}

static void
take_verb(struct search *s, struct slice word)
{
	if ((s->verb = control_command_find(word)) == NULL)
		return;
	for (const char *p = s->verb->usage; *p != '\0'; p++)
		if (*p != '[' && *p != ']')
			buf_addc(&s->usage, *p);
}

/* A word that is complete.  True when it is a flag whose value comes next. */
static bool
pass(struct search *s, struct slice word)
{
	const struct slice	 dir = SLICE("--data-dir=");

	if (is_flag(word)) {
		if (word.n > dir.n && memcmp(word.p, dir.p, dir.n) == 0)
			s->data_dir = (struct slice){ word.p + dir.n, word.n - dir.n };
		return memchr(word.p, '=', word.n) == NULL && takes_value(s, word);
	}
	if (s->verb == NULL)
		take_verb(s, word);
	else if (s->n_args < ARGS_MOST)
		s->args[s->n_args++] = word;
	return false;
}

/* Takes in all words but the last; the flag whose value that one is, or n == 0. */
static struct slice
pass_all(struct search *s, struct slice words)
{
	struct slice	 next, flag = { NULL, 0 };
	bool		 valued;

	while (slice_cut(&words, '\n', &next)) {
		if (flag.n > 0) {
			if (slice_is(flag, "-d") || slice_is(flag, "--data-dir"))
				s->data_dir = s->word;
			valued = false;
		} else
			valued = pass(s, s->word);
		flag = valued ? s->word : (struct slice){ NULL, 0 };
		s->word = next;
	}
	return flag;
}

void
edsctl_complete(struct slice words, struct buf *out)
{
	struct search	 s = { .out = out };
	struct slice	 flag;
	const char	*equals;

	if (words.n > 0 && words.p[words.n - 1] == '\n')
		words.n--;
	if (!slice_cut(&words, '\n', &s.word))
		return;
	flag = pass_all(&s, words);
	if (flag.n > 0)
		offer_value(&s, flag);
	else if (s.word.n > 0 && s.word.p[0] == '-' && (equals = memchr(s.word.p, '=', s.word.n)) != NULL)
		offer_value(&s, (struct slice){ s.word.p, (size_t)(equals - s.word.p) });
	else if (s.word.n > 0 && s.word.p[0] == '-')
		offer_flags(&s);
	else if (s.verb == NULL)
		offer_verbs(&s);
	else
		offer_arguments(&s);
	buf_free(&s.usage);
}
