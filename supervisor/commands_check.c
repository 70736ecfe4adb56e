/*
 * edsctl check --connect: asks every destination of eds.conf as it stands on the
 * disk whether it would take events, all at once, each from a process of its own.
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/child/oneshot.h"
#include "supervisor/commands.h"

/* One destination that is asked. */
struct connect_test {
	struct connect_run	*run;
	struct oneshot		*oneshot;
	char			*name;
};

struct connect_run {
	struct supervisor	*sup;
	struct connect_run	*next;
	struct control_request	*request;
	struct connect_test	*tests;
	size_t			 n, left;
	size_t			 failed;
	json_t			*results, *lines;
};

static void
run_free(struct connect_run *run)
{
	struct connect_run	**at = &run->sup->connect_runs;

	while (*at != NULL && *at != run)
		at = &(*at)->next;
	if (*at == run)
		*at = run->next;
	for (size_t i = 0; i < run->n; i++) {
		oneshot_cancel(&run->tests[i].oneshot);
		free(run->tests[i].name);
	}
	free(run->tests);
	json_decref(run->results);
	json_decref(run->lines);
	free(run);
}

static void
answer(struct connect_run *run)
{
	char	 message[120];

	(void)snprintf(message, sizeof(message), "the configuration is fine; %zu of %zu destinations can be used", run->n - run->failed,
	    run->n);
	command_answer(run->request, run->failed == 0 ? CONTROL_OK : CONTROL_DEGRADED, json_pack("{s:s,s:O,s:O}", "message", message,
	    "lines", run->lines, "destinations", run->results));
	run_free(run);
}

static void
note(struct connect_test *t, enum oneshot_result result, const char *text)
{
	struct connect_run	*run = t->run;
	char			 line[900];

	run->failed += result != ONESHOT_FINE;
	(void)snprintf(line, sizeof(line), "%s: %s", t->name, result == ONESHOT_FINE ? "fine" : text);
	(void)json_array_append_new(run->lines, json_string(line));
	(void)json_array_append_new(run->results, json_pack("{s:s,s:s,s:s}", "name", t->name, "result", oneshot_result_name(result),
	    "reason", text));
	run->left--;
}

static void
tested(void *arg, enum oneshot_result result, const char *text)
{
	struct connect_test	*t = arg;

	t->oneshot = NULL;
	note(t, result, text);
	if (t->run->left == 0)
		answer(t->run);
}

static void
begin_test(struct connect_test *t, const struct config *config, const struct destination_config *d)
{
	struct supervisor		*s = t->run->sup;
	const struct oneshot_settings	 settings = {
		.loop = s->loop, .program = s->worker_program, .destination = d->name, .url = d->url,
		.update_strategy = config->update_strategy, .session = s->sid == NULL ? "" : s->sid,
		.data_dir = config->data_dir,
	};
	struct err			 err = { 0 };

	if ((t->name = strdup(d->name)) == NULL)
		(void)err_set(&err, ERR_NOMEM, "memory is short");
	else if (oneshot_test(&t->oneshot, &settings, tested, t, &err) == 0)
		return;
	note(t, ONESHOT_TROUBLE, err.text);
}

void
command_check_connect(struct supervisor *s, struct control_request *r)
{
	struct connect_run	*run = NULL;
	struct config		*fresh = NULL;
	struct err		 err = { 0 };

	if (config_load(&fresh, s->flags, &err) == -1) {
		control_reply_error(r, CONTROL_FAILED, "%s", err.text);
		return;
	}
	if ((run = calloc(1, sizeof(*run))) == NULL ||
	    (run->tests = calloc(fresh->n_destinations + 1, sizeof(*run->tests))) == NULL) {
		control_reply_error(r, CONTROL_FAILED, "memory is short");
		free(run);
		config_free(&fresh);
		return;
	}
	run->sup = s;
	run->request = r;
	run->results = json_array();
	run->lines = json_array();
	run->n = run->left = fresh->n_destinations;
	run->next = s->connect_runs;
	s->connect_runs = run;
	for (size_t i = 0; i < fresh->n_destinations; i++) {
		run->tests[i].run = run;
		begin_test(&run->tests[i], fresh, &fresh->destinations[i]);
	}
	config_free(&fresh);
	if (run->left == 0)
		answer(run);
}

void
command_check_end(struct supervisor *s)
{
	while (s->connect_runs != NULL) {
		control_reply_error(s->connect_runs->request, CONTROL_FAILED, "the server is ending");
		run_free(s->connect_runs);
	}
}
