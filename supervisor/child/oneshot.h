#ifndef EDS_ONESHOT_H
#define EDS_ONESHOT_H

#include <ev.h>

#include "ipc/base/err.h"
#include "ipc/codec.h"

/*
 * Would a destination with these settings take events?  A process of its own
 * finds out, with the driver's test(): the settings may come from anybody, and what
 * they make a library do must not happen here.
 */
struct oneshot;

struct oneshot_settings {
	struct ev_loop	*loop;			/* the default loop */
	const char	*program;		/* spawn_worker_program() */
	const char	*destination;		/* its name, for the log */
	const char	*url;
	const char	*update_strategy;	/* "standard" or "after" */
	const char	*session;		/* may be "" */
	const char	*data_dir;		/* of the server */
	int64_t		 limit_ms;		/* 0: ONESHOT_LIMIT_MS; the process is killed then */
};
#define ONESHOT_LIMIT_MS	15000

enum oneshot_result {
	ONESHOT_FINE,
	ONESHOT_CONFIG,		/* only the operator can mend it: URL, credentials, privileges */
	ONESHOT_TROUBLE,	/* the destination cannot be reached now, the time is over, or the process died */
};

/* `text` says why not, without secrets; "" when it is fine. */
typedef void (*oneshot_fn)(void *arg, enum oneshot_result, const char *text);

/*
 * The callback is called once, never before the return, and the handle is gone then.  Settings are
 * copied.
 */
int	 oneshot_test(struct oneshot **, const struct oneshot_settings *, oneshot_fn, void *arg, struct err *) MUST_CHECK;
/*
 * Which URL does a filled-in form make?  `values`: a JSON object as text; settings->url is not
 * looked at.  ONESHOT_FINE: `url`, or pairs of field and error in `errors`.  Otherwise `text` says why.
 */
typedef void (*oneshot_form_fn)(void *arg, enum oneshot_result, const char *text, const char *url, const struct ipc_strs *errors);

int	 oneshot_form(struct oneshot **, const struct oneshot_settings *, const char *scheme, const char *values,
	    oneshot_form_fn, void *arg, struct err *) MUST_CHECK;
void	 oneshot_cancel(struct oneshot **);	/* its callback is not called any more */

/* For a caller without a loop of its own, such as `eds import --validate-only`: waits for the answer. */
int	 oneshot_test_wait(const struct oneshot_settings *, enum oneshot_result *, struct err *why) MUST_CHECK;

const char *oneshot_result_name(enum oneshot_result);	/* "fine", "config", "trouble" */

#endif
