#ifndef EDS_S3_CUTS_H
#define EDS_S3_CUTS_H

#include "ipc/base/err.h"
#include "ipc/base/slice.h"

/*
 * Where rolls have ended, by stream sequence: a small file in the destination's data directory, on the
 * disk before the roll is uploaded.  What it is good for stands in s3_roll.c.
 */
struct s3_cuts;

#define S3_CUTS_KEPT	1024u		/* the latest ones */

/* `folder` is created when need be; "" keeps them in memory alone. */
int	 s3_cuts_open(struct s3_cuts **, const char *folder, struct err *) MUST_CHECK;
void	 s3_cuts_close(struct s3_cuts **);

/* The first roll end that is known in [seq, most], or `most`. */
uint64_t s3_cuts_end(const struct s3_cuts *, uint64_t seq, uint64_t most);

/* Notes that a roll ends with that sequence; durable when it returns. */
int	 s3_cuts_add(struct s3_cuts *, uint64_t seq, struct err *) MUST_CHECK;

/* The numbers in a file's text, of which anything may be left after a crash; at most `cap`. */
size_t	 s3_cuts_parse(struct slice text, uint64_t *out, size_t cap);

#endif
