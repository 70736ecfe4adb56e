#ifndef EDS_SQLITE_PRIVATE_H
#define EDS_SQLITE_PRIVATE_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "drivers/driver.h"
#include "drivers/sql/fold.h"

/* What the files of this driver share. */

/* How a column's declared type treats values (https://www.sqlite.org/datatype3.html, section 3.1). */
enum lite_affinity { LITE_TEXT, LITE_BLOB, LITE_NUMERIC, LITE_REAL };	/* INTEGER behaves as NUMERIC here */

struct lite_column {
	bool			 exists;
	bool			 demands;	/* NOT NULL without a default */
	enum lite_affinity	 affinity;
};

/* Hangs on sql_table.own: what the database file says of it. */
struct lite_table {
	uint64_t		 generation;	/* of the catalogue when this was read */
	bool			 exists;
	struct lite_column	*cols;		/* as sql_table.cols */
	size_t			 ncols;
};

struct lite_stmt;

struct lite_cache {
	struct lite_stmt	*v;
	size_t			 n;
	uint64_t		 clock;
};

/* Where an event of the batch goes; no table: a DELETE from a table that does not exist. */
struct lite_target {
	struct sql_table	*table;
	struct sql_version	*version;
};

struct drv {
	const struct drv_host	*host;
	const struct log	*log;
	char			*path;
	int64_t			 busy_timeout_ms;
	int64_t			 busy_since;
	sqlite3			*db;
	struct stat		 file;		/* the file that is open */
	struct sql_tables	 tables;
	struct sql_fold		 fold;
	struct sql_fold		 probe;		/* single events, to find the one at fault */
	struct sql_seen		*seen;
	struct lite_target	*targets;
	size_t			 ntargets;
	struct lite_cache	 cache;
	struct buf		 scratch;	/* texts bound to the statement at hand */
	struct sql_row		*failed;	/* the row that a write was refused for */

	/* The catalogue as known: a change by us undone, or by others, begins a new generation. */
	uint64_t		 generation;
	int64_t			 schema_cookie;
	bool			 ddl;		/* the transaction at hand changed a table */
	sqlite3_stmt		*ask_cookie, *ask_name, *ask_columns;
};

/* sqlite.c */
enum drv_result lite_result(struct drv *, int rc, struct err *, const char *doing);
enum drv_result lite_exec(struct drv *, const char *sql, struct err *, const char *doing);

/*
 * sqlite_ddl.c.  lite_versions() asks HQ for the schemas of a batch, outside of any transaction;
 * the others run inside one.
 */
enum drv_result lite_versions(struct drv *, const struct drv_batch *, struct drv_outcome *);
enum drv_result lite_catalogue(struct drv *, struct err *);
enum drv_result lite_prepare_tables(struct drv *, const struct drv_batch *, struct drv_outcome *);
void	 lite_undo(struct drv *);			/* the transaction was rolled back */
void	 lite_announce(struct drv *, const struct drv_batch *);	/* ... or committed */
void	 lite_ddl_close(struct drv *);

/* sqlite_write.c.  DRV_REJECT: drv->failed cannot be stored. */
enum drv_result lite_write(struct drv *, struct sql_fold *, struct err *);
void	 lite_cache_flush(struct drv *);

#endif
