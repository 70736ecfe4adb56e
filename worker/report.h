#ifndef EDS_REPORT_H
#define EDS_REPORT_H

#include "ipc/base/log.h"
#include "ipc/codec.h"

/*
 * What the worker has to say to the supervisor.  Any thread may report; the
 * frames leave in that order, through the main thread, which owns the channel.
 */
struct report;

struct report *report_new(struct err *) MUST_CHECK;
void	 report_free(struct report **);

int	 report_fd(const struct report *);		/* readable when there is something to fetch */
void	 report_send(struct report *, enum ipc_type, const union ipc_body *);
void	 report_nudge(struct report *);			/* only wakes the main thread */

/* Moves all frames to the end of `out`; out->oom when some of them were lost to a shortage of memory. */
void	 report_fetch(struct report *, struct buf *out);

/*
 * Waits until all that was reported has left this process, so that the supervisor learns of it even
 * if the next thing to happen is a crash.  Main thread: report_sent() when the channel has
 * nothing left of what was fetched, report_unheard() once nobody listens any more.
 */
void	 report_await_sent(struct report *);
void	 report_sent(struct report *);
void	 report_unheard(struct report *);

/*
 * For log_sink_set(), with the report as its argument.  Lines are dropped, and counted, while
 * REPORT_LOG_MOST bytes wait: a supervisor that does not read must not cost memory.
 */
#define REPORT_LOG_MOST	((size_t)1 << 20)
void	 report_log(void *report, enum log_level, const char *prefix, const char *text, const char *json);

#endif
