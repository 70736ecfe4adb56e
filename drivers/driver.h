#ifndef EDS_DRIVER_H
#define EDS_DRIVER_H

#include "ipc/base/err.h"
#include "ipc/base/log.h"
#include "ipc/event.h"

/*
 * What a destination driver is.  A driver is one folder below drivers/ that
 * defines `const struct driver driver_<id>`.  It is built as a module <id>.so,
 * whose linking gives that object the second name `eds_driver`; the worker
 * loads the module by URL scheme (drivers/drivers.def) and asks for that name.
 * Programs that link drivers in, such as unit tests, use driver_<id>.
 * All functions run in one thread of a process that serves this destination
 * alone; they may block.
 */
#define DRIVER_ABI	7

enum drv_result {
	DRV_STORED,		/* the whole batch is durable at the destination                 */
	DRV_RETRY,		/* nothing stored for certain: offer the same batch later         */
	DRV_UNSURE,		/* perhaps stored (the link died during commit): same as retry    */
				/* for an idempotent driver                                       */
	DRV_REJECT,		/* event outcome->index can never be stored; the others were not  */
				/* refused, the batch without it is offered again                 */
	DRV_CONFIG,		/* credentials, privilege or URL: only the operator can mend it   */
	DRV_BROKEN,		/* this process is of no more use: it exits and is started anew   */
};

enum drv_caps {
	DRV_CAP_IDEMPOTENT	= 1 << 0,	/* the same batch again leaves the same result   */
	DRV_CAP_ATOMIC		= 1 << 1,	/* a batch is stored whole or not at all         */
	DRV_CAP_SCHEMA		= 1 << 2,	/* asks host->schema, keeps tables in step       */
	DRV_CAP_AHEAD		= 1 << 3,	/* drv_flow has one more batch for it, of any    */
						/* size, while a single one is being stored      */
};

struct drv_event {
	uint64_t		 seq;		/* stream sequence */
	const struct event	*ev;
	struct slice		 payload;	/* as received     */
	struct slice		 path;		/* by a rule (worker/rules/template.h): where a store of objects keeps it; n == 0: none */
};

struct drv_batch;

/*
 * For destinations that take long to answer and many events at a time: while deliver()
 * works it may take further events, and report the first ones stored, instead of waiting
 * for the last one of each batch.  A driver that does not look at it loses nothing else.
 */
struct drv_flow {
	void	*ctx;
	int	 fd;			/* readable: more() is worth a call        */

	/*
	 * Events that have come meanwhile.  They belong to this call from now on, behind those it has, and
	 * so does their memory.  False: none at present; the next one makes `fd` readable.
	 */
	bool	(*more)(void *ctx, struct drv_batch *batch_r);

	/*
	 * The first n events that this call has had, the batch's own included, are durable, and must not be looked
	 * at again.  The call's result is about the rest; outcome->index counts from the first of all.
	 */
	void	(*stored)(void *ctx, size_t n);
};

struct drv_batch {
	const struct drv_event	*v;		/* in stream order */
	size_t			 n;
	size_t			 bytes;		/* of all payloads */
	const struct drv_flow	*flow;		/* NULL: this batch is all */
};

struct drv_outcome {
	size_t		 index;			/* DRV_REJECT: which event          */
	struct err	 err;			/* everything but DRV_STORED: why   */
};

/* What the worker offers to its driver; callable from driver functions only. */
struct drv_host {
	void		*ctx;

	/*
	 * The schema of one version of a table as JSON text (contract/hq-api.md section 8.1,
	 * one object).  Waits for the supervisor.  The text lives until the driver is closed.
	 * DRV_STORED: found.  DRV_REJECT: there is no such table or version.
	 * DRV_RETRY: not available now.  Otherwise *err says why.
	 */
	enum drv_result	(*schema)(void *ctx, struct slice table, struct slice version, struct slice *json_r, struct err *);

	/* The destination's table now has that version; recorded durably by the supervisor. */
	void		(*table_version)(void *ctx, struct slice table, struct slice version);

	/* The version recorded earlier; absent when none. */
	struct slice	(*known_version)(void *ctx, struct slice table);

	/* True once the worker is to end: long waits should be given up with DRV_RETRY. */
	bool		(*stopping)(void *ctx);
};

struct drv_env {
	const char		*destination;	/* name in the configuration            */
	const char		*url;		/* with secrets: never log it           */
	const char		*update_strategy;	/* "standard" or "after"        */
	const char		*session;	/* HQ session id, may be empty          */
	const char		*data_dir;	/* for private state; created by the driver if it wants one */
	const struct log	*log;
	const struct drv_host	*host;
};

