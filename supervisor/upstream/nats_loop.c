/* nats.c on libev. */

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ipc/base/compiler.h"
#include "supervisor/upstream/nats_loop.h"

struct nats_loop {
	struct ev_loop	*loop;
	void		(*readable)(void *);	/* after each read: the subscriptions may hold something */
	void		*arg;
	ev_io		 io;
	ev_async	 note;
	bool		 started;
	pthread_t	 thread;	/* the loop's */

	pthread_mutex_t	 lock;		/* guards what follows */
	natsConnection	*nc;
	int		 fd;		/* -1: detached */
	int		 want;		/* EV_READ, EV_WRITE */
	bool		 closed;	/* the loop may be gone: no more notes */
};

/* Asks the loop to look; any thread, with the lock held. */
static void
leave_note(struct nats_loop *nl)
{
	if (!nl->closed)
		ev_async_send(nl->loop, &nl->note);
}

/* Brings the watcher in line with what the library asked for.  Loop thread. */
static void
apply(struct nats_loop *nl)
{
	int	 fd, events;

	(void)pthread_mutex_lock(&nl->lock);
	fd = nl->fd;
	events = nl->want;
	(void)pthread_mutex_unlock(&nl->lock);
	if (!nl->started || nl->closed || fd == -1 || events == 0) {
		ev_io_stop(nl->loop, &nl->io);
		return;
	}
	if (ev_is_active(&nl->io) && nl->io.fd == fd && (nl->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(nl->loop, &nl->io);
	ev_io_set(&nl->io, fd, events);
	ev_io_start(nl->loop, &nl->io);
}

static void
on_io(struct ev_loop *loop, ev_io *w, int events)
{
	struct nats_loop	*nl = w->data;
	natsConnection		*nc;

	(void)loop;
	(void)pthread_mutex_lock(&nl->lock);
	nc = nl->fd == -1 ? NULL : nl->nc;
	(void)pthread_mutex_unlock(&nl->lock);
	if (nc == NULL) {
		apply(nl);
		return;
	}
	/* Writing first: under load there is always something to read, and acknowledgements must not wait for its end. */
	if (events & EV_WRITE) {
		natsConnection_ProcessWriteEvent(nc);
		apply(nl);
		(void)pthread_mutex_lock(&nl->lock);
		nc = nl->fd == -1 ? NULL : nl->nc;	/* it may have found the connection dead */
		(void)pthread_mutex_unlock(&nl->lock);
	}
	if ((events & EV_READ) && nc != NULL) {
		natsConnection_ProcessReadEvent(nc);
		nl->readable(nl->arg);	/* may free nl: nothing after it */
	}
}

static void
on_note(struct ev_loop *loop, ev_async *w, int events)
{
	(void)loop;
	(void)events;
	apply(w->data);
}

static natsStatus
attach(void **data, void *arg, natsConnection *nc, natsSock fd)
{
	struct nats_loop	*nl = arg;

	(void)pthread_mutex_lock(&nl->lock);
	nl->nc = nc;
	nl->fd = fd;
	nl->want = EV_READ;
	leave_note(nl);
	(void)pthread_mutex_unlock(&nl->lock);
	*data = nl;
	return NATS_OK;
}

static natsStatus
want(struct nats_loop *nl, int event, bool add)
{
	bool	 here = pthread_equal(nl->thread, pthread_self());

	(void)pthread_mutex_lock(&nl->lock);
	if (add)
		nl->want |= event;
	else
		nl->want &= ~event;
	if (!here)
		leave_note(nl);
	(void)pthread_mutex_unlock(&nl->lock);
	if (here)
		apply(nl);
	return NATS_OK;
}

static natsStatus
want_read(void *data, bool add)
{
	return want(data, EV_READ, add);
}

static natsStatus
want_write(void *data, bool add)
{
	return want(data, EV_WRITE, add);
}

static natsStatus
detach(void *data)
{
	struct nats_loop	*nl = data;

	(void)pthread_mutex_lock(&nl->lock);
	nl->fd = -1;
	leave_note(nl);
	(void)pthread_mutex_unlock(&nl->lock);
	return NATS_OK;
}

struct nats_loop *
nats_loop_new(struct ev_loop *loop, void (*readable)(void *), void *arg)
{
	struct nats_loop	*nl = calloc(1, sizeof(*nl));

	if (nl == NULL)
		return NULL;
	nl->loop = loop;
	nl->readable = readable;
	nl->arg = arg;
	nl->fd = -1;
	nl->thread = pthread_self();
	(void)pthread_mutex_init(&nl->lock, NULL);
	ev_init(&nl->io, on_io);
	nl->io.data = nl;
	ev_async_init(&nl->note, on_note);
	nl->note.data = nl;
	ev_async_start(loop, &nl->note);
	ev_unref(loop);
	return nl;
}

void
nats_loop_close(struct nats_loop *nl)
{
	(void)pthread_mutex_lock(&nl->lock);
	nl->closed = true;
	(void)pthread_mutex_unlock(&nl->lock);
	nl->started = false;
	ev_io_stop(nl->loop, &nl->io);
	if (ev_is_active(&nl->note)) {
		ev_ref(nl->loop);
		ev_async_stop(nl->loop, &nl->note);
	}
}

void
nats_loop_free(struct nats_loop **nlp)
{
	struct nats_loop	*nl = *nlp;

	if (nl == NULL)
		return;
	(void)pthread_mutex_destroy(&nl->lock);
	free(nl);
	*nlp = NULL;
}

natsStatus
nats_loop_use(struct nats_loop *nl, natsOptions *opts)
{
	return natsOptions_SetEventLoop(opts, nl, attach, want_read, want_write, detach);
}

void
nats_loop_start(struct nats_loop *nl)
{
	nl->started = true;
	apply(nl);
}
