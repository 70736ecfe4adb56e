/*
 * Ranges that the stream no longer held when we came to them.  They are on
 * record in the store before anything behind them is delivered, and stay there after the
 * operator has taken note.
 */

#include <stdlib.h>

#include "supervisor/commands.h"

#define FACT	"gaps"

json_t *
gaps_load(struct supervisor *s)
{
	struct buf	 text = { 0 };
	struct err	 err = { 0 };
	json_t		*list = NULL;

	if (store_fact_get(s->store, FACT, &text, &err) == 0)
		list = json_loadb((const char *)text.data, text.len, 0, NULL);
	buf_free(&text);
	if (json_is_array(list))
		return list;
	json_decref(list);
	return json_array();
}

static int
save(struct supervisor *s, const json_t *list, struct err *err)
{
	char	*text = json_dumps(list, JSON_COMPACT);
	int	 rc = text == NULL ? err_set(err, ERR_NOMEM, "gaps") : store_fact_put(s->store, FACT, slice_of(text), err);

	free(text);
	return rc;
}

static void
count_open(struct supervisor *s, const json_t *list)
{
	const json_t	*gap;
	size_t		 i;

	s->open_gaps = 0;
	s->gap_from = s->gap_to = 0;
	json_array_foreach(list, i, gap) {
		if (json_is_true(json_object_get(gap, "accepted")))
			continue;
		s->open_gaps++;
		if (s->gap_from == 0)
			s->gap_from = (uint64_t)json_integer_value(json_object_get(gap, "from"));
		s->gap_to = (uint64_t)json_integer_value(json_object_get(gap, "to"));
	}
}

void
gaps_init(struct supervisor *s)
{
	json_t	*list = gaps_load(s);

	count_open(s, list);
	json_decref(list);
}

static bool
on_record(const json_t *list, uint64_t from, uint64_t to, const char *why)
{
	const json_t	*gap;
	size_t		 i;

	json_array_foreach(list, i, gap)
		if ((uint64_t)json_integer_value(json_object_get(gap, "from")) == from &&
		    (uint64_t)json_integer_value(json_object_get(gap, "to")) == to &&
		    strcmp(json_string_value(json_object_get(gap, "reason")), why) == 0)
			return true;
	return false;
}

int
gaps_record(struct supervisor *s, uint64_t from, uint64_t to, const char *why)
{
	json_t		*list = gaps_load(s);
	struct err	 err = { 0 };
	int		 rc;

	if (on_record(list, from, to, why)) {
		json_decref(list);
		return 0;
	}
	(void)json_array_append_new(list, json_pack("{s:I,s:I,s:I,s:s,s:b}", "from", (json_int_t)from, "to", (json_int_t)to,
	    "at", (json_int_t)wall_ms(), "reason", why, "accepted", 0));
	if ((rc = save(s, list, &err)) == -1)
		log_error(&s->log, "%s", err.text);
	else {
		count_open(s, list);
		log_write(&s->log, LOG_ERROR, KVS(KV_U64("from", from), KV_U64("to", to)), "gap: the events from %llu to %llu, as far as "
		    "they were for this server, are missing: %s; delivery goes on behind them. An import fills the gap; "
		    "`edsctl gap accept` takes note of it", (unsigned long long)from, (unsigned long long)to, why);
	}
	json_decref(list);
	return rc;
}

/* The stream itself is another one: go on with it, behind `end`. */
static bool
begin_anew(struct supervisor *s, struct control_request *r, uint64_t end)
{
	if (window_count(s->window) > 0 || journal_stats(s->journal)->events > 0) {
		control_reply_error(r, CONTROL_FAILED, "destinations still have events of the old stream to take (edsctl status); "
		    "let them catch up first");
		return false;
	}
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL)
			cursor_begin_anew(child_cursor(s->dest[i].child), end);
	s->source.spilled = 0;
	upstream_begin_anew(s->upstream, end);
	settle_now(s);
	return true;	/* trouble with the store shows in the status and is tried again */
}

static void
accept(struct supervisor *s, struct control_request *r, bool from_start)
{
	json_t		*list, *gap;
	struct err	 err = { 0 };
	const char	*why = "";
	size_t		 i, n = 0;
	char		 message[100];
	bool		 anew = false;

	if (s->upstream != NULL && upstream_state(s->upstream, &why) == UPSTREAM_GAP) {
		uint64_t end = from_start ? 0 : upstream_stats(s->upstream)->stream_end;

		if (end > 0 && gaps_record(s, 1, end, "they were in the stream that was made anew, and you chose to go on behind them") == -1) {
			control_reply_error(r, CONTROL_FAILED, "the store cannot be written; see edsctl status");
			return;
		}
		if (!begin_anew(s, r, end))
			return;
		anew = true;
		log_warn(&s->log, "the stream was made anew; it is taken from %llu on", (unsigned long long)end + 1);
	}
	list = gaps_load(s);
	json_array_foreach(list, i, gap) {
		if (json_is_true(json_object_get(gap, "accepted")))
			continue;
		(void)json_object_set_new(gap, "accepted", json_true());
		n++;
	}
	if (save(s, list, &err) == -1)
		control_reply_error(r, CONTROL_FAILED, "%s", err.text);
	else {
		count_open(s, list);
		(void)snprintf(message, sizeof(message), n > 0 ? "%zu noted" : anew ?
		    "the new stream is taken from its start" : "there was nothing to take note of", n);
		log_info(&s->log, "edsctl gap accept: %s", message);
		command_answer(r, CONTROL_OK, json_pack("{s:s}", "message", message));
	}
	json_decref(list);
}

static void
show(struct supervisor *s, struct control_request *r)
{
	json_t		*list = gaps_load(s), *lines = json_array(), *gap;
	const char	*why = "";
	size_t		 i;

	if (s->upstream != NULL && upstream_state(s->upstream, &why) == UPSTREAM_GAP)
		(void)json_array_append_new(lines, json_string(why));
	json_array_foreach(list, i, gap) {
		struct buf line = { 0 };

		buf_printf(&line, "%lld to %lld, found ", (long long)json_integer_value(json_object_get(gap, "from")),
		    (long long)json_integer_value(json_object_get(gap, "to")));
		buf_duration(&line, wall_ms() - json_integer_value(json_object_get(gap, "at")));
		buf_printf(&line, " ago%s: %s", json_is_true(json_object_get(gap, "accepted")) ? ", noted" : "",
		    json_string_value(json_object_get(gap, "reason")));
		(void)json_array_append_new(lines, json_string(buf_cstr(&line)));
		buf_free(&line);
	}
	command_answer(r, s->open_gaps > 0 ? CONTROL_DEGRADED : CONTROL_OK, json_pack("{s:s,s:o,s:o}", "message",
	    json_array_size(lines) == 0 ? "no gaps: nothing is missing" : "gaps in the stream:", "lines", lines, "items", list));
}

void
command_gap(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	if (args->n == 0 || slice_is(args->v[0], "list"))
		show(s, r);
	else if (slice_is(args->v[0], "accept") && (args->n == 1 || slice_is(args->v[1], "from-start")))
		accept(s, r, args->n == 2);
	else
		control_reply_error(r, CONTROL_USAGE, "usage: edsctl gap [list | accept [from-start]]");
}
