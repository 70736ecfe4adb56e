/* librdkafka's properties: ours, the operator's, and those that nobody may change. */

#include <stdlib.h>

#include "drivers/rdkafka/props.h"

#define PREFIX	"rd."

/* Properties that are ours to decide; every name the library has for them. */
static const struct {
	const char	*name;
	const char	*why;
} refused[] = {
#define ORDER	"the order of changes rests on it"
#define LOSS	"an event that is given up after a time would be lost"
#define PLACE	"the partition is part of what EDS promises"
#define ADDRESS	"the brokers are named in the URL itself"
#define CODE	"it would load a program's code"
	{ "acks", "only an answer from all replicas counts as stored" },
	{ "request.required.acks", "only an answer from all replicas counts as stored" },
	{ "retries", LOSS },
	{ "message.send.max.retries", LOSS },
	{ "message.timeout.ms", LOSS },
	{ "delivery.timeout.ms", LOSS },
	{ "delivery.report.only.error", "without reports nothing would ever count as stored" },
	{ "enable.gapless.guarantee", ORDER },
	{ "queuing.strategy", ORDER },
	{ "max.in.flight", ORDER },
	{ "max.in.flight.requests.per.connection", ORDER },
	{ "transactional.id", "EDS writes without transactions" },
	{ "partitioner", PLACE },
	{ "sticky.partitioning.linger.ms", PLACE },
	{ "bootstrap.servers", ADDRESS },
	{ "metadata.broker.list", ADDRESS },
	{ "plugin.library.paths", CODE },
	{ "ssl.engine.location", CODE },
	{ "sasl.kerberos.kinit.cmd", CODE },
	{ "test.mock.num.brokers", "events would go to a mock instead of a broker" },
	{ "log.queue", "EDS takes the library's log over" },
	{ "enabled_events", "EDS takes the library's reports over" },
#undef ORDER
#undef LOSS
#undef PLACE
#undef ADDRESS
#undef CODE
};

static struct prop *
find(const struct props *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	return NULL;
}

const char *
props_get(const struct props *p, const char *name)
{
	const struct prop	*found = find(p, name);

	return found == NULL ? NULL : found->value;
}

static struct prop *
append(struct props *p, const char *name)
{
	struct prop	*grown = realloc(p->v, (p->n + 1) * sizeof(*grown));

	if (grown == NULL)
		return NULL;
	p->v = grown;
	p->v[p->n] = (struct prop){ .name = strdup(name) };
	return p->v[p->n].name == NULL ? NULL : &p->v[p->n++];
}

int
props_set(struct props *p, const char *name, const char *value, struct err *err)
{
	struct prop	*at = find(p, name);
	char		*copy = strdup(value);

	if (copy == NULL || (at == NULL && (at = append(p, name)) == NULL)) {
		free_wiped(copy);
		return err_set(err, ERR_NOMEM, "no memory for the settings of the Kafka library");
	}
	free_wiped(at->value);
	at->value = copy;
	return 0;
}

/* Without idempotence a retry can overtake, unless there is only one request under way. */
static int
set_idempotence(struct props *p, const char *value, struct err *err)
{
	if (strcmp(value, "true") == 0)
		return props_set(p, "enable.idempotence", value, err);
	if (strcmp(value, "false") != 0)
		return err_set(err, ERR_CONFIG, "rd.enable.idempotence in the URL must be true or false");
	if (props_set(p, "enable.idempotence", value, err) == -1)
		return -1;
	return props_set(p, "max.in.flight.requests.per.connection", "1", err);
}

static int
set_from_operator(struct props *p, const char *name, const char *value, struct err *err)
{
	for (size_t i = 0; i < NELEM(refused); i++)
		if (strcmp(name, refused[i].name) == 0)
			return err_set(err, ERR_CONFIG, "rd.%s cannot be set: %s", name, refused[i].why);
	if (strcmp(name, "enable.idempotence") == 0)
		return set_idempotence(p, value, err);
	return props_set(p, name, value, err);
}

int
props_from_query(struct props *p, const char *query, struct err *err)
{
	struct slice	 rest = slice_of(query);
	struct buf	 key = { 0 }, value = { 0 };
	const char	*name;
	int		 rc = 0;

	while (rc == 0 && url_next_pair(&rest, &key, &value)) {
		name = buf_cstr(&key);
		if (strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0)
			rc = set_from_operator(p, name + sizeof(PREFIX) - 1, buf_cstr(&value), err);
	}
	if (rc == 0 && (key.oom || value.oom))
		rc = err_set(err, ERR_NOMEM, "no memory for the URL");
	buf_free(&key);
	buf_free_wiped(&value);
	return rc;
}

static size_t
count_parameters(struct slice query)
{
	struct slice	 one;
	size_t		 n = 0;

	while (slice_cut(&query, '&', &one))
		n += one.n > 0;
	return n;
}

/* A slip in `tls` must not mean "no TLS", and neither may one that makes the parameter unreadable. */
int
props_query_known(const char *query, const char *const *names, struct err *err)
{
	struct slice	 rest = slice_of(query);
	struct buf	 key = { 0 }, value = { 0 };
	bool		 known = true;
	size_t		 n = 0;

	for (; known && url_next_pair(&rest, &key, &value); n++) {
		known = strncmp(buf_cstr(&key), PREFIX, sizeof(PREFIX) - 1) == 0;
		for (size_t i = 0; !known && names[i] != NULL; i++)
			known = slice_is(buf_slice(&key), names[i]);
	}
	buf_free_wiped(&value);
	buf_free(&key);
	if (!known)
		return err_set(err, ERR_CONFIG, "the URL has a parameter that is not known here; eds.conf(5) lists them");
	if (n < count_parameters(slice_of(query)))
		return err_set(err, ERR_CONFIG, "a parameter of the URL cannot be read: write ; as %%3B and %% as %%25 there");
	return 0;
}

/* The library's own words would quote what it does not like, and that may be a secret in the wrong place. */
int
props_apply(const struct props *p, rd_kafka_conf_t *conf, struct err *err)
{
	char	 unused[1];

	for (size_t i = 0; i < p->n; i++) {
		switch (rd_kafka_conf_set(conf, p->v[i].name, p->v[i].value, unused, sizeof(unused))) {
		case RD_KAFKA_CONF_OK:
			break;
		case RD_KAFKA_CONF_UNKNOWN:
			return err_set(err, ERR_CONFIG, "one of the URL's rd. parameters is no property that this machine's "
			    "librdkafka knows");
		case RD_KAFKA_CONF_INVALID:
			return err_set(err, ERR_CONFIG, "librdkafka does not accept the value of its property %s", p->v[i].name);
		}
	}
	return 0;
}

int
props_check(const struct props *p, struct err *err)
{
	rd_kafka_conf_t	*conf = rd_kafka_conf_new();
	int		 rc = props_apply(p, conf, err);

	rd_kafka_conf_destroy(conf);
	return rc;
}

void
props_free(struct props *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].name);
		free_wiped(p->v[i].value);
	}
	free(p->v);
	*p = (struct props){ .v = NULL };
}
