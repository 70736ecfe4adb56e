#ifndef EDS_REMOTE_H
#define EDS_REMOTE_H

#include "supervisor/hq/actions.h"
#include "supervisor/hq/notice.h"
#include "supervisor/supervisor_private.h"

/*
 * What HQ asks for (contract/hq-control.md): remote.c decodes, decides by hq_allow
 * and answers what can be answered at once; remote_configure.c does what takes a worker of its own.
 */

/* The answers, on the newest connection; one that cannot be sent is said in the log. */
void	 remote_publish(struct supervisor *, enum hq_action, const char *kind, const struct buf *);	/* "status", "response" */
void	 remote_reply(struct supervisor *, enum hq_action, const char *subject, const struct buf *);
void	 remote_generic(struct supervisor *, enum hq_action, const char *kind, bool success, const char *message);

void	 remote_audit(struct supervisor *, enum hq_action, const char *details, const char *outcome);

/* remote_upgrade.c */
void	 remote_upgrade(struct supervisor *, const struct notice *, const char *reply);

/* remote_import.c */
void	 remote_import(struct supervisor *, const struct notice *, const char *reply);
void	 remote_import_refused(struct supervisor *, const char *why);

/* remote_configure.c; `reply` is copied, the notice is only looked at */
void	 remote_configure(struct supervisor *, const struct notice *, const char *reply);
void	 remote_validate(struct supervisor *, const struct notice *, const char *reply);

#endif
