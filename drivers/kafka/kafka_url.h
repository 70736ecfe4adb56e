#ifndef EDS_DRIVERS_KAFKA_URL_H
#define EDS_DRIVERS_KAFKA_URL_H

#include "drivers/rdkafka/props.h"

/* What a URL asks for: kafka://[user:password@]broker[:port][,broker[:port]...]/topic?parameters, see eds.conf(5). */
struct kafka_url {
	char		*topic;
	char		*token_file;	/* sasl=oauthbearer; NULL otherwise */
	struct props	 props;
};

/* ERR_CONFIG with what was expected; quotes nothing of the URL but names.  On failure there is nothing to free. */
int	 kafka_url_parse(struct kafka_url *, const char *url, struct err *) MUST_CHECK;
void	 kafka_url_free(struct kafka_url *);

#endif
