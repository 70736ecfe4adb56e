#ifndef EDS_PROBE_H
#define EDS_PROBE_H

#include "worker/life.h"

/* The driver thread's task in IPC_MODE_TEST: would the destination take events?  Says TESTED and ends. */
void	*probe_main(void *life_args);

#endif
