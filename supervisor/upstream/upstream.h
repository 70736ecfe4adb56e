#ifndef EDS_UPSTREAM_H
#define EDS_UPSTREAM_H

#include <ev.h>

#include "supervisor/window/window.h"

/*
 * The one stream everything comes from: the connection, the durable consumer,
 * the one open pull, the acknowledgements.  Events go into the window, in
 * stream order, without a gap (design section 4).
 */
enum upstream_state {
	UPSTREAM_STARTING,	/* no credential yet                                   */
	UPSTREAM_CONNECTING,
	UPSTREAM_RUNNING,
	UPSTREAM_PAUSED,	/* held on request, or nobody to deliver to            */
	UPSTREAM_FULL,		/* the window has no room; the stream keeps the rest   */
	UPSTREAM_GAP,		/* the stream is not the one we know: the operator decides */
	UPSTREAM_WAITING,	/* the server or the operator has to do something      */
	UPSTREAM_STOPPED,
};

struct upstream_config {
	const char	*nats_url;
	const char	*ca_file;		/* NULL: the system's */
	const char	*consumer;		/* durable name */
	uint64_t	 max_ack_pending;
	uint64_t	 max_batch;
	uint64_t	 window_events, window_bytes;
	bool		 from_beginning;
	int64_t		 start_time_ns;		/* earliest import time, 0: none */
	uint64_t	 resume_seq;		/* everything up to here is safe at every destination; 0: unknown */
	uint64_t	 horizon;		/* up to here the stream held nothing more for us, when we last looked */
};

struct upstream_events {
	void	*arg;
	void	(*state)(void *arg, enum upstream_state, const char *text);
	void	(*arrived)(void *arg);		/* the window has new entries */
	/* The stream no longer holds these.  Recorded before delivery goes on; -1: it could not be. */
	int	(*gap)(void *arg, uint64_t from, uint64_t to, const char *why);
	/* HQ says something.  The slices die with the call; `reply` is absent when no answer is expected. */
	void	(*notice)(void *arg, struct slice payload, struct slice encoding, struct slice reply);
};

struct upstream_stats {
	uint64_t	 received, received_bytes, redelivered, acked, malformed, connects, gaps;
	uint64_t	 last_seq, acked_seq;
	uint64_t	 horizon;		/* as in the configuration, kept up to date while idle */
	uint64_t	 stream_end;		/* UPSTREAM_GAP: where the stream we found ends */
	uint64_t	 server_pending;	/* what the server still holds for us, at the last delivery */
};

struct upstream;

int	 upstream_new(struct upstream **, struct ev_loop *, struct window *, const struct routes *, const struct upstream_config *,
	    const struct upstream_events *, struct err *) MUST_CHECK;
void	 upstream_free(struct upstream **);

/*
 * Begins, or goes over to a new credential: what is under way is finished on the old
 * connection first.  NULL creds_path: no authentication; NULL or empty sid: HQ has no way to
 * speak to us.  Strings are copied; companies end with NULL.
 */
int	 upstream_login(struct upstream *, const char *client_name, const char *creds_path, const char *sid,
	    char *const *companies, struct err *) MUST_CHECK;

/* Nobody to deliver to, or paused by the operator: no new pull.  Cheap to call again. */
void	 upstream_hold(struct upstream *, bool hold, const char *why);

/*
 * The operator takes the stream as it is: everything up to `seq` counts as done.  The
 * window must be empty.
 */
void	 upstream_begin_anew(struct upstream *, uint64_t seq);

/*
 * Everything below the index is safe everywhere: acknowledges it and takes it out of the
 * window.  While the connection is down, the window is released all the same; the consumer is
 * set right at the next connect.
 */
void	 upstream_settle(struct upstream *, uint64_t index);

/* Core publish; with a msg_id, two headers say so and that it is msgpack.  False when there is no connection. */
bool	 upstream_publish(struct upstream *, const char *subject, const char *msg_id, struct slice payload);

/* Flushes acknowledgements before the end; gives up after `timeout_ms`. */
void	 upstream_flush(struct upstream *, int64_t timeout_ms);

const struct upstream_stats *upstream_stats(const struct upstream *);
enum upstream_state upstream_state(const struct upstream *, const char **text_r);
const char *upstream_state_name(enum upstream_state);
/* A connection with the newest credential is being made; nothing can be published until its `state` event. */
bool	 upstream_renewing(const struct upstream *);
bool	 upstream_connected(const struct upstream *);

#endif
