#ifndef EDS_STORE_H
#define EDS_STORE_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * What must survive: one LMDB environment, <data-dir>/store, written by the
 * supervisor alone.  Every function that changes something returns after the
 * fsync.  Read transactions are short: slices handed to callbacks die with the call.
 */
struct store;

/*
 * Opens or creates.  A damaged store is built anew from what can be read of it.  ERR_CONFLICT: another supervisor has it.
 * ERR_INVALID: made by a newer version, or too damaged: the text says which and what to do.
 */
int	 store_open(struct store **, const char *data_dir, struct err *) MUST_CHECK;
void	 store_close(struct store **);

/* The same; tick (fn may be NULL) is called now and then while a damaged store is built anew, then and later. */
struct rebuild_tick {
	void	(*fn)(void *arg);
	void	*arg;
};
int	 store_open_patiently(struct store **, const char *data_dir, struct rebuild_tick, struct err *) MUST_CHECK;

/*
 * After certain failed writes LMDB refuses everything until the store is opened again, and a store in which damage was seen
 * has to be built anew.  store_mend() does that, when it is needed; nobody else may be using the store meanwhile.  What is
 * durable, or can be read, is there afterwards.
 */
int	 store_mend(struct store *, struct err *) MUST_CHECK;
bool	 store_damaged(const struct store *);		/* damage was seen: store_mend() is due */

/* Once after a damaged store was built anew: where the damaged one was kept, for the caller to free(); else NULL. */
char	*store_kept(struct store *) MUST_CHECK;

/*
 * The sequences that the journal has lost to damage and that were not told yet.  When fn has answered 0 to
 * all of them they count as told.
 */
typedef int (*store_lost_fn)(void *arg, uint64_t from, uint64_t to);
int	 store_lost_each(struct store *, store_lost_fn, void *arg, struct err *) MUST_CHECK;

/* Cursors: the stream sequence up to which a destination has everything of its route. */
struct store_cursor {
	const char	*destination;
	uint64_t	 seq;
};
int	 store_cursors_put(struct store *, const struct store_cursor *, size_t n, struct err *) MUST_CHECK;
int	 store_cursor_get(struct store *, const char *destination, uint64_t *seq_r, struct err *) MUST_CHECK; /* ERR_NOTFOUND */
typedef int (*store_cursor_fn)(void *arg, struct slice destination, uint64_t seq);
int	 store_cursors_each(struct store *, store_cursor_fn, void *arg, struct err *) MUST_CHECK;

/* Table versions per destination, as its worker reported them. */
int	 store_table_version_put(struct store *, const char *destination, struct slice table, struct slice version,
	    struct err *) MUST_CHECK;
typedef int (*store_pair_fn)(void *arg, struct slice key, struct slice value);
int	 store_table_versions_each(struct store *, const char *destination, store_pair_fn, void *arg, struct err *) MUST_CHECK;

/* Cached schemas by table and version; and the latest version of each table. */
int	 store_schema_put(struct store *, struct slice table, struct slice version, struct slice json, struct err *) MUST_CHECK;
int	 store_schema_get(struct store *, struct slice table, struct slice version, struct buf *json, struct err *) MUST_CHECK;

/* Small facts by name ("import-times", "clean-stop" ...); ERR_NOTFOUND when there is none. */
int	 store_fact_put(struct store *, const char *name, struct slice value, struct err *) MUST_CHECK;
int	 store_fact_get(struct store *, const char *name, struct buf *value, struct err *) MUST_CHECK;

/* Many small writes in one fsync: between begin and commit the functions above share a transaction. */
int	 store_batch_begin(struct store *, struct err *) MUST_CHECK;
int	 store_batch_commit(struct store *, struct err *) MUST_CHECK;

/* Quarantine: events set aside for one destination, the event itself with them. */
struct store_quarantined {
	uint64_t	 seq;
	uint64_t	 attempts;
	int64_t		 at_ms;		/* epoch */
	struct slice	 subject;
	struct slice	 reason;
	struct slice	 payload;
};
int	 store_quarantine_put(struct store *, const char *destination, const struct store_quarantined *, struct err *) MUST_CHECK;
bool	 store_quarantine_has(struct store *, const char *destination, uint64_t seq);
typedef int (*store_quarantine_fn)(void *arg, const struct store_quarantined *);
int	 store_quarantine_each(struct store *, const char *destination, store_quarantine_fn, void *arg, struct err *) MUST_CHECK;
int	 store_quarantine_count(struct store *, const char *destination, uint64_t *n_r, struct err *) MUST_CHECK;
int	 store_quarantine_drop(struct store *, const char *destination, uint64_t seq, struct err *) MUST_CHECK;

#endif
