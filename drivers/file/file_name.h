#ifndef EDS_FILE_NAME_H
#define EDS_FILE_NAME_H

#include "ipc/base/buf.h"
#include "ipc/event.h"

/*
 * Names of the files, contract/drivers.md section 2:
 *
 *	<directory>/<table>/<floor(timestamp / 1000)>-<primary key>.json
 *
 * A name stays byte for byte what it always was unless it could leave its directory or
 * could not exist.  In tables and keys become %XX:
 *
 *	/, control characters, DEL, NUL		they would name another place, or nothing
 *	. at the start of a table		would be ., .. or a hidden directory
 *	% in front of two hexadecimal digits	so that no two keys share a name
 *
 * A name beyond 255 bytes is cut and ends in ~ and the XXH64 hash, 16
 * hexadecimal digits, of the whole encoded text.
 *
 * Two changes of one row within a second have the same name and the later one
 * stays.  With `?unique=1` the name is <seconds>-<primary key>-<mvcc>.json, where <mvcc> is
 * the digits of the event's mvccTimestamp or, when it has none, the hash of its id.
 */
#define FILE_NAME_MOST	255

void	 file_table_name(struct buf *, struct slice table);
void	 file_object_name(struct buf *, const struct event *, bool unique);

#endif
