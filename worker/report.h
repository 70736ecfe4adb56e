#ifndef EDS_REPORT_H
#define EDS_REPORT_H

#include "ipc/base/log.h"
#include "ipc/channel.h"

/*
 * What the worker has to say to the supervisor.  Any thread may report, and the frames leave in
 * that order.  The main thread waits for the socket; but whoever flushes writes at once, so that
 * the driver thread's results need no other thread to go out.
 */
struct report;

struct report *report_new(struct err *) MUST_CHECK;
void	 report_free(struct report **);

/*
 * From now on frames go to that channel, whose sending side belongs to the report until
 * report_detach().  Its HELLO must have been queued before anything is reported.  Detached: nobody listens any more.
 */
void	 report_attach(struct report *, struct channel *);
void	 report_detach(struct report *);

void	 report_send(struct report *, enum ipc_type, const union ipc_body *);	/* and wakes the main thread */
void	 report_queue(struct report *, enum ipc_type, const union ipc_body *);	/* goes out with the next flush */
bool	 report_queued(struct report *);	/* something waits for a flush */

/* Writes what the socket takes.  -1: the peer is gone, or memory is short.  Without a channel everything is dropped. */
int	 report_flush(struct report *, struct err *) MUST_CHECK;
bool	 report_wants_write(struct report *);	/* the socket did not take all of it */

/* For a thread other than the main one: writes, and wakes the main thread where that is not enough. */
void	 report_push(struct report *);

/*
 * As report_push(), and waits until all that was reported has left this process, so that the supervisor
 * learns of it even if the next thing to happen is a crash.
 */
void	 report_await_sent(struct report *);

int	 report_fd(const struct report *);		/* readable when the main thread is to flush */
void	 report_heard(struct report *);			/* no longer readable, until the next nudge */
void	 report_nudge(struct report *);			/* only wakes the main thread */

/* Moves all frames that no flush has taken yet to the end of `out`; out->oom when some were lost to a shortage of memory. */
void	 report_fetch(struct report *, struct buf *out);

/*
 * For log_sink_set(), with the report as its argument.  Lines are dropped, and counted, while
 * REPORT_LOG_MOST bytes wait: a supervisor that does not read must not cost memory.
 */
#define REPORT_LOG_MOST	((size_t)1 << 20)
void	 report_log(void *report, enum log_level, const char *prefix, const char *text, const char *json);

#endif
