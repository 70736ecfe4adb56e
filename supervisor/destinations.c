/* The configured destinations: which there are, how they come and go. */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/registry.h"
#include "supervisor/supervisor_private.h"

struct destination *
destination_by_name(struct supervisor *s, struct slice name)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL && slice_is(name, child_name(s->dest[i].child)))
			return &s->dest[i];
	return NULL;
}

struct destination *
destination_of(struct supervisor *s, struct child *c)
{
	return &s->dest[child_slot(c)];
}

size_t
destinations_count(const struct supervisor *s)
{
	size_t	 n = 0;

	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		n += s->dest[i].child != NULL;
	return n;
}

bool
destinations_stopped(const struct supervisor *s)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL && child_state(s->dest[i].child) != CHILD_STOPPED)
			return false;
	return true;
}

void
destinations_feed(struct supervisor *s)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL)
			child_feed(s->dest[i].child);
}

/* Destinations that have never had anything learn where the stream begins for them. */
void
destinations_begin_at(struct supervisor *s, uint64_t seq)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct cursor *c = s->dest[i].child == NULL ? NULL : child_cursor(s->dest[i].child);

		if (c == NULL || c->seq != 0 || c->after != 0 || c->behind != 0 || seq == 0)
			continue;
		cursor_skip_to(c, seq);
		settle_soon(s);
	}
}

void
upstream_hold_by_need(struct supervisor *s)
{
	if (s->upstream == NULL)
		return;
	if (s->phase != PHASE_RUNNING)
		upstream_hold(s->upstream, true, "the server is ending");
	else if (s->paused_ns != 0)
		upstream_hold(s->upstream, true, "paused by the operator");
	else if (s->go_back_to > 0)
		upstream_hold(s->upstream, true, "going back for a destination that was away");
	else if (destinations_count(s) == 0)
		upstream_hold(s->upstream, true, "no destination is configured yet");
	else
		upstream_hold(s->upstream, false, "");
}

/* What a child asks of us. */

static const char *
host_session(void *arg)
{
	struct supervisor	*s = arg;

	return s->sid == NULL ? "" : s->sid;
}

static void
host_progress(void *arg, struct child *c)
{
	(void)c;
	settle_soon(arg);
}

static int
host_reject(void *arg, struct child *c, const struct ipc_rejected_body *b, struct err *err)
{
	struct supervisor		*s = arg;
	const struct store_quarantined	 q = {
		.seq = b->seq, .attempts = b->attempts, .at_ms = wall_ms(),
		.subject = b->subject, .reason = b->reason, .payload = b->payload,
	};
	/* What a worker refused that then died before it committed is refused once more by the next one. */
	bool				 again = store_quarantine_has(s->store, child_name(c), b->seq);

	if (store_quarantine_put(s->store, child_name(c), &q, err) == -1) {
		settle_soon(s);		/* which mends the store, if it needs that */
		return -1;
	}
	destination_of(s, c)->quarantined += !again;
	log_write(&s->log, LOG_WARN, KVS(KV_STR("destination", child_name(c)), KV_U64("sid", b->seq)),
	    "event set aside in the quarantine of %s: " SLICE_FMT, child_name(c), (int)(b->reason.n > 500 ? 500 : b->reason.n),
	    b->reason.p);
	return 0;
}

/* The event itself, for the quarantine: copied, because the store is not written while it is being read. */
struct found_event {
	uint64_t	 seq;
	struct buf	 subject, payload;
	bool		 found;
};

static int
copy_event(void *arg, const struct journal_entry *e)
{
	struct found_event	*f = arg;

	if (e->seq == f->seq && e->payload.p != NULL) {
		buf_adds_slice(&f->subject, e->subject);
		buf_adds_slice(&f->payload, e->payload);
		f->found = true;
	}
	return 1;
}

