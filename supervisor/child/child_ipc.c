/*
 * What is said between the supervisor and one worker.  A worker's word is
 * checked before anything follows from it; nonsense ends that worker, nothing else.
 */

#include <stdio.h>
#include <stdlib.h>

#include "ipc/handshake.h"
#include "supervisor/child/child_private.h"
#include "supervisor/child/process.h"

/* Rate of commits. */

static void
rate_turn(struct child *c)
{
	int64_t	 now = mono_now() / RATE_SLOT_MS;

	for (; c->rate_slot < now; c->rate_slot++) {
		if (now - c->rate_slot > RATE_SLOTS)
			c->rate_slot = now - RATE_SLOTS;
		c->rate[(c->rate_slot + 1) % RATE_SLOTS] = 0;
	}
}

double
child_ipc_rate(const struct child *c)
{
	int64_t		 now = mono_now() / RATE_SLOT_MS;
	uint64_t	 sum = 0;

	for (int64_t slot = now - RATE_SLOTS + 1; slot <= c->rate_slot; slot++)
		if (slot > c->rate_slot - RATE_SLOTS && slot >= 0)
			sum += c->rate[slot % RATE_SLOTS];
	return (double)sum / ((double)RATE_SLOTS * RATE_SLOT_MS / 1000.0);
}

/* Sending. */

/* The channel may have been given up by something that happened while it was being read. */
static bool
connected(const struct child *c)
{
	return c->channel != NULL && !c->end_wanted;
}

static void
lost(struct child *c, const char *what)
{
	(void)snprintf(c->reason, sizeof(c->reason), "%.*s", (int)sizeof(c->reason) - 1, what);
	child_ipc_end(c);
	child_event(c, CHILD_EV_LOST);
}

/* Writes what the socket takes and waits for the rest. */
static void
flush(struct child *c)
{
	struct err	 err = { 0 };

	if (!connected(c))
		return;
	if (channel_flush(c->channel, &err) == -1) {
		/* The exit status tells more than a broken pipe: it follows at once. */
		log_debug(&c->log, "writing to the worker: %s", err.text);
		child_ipc_end(c);
		return;
	}
	if (channel_wants_write(c->channel))
		ev_io_start(c->host.loop, &c->writable);
	else
		ev_io_stop(c->host.loop, &c->writable);
}

static void
send_body(struct child *c, enum ipc_type type, const union ipc_body *body)
{
	struct err	 err = { 0 };

	if (!connected(c))
		return;
	if (channel_send(c->channel, type, body, &err) == -1)
		lost(c, err.text);
	else
		flush(c);
}

struct text_list {
	struct slice	*v;
	size_t		 n, cap;
};

static int
text_list_add(void *ctx, struct slice s)
{
	struct text_list	*l = ctx;
	char			*copy;

	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 64 : l->cap * 2;
		struct slice *v = realloc(l->v, cap * sizeof(*v));

		if (v == NULL)
			return -1;
		l->v = v;
		l->cap = cap;
	}
	if (l->n >= IPC_STRS_MAX || (copy = slice_dup(s)) == NULL)
		return -1;
	l->v[l->n++] = (struct slice){ copy, s.n };
	return 0;
}

static void
text_list_free(struct text_list *l)
{
	while (l->n > 0)
		free((void *)(uintptr_t)l->v[--l->n].p);
	free(l->v);
}

