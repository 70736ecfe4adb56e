#ifndef EDS_EDSCTL_COMPLETE_H
#define EDS_EDSCTL_COMPLETE_H

#include "ipc/base/buf.h"

/* What can stand at the cursor of a command line of edsctl: see completion_answer(). */
void	 edsctl_complete(struct slice words, struct buf *out);

#endif
