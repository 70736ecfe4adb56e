/*
 * Imports into destinations of a running server.  The destination's own worker
 * rests from before the export is asked for until what was imported is live: what
 * it has by then is older than the snapshot, and what comes meanwhile waits.
 */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/import/import_text.h"
#include "supervisor/supervisor_private.h"

#define LINE_FIRST_S	5.0
#define LINE_MOST_S	60.0

struct import_waiter {
	import_done_fn	 done;
	void		*arg;
};

static void
tell(struct destination *d, enum import_state how, const char *text)
{
	struct import_waiter	*w = d->import_waiter;

	d->import_waiter = NULL;
	if (w != NULL)
		w->done(w->arg, how, text);
	free(w);
}

static void
say_end(struct supervisor *s, struct destination *d, enum import_state how, const char *text)
{
	struct import_progress	 p;
	struct buf		 took = { 0 };

	import_progress(d->import, &p);
	buf_duration(&took, wall_ms() - p.started_ms);
	if (p.skipped > 0)
		log_warn(&s->log, "%llu rows for %s were held back by the rules of schema_validator", (unsigned long long)p.skipped,
		    child_name(d->child));
	if (how == IMPORT_DONE)
		log_info(&s->log, "👋 Loaded %llu tables in %s: %llu rows%s into %s, %llu refused", (unsigned long long)p.tables,
		    buf_cstr(&took), (unsigned long long)p.rows, import_dry(d->import) ? " would go" : "", child_name(d->child),
		    (unsigned long long)p.rejected);
	else if (how == IMPORT_CANCELLED)
		log_warn(&s->log, "the import into %s was cancelled; what was there is as it was", child_name(d->child));
	else
		log_error(&s->log, "the import into %s failed: %s; what was there is as it was", child_name(d->child), text);
	buf_free(&took);
}

static void
on_ended(void *arg, enum import_state how, const char *text)
{
	struct child		*c = arg;
	struct supervisor	*s = child_owner(c);
	struct destination	*d = destination_of(s, c);
	char			 why[700];

	(void)snprintf(why, sizeof(why), "%s", text);
	say_end(s, d, how, why);
	import_free(&d->import);
	child_event(c, CHILD_EV_IMPORTED);
	tell(d, how, why);
}

/* How far they are, for those who read the log: ever more rarely, the longer it takes. */
static void
on_line(struct ev_loop *loop, ev_timer *w, int events)
{
	struct supervisor	*s = w->data;
	struct buf		 text = { 0 };
	bool			 any = false;

	(void)events;
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct text_import	 picture;

		if (s->dest[i].import == NULL)
			continue;
		any = true;
		picture = import_picture(s->dest[i].import);
		buf_reset(&text);
		text_import(&text, &picture);
		log_info(&s->log, "import into %s: %s", child_name(s->dest[i].child), buf_cstr(&text));
	}
	buf_free(&text);
	w->repeat = !any ? 0. : w->repeat * 2. < LINE_MOST_S ? w->repeat * 2. : LINE_MOST_S;
	ev_timer_again(loop, w);	/* with 0 it stops */
}

static void
lines_begin(struct supervisor *s)
{
	ev_timer_stop(s->loop, &s->import_lines);
	ev_init(&s->import_lines, on_line);
	s->import_lines.data = s;
	s->import_lines.repeat = LINE_FIRST_S;
	ev_timer_again(s->loop, &s->import_lines);
}

void
imports_stop(struct supervisor *s)
{
	ev_timer_stop(s->loop, &s->import_lines);
}

static struct import_host
host_of(struct supervisor *s, struct destination *d)
{
	return (struct import_host){ .loop = s->loop, .http = s->http, .store = s->store, .program = s->worker_program,
	    .data_dir = s->config->data_dir, .arg = d->child, .ended = on_ended };
}

static struct import_options
options_of(struct supervisor *s, struct destination *d)
{
	const struct destination_config	*c = child_destination(d->child);

	return (struct import_options){ .destination = c->name, .url = c->url, .update_strategy = s->config->update_strategy,
	    .session = s->sid == NULL ? "" : s->sid, .api_url = s->config->api_url == NULL ? "" : s->config->api_url,
	    .token = s->config->token == NULL ? "" : s->config->token, .rules = s->config->rules, .bounded = true,
	    .company_ids = (const char *const *)s->config->company_ids, .cursor = child_cursor(d->child)->seq,
	    .ping_timeout_ms = c->ping_timeout_ms, .reject_limit = c->on_reject == ON_REJECT_STOP ? 0 : c->quarantine_limit == 0 ? UINT64_MAX : c->quarantine_limit };
}

