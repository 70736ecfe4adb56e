#ifndef EDS_SETTINGS_H
#define EDS_SETTINGS_H

#include "worker/skip.h"

/* What CONFIGURE said, in memory of our own.  Does not change afterwards. */
struct settings {
	char				*destination;
	char				*url;		/* secret */
	char				*update_strategy;
	char				*session;
	char				*data_dir;
	struct skip			 skip;
	char				*rules;		/* "": none */
	char				*form;		/* IPC_MODE_FORM, secret; else "" */
	struct ipc_configure_body	 limits;	/* numbers only: its texts are cleared */
};

/*
 * -1 with ERR_INVALID: a value that makes no sense (a queue of 0 events, an odd list of table
 * versions), with ERR_NOMEM: memory is short.  `*s` is to be freed in every case.
 */
int	 settings_make(struct settings *, const struct ipc_configure_body *, struct err *) MUST_CHECK;
void	 settings_free(struct settings *);	/* wipes the secrets */

#endif
