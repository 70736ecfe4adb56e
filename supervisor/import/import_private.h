#ifndef EDS_IMPORT_PRIVATE_H
#define EDS_IMPORT_PRIVATE_H

/* What the parts of an import share: import.c (its course), import_files.c (which files), import_load.c (getting them in),
 * import_rejects.c (rows that are not wanted). */

#include <jansson.h>

#include "ipc/base/clock.h"
#include "ipc/base/log.h"
#include "supervisor/child/oneshot.h"
#include "supervisor/child/process.h"
#include "supervisor/import/download.h"
#include "supervisor/import/export.h"
#include "supervisor/import/import.h"

enum file_state {
	FILE_WANTED,		/* to be fetched                */
	FILE_STALE,		/* ... from another address     */
	FILE_FETCHING,
	FILE_READY,		/* on the disk                  */
	FILE_SENT,		/* with the worker              */
	FILE_DONE,		/* its rows are safe            */
};

struct import_file {
	char		*name;		/* without folders, no two alike */
	char		*path;		/* below or in place of the folder; NULL: name */
	char		*url;		/* NULL in a folder that was given */
	size_t		 table;		/* index into the record's */
	int64_t		 time_ns;
	enum file_state	 state;
	unsigned	 damaged;	/* so often it was not what it should be */
	uint64_t	 rows, rejected, skipped, bytes;	/* the present attempt's */
	uint64_t	*refused;	/* numbers of rows, ascending, until the file is done */
	size_t		 n_refused, refused_cap;
};

enum import_phase { PH_WAITING, PH_TESTING, PH_SCHEMA, PH_EXPORTING, PH_LOADING, PH_ENDING, PH_STOPPING, PH_OVER };

struct import {
	struct import_host	 host;
	struct log		 log;
	struct import_record	 rec;
	char			*destination, *url, *update_strategy, *session, *api_url, *token, *rules;
	bool			 dry, bounded, tested;
	enum import_phase	 phase;
	enum import_state	 outcome;	/* once it stops */
	char			 text[700];	/* why it stops */
	char			 trouble[700];
	bool			 resumed;	/* the driver may find something of it */

	struct oneshot		*oneshot;
	struct http_call	*schema_call;
	unsigned		 schema_failures;
	struct export		*export;
	size_t			 tables_total, tables_exported;
	unsigned		 refreshes;
	bool			 refreshing;
	struct downloads	*downloads;
	struct import_file	*files;
	size_t			 n_files, n_done;
	struct process		*process;
	bool			 begun;		/* the worker takes files */
	bool			 config_error;	/* it said that it is of no use to begin anew */
	char			 broken[700];
	unsigned		 crashes;	/* since something was stored */
	size_t			 n_sent;
	ev_timer		 timer;		/* back-off, patience, next question: one at a time */
	ev_timer		 ping;		/* is the worker alive? */
	int64_t			 ping_timeout_ms;
	mono_t			 heard_at;
	ev_timer		 save;		/* the record, now and then */
	bool			 unsaved;
	ev_timer		 over;		/* tells the owner from the loop */
	int			 rejects_fd;
	mono_t			 loading_since;
	uint64_t		 rows_before;	/* loaded in earlier lives */
};

/* import.c */
void	 import_stop(struct import *, enum import_state, const char *why);	/* removes what was made, then it is over */
void	 import_over(struct import *);
void	 import_save_soon(struct import *);
int	 import_save(struct import *);

/* import_files.c */
int	 import_files_of_export(struct import *, const struct export_table *, size_t n, struct err *) MUST_CHECK;
int	 import_files_of_dir(struct import *, struct err *) MUST_CHECK;
int	 import_dir_make(struct import *, struct err *) MUST_CHECK;
void	 import_dir_complete(struct import *);		/* all of the export is there */
void	 import_dir_remove(struct import *);
void	 import_file_path(const struct import *, const struct import_file *, struct buf *);
void	 import_files_free(struct import *);
int	 import_tables_of_schema(struct import *, json_t *all, struct err *) MUST_CHECK;	/* GET /v3/schema */
int	 import_keep_schemas(struct import *, struct err *) MUST_CHECK;
int	 import_recall_schemas(struct import *, struct err *) MUST_CHECK;
size_t	 import_table_find(const struct import *, struct slice table);	/* SIZE_MAX: none */

/* import_rejects.c */
int	 import_reject(struct import *, struct import_file *, const struct ipc_import_rejected_body *, struct err *) MUST_CHECK;
void	 import_rejects_forget(struct import_file *);
void	 import_rejects_close(struct import *);

/* import_load.c */
void	 load_begin(struct import *);		/* tables and files are known */
void	 load_advance(struct import *);
void	 load_stop(struct import *);		/* the worker is to remove what it made, and to end */
void	 load_urls_are_fresh(struct import *, const struct export_table *, size_t n);
void	 load_init(struct import *);
void	 load_free(struct import *);

#endif