static void
send_configuration(struct child *c)
{
	struct text_list	 versions = { 0 }, times = { 0 };
	char			 dir[4096];
	union ipc_body		 b = { .configure = {
		.destination = slice_of(c->config->name), .url = slice_of(c->config->url),
		.update_strategy = slice_of(c->host.update_strategy), .session = slice_of(c->host.session(c->host.arg)),
		.log_level = (uint64_t)log_level_get(),
		.batch_events = c->config->batch_events, .batch_bytes = c->config->batch_bytes,
		.min_latency_ms = (uint64_t)c->config->min_latency_ms, .max_latency_ms = (uint64_t)c->config->max_latency_ms,
		.stop_on_reject = c->config->on_reject == ON_REJECT_STOP,
		.queue_events = c->config->queue_events, .queue_bytes = c->config->queue_bytes,
		.rules = slice_of(c->host.rules == NULL ? "" : c->host.rules),
	} };

	(void)snprintf(dir, sizeof(dir), "%s/destination-%s", c->host.data_dir, c->config->name);
	b.configure.data_dir = slice_of(dir);
	c->host.known_versions(c->host.arg, c, text_list_add, &versions);
	b.configure.table_versions = (struct ipc_strs){ versions.v, versions.n & ~(size_t)1 };
	c->host.import_times(c->host.arg, c, text_list_add, &times);
	b.configure.import_times = (struct ipc_strs){ times.v, times.n & ~(size_t)1 };
	c->ruled = c->host.rules != NULL;
	send_body(c, IPC_CONFIGURE, &b);
	text_list_free(&versions);
	text_list_free(&times);
}

/* The quarantined event goes alone: what was in flight is committed, nothing follows before its fate is known. */
static void
offer_again(struct child *c)
{
	struct ipc_events_writer	 w;

	if (c->retry_sent || c->cursor.in_flight > 0 || c->state != CHILD_RUNNING || !connected(c) || c->credit.events == 0)
		return;
	ipc_events_begin(&w, channel_out(c->channel));
	ipc_events_add(&w, c->retry.seq, buf_slice(&c->retry_subject), buf_slice(&c->retry_payload));
	ipc_events_end(&w);
	c->credit.events--;
	c->credit.bytes -= (int64_t)c->retry_payload.len;
	c->retry_sent = true;
	c->retry_refused = false;
	flush(c);
}

/* No event is left that could show the worker to be well: the verdicts stand.  False when the worker is lost over it. */
static bool
close_case(struct child *c)
{
	struct err	 err = { 0 };

	if (c->state != CHILD_RUNNING || c->cursor.in_flight != c->n_verdicts || fanout_late(&c->cursor, c->host.source) ||
	    cursor_peek(&c->cursor, c->host.source->window) != NULL)
		return true;
	if (child_carry_out(c, cursor_newest(&c->cursor), &err) == -1) {
		lost(c, err.text);
		return false;
	}
	if (c->cursor.in_flight > 0 && !cursor_commit(&c->cursor, cursor_newest(&c->cursor)))
		bug("a verdict was not in flight");
	suspect_committed(&c->suspect, c->cursor.seq);
	c->host.progress(c->host.arg, c);
	return true;
}

void
child_retry_over(struct child *c, bool stored, const char *why)
{
	struct child_retry	 r = c->retry;
	char			 text[sizeof(c->retry_reason)];

	(void)snprintf(text, sizeof(text), "%.*s", (int)sizeof(text) - 1, why);
	c->retry_wanted = c->retry_sent = false;
	r.done(r.arg, r.seq, stored, text);	/* may begin the next one */
}

int
child_retry(struct child *c, const struct child_retry *r, struct slice subject, struct slice payload, struct err *err)
{
	if (c->retry_wanted)
		return err_set(err, ERR_CONFLICT, "another event of the quarantine is being offered to %s", c->config->name);
	if (c->state != CHILD_RUNNING)
		return err_set(err, ERR_CONFLICT, "%s is %s; a retry needs it running", c->config->name, child_state_shown(c));
	buf_reset(&c->retry_subject);
	buf_reset(&c->retry_payload);
	buf_adds_slice(&c->retry_subject, subject);
	buf_adds_slice(&c->retry_payload, payload);
	if (c->retry_subject.oom || c->retry_payload.oom)
		return err_set(err, ERR_NOMEM, "offering an event again");
	c->retry = *r;
	c->retry_wanted = true;
	c->retry_sent = false;
	child_feed(c);
	return 0;
}

