#ifndef EDS_S3_KEY_H
#define EDS_S3_KEY_H

#include "ipc/base/buf.h"
#include "ipc/event.h"

/*
 * Keys of the objects, contract/drivers.md section 5:
 *
 *	<prefix><table>/<floor(timestamp / 1000)>-<primary key>.json
 *
 * where tables and keys are written as object_name_element() does it, and a table that is
 * named . or .. has its first dot as %2E.
 *
 * Two changes of one row within a second have the same key, and the later one stays.  With
 * `unique` the name is <seconds>-<primary key>~<mvcc>~<event id>.json: an id belongs to
 * one event, and with its ~ written %7E it can be told from what precedes it, so no two events share a key.
 *
 * A rule of the schema validator may have made a path (worker/rules/template.h) of what stands in the event.  Then the key is
 * <prefix><path>: two events with the same path have the same key, whatever rows they are about, and the later one stays.
 *
 * A roll, an object of many lines, is named after its first event:
 *
 *	<prefix><table>/date=<YYYY-MM-DD>/<stream sequence, 20 digits>-<timestamp>.ndjson[.gz]
 *
 * (with the timestamp, because the sequences of a stream that is made anew begin anew)
 */
#define S3_KEY_MOST	1024		/* bytes, of every service */

void	 s3_key_event(struct buf *, struct slice prefix, const struct event *, bool unique);
void	 s3_key_path(struct buf *, struct slice prefix, struct slice path);
void	 s3_key_roll(struct buf *, struct slice prefix, const struct event *first, uint64_t seq, bool gzip);
void	 s3_key_import(struct buf *, struct slice prefix, const struct event *first, struct slice job, bool gzip);

/* A prefix as the elements that count: without empty ones and ".", with ".." resolved, "/" at the end; "" when none is left. */
void	 s3_key_prefix(struct buf *, struct slice path);

#endif
