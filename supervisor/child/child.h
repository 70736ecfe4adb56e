#ifndef EDS_CHILD_H
#define EDS_CHILD_H

#include <ev.h>
#include <sys/types.h>

#include "ipc/base/log.h"
#include "supervisor/child/backoff.h"
#include "supervisor/config/config.h"
#include "supervisor/window/fanout.h"

/*
 * One destination as the supervisor sees it: its worker process through all its
 * lives, and its cursor.  States and steps: child_steps.def.
 */
enum child_state {
#define STATE(NAME, shown)	CHILD_##NAME,
#include "supervisor/child/child_steps.def"
#undef STATE
};

enum child_event {
#define EVENT(NAME)		CHILD_EV_##NAME,
#include "supervisor/child/child_steps.def"
#undef EVENT
};

struct child;

/* What a child needs from its owner. */
struct child_host {
	void			*arg;
	struct ev_loop		*loop;
	const struct fanout_source *source;
	const char		*program;		/* worker to run */
	const char		*update_strategy;
	const char		*rules;			/* for CONFIGURE; NULL: none */
	const char		*data_dir;

	const char	*(*session)(void *arg);
	/* The cursor moved: something may be settled, and has to be stored. */
	void		(*progress)(void *arg, struct child *);
	void		(*state)(void *arg, struct child *);
	/* Set the event aside durably; -1: it could not be. */
	int		(*reject)(void *arg, struct child *, const struct ipc_rejected_body *, struct err *);
	/* The same for an event that killed its worker; the owner has to find it. */
	int		(*poison)(void *arg, struct child *, uint64_t seq, uint64_t attempts, const char *reason, struct err *);
	int		(*table_version)(void *arg, struct child *, struct slice table, struct slice version, struct err *);
	/* Calls add(ctx, text) for table, version, table, version ... */
	void		(*known_versions)(void *arg, struct child *, int (*add)(void *ctx, struct slice), void *ctx);
	/* The same for table, time of its import in nanoseconds, table ... */
	void		(*import_times)(void *arg, struct child *, int (*add)(void *ctx, struct slice), void *ctx);
	/* Wants child_schema() called, perhaps at once. */
	void		(*schema)(void *arg, struct child *, struct slice table, struct slice version);
	void		(*forget_schemas)(void *arg, struct child *);
	/* Batch figures for the metrics. */
	void		(*committed)(void *arg, struct child *, const struct ipc_committed_body *);
};

#define LAST_WORDS	10		/* lines of standard error that are kept */

struct child_stats {
	uint64_t	 generation, restarts;
	uint64_t	 committed, committed_bytes, batches, flush_us, rejected;
	int64_t		 last_commit_ms;	/* epoch */
	int64_t		 since_ms;		/* epoch, in the present state */
	int64_t		 next_restart_ms;	/* epoch, 0: none planned */
	uint64_t	 rss_bytes, queued_events, busy_ms;
	uint64_t	 trouble_attempts, trouble_seq;
	uint64_t	 no_rule, unfit, unchecked;	/* events that the rules held back */
};

/* Slot: its bit in routes.  `seq`: where its cursor starts; `waiting`: events after it in the journal.  The config belongs to the caller and must outlive it. */
int	 child_new(struct child **, const struct child_host *, const struct destination_config *, unsigned slot, uint64_t seq,
	    uint64_t waiting, bool paused, struct err *) MUST_CHECK;
void	 child_free(struct child **);		/* kills what still runs, without waiting */

void	 child_event(struct child *, enum child_event);
void	 child_pause(struct child *, bool paused);	/* the wish survives restarts of the worker */
void	 child_feed(struct child *);			/* the window has something new */
void	 child_schema(struct child *, struct slice table, struct slice version, unsigned status, struct slice json);
void	 child_config(struct child *, const struct destination_config *);	/* for the next life */
/*
 * Offers one event again, once nothing else is in flight.  `done` is called once, perhaps
 * never if the child is freed.  ERR_CONFLICT while another one is under way or no worker runs.
 */
struct child_retry {
	uint64_t	 seq;
	void		(*done)(void *arg, uint64_t seq, bool stored, const char *why);
	void		*arg;
};
int	 child_retry(struct child *, const struct child_retry *, struct slice subject, struct slice payload, struct err *) MUST_CHECK;

void	 child_update_strategy(struct child *, const char *);
void	 child_rules(struct child *, const char *);	/* for the next life, as long as the child is there */

enum child_state child_state(const struct child *);
const char *child_state_shown(const struct child *);
const char *child_reason(const struct child *);		/* why it is not running, or "" */
const char *child_trouble(const struct child *);	/* what its destination suffers from, or "" */
const char *child_last_exit(const struct child *);
const char *child_last_word(const struct child *, size_t i);	/* oldest first, NULL at the end */
const struct destination_config *child_destination(const struct child *);
const struct child_stats *child_stats(const struct child *);
struct cursor *child_cursor(struct child *);
const char *child_name(const struct child *);
void	*child_owner(const struct child *);		/* its host's arg */
unsigned child_slot(const struct child *);
pid_t	 child_pid(const struct child *);		/* 0: none */
bool	 child_paused(const struct child *);
double	 child_rate(const struct child *);		/* events per second over about the last minute */

#endif
