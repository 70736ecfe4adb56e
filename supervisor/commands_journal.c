/* edsctl journal: what waits on disk, for whom, and whether it can be read. */

#include <stdio.h>

#include "supervisor/commands.h"

#define CHECK_MOST	20	/* damaged events that are named one by one */

struct check {
	uint64_t	 good, bad;
	json_t		*lines;
};

static int
check_one(void *arg, const struct journal_entry *e)
{
	struct check	*c = arg;
	char		 line[100];

	if (e->payload.p != NULL) {
		c->good++;
		return 0;
	}
	if (c->bad++ < CHECK_MOST) {
		(void)snprintf(line, sizeof(line), "event %llu cannot be read", (unsigned long long)e->seq);
		(void)json_array_append_new(c->lines, json_string(line));
	}
	return 0;
}

static void
check(struct supervisor *s, struct control_request *r)
{
	struct check	 c = { .lines = json_array() };
	struct err	 err = { 0 };
	char		 message[200];

	if (journal_read(s->journal, 0, check_one, &c, &err) == -1) {
		control_reply_error(r, CONTROL_FAILED, "after %llu good events: %s", (unsigned long long)c.good, err.text);
		json_decref(c.lines);
		return;
	}
	(void)snprintf(message, sizeof(message), "%llu events can be read, %llu cannot", (unsigned long long)c.good,
	    (unsigned long long)c.bad);
	command_answer(r, c.bad == 0 ? CONTROL_OK : CONTROL_DEGRADED, json_pack("{s:s,s:o,s:I,s:I}", "message", message,
	    "lines", c.lines, "readable", (json_int_t)c.good, "unreadable", (json_int_t)c.bad));
}

static void
show(struct supervisor *s, struct control_request *r)
{
	const struct journal_stats	*st = journal_stats(s->journal);
	json_t				*lines = json_array(), *needed = json_array();
	struct buf			 message = { 0 };

	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct child *c = s->dest[i].child;
		char line[300];

		if (c == NULL || child_cursor(c)->seq >= st->last_seq || st->events == 0)
			continue;
		(void)json_array_append_new(needed, json_pack("{s:s,s:I,s:I}", "destination", child_name(c), "cursor",
		    (json_int_t)child_cursor(c)->seq, "behind", (json_int_t)child_cursor(c)->behind));
		(void)snprintf(line, sizeof(line), "%s needs it: it has everything up to %llu, %llu %s",
		    child_name(c), (unsigned long long)child_cursor(c)->seq, (unsigned long long)child_cursor(c)->behind,
		    child_cursor(c)->behind == 1 ? "event is waiting" : "events are waiting");
		(void)json_array_append_new(lines, json_string(line));
	}
	if (!journal_enabled(s->journal))
		buf_adds(&message, "there is no journal (journal_size = 0)");
	else if (st->events == 0)
		buf_adds(&message, "the journal is empty: every destination keeps up");
	else
		buf_printf(&message, "%llu %s from %llu to %llu, %llu KiB of %llu MiB%s%s",
		    (unsigned long long)st->events, st->events == 1 ? "event" : "events",
		    (unsigned long long)st->first_seq, (unsigned long long)st->last_seq,
		    (unsigned long long)st->bytes >> 10, (unsigned long long)s->config->journal_size >> 20,
		    s->journal_trouble[0] == '\0' ? "" : "; ", s->journal_trouble);
	command_answer(r, s->journal_trouble[0] == '\0' ? CONTROL_OK : CONTROL_DEGRADED,
	    json_pack("{s:s,s:o,s:o,s:o}", "message", buf_cstr(&message), "lines", lines, "needed_by", needed, "journal", status_journal(s)));
	buf_free(&message);
}

void
command_journal(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	if (args->n == 0)
		show(s, r);
	else if (slice_is(args->v[0], "check"))
		check(s, r);
	else
		control_reply_error(r, CONTROL_USAGE, "usage: edsctl journal [check]");
}
