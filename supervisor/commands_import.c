/* edsctl import NAME: begins one, or cancels the one that is under way. */

#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/clock.h"
#include "supervisor/commands.h"

#define LIST_MAX	256u

struct request {
	struct import_request	 r;
	const char		*only[LIST_MAX + 1], *companies[LIST_MAX + 1], *locations[LIST_MAX + 1];
	char			*texts;		/* what the request points to */
	bool			 cancel, bad_time;
};

/* A comma separated list into `room`, which gets a NULL at its end. */
static bool
take_list(const char **room, const char *const **list_r, char *text)
{
	size_t	 n = 0;

	for (char *rest = text, *one; (one = strsep(&rest, ",")) != NULL; ) {
		if (one[0] == '\0' || n == LIST_MAX)
			return false;
		room[n++] = one;
	}
	room[n] = NULL;
	*list_r = room;
	return true;
}

/* "dry-run", "only=order,customer" ...: what edsctl makes of its flags. */
static bool
take_option(struct request *q, char *text)
{
	char	*value = strchr(text, '=');

	if (value != NULL)
		*value++ = '\0';
	if (strcmp(text, "cancel") == 0)
		q->cancel = true;
	else if (strcmp(text, "dry-run") == 0)
		q->r.dry_run = true;
	else if (strcmp(text, "no-delete") == 0)
		q->r.keep = true;
	else if (strcmp(text, "schema-only") == 0)
		q->r.schema_only = true;
	else if (strcmp(text, "single") == 0)
		q->r.single = true;
	else if (value == NULL || value[0] == '\0')
		return false;
	else if (strcmp(text, "only") == 0)
		return take_list(q->only, &q->r.only, value);
	else if (strcmp(text, "company-ids") == 0)
		return take_list(q->companies, &q->r.company_ids, value);
	else if (strcmp(text, "location-ids") == 0)
		return take_list(q->locations, &q->r.location_ids, value);
	else if (strcmp(text, "job-id") == 0)
		q->r.job_id = value;
	else if (strcmp(text, "dir") == 0)
		q->r.dir = value;
	else if (strcmp(text, "timeOffset") == 0)
		q->bad_time = !rfc3339_parse_ms(slice_of(value), &q->r.time_offset_ms);
	else
		return false;
	return true;
}

static bool
take_options(struct request *q, const struct ipc_strs *args)
{
	size_t	 room = 1;
	char	*at;

	for (size_t i = 1; i < args->n; i++)
		room += args->v[i].n + 1;
	if ((q->texts = at = malloc(room)) == NULL)
		return false;
	for (size_t i = 1; i < args->n; i++) {
		(void)memcpy(at, args->v[i].p, args->v[i].n);
		at[args->v[i].n] = '\0';
		if (!take_option(q, at))
			return false;
		at += args->v[i].n + 1;
	}
	return !q->cancel || args->n == 2;
}

static void
run(struct supervisor *s, struct control_request *r, struct destination *d, const struct request *q)
{
	struct err	 err = { 0 };
	int		 rc = q->cancel ? imports_cancel(s, d, &err) : imports_begin(s, d, &q->r, NULL, NULL, &err);

	if (rc == -1)
		control_reply_error(r, CONTROL_FAILED, "%s", err.text);
	else if (q->cancel)
		control_reply_message(r, "the import into %s is being cancelled; what was there stays", child_name(d->child));
	else
		control_reply_message(r, "the import into %s has begun; edsctl status shows how far it is", child_name(d->child));
}

void
command_import(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	struct request		 q = { .cancel = false };
	struct destination	*d;

	if (!take_options(&q, args))
		control_reply_error(r, CONTROL_USAGE, "usage: edsctl import NAME [--only TABLES] [--dry-run] [--no-delete] [--schema-only] "
		    "[--timeOffset TIME] [--job-id ID | --dir FOLDER], or edsctl import NAME --cancel");
	else if (q.bad_time)
		control_reply_error(r, CONTROL_USAGE, IMPORT_TIME_WANTED);
	else if ((d = command_destination(s, r, args->v[0])) != NULL)
		run(s, r, d, &q);
	free(q.texts);
}
