#ifndef EDS_AUDIT_H
#define EDS_AUDIT_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * Who told this server to do what: <data-dir>/audit.log, one JSON object per line,
 * only ever added to, each line on disk before the command takes effect; what is refused then, or how it ends,
 * has a line of its own:
 *
 *	{"at":1720000000000,"from":"hq","who":"4641...","command":"configure","details":"postgres://e**@h/sh**","outcome":"..."}
 *
 * Secrets are masked by whoever hands the details in.  At AUDIT_ROTATE_BYTES the file becomes
 * audit.log.1, in place of an earlier one.
 */
struct audit;

#define AUDIT_ROTATE_BYTES	(4u << 20)

int	 audit_open(struct audit **, const char *data_dir, struct err *) MUST_CHECK;
void	 audit_close(struct audit **);

struct audit_entry {
	const char	*from;		/* "hq", "local"                              */
	const char	*who;		/* session id, or "uid 0"                     */
	const char	*command;
	const char	*details;	/* may be ""                                  */
	const char	*outcome;	/* "accepted", "refused: why", "failed: why"  */
};

/* A line that cannot be written is an error of the disk; the caller goes on and says so. */
int	 audit_add(struct audit *, const struct audit_entry *, struct err *) MUST_CHECK;

/* The last `n` entries as a JSON array, the oldest first. */
int	 audit_tail(struct audit *, size_t n, struct buf *json, struct err *) MUST_CHECK;

#endif
