#ifndef EDS_SUPERVISOR_PRIVATE_H
#define EDS_SUPERVISOR_PRIVATE_H

/* The struct that owns the rest, and what its parts offer each other. */

#include <ev.h>

#include "supervisor/child/child.h"
#include "supervisor/control/control.h"
#include "supervisor/hq/heartbeat.h"
#include "supervisor/hq/registry.h"
#include "supervisor/hq/session.h"
#include "supervisor/import/import.h"
#include "supervisor/metrics/metrics_http.h"
#include "supervisor/sd_notify.h"
#include "supervisor/store/store.h"
#include "supervisor/store/writer.h"
#include "supervisor/supervisor.h"
#include "supervisor/upstream/upstream.h"

struct audit;
struct logs;
struct upgrade;
struct remote_job;
struct schema_request;
struct connect_run;
struct import_waiter;

/* A configured destination: its child, and what becomes of it once the child has stopped. */
struct destination {
	struct child			*child;
	uint64_t			 stored_seq;	/* its cursor as the store has it */
	uint64_t			 quarantined;
	struct metrics_destination	*metrics;
	struct import			*import;	/* imports.c; NULL: none under way */
	struct import_waiter		*import_waiter;	/* who asked for it; NULL: nobody waits */
	bool				 leaving;	/* stop; then it is gone, or begins anew if it is still configured */
};

/* A configuration that is no longer in force, but that a stopping child still looks at. */
struct old_config {
	struct config		*config;
	struct old_config	*next;
};

enum phase { PHASE_RUNNING, PHASE_DRAINING, PHASE_ENDING, PHASE_OVER };

struct supervisor {
	struct ev_loop			*loop;
	struct config			*config;
	struct old_config		*old_configs;
	const struct config_flags	*flags;
	struct log			 log;
	int				 lock_fd;
	char				*worker_program;
	int64_t				 started_ms;
	const char			*self;			/* path of this program */

	struct store			*store;
	struct window			*window;
	struct journal			*journal;
	struct fanout_source		 source;
	struct routes			 routes;
	struct upstream			*upstream;		/* NULL until the first credential */
	struct http			*http;
	struct session			*session;		/* NULL: credential from a file */
	struct registry			*registry;
	struct metrics			*metrics;
	struct metrics_http		*metrics_http;		/* NULL: no HTTP endpoints */
	struct control			*control;
	struct audit			*audit;
	struct upgrade			*upgrade;		/* under way; NULL */
	ev_timer			 trial;			/* of this version */
	int				 trial_left;		/* seconds */
	ev_timer			 import_lines;		/* how far imports are, for the log */
	struct logs			*logs;			/* NULL: no log file */
	struct sd_notify		*sd;

	struct destination		 dest[ROUTE_SLOTS];	/* by slot; child NULL: free */
	struct schema_request		*schema_requests;
	struct remote_job		*remote_jobs;		/* remote_configure.c: the first one runs */
	struct connect_run		*connect_runs;		/* commands_check.c */

	/* settle.c */
	ev_prepare			 settle_prepare;
	ev_timer			 settle_timer;
	bool				 settle_wanted;
	mono_t				 settled_at;		/* start of the last job */
	bool				 flooded;		/* the heap has grown */
	mono_t				 shrunk_at;
	struct writer			*writer;
	char				 store_trouble[600];

	/* spill.c */
	ev_timer			 spill_timer;
	mono_t				 spilled_at, trimmed_at;
	uint64_t			 generation;		/* counts destinations that came */
	uint64_t			 spill_generation;	/* when the spill under way was taken */
	char				 journal_trouble[600];
	uint64_t			 lost_end_from, lost_end_to;	/* of the journal, not on record yet; 0: nothing */
	bool				 losses_untold;	/* the store was built anew, and what it has lost is not on record yet */

	/* gaps.c */
	size_t				 open_gaps;
	uint64_t			 gap_from, gap_to;	/* of those the operator has not taken note of */