static int
find_event(struct supervisor *s, struct found_event *f, struct err *err)
{
	uint64_t	 i = window_after(s->window, f->seq - 1);

	if (i < window_tail(s->window) && window_at(s->window, i)->seq == f->seq) {
		const struct window_entry *w = window_at(s->window, i);
		const struct journal_entry e = { w->seq, w->subject, w->payload };

		(void)copy_event(f, &e);
	} else if (journal_read(s->journal, f->seq - 1, copy_event, f, err) == -1)
		return -1;
	if (f->subject.oom || f->payload.oom)
		return err_set(err, ERR_NOMEM, "setting an event aside");
	return f->found ? 0 : err_set(err, ERR_NOTFOUND, "event %llu is neither in the window nor in the journal",
	    (unsigned long long)f->seq);
}

static int
host_poison(void *arg, struct child *c, uint64_t seq, uint64_t attempts, const char *reason, struct err *err)
{
	struct supervisor		*s = arg;
	struct found_event		 f = { .seq = seq };
	struct ipc_rejected_body	 b = { .seq = seq, .attempts = attempts, .reason = slice_of(reason) };
	int				 rc = find_event(s, &f, err);

	if (rc == 0) {
		b.subject = buf_slice(&f.subject);
		b.payload = buf_slice(&f.payload);
		rc = host_reject(s, c, &b, err);
	}
	buf_free(&f.subject);
	buf_free(&f.payload);
	return rc;
}

static int
host_table_version(void *arg, struct child *c, struct slice table, struct slice version, struct err *err)
{
	struct supervisor	*s = arg;

	return store_table_version_put(s->store, child_name(c), table, version, err);
}

struct version_walk {
	int	(*add)(void *, struct slice);
	void	*ctx;
};

static int
add_pair(void *arg, struct slice table, struct slice version)
{
	struct version_walk	*w = arg;

	return w->add(w->ctx, table) != 0 || w->add(w->ctx, version) != 0;
}

static void
host_known_versions(void *arg, struct child *c, int (*add)(void *, struct slice), void *ctx)
{
	struct supervisor	*s = arg;
	struct version_walk	 w = { add, ctx };
	struct err		 err = { 0 };

	if (store_table_versions_each(s->store, child_name(c), add_pair, &w, &err) == -1)
		log_warn(&s->log, "table versions of %s: %s; the worker will find out by itself", child_name(c), err.text);
}

static void
host_import_times(void *arg, struct child *c, int (*add)(void *, struct slice), void *ctx)
{
	struct supervisor	*s = arg;
	struct version_walk	 w = { add, ctx };
	struct err		 err = { 0 };

	if (import_times_each(s->store, child_name(c), add_pair, &w, &err) == -1)
		log_warn(&s->log, "the times of imports into %s: %s; older events are stored once more", child_name(c), err.text);
}

static void
host_schema(void *arg, struct child *c, struct slice table, struct slice version)
{
	schemas_want(arg, c, table, version);
}

static void
host_forget_schemas(void *arg, struct child *c)
{
	schemas_forget(arg, c);
}

static void
host_committed(void *arg, struct child *c, const struct ipc_committed_body *b)
{
	struct supervisor		*s = arg;
	struct metrics_destination	*m = destination_of(s, c)->metrics;

	metrics_observe(s->metrics, METRIC_FLUSH_DURATION, (double)b->flush_us / 1e6);
	metrics_observe(s->metrics, METRIC_FLUSH_COUNT, (double)b->events);
	metrics_observe(s->metrics, METRIC_PROCESSING_DURATION, (double)b->process_us / 1e6);
	metrics_destination_observe(m, DESTINATION_FLUSH_DURATION, (double)b->flush_us / 1e6);
	metrics_destination_add(m, DESTINATION_COMMITTED, (double)b->events);
	metrics_destination_add(m, DESTINATION_NO_RULE, (double)b->no_rule);
	metrics_destination_add(m, DESTINATION_UNFIT, (double)b->unfit);
	metrics_destination_add(m, DESTINATION_UNCHECKED, (double)b->unchecked);
}

