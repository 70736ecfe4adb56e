#ifndef EDS_CONFIG_H
#define EDS_CONFIG_H

#include "ipc/base/err.h"
#include "ipc/base/log.h"

/*
 * Everything the operator can say, merged: command line over config.toml over
 * eds.conf over defaults.  A config is built whole and then never changed; reload builds a
 * second one and compares.  Options of eds.conf: config_options.def.
 */
enum on_reject { ON_REJECT_QUARANTINE, ON_REJECT_STOP };

#define ROUTE_INSERT	1u
#define ROUTE_UPDATE	2u
#define ROUTE_DELETE	4u

struct destination_config {
	char		*name;			/* [A-Za-z0-9_-]{1,32}, unique                      */
	char		*url;			/* with secrets                                     */
	char		*origin;		/* "eds.conf:12", "config.toml", "--url": for messages */
	char		**tables;		/* NULL: all; NULL-ended                            */
	char		**companies;		/* NULL: all                                        */
	unsigned	 operations;		/* ROUTE_* bits                                     */
	enum on_reject	 on_reject;
	uint64_t	 quarantine_limit;	/* most events set aside within the window below; 0: no limit */
	int64_t		 quarantine_window_ms;
	uint64_t	 batch_events;		/* 0: the driver's own                              */
	uint64_t	 batch_bytes;
	int64_t		 min_latency_ms;
	int64_t		 max_latency_ms;
	uint64_t	 queue_events;		/* credit a worker holds                            */
	uint64_t	 queue_bytes;
	int64_t		 start_timeout_ms;	/* spawn to READY, while the driver does not report trouble */
	int64_t		 ping_timeout_ms;	/* no answer for that long: killed                  */
	int64_t		 hang_timeout_ms;	/* one driver call longer than that: killed; 0: never */
	int64_t		 drain_timeout_ms;
	int64_t		 backoff_min_ms;
	int64_t		 backoff_max_ms;
	uint64_t	 restart_limit;		/* that many crashes ...                            */
	int64_t		 restart_window_ms;	/* ... within that time: failed                     */
	int64_t		 healthy_after_ms;	/* running that long forgives earlier crashes       */
};

struct config {
	/* who and where */
	char		*data_dir;		/* absolute */
	char		*config_file;		/* eds.conf in use, NULL when there is none */
	char		*server_id;		/* NULL: not enrolled */
	char		*token;			/* secret */
	char		*api_url;		/* without trailing slash */
	char		*nats_url;		/* comma separated */
	char		*update_strategy;	/* "standard" or "after" */
	bool		 keep_logs;
	/* upstream */
	char		*consumer_suffix;	/* "" for none */
	char		**company_ids;		/* NULL: those of the credential */
	uint64_t	 max_ack_pending;
	uint64_t	 max_pending_buffer;	/* max_batch of the consumer */
	bool		 from_beginning;	/* --restart */
	int64_t		 renew_interval_ms;
	char		*creds_file;		/* credentials from a file instead of an HQ session; NULL */
	char		*nats_ca_file;		/* NULL: the system's certificates */
	/* the process */
	char		*listen_address;	/* of the HTTP endpoints, "127.0.0.1" */
	uint16_t	 port;			/* 0: no HTTP endpoints */
	enum log_level	 log_level;
	bool		 log_timestamps;
	uint64_t	 log_file_size, log_keep_size;
	int64_t		 log_send_interval_ms, upgrade_trial_ms;
	char		*log_label;
	bool		 upgrade_in_container;
	char		*release_url, *release_key;	/* NULL: the project's own */
	char		*worker_program;	/* NULL: beside eds, else libexec */
	uint64_t	 window_bytes;		/* most memory for events in flight */
	uint64_t	 window_events;
	unsigned	 hq_allow;		/* HQ_ACTION_BIT()s that HQ may ask for */
	char		*schema_validator;	/* folder of rules, NULL: none */
	char		*rules;			/* what was read there, for the workers (rules/folder.h); NULL: none */
	uint64_t	 journal_size;		/* most disk for events that a destination has not taken; 0: none */
	/* destinations */
	struct destination_config	*destinations;
	size_t		 n_destinations;
};

/* What the command line gave; NULL and 0 mean "not given".  Strings belong to the caller. */
struct config_flags {
	const char	*data_dir, *config_file, *api_key, *eds_id, *api_url, *nats_url, *consumer_suffix, *log_label;
	const char	*schema_validator, *creds_file;
	const char	**urls;			/* repeated --url, NULL-ended, may be NULL */
	const char	**company_ids;		/* NULL-ended, may be NULL */
	int		 port;			/* -1: not given */
	int		 keep_logs;		/* -1: not given */
	int64_t		 max_ack_pending, max_pending_buffer;	/* -1: not given */
	int64_t		 min_latency_ms, max_latency_ms, renew_interval_ms;	/* -1: not given */
	bool		 from_beginning, verbose, silent, timestamps;
};

/*
 * Reads config.toml and eds.conf, applies the flags, checks every destination's
 * URL scheme, names, types and ranges, and reads the rules of schema_validator.  On failure the text names file, line, key, what was found and what
 * was expected: ERR_CONFIG for eds.conf and flags, ERR_INVALID for config.toml ("error loading <path>: ..."),
 * ERR_AUTH for the token.  Secrets read from files (`url_file`) must not be readable by others.  A config
 * without token or server id is fine: whoever needs them looks.
 */
int	 config_load(struct config **, const struct config_flags *, struct err *) MUST_CHECK;
void	 config_free(struct config **);

/* The state directory as an absolute path, for the caller to free(); NULL or "": <cwd>/data.  NULL on error. */
char	*config_data_dir(const char *given, struct err *) MUST_CHECK;

/*
 * What HQ decides goes into config.toml, which keeps everything else that stands in it: where HQ's
 * destination is and by which strategy it is updated; or that HQ no longer knows this server.
 */
int	 config_store_destination(const char *data_dir, const char *url, const char *update_strategy, struct err *) MUST_CHECK;
int	 config_store_deleted(const char *data_dir, struct err *) MUST_CHECK;

/* A destination by name, NULL when there is none. */
const struct destination_config *config_destination(const struct config *, const char *name);

/* True when a worker running by `a` need not be touched to run by `b`. */
bool	 destination_config_same(const struct destination_config *a, const struct destination_config *b);

bool	 config_same_rules(const struct config *, const struct config *);

/* Options of the process that a reload cannot change and that differ; "" when none.  For the reload's report. */
void	 config_needs_restart(const struct config *running, const struct config *wanted, struct buf *names);

/* Those options change places, so that `fresh` says what is in force. */
void	 config_keep_running(struct config *running, struct config *fresh);

#endif
