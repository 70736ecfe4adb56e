#ifndef EDS_IMPORT_RECORD_H
#define EDS_IMPORT_RECORD_H

#include "supervisor/store/store.h"

/* What is durably known of a destination's last import: what was asked for, how far it got, how it ended. */
enum import_state {
	IMPORT_EXPORTING,	/* nothing has begun at the destination */
	IMPORT_LOADING,		/* something is beside the live tables  */
	IMPORT_ENDING,		/* it is being made live, or is         */
	IMPORT_DONE,
	IMPORT_FAILED,
	IMPORT_CANCELLED,
};

struct import_table {
	char	*table, *version;
	char	*schema;		/* not in the record: the store has it by table and version */
	int64_t	 time_ns;		/* of the snapshot; 0: not known */
};

struct import_record {
	enum import_state	 state;
	char			*job;		/* our own name for it, part of names at the destination */
	char			*export_id;	/* HQ's; NULL: none yet, or a folder was given */
	char			*dir;		/* the files' folder; NULL: none yet */
	char			 url_hash[17];	/* it is for this destination and no other of the same name */
	int64_t			 started_ms, ended_ms;
	uint64_t		 cursor;	/* of the destination when it began */
	uint64_t		 rows, rejected, skipped, files;
	char			*error;		/* NULL: none */
	/* what was asked for */
	char			**only, **company_ids, **location_ids;	/* NULL-ended, or NULL */
	int64_t			 time_offset_ms;
	bool			 schema_only, keep, keep_files, single, own_dir;
	uint64_t		 parallel, reject_limit;
	/* known once the export is */
	struct import_table	*tables;
	size_t			 n_tables;
	char			**done;		/* names of the files that are loaded, NULL-ended, or NULL */
	size_t			 n_done;
};

void	 import_record_free(struct import_record *);

/* ERR_NOTFOUND: there has been none. */
int	 import_record_load(struct import_record *, struct store *, const char *destination, struct err *) MUST_CHECK;
int	 import_record_save(const struct import_record *, struct store *, const char *destination, struct err *) MUST_CHECK;

/* One transaction: the record, and what streaming has to know of an import that is live. */
int	 import_record_save_live(const struct import_record *, struct store *, const char *destination, struct err *) MUST_CHECK;

bool	 import_record_is_open(const struct import_record *);	/* to be taken up again after a restart */

/*
 * May the destination, which has everything up to the stream sequence `seq`, get an export that was made before?
 * What it has had since the export is not in there, and nobody would deliver it once more: ERR_CONFLICT, unless
 * it never had an event, or `job_id` is the export of its last import, which did not end well, and nothing has
 * come since.  `job_id` NULL: the files of a folder.
 */
int	 import_record_check_age(struct store *, const char *destination, uint64_t seq, const char *job_id, struct err *) MUST_CHECK;

const char *import_state_name(enum import_state);
int	 import_record_add_done(struct import_record *, const char *file) MUST_CHECK;
bool	 import_record_is_done(const struct import_record *, const char *file);

/*
 * Table, snapshot time as decimal nanoseconds, table ...: events that are older are part of what
 * was imported.
 */
int	 import_times_each(struct store *, const char *destination, store_pair_fn, void *arg, struct err *) MUST_CHECK;

/* The same and where the stream begins, for imports that another program made.  In the caller's batch, if there is one. */
struct import_time {
	const char	*table;
	int64_t		 time_ns;
};
int	 import_times_put(struct store *, const char *destination, const struct import_time *, size_t n, struct err *) MUST_CHECK;

/* Where a stream without any cursor has to begin for what was imported, epoch ns; 0: nothing was. */
int64_t	 import_start_ns(struct store *, const char *destination);

/* Lists of texts, NULL-ended. */
char	**import_list_copy(const char *const *) MUST_CHECK;	/* NULL for NULL and when memory is short */
void	 import_list_free(char ***);
bool	 import_list_has(char *const *, struct slice);

#endif