/* Coming and going. */

static void	host_state(void *, struct child *);

static bool
paused_in_store(struct supervisor *s, const char *name)
{
	struct buf	 value = { 0 };
	struct err	 err = { 0 };
	char		 fact[80];
	bool		 paused;

	(void)snprintf(fact, sizeof(fact), "paused:%s", name);
	paused = store_fact_get(s->store, fact, &value, &err) == 0 && slice_is(buf_slice(&value), "1");
	buf_free(&value);
	return paused;
}

int
destination_pause(struct supervisor *s, struct destination *d, bool pause, struct err *err)
{
	char	 fact[80];

	(void)snprintf(fact, sizeof(fact), "paused:%s", child_name(d->child));
	if (store_fact_put(s->store, fact, pause ? SLICE("1") : SLICE("0"), err) == -1)
		return -1;
	child_pause(d->child, pause);
	return 0;
}

/* Where a destination goes on: after its own cursor, or after what is acknowledged when it is new. */
static int
starting_point(struct supervisor *s, const char *name, uint64_t *seq_r, struct err *err)
{
	uint64_t	 acked = s->upstream == NULL ? s->resume_seq : upstream_stats(s->upstream)->acked_seq;

	if (store_cursor_get(s->store, name, seq_r, err) == -1) {
		if (err->code != ERR_NOTFOUND)
			return -1;
		err->code = ERR_NONE;
		*seq_r = acked;
		/* Durable before anything is acknowledged on its behalf: after a crash it must not be new once more. */
		return store_cursors_put(s->store, &(struct store_cursor){ name, acked }, 1, err);
	}
	if (!departed_is(s, name))
		return 0;
	departed_mark(s, name, false);
	if (*seq_r >= acked)
		return 0;
	if (s->upstream != NULL && journal_stats(s->journal)->events == 0) {
		if (s->go_back_to == 0 || *seq_r < s->go_back_to)
			s->go_back_to = *seq_r;
		return 0;
	}
	log_error(&s->log, "destination %s was away: events after %llu up to %llu were acknowledged without it and are not sent to it, "
	    "because others still read the journal; fill the gap with an import", name, (unsigned long long)*seq_r,
	    (unsigned long long)acked);
	*seq_r = acked;
	return store_cursors_put(s->store, &(struct store_cursor){ name, acked }, 1, err);
}

static int
skip_one(void *arg, const struct store_quarantined *q)
{
	return cursor_quarantined(arg, q->seq);
}

/* What was set aside before the end, and is behind the cursor, must not be stored as well. */
static int
skip_quarantined(struct supervisor *s, struct child *c, struct err *err)
{
	struct cursor	*cur = child_cursor(c);

	if (store_quarantine_each(s->store, child_name(c), skip_one, cur, err) == -1)
		return -1;
	cursor_rewind(cur);
	return 0;
}

/* How many events of the journal it still has to get.  Whole pages of it may turn out to be lost. */
static int
count_waiting(struct supervisor *s, unsigned slot, uint64_t seq, uint64_t *n_r, struct err *err)
{
	uint64_t	 route = UINT64_C(1) << slot;

	if (fanout_count_journal(s->journal, &s->routes, route, seq, n_r, err) == 0)
		return 0;
	if (!store_damaged(s->store))
		return -1;
	writer_wait(s->writer);
	if (mend(s, err) == -1)
		return -1;
	return fanout_count_journal(s->journal, &s->routes, route, seq, n_r, err);
}

