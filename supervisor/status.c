/* The state of everything as one JSON document (supervisor/control/STATUS.md), and in words. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "drivers/registry.h"
#include "ipc/base/url.h"
#include "supervisor/commands.h"
#include "supervisor/import/import_text.h"
#include "supervisor/upstream/link.h"

#define HQ_AWAY_MS	3600000	/* HQ away for longer is worth a look */
#define FAR_BEHIND_MS	30000	/* an event waits that long: degraded */

static void
put(json_t *o, const char *key, json_t *value)
{
	/* Shortage of memory shows as a missing member, which readers must bear anyway. */
	if (value != NULL)
		(void)json_object_set_new(o, key, value);
}

static json_t *
number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
text(const char *s)
{
	struct slice	 t = slice_of(s == NULL ? "" : s);
	struct buf	 mended = { 0 };
	json_t		*v = json_stringn(t.p, t.n);

	if (v != NULL)
		return v;
	/* Text from outside that was cut in the middle of a character. */
	for (size_t i = 0; i < t.n; i++)
		buf_addc(&mended, (unsigned char)t.p[i] < 0x80 ? t.p[i] : '?');
	v = json_string(buf_cstr(&mended));
	buf_free(&mended);
	return v;
}

static uint64_t
own_rss(void)
{
	FILE		*f = fopen("/proc/self/statm", "re");
	unsigned long	 pages = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	(void)fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static json_t *
server_json(struct supervisor *s)
{
	json_t	*o = json_object();

	put(o, "id", text(s->server_id != NULL ? s->server_id : s->config->server_id));
	put(o, "program", text(EDS_VERSION));
	put(o, "pid", json_integer(getpid()));
	put(o, "started", json_integer(s->started_ms));
	put(o, "config_file", text(s->config->config_file));
	put(o, "data_dir", text(s->config->data_dir));
	put(o, "schema_validator", text(s->config->schema_validator));
	put(o, "rss_bytes", number(own_rss()));
	put(o, "store_trouble", text(s->store_trouble));
	return o;
}

static json_t *
session_json(struct supervisor *s)
{
	json_t		*o = json_object();
	const char	*why = "";

	if (s->session == NULL) {
		put(o, "id", text(s->sid));
		put(o, "state", text("none"));
		put(o, "text", text("the credential comes from a file"));
		return o;
	}
	put(o, "id", text(session_id(s->session)));
	put(o, "state", text(session_state_name(session_state(s->session, &why))));
	put(o, "text", text(why));
	put(o, "since", number((uint64_t)session_since(s->session)));
	put(o, "expires", number((uint64_t)session_expires(s->session)));
	return o;
}

static json_t *
upstream_json(struct supervisor *s)
{
	static const struct upstream_stats	 none;
	const struct upstream_stats		*st = s->upstream == NULL ? &none : upstream_stats(s->upstream);
	json_t					*o = json_object(), *companies = json_array();
	const char				*why = "no credential yet";
	enum upstream_state			 state = UPSTREAM_STARTING;
	char					 url[400];

	if (s->upstream != NULL)
		state = upstream_state(s->upstream, &why);
	for (size_t i = 0; s->companies != NULL && s->companies[i] != NULL; i++)
		(void)json_array_append_new(companies, text(s->companies[i]));
	link_url_for_log(s->config->nats_url, url, sizeof(url));
	put(o, "state", text(upstream_state_name(state)));
	put(o, "text", text(why));
	put(o, "url", text(url));
	put(o, "consumer", text(s->consumer));
	put(o, "companies", companies);
	put(o, "paused", json_integer(s->paused_ns / 1000000));
	put(o, "received", number(st->received));
	put(o, "received_bytes", number(st->received_bytes));
	put(o, "redelivered", number(st->redelivered));
	put(o, "acked", number(st->acked));
	put(o, "last_seq", number(st->last_seq));
	put(o, "acked_seq", number(st->acked_seq));
	put(o, "server_pending", number(st->server_pending));
	put(o, "reconnects", number(st->connects > 0 ? st->connects - 1 : 0));
	put(o, "malformed", number(st->malformed));
	put(o, "rewinds", number(st->gaps));
	put(o, "gaps", number(s->open_gaps));
	put(o, "gap_from", number(s->gap_from));
	put(o, "gap_to", number(s->gap_to));
	return o;
}

static int64_t
oldest_ms(const struct supervisor *s)
{
	return window_count(s->window) == 0 ? 0 : mono_now() - window_at(s->window, window_head(s->window))->at;
}

static json_t *
window_json(struct supervisor *s)
{
	json_t	*o = json_object();

	put(o, "events", number(window_count(s->window)));
	put(o, "bytes", number(window_bytes(s->window)));
	put(o, "limit_events", number(s->config->window_events));
	put(o, "limit_bytes", number(s->config->window_bytes));
	put(o, "oldest_ms", json_integer(oldest_ms(s)));
	return o;
}

json_t *
status_journal(struct supervisor *s)
{
	const struct journal_stats	*st = journal_stats(s->journal);
	json_t				*o = json_object();

	put(o, "enabled", json_boolean(journal_enabled(s->journal)));
	put(o, "state", text(!journal_enabled(s->journal) ? "off" : s->journal_trouble[0] != '\0' ? "full" :
	    st->events > 0 ? "in use" : "empty"));
	put(o, "events", number(st->events));
	put(o, "bytes", number(st->bytes));
	put(o, "limit_bytes", number(s->config->journal_size));
	put(o, "first_seq", number(st->first_seq));
	put(o, "last_seq", number(st->last_seq));
	put(o, "damaged", number(st->damaged));
	put(o, "trouble", text(s->journal_trouble));
	return o;
}

static int
add_table(void *list, struct slice table, struct slice version)
{
	json_t	*pair = json_array();

	(void)json_array_append_new(pair, json_stringn(table.p, table.n));
	(void)json_array_append_new(pair, json_stringn(version.p, version.n));
	return json_array_append_new(list, pair);
}

/* The import that is under way. */
static json_t *
import_json(const struct destination *d)
{
	struct import_progress	 p;
	json_t			*o;

	if (d->import == NULL)
		return NULL;
	o = json_object();
	import_progress(d->import, &p);
	put(o, "phase", text(p.phase));
	put(o, "dry_run", json_boolean(import_dry(d->import)));
	put(o, "export", text(p.export_id));
	put(o, "trouble", text(p.trouble));
	put(o, "started", json_integer(p.started_ms));
	put(o, "tables", number(p.tables));
	put(o, "tables_exported", number(p.tables_exported));
	put(o, "files", number(p.files));
	put(o, "files_done", number(p.files_done));
	put(o, "rows", number(p.rows));
	put(o, "rejected", number(p.rejected));
	put(o, "skipped", number(p.skipped));
	put(o, "rows_per_s", json_real(p.rows_per_s));
	put(o, "left_ms", json_integer(p.left_ms));
	put(o, "pid", json_integer(p.pid));
	return o;
}

/* How the last one ended; NULL: there has been none, or it is not over. */
static json_t *
last_import_json(struct supervisor *s, const struct destination *d)
{
	struct import_record	 r;
	struct err		 err;
	json_t			*o = NULL;

	if (import_record_load(&r, s->store, child_name(d->child), &err) == -1)
		return NULL;
	if (!import_record_is_open(&r)) {
		o = json_object();
		put(o, "state", text(import_state_name(r.state)));
		put(o, "started", json_integer(r.started_ms));
		put(o, "ended", json_integer(r.ended_ms));
		put(o, "tables", number(r.n_tables));
		put(o, "files", number(r.files));
		put(o, "rows", number(r.rows));
		put(o, "rejected", number(r.rejected));
		put(o, "skipped", number(r.skipped));
		put(o, "error", text(r.error));
	}
	import_record_free(&r);
	return o;
}

static json_t *
destination_json(struct supervisor *s, struct destination *d)
{
	struct child				*c = d->child;
	const struct child_stats		*st = child_stats(c);
	const struct destination_config		*config = child_destination(c);
	const struct driver_info		*info = driver_info_by_scheme(url_scheme(slice_of(config->url)));
	json_t					*o = json_object(), *words = json_array(), *tables = json_array();
	struct buf				 masked = { 0 };
	struct err				 err = { 0 };

	mask_url_for_log(&masked, slice_of(config->url));
	for (size_t i = 0; child_last_word(c, i) != NULL; i++)
		(void)json_array_append_new(words, text(child_last_word(c, i)));
	if (store_table_versions_each(s->store, config->name, add_table, tables, &err) == -1)
		log_debug(&s->log, "%s", err.text);
	put(o, "name", text(config->name));
	put(o, "driver", text(info == NULL ? "" : info->id));
	put(o, "url", text(buf_cstr(&masked)));
	put(o, "state", text(child_state_shown(c)));
	put(o, "reason", text(child_reason(c)));
	put(o, "since", json_integer(st->since_ms));
	put(o, "pid", json_integer(child_pid(c)));
	put(o, "generation", number(st->generation));
	put(o, "restarts", number(st->restarts));
	put(o, "next_restart", json_integer(st->next_restart_ms));
	put(o, "paused", json_boolean(child_paused(c)));
	put(o, "trouble", text(child_trouble(c)));
	put(o, "trouble_attempts", number(st->trouble_attempts));
	put(o, "cursor", number(child_cursor(c)->seq));
	put(o, "behind", number(child_cursor(c)->behind));
	put(o, "in_flight", number(child_cursor(c)->in_flight));
	put(o, "committed", number(st->committed));
	put(o, "committed_bytes", number(st->committed_bytes));
	put(o, "batches", number(st->batches));
	put(o, "last_commit", json_integer(st->last_commit_ms));
	put(o, "rate_1m", json_real(child_rate(c)));
	put(o, "flush_ms_avg", json_real(st->batches == 0 ? 0 : (double)st->flush_us / 1000.0 / (double)st->batches));
	put(o, "quarantined", number(d->quarantined));
	put(o, "no_rule", number(st->no_rule));
	put(o, "unfit", number(st->unfit));
	put(o, "unchecked", number(st->unchecked));
	put(o, "rss_bytes", number(st->rss_bytes));
	put(o, "tables", tables);
	put(o, "last_exit", text(child_last_exit(c)));
	put(o, "last_words", words);
	put(o, "import", import_json(d));
	put(o, "last_import", last_import_json(s, d));
	buf_free(&masked);
	return o;
}

/* HQ, when events flow on without it: for ever if it refuses us, or for longer than a passing outage lasts. */
static void
session_reason(struct supervisor *s, json_t *list)
{
	const char		*why;
	enum session_state	 state = session_state(s->session, &why);
	int64_t			 away_ms = wall_ms() - session_since(s->session), left_ms = session_expires(s->session) - wall_ms();
	struct buf		 line = { 0 };

	if (state == SESSION_REFUSED)
		buf_printf(&line, "HQ refuses this server, events flow only while its credential lasts: %.600s", why);
	else if (state == SESSION_RENEWING && away_ms > HQ_AWAY_MS) {
		buf_adds(&line, "HQ has not been reached for ");
		buf_duration(&line, away_ms);
		buf_adds(&line, "; events flow on with the credential at hand");
		if (session_expires(s->session) > 0 && left_ms > 60000) {
			buf_adds(&line, ", which ends in ");
			buf_duration(&line, left_ms);
		} else if (session_expires(s->session) > 0)
			buf_adds(&line, ", which is at its end");
		buf_printf(&line, ": %.500s", why);
	} else if (session_deaf(s->session))
		buf_adds(&line, "HQ cannot speak to this server, nor see it: the credential it gave names no session; another is "
		    "asked for, and events flow on");
	if (line.len > 0)
		(void)json_array_append_new(list, text(buf_cstr(&line)));
	buf_free(&line);
}

/* Everything that is not as it should be, a line each. */
static void
reasons(struct supervisor *s, json_t *list)
{
	const char	*why = "no credential yet";
	char		 line[800];

	/* Without a destination it waits for one, which is said below. */
	if (s->upstream == NULL || (upstream_state(s->upstream, &why) != UPSTREAM_RUNNING && (s->config->n_destinations > 0 ||
	    upstream_state(s->upstream, &why) != UPSTREAM_PAUSED))) {
		const char *session_why = "";

		if (s->upstream == NULL && s->session != NULL) {
			(void)session_state(s->session, &session_why);
			if (session_why[0] != '\0')
				why = session_why;
		}
		(void)snprintf(line, sizeof(line), "upstream is %s: %s", upstream_state_name(s->upstream == NULL ?
		    UPSTREAM_STARTING : upstream_state(s->upstream, &why)), why);
		(void)json_array_append_new(list, text(line));
	}
	if (s->session != NULL)
		session_reason(s, list);
	if (s->store_trouble[0] != '\0')
		(void)json_array_append_new(list, text(s->store_trouble));
	if (s->journal_trouble[0] != '\0')
		(void)json_array_append_new(list, text(s->journal_trouble));
	if (s->open_gaps > 0) {
		(void)snprintf(line, sizeof(line), "events between %llu and %llu are missing from the stream (edsctl gap)",
		    (unsigned long long)s->gap_from, (unsigned long long)s->gap_to);
		(void)json_array_append_new(list, text(line));
	}
	if (s->config->n_destinations == 0)
		(void)json_array_append_new(list, text("no destination is configured"));
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct child *c = s->dest[i].child;

		if (c == NULL)
			continue;
		if (child_state(c) != CHILD_RUNNING && s->dest[i].import == NULL) {
			(void)snprintf(line, sizeof(line), "%s is %s%s%.600s", child_name(c), child_state_shown(c),
			    child_reason(c)[0] == '\0' ? "" : ": ", child_reason(c));
			(void)json_array_append_new(list, text(line));
		}
		if (child_trouble(c)[0] != '\0') {
			(void)snprintf(line, sizeof(line), "%s: %.700s", child_name(c), child_trouble(c));
			(void)json_array_append_new(list, text(line));
		}
		if (s->dest[i].quarantined > 0) {
			(void)snprintf(line, sizeof(line), "%s: %llu events in quarantine", child_name(c),
			    (unsigned long long)s->dest[i].quarantined);
			(void)json_array_append_new(list, text(line));
		}
	}
	if (oldest_ms(s) > FAR_BEHIND_MS) {
		(void)snprintf(line, sizeof(line), "the oldest event in the window has waited for %lld s", (long long)oldest_ms(s) / 1000);
		(void)json_array_append_new(list, text(line));
	}
}

