#ifndef EDS_DELIVER_H
#define EDS_DELIVER_H

#include "worker/life.h"

/* The driver thread's task in IPC_MODE_DELIVER: load, open, deliver, close. */
void	*deliver_main(void *life_args);

#endif
