#ifndef EDS_CHANNEL_H
#define EDS_CHANNEL_H

#include "ipc/codec.h"

/*
 * One end of a Unix stream socket: frames in, frames out, never blocking.
 * It knows no event loop: its owner waits for the descriptor to become
 * readable, or writable while channel_wants_write(), and calls channel_read()
 * or channel_flush().  One call moves a bounded amount, so that one busy peer
 * does not starve the others: what is left makes the descriptor ready again.
 *
 * HELLO is the first message in each direction, and comes once.  A peer that does otherwise is
 * refused with ERR_INVALID, and so is channel_send(); channel_out() before
 * our HELLO is a bug().
 */
struct channel;

/*
 * `fd` must be non-blocking and belongs to the channel from now on.
 * `peer` is the side at the other end.  NULL when memory is short (fd is closed).
 */
struct channel *channel_new(int fd, enum ipc_side peer) MUST_CHECK;
void	 channel_free(struct channel **);
int	 channel_fd(const struct channel *);

/*
 * Handed every message, decoded; slices in it live until the function returns.  -1 ends the
 * channel.  It may send, and must not read from or free the channel it is called for.
 */
typedef int (*channel_fn)(void *arg, const struct ipc_msg *, struct err *);

/*
 * Reads what is there and calls `fn` per message.  0: fine.  1: the peer closed in
 * good order (between frames).  -1: error, a malformed frame or `fn` said so; the channel is
 * of no more use then, and every further call says the same.
 */
int	 channel_read(struct channel *, channel_fn fn, void *arg, struct err *) MUST_CHECK;

/* Queues a message; -1 when memory is short (ERR_NOMEM) or the message too long to be sent (ERR_TOOBIG); nothing is queued then. */
int	 channel_send(struct channel *, enum ipc_type, const union ipc_body *, struct err *) MUST_CHECK;

/*
 * The same with a descriptor, which arrives with the message.  It is duplicated: the caller keeps its
 * own.  At most CHANNEL_FDS wait to be written (ERR_TOOBIG).
 */
#define CHANNEL_FDS	8
int	 channel_send_fd(struct channel *, enum ipc_type, const union ipc_body *, int fd, struct err *) MUST_CHECK;

/* From now on descriptors are taken in; without it the kernel closes what a peer sends. */
void	 channel_accept_fds(struct channel *);

/* For `fn`: the descriptor that came with the message, which belongs to the caller from then on; -1: none came. */
int	 channel_take_fd(struct channel *) MUST_CHECK;

/*
 * The output buffer itself, for ipc_events_begin(); the frame goes out with the next flush, which
 * must come after ipc_events_end().  Shortage of memory in it fails that flush.
 */
struct buf *channel_out(struct channel *);
size_t	 channel_queued(const struct channel *);	/* bytes not yet written */
bool	 channel_wants_write(const struct channel *);

/* Writes as much as the socket takes.  0: fine (perhaps not all), -1: the peer is gone. */
int	 channel_flush(struct channel *, struct err *) MUST_CHECK;

/* Bytes that went through, for the metrics. */
uint64_t channel_bytes_in(const struct channel *);
uint64_t channel_bytes_out(const struct channel *);

#endif
