#ifndef EDS_DRIVER_HTTPS_H
#define EDS_DRIVER_HTTPS_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * HTTP and HTTPS for drivers, by libcurl's multi interface: one thread, connections that are
 * kept, any number of requests under way.  A driver that asks for one thing at a time uses
 * https_fetch(), which waits and repeats; one that wants many under way uses
 * https_start() and https_run().
 *
 * Redirects are not followed: a signed request is not valid elsewhere.  Error texts name the host and what went wrong,
 * never the rest of the URL, headers or bodies.  A module that uses this takes $(SRC_HTTPS) and $(LIBS_HTTPS).
 */
struct https;

struct https_options {
	const char	*ca_file;		/* certificates (PEM) to trust instead of the system's; NULL: the system's */
	bool		 direct;		/* through no proxy, for the metadata services of a machine              */
	unsigned	 most_kept;		/* connections kept open; 0: 8                                          */
	bool		(*stopping)(void *ctx);	/* true: long waits are given up; NULL: never                           */
	void		*ctx;
};

#define HTTPS_HEADERS_MOST	24

struct https_request {
	const char		*method;	/* "GET", "PUT" ...                                     */
	const char		*url;
	const char *const	*headers;	/* "Name: value", ended by NULL; at most HTTPS_HEADERS_MOST */
	struct slice		 body;		/* stays the caller's and in place until the answer     */
	int64_t			 timeout_ms;	/* of one attempt, all in all; 0: 30 s                  */
	int64_t			 connect_ms;	/* of it, to be connected; 0: 10 s                      */
	size_t			 answer_most;	/* bytes of an answer; 0: 1 MiB                         */
};

enum https_outcome {
	HTTPS_ANSWERED,		/* status, headers, body                                             */
	HTTPS_UNREACHED,	/* nothing was sent: no such host, refused, no handshake in time     */
	HTTPS_UNTRUSTED,	/* the server's certificate is not accepted                          */
	HTTPS_BROKEN,		/* broke off or took too long: the server may have acted on it       */
	HTTPS_REFUSED,		/* not tried: the URL or a header cannot be sent, or memory is short */
};

struct https_answer {
	enum https_outcome	 outcome;
	long			 status;	/* 0 unless answered   */
	struct slice		 headers;	/* as received         */
	struct slice		 body;
	int64_t			 retry_after_ms;	/* what the answer asks for; 0: nothing */
	struct err		 err;		/* why it was not answered */
};

int	 https_new(struct https **, const struct https_options *, struct err *) MUST_CHECK;
void	 https_free(struct https **);			/* drops what is under way, without callbacks */

/* The answer lives until the callback returns.  A callback may start further requests. */
typedef void (*https_fn)(void *arg, const struct https_answer *);

/* The callback is called once, from https_run().  -1 with *err: it is not called. */
int	 https_start(struct https *, const struct https_request *, https_fn, void *arg, struct err *) MUST_CHECK;

/* Waits for something to happen, at most that long, and calls what is due.  Returns the microseconds it has waited. */
int64_t	 https_run(struct https *, int64_t most_ms);
void	 https_watch(struct https *, int fd);		/* https_run() also returns when that becomes readable */
size_t	 https_under_way(const struct https *);
void	 https_drop_all(struct https *);		/* their callbacks are not called any more */

/*
 * One request, waited for.  Repeated with growing pauses while the server is out of reach, or answers
 * 408, 429, 500, 502, 503 or 504, and `again` allows; Retry-After is honoured.  -1: no answer, *err says why.
 * 0: *answer_r lives until the next https_fetch(), of whatever status it is.
 */
struct https_again {
	unsigned	 attempts;	/* most; 0: 1                                                  */
	int64_t		 total_ms;	/* nothing is begun after that; 0: one minute                  */
	bool		 repeatable;	/* also when the outcome of an attempt is unknown: HTTPS_BROKEN */
};
int	 https_fetch(struct https *, const struct https_request *, const struct https_again *, struct https_answer *answer_r,
    struct err *) MUST_CHECK;

/* The value of the last header of that name, any case; absent when there is none. */
struct slice	 https_header(const struct https_answer *, const char *name);

bool	 https_busy(const struct https_answer *);	/* one of the statuses above */

/* The pause before attempt number `done` + 1: at random, of up to 100 ms doubled with each, 20 s at most. */
int64_t	 https_pause_ms(unsigned done, int64_t retry_after_ms);

#endif
