#ifndef EDS_HOST_H
#define EDS_HOST_H

#include "drivers/driver.h"
#include "worker/worker.h"

/* What the worker offers to its driver (struct drv_host), and what it remembers for it. */
struct host;

/* Starts with the table versions of CONFIGURE; those texts are copied.  NULL when memory is short. */
struct host *host_new(struct worker *, struct ipc_strs table_versions) MUST_CHECK;
void	 host_free(struct host **);
const struct drv_host *host_callbacks(const struct host *);

/* Main thread: a SCHEMA message came.  An answer that nobody waits for is dropped.  -1 when memory is short. */
int	 host_answer(struct worker *, const struct ipc_schema_body *, struct err *) MUST_CHECK;

#endif