	uint64_t			 go_back_to;	/* departed.c: stream sequence, 0: no need */
	uint64_t			 horizon;	/* of upstream, as stored */
	mono_t				 horizon_at;
	uint64_t			 resume_seq;	/* at the start: everything up to here is safe */

	/* login.c */
	char				*server_id;		/* from the credential; NULL before */
	char				*sid;
	char				**companies;		/* NULL-ended; NULL before the first credential */
	char				 consumer[300];

	/* heart.c */
	ev_timer			 heart;
	int64_t				 heart_offset;
	char				 heart_sid[80];
	int64_t				 consumer_since_ms;

	/* lifetime.c */
	ev_signal			 sigterm, sigint, sighup;
	ev_timer			 patience, watchdog, second;
	enum phase			 phase;
	bool				 again;			/* end, and be started again */
	int				 exit_code;
	int64_t				 paused_ns;		/* epoch; 0: not paused as a whole */
};



/* destinations.c */
int	 destinations_start(struct supervisor *, struct err *) MUST_CHECK;
void	 destinations_free(struct supervisor *);
void	 destinations_apply(struct supervisor *, struct config *, struct buf *changes);	/* takes the config over */
void	 destinations_feed(struct supervisor *);
void	 destinations_begin_at(struct supervisor *, uint64_t seq);
void	 destinations_pause(struct supervisor *, bool pause);
struct destination *destination_by_name(struct supervisor *, struct slice name);
struct destination *destination_of(struct supervisor *, struct child *);
size_t	 destinations_count(const struct supervisor *);
bool	 destinations_stopped(const struct supervisor *);
int	 destination_pause(struct supervisor *, struct destination *, bool pause, struct err *) MUST_CHECK;
void	 upstream_hold_by_need(struct supervisor *);
uint64_t destinations_ack_pending(const struct supervisor *);

/* settle.c */
int	 settle_init(struct supervisor *, struct err *) MUST_CHECK;
void	 settle_soon(struct supervisor *);
void	 settle_now(struct supervisor *);		/* waits for the disk */
void	 settle_stop(struct supervisor *);
uint64_t settled_everywhere(const struct supervisor *);	/* stream sequence that every destination has */

/* spill.c */
int	 spill_init(struct supervisor *, struct err *) MUST_CHECK;
void	 spill_stop(struct supervisor *);
#define SPILL_EVENTS	4000	/* of one transaction */
struct spill;
struct spill *spill_take(struct supervisor *);		/* NULL: nothing to do */
int	 spill_write(struct spill *, struct journal *, struct err *) MUST_CHECK;	/* in the writer's thread */
void	 spill_done(struct supervisor *, const struct spill *, bool written, const struct err *);
void	 spill_free(struct spill **);
void	 spill_plan(struct supervisor *);
uint64_t spill_trim_to(struct supervisor *);		/* 0: nothing to trim now */

/* takeover.c: what a Go server left in the data directory */
int	 takeover(struct supervisor *, struct err *) MUST_CHECK;

/*
 * imports.c: an import into a destination that is configured.  Only that one rests meanwhile.
 */
struct import_request {
	const char		*job_id, *dir;		/* NULL: a new export */
	const char *const	*only;			/* tables, NULL-ended; NULL: all */
	const char *const	*company_ids, *const *location_ids;	/* NULL: all of the server's */
	int64_t			 time_offset_ms;	/* 0: not given */
	bool			 dry_run, schema_only, keep, single;
};
/* Told once, from the loop, how it ended; never when the server ends before. */
typedef void (*import_done_fn)(void *arg, enum import_state, const char *text);
int	 imports_begin(struct supervisor *, struct destination *, const struct import_request *, import_done_fn, void *arg,
	    struct err *) MUST_CHECK;