static int
add(struct supervisor *s, const struct destination_config *config, struct err *err)
{
	const struct child_host	 host = {
		.arg = s, .loop = s->loop, .source = &s->source, .program = s->worker_program,
		.update_strategy = s->config->update_strategy, .data_dir = s->config->data_dir, .rules = s->config->rules,
		.session = host_session, .progress = host_progress, .state = host_state, .reject = host_reject, .poison = host_poison,
		.table_version = host_table_version, .known_versions = host_known_versions, .import_times = host_import_times, .schema = host_schema,
		.forget_schemas = host_forget_schemas, .committed = host_committed,
	};
	struct destination	*d;
	unsigned		 slot = 0;
	uint64_t		 seq = 0, waiting = 0;

	while (slot < ROUTE_SLOTS && s->dest[slot].child != NULL)
		slot++;
	if (slot == ROUTE_SLOTS)
		return err_set(err, ERR_CONFIG, "more than %d destinations", ROUTE_SLOTS);
	d = &s->dest[slot];
	*d = (struct destination){ 0 };
	if (starting_point(s, config->name, &seq, err) == -1 ||
	    store_quarantine_count(s->store, config->name, &d->quarantined, err) == -1)
		return -1;
	s->routes.slot[slot] = config;
	window_reroute(s->window, &s->routes);
	if (count_waiting(s, slot, seq, &waiting, err) == -1) {
		s->routes.slot[slot] = NULL;
		return -1;
	}
	if (child_new(&d->child, &host, config, slot, seq, waiting, s->paused_ns != 0 || paused_in_store(s, config->name), err) == -1) {
		s->routes.slot[slot] = NULL;
		return -1;
	}
	if (skip_quarantined(s, d->child, err) == -1)
		return -1;
	s->generation++;
	d->stored_seq = seq;
	d->metrics = metrics_destination(s->metrics, config->name);
	if (!imports_take_up(s, d))
		child_event(d->child, CHILD_EV_START);
	return 0;
}

static void
drop(struct supervisor *s, struct destination *d)
{
	unsigned	 slot = (unsigned)(d - s->dest);

	imports_drop(d);
	metrics_destination_remove(s->metrics, child_name(d->child));
	child_free(&d->child);
	s->routes.slot[slot] = NULL;
	*d = (struct destination){ 0 };
	window_reroute(s->window, &s->routes);
}

static void
free_old_configs(struct supervisor *s)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL && s->dest[i].leaving)
			return;		/* it still looks at an old one */
	while (s->old_configs != NULL) {
		struct old_config *o = s->old_configs;

		s->old_configs = o->next;
		config_free(&o->config);
		free(o);
	}
}

/* A destination that was to leave has stopped.  Runs from the loop, not from within the child's own event. */
static void
sweep(struct supervisor *s)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct destination *d = &s->dest[i];
		const struct destination_config *config;
		struct err err = { 0 };
		char name[64];

		if (d->child == NULL || !d->leaving || child_state(d->child) != CHILD_STOPPED)
			continue;
		settle_now(s);
		(void)snprintf(name, sizeof(name), "%s", child_name(d->child));
		drop(s, d);
		config = s->phase == PHASE_RUNNING ? config_destination(s->config, name) : NULL;
		if (config == NULL && s->phase == PHASE_RUNNING)
			departed_mark(s, name, true);
		if (config != NULL && add(s, config, &err) == -1)
			log_error(&s->log, "destination %s: %s", name, err.text);
	}
	free_old_configs(s);
	settle_soon(s);
	upstream_hold_by_need(s);
}

static void
swept_later(int revents, void *arg)
{
	(void)revents;
	sweep(arg);
	lifetime_step(arg);
}

static void
host_state(void *arg, struct child *c)
{
	struct supervisor	*s = arg;

	metrics_destination_state(destination_of(s, c)->metrics, child_state_shown(c));
	imports_rest(s, destination_of(s, c));
	if (child_state(c) == CHILD_STOPPED)
		ev_once(s->loop, -1, 0, 0., swept_later, s);
}

/*
 * Where the stream has to go on: after what the slowest destination has, or
 * after the journal, which holds what it lacks.  Destinations that are new have no say.
 */
