#ifndef EDS_DRIVERS_EVENTHUB_BODY_H
#define EDS_DRIVERS_EVENTHUB_BODY_H

#include "ipc/event.h"

/*
 * What is posted to Event Hubs (contract/eventhub.md section 7).  A batch holds events of one partition key, each with
 * its own message id and objectId, but no content type; a single event's body is the event itself, and headers say the rest.
 */
#define EVENTHUB_BATCH_TYPE	"application/vnd.microsoft.servicebus.json"

/* Appends one event to a batch, whose first one opens it; close it with ']'. */
void	 eventhub_body_add(struct buf *, const struct event *, struct slice partition_key, struct buf *scratch);

/* The header lines of a single event, without the content type; false when its id cannot stand in a header. */
bool	 eventhub_body_headers(struct buf *broker_properties, struct buf *object_id, const struct event *, struct slice partition_key);

#endif
