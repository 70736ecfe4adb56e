#ifndef EDS_DRIVERS_EVENTHUB_SAS_H
#define EDS_DRIVERS_EVENTHUB_SAS_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * A shared access signature for a resource, which is given percent-encoded, valid until that second
 * (contract/eventhub.md section 7).  The key is text: it looks like base64 and is not decoded.
 */
int	 eventhub_sas(struct buf *, struct slice resource, const char *key_name, const char *key, int64_t expires,
    struct err *) MUST_CHECK;

#endif
