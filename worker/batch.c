/*
 * Grouping events for the driver.  There is no timer: a batch is what has
 * arrived while the one before was being stored, so a lone event waits for
 * nothing and batches grow by themselves under load.  A floor exists only
 * where the operator asked for one.
 */

#include <stdlib.h>

#include "worker/batch.h"

#define ARENA_KEPT	((size_t)64 << 10)	/* a larger one was for a rare event: given back */

static size_t
stricter(size_t driver, uint64_t configured)
{
	return configured > 0 && configured < driver ? (size_t)configured : driver;
}

void
batch_rules_make(struct batch_rules *rules, const struct drv_batching *driver, const struct ipc_configure_body *c)
{
	uint64_t	 linger_ms = c->min_latency_ms > driver->linger_ms ? c->min_latency_ms : driver->linger_ms;

	if (c->max_latency_ms > 0 && linger_ms > c->max_latency_ms)
		linger_ms = c->max_latency_ms;
	rules->events = stricter(driver->events, c->batch_events);
	rules->bytes = stricter(driver->bytes, c->batch_bytes);
	rules->linger_us = linger_ms > UINT64_MAX / 1000 ? UINT64_MAX : linger_ms * 1000;
}

uint64_t
batch_wait_us(const struct batch_rules *rules, const struct intake *in, uint64_t now_us, bool hurry)
{
	uint64_t	 age;
	bool		 more;
	size_t		 n;

	if (intake_events(in) == 0)
		return UINT64_MAX;
	if (hurry || rules->linger_us == 0 || intake_full(in))
		return 0;
	n = intake_fit(in, rules->events, rules->bytes, &more);
	age = now_us - intake_oldest_us(in);
	return more || n >= rules->events || age >= rules->linger_us ? 0 : rules->linger_us - age;
}

static int
grow(void *pp, size_t n, size_t size)
{
	void	*p;

	(void)memcpy(&p, pp, sizeof(p));
	if ((p = realloc(p, n * size)) == NULL)
		return -1;
	(void)memcpy(pp, &p, sizeof(p));
	return 0;
}

static int
batch_reserve(struct batch *b, size_t n, struct err *err)
{
	if (n <= b->cap)
		return 0;
	if (grow(&b->held, n, sizeof(*b->held)) == -1 || grow(&b->events, n, sizeof(*b->events)) == -1 ||
	    grow(&b->live, n, sizeof(*b->live)) == -1 || grow(&b->origin, n, sizeof(*b->origin)) == -1)
		return err_set(err, ERR_NOMEM, "no memory for a batch of %zu events", n);
	(void)memset(b->events + b->cap, 0, (n - b->cap) * sizeof(*b->events));
	b->cap = n;
	return 0;
}

int
batch_take(struct batch *b, struct intake *in, const struct batch_rules *rules, struct err *err)
{
	bool	 more;
	size_t	 n = intake_fit(in, rules->events, rules->bytes, &more);

	if (batch_reserve(b, n, err) == -1)
		return -1;
	intake_take(in, b->held, n);
	b->n = n;
	b->held_bytes = 0;
	for (size_t i = 0; i < n; i++)
		b->held_bytes += b->held[i].payload.n;
	b->n_live = 0;
	b->live_bytes = 0;
	return 0;
}

static void
begin_gate(struct batch *b)
{
	arena_reset(&b->paths);
	(void)memset(b->held_back, 0, sizeof(b->held_back));
}

static enum rules_result
ask(struct batch *b, size_t i, struct gate *gate, struct slice *path_r)
{
	const char		*why;
	enum rules_result	 result = gate_check(gate, &b->events[i], "event", b->held[i].seq, &b->paths, path_r, &why);

	b->held_back[result]++;
	return result;
}

int
batch_parse(struct batch *b, const struct skip *skip, struct gate *gate, batch_refuse_fn refuse, void *arg, struct err *err)
{
	struct err	 why = { 0 };
	struct slice	 path = { NULL, 0 };
	enum rules_result verdict = RULES_FIT;

	b->n_live = 0;
	b->live_bytes = 0;
	if (gate != NULL)
		begin_gate(b);
	for (size_t i = 0; i < b->n; i++) {
		if (event_parse(&b->events[i], b->held[i].payload, &why) == -1) {
			if (why.code == ERR_NOMEM)	/* no fault of the event's */
				return err_set(err, ERR_NOMEM, "%s", why.text);
			refuse(arg, &b->held[i], &why);
			continue;
		}
		if (skip_is_older(skip, &b->events[i]))
			continue;
		if (gate != NULL && (verdict = ask(b, i, gate, &path)) == RULES_NOMEM)
			return err_set(err, ERR_NOMEM, "no memory to hold event %llu against the rules", (unsigned long long)b->held[i].seq);
		if (verdict != RULES_FIT)
			continue;
		b->origin[b->n_live] = i;
		b->live[b->n_live++] = (struct drv_event){
			.seq = b->held[i].seq, .ev = &b->events[i], .payload = b->held[i].payload, .path = path
		};
		b->live_bytes += b->held[i].payload.n;
	}
	return 0;
}

const struct held *
batch_origin(const struct batch *b, size_t i)
{
	return &b->held[b->origin[i]];
}

void
batch_remove(struct batch *b, size_t i)
{
	size_t	 behind = b->n_live - i - 1;

	b->live_bytes -= b->live[i].payload.n;
	(void)memmove(b->live + i, b->live + i + 1, behind * sizeof(*b->live));
	(void)memmove(b->origin + i, b->origin + i + 1, behind * sizeof(*b->origin));
	b->n_live--;
}

void
batch_done(struct batch *b, struct intake *in)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->events[i].arena.cap > ARENA_KEPT) {
			event_free(&b->events[i]);
			b->events[i] = (struct event){ 0 };
		}
	}
	intake_release(in, b->held, b->n);
	b->n = b->n_live = 0;
}

void
batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->cap; i++)
		event_free(&b->events[i]);
	free(b->held);
	free(b->events);
	free(b->live);
	free(b->origin);
	arena_free(&b->paths);
	*b = (struct batch){ 0 };
}