int
imports_begin(struct supervisor *s, struct destination *d, const struct import_request *r, import_done_fn done, void *arg,
    struct err *err)
{
	struct import_host	 host = host_of(s, d);
	struct import_options	 o = options_of(s, d);
	struct import_waiter	*w = NULL;

	if (s->phase != PHASE_RUNNING || d->leaving)
		return err_set(err, ERR_CONFLICT, "%s is about to go", child_name(d->child));
	if (d->import != NULL)
		return err_set(err, ERR_CONFLICT, "an import into %s is under way already", child_name(d->child));
	if (s->config->token == NULL || s->config->api_url == NULL)
		return err_set(err, ERR_CONFIG, "without enrollment there is no token for HQ, which makes the exports");
	if ((r->job_id != NULL || r->dir != NULL) && !r->dry_run &&
	    import_record_check_age(s->store, child_name(d->child), child_cursor(d->child)->seq, r->job_id, err) == -1)
		return -1;
	o.job_id = r->job_id;
	o.dir = r->dir;
	o.only = r->only;
	o.dry_run = r->dry_run;
	o.schema_only = r->schema_only;
	o.keep = r->keep;
	o.single = r->single;
	o.time_offset_ms = r->time_offset_ms;
	o.location_ids = r->location_ids;
	if (r->company_ids != NULL)
		o.company_ids = r->company_ids;
	if (done != NULL && (w = calloc(1, sizeof(*w))) == NULL)
		return err_set(err, ERR_NOMEM, "import");
	if (import_start(&d->import, &host, &o, err) == -1) {
		free(w);
		return -1;
	}
	if (w != NULL)
		*w = (struct import_waiter){ done, arg };
	d->import_waiter = w;
	log_info(&s->log, "import into %s%s", child_name(d->child), r->dry_run ? " (dry run)" : "");
	lines_begin(s);
	/* A dry run touches nothing, so nothing has to rest for it. */
	if (r->dry_run)
		import_go(d->import);
	else
		child_event(d->child, CHILD_EV_IMPORT);
	return 0;
}

int
imports_cancel(struct supervisor *s, struct destination *d, struct err *err)
{
	(void)s;
	if (d->import == NULL)
		return err_set(err, ERR_NOTFOUND, "no import into %s is under way", child_name(d->child));
	return import_cancel(d->import) ? 0 : err_set(err, ERR_CONFLICT, "the import into %s is being made live; it cannot be stopped any more",
	    child_name(d->child));
}

bool
imports_take_up(struct supervisor *s, struct destination *d)
{
	struct import_host	 host = host_of(s, d);
	struct import_options	 o = options_of(s, d);
	struct import_record	 r = { 0 };
	struct err		 err = { 0 };
	bool			 open;

	if (import_record_load(&r, s->store, child_name(d->child), &err) == -1) {
		if (err.code != ERR_NOTFOUND)
			log_error(&s->log, "%s", err.text);
		return false;
	}
	open = import_record_is_open(&r);
	import_record_free(&r);
	if (!open)
		return false;
	if (import_resume(&d->import, &host, &o, &err) == -1) {
		log_error(&s->log, "%s; begin it again", err.text);
		return false;
	}
	lines_begin(s);
	child_event(d->child, CHILD_EV_IMPORT);
	return true;
}

static void
go_later(int revents, void *arg)
{
	struct supervisor	*s = arg;

	(void)revents;
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].import != NULL && child_state(s->dest[i].child) == CHILD_IMPORTING)
			import_go(s->dest[i].import);
}

void
imports_rest(struct supervisor *s, struct destination *d)
{
	/* Its worker has ended; from the loop, because the child's event is still being dealt with. */
	if (d->import != NULL && child_state(d->child) == CHILD_IMPORTING)
		ev_once(s->loop, -1, 0, 0., go_later, s);
}

void
imports_drop(struct destination *d)
{
	import_free(&d->import);
	free(d->import_waiter);
	d->import_waiter = NULL;
}

int64_t
imports_start_ns(struct supervisor *s)
{
	int64_t	 least = 0;

	for (size_t i = 0; i < s->config->n_destinations; i++) {
		int64_t ns = import_start_ns(s->store, s->config->destinations[i].name);

		if (ns > 0 && (least == 0 || ns < least))
			least = ns;
	}
	return least;
}
