#ifndef EDS_FORM_H
#define EDS_FORM_H

#include "worker/life.h"

/* The driver thread's task in IPC_MODE_FORM: a form that HQ sent becomes a URL.  Says FORMED and ends. */
void	*form_main(void *life_args);

#endif
