#ifndef EDS_EDSCTL_TEXT_H
#define EDS_EDSCTL_TEXT_H

#include <jansson.h>

#include "ipc/base/buf.h"

/*
 * Answers of the server as text for people.  No line gets wider than `width` columns; nothing of what
 * the server says can steer the terminal.  Members that are missing show as nothing.
 */
struct text_style {
	unsigned	 width;		/* columns, at least TEXT_WIDTH_MIN */
	bool		 colour;
	int64_t		 now_ms;	/* epoch; "3m 20s ago" counts from here */
};
#define TEXT_WIDTH_MIN	40u

/* whole answers */
void	 text_status(struct buf *, const json_t *status, const struct text_style *);	/* edsctl_status.c */
void	 text_why(struct buf *, const json_t *answer, const struct text_style *);
void	 text_answer(struct buf *, const json_t *answer, const struct text_style *);	/* of every other verb */

void	 text_raw(struct buf *, const json_t *answer);		/* its `lines` as they are, for files and pipes */

/* How far an import is: "loading, 4 of 12 files, 81,000 rows, 9,000/s, about 18s left". */
struct text_import {
	const char	*phase;
	uint64_t	 tables, tables_exported, files, files_done, rows, rejected, skipped;
	double		 rows_per_s;
	int64_t		 left_ms;		/* -1: not known */
};
void	 text_import(struct buf *, const struct text_import *);
struct text_import text_import_of(const json_t *import);	/* a destination's `import`; its texts live as long */

/* pieces */
enum text_colour { TEXT_PLAIN, TEXT_BOLD, TEXT_RED, TEXT_GREEN, TEXT_YELLOW };
void	 text_colour(struct buf *, const struct text_style *, enum text_colour);	/* TEXT_PLAIN ends a colour */
void	 text_count(struct buf *, double n);			/* 12,345; from ten millions 12.3M */
void	 text_bytes(struct buf *, double bytes);		/* 8.6 MiB                         */
void	 text_rate(struct buf *, double per_second);		/* 0.2/s, 1,234/s, 12.3k/s         */
void	 text_ago(struct buf *, int64_t epoch_ms, int64_t now_ms);	/* 3m 20s ago; 0: never    */
unsigned text_columns(struct slice);				/* what it takes on the screen     */

/*
 * Adds a paragraph: lines break at blanks, and a word that fits no line breaks behind its punctuation
 * (subjects, URLs, paths).  Later lines start with `indent` blanks.  `column` is where the first line has got to.  Ends with a line feed.  Control characters become blanks.
 */
void	 text_wrap(struct buf *, struct slice paragraph, unsigned column, unsigned indent, unsigned width);

/* How wide to write on that descriptor: $COLUMNS, else what the terminal says, else 80; at least TEXT_WIDTH_MIN. */
unsigned text_width(int fd);

#endif
