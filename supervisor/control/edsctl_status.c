/*
 * `edsctl status` for people: a head about the server, a table of destinations, and below it one entry per
 * trouble with what to do about it.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/clock.h"
#include "supervisor/control/edsctl_text.h"

#define LABEL_COLUMNS	10u
#define NAME_LEAST	12u	/* columns that the table keeps for names before it drops others */
#define GAP		2u

static const char *
str(const json_t *object, const char *key)
{
	const json_t	*v = json_object_get(object, key);

	return json_is_string(v) ? json_string_value(v) : "";
}

/* For what every server says: something must stand there even when this one does not. */
static const char *
known(const json_t *object, const char *key)
{
	const char	*s = str(object, key);

	return s[0] == '\0' ? "unknown" : s;
}

static double
num(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static int64_t
epoch(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool
is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static void
add_count(struct buf *out, const json_t *object, const char *key, const char *what)
{
	text_count(out, num(object, key));
	buf_printf(out, " %s", what);
}

/* "label     text", wrapped under itself; empties `text`. */
static void
head_line(struct buf *out, const char *label, struct buf *text, const struct text_style *style)
{
	buf_printf(out, "%-*s", (int)LABEL_COLUMNS, label);
	text_wrap(out, buf_slice(text), LABEL_COLUMNS, LABEL_COLUMNS, style->width);
	out->oom = out->oom || text->oom;
	buf_reset(text);
}

static void
head_server(struct buf *out, const json_t *doc, const struct text_style *style)
{
	const json_t	*server = json_object_get(doc, "server");
	struct buf	 text = { 0 };
	bool		 degraded = json_is_true(json_object_get(doc, "degraded"));

	buf_printf(&text, "%s, eds %s, pid %.0f, up ", is(str(server, "id"), "") ? "not enrolled" : str(server, "id"),
	    known(server, "program"), num(server, "pid"));
	buf_duration(&text, epoch(server, "started") == 0 ? 0 : style->now_ms - epoch(server, "started"));
	buf_adds(&text, ", memory ");
	text_bytes(&text, num(server, "rss_bytes"));
	head_line(out, "server", &text, style);

	text_colour(out, style, degraded ? TEXT_YELLOW : TEXT_GREEN);
	buf_adds(&text, degraded ? "degraded, see below" : "fine");
	head_line(out, "state", &text, style);
	text_colour(out, style, TEXT_PLAIN);
	buf_free(&text);
}

static void
head_session(struct buf *out, const json_t *doc, const struct text_style *style)
{
	const json_t	*session = json_object_get(doc, "session"), *schemas = json_object_get(doc, "schemas");
	struct buf	 text = { 0 };

	buf_adds(&text, known(session, "state"));
	if (!is(str(session, "text"), ""))
		buf_printf(&text, ": %s", str(session, "text"));
	if (epoch(session, "since") != 0) {
		buf_adds(&text, ", began ");
		text_ago(&text, epoch(session, "since"), style->now_ms);
	}
	buf_adds(&text, "; schemas fetched ");
	text_ago(&text, epoch(schemas, "fetched"), style->now_ms);
	head_line(out, "session", &text, style);
	buf_free(&text);
}

static void
head_upstream(struct buf *out, const json_t *doc, const struct text_style *style)
{
	const json_t	*up = json_object_get(doc, "upstream");
	struct buf	 text = { 0 };

	buf_adds(&text, known(up, "state"));
	if (!is(str(up, "text"), ""))
		buf_printf(&text, ": %s", str(up, "text"));
	if (epoch(up, "paused") != 0) {
		buf_adds(&text, ", paused ");
		text_ago(&text, epoch(up, "paused"), style->now_ms);
	}
	if (!is(str(up, "url"), ""))
		buf_printf(&text, ", %s", str(up, "url"));
	if (!is(str(up, "consumer"), ""))
		buf_printf(&text, ", consumer %s", str(up, "consumer"));
	head_line(out, "upstream", &text, style);

	add_count(&text, up, "received", "received (");
	text_bytes(&text, num(up, "received_bytes"));
	buf_adds(&text, "), ");
	add_count(&text, up, "acked", "acknowledged, ");
	add_count(&text, up, "server_pending", "waiting there");
	if (num(up, "redelivered") > 0) {
		buf_adds(&text, ", ");
		add_count(&text, up, "redelivered", "redelivered");
	}
	if (num(up, "reconnects") > 0) {
		buf_adds(&text, ", ");
		add_count(&text, up, "reconnects", num(up, "reconnects") == 1 ? "reconnect" : "reconnects");
	}
	head_line(out, "", &text, style);
	buf_free(&text);
}

static void
head_window(struct buf *out, const json_t *doc, const struct text_style *style)
{
	const json_t	*w = json_object_get(doc, "window");
	struct buf	 text = { 0 };

	text_count(&text, num(w, "events"));
	buf_adds(&text, " of ");
	add_count(&text, w, "limit_events", "events, ");
	text_bytes(&text, num(w, "bytes"));
	buf_adds(&text, " of ");
	text_bytes(&text, num(w, "limit_bytes"));
	if (num(w, "oldest_ms") > 0) {
		buf_adds(&text, ", the oldest ");
		buf_duration(&text, (int64_t)num(w, "oldest_ms"));
		buf_adds(&text, " old");
	}
	head_line(out, "window", &text, style);
	buf_free(&text);
}

static void
head_journal(struct buf *out, const json_t *doc, const struct text_style *style)
{
	const json_t	*j = json_object_get(doc, "journal");
	struct buf	 text = { 0 };

	if (!json_is_true(json_object_get(j, "enabled")))
		return;
	buf_printf(&text, "%s, ", str(j, "state"));
	add_count(&text, j, "events", "events, ");
	text_bytes(&text, num(j, "bytes"));
	buf_adds(&text, " of ");
	text_bytes(&text, num(j, "limit_bytes"));
	head_line(out, "journal", &text, style);
	buf_free(&text);
}

/* The table.  Columns are as wide as what they hold; when they do not fit, those of `first_to_go` are left out. */
enum column { NAME, STATE, BEHIND, RATE, LAST, RESTARTS, QUARANTINED, COLUMNS };

static const struct {
	const char	*title;
	bool		 right;
} columns[COLUMNS] = {
	[NAME]		= { "DESTINATION", false },
	[STATE]		= { "STATE",       false },
	[BEHIND]	= { "BEHIND",      true },
	[RATE]		= { "RATE",        true },
	[LAST]		= { "LAST COMMIT", true },
	[RESTARTS]	= { "RESTARTS",    true },
	[QUARANTINED]	= { "QUARANTINED", true },
};

/* Restarts and quarantined then show below the table, when not 0. */
static const enum column	first_to_go[] = { QUARANTINED, RESTARTS, RATE, LAST };

struct table {
	unsigned	 width[COLUMNS];
	bool		 gone[COLUMNS];
};

static void
cell(struct buf *out, const json_t *d, enum column c, const struct text_style *style)
{
	switch (c) {
	case NAME:
		buf_adds(out, str(d, "name"));
		break;
	case STATE:
		buf_adds(out, known(d, "state"));
		break;
	case BEHIND:
		text_count(out, num(d, "behind"));
		break;
	case RATE:
		text_rate(out, num(d, "rate_1m"));
		break;
	case LAST:
		text_ago(out, epoch(d, "last_commit"), style->now_ms);
		break;
	case RESTARTS:
		text_count(out, num(d, "restarts"));
		break;
	default:
		text_count(out, num(d, "quarantined"));
		break;
	}
}

static unsigned
columns_without_name(const struct table *t)
{
	unsigned	 sum = 0;

	for (size_t c = NAME + 1; c < COLUMNS; c++)
		sum += t->gone[c] ? 0 : t->width[c] + GAP;
	return sum;
}

static void
measure(struct table *t, const json_t *list, const struct text_style *style)
{
	struct buf	 text = { 0 };
	const json_t	*d;
	size_t		 i;

	*t = (struct table){ 0 };
	for (size_t c = 0; c < COLUMNS; c++)
		t->width[c] = (unsigned)strlen(columns[c].title);
	json_array_foreach(list, i, d) {
		for (size_t c = 0; c < COLUMNS; c++) {
			buf_reset(&text);
			cell(&text, d, c, style);
			if (text_columns(buf_slice(&text)) > t->width[c])
				t->width[c] = text_columns(buf_slice(&text));
		}
	}
	buf_free(&text);
	for (i = 0; i < NELEM(first_to_go) && columns_without_name(t) + NAME_LEAST > style->width; i++)
		t->gone[first_to_go[i]] = true;
	if (columns_without_name(t) + t->width[NAME] > style->width)
		t->width[NAME] = style->width - columns_without_name(t);
}

static enum text_colour
state_colour(const char *state)
{
	if (is(state, "failed"))
		return TEXT_RED;
	return is(state, "running") ? TEXT_GREEN : TEXT_YELLOW;
}

/* One cell with its padding; the last column is one that is padded in front. */
static void
put_cell(struct buf *out, struct slice text, const struct table *t, enum column c)
{
	unsigned	 have = text_columns(text), pad = have < t->width[c] ? t->width[c] - have : 0;

	if (columns[c].right)
		buf_printf(out, "%*s", (int)pad, "");
	buf_adds_slice(out, text);
	if (!columns[c].right)
		buf_printf(out, "%*s", (int)pad, "");
}

static void
put_gap(struct buf *out, enum column c)
{
	if (c != NAME)
		buf_printf(out, "%*s", (int)GAP, "");
}

static void
table_head(struct buf *out, const struct table *t, const struct text_style *style)
{
	text_colour(out, style, TEXT_BOLD);
	for (size_t c = 0; c < COLUMNS; c++) {
		if (t->gone[c])
			continue;
		put_gap(out, c);
		put_cell(out, slice_of(columns[c].title), t, c);
	}
	text_colour(out, style, TEXT_PLAIN);
	buf_addc(out, '\n');
}

static void
table_row(struct buf *out, const struct table *t, const json_t *d, const struct text_style *style)
{
	struct buf	 text = { 0 };

	for (size_t c = 0; c < COLUMNS; c++) {
		if (t->gone[c])
			continue;
		buf_reset(&text);
		cell(&text, d, c, style);
		if (c == NAME && text_columns(buf_slice(&text)) > t->width[NAME]) {
			text_wrap(out, buf_slice(&text), 0, 0, style->width);	/* a line of its own */
			buf_reset(&text);
		}
		put_gap(out, c);
		if (c == STATE)
			text_colour(out, style, state_colour(str(d, "state")));
		put_cell(out, buf_slice(&text), t, c);
		if (c == STATE)
			text_colour(out, style, TEXT_PLAIN);
	}
	buf_addc(out, '\n');
	out->oom = out->oom || text.oom;
	buf_free(&text);
}

/* Below the table: "name: what is wrong", and under it what to do. */
static void
trouble(struct buf *out, const struct text_style *style, const char *who, struct buf *what, const char *remedy, ...) PRINTF_LIKE(5, 6);

static void
trouble(struct buf *out, const struct text_style *style, const char *who, struct buf *what, const char *remedy, ...)
{
	struct buf	 text = { 0 };
	va_list		 ap;
	char		 line[300];

	buf_printf(&text, "%s: %s", who, buf_cstr(what));
	text_wrap(out, buf_slice(&text), 0, 4, style->width);
	va_start(ap, remedy);
	(void)vsnprintf(line, sizeof(line), remedy, ap);
	va_end(ap);
	if (line[0] != '\0') {
		buf_adds(out, "  -> ");
		text_wrap(out, slice_of(line), 5, 5, style->width);
	}
	out->oom = out->oom || text.oom || what->oom;
	buf_free(&text);
	buf_reset(what);
}

/* "state 3m ago: reason", or without the reason. */
static void
since_and_why(struct buf *what, const json_t *d, const char *verb, const struct text_style *style)
{
	buf_adds(what, verb);
	if (epoch(d, "since") != 0) {
		buf_addc(what, ' ');
		text_ago(what, epoch(d, "since"), style->now_ms);
	}
	if (!is(str(d, "reason"), ""))
		buf_printf(what, ": %s", str(d, "reason"));
}

static void
trouble_state(struct buf *out, const json_t *d, const struct text_style *style)
{
	const char	*name = str(d, "name"), *state = str(d, "state");
	struct buf	 what = { 0 };

	if (is(state, "failed")) {
		since_and_why(&what, d, "failed", style);
		trouble(out, style, name, &what, "mend the cause, then: edsctl restart worker %s", name);
	} else if (is(state, "backoff")) {
		since_and_why(&what, d, "its worker ended", style);
		if (epoch(d, "next_restart") > style->now_ms) {
			buf_adds(&what, "; next start in ");
			buf_duration(&what, epoch(d, "next_restart") - style->now_ms);
		}
		trouble(out, style, name, &what, "it starts again by itself; details: edsctl why %s", name);
	} else if (is(state, "paused") || json_is_true(json_object_get(d, "paused"))) {
		since_and_why(&what, d, "paused", style);
		trouble(out, style, name, &what, "deliver again: edsctl resume %s", name);
	} else if (!is(state, "running") && !is(str(d, "reason"), "")) {
		since_and_why(&what, d, state, style);
		trouble(out, style, name, &what, "details: edsctl why %s", name);
	}
	buf_free(&what);
}

static void
trouble_import(struct buf *out, const json_t *d, const struct text_style *style)
{
	const json_t		*im = json_object_get(d, "import"), *last = json_object_get(d, "last_import");
	const char		*name = str(d, "name");
	struct buf		 what = { 0 };

	if (im != NULL) {
		const struct text_import picture = text_import_of(im);

		buf_adds(&what, json_is_true(json_object_get(im, "dry_run")) ? "dry run of an import: " : "import: ");
		text_import(&what, &picture);
		trouble(out, style, name, &what, "give it up: edsctl import %s --cancel", name);
		if (!is(str(im, "trouble"), "")) {
			buf_printf(&what, "the import is held up: %s", str(im, "trouble"));
			trouble(out, style, name, &what, "%s", "it keeps trying");
		}
	} else if (is(str(last, "state"), "failed")) {
		buf_adds(&what, "its last import failed ");
		text_ago(&what, epoch(last, "ended"), style->now_ms);
		buf_printf(&what, ": %s", str(last, "error"));
		trouble(out, style, name, &what, "what was there is as it was; again: edsctl import %s", name);
	}
	buf_free(&what);
}

/* No trouble, perhaps what was wanted; but nobody is to wonder where events are. */
static void
held_back(struct buf *out, const json_t *d, const struct text_style *style)
{
	struct buf	 what = { 0 };

	if (num(d, "no_rule") + num(d, "unfit") + num(d, "unchecked") == 0)
		return;
	buf_adds(&what, "rules hold events back: ");
	add_count(&what, d, "no_rule", "of tables without a rule, ");
	add_count(&what, d, "unfit", "that do not fit, ");
	add_count(&what, d, "unchecked", "that cannot be checked");
	trouble(out, style, str(d, "name"), &what, "see which and why: edsctl logs %s", str(d, "name"));
	buf_free(&what);
}

static void
add_times(struct buf *b, const json_t *d, const char *name)
{
	if (num(d, name) == 1)
		buf_adds(b, "once");
	else
		add_count(b, d, name, "times");
}

static void
trouble_destination(struct buf *out, const json_t *d, const struct table *t, const struct text_style *style)
{
	const char	*name = str(d, "name");
	struct buf	 what = { 0 };

	trouble_state(out, d, style);
	trouble_import(out, d, style);
	if (!is(str(d, "trouble"), "")) {
		buf_adds(&what, "cannot deliver (tried ");
		add_times(&what, d, "trouble_attempts");
		buf_printf(&what, "): %s", str(d, "trouble"));
		trouble(out, style, name, &what, "it keeps trying and loses nothing; details: edsctl why %s", name);
	}
	if (num(d, "quarantined") > 0) {
		add_count(&what, d, "quarantined", num(d, "quarantined") == 1 ? "event" : "events");
		buf_adds(&what, " set aside, because the destination does not take them");
		trouble(out, style, name, &what, "see which and why: edsctl quarantine list %s", name);
	}
	held_back(out, d, style);
	if (t->gone[RESTARTS] && num(d, "restarts") > 0 && is(str(d, "state"), "running")) {
		buf_adds(&what, "its worker was restarted ");
		add_times(&what, d, "restarts");
		trouble(out, style, name, &what, "see why: edsctl why %s", name);
	}
	buf_free(&what);
}

static bool
has_entry(const json_t *d, const struct table *t, const struct text_style *style)
{
	struct buf	 entry = { 0 };
	bool		 has;

	trouble_destination(&entry, d, t, style);
	has = entry.len > 0;
	buf_free(&entry);
	return has;
}

/* Reasons that name a destination repeat what its own entry says, if it has one. */
static bool
is_told_below(const char *reason, const json_t *list, const struct table *t, const struct text_style *style)
{
	const json_t	*d;
	size_t		 i;

	json_array_foreach(list, i, d) {
		const char *name = str(d, "name"), *p = name[0] == '\0' ? NULL : strstr(reason, name);

		if (p != NULL && (p == reason || strchr(" \"'", p[-1]) != NULL) && strchr(" \"':,.", p[strlen(name)]) != NULL &&
		    has_entry(d, t, style))
			return true;
	}
	return false;
}

static void
trouble_server(struct buf *out, const json_t *doc, const json_t *list, const struct table *t, const struct text_style *style)
{
	const json_t	*up = json_object_get(doc, "upstream"), *reason;
	struct buf	 what = { 0 };
	size_t		 i;

	json_array_foreach(json_object_get(doc, "reasons"), i, reason) {
		if (!json_is_string(reason) || is_told_below(json_string_value(reason), list, t, style))
			continue;
		buf_adds(&what, json_string_value(reason));
		trouble(out, style, "server", &what, "%s", "");
	}
	if (epoch(up, "paused") != 0) {
		buf_adds(&what, "everything is paused");
		trouble(out, style, "upstream", &what, "deliver again: edsctl resume");
	}
	if (num(up, "malformed") > 0) {
		add_count(&what, up, "malformed", "messages had no shape that eds knows");
		trouble(out, style, "upstream", &what, "see the log for what they were");
	}
	if (!is(str(json_object_get(doc, "schemas"), "trouble"), "")) {
		buf_adds(&what, str(json_object_get(doc, "schemas"), "trouble"));
		trouble(out, style, "schemas", &what, "tried again by itself; the last known ones are in use");
	}
	if (!is(str(json_object_get(doc, "journal"), "trouble"), "")) {
		buf_adds(&what, str(json_object_get(doc, "journal"), "trouble"));
		trouble(out, style, "journal", &what, "look at the free space of %s", str(json_object_get(doc, "server"), "data_dir"));
	}
	buf_free(&what);
}

void
text_status(struct buf *out, const json_t *doc, const struct text_style *style)
{
	const json_t	*list = json_object_get(doc, "destinations"), *d;
	struct buf	 below = { 0 };
	struct table	 t;
	size_t		 i;

	head_server(out, doc, style);
	head_session(out, doc, style);
	head_upstream(out, doc, style);
	head_window(out, doc, style);
	head_journal(out, doc, style);
	buf_addc(out, '\n');
	measure(&t, list, style);
	if (json_array_size(list) == 0)
		text_wrap(out, SLICE("There is no destination yet: configure one in HQ, or add one to eds.conf, then: edsctl reload"), 0, 0, style->width);
	else
		table_head(out, &t, style);
	json_array_foreach(list, i, d)
		table_row(out, &t, d, style);
	trouble_server(&below, doc, list, &t, style);
	json_array_foreach(list, i, d)
		trouble_destination(&below, d, &t, style);
	if (below.len > 0)
		buf_addc(out, '\n');
	buf_adds_slice(out, buf_slice(&below));
	out->oom = out->oom || below.oom;
	buf_free(&below);
}