void
child_feed(struct child *c)
{
	struct err	 err = { 0 };
	int64_t		 fed = 0;
	size_t		 held = c->cursor.in_flight - (c->cursor.in_flight > 0 ? c->n_verdicts : 0);
	uint64_t	 seq = c->cursor.seq, most = suspect_room(&c->suspect, held), held_back = 0;

	if (c->state == CHILD_RUNNING && connected(c) && c->retry_wanted)
		most = 0;
	if (c->credit.events > most) {
		held_back = c->credit.events - most;
		c->credit.events = most;
	}
	if (c->state == CHILD_RUNNING && connected(c))
		fed = fanout_feed(&c->cursor, c->host.source, &c->credit, c->channel, &err);
	else if (fanout_step_over(&c->cursor, c->host.source, &err) == -1)
		fed = -1;	/* what is not for this destination must not wait for its worker */
	c->credit.events += held_back;
	if (fed == -1 && err.code == ERR_INVALID)
		fed = 0;	/* damage in the journal: the supervisor mends it and feeds again */
	if (fed == -1) {
		lost(c, err.text);
		return;
	}
	if (fed > 0)
		flush(c);
	if (c->n_verdicts > 0 && !close_case(c))
		return;
	if (c->retry_wanted)
		offer_again(c);
	if (c->cursor.seq != seq)
		c->host.progress(c->host.arg, c);
}

void
child_schema(struct child *c, struct slice table, struct slice version, unsigned status, struct slice json)
{
	union ipc_body	 b = { .schema = { .table = table, .version = version, .status = status, .json = json } };

	send_body(c, IPC_SCHEMA, &b);
}

void
child_ipc_ping(struct child *c)
{
	union ipc_body	 b = { .ping = { .nonce = (uint64_t)mono_now() } };

	send_body(c, IPC_PING, &b);
}

void
child_ipc_drain(struct child *c)
{
	union ipc_body	 b = { 0 };

	send_body(c, IPC_DRAIN, &b);
}

/* Hearing. */

static int
hear_hello(struct child *c, const struct ipc_hello_body *b, struct err *err)
{
	uint64_t	 version;

	if (handshake_check(b, "eds", &version, err) == -1) {
		c->broken_config = true;
		return -1;
	}
	c->greeted = true;
	send_configuration(c);
	return 0;
}

static int
hear_ready(struct child *c, const struct ipc_ready_body *b, struct err *err)
{
	if (c->state == CHILD_RUNNING || c->state == CHILD_PAUSED)
		return err_set(err, ERR_INVALID, "READY came twice");
	if (c->ruled && !b->rules) {
		c->broken_config = true;
		return err_set(err, ERR_CONFIG, HANDSHAKE_NO_RULES);
	}
	c->credit.events = b->credit_events;
	c->credit.bytes = b->credit_bytes > INT64_MAX ? INT64_MAX : (int64_t)b->credit_bytes;
	child_event(c, CHILD_EV_READY);
	return 0;
}

static int
hear_credit(struct child *c, const struct ipc_credit_body *b, struct err *err)
{
	if (b->events > UINT32_MAX || b->bytes > UINT32_MAX || c->credit.events > UINT32_MAX ||
	    c->credit.bytes > (int64_t)UINT32_MAX * 4)
		return err_set(err, ERR_INVALID, "more credit than any queue can have");
	c->credit.events += b->events;
	c->credit.bytes += (int64_t)b->bytes;
	child_feed(c);
	return 0;
}

static int
hear_committed(struct child *c, const struct ipc_committed_body *b, struct err *err)
{
	c->stats.no_rule += b->no_rule;
	c->stats.unfit += b->unfit;
	c->stats.unchecked += b->unchecked;
	if (c->retry_sent && b->seq == c->retry.seq) {
		child_retry_over(c, !c->retry_refused, c->retry_refused ? c->retry_reason : "");
		child_feed(c);
		return 0;
	}
	if (!cursor_holds(&c->cursor, b->seq) || b->seq <= c->cursor.seq)
		return err_set(err, ERR_INVALID, "it claims to have stored event %llu, which it was not sent",
		    (unsigned long long)b->seq);
	if (child_carry_out(c, b->seq, err) == -1)
		return -1;
	c->guilty_in_a_row = 0;
	if (!cursor_commit(&c->cursor, b->seq))
		return err_set(err, ERR_INVALID, "it claims to have stored event %llu, which it was not sent",
		    (unsigned long long)b->seq);
	suspect_committed(&c->suspect, c->cursor.seq);
	c->stats.committed += b->events;
	c->stats.committed_bytes += b->bytes;
	c->stats.batches++;
	c->stats.flush_us += b->flush_us;
	c->stats.last_commit_ms = wall_ms();
	rate_turn(c);
	c->rate[c->rate_slot % RATE_SLOTS] += b->events;
	c->host.committed(c->host.arg, c, b);
	c->host.progress(c->host.arg, c);
	if (c->suspect.active || c->retry_wanted)
		child_feed(c);		/* what was held back until this commit */
	return 0;
}