static void
dump(json_t *doc, struct buf *out)
{
	char	*s = json_dumps(doc, JSON_COMPACT);

	buf_adds(out, s == NULL ? "{\"version\":1,\"ok\":false,\"error\":\"memory is short\"}" : s);
	free(s);
	json_decref(doc);
}

void
status_json(struct supervisor *s, struct buf *out, bool *degraded_r)
{
	json_t	*o = json_object(), *why = json_array(), *list = json_array();
	json_t	*schemas = json_object();

	reasons(s, why);
	*degraded_r = json_array_size(why) > 0;
	put(o, "version", json_integer(1));
	put(o, "ok", json_true());
	put(o, "degraded", json_boolean(*degraded_r));
	put(o, "reasons", why);
	put(o, "server", server_json(s));
	put(o, "session", session_json(s));
	put(schemas, "fetched", json_integer(registry_fetched_at(s->registry)));
	put(schemas, "trouble", text(registry_trouble(s->registry)));
	put(o, "schemas", schemas);
	put(o, "upstream", upstream_json(s));
	put(o, "window", window_json(s));
	put(o, "journal", status_journal(s));
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL)
			(void)json_array_append_new(list, destination_json(s, &s->dest[i]));
	put(o, "destinations", list);
	dump(o, out);
}

bool
status_ready(struct supervisor *s, struct buf *reason)
{
	json_t	*why = json_array();
	bool	 ready;

	reasons(s, why);
	for (size_t i = 0; i < json_array_size(why); i++)
		buf_printf(reason, "%s%s", i == 0 ? "" : "; ", json_string_value(json_array_get(why, i)));
	ready = json_array_size(why) == 0;
	json_decref(why);
	return ready && s->phase == PHASE_RUNNING;
}

