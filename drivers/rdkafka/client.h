#ifndef EDS_DRIVERS_RDKAFKA_CLIENT_H
#define EDS_DRIVERS_RDKAFKA_CLIENT_H

#include "drivers/driver.h"
#include "drivers/rdkafka/props.h"

/*
 * A librdkafka producer for one topic, and what the library has complained of.  Everything
 * the library has to say is taken in client_poll(), in the caller's thread.
 */
enum client_fault {
	CLIENT_FINE,
	CLIENT_AWAY,		/* cannot be reached, or the connection broke      */
	CLIENT_AUTH,		/* the brokers refuse user or password             */
	CLIENT_TLS,		/* the certificate is not trusted                  */
};

/* What the drivers on top differ in. */
struct client_rules {
	const char	*topic_word;		/* "topic", "event hub"                            */
	const char	*credentials;		/* what to look at when they are refused           */
	const char	*absent_remedy;		/* what to do about a topic that does not exist     */
	const char	*write_remedy;		/* what to do about a right that is missing         */

	/* 0 to count - 1; pure, for it is called in any of the library's threads. */
	int32_t		(*partition)(uint32_t hash, int32_t count);

	/* A fresh token for OAUTHBEARER; NULL when the library needs none of ours. */
	int		(*token)(void *arg, char **token_r, int64_t *expires_ms_r, struct err *);
	void		*token_arg;
};

struct client {
	rd_kafka_t			*rk;
	rd_kafka_topic_t		*rkt;
	const struct client_rules	*rules;
	const struct log		*log;
	char				 topic[250];
	enum client_fault		 fault;
	char				 said[400];	/* the library's last complaint; "" when all is well */
	bool				 fatal;		/* only a new client goes on */
	bool				 all_down;	/* every address was tried, and none answered */
};

/* One delivery report; `entry` is what was given as the message's opaque. */
typedef void (*client_report_fn)(void *arg, const rd_kafka_message_t *);

/*
 * The opaque of every message is its struct offer_entry, whose hash decides the partition.
 * DRV_CONFIG when the library refuses the properties.
 */
enum drv_result	 client_open(struct client *, const struct client_rules *, const struct props *, const char *topic,
    const struct log *, client_report_fn, void *arg, struct err *);

/* Serves reports, complaints and the library's log for up to that long, or until there was something. */
void		 client_poll(struct client *, int ms);

/*
 * Asks the brokers for the topic.  DRV_STORED: it is there and can be written to as far as metadata tells.
 * DRV_CONFIG: it does not exist or may not be used, the credentials are refused.  DRV_RETRY: nobody answers, or no leader yet.
 * In a hurry, the first answer counts, also that there is none: nothing is given time to start or to be made.
 */
enum drv_result	 client_await_topic(struct client *, const struct drv_host *, int ms, bool hurry, struct err *);

/*
 * autocreate.c: true when the brokers make a topic that somebody writes to.  False also when they do
 * not tell, for it takes the right to describe the cluster's settings.
 */
bool		 client_topics_are_made(struct client *);

/* Why nothing comes back: what the brokers say of the topic now, else the last complaint. */
void		 client_explain(struct client *, const char *prefix, struct err *);

/* What a code means by which a message was not taken, for a batch that is sent again later. */
void		 client_refusal(const struct client *, rd_kafka_resp_err_t, struct err *);

/* Everything was confirmed: complaints are old. */
void		 client_is_well(struct client *);

void		 client_close(struct client *);

#endif
