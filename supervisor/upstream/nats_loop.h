#ifndef EDS_NATS_LOOP_H
#define EDS_NATS_LOOP_H

#include <ev.h>
#include <nats/nats.h>

/*
 * Lets nats.c do its socket and TLS work on the supervisor's libev loop.  The
 * library calls attach, read, write and detach from threads of its own; they
 * only leave a note, and the loop acts on it.  One nats_loop per connection.
 */
struct nats_loop;

struct nats_loop *nats_loop_new(struct ev_loop *, void (*readable)(void *), void *arg);	/* NULL: no memory */
/* From the loop's thread: no more watching, for good.  The library may still leave notes, which nobody reads. */
void	 nats_loop_close(struct nats_loop *);
/* From any thread, once the library cannot call any more. */
void	 nats_loop_free(struct nats_loop **);
natsStatus nats_loop_use(struct nats_loop *, natsOptions *);
/* From the loop's thread, once natsConnection_Connect() has returned: watch the socket. */
void	 nats_loop_start(struct nats_loop *);

#endif
