#ifndef EDS_LINK_H
#define EDS_LINK_H

#include <ev.h>
#include <nats/nats.h>

#include "ipc/base/err.h"

/*
 * One connection to NATS, from the attempt to the end.  It never reconnects by
 * itself: a lost one is replaced by its owner with a new one, which also gets a fresh
 * inbox, so that the server forgets the old pull at once.
 */
struct link;

struct link_options {
	const char	*url;		/* comma separated                                */
	const char	*name;		/* CONNECT name                                   */
	const char	*creds_path;	/* NULL: no authentication                        */
	const char	*ca_file;	/* NULL: the system's certificates                */
	const char	*notices;	/* NULL, or the subject on which HQ speaks to us  */
};

/* All called on the loop's thread. */
struct link_events {
	void	*arg;
	void	(*up)(void *arg, struct link *);
	void	(*down)(void *arg, struct link *, const struct err *);	/* never came up, or was lost; close it */
	void	(*readable)(void *arg, struct link *);			/* subscriptions may hold messages */
	void	(*complaint)(void *arg, struct link *, const char *);	/* -ERR that does not end it: permissions */
};

int	 link_open(struct link **, struct ev_loop *, const struct link_options *, const struct link_events *, struct err *) MUST_CHECK;
void	 link_close(struct link **);		/* waits for an attempt under way, at most its time-out */
natsConnection *link_nats(struct link *);	/* NULL while it is not up */
natsMsg	*link_take_notice(struct link *);	/* the next one, the caller's; NULL when there is none */

/* The URL list without what may be secret in it. */
void	 link_url_for_log(const char *url, char *out, size_t size);

#endif
