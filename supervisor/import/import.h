#ifndef EDS_IMPORT_JOB_H
#define EDS_IMPORT_JOB_H

#include <ev.h>

#include "supervisor/hq/http.h"
#include "supervisor/import/import_record.h"

/*
 * One import into one destination, from the export at HQ (or a folder of its
 * files) to live tables.  What is done is on record in the store, so that it goes on after a crash
 * of the worker or of this process.  Meanwhile nobody else may write to the destination.
 *
 *	the destination is tested, the schemas are fetched, HQ exports, files are downloaded and handed
 *	to the worker as they come, the worker makes it live, and then streaming may go on
 */
struct import;

struct import_host {
	struct ev_loop	*loop;		/* the default loop */
	struct http	*http;
	struct store	*store;
	const char	*program;	/* worker to run */
	const char	*data_dir;	/* of the server */
	void		*arg;
	/* It is over, one way or another; `text` says why when it is not IMPORT_DONE.  The last call; it may free the import. */
	void		(*ended)(void *arg, enum import_state, const char *text);
};

/* Strings and lists are copied. */
struct import_options {
	const char		*destination, *url, *update_strategy, *session;
	const char		*api_url, *token;
	const char		*rules;		/* for CONFIGURE; NULL: none */
	const char		*job_id;	/* NULL: a new export */
	const char		*dir;		/* NULL: HQ's files; else this folder's, which stay there */
	const char *const	*only, *const *company_ids, *const *location_ids;	/* NULL: all */
	int64_t			 time_offset_ms;
	bool			 dry_run;	/* reads everything, changes nothing */
	bool			 schema_only;	/* tables without rows */
	bool			 keep;		/* rows that are there stay */
	bool			 keep_files;	/* the downloads stay */
	bool			 bounded;	/* files are removed as soon as they are loaded, and few are fetched ahead */
	bool			 single;	/* one row at a time */
	bool			 tested;	/* the caller has tested the destination */
	unsigned		 parallel;	/* downloads at once; 0: IMPORT_PARALLEL */
	uint64_t		 reject_limit;	/* so many refused rows are set aside; one more, and the import fails */
	uint64_t		 cursor;	/* of the destination, for the record */
	int64_t			 ping_timeout_ms;	/* a worker that is silent for so long is killed; 0: IMPORT_PING_MS */
};
#define IMPORT_PARALLEL		4u
#define IMPORT_REJECT_LIMIT	1000u
#define IMPORT_PING_MS		30000

/* A new one, which waits for import_go().  Nothing has happened when this fails. */
int	 import_start(struct import **, const struct import_host *, const struct import_options *, struct err *) MUST_CHECK;

/* The open one on record, which waits for import_go() too; of the options, the connection's parts count. */
int	 import_resume(struct import **, const struct import_host *, const struct import_options *, struct err *) MUST_CHECK;

/* Nobody else writes to the destination any more. */
void	 import_go(struct import *);

/* Removes what was made and ends, with IMPORT_CANCELLED.  Not once it is ending: then it says so and goes on. */
bool	 import_cancel(struct import *);

/* Stops here without a word; the record stays open. */
void	 import_free(struct import **);

struct import_progress {
	const char	*phase;		/* "waiting", "testing", "exporting", "loading", "ending", "stopping" */
	const char	*export_id;	/* "" none yet */
	const char	*trouble;	/* what it suffers from, "" */
	const char	*dir;		/* of the downloads, "" none */
	int64_t		 started_ms;
	uint64_t	 tables, tables_exported, files, files_done, rows, rejected, skipped, bytes;
	double		 rows_per_s;
	int64_t		 left_ms;	/* estimate; -1: none yet */
	pid_t		 pid;		/* of the worker, 0 none */
};
void	 import_progress(const struct import *, struct import_progress *);
bool	 import_dry(const struct import *);

#endif
