#ifndef EDS_WRITER_H
#define EDS_WRITER_H

#include <ev.h>

#include "supervisor/store/store.h"

/*
 * A thread that writes to the store, so that the loop does not wait for the disk.
 * One job at a time: what comes up meanwhile goes into the next one, which makes batches by itself.
 */
struct writer;

struct writer_job {
	void	*arg;
	int	(*run)(void *arg, struct err *);			/* in the thread */
	void	(*done)(void *arg, int rc, const struct err *);		/* on the loop   */
};

int	 writer_new(struct writer **, struct ev_loop *, struct err *) MUST_CHECK;
void	 writer_free(struct writer **);		/* waits for the job under way */
bool	 writer_busy(const struct writer *);
void	 writer_start(struct writer *, const struct writer_job *);	/* not while it is busy */

/* Waits for the job under way and calls its done() here and now; nothing when it is idle. */
void	 writer_wait(struct writer *);

#endif