static void
line_add(json_t *list, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
line_add(json_t *list, const char *fmt, ...)
{
	char	 line[1000];
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	(void)json_array_append_new(list, text(line));
}

static void
explain_state(struct child *c, json_t *list)
{
	const struct child_stats	*st = child_stats(c);
	int64_t				 pause_ms = st->next_restart_ms - wall_ms();

	if (child_reason(c)[0] != '\0')
		line_add(list, "Reason: %s", child_reason(c));
	if (st->next_restart_ms > 0)
		line_add(list, "It is started again in %lld s.", (long long)(pause_ms > 0 ? (pause_ms + 999) / 1000 : 0));
	if (child_state(c) == CHILD_FAILED)
		line_add(list, "It stays down until you mend the cause and say: edsctl restart worker %s", child_name(c));
	if (child_paused(c))
		line_add(list, "You paused it; it goes on with: edsctl resume %s", child_name(c));
	if (child_state(c) == CHILD_IMPORTING || child_state(c) == CHILD_RESTING)
		line_add(list, "It rests while an import is under way; what comes meanwhile is kept, and follows.");
	if (child_trouble(c)[0] != '\0') {
		line_add(list, "Its destination is in trouble (attempt %llu): %s", (unsigned long long)st->trouble_attempts,
		    child_trouble(c));
		line_add(list, "The worker keeps trying; nothing is lost meanwhile. It waits at event %llu.",
		    (unsigned long long)st->trouble_seq);
	}
	if (child_last_exit(c)[0] != '\0')
		line_add(list, "Its last worker ended with: %s; restarts so far: %llu.", child_last_exit(c),
		    (unsigned long long)st->restarts);
	for (size_t i = 0; child_last_word(c, i) != NULL; i++)
		line_add(list, "Last words: %s", child_last_word(c, i));
}

/* The import that is under way, or why there was nothing of the last one. */
static void
explain_import(struct supervisor *s, const struct destination *d, json_t *list)
{
	struct import_progress	 p;
	struct text_import	 picture;
	struct import_record	 r;
	struct buf		 far = { 0 };
	struct err		 err = { 0 };

	if (d->import != NULL) {
		import_progress(d->import, &p);
		picture = import_picture(d->import);
		text_import(&far, &picture);
		line_add(list, "%s: %s.", import_dry(d->import) ? "A dry run of an import" : "Its import", buf_cstr(&far));
		if (p.trouble[0] != '\0')
			line_add(list, "The import is held up, and keeps trying: %s", p.trouble);
		line_add(list, "To give it up: edsctl import %s --cancel", child_name(d->child));
		buf_free(&far);
		return;
	}
	if (import_record_load(&r, s->store, child_name(d->child), &err) == -1)
		return;
	if (r.state == IMPORT_FAILED)
		line_add(list, "Its last import failed, and left what was there: %s", r.error == NULL ? "" : r.error);
	import_record_free(&r);
}

static void
explain_rules(struct supervisor *s, struct child *c, json_t *list)
{
	const struct child_stats	*st = child_stats(c);

	if (s->config->schema_validator != NULL)
		line_add(list, "Its events are held against the rules of %s.", s->config->schema_validator);
	if (st->no_rule + st->unfit + st->unchecked == 0)
		return;
	line_add(list, "Not delivered because of rules, since the server started: %llu events whose table has no rule, %llu that do not fit "
	    "theirs, %llu that could not be checked. The log names tables and reasons: edsctl logs %s", (unsigned long long)st->no_rule,
	    (unsigned long long)st->unfit, (unsigned long long)st->unchecked, child_name(c));
}

void
status_why(struct supervisor *s, struct destination *d, struct buf *out)
{
	json_t		*o = destination_json(s, d), *list = json_array();
	struct cursor	*cur = child_cursor(d->child);
	const char	*why;

	explain_state(d->child, list);
	explain_import(s, d, list);
	line_add(list, "It has everything up to stream sequence %llu.", (unsigned long long)cur->seq);
	if (cur->behind == 0)
		line_add(list, "Nothing waits for it.");
	else
		line_add(list, "Events that wait for it: %llu; of these with its worker: %llu.", (unsigned long long)cur->behind,
		    (unsigned long long)cur->in_flight);
	if (d->quarantined > 0)
		line_add(list, "In its quarantine: %llu events; see edsctl quarantine list.", (unsigned long long)d->quarantined);
	explain_rules(s, d->child, list);
	if (s->open_gaps > 0)
		line_add(list, "Events between %llu and %llu were missing from the stream: edsctl gap.",
		    (unsigned long long)s->gap_from, (unsigned long long)s->gap_to);
	if (s->upstream == NULL)
		line_add(list, "Nothing comes from upstream yet: there is no credential.");
	else if (upstream_state(s->upstream, &why) != UPSTREAM_RUNNING)
		line_add(list, "Upstream is %s: %s", upstream_state_name(upstream_state(s->upstream, &why)), why);
	put(o, "version", json_integer(1));
	put(o, "ok", json_true());
	put(o, "explain", list);
	dump(o, out);
}

void
status_metrics(struct supervisor *s)
{
	static const struct upstream_stats	 none;
	const struct upstream_stats		*st = s->upstream == NULL ? &none : upstream_stats(s->upstream);

	metrics_read_process(s->metrics);
	metrics_set(s->metrics, METRIC_PENDING_EVENTS, (double)window_count(s->window));
	metrics_set(s->metrics, METRIC_TOTAL_EVENTS, (double)st->received);
	metrics_set(s->metrics, METRIC_UPSTREAM_CONNECTED, s->upstream != NULL && upstream_connected(s->upstream));
	metrics_set(s->metrics, METRIC_UPSTREAM_RECEIVED, (double)(st->received + st->redelivered));
	metrics_set(s->metrics, METRIC_UPSTREAM_REDELIVERED, (double)st->redelivered);
	metrics_set(s->metrics, METRIC_UPSTREAM_ACKED, (double)st->acked);
	metrics_set(s->metrics, METRIC_WINDOW_EVENTS, (double)window_count(s->window));
	metrics_set(s->metrics, METRIC_WINDOW_BYTES, (double)window_bytes(s->window));
	metrics_set(s->metrics, METRIC_JOURNAL_EVENTS, (double)journal_stats(s->journal)->events);
	metrics_set(s->metrics, METRIC_JOURNAL_BYTES, (double)journal_stats(s->journal)->bytes);
	metrics_set(s->metrics, METRIC_JOURNAL_DAMAGED, (double)journal_stats(s->journal)->damaged);
	metrics_set(s->metrics, METRIC_GAPS, (double)s->open_gaps);
	metrics_set(s->metrics, METRIC_GAP_FIRST, (double)s->gap_from);
	metrics_set(s->metrics, METRIC_GAP_LAST, (double)s->gap_to);
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct destination *d = &s->dest[i];

		if (d->child == NULL)
			continue;
		metrics_destination_set(d->metrics, DESTINATION_BEHIND, (double)child_cursor(d->child)->behind);
		metrics_destination_set(d->metrics, DESTINATION_RESTARTS, (double)child_stats(d->child)->restarts);
		metrics_destination_set(d->metrics, DESTINATION_QUARANTINED, (double)d->quarantined);
		metrics_destination_set(d->metrics, DESTINATION_TROUBLE, child_trouble(d->child)[0] != '\0');
		metrics_destination_state(d->metrics, child_state_shown(d->child));
	}
}
