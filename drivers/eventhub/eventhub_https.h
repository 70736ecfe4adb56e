#ifndef EDS_DRIVERS_EVENTHUB_HTTPS_H
#define EDS_DRIVERS_EVENTHUB_HTTPS_H

#include "drivers/driver.h"
#include "drivers/eventhub/eventhub_url.h"

/* Events by HTTPS, for namespaces or networks without the Kafka endpoint.  The URL lives as long as this. */
struct eventhub_https;

enum drv_result	 eventhub_https_open(struct eventhub_https **, const struct eventhub_url *, const struct drv_env *,
    struct err *);
enum drv_result	 eventhub_https_deliver(struct eventhub_https *, const struct drv_batch *, struct drv_outcome *);
void		 eventhub_https_close(struct eventhub_https **);

#endif
