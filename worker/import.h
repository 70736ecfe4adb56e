#ifndef EDS_IMPORT_H
#define EDS_IMPORT_H

#include "worker/life.h"

/* The driver thread's task in IPC_MODE_IMPORT: opens the destination and does what it is told, file by file. */
void	*import_main(void *life_args);

#endif
