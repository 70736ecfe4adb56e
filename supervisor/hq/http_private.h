#ifndef EDS_HTTP_PRIVATE_H
#define EDS_HTTP_PRIVATE_H

#include <curl/curl.h>
#include <stdio.h>

#include "ipc/base/clock.h"
#include "supervisor/hq/http.h"

#define HTTP_BODY_MAX	((size_t)64 * 1024 * 1024)	/* of an answer */

struct http_call {
	struct http		*http;
	struct http_call	*next;
	struct http_call	**link;		/* what points to us */
	CURL			*easy;
	struct curl_slist	*headers;
	char			*url;
	bool			 post;
	struct buf		 body;		/* of the request */
	FILE			*upload;	/* ... or this file is the body; NULL */
	curl_off_t		 upload_size;
	bool			 retry;
	http_fn			 fn;
	void			*arg;

	int			(*sink)(void *, long, struct slice);
	uint64_t		 from;
	long			 answering;	/* status of the answer whose body is coming */
	int64_t			 whole;		/* of Content-Range; -1: none */
	uint64_t		 range_at;	/* of Content-Range: where the part begins */
	struct buf		 answer;
	struct buf		 request_id;
	int64_t			 retry_after_ms;	/* header of the last answer, 0: none */
	bool			 too_big;
	char			 trouble[CURL_ERROR_SIZE];
	unsigned		 attempts;
	mono_t			 first_at;
	ev_timer		 pause;
};

/* http_request.c: a call made ready for one attempt after another. */
int	 http_call_new(struct http_call **, const struct http_request *, struct err *) MUST_CHECK;
void	 http_call_free(struct http_call **);
void	 http_call_rewind(struct http_call *);		/* forgets the last answer */

/* http_retry.c: milliseconds until the next attempt, -1 to give up. */
int64_t	 http_retry_pause(const struct http_call *, CURLcode, long status);

#endif