static int
hear_rejected(struct child *c, const struct ipc_rejected_body *b, struct err *err)
{
	if (c->retry_sent && b->seq == c->retry.seq) {
		c->retry_refused = true;
		(void)snprintf(c->retry_reason, sizeof(c->retry_reason), SLICE_FMT, (int)(b->reason.n > 590 ? 590 : b->reason.n),
		    b->reason.p == NULL ? "" : b->reason.p);
		return 0;
	}
	if (!cursor_holds(&c->cursor, b->seq))
		return err_set(err, ERR_INVALID, "it rejects event %llu, which it was not sent", (unsigned long long)b->seq);
	c->stats.rejected++;
	if (c->config->on_reject == ON_REJECT_STOP) {
		(void)err_set(err, ERR_CONFIG, "event %llu was rejected (on_reject = stop): " SLICE_FMT,
		    (unsigned long long)b->seq, (int)(b->reason.n > 600 ? 600 : b->reason.n), b->reason.p);
		c->broken_config = true;
		return -1;
	}
	if (!child_count_aside(c))
		return err_set(err, ERR_CONFIG, "%.700s; the last one: " SLICE_FMT, c->reason, (int)(b->reason.n > 200 ? 200 : b->reason.n),
		    b->reason.p == NULL ? "" : b->reason.p);
	if (c->host.reject(c->host.arg, c, b, err) == -1)
		return -1;
	return cursor_quarantined(&c->cursor, b->seq) == -1 ? err_set(err, ERR_NOMEM, "setting an event aside") : 0;
}

static int
hear_trouble(struct child *c, const struct ipc_trouble_body *b)
{
	bool	 fresh = c->trouble[0] == '\0' && b->reason.n > 0;

	if (b->reason.n == 0 && c->trouble[0] != '\0')
		log_info(&c->log, "destination is well again after %llu attempts", (unsigned long long)c->stats.trouble_attempts);
	(void)snprintf(c->trouble, sizeof(c->trouble), SLICE_FMT, (int)(b->reason.n > 590 ? 590 : b->reason.n),
	    b->reason.p == NULL ? "" : b->reason.p);
	c->stats.trouble_attempts = b->attempts;
	c->stats.trouble_seq = b->seq;
	/* A standing complaint is said ever more rarely. */
	if (fresh || (b->reason.n > 0 && (b->attempts & (b->attempts - 1)) == 0))
		log_warn(&c->log, "destination is in trouble and is tried again (attempt %llu): %s", (unsigned long long)b->attempts, c->trouble);
	return 0;
}

static int
hear_broken(struct child *c, const struct ipc_broken_body *b)
{
	(void)snprintf(c->reason, sizeof(c->reason), SLICE_FMT, (int)(b->reason.n > 690 ? 690 : b->reason.n),
	    b->reason.p == NULL ? "" : b->reason.p);
	c->broken_config = b->config;
	c->said_broken = true;
	return 0;
}

