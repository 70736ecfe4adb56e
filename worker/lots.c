/*
 * Two lots that go round: one is filled while the other one is stored.
 *
 * Of a row of 2,150 bytes reading takes 4 us of CPU and storing 6 (PostgreSQL, and the server works meanwhile) to 10
 * (SQLite).  More than one lot ahead would gain nothing, since both sides take their time evenly.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "worker/lots.h"

#define LOTS	2u

struct slot {
	struct lot		 lot;
	struct event		*events;	/* one more than a lot has: for the row that turns out to be none */
	struct rows_text	 text;		/* what the lot's slices point into */
};

struct lots {
	size_t			 most, room;
	struct slot		 slots[LOTS];
	struct rows		*rows;		/* the thread's, while there is one */
	bool			 running;
	pthread_t		 thread;

	pthread_mutex_t		 lock;
	pthread_cond_t		 changed;
	/* under the lock: how many lots were filled, were taken, are done with */
	uint64_t		 filled, taken, done;
	bool			 stop;
};

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for batches of rows");
}

int
lots_new(struct lots **l_r, size_t most, size_t room, struct err *err)
{
	struct lots	*l = calloc(1, sizeof(*l));
	bool		 ok = l != NULL;

	if (!ok)
		return nomem(err);
	l->most = most;
	l->room = room;
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_cond_init(&l->changed, NULL);
	for (size_t i = 0; i < LOTS; i++) {
		l->slots[i].events = calloc(most + 1, sizeof(*l->slots[i].events));
		l->slots[i].lot.v = calloc(most, sizeof(*l->slots[i].lot.v));
		ok = ok && l->slots[i].events != NULL && l->slots[i].lot.v != NULL;
	}
	if (!ok) {
		lots_free(&l);
		return nomem(err);
	}
	*l_r = l;
	return 0;
}

void
lots_free(struct lots **lp)
{
	struct lots	*l = *lp;

	if (l == NULL)
		return;
	lots_end(l);
	for (size_t i = 0; i < LOTS; i++) {
		for (size_t k = 0; l->slots[i].events != NULL && k <= l->most; k++)
			event_free(&l->slots[i].events[k]);
		free(l->slots[i].events);
		free(l->slots[i].lot.v);
		free(l->slots[i].text.p);
	}
	(void)pthread_cond_destroy(&l->changed);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
	*lp = NULL;
}

/* --- the thread --- */

/* What came of a step: whether the lot is to be handed over, and what follows it. */
static bool
take_step(struct lots *l, struct slot *s, enum rows_result r)
{
	struct lot	*lot = &s->lot;

	if (r == ROWS_ROW) {
		lot->v[lot->n] = (struct drv_event){ .seq = rows_count(l->rows), .ev = &s->events[lot->n], .payload = lot->text };
		lot->bytes += lot->text.n;
		lot->then = ROWS_PAUSE;
		return ++lot->n == l->most;
	}
	lot->then = r;
	return r != ROWS_PAUSE || lot->n > 0;
}

static void
fill(struct lots *l, struct slot *s)
{
	struct lot		*lot = &s->lot;
	enum rows_result	 r;
	bool			 full = false;

	lot->n = lot->bytes = 0;
	while (!full) {
		r = rows_next(l->rows, &s->events[lot->n], &lot->text, &lot->err);
		full = take_step(l, s, r);
		if ((full || r == ROWS_PAUSE) && !rows_turn(l->rows, &s->text)) {
			(void)nomem(&lot->err);
			lot->then = ROWS_NOMEM;
			full = true;
		}
	}
	lot->rows = rows_count(l->rows);
	lot->file_bytes = rows_bytes(l->rows);
}

/* Whether there is a lot to be filled: waits for one, or for the end. */
static struct slot *
await_free(struct lots *l)
{
	struct slot	*s = NULL;

	(void)pthread_mutex_lock(&l->lock);
	while (!l->stop && l->filled - l->done == LOTS)
		(void)pthread_cond_wait(&l->changed, &l->lock);
	if (!l->stop)
		s = &l->slots[l->filled % LOTS];
	(void)pthread_mutex_unlock(&l->lock);
	return s;
}

static void
hand_over(struct lots *l)
{
	(void)pthread_mutex_lock(&l->lock);
	l->filled++;
	(void)pthread_cond_broadcast(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
}

static void *
thread_main(void *arg)
{
	struct lots	*l = arg;
	struct slot	*s;
	bool		 on = true;

	while (on && (s = await_free(l)) != NULL) {
		fill(l, s);
		on = lot_goes_on(&s->lot);
		hand_over(l);
	}
	return NULL;
}

/* --- the other side --- */

int
lots_begin(struct lots *l, int fd, const struct rows_source *source, struct err *err)
{
	int	 rc;

	lots_end(l);
	if (rows_new(&l->rows, fd, l->room, source, err) == -1)
		return -1;
	l->filled = l->taken = l->done = 0;
	l->stop = false;
	if ((rc = pthread_create(&l->thread, NULL, thread_main, l)) != 0) {
		rows_free(&l->rows);
		errno = rc;
		return err_sys(err, "starting the thread that reads files");
	}
	l->running = true;
	return 0;
}

struct lot *
lots_next(struct lots *l)
{
	struct lot	*lot;

	(void)pthread_mutex_lock(&l->lock);
	l->done = l->taken;
	(void)pthread_cond_broadcast(&l->changed);
	while (l->filled == l->taken)
		(void)pthread_cond_wait(&l->changed, &l->lock);
	lot = &l->slots[l->taken++ % LOTS].lot;
	(void)pthread_mutex_unlock(&l->lock);
	return lot;
}

void
lots_end(struct lots *l)
{
	if (!l->running)
		return;
	(void)pthread_mutex_lock(&l->lock);
	l->stop = true;
	(void)pthread_cond_broadcast(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
	(void)pthread_join(l->thread, NULL);
	l->running = false;
	rows_free(&l->rows);
}
