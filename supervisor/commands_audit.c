/* edsctl audit: who told this server to do what, and its own part of that record. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "supervisor/audit.h"
#include "supervisor/commands.h"

#define SHOWN_USUALLY	20
#define SHOWN_MOST	500

/* What only looks leaves no trace. */
static bool
only_looks(const char *verb, const struct ipc_strs *args)
{
	static const char *const	 verbs[] = { "ping", "status", "why", "check", "journal", "audit" };
	static const char *const	 parts[] = { "list", "show", "export" };

	for (size_t i = 0; i < NELEM(verbs); i++)
		if (strcmp(verb, verbs[i]) == 0)
			return true;
	if (strcmp(verb, "gap") == 0)
		return args->n == 0;
	if (strcmp(verb, "quarantine") != 0)	/* of another verb, "list" is a destination */
		return false;
	for (size_t i = 0; i < NELEM(parts); i++)
		if (args->n > 0 && slice_is(args->v[0], parts[i]))
			return true;
	return false;
}

/* A command that is under way, for the case that it is refused. */
struct asked {
	struct supervisor	*s;
	char			 verb[32], who[40];
	char			 details[];
};

static void
add(struct asked *a, const char *outcome)
{
	const struct audit_entry	 e = { .from = "local", .who = a->who, .command = a->verb, .details = a->details, .outcome = outcome };
	struct err			 err = { 0 };

	if (audit_add(a->s->audit, &e, &err) == -1)
		log_error(&a->s->log, "%s", err.text);
}

static void
on_refused(void *arg, const char *why)
{
	struct buf	 outcome = { 0 };

	buf_printf(&outcome, "refused: %s", why);
	add(arg, buf_cstr(&outcome));
	buf_free(&outcome);
}

void
commands_audit(struct supervisor *s, struct control_request *r, const char *verb, const struct ipc_strs *args)
{
	struct buf	 details = { 0 };
	struct asked	*a;

	if (only_looks(verb, args))
		return;
	for (size_t i = 0; i < args->n; i++)
		buf_printf(&details, "%s" SLICE_FMT, i == 0 ? "" : " ", SLICE_ARG(args->v[i]));
	if (details.oom || (a = calloc(1, sizeof(*a) + details.len + 1)) == NULL) {
		log_error(&s->log, "memory is short: %s is not in the audit", verb);
	} else {
		a->s = s;
		(void)snprintf(a->verb, sizeof(a->verb), "%s", verb);
		(void)snprintf(a->who, sizeof(a->who), "uid %lld", (long long)control_request_uid(r));
		memcpy(a->details, buf_cstr(&details), details.len + 1);
		add(a, "accepted");
		control_request_on_error(r, on_refused, a);
	}
	buf_free(&details);
}

/* One entry for people: "2026-11-26 18:03:11  hq  configure postgres://...: done". */
static json_t *
line_of(const json_t *e)
{
	time_t		 at = (time_t)(json_integer_value(json_object_get(e, "at")) / 1000);
	const char	*details = json_string_value(json_object_get(e, "details"));
	const char	*from = json_string_value(json_object_get(e, "from")), *who = json_string_value(json_object_get(e, "who"));
	const char	*command = json_string_value(json_object_get(e, "command"));
	const char	*outcome = json_string_value(json_object_get(e, "outcome"));
	char		 when[32] = "";
	struct tm	 tm;

	if (details == NULL || from == NULL || who == NULL || command == NULL || outcome == NULL)
		return NULL;
	if (localtime_r(&at, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	return json_sprintf("%s  %s  %s%s%s: %s", when, strcmp(from, "hq") == 0 ? "HQ" : who, command,
	    details[0] == '\0' ? "" : " ", details, outcome);
}

void
command_audit(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	struct buf	 text = { 0 };
	struct err	 err = { 0 };
	uint64_t	 n = SHOWN_USUALLY;
	json_t		*items, *lines, *item, *line;
	size_t		 i;

	if (args->n > 0 && (!slice_u64(args->v[0], &n) || n == 0 || n > SHOWN_MOST)) {
		control_reply_error(r, CONTROL_USAGE, "usage: edsctl audit [N], with N from 1 to %d", SHOWN_MOST);
		return;
	}
	if (audit_tail(s->audit, (size_t)n, &text, &err) == -1) {
		control_reply_error(r, CONTROL_FAILED, "%s", err.text);
		buf_free(&text);
		return;
	}
	items = json_loadb(buf_cstr(&text), text.len, 0, NULL);
	lines = json_array();
	json_array_foreach(items, i, item) {
		if ((line = line_of(item)) != NULL)
			(void)json_array_append_new(lines, line);
	}
	buf_free(&text);
	command_answer(r, CONTROL_OK, json_pack("{s:s,s:o,s:o}", "message",
	    json_array_size(items) == 0 ? "nobody has told this server anything yet" : "the last commands, the newest at the end",
	    "lines", lines, "items", items));
}
