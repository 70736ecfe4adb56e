#ifndef EDS_TRACKER_H
#define EDS_TRACKER_H

#include "ipc/base/err.h"
#include "ipc/base/slice.h"

/*
 * The Go server's eds-data.db (contract/encoding.md section 9): what of it a server that
 * takes over has to know, the times of the last import and the versions of the tables
 * (contract/cli.md section 4.3).  The file is only read.
 */
struct tracker_entry {
	char	*key, *value;
};

struct tracker {
	struct tracker_entry	*v;
	size_t			 n, capacity;
};

/*
 * Its commands, in order; what has expired by `now_s` is left out, and so is an unfinished last command.
 * `written_s` is when the file was last changed.  ERR_INVALID names the byte where it is no such file.
 */
int	 tracker_parse(struct tracker *, struct slice text, int64_t now_s, int64_t written_s, struct err *) MUST_CHECK;

/* ERR_NOTFOUND: there is none. */
int	 tracker_load(struct tracker *, const char *path, struct err *) MUST_CHECK;
void	 tracker_free(struct tracker *);

const char *tracker_get(const struct tracker *, const char *key);	/* NULL when it is not there */

#endif
