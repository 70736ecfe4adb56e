#ifndef EDS_RULES_DOCUMENT_H
#define EDS_RULES_DOCUMENT_H

#include "ipc/event.h"
#include "worker/rules/dom.h"

/* The event as rules see it: the envelope without `imported`.  It lasts as long as the event and the arena.  -1: no memory. */
int	 document_make(struct dom_maker *, const struct event *, struct dom *out_r) MUST_CHECK;

#endif
