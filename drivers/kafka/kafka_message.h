#ifndef EDS_DRIVERS_KAFKA_MESSAGE_H
#define EDS_DRIVERS_KAFKA_MESSAGE_H

#include "drivers/rdkafka/producer.h"

/*
 * The message of an event (contract/drivers.md section 3): key, one header, value.  Consumers
 * have relied on every byte of it, and on the partition, since before this program.
 */
void	 kafka_render(const struct event *, struct buf *scratch, struct producer_message *);

/* 0 to count - 1. */
int32_t	 kafka_partition(uint32_t hash, int32_t count);

#endif
