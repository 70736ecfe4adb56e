#ifndef EDS_OBJECT_NAME_H
#define EDS_OBJECT_NAME_H

#include "ipc/base/buf.h"
#include "ipc/event.h"

/* The parts that the names of files and of S3 objects are made of (contract/drivers.md sections 2 and 5). */

/*
 * A table or key as one element of a path.  It stays byte for byte what it is, except for
 * /, control characters, DEL, NUL, and % in front of two hexadecimal digits, which become %XX:
 * so that no key leaves its table and no two keys share a name.
 */
void	 object_name_element(struct buf *, struct slice);

int64_t	 object_name_seconds(const struct event *);	/* floor(timestamp / 1000) */

/* The digits of the event's mvccTimestamp or, when it has none, the hash of its id. */
void	 object_name_mvcc(struct buf *, const struct event *);

/* An absolute path without //, . and .. (as Go's path.Clean), "/" at least. */
void	 object_name_clean_path(struct buf *, struct slice path);

#endif
