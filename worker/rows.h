#ifndef EDS_ROWS_H
#define EDS_ROWS_H

#include "ipc/event.h"

/*
 * The rows of an export's file as INSERT events: newline-delimited JSON, gzipped
 * or not, read once from the front.  Memory is bounded by `room`, or by one row where that is
 * larger; what a file claims about itself is never believed.
 */
struct rows;

#define ROWS_ROW_MAX	((size_t)32 << 20)	/* a longer row is refused */

/* What all rows of a file have in common; the slices must outlive the rows. */
struct rows_source {
	struct slice	 name;			/* of the file */
	struct slice	 table;
	struct slice	 version;
	struct slice	 mvcc_timestamp;
	int64_t		 timestamp_ms;
};

/* `fd` is at the file's start and stays the caller's. */
int	 rows_new(struct rows **, int fd, size_t room, const struct rows_source *, struct err *) MUST_CHECK;
void	 rows_free(struct rows **);

enum rows_result {
	ROWS_ROW,		/* one more; valid as long as its text, see rows_turn() */
	ROWS_BAD,		/* this one is no row: *err says why, without its contents */
	ROWS_PAUSE,		/* what is in memory is used up: rows_turn() and go on */
	ROWS_END,		/* the file ended as it should */
	ROWS_DAMAGED,		/* it did not: *err says what is wrong */
	ROWS_NOMEM,
};

/* The next row; `*text_r` is its text in ROWS_ROW and ROWS_BAD.  `ev` must be zeroed before its first use. */
enum rows_result rows_next(struct rows *, struct event *ev, struct slice *text_r, struct err *) MUST_CHECK;

/* Memory for text: `{ 0 }`, later freed by free(p). */
struct rows_text {
	char	*p;
	size_t	 cap;
};

/*
 * Goes on in `other`, which holds nothing of interest any more, and leaves there what everything handed out
 * before lies in.  False: no memory, nothing has changed.
 */
bool	 rows_turn(struct rows *, struct rows_text *other) MUST_CHECK;

uint64_t rows_count(const struct rows *);	/* number of the last row, from 1 */
uint64_t rows_bytes(const struct rows *);	/* read of the file */

#endif
