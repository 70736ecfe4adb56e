#ifndef EDS_DRIVER_HTTPS_PRIVATE_H
#define EDS_DRIVER_HTTPS_PRIVATE_H

#include <curl/curl.h>

#include "drivers/http/https.h"
#include "ipc/base/clock.h"

/* One request.  Used again for a later one, with its memory and its easy handle. */
struct https_call {
	struct https_call	*next, **link;	/* among those under way, or idle */
	CURL			*easy;
	struct buf		 text;		/* URL and header lines, each ended by NUL */
	struct curl_slist	 lines[HTTPS_HEADERS_MOST + 4];
	struct buf		 headers, body;	/* of the answer */
	size_t			 answer_most;
	char			 method[16];	/* what the handle is set to, so that little is set anew */
	long			 timeout_ms, connect_ms;
	int			 proxied;	/* -1: not known */
	bool			 too_big;
	char			 trouble[CURL_ERROR_SIZE];
	https_fn		 fn;
	void			*arg;
};

/* https_call.c */
int	 https_call_new(struct https_call **, const struct https_options *, struct err *) MUST_CHECK;
int	 https_call_prepare(struct https_call *, const struct https_options *, const struct https_request *, struct err *)
    MUST_CHECK;
void	 https_call_answer(struct https_call *, CURLcode, struct https_answer *);
void	 https_call_free(struct https_call **);

/* https.c */
bool	 https_stopping(const struct https *);
struct buf *https_kept(struct https *);		/* holds the answer of https_fetch() */

#endif
