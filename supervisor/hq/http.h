#ifndef EDS_HTTP_H
#define EDS_HTTP_H

#include <ev.h>

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* libcurl's multi interface on the supervisor's loop.  Callbacks run on the loop's thread. */
struct http;
struct http_call;

struct http_request {
	const char	*method;	/* "GET", "POST"                               */
	const char	*url;
	const char	*token;		/* NULL: no Authorization header               */
	bool		 std_headers;	/* Content-Type and User-Agent, contract/hq-api.md section 1 */
	bool		 user_agent_only;
	struct slice	 body;		/* copied; absent for GET                      */
	const char	*upload;	/* PUT: a file that is the body, NULL for none */
	const char	*content_type;	/* of the upload                               */
	int64_t		 timeout_ms;	/* of one attempt; 0: 30 s                     */
	/*
	 * For bodies of any size: takes each piece of a success (200, 206) as it comes, with the `arg` of the call; -1
	 * ends the call.  Then nothing limits its time as long as something comes, and nothing is unpacked.
	 */
	int		(*sink)(void *arg, long status, struct slice piece);
	uint64_t	 from;		/* with a sink: only what follows that many bytes, if the server can (206) */
	bool		 retry;		/* the policy of section 1.2, bounded          */
};

struct http_response {
	long		 status;	/* 0: no answer, err says why */
	struct slice	 body;
	struct slice	 request_id;	/* header X-Request-Id */
	int64_t		 retry_after_ms;	/* what the answer asks for, 0: nothing */
	int64_t		 whole;		/* size of the whole body as announced, also in a 206 or 416; -1: unknown */
	const struct err *err;
};

/* The response dies with the callback.  A callback may start and cancel calls, but not free the http. */
typedef void (*http_fn)(void *arg, const struct http_response *);

int	 http_new(struct http **, struct ev_loop *, struct err *) MUST_CHECK;
void	 http_free(struct http **);			/* cancels what is under way, without callbacks */

/*
 * The callback is called once, never before the return.  A call that is answered is gone: the
 * callback must forget the handle, which may be asked for with NULL when nobody will cancel.
 */
int	 http_start(struct http *, const struct http_request *, http_fn, void *arg, struct http_call **, struct err *) MUST_CHECK;

/* The same for a program without a loop: begins the call and returns when it was answered. */
int	 http_wait(const struct http_request *, http_fn, void *arg, struct err *) MUST_CHECK;
void	 http_cancel(struct http_call **);		/* its callback is not called any more */

#endif
