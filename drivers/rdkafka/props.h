#ifndef EDS_DRIVERS_RDKAFKA_PROPS_H
#define EDS_DRIVERS_RDKAFKA_PROPS_H

#include <librdkafka/rdkafka.h>

#include "ipc/base/url.h"

/*
 * The library's properties, by name.  A driver sets its own, then the operator's rd.NAME=value
 * come on top, except those on which "nothing is lost" and "order is kept" rest.
 */
struct prop {
	char	*name;
	char	*value;			/* may be a secret */
};

struct props {
	struct prop	*v;
	size_t		 n;
};

/* A later value replaces an earlier one. */
int	 props_set(struct props *, const char *name, const char *value, struct err *) MUST_CHECK;
const char *props_get(const struct props *, const char *name);		/* NULL when not set */

/* Every rd.NAME of a URL's query; ERR_CONFIG for one that is refused. */
int	 props_from_query(struct props *, const char *query, struct err *) MUST_CHECK;

/* ERR_CONFIG when the query has a parameter that is neither among the names, which NULL ends, nor an rd.NAME. */
int	 props_query_known(const char *query, const char *const *names, struct err *) MUST_CHECK;

/* Into the library's own object, which checks names and values.  The text of an error holds no secret. */
int	 props_apply(const struct props *, rd_kafka_conf_t *, struct err *) MUST_CHECK;

/* The same without a client. */
int	 props_check(const struct props *, struct err *) MUST_CHECK;

void	 props_free(struct props *);

#endif
