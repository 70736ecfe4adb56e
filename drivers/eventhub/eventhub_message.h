#ifndef EDS_DRIVERS_EVENTHUB_MESSAGE_H
#define EDS_DRIVERS_EVENTHUB_MESSAGE_H

#include "ipc/event.h"

/*
 * What goes with an event to Event Hubs (contract/drivers.md section 4).  Company and location are those
 * of the row, unlike Kafka's, and objectId ends with the primary key: consumers rely on both.
 */
void	 eventhub_partition_key(const struct event *, struct buf *);
void	 eventhub_object_id(const struct event *, struct buf *);

/* The service's own hash of a partition key, and the partition it makes of that. */
int16_t	 eventhub_hash(struct slice partition_key);
int32_t	 eventhub_partition(uint32_t hash, int32_t count);	/* the hash in the low 16 bits */

#endif
