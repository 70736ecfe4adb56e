#ifndef EDS_LIFE_H
#define EDS_LIFE_H

#include "worker/gate.h"
#include "worker/host.h"
#include "worker/retry.h"

/* What the driver thread's tasks (deliver.c, probe.c, ...) share: the driver from loading to closing, and its troubles. */

/* The argument of each task's main function. */
struct life_args {
	struct worker	*worker;
	struct host	*host;
};

/* What follows from a step: the next one, or the end of this process. */
enum verdict {
	V_GOES_ON,
	V_ENDS,			/* asked to, with the work at hand not done */
	V_BROKEN,
	V_CONFIG,
};

struct life {
	struct worker		*w;
	const struct drv_host	*host;
	const struct driver	*driver;
	struct drv		*drv;		/* NULL: not open */
	struct log		 log;
	struct drv_env		 env;		/* lives as long as the driver does */
};

void	 life_begin(struct life *, const struct life_args *);

/* The driver of the URL, which must suit it. */
enum verdict life_load(struct life *) MUST_CHECK;

/* The rules of CONFIGURE; NULL: there are none. */
enum verdict life_gate(struct life *, struct gate **) MUST_CHECK;

/* One attempt, timed as a driver call. */
enum drv_result life_call_open(struct life *, struct err *) MUST_CHECK;

/* Opens the destination, for as long as that takes. */
enum verdict life_open(struct life *) MUST_CHECK;

void	 life_close(struct life *);

/* Reports why this process is of no more use; answers `verdict`, V_BROKEN or V_CONFIG. */
enum verdict life_give_up(struct life *, enum verdict, const struct err *);

/* The driver answered something that has no meaning. */
enum verdict life_bad_result(struct life *, const char *call, int result);

/* Says what is wrong and waits; false when the worker is to end instead.  `seq`: the first event that waits, 0: none. */
bool	 life_wait_to_retry(struct life *, struct retry *, const char *reason, uint64_t seq) MUST_CHECK;
void	 life_send_resolved(struct life *, const struct retry *, uint64_t seq);

/* The text of an error, which must not be empty: that would mean that all is well. */
const char *life_said(const char *text);

/* The thread's last act: goodbye, unless it was told why not. */
void	 life_end(struct life *, enum verdict);

#endif
