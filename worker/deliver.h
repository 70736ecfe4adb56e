#ifndef EDS_DELIVER_H
#define EDS_DELIVER_H

#include "worker/host.h"

/* The driver thread's whole life: load, open, deliver, close.  Ends with worker_finish(). */
struct deliver_args {
	struct worker	*worker;
	struct host	*host;
};
void	*deliver_main(void *deliver_args);

#endif
