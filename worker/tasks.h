#ifndef EDS_TASKS_H
#define EDS_TASKS_H

#include "drivers/driver.h"
#include "ipc/codec.h"

/*
 * What an import's worker is told to do, oldest first.  The main thread adds, the
 * driver thread takes, both under worker->lock.  `{ 0 }` is an empty list.
 */
struct task {
	enum ipc_type		 what;		/* IPC_IMPORT, IPC_IMPORT_FILE, IPC_IMPORT_END or IPC_IMPORT_ABORT */
	struct drv_import	 import;	/* its texts lie in `texts` */
	char			**texts;	/* NULL-ended */
	/* IPC_IMPORT_FILE */
	uint64_t		 file, table;
	char			*name, *mvcc_timestamp;
	int64_t			 timestamp_ms;
	int			 fd;
};

#define TASKS_MAX	4u	/* two files, and the end or an abort behind them */

struct tasks {
	struct task	 v[TASKS_MAX];
	size_t		 n;
};

/* Takes `fd` over (-1: none); ERR_INVALID: more than a supervisor may ask for, or nonsense. */
int	 tasks_add(struct tasks *, enum ipc_type, const union ipc_body *, int fd, struct err *) MUST_CHECK;
bool	 tasks_take(struct tasks *, struct task *out);	/* the caller frees it; false: there is none */
bool	 tasks_abort_wanted(const struct tasks *);
void	 task_free(struct task *);
void	 tasks_free(struct tasks *);

#endif
