/*
 * The queue between the socket and the driver.  A frame's memory is used again
 * for the next frame, so each event is copied once, into chunks that hold
 * many; a chunk is given up when the last event in it has been released.
 */

#include <stdlib.h>

#include "worker/intake.h"

#define CHUNK_SIZE	((size_t)256 << 10)

struct intake_chunk {
	struct intake_chunk	*next;		/* all chunks, for intake_free() */
	struct intake_chunk	*prev;
	size_t			 used;
	size_t			 cap;
	size_t			 live;		/* events that lie in it */
	char			 data[];
};

struct intake {
	struct held		*ring;
	size_t			 ring_cap;	/* a power of two, or 0 */
	size_t			 first;
	size_t			 n;
	size_t			 bytes;
	size_t			 max_events;
	size_t			 max_bytes;
	struct intake_chunk	*chunks;
	struct intake_chunk	*fill;		/* where the next event goes */
};

struct intake *
intake_new(size_t max_events, size_t max_bytes)
{
	struct intake	*in = calloc(1, sizeof(*in));

	if (in != NULL) {
		in->max_events = max_events;
		in->max_bytes = max_bytes;
	}
	return in;
}

void
intake_free(struct intake **in)
{
	struct intake_chunk	*c, *next;

	if (*in == NULL)
		return;
	for (c = (*in)->chunks; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free((*in)->ring);
	free(*in);
	*in = NULL;
}

static bool
ring_grow(struct intake *in)
{
	size_t		 cap = in->ring_cap == 0 ? 64 : in->ring_cap * 2;
	struct held	*ring = calloc(cap, sizeof(*ring));

	if (ring == NULL)
		return false;
	for (size_t i = 0; i < in->n; i++)
		ring[i] = in->ring[(in->first + i) & (in->ring_cap - 1)];
	free(in->ring);
	in->ring = ring;
	in->ring_cap = cap;
	in->first = 0;
	return true;
}

static void
chunk_drop(struct intake *in, struct intake_chunk *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		in->chunks = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	free(c);
}

/* A chunk with room for n bytes; NULL when memory is short. */
static struct intake_chunk *
chunk_for(struct intake *in, size_t n)
{
	struct intake_chunk	*c = in->fill;
	size_t			 cap = n > CHUNK_SIZE ? n : CHUNK_SIZE;

	if (c != NULL && c->cap - c->used >= n)
		return c;
	if ((c = malloc(sizeof(*c) + cap)) == NULL)
		return NULL;
	*c = (struct intake_chunk){ .cap = cap, .next = in->chunks };
	if (c->next != NULL)
		c->next->prev = c;
	in->chunks = c;
	if (in->fill != NULL && in->fill->live == 0)
		chunk_drop(in, in->fill);
	in->fill = c;
	return c;
}

static struct slice
chunk_copy(struct intake_chunk *c, struct slice s)
{
	char	*at = c->data + c->used;

	if (s.n > 0)
		(void)memcpy(at, s.p, s.n);
	c->used += s.n;
	return (struct slice){ at, s.n };
}

bool
intake_full(const struct intake *in)
{
	return in->n >= in->max_events || (in->n > 0 && in->bytes >= in->max_bytes);
}

int
intake_add(struct intake *in, const struct ipc_event *ev, uint64_t now_us, struct err *err)
{
	struct intake_chunk	*c;
	struct held		*h;

	if (intake_full(in))
		return err_set(err, ERR_INVALID,
		    "event %llu is beyond the credit of %zu events and %zu bytes",
		    (unsigned long long)ev->seq, in->max_events, in->max_bytes);
	if ((in->n == in->ring_cap && !ring_grow(in)) ||
	    (c = chunk_for(in, ev->subject.n + ev->payload.n)) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for an event of %zu bytes", ev->payload.n);
	h = &in->ring[(in->first + in->n) & (in->ring_cap - 1)];
	h->seq = ev->seq;
	h->arrived_us = now_us;
	h->home = c;
	h->subject = chunk_copy(c, ev->subject);
	h->payload = chunk_copy(c, ev->payload);
	c->live++;
	in->n++;
	in->bytes += ev->payload.n;
	return 0;
}

size_t
intake_events(const struct intake *in)
{
	return in->n;
}

size_t
intake_bytes(const struct intake *in)
{
	return in->bytes;
}

uint64_t
intake_oldest_us(const struct intake *in)
{
	return in->n == 0 ? 0 : in->ring[in->first].arrived_us;
}

size_t
intake_fit(const struct intake *in, size_t max_events, size_t max_bytes, bool *more_r)
{
	size_t	 n, bytes = 0;

	for (n = 0; n < in->n && n < max_events; n++) {
		size_t one = in->ring[(in->first + n) & (in->ring_cap - 1)].payload.n;

		if (n > 0 && (one > max_bytes || bytes > max_bytes - one))
			break;
		bytes += one;
	}
	*more_r = n < in->n;
	return n;
}

void
intake_take(struct intake *in, struct held *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = in->ring[in->first];
		in->first = (in->first + 1) & (in->ring_cap - 1);
		in->bytes -= out[i].payload.n;
	}
	in->n -= n;
}

void
intake_release(struct intake *in, const struct held *h, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct intake_chunk *c = h[i].home;

		if (--c->live > 0)
			continue;
		if (c == in->fill && c->cap == CHUNK_SIZE) {
			c->used = 0;	/* the common case: the same memory over and over */
			continue;
		}
		if (c == in->fill)
			in->fill = NULL;	/* made for one large event */
		chunk_drop(in, c);
	}
}
