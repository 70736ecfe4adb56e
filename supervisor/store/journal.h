#ifndef EDS_JOURNAL_H
#define EDS_JOURNAL_H

#include "supervisor/store/store.h"

/*
 * Events that some destination still needs and that have left the window: on
 * disk, by stream sequence, until no cursor needs them (design section 4).  What is
 * in here is safe, so it is acknowledged upstream.
 */
struct journal;

struct journal_entry {
	uint64_t	 seq;
	struct slice	 subject;
	struct slice	 payload;
};

struct journal_stats {
	uint64_t	 events;
	uint64_t	 bytes;			/* of disk pages in use */
	uint64_t	 first_seq, last_seq;	/* 0: empty */
	uint64_t	 damaged;		/* entries found unreadable since the start */
};

/* `limit_bytes` 0: there is no journal, nothing can be appended. */
int	 journal_open(struct journal **, struct store *, uint64_t limit_bytes, struct err *) MUST_CHECK;
void	 journal_close(struct journal **);
int	 journal_reopened(struct journal *, struct err *) MUST_CHECK;	/* after store_mend() built the store anew */

/*
 * append and trim may run in another thread than everything else; then the figures below
 * follow only with journal_publish(), called by the reading thread while the other is idle.
 */
void	 journal_publish(struct journal *);

bool	 journal_enabled(const struct journal *);
uint64_t journal_room(const struct journal *);			/* bytes left below the limit */
uint64_t journal_cost(const struct journal_entry *);		/* bytes of disk it will take, about */
const struct journal_stats *journal_stats(const struct journal *);

/*
 * Appends in one transaction; returns after the fsync.  Sequences rise.  ERR_FULL: it
 * would be over the limit, or there is no disk space; nothing was stored.
 */
int	 journal_append(struct journal *, const struct journal_entry *, size_t n, struct err *) MUST_CHECK;

/*
 * Walks the entries with a sequence > after, in order, until fn answers non-zero.  An entry whose
 * bytes were changed is handed to fn with payload.p == NULL.  ERR_INVALID: whole pages cannot be read; entries up to there
 * were handed out, and store_mend() is due.  Slices die with the call.
 */
typedef int (*journal_fn)(void *arg, const struct journal_entry *);
int	 journal_read(struct journal *, uint64_t after, journal_fn, void *arg, struct err *) MUST_CHECK;

/* Drops at most `most` entries up to seq; *more_r: there are more of them. */
int	 journal_trim(struct journal *, uint64_t seq, size_t most, bool *more_r, struct err *) MUST_CHECK;

#endif
