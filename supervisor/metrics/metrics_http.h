#ifndef EDS_METRICS_HTTP_H
#define EDS_METRICS_HTTP_H

#include <ev.h>

#include "supervisor/metrics/metrics.h"

/*
 * The HTTP endpoints, on the supervisor's loop; read-only, no authentication:
 *
 *	/ready		200 {"ready":true} or 503 {"ready":false,"reason":"..."}
 *	/metrics	Prometheus text
 *	/status		the status document (supervisor/control/STATUS.md)
 *	/control/...	403: control goes through edsctl
 *	anything else	200 without a body, 503 while the server is shutting down
 */
struct metrics_http;

struct metrics_http_source {
	void		 *arg;
	struct metrics	 *metrics;
	void		(*refresh)(void *arg);				/* brings gauges up to date; may be NULL */
	void		(*status)(void *arg, struct buf *json);
	bool		(*ready)(void *arg, struct buf *reason);	/* false: reason says what is missing */
	bool		(*stopping)(void *arg);
};

/*
 * Listens on `address` (an IPv4 or IPv6 address, without brackets) and `port`; port 0 takes a free one.
 * The source is copied; what it points to must live until metrics_http_free().  A port in use is
 * ERR_CONFLICT, an address that is none ERR_CONFIG.
 */
int	 metrics_http_new(struct metrics_http **, struct ev_loop *, const char *address, uint16_t port,
	    const struct metrics_http_source *, struct err *) MUST_CHECK;
void	 metrics_http_free(struct metrics_http **);	/* not from inside a callback */
uint16_t metrics_http_port(const struct metrics_http *);

/* Appends "name (pid 12)" of a process that listens on that TCP port; nothing when it cannot be seen. */
void	 port_holder(struct buf *, uint16_t port);

#endif
