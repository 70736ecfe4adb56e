/*
 * `eds import` beside a server on the same data directory: only one process may
 * write to the store (hazard H20), so the server is asked to do it, and watched.
 */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ipc/base/clock.h"
#include "supervisor/cli/cli.h"
#include "supervisor/control/control_commands.h"
#include "supervisor/control/edsctl_client.h"
#include "supervisor/control/edsctl_text.h"
#include "supervisor/supervisor.h"

#define CALL_MS		30000
#define WATCH_MS	500

const struct destination_config *
import_destination(const struct config *c, const char *url)
{
	for (size_t i = 0; i < c->n_destinations; i++)
		if (strcmp(c->destinations[i].url, url) == 0)
			return &c->destinations[i];
	return NULL;
}

/* The server's answer as JSON, for the caller to json_decref(). */
static json_t *
call(const struct config *c, const char *verb, const char *const *args, size_t n, struct err *err)
{
	const struct edsctl_call	 what = { .data_dir = c->data_dir, .verb = verb, .args = args, .n_args = n, .timeout_ms = CALL_MS };
	struct edsctl_answer		 answer;
	json_t				*doc;

	if (edsctl_call(&what, &answer, err) != 0)
		return NULL;
	doc = json_loadb(buf_cstr(&answer.json), answer.json.len, 0, NULL);
	buf_free(&answer.json);
	if (doc == NULL)
		(void)err_set(err, ERR_INVALID, "the server's answer cannot be read");
	else if (!json_is_true(json_object_get(doc, "ok"))) {
		const char *why = json_string_value(json_object_get(doc, "error"));

		(void)err_set(err, ERR_CONFLICT, "%s", why == NULL ? "the server refuses it without a reason" : why);
		json_decref(doc);
		return NULL;
	}
	return doc;
}

static int
begin(const struct cli *cli, const struct config *c, const char *name, struct err *err)
{
	struct import_words	 words;
	const char		*args[IMPORT_WORDS_MAX + 1] = { name };
	json_t			*doc = NULL;

	import_words_make(&words, cli);
	for (size_t i = 0; i < words.n; i++)
		args[i + 1] = words.word[i];
	if (words.oom)
		(void)err_set(err, ERR_NOMEM, "import");
	else
		doc = call(c, "import", args, words.n + 1, err);
	json_decref(doc);
	import_words_free(&words);
	return doc == NULL ? -1 : 0;
}

static const json_t *
find(const json_t *doc, const char *name)
{
	const json_t	*list = json_object_get(doc, "destinations"), *d;
	size_t		 i;

	json_array_foreach(list, i, d)
		if (json_is_string(json_object_get(d, "name")) && strcmp(json_string_value(json_object_get(d, "name")), name) == 0)
			return d;
	return NULL;
}

static uint64_t
number(const json_t *o, const char *key)
{
	json_int_t	 v = json_integer_value(json_object_get(o, key));

	return v < 0 ? 0 : (uint64_t)v;
}

/* Until it is over: 0 and how it ended, or -1. */
static int
watch(const struct config *c, const char *name, const struct log *lg, int64_t began_ms, struct err *err)
{
	struct timespec	 ts = { .tv_nsec = WATCH_MS * 1000000L };
	json_t		*doc;

	while ((doc = call(c, "status", NULL, 0, err)) != NULL) {
		const json_t *d = find(doc, name), *im = json_object_get(d, "import"), *last = json_object_get(d, "last_import");
		const char *state = json_string_value(json_object_get(last, "state"));

		if (im != NULL) {
			const struct text_import picture = text_import_of(im);

			import_show(lg, &picture);
		} else if (last != NULL && json_integer_value(json_object_get(last, "ended")) >= began_ms && state != NULL) {
			bool done = strcmp(state, "done") == 0;

			import_show_end();
			if (done)
				log_info(lg, "👋 Loaded %llu tables: %llu rows, %llu refused, %llu held back by rules",
				    (unsigned long long)number(last, "tables"), (unsigned long long)number(last, "rows"),
				    (unsigned long long)number(last, "rejected"), (unsigned long long)number(last, "skipped"));
			else
				(void)err_set(err, ERR_IO, "the import %s: %s", state, json_string_value(json_object_get(last, "error")));
			json_decref(doc);
			return done ? 0 : -1;
		} else {	/* a dry run leaves nothing on record but the log */
			import_show_end();
			log_info(lg, "it is over; the server's log says what came of it");
			json_decref(doc);
			return 0;
		}
		json_decref(doc);
		(void)nanosleep(&ts, NULL);
	}
	return -1;
}

/* The configuration that the server runs with, which may be in another file than ours; NULL: it does not say. */
static struct config *
server_config(const struct cli *cli, const struct config *c)
{
	struct config_flags	 flags = cli->flags;
	struct config		*theirs = NULL;
	struct err		 err = { 0 };
	json_t			*doc = call(c, "status", NULL, 0, &err);

	flags.config_file = json_string_value(json_object_get(json_object_get(doc, "server"), "config_file"));
	if (flags.config_file == NULL || flags.config_file[0] == '\0' || config_load(&theirs, &flags, &err) == -1)
		theirs = NULL;
	json_decref(doc);
	return theirs;
}

/* Rules that were named here must be those of the server, which does the work. */
static int
check_rules(const struct cli *cli, const struct config *c, struct err *err)
{
	const char	*given = cli->flags.schema_validator, *theirs;
	json_t		*doc;
	int		 rc = 0;

	if (given == NULL || given[0] == '\0')
		return 0;
	if ((doc = call(c, "status", NULL, 0, err)) == NULL)
		return -1;
	theirs = json_string_value(json_object_get(json_object_get(doc, "server"), "schema_validator"));
	if (theirs == NULL || strcmp(theirs, c->schema_validator) != 0)
		rc = err_set(err, ERR_CONFIG, "--schema-validator: the running server goes by %s; write schema_validator = %s into its eds.conf, "
		    "and: edsctl reload", theirs == NULL || theirs[0] == '\0' ? "no rules" : theirs, c->schema_validator);
	json_decref(doc);
	return rc;
}

int
import_ask_server(const struct cli *cli, const struct config *c, const struct log *lg, const struct err *why_not_here)
{
	struct config			*theirs = server_config(cli, c);
	const struct destination_config	*d = import_destination(theirs == NULL ? c : theirs, cli->import.url);
	int64_t				 began_ms = wall_ms();
	struct err			 err = { 0 };
	int				 code = EXIT_FATAL;

	if (d == NULL)
		log_error(lg, "%s; and it has no destination with that URL: add one to eds.conf, then: edsctl import NAME", why_not_here->text);
	else {
		log_info(lg, "a server is running on %s: it imports into its destination %s", c->data_dir, d->name);
		if (check_rules(cli, c, &err) == 0 && begin(cli, c, d->name, &err) == 0 && watch(c, d->name, lg, began_ms, &err) == 0)
			code = 0;
		else
			log_error(lg, "%s", err.text);
	}
	config_free(&theirs);
	return code;
}
