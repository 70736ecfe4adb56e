/* edsctl quarantine: events set aside, looked at, offered again, copied or dropped. */

#include <stdlib.h>

#include "supervisor/commands.h"

#define EXPORT_MOST	1000	/* events of one answer */
#define EXPORT_BYTES	(16u << 20)

/* One walk through a destination's quarantine. */
struct walk {
	const char	*destination;
	json_t		*items, *lines;
	uint64_t	 only;		/* sequence, 0: all          */
	uint64_t	 after;
	bool		 payloads;
	size_t		 n, bytes;
	uint64_t	 next;		/* where an export goes on, 0: it is complete */
};

static json_t *
text_or_base64(json_t *o, struct slice payload)
{
	struct buf	 b64 = { 0 };

	if (slice_is_utf8(payload)) {
		(void)json_object_set_new(o, "payload", json_stringn(payload.p, payload.n));
		return o;
	}
	buf_base64(&b64, payload.p, payload.n);
	(void)json_object_set_new(o, "payload_base64", json_string(buf_cstr(&b64)));
	buf_free(&b64);
	return o;
}

static json_t *
item(const struct walk *w, const struct store_quarantined *q)
{
	json_t	*o = json_pack("{s:s,s:I,s:I,s:I,s:I}", "destination", w->destination, "seq", (json_int_t)q->seq,
		    "attempts", (json_int_t)q->attempts, "at", (json_int_t)q->at_ms, "bytes", (json_int_t)q->payload.n);

	if (o == NULL)
		return NULL;
	(void)json_object_set_new(o, "subject", json_stringn(q->subject.p, q->subject.n));
	(void)json_object_set_new(o, "reason", json_stringn(q->reason.p, q->reason.n));
	return w->payloads ? text_or_base64(o, q->payload) : o;
}

static int
look(void *arg, const struct store_quarantined *q)
{
	struct walk	*w = arg;
	struct buf	 line = { 0 };

	if (q->seq <= w->after || (w->only != 0 && q->seq != w->only))
		return 0;
	if (w->n == EXPORT_MOST || w->bytes > EXPORT_BYTES) {
		w->next = w->after;
		return 1;
	}
	w->n++;
	w->bytes += w->payloads ? q->payload.n : 0;
	w->after = q->seq;
	(void)json_array_append_new(w->items, item(w, q));
	buf_printf(&line, "%s %llu, ", w->destination, (unsigned long long)q->seq);
	buf_duration(&line, wall_ms() - q->at_ms);
	buf_printf(&line, " ago, %llu %s, " SLICE_FMT ": " SLICE_FMT, (unsigned long long)q->attempts,
	    q->attempts == 1 ? "attempt" : "attempts", SLICE_ARG(q->subject),
	    (int)(q->reason.n > 300 ? 300 : q->reason.n), q->reason.p);
	(void)json_array_append_new(w->lines, json_string(buf_cstr(&line)));
	if (w->only != 0 && slice_is_utf8(q->payload))
		(void)json_array_append_new(w->lines, json_stringn(q->payload.p, q->payload.n));
	buf_free(&line);
	return 0;
}

static bool
walk(struct supervisor *s, struct control_request *r, struct walk *w)
{
	struct err	 err = { 0 };

	if (store_quarantine_each(s->store, w->destination, look, w, &err) == 0)
		return true;
	control_reply_error(r, CONTROL_FAILED, "%s", err.text);
	json_decref(w->items);
	json_decref(w->lines);
	return false;
}

static void
list(struct supervisor *s, struct control_request *r, struct destination *only)
{
	struct walk	 w = { .items = json_array(), .lines = json_array() };

	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct destination *d = &s->dest[i];

		if (d->child == NULL || (only != NULL && d != only))
			continue;
		w.destination = child_name(d->child);
		w.after = 0;
		if (!walk(s, r, &w))
			return;
	}
	command_answer(r, CONTROL_OK, json_pack("{s:s,s:o,s:o}", "message", w.n == 0 ? "nothing is set aside" :
	    w.n == EXPORT_MOST ? "the first 1000 events set aside:" : "events set aside:", "lines", w.lines, "items", w.items));
}

