#ifndef EDS_LOG_UPLOAD_H
#define EDS_LOG_UPLOAD_H

#include "supervisor/hq/http.h"

/*
 * One log file on its way to HQ (contract/hq-api.md section 5.3): packed by a thread, because
 * that takes a while, then put to the URL that HQ signed for it.
 */
struct log_upload;

/* `log_path`: the path part of the URL, which HQ is told; NULL when it failed for the reason in `why`. */
typedef void (*log_upload_fn)(void *arg, const char *log_path, const struct err *why);

/* Called back once, never before the return; the handle is gone then. */
int	 log_upload_start(struct log_upload **, struct ev_loop *, struct http *, const char *file, const char *url,
	    log_upload_fn, void *arg, struct err *) MUST_CHECK;
void	 log_upload_cancel(struct log_upload **);	/* waits for the packing; not called back any more */

#endif
