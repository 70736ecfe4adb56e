/*
 * The connection string.  It is taken apart by hand: no decoder may turn the + of a key into a
 * blank or end at its slash.
 */

#include <stdlib.h>

#include "drivers/eventhub/eventhub_url.h"

#define SCHEME		"eventhub://"
#define ENDPOINT	"Endpoint=sb://"
#define HUB_MOST	256
#define HOST_MOST	255

#define MESSAGE_MOST	1000000		/* a publication is at most 1 MB, with what goes around the event */
#define REQUEST_MOST	1046528		/* more than that, and the service closes the connection           */
#define CONNECTIONS	32
#define CONNECTIONS_MOST 256

/* As Microsoft documents them for clients of librdkafka, and what "nothing is lost" asks for. */
static const char *const defaults[][2] = {
	{ "client.id", "eds" },
	{ "sasl.mechanism", "PLAIN" },
	{ "sasl.username", "$ConnectionString" },
	{ "acks", "all" },
	{ "enable.idempotence", "true" },
	{ "message.timeout.ms", "0" },
	{ "request.timeout.ms", "60000" },
	{ "socket.timeout.ms", "70000" },
	{ "socket.keepalive.enable", "true" },
	{ "metadata.max.age.ms", "180000" },
	{ "topic.metadata.refresh.interval.ms", "180000" },
	{ "connections.max.idle.ms", "180000" },
	{ "reconnect.backoff.max.ms", "2000" },
	{ "batch.size", "900000" },
	{ "linger.ms", "20" },
	{ "compression.codec", "none" },
	{ "api.version.request", "true" },
	{ "allow.auto.create.topics", "false" },	/* a slip in EntityPath is to be said, not made a hub of */
};

static const char *const parameters[] = { "transport", "endpoint", "ca", "message-max", "batch", "connections", NULL };

static bool
is_host(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", s.p[i]) == NULL || s.p[i] == '\0')
			return false;
	return s.n > 0 && s.n <= HOST_MOST;
}

/* Letters, digits, ".-_", and "/" between them. */
static bool
is_hub(struct slice s)
{
	struct slice	 part;

	if (s.n > HUB_MOST)
		return false;
	while (slice_cut(&s, '/', &part))
		if (!is_host(part))
			return false;
	return true;
}

static bool
is_key(struct slice name, const char *want)
{
	return name.n == strlen(want) && strncasecmp(name.p, want, name.n) == 0;
}

