/* HQ's import: into the destination that HQ configured, and no other. */

#include <stdio.h>

#include "supervisor/hq/answer.h"
#include "supervisor/remote.h"

static void
respond(struct supervisor *s, bool success, const char *message)
{
	struct buf	 b = { 0 };

	answer_import(&b, success, success ? NULL : message, s->sid);
	remote_publish(s, HQ_import, "response", &b);
	buf_free(&b);
}

void
remote_import_refused(struct supervisor *s, const char *why)
{
	respond(s, false, why);
}

static void
on_done(void *arg, enum import_state how, const char *text)
{
	struct supervisor	*s = arg;
	char			 message[900];

	remote_audit(s, HQ_import, "", how == IMPORT_DONE ? "done" : import_state_name(how));
	(void)snprintf(message, sizeof(message), "Error importing data. See the error logs for more details or contact support for "
	    "further assistance. (%.700s)", text);
	respond(s, how == IMPORT_DONE, message);
	if (how != IMPORT_DONE)
		logs_send(s);
}

/* The one that stands in config.toml; NULL: HQ has not configured any. */
static struct destination *
hq_destination(struct supervisor *s)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL && !s->dest[i].leaving &&
		    strncmp(child_destination(s->dest[i].child)->origin, "config.toml", strlen("config.toml")) == 0)
			return &s->dest[i];
	return NULL;
}

void
remote_import(struct supervisor *s, const struct notice *n, const char *reply)
{
	/* Without backfill only the tables are wanted; rows that are there are none of HQ's to delete (hazard H23). */
	const bool			 rows = notice_bool(n, "backfill");
	const struct import_request	 r = { .schema_only = !rows, .keep = !rows };
	struct destination		*d = hq_destination(s);
	struct err			 err = { 0 };

	(void)reply;
	remote_generic(s, HQ_import, "status", true, "");
	if (d == NULL)
		respond(s, false, "no destination has been configured in HQ yet: configure it first");
	else if (imports_begin(s, d, &r, on_done, s, &err) == -1)
		respond(s, false, err.text);
}