static int
hear(void *arg, const struct ipc_msg *m, struct err *err)
{
	struct child	*c = arg;

	if (c->end_wanted)
		return err_set(err, ERR_IO, "the channel was given up");
	c->heard_at = mono_now();
	switch (m->type) {
	case IPC_HELLO:
		return hear_hello(c, &m->body.hello, err);
	case IPC_READY:
		return hear_ready(c, &m->body.ready, err);
	case IPC_CREDIT:
		return hear_credit(c, &m->body.credit, err);
	case IPC_COMMITTED:
		return hear_committed(c, &m->body.committed, err);
	case IPC_REJECTED:
		return hear_rejected(c, &m->body.rejected, err);
	case IPC_SCHEMA_WANTED:
		c->host.schema(c->host.arg, c, m->body.schema_wanted.table, m->body.schema_wanted.version);
		return 0;
	case IPC_TABLE_VERSION:
		return c->host.table_version(c->host.arg, c, m->body.table_version.table, m->body.table_version.version, err);
	case IPC_LOG:
		process_log(&m->body.log);
		return 0;
	case IPC_PONG:
		c->stats.busy_ms = m->body.pong.busy_ms;
		c->stats.queued_events = m->body.pong.queued_events;
		c->stats.rss_bytes = m->body.pong.rss_bytes;
		return 0;
	case IPC_TROUBLE:
		return hear_trouble(c, &m->body.trouble);
	case IPC_BROKEN:
		return hear_broken(c, &m->body.broken);
	case IPC_GOODBYE:
		log_debug(&c->log, "worker says goodbye: " SLICE_FMT, SLICE_ARG(m->body.goodbye.reason));
		return 0;
	default:
		return err_set(err, ERR_INVALID, "unexpected message %s", ipc_type_name(m->type));
	}
}

static void
read_channel(struct child *c)
{
	struct err	 err = { 0 };
	char		 text[sizeof(c->reason)];
	int		 rc;

	c->reading = true;
	rc = channel_read(c->channel, hear, c, &err);
	c->reading = false;
	if (c->end_wanted) {
		child_ipc_end(c);	/* what led to it has said why */
		return;
	}
	if (rc == 0)
		return;
	if (rc == 1) {
		child_ipc_end(c);	/* the exit status follows */
		return;
	}
	if (err.code == ERR_IO) {	/* reset by a dying peer */
		child_ipc_end(c);
		return;
	}
	if (err.code == ERR_INVALID)
		(void)snprintf(text, sizeof(text), "the worker broke the protocol: %.600s", err.text);
	else
		(void)snprintf(text, sizeof(text), "%.600s", err.text);
	lost(c, text);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	read_channel(w->data);
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int events)
{
	struct child	*c = w->data;

	(void)loop;
	(void)events;
	flush(c);
	child_feed(c);
}

void
child_ipc_read_rest(struct child *c)
{
	uint64_t	 before;

	/* Each read is bounded; go on while something came. */
	while (connected(c)) {
		before = channel_bytes_in(c->channel);
		read_channel(c);
		if (connected(c) && channel_bytes_in(c->channel) == before)
			break;
	}
}

void
child_ipc_init(struct child *c)
{
	ev_init(&c->readable, on_readable);
	ev_init(&c->writable, on_writable);
	c->readable.data = c->writable.data = c;
	c->rate_slot = mono_now() / RATE_SLOT_MS;
}

int
child_ipc_begin(struct child *c, int fd, struct err *err)
{
	c->greeted = false;
	c->credit = (struct credit){ 0 };
	if ((c->channel = channel_new(fd, IPC_WORKER)) == NULL)
		return err_set(err, ERR_NOMEM, "channel to a worker");
	ev_io_set(&c->readable, fd, EV_READ);
	ev_io_set(&c->writable, fd, EV_WRITE);
	ev_io_start(c->host.loop, &c->readable);
	if (handshake_send(c->channel, "eds", c->stats.generation, err) == -1)
		return -1;
	flush(c);
	return 0;
}

void
child_ipc_end(struct child *c)
{
	ev_io_stop(c->host.loop, &c->readable);
	ev_io_stop(c->host.loop, &c->writable);
	if (c->reading) {
		c->end_wanted = true;	/* its reader is on the stack */
		return;
	}
	c->end_wanted = false;
	channel_free(&c->channel);
	c->greeted = false;
}