static int
take(char **to, struct slice value, const char *name, struct err *err)
{
	if (*to != NULL)
		return err_set(err, ERR_CONFIG, "%s stands twice in the connection string", name);
	if ((*to = slice_dup(value)) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the URL");
	return 0;
}

static int
take_transport(struct eventhub_url *e, struct slice value, struct err *err)
{
	e->https = value.n == 5 && strncasecmp(value.p, "https", 5) == 0;
	if (e->https || (value.n == 5 && strncasecmp(value.p, "kafka", 5) == 0))
		return 0;
	return err_set(err, ERR_CONFIG, "transport in the URL must be kafka or https");
}

/* One key=value; what belongs to the service goes on into the string that is the password. */
static int
take_pair(struct eventhub_url *e, struct slice pair, struct buf *connection, struct err *err)
{
	struct slice	 value = pair, name;
	int		 rc;

	(void)slice_cut(&value, '=', &name);
	if (value.p == NULL)
		return err_set(err, ERR_CONFIG, "a part of the connection string has no '='");
	if (is_key(name, "Transport"))
		return take_transport(e, value, err);
	if (is_key(name, "SharedAccessKeyName"))
		rc = take(&e->key_name, value, "SharedAccessKeyName", err);
	else if (is_key(name, "SharedAccessKey"))
		rc = take(&e->key, value, "SharedAccessKey", err);
	else if (is_key(name, "SharedAccessSignature"))
		rc = take(&e->signature, value, "SharedAccessSignature", err);
	else if (is_key(name, "EntityPath"))
		rc = take(&e->hub, value, "EntityPath", err);
	else if (is_key(name, "UseDevelopmentEmulator")) {
		e->emulator = is_key(value, "true");
		rc = 0;
	} else
		return 0;		/* nobody here knows it, and the service would refuse it */
	if (rc == 0) {
		buf_addc(connection, ';');
		buf_adds_slice(connection, pair);
	}
	return rc;
}

/* namespace[:port][/];pairs */
static int
take_connection(struct eventhub_url *e, struct slice text, struct slice *port_r, struct err *err)
{
	struct buf	 connection = { 0 };
	struct slice	 where, pair, host;
	int		 rc = 0;

	(void)slice_cut(&text, ';', &where);
	if (where.n > 0 && where.p[where.n - 1] == '/')
		where.n--;
	*port_r = where;
	(void)slice_cut(port_r, ':', &host);
	if (!is_host(host))
		return err_set(err, ERR_CONFIG, "expected eventhub://NAMESPACE/;SharedAccessKeyName=...;SharedAccessKey=...;EntityPath=HUB, "
		    "which is the connection string with eventhub:// in place of Endpoint=sb://");
	if ((e->host = slice_dup(host)) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the URL");
	buf_printf(&connection, ENDPOINT SLICE_FMT "/", SLICE_ARG(where));
	while (rc == 0 && slice_cut(&text, ';', &pair))
		if (pair.n > 0)
			rc = take_pair(e, pair, &connection, err);
	if (rc == 0 && (e->connection = buf_steal(&connection)) == NULL)
		rc = err_set(err, ERR_NOMEM, "no memory for the URL");
	buf_free(&connection);
	return rc;
}

static int
check_connection(const struct eventhub_url *e, struct err *err)
{
	if (e->hub == NULL || e->hub[0] == '\0')
		return err_set(err, ERR_CONFIG, "EntityPath, the name of the event hub, is missing: take the connection string of "
		    "the hub itself, or add ;EntityPath=HUB");
	if (!is_hub(slice_of(e->hub)))
		return err_set(err, ERR_CONFIG, "EntityPath is not the name of an event hub: letters, digits, '.', '-', '_' and '/', "
		    "%d at most", HUB_MOST);
	if (e->signature != NULL && (e->key != NULL || e->key_name != NULL))
		return err_set(err, ERR_CONFIG, "the connection string has a SharedAccessSignature and a key: leave one out");
	if (e->signature == NULL && (e->key == NULL || e->key_name == NULL || e->key[0] == '\0' || e->key_name[0] == '\0'))
		return err_set(err, ERR_CONFIG, "SharedAccessKeyName and SharedAccessKey are required in the connection string");
	if (e->signature != NULL && !e->https)
		return err_set(err, ERR_CONFIG, "a SharedAccessSignature is accepted with transport=https only: "
		    "give SharedAccessKeyName and SharedAccessKey");
	if (e->emulator && e->https)
		return err_set(err, ERR_CONFIG, "the emulator takes no events by HTTPS: leave transport=https out");
	return 0;
}

static int
take_number(const struct url *u, const char *name, uint64_t least, uint64_t most, uint64_t *number, struct err *err)
{
	char	*text = url_query_get(u, name);
	int	 rc = 0;

	if (text != NULL && (!slice_u64(slice_of(text), number) || *number < least || *number > most))
		rc = err_set(err, ERR_CONFIG, "%s in the URL must be a number from %llu to %llu", name, (unsigned long long)least,
		    (unsigned long long)most);
	free(text);
	return rc;
}

/* endpoint=host[:port], else where the service is. */
static int
take_endpoint(struct eventhub_url *e, const struct url *u, struct slice port, struct err *err)
{
	char		*text = url_query_get(u, "endpoint");
	struct slice	 rest = slice_of(text), host = slice_of(e->host);
	uint64_t	 number = e->https ? 443 : e->emulator ? 9092 : 9093;
	int		 rc = 0;

	if (text != NULL) {
		(void)slice_cut(&rest, ':', &host);
		port = rest;
	} else if (!e->https && !e->emulator)
		port.p = NULL;		/* the one of a connection string is that of AMQP */
	if (!is_host(host) || (port.p != NULL && (!slice_u64(port, &number) || number == 0 || number > 65535)))
		rc = err_set(err, ERR_CONFIG, "endpoint in the URL must be of the form host or host:port");
	else if (asprintf(&e->endpoint, SLICE_FMT ":%u", SLICE_ARG(host), (unsigned)number) == -1) {
		e->endpoint = NULL;
		rc = err_set(err, ERR_NOMEM, "no memory for the URL");
	}
	free(text);
	return rc;
}

static int
take_options(struct eventhub_url *e, const struct url *u, struct slice port, struct err *err)
{
	char		*transport = url_query_get(u, "transport");
	uint64_t	 batch = 1;
	int		 rc;

	e->message_max = MESSAGE_MOST;
	e->connections = CONNECTIONS;
	rc = transport == NULL ? 0 : take_transport(e, slice_of(transport), err);
	free(transport);
	if (rc == -1 || props_query_known(u->query, parameters, err) == -1 ||
	    take_number(u, "message-max", 1024, (uint64_t)20 << 20, &e->message_max, err) == -1 ||
	    take_number(u, "connections", 1, CONNECTIONS_MOST, &e->connections, err) == -1 ||
	    take_number(u, "batch", 0, 1, &batch, err) == -1 || take_endpoint(e, u, port, err) == -1)
		return -1;
	e->single = batch == 0;
	e->ca = url_query_get(u, "ca");
	return 0;
}

static int
make_props(struct eventhub_url *e, const char *query, struct err *err)
{
	char	 most[24];

	for (size_t i = 0; i < NELEM(defaults); i++)
		if (props_set(&e->props, defaults[i][0], defaults[i][1], err) == -1)
			return -1;
	(void)snprintf(most, sizeof(most), "%llu", (unsigned long long)e->message_max);
	if (props_set(&e->props, "message.max.bytes", most, err) == -1 ||
	    props_set(&e->props, "bootstrap.servers", e->endpoint, err) == -1 ||
	    props_set(&e->props, "sasl.password", e->connection, err) == -1 ||
	    props_set(&e->props, "security.protocol", e->emulator ? "sasl_plaintext" : "sasl_ssl", err) == -1 ||
	    (e->ca != NULL && props_set(&e->props, "ssl.ca.location", e->ca, err) == -1) ||
	    props_from_query(&e->props, query, err) == -1)
		return -1;
	return props_check(&e->props, err);
}

/* What is left must have been meant for the other transport: said, not ignored. */
static int
check_transport(const struct eventhub_url *e, const struct url *u, struct err *err)
{
	static const char *const https_only[] = { "batch", "connections" };
	struct props	 none = { .v = NULL };
	int		 rc = 0;

	if (e->https) {
		if (e->message_max > REQUEST_MOST)
			return err_set(err, ERR_CONFIG, "message-max in the URL must be at most %d with transport=https", REQUEST_MOST);
		rc = props_from_query(&none, u->query, err);
		if (rc == 0 && none.n > 0)
			rc = err_set(err, ERR_CONFIG, "an rd. parameter in the URL goes with transport=kafka");
		props_free(&none);
		return rc;
	}
	for (size_t i = 0; i < NELEM(https_only) && rc == 0; i++) {
		char *value = url_query_get(u, https_only[i]);

		if (value != NULL)
			rc = err_set(err, ERR_CONFIG, "%s in the URL goes with transport=https", https_only[i]);
		free(value);
	}
	return rc;
}

int
eventhub_url_parse(struct eventhub_url *e, const char *text, struct err *err)
{
	struct slice	 rest = slice_of(text), connection, port;
	struct url	 options = { 0 };
	int		 rc = -1;

	*e = (struct eventhub_url){ .host = NULL };
	if (strncasecmp(text, SCHEME, sizeof(SCHEME) - 1) != 0)
		return err_set(err, ERR_CONFIG, "expected a URL that begins with " SCHEME);
	rest.p += sizeof(SCHEME) - 1;
	rest.n -= sizeof(SCHEME) - 1;
	if (rest.n >= sizeof(ENDPOINT) - 1 && strncasecmp(rest.p, ENDPOINT, sizeof(ENDPOINT) - 1) == 0) {
		rest.p += sizeof(ENDPOINT) - 1;	/* the whole connection string was pasted */
		rest.n -= sizeof(ENDPOINT) - 1;
	}
	(void)slice_cut(&rest, '?', &connection);
	if (rest.p != NULL && (options.query = slice_dup(rest)) == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the URL");
		goto out;
	}
	if (take_connection(e, connection, &port, err) == -1 || take_options(e, &options, port, err) == -1 ||
	    check_connection(e, err) == -1 || check_transport(e, &options, err) == -1)
		goto out;
	rc = e->https ? 0 : make_props(e, options.query, err);
out:
	if (rc == -1)
		eventhub_url_free(e);
	url_free(&options);
	return rc;
}

void
eventhub_url_free(struct eventhub_url *e)
{
	free(e->host);
	free(e->key_name);
	free_wiped(e->key);
	free_wiped(e->signature);
	free(e->hub);
	free_wiped(e->connection);
	free(e->endpoint);
	free(e->ca);
	props_free(&e->props);
	*e = (struct eventhub_url){ .host = NULL };
}
