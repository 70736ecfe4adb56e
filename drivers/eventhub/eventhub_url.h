#ifndef EDS_DRIVERS_EVENTHUB_URL_H
#define EDS_DRIVERS_EVENTHUB_URL_H

#include "drivers/rdkafka/props.h"

/*
 * A connection string as a URL (contract/eventhub.md section 1): the portal's text with what stands before :// replaced
 * by eventhub, and options behind a question mark, see eds.conf(5).  The key is not percent-encoded.
 */
struct eventhub_url {
	char		*host;			/* of the namespace, without port                       */
	char		*key_name, *key;	/* NULL when there is a signature instead              */
	char		*signature;
	char		*hub;
	char		*connection;		/* the connection string as the Kafka endpoint wants it */
	char		*endpoint;		/* host:port to connect to                              */
	char		*ca;			/* NULL: the system's                                   */
	bool		 emulator;		/* no TLS                                               */
	bool		 https;			/* transport=https                                      */
	bool		 single;		/* batch=0: each event in a request of its own         */
	uint64_t	 connections;		/* of HTTPS                                             */
	uint64_t	 message_max;
	struct props	 props;			/* of Kafka's protocol                                   */
};

/* ERR_CONFIG with what was expected; quotes nothing of the URL.  On failure there is nothing to free. */
int	 eventhub_url_parse(struct eventhub_url *, const char *url, struct err *) MUST_CHECK;
void	 eventhub_url_free(struct eventhub_url *);

#endif
