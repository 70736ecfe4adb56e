#ifndef EDS_FAULT_PRIVATE_H
#define EDS_FAULT_PRIVATE_H

#include <sys/types.h>

#include "drivers/driver.h"

/* What fault.c and fault_import.c share. */

enum call { CALL_DELIVER, CALL_OPEN, CALL_TEST, CALL_BEGIN, CALL_ROWS, CALL_COMMIT, CALL_END, CALLS };

struct drv {
	char		*commands;	/* path */
	char		*store_path;
	int		 store;		/* -1: nothing is kept */
	off_t		 stored;	/* its length after the last whole batch */
	struct buf	 lines;
	const struct log *idle_log;	/* NULL: silent when idle */
	/* import */
	char		*job;
	int		 staged;	/* -1: none */
	off_t		 safe;		/* so much of it is committed */
	bool		 keep, live;
};

/* What the command file says about this call; `batch` NULL where there is none. */
enum drv_result fault_obey(struct drv *, enum call, const struct drv_batch *, struct drv_outcome *, struct err *);

/* Appends the batch, a line for each event. */
bool	 fault_write(struct drv *, int fd, const struct drv_batch *, struct err *);

enum drv_result fault_import_begin(struct drv *, const struct drv_import *, struct err *);
enum drv_result fault_import_rows(struct drv *, size_t table, const struct drv_batch *, struct drv_outcome *);
enum drv_result fault_import_commit(struct drv *, struct err *);
enum drv_result fault_import_end(struct drv *, struct err *);
void	 fault_import_abort(struct drv *);

#endif