/*
 * An import puts a whole export in place of what the destination has, or with
 * `keep` on top of it.  It goes on beside the live tables and touches them
 * only in import_end(), so that one that fails or is given up leaves what was there:
 *
 *	import_begin, (import_rows ..., import_commit) for each file, import_end or import_abort
 *
 * A driver without tables (files, queues, objects) has only import_rows: it stores the
 * rows as events, and sets nothing aside.  During an import deliver() is not called.
 *
 * What a result means here: after DRV_RETRY or DRV_UNSURE of import_rows, import_file or import_commit a
 * driver with import_commit gets the file at hand once more from its beginning, one without it
 * the same batch.  Without any files (a schema alone is wanted) import_end makes empty tables live,
 * or with `keep` those that are missing.
 */
struct drv_import_table {
	struct slice	 table;
	struct slice	 version;		/* as table_version() is to record once it is live     */
	struct slice	 schema;		/* JSON text of that version, contract/hq-api.md section 8.1 */
};

struct drv_import {
	const struct drv_import_table	*tables;
	size_t				 ntables;
	struct slice			 job;	/* [A-Za-z0-9_-]+, 64 at most: part of the names of what is made beside */
	bool				 keep;	/* rows that are there stay; imported ones replace those of the same key */
	bool				 resumed;	/* this job began before: what it made and committed is taken up */
	bool				 ending;	/* ... and import_end() was called before, perhaps with success: what */
							/* import_begin() made and is not there any more is live already      */
};

/* How large batches are, and how long they wait to become so. */
struct drv_batching {
	size_t		 events;
	size_t		 bytes;
	uint64_t	 linger_ms;		/* 0: a batch is whatever is there */
};

struct drv;		/* each driver defines its own */

struct driver {
	unsigned	 abi;			/* DRIVER_ABI                            */
	const char	*id;			/* as in drivers.def                     */
	unsigned	 caps;
	size_t		 batch_events;		/* most events per deliver(), > 0        */
	size_t		 batch_bytes;		/* most payload bytes, one event may exceed it */

	/*
	 * Changes what is above for one URL, and asks for batches that wait to fill; eds.conf may ask for
	 * smaller ones and longer waits, and its max_latency ends every wait.  NULL: no change.
	 */
	void		(*batching)(const char *url, struct drv_batching *);

	/* Checks a URL without touching anything.  ERR_CONFIG and what was expected. */
	int		(*validate)(const char *url, struct err *);

	/* Opens the destination.  DRV_STORED: *drv_r belongs to the caller, who ends it with close(). */
	enum drv_result	(*open)(struct drv **drv_r, const struct drv_env *, struct err *);

	enum drv_result	(*deliver)(struct drv *, const struct drv_batch *, struct drv_outcome *);

	/*
	 * Whether the destination would take events: signs in, asks for the privileges that are needed,
	 * writes and removes something where nothing less proves it.  Leaves nothing behind and
	 * ends within 15 s.  NULL: open() and close() tell as much.
	 */
	enum drv_result	(*test)(const struct drv_env *, struct err *);

	/*
	 * Import, see struct drv_import.  import_begin NULL: nothing to prepare; import_rows and import_file NULL:
	 * not supported.
	 */
	enum drv_result	(*import_begin)(struct drv *, const struct drv_import *, struct err *);

	/*
	 * Rows as INSERT events of one table, tables[table], with `imported` set.  Those since the last
	 * import_commit() that answered DRV_STORED may come again after an interruption, once more even
	 * when the commit succeeded unheard: the same row twice leaves one.
	 */
	enum drv_result	(*import_rows)(struct drv *, size_t table, const struct drv_batch *, struct drv_outcome *);

	/*
	 * Instead of import_rows, for a destination that reads the export's files itself: one whole file of
	 * tables[table], newline-delimited JSON, gzipped when the name ends in ".gz".  `fd` is at its start and stays
	 * the caller's; `name`, without folders, is the file's own and the same when it comes again.
	 */
	enum drv_result	(*import_file)(struct drv *, size_t table, int fd, const char *name, struct err *);

	/* What came so far is durable, beside the live tables. */
	enum drv_result	(*import_commit)(struct drv *, struct err *);

	/* All is there: it becomes live, of each table at once.  Called again after DRV_RETRY or a crash. */
	enum drv_result	(*import_end)(struct drv *, struct err *);

	/* Removes what was made beside; the live tables stay as they are. */
	void		(*import_abort)(struct drv *);

	/*
	 * Nothing came for `idle_ms`: a session that has to be heard of is.  Called again after as long.  What it
	 * finds broken it leaves to the next deliver().  NULL: silence does no harm.
	 */
	void		(*idle)(struct drv *);
	unsigned	 idle_ms;

	/* Frees everything; copes with a half-built instance; clears the pointer. */
	void		(*close)(struct drv **);
};

/* What the folders define. */
#define DRIVER(id, schemes, name, description, example, ack_batch, flags, help) \
	extern const struct driver driver_##id;
#include "drivers/drivers.def"
#undef DRIVER

/* The name of the symbol that every module exports: its struct driver. */
#define DRIVER_SYMBOL	"eds_driver"

#endif