static void
show(struct supervisor *s, struct control_request *r, struct destination *d, uint64_t seq)
{
	struct walk	 w = { .destination = child_name(d->child), .items = json_array(), .lines = json_array(), .only = seq,
			    .payloads = true };

	if (!walk(s, r, &w))
		return;
	if (w.n == 0) {
		control_reply_error(r, CONTROL_FAILED, "event %llu is not in the quarantine of %s", (unsigned long long)seq,
		    w.destination);
		json_decref(w.items);
		json_decref(w.lines);
		return;
	}
	command_answer(r, CONTROL_OK, json_pack("{s:o,s:O}", "lines", w.lines, "item", json_array_get(w.items, 0)));
	json_decref(w.items);
}

static void
export(struct supervisor *s, struct control_request *r, struct destination *d, uint64_t after)
{
	struct walk	 w = { .destination = child_name(d->child), .items = json_array(), .lines = json_array(), .after = after,
			    .payloads = true };
	json_t		*o;
	size_t		 i;

	if (!walk(s, r, &w))
		return;
	json_decref(w.lines);
	w.lines = json_array();
	json_array_foreach(w.items, i, o) {
		json_t *payload = json_object_get(o, "payload");

		(void)json_array_append(w.lines, payload != NULL ? payload : json_object_get(o, "payload_base64"));
	}
	command_answer(r, CONTROL_OK, json_pack("{s:o,s:o,s:I}", "lines", w.lines, "items", w.items, "next", (json_int_t)w.next));
}

static void
drop(struct supervisor *s, struct control_request *r, struct destination *d, uint64_t seq)
{
	struct walk	 w = { .destination = child_name(d->child), .items = json_array(), .lines = json_array(), .only = seq };
	struct err	 err = { 0 };
	uint64_t	 dropped = 0;

	if (!walk(s, r, &w))
		return;
	for (size_t i = 0; i < json_array_size(w.items); i++) {
		uint64_t one = (uint64_t)json_integer_value(json_object_get(json_array_get(w.items, i), "seq"));

		if (store_quarantine_drop(s->store, w.destination, one, &err) == -1)
			break;
		d->quarantined -= d->quarantined > 0;
		dropped++;
	}
	json_decref(w.items);
	json_decref(w.lines);
	if (err.code != ERR_NONE)
		control_reply_error(r, CONTROL_FAILED, "%s", err.text);
	else if (dropped == 0 && seq != 0)
		control_reply_error(r, CONTROL_FAILED, "event %llu is not in the quarantine of %s", (unsigned long long)seq, w.destination);
	else {
		log_info(&s->log, "%llu events dropped from the quarantine of %s", (unsigned long long)dropped, w.destination);
		command_answer(r, CONTROL_OK, json_pack("{s:s,s:I}", "message", "dropped", "dropped", (json_int_t)dropped));
	}
}

/* Offering again, one event after the other; lives until the last of them has its answer. */
struct retry_job {
	struct supervisor	*sup;
	struct control_request	*request;
	char			 name[64];
	uint64_t		 only, after;
	uint64_t		 stored, kept;
	char			 why[400];
};

struct next_event {
	const struct retry_job	*job;
	struct child		*child;
	struct child_retry	 retry;
	struct err		 err;
	bool			 found, refused;
};

static void	retry_next(struct retry_job *);

static void
retry_over(struct retry_job *j)
{
	json_t	*doc;

	if (j->stored + j->kept == 0 && j->why[0] == '\0')
		control_reply_error(j->request, CONTROL_FAILED, "there is no such event in the quarantine of %s", j->name);
	else if (j->kept > 0 || j->why[0] != '\0')
		control_reply_error(j->request, CONTROL_FAILED, "%llu stored, %llu stay in the quarantine of %s: %s",
		    (unsigned long long)j->stored, (unsigned long long)j->kept, j->name, j->why);
	else {
		doc = json_pack("{s:s,s:I,s:I}", "message", "stored now, and taken out of the quarantine", "stored",
		    (json_int_t)j->stored, "kept", (json_int_t)0);
		command_answer(j->request, CONTROL_OK, doc);
	}
	free(j);
}

