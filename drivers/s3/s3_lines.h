#ifndef EDS_S3_LINES_H
#define EDS_S3_LINES_H

#include "ipc/base/buf.h"

/* Lines into one body; gzip or as they are.  The bytes are the same each time: no time or name in the gzip header. */
struct s3_lines;

struct s3_lines	*s3_lines_new(bool gzip, struct buf *out);		/* NULL: no memory */
bool		 s3_lines_add(struct s3_lines *, struct slice text) MUST_CHECK;
bool		 s3_lines_end(struct s3_lines **) MUST_CHECK;	/* false: an addition or this failed; frees in any case */

#endif
