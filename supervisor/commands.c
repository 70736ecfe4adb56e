/* What edsctl asks for, one function per verb. */

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "supervisor/commands.h"

static struct slice
arg(const struct ipc_strs *args, size_t i)
{
	return i < args->n ? args->v[i] : (struct slice){ NULL, 0 };
}

struct destination *
command_destination(struct supervisor *s, struct control_request *r, struct slice name)
{
	struct destination	*d = destination_by_name(s, name);
	struct buf		 list = { 0 };

	if (d != NULL)
		return d;
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL)
			buf_printf(&list, "%s%s", list.len == 0 ? "" : ", ", child_name(s->dest[i].child));
	control_reply_error(r, CONTROL_FAILED, "no destination is named " SLICE_FMT "; there %s %s", SLICE_ARG(name),
	    list.len == 0 ? "are" : "is", list.len == 0 ? "none" : buf_cstr(&list));
	buf_free(&list);
	return NULL;
}

static void
do_ping(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	(void)s;
	(void)args;
	control_reply_message(r, "eds %s is running (pid %ld)", EDS_VERSION, (long)getpid());
}

static void
do_status(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	struct buf	 json = { 0 };
	bool		 degraded;

	(void)args;
	status_json(s, &json, &degraded);
	control_reply(r, degraded ? CONTROL_DEGRADED : CONTROL_OK, buf_cstr(&json));
	buf_free(&json);
}

static void
do_why(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	struct destination	*d = command_destination(s, r, arg(args, 0));
	struct buf		 json = { 0 };

	if (d == NULL)
		return;
	status_why(s, d, &json);
	control_reply(r, CONTROL_OK, buf_cstr(&json));
	buf_free(&json);
}

static void
pause_or_resume(struct supervisor *s, struct control_request *r, const struct ipc_strs *args, bool pause)
{
	struct destination	*d;
	struct err		 err = { 0 };

	if (args->n == 0) {
		destinations_pause(s, pause);
		control_reply_message(r, pause ? "paused: nothing is delivered until `edsctl resume`" : "resumed");
		return;
	}
	if ((d = command_destination(s, r, arg(args, 0))) == NULL)
		return;
	if (destination_pause(s, d, pause, &err) == -1)
		control_reply_error(r, CONTROL_FAILED, "%s", err.text);
	else
		control_reply_message(r, "%s is %s", child_name(d->child), pause ? "paused" : "resumed");
}

static void
do_pause(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	pause_or_resume(s, r, args, true);
}

static void
do_resume(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	pause_or_resume(s, r, args, false);
}

static void
do_restart(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	struct destination	*d;

	if (args->n == 0) {
		log_info(&s->log, "restart asked for by edsctl");
		control_reply_message(r, "restarting");
		lifetime_end(s, true, 0);
		return;
	}
	if (!slice_is(arg(args, 0), "worker") || args->n != 2) {
		control_reply_error(r, CONTROL_USAGE, "usage: restart [worker NAME]");
		return;
	}
	if ((d = command_destination(s, r, arg(args, 1))) == NULL)
		return;
	log_info(&s->log, "restart of the worker %s asked for by edsctl", child_name(d->child));
	child_event(d->child, CHILD_EV_RESTART);
	control_reply_message(r, "worker %s is restarting", child_name(d->child));
}

static void
reload_or_check(struct supervisor *s, struct control_request *r, bool dry)
{
	struct buf	 changes = { 0 };
	struct err	 err = { 0 };
	json_t		*doc, *list;
	struct slice	 rest, line;

	if (reload(s, dry, &changes, &err) == -1) {
		if (!dry)
			log_error(&s->log, "reload refused, the running configuration stays: %s", err.text);
		control_reply_error(r, CONTROL_FAILED, "%s%s", err.text, dry ? "" : " (the running configuration stays)");
		buf_free(&changes);
		return;
	}
	list = json_array();
	rest = slice_trim(slice_of(buf_cstr(&changes)));
	while (rest.n > 0 && slice_cut(&rest, '\n', &line)) {
		json_array_append_new(list, json_stringn(line.p, line.n));
		if (!dry)
			log_info(&s->log, "reload: " SLICE_FMT, SLICE_ARG(line));
	}
	doc = json_pack("{s:s,s:o}", "message",
	    dry ? "the configuration is fine" : json_array_size(list) == 0 ? "nothing changed" : "reloaded", "changes", list);
	command_answer(r, CONTROL_OK, doc);
	buf_free(&changes);
}

static void
do_reload(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	(void)args;
	reload_or_check(s, r, false);
}

static void
do_check(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	if (slice_is(arg(args, 0), "connect"))
		command_check_connect(s, r);
	else if (args->n > 0)
		control_reply_error(r, CONTROL_USAGE, "usage: edsctl check [--connect]");
	else
		reload_or_check(s, r, true);
}

void
command_answer(struct control_request *r, enum control_status status, json_t *doc)
{
	char	*text = NULL;

	if (doc != NULL && json_object_set_new(doc, "version", json_integer(1)) == 0 &&
	    json_object_set_new(doc, "ok", json_boolean(status == CONTROL_OK || status == CONTROL_DEGRADED)) == 0)
		text = json_dumps(doc, JSON_COMPACT);
	if (text == NULL)
		control_reply_error(r, CONTROL_FAILED, "memory is short");
	else
		control_reply(r, (unsigned)status, text);
	free(text);
	json_decref(doc);
}

void
command(void *sup, struct control_request *r, const char *verb, const struct ipc_strs *args)
{
	static const struct {
		const char	*verb;
		void		(*run)(struct supervisor *, struct control_request *, const struct ipc_strs *);
	} verbs[] = {
		{ "ping", do_ping }, { "status", do_status }, { "why", do_why }, { "pause", do_pause },
		{ "resume", do_resume }, { "restart", do_restart }, { "reload", do_reload }, { "check", do_check },
		{ "quarantine", command_quarantine }, { "journal", command_journal }, { "gap", command_gap }, { "audit", command_audit },
		{ "import", command_import },
	};

	for (size_t i = 0; i < NELEM(verbs); i++)
		if (strcmp(verb, verbs[i].verb) == 0) {
			commands_audit(sup, r, verb, args);
			verbs[i].run(sup, r, args);
			return;
		}
	control_reply_error(r, CONTROL_USAGE, "unknown command %s", verb);
}