static void
retried(void *arg, uint64_t seq, bool stored, const char *why)
{
	struct retry_job	*j = arg;
	struct destination	*d = destination_by_name(j->sup, slice_of(j->name));
	struct err		 err = { 0 };

	if (stored && store_quarantine_drop(j->sup->store, j->name, seq, &err) == 0) {
		j->stored++;
		if (d != NULL)
			d->quarantined -= d->quarantined > 0;
	} else {
		j->kept++;
		(void)snprintf(j->why, sizeof(j->why), "%.*s", (int)sizeof(j->why) - 1, stored ? err.text : why);
	}
	j->after = seq;
	retry_next(j);
}

static int
begin_retry(void *arg, const struct store_quarantined *q)
{
	struct next_event	*n = arg;

	if (q->seq <= n->job->after || (n->job->only != 0 && q->seq != n->job->only))
		return 0;
	n->found = true;
	n->retry.seq = q->seq;
	n->refused = child_retry(n->child, &n->retry, q->subject, q->payload, &n->err) == -1;
	return 1;
}

static void
retry_next(struct retry_job *j)
{
	struct destination	*d = destination_by_name(j->sup, slice_of(j->name));
	struct next_event	 n = { .job = j, .retry = { .done = retried, .arg = j } };
	struct err		 err = { 0 };

	if (d == NULL) {
		(void)snprintf(j->why, sizeof(j->why), "the destination is gone");
		retry_over(j);
		return;
	}
	n.child = d->child;
	if (store_quarantine_each(j->sup->store, j->name, begin_retry, &n, &err) == -1)
		(void)snprintf(j->why, sizeof(j->why), "%.*s", (int)sizeof(j->why) - 1, err.text);
	else if (n.found && !n.refused)
		return;		/* retried() goes on */
	else if (n.found)
		(void)snprintf(j->why, sizeof(j->why), "%.*s", (int)sizeof(j->why) - 1, n.err.text);
	retry_over(j);
}

static void
retry(struct supervisor *s, struct control_request *r, struct destination *d, uint64_t seq)
{
	struct retry_job	*j = calloc(1, sizeof(*j));

	if (j == NULL) {
		control_reply_error(r, CONTROL_FAILED, "memory is short");
		return;
	}
	j->sup = s;
	j->request = r;
	j->only = seq;
	(void)snprintf(j->name, sizeof(j->name), "%s", child_name(d->child));
	retry_next(j);
}

void
command_quarantine(struct supervisor *s, struct control_request *r, const struct ipc_strs *args)
{
	static const char	 usage[] = "usage: edsctl quarantine list [NAME] | show NAME SEQ | retry NAME SEQ|all | "
				    "export NAME [AFTER-SEQ] | drop NAME SEQ|all";
	struct destination	*d = NULL;
	uint64_t		 seq = 0;
	bool			 all = args->n == 3 && slice_is(args->v[2], "all");

	if (args->n >= 2 && (d = command_destination(s, r, args->v[1])) == NULL)
		return;
	if (args->n == 3 && !all && (!slice_u64(args->v[2], &seq) || seq == 0)) {
		control_reply_error(r, CONTROL_USAGE, "`" SLICE_FMT "` is no stream sequence; %s", SLICE_ARG(args->v[2]), usage);
		return;
	}
	if (slice_is(args->v[0], "list") && args->n <= 2)
		list(s, r, d);
	else if (slice_is(args->v[0], "show") && seq != 0)
		show(s, r, d, seq);
	else if (slice_is(args->v[0], "export") && d != NULL && !all)
		export(s, r, d, seq);
	else if (slice_is(args->v[0], "drop") && args->n == 3)
		drop(s, r, d, seq);
	else if (slice_is(args->v[0], "retry") && args->n == 3)
		retry(s, r, d, seq);
	else
		control_reply_error(r, CONTROL_USAGE, "%s", usage);
}
