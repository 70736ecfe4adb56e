/* From the window, or the journal, to one worker. */

#include "supervisor/window/fanout.h"

#define QUEUE_MARK	(256u << 10)	/* bytes not yet written, above which nothing is added */

struct feed {
	struct cursor			*cursor;
	const struct fanout_source	*src;
	struct credit			*credit;
	struct channel			*channel;	/* NULL: only step over */
	struct ipc_events_writer	 writer;
	bool				 open;		/* a frame is being written */
	int64_t				 fed;
	bool				 no_memory, stopped;
};

static void
end_frame(struct feed *f)
{
	if (f->open)
		ipc_events_end(&f->writer);
	f->open = false;
}

/* False when the event has to wait. */
static bool
feed_one(struct feed *f, uint64_t seq, struct slice subject, struct slice payload)
{
	if (f->channel == NULL || f->credit->events == 0 || f->credit->bytes <= 0)
		return false;
	if (f->open && ipc_events_size(&f->writer) >= IPC_FRAME_AIM)
		end_frame(f);
	if (!f->open && channel_queued(f->channel) >= QUEUE_MARK)
		return false;
	if (cursor_sent(f->cursor, seq) == -1) {
		f->no_memory = true;
		return false;
	}
	if (!f->open)
		ipc_events_begin(&f->writer, channel_out(f->channel));
	f->open = true;
	ipc_events_add(&f->writer, seq, subject, payload);
	f->credit->events--;
	f->credit->bytes -= (int64_t)payload.n;
	f->fed++;
	return true;
}

static int
from_journal(void *arg, const struct journal_entry *e)
{
	struct feed	*f = arg;

	if (e->payload.p == NULL) {
		f->stopped = f->src->damaged(f->src->arg, e->seq) != 0;
		if (f->stopped)
			return 1;
		cursor_skip_to(f->cursor, e->seq);
		return 0;
	}
	if (!cursor_wants(f->cursor, routes_of(f->src->routes, e->subject), e->seq)) {
		cursor_skip_to(f->cursor, e->seq);
		return 0;
	}
	f->stopped = !feed_one(f, e->seq, e->subject, e->payload);
	return f->stopped;
}

bool
fanout_late(const struct cursor *c, const struct fanout_source *src)
{
	return src->journal != NULL && c->after < src->spilled;
}

static int
feed(struct feed *f, struct err *err)
{
	const struct window_entry	*e;
	int				 rc = 0;

	if (fanout_late(f->cursor, f->src)) {
		rc = journal_read(f->src->journal, f->cursor->after, from_journal, f, err);
		if (rc == 0 && !f->stopped)
			cursor_skip_to(f->cursor, f->src->spilled);
	}
	if (rc == 0 && !f->stopped)
		while ((e = cursor_peek(f->cursor, f->src->window)) != NULL && feed_one(f, e->seq, e->subject, e->payload))
			;
	end_frame(f);
	if (f->no_memory || (f->channel != NULL && f->fed > 0 && channel_out(f->channel)->oom))
		return err_set(err, ERR_NOMEM, "sending events");
	return rc;
}

int64_t
fanout_feed(struct cursor *c, const struct fanout_source *src, struct credit *credit, struct channel *ch, struct err *err)
{
	struct feed	 f = { .cursor = c, .src = src, .credit = credit, .channel = ch };

	cursor_note(c, src->window);
	if (credit->events == 0 || credit->bytes <= 0 || channel_queued(ch) >= QUEUE_MARK) {
		/* Nothing can go; what is not for it still counts as seen when it has nothing in flight. */
		if (c->in_flight > 0)
			return 0;
	}
	return feed(&f, err) == -1 ? -1 : f.fed;
}

int
fanout_step_over(struct cursor *c, const struct fanout_source *src, struct err *err)
{
	struct credit	 none = { 0 };
	struct feed	 f = { .cursor = c, .src = src, .credit = &none };

	cursor_note(c, src->window);
	return feed(&f, err);
}

struct count {
	const struct routes	*routes;
	uint64_t		 route, n;
};

static int
count_one(void *arg, const struct journal_entry *e)
{
	struct count	*c = arg;

	c->n += e->payload.p != NULL && (routes_of(c->routes, e->subject) & c->route) != 0;
	return 0;
}

int
fanout_count_journal(struct journal *j, const struct routes *routes, uint64_t route, uint64_t seq, uint64_t *n_r, struct err *err)
{
	struct count	 c = { routes, route, 0 };
	int		 rc = journal_read(j, seq, count_one, &c, err);

	*n_r = c.n;
	return rc;
}