/* ERR_NOTFOUND: there is none; ERR_CONFLICT: it is being made live already. */
int	 imports_cancel(struct supervisor *, struct destination *, struct err *) MUST_CHECK;
bool	 imports_take_up(struct supervisor *, struct destination *);	/* the one on record, if it is open */
void	 imports_rest(struct supervisor *, struct destination *);	/* its child's state changed */
void	 imports_drop(struct destination *);			/* the destination goes; the record stays */
void	 imports_stop(struct supervisor *);			/* no more lines about them */
int64_t	 imports_start_ns(struct supervisor *);			/* where a new consumer begins; 0: from now */

/* schemas.c */
void	 schemas_want(struct supervisor *, struct child *, struct slice table, struct slice version);
void	 schemas_forget(struct supervisor *, struct child *);

/* login.c */
int	 login_start(struct supervisor *, struct err *) MUST_CHECK;
void	 login_free(struct supervisor *);

/* heart.c */
void	 heart_init(struct supervisor *);
void	 heart_beat_now(struct supervisor *);
void	 heart_stop(struct supervisor *);

/* departed.c */
void	 departed_mark(struct supervisor *, const char *name, bool left);
bool	 departed_is(struct supervisor *, const char *name);
int	 departed_find(struct supervisor *, struct err *) MUST_CHECK;	/* marks those that the configuration no longer has */
void	 departed_go_back(struct supervisor *);		/* once the window is empty */

/* gaps.c */
void	 gaps_init(struct supervisor *);
/* A range that is on record already is not recorded once more. */
int	 gaps_record(struct supervisor *, uint64_t from, uint64_t to, const char *why) MUST_CHECK;

/* mend.c */
int	 mend_open(struct supervisor *, struct err *) MUST_CHECK;	/* opens the store */
int	 mend_tell(struct supervisor *, struct err *) MUST_CHECK;	/* what the store has lost, before anything is delivered */
int	 mend(struct supervisor *, struct err *) MUST_CHECK;		/* store_mend(), and what follows from it; the writer rests */

/* status.c */
void	 status_json(struct supervisor *, struct buf *, bool *degraded_r);
bool	 status_ready(struct supervisor *, struct buf *reason);
void	 status_why(struct supervisor *, struct destination *, struct buf *);
void	 status_metrics(struct supervisor *);

/* commands.c */
void	 command(void *sup, struct control_request *, const char *verb, const struct ipc_strs *args);

/* remote.c, remote_configure.c */
void	 remote_notice(void *sup, struct slice payload, struct slice encoding, struct slice reply);
void	 remote_stop(struct supervisor *);

/* remote_upgrade.c */
void	 upgrade_init(struct supervisor *);
void	 upgrade_stop(struct supervisor *);

/* logs.c */
int	 logs_init(struct supervisor *, struct err *) MUST_CHECK;
void	 logs_apply(struct supervisor *);		/* after a reload */
void	 logs_send(struct supervisor *);		/* what there is so far goes to HQ */
/* ... to the URL signed for that session, and what workers wrote when they died to the other; "" none. */
void	 logs_session_ended(struct supervisor *, const char *url, const char *error_url);
/* An obituary_fn: the last words are kept for HQ, which hears at the end of the session that there are some. */
struct last_words;
void	 logs_death(void *supervisor, const char *name, pid_t, const char *how, const struct last_words *);
bool	 logs_busy(const struct supervisor *);
void	 logs_dismiss(struct supervisor *);		/* nothing more is sent; lines are still taken */
void	 logs_free(struct supervisor *);

/* lifetime.c */
void	 lifetime_logs_sent(struct supervisor *);	/* the last of the log is with HQ, or will not get there */
void	 lifetime_init(struct supervisor *);
void	 lifetime_free(struct supervisor *);
void	 lifetime_end(struct supervisor *, bool again, int exit_code);
void	 lifetime_step(struct supervisor *);	/* something ended: is it time for the next phase? */
int	 reload(struct supervisor *, bool dry, struct buf *changes, struct err *) MUST_CHECK;

#endif