static int
find_resume_seq(struct supervisor *s, struct err *err)
{
	uint64_t	 least = UINT64_MAX, seq;
	bool		 journal_in_use = journal_stats(s->journal)->events > 0;

	for (size_t i = 0; i < s->config->n_destinations; i++) {
		const char *name = s->config->destinations[i].name;

		if (store_cursor_get(s->store, name, &seq, err) == 0) {
			/* One that was away has its part in the stream, if anywhere; not in the journal. */
			if (seq < least && !(departed_is(s, name) && journal_in_use))
				least = seq;
		} else if (err->code != ERR_NOTFOUND)
			return -1;
	}
	s->resume_seq = least == UINT64_MAX ? 0 : least;
	if (s->resume_seq < s->source.spilled)
		s->resume_seq = s->source.spilled;
	return 0;
}

int
destinations_start(struct supervisor *s, struct err *err)
{
	if (departed_find(s, err) == -1 || find_resume_seq(s, err) == -1)
		return -1;
	for (size_t i = 0; i < s->config->n_destinations; i++)
		if (add(s, &s->config->destinations[i], err) == -1)
			return -1;
	return 0;
}

void
destinations_free(struct supervisor *s)
{
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL) {
			s->dest[i].leaving = false;
			drop(s, &s->dest[i]);
		}
	free_old_configs(s);
}

static void
leave(struct destination *d)
{
	d->leaving = true;
	child_event(d->child, CHILD_EV_STOP);
}

void
destinations_apply(struct supervisor *s, struct config *config, struct buf *changes)
{
	struct old_config	*old = calloc(1, sizeof(*old));
	struct config		*was = s->config;
	bool			 strategy = strcmp(was->update_strategy, config->update_strategy) != 0;
	bool			 rules = !config_same_rules(was, config);

	s->config = config;
	if (rules)
		buf_printf(changes, config->rules == NULL ? "events are not held against rules any more\n" :
		    "the rules of %s are in force\n", config->schema_validator);
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		struct destination *d = &s->dest[i];
		const struct destination_config *now;

		if (d->child == NULL || d->leaving)
			continue;
		now = config_destination(config, child_name(d->child));
		if (now != NULL && destination_config_same(child_destination(d->child), now)) {
			child_config(d->child, now);
			child_update_strategy(d->child, config->update_strategy);
			child_rules(d->child, config->rules);
			s->routes.slot[i] = now;
			if (strategy)
				buf_printf(changes, "update strategy of destination %s is now %s\n", child_name(d->child),
				    config->update_strategy);
			if (strategy || rules)
				child_event(d->child, CHILD_EV_RESTART);
			continue;
		}
		buf_printf(changes, "%s destination %s\n", now == NULL ? "removed" : "changed", child_name(d->child));
		leave(d);
	}
	for (size_t i = 0; i < config->n_destinations; i++) {
		struct err err = { 0 };

		if (destination_by_name(s, slice_of(config->destinations[i].name)) != NULL)
			continue;
		buf_printf(changes, "added destination %s\n", config->destinations[i].name);
		if (add(s, &config->destinations[i], &err) == -1)
			log_error(&s->log, "destination %s: %s", config->destinations[i].name, err.text);
	}
	if (old != NULL) {
		old->config = was;
		old->next = s->old_configs;
		s->old_configs = old;
	}
	free_old_configs(s);
	upstream_hold_by_need(s);
	settle_soon(s);
}

void
destinations_pause(struct supervisor *s, bool pause)
{
	s->paused_ns = pause ? wall_ns() : 0;
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL)
			child_pause(s->dest[i].child, pause || paused_in_store(s, child_name(s->dest[i].child)));
	upstream_hold_by_need(s);
	heart_beat_now(s);
}

uint64_t
destinations_ack_pending(const struct supervisor *s)
{
	uint64_t	 n = s->config->max_ack_pending;

	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		const struct driver_info *info;

		if (s->dest[i].child == NULL)
			continue;
		info = driver_info_by_scheme(url_scheme(slice_of(child_destination(s->dest[i].child)->url)));
		if (info != NULL && info->ack_batch > 0 && info->ack_batch < n)
			n = info->ack_batch;
	}
	return n;
}
