#ifndef EDS_WORKER_H
#define EDS_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "ipc/base/clock.h"
#include "worker/intake.h"
#include "worker/report.h"
#include "worker/settings.h"
#include "worker/tasks.h"

/*
 * What the two threads of a worker share.
 *
 * The main thread (link.c) owns the socket.  It never waits for the driver, so
 * that pings are answered while a driver call takes its time or hangs.  The
 * driver thread (deliver.c) runs the driver.  They meet here and in `report`.
 */
enum worker_exit {
	WORKER_EXIT_FINE	= 0,	/* drained, stopped, or the supervisor is gone  */
	WORKER_EXIT_BROKEN	= 1,	/* a new process may do better                  */
	WORKER_EXIT_CONFIG	= 3,	/* configuration or usage: only a person can mend it */
	WORKER_EXIT_PROTOCOL	= 4,	/* the supervisor broke the protocol             */
};

/* How the worker is to end; only ever goes up. */
enum worker_end {
	WORKER_GOES_ON,
	WORKER_DRAINS,			/* deliver what is held, retry nothing  */
	WORKER_STOPS,			/* begin no more driver calls           */
};

/* An answer that the driver thread waits for. */
enum answer_state { ANSWER_NONE, ANSWER_WANTED, ANSWER_HERE };

struct worker_answer {
	enum answer_state	 state;
	char			*table;
	char			*version;
	uint64_t		 status;	/* of the SCHEMA message */
	char			*json;
};

struct worker {
	pthread_mutex_t		 lock;
	pthread_cond_t		 wake;		/* for the driver thread; on the monotonic clock */

	/* below: under `lock` */
	struct intake		*intake;	/* from CONFIGURE on */
	bool			 ready;		/* READY was reported: events are welcome */
	enum worker_end		 end;
	struct worker_answer	 answer;
	struct tasks		 tasks;		/* of an import */
	bool			 finished;	/* the driver thread is about to return */
	bool			 flow_waits;	/* a driver call waits for `flow_fd` to become readable */
	enum worker_exit	 exit;		/* valid when finished */

	int			 flow_fd;	/* an eventfd; written before the driver thread exists */

	_Atomic mono_t		 busy_since;	/* start of the present driver call; 0: none */

	struct report		*report;
	struct settings		 settings;	/* written before the driver thread exists */
};

int	 worker_init(struct worker *, struct err *) MUST_CHECK;
void	 worker_free(struct worker *);		/* copes with a half-built one */

void	 worker_lock(struct worker *);
void	 worker_unlock(struct worker *);

/* Any thread: the worker is to end that way; a gentler wish than an earlier one is ignored. */
void	 worker_ask_end(struct worker *, enum worker_end);
enum worker_end worker_end(struct worker *);

/* Main thread: something has changed that the driver thread may wait for. */
void	 worker_wake(struct worker *);

/* Driver thread, locked: waits for a change, at most `us` microseconds (UINT64_MAX: for ever). */
void	 worker_wait(struct worker *, uint64_t us);

/* Driver thread, not locked: waits that long; false when the worker is to end. */
bool	 worker_pause(struct worker *, uint64_t ms);

/* Driver thread: its last act. */
void	 worker_finish(struct worker *, enum worker_exit);

/* Around every driver call. */
void	 worker_call_begins(struct worker *);
void	 worker_call_ends(struct worker *);
uint64_t worker_busy_ms(struct worker *);

#endif
