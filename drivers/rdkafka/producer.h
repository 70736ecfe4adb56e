#ifndef EDS_DRIVERS_RDKAFKA_PRODUCER_H
#define EDS_DRIVERS_RDKAFKA_PRODUCER_H

#include "drivers/rdkafka/client.h"

/*
 * Batches to one topic, for every driver that speaks Kafka's protocol.  A batch is stored
 * when the last of its delivery reports has come; until then it is the worker's, and stays
 * with the library across DRV_RETRY, so that waiting neither doubles nor reorders anything.
 */
#define PRODUCER_HEADERS	4

struct producer_message {
	struct slice	 key, value;
	struct {
		const char	*name;
		struct slice	 value;
	}		 headers[PRODUCER_HEADERS];
	size_t		 n_headers;
	uint32_t	 hash;			/* what the partition is made from */
};

/*
 * Two texts of the event and, as the message's value, its stored form, one behind the other in `scratch`.
 * False, with nothing set: memory is short, which `scratch` remembers.
 */
typedef void (*producer_text_fn)(const struct event *, struct buf *);
bool		 producer_texts(const struct event *, struct buf *scratch, producer_text_fn first, producer_text_fn second,
    struct slice *first_r, struct slice *second_r, struct slice *value_r) MUST_CHECK;

struct producer_rules {
	struct client_rules	 client;

	/* Texts go into `scratch`, which is empty and may be used as long as the message is. */
	void			(*render)(const struct event *, struct buf *scratch, struct producer_message *);
};

struct producer;

/* Connects and asks for the topic.  The properties are copied; `*rules` lives as long as the producer does. */
enum drv_result	 producer_open(struct producer **, const struct producer_rules *, const struct props *, const char *topic,
    const struct drv_env *, struct err *);

/*
 * The driver's test(): the same question, but the brokers are told not to make the topic for it.  One that does not
 * exist is fine where they will make it when it is written to.
 */
enum drv_result	 producer_test(const struct producer_rules *, const struct props *, const char *topic, const struct drv_env *,
    struct err *);

enum drv_result	 producer_deliver(struct producer *, const struct drv_batch *, struct drv_outcome *);

/* Copes with NULL; what was not confirmed is forgotten. */
void		 producer_close(struct producer **);

#endif
