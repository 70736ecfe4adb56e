/*
 * From the URL to the library's properties.  What is asked for and cannot be is said here,
 * before anything is connected; what nobody asked for is as it was before TLS and passwords
 * were known here.
 */

#include <stdlib.h>

#include "drivers/kafka/kafka_url.h"

#define PORT		"9092"
#define TOPIC_MOST	249

/* A broker's message limit by default, less what Kafka puts around a message. */
#define MESSAGE_MOST	"1048000"

/*
 * Where a message is sent at once, it waits for no other; what comes while a request is under way goes
 * together into the next one.  The library never gives a message up (message.timeout.ms).
 */
static const char *const defaults[][2] = {
	{ "client.id", "eds" },
	{ "acks", "all" },
	{ "enable.idempotence", "true" },
	{ "message.timeout.ms", "0" },
	{ "linger.ms", "1" },
	{ "socket.nagle.disable", "true" },
	{ "socket.keepalive.enable", "true" },
	{ "reconnect.backoff.max.ms", "2000" },
	{ "topic.metadata.refresh.interval.ms", "60000" },
	{ "message.max.bytes", MESSAGE_MOST },
};

/* Parameters that are one property each. */
static const char *const named[][2] = {
	{ "ca", "ssl.ca.location" },
	{ "cert", "ssl.certificate.location" },
	{ "key", "ssl.key.location" },
	{ "key-password", "ssl.key.password" },
	{ "compression", "compression.codec" },
	{ "message-max", "message.max.bytes" },
};

static const char *const parameters[] = { "tls", "ca", "cert", "key", "key-password", "sasl", "token-file", "compression",
	"message-max", NULL };

/* The brokers' part is a list, which no URL has; `plain` is the URL with one name instead. */
struct parts {
	struct slice	 brokers;
	struct buf	 plain;
};

static int
cut_brokers(const char *text, struct parts *parts, struct err *err)
{
	const char	*start = strstr(text, "://"), *end, *at;

	if (start == NULL)
		return err_set(err, ERR_CONFIG, "expected a URL such as kafka://broker:" PORT "/topic");
	start += 3;
	end = start + strcspn(start, "/?#");
	if ((at = memrchr(start, '@', (size_t)(end - start))) != NULL)
		start = at + 1;
	parts->brokers = (struct slice){ start, (size_t)(end - start) };
	buf_add(&parts->plain, text, (size_t)(start - text));
	buf_adds(&parts->plain, "brokers");
	buf_adds(&parts->plain, end);
	return parts->plain.oom ? err_set(err, ERR_NOMEM, "no memory for the URL") : 0;
}

static bool
only(struct slice s, const char *allowed)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr(allowed, s.p[i]) == NULL)
			return false;
	return s.n > 0;
}

#define LETTERS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"

/* host, host:port, [address]:port */
static bool
add_broker(struct buf *list, struct slice broker)
{
	struct slice	 host = broker, port = SLICE(PORT);
	const char	*bracket = NULL, *colon;
	uint64_t	 number;

	if (broker.n > 0 && broker.p[0] == '[') {
		if ((bracket = memchr(broker.p, ']', broker.n)) == NULL)
			return false;
		host.n = (size_t)(bracket - broker.p) + 1;
		if (!only((struct slice){ broker.p + 1, host.n - 2 }, DIGITS "abcdefABCDEF:."))
			return false;
		colon = host.n < broker.n ? broker.p + host.n : NULL;
	} else {
		if ((colon = memchr(broker.p, ':', broker.n)) != NULL)
			host.n = (size_t)(colon - broker.p);
		if (!only(host, LETTERS DIGITS "-._"))
			return false;
	}
	if (colon != NULL) {
		if (*colon != ':')
			return false;
		port = (struct slice){ colon + 1, broker.n - host.n - 1 };
	}
	if (!slice_u64(port, &number) || number == 0 || number > 65535)
		return false;
	if (list->len > 0)
		buf_addc(list, ',');
	buf_adds_slice(list, host);
	buf_addc(list, ':');
	buf_adds_slice(list, port);
	return true;
}

static int
set_brokers(struct kafka_url *k, struct slice brokers, struct err *err)
{
	struct buf	 list = { 0 };
	struct slice	 one;
	int		 rc = 0;

	if (brokers.n == 0)
		return err_set(err, ERR_CONFIG, "a broker is required in the URL, such as kafka://broker:" PORT "/topic");
	while (rc == 0 && slice_cut(&brokers, ',', &one))
		if (!add_broker(&list, one))
			rc = err_set(err, ERR_CONFIG, "a broker in the URL is not of the form host or host:port; "
			    "several are separated by commas");
	if (rc == 0)
		rc = list.oom ? err_set(err, ERR_NOMEM, "no memory for the URL") :
		    props_set(&k->props, "bootstrap.servers", buf_cstr(&list), err);
	buf_free(&list);
	return rc;
}

static int
set_topic(struct kafka_url *k, const char *path, struct err *err)
{
	struct slice	 topic = slice_of(path);

	if (topic.n < 2)
		return err_set(err, ERR_CONFIG, "kafka url requires a path which is the topic");
	topic.p++;
	topic.n--;
	if (!only(topic, LETTERS DIGITS "._-") || topic.n > TOPIC_MOST || slice_is(topic, ".") || slice_is(topic, ".."))
		return err_set(err, ERR_CONFIG, "a topic of that name cannot exist: Kafka takes letters, digits, '.', '_' and '-', "
		    "%d at most", TOPIC_MOST);
	if ((k->topic = slice_dup(topic)) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the URL");
	return 0;
}

/* 1: yes, 0: no, -1: not said, -2: neither. */
static int
flag(const struct url *u, const char *name)
{
	char	*text = url_query_get(u, name);
	int	 value = -1;

	if (text != NULL) {
		value = -2;
		if (strcmp(text, "1") == 0 || strcmp(text, "true") == 0 || strcmp(text, "yes") == 0)
			value = 1;
		if (strcmp(text, "0") == 0 || strcmp(text, "false") == 0 || strcmp(text, "no") == 0)
			value = 0;
	}
	free(text);
	return value;
}

/* The library's name of a mechanism; NULL when there is none of that name. */
static const char *
mechanism(const char *name)
{
	static const char *const known[][2] = { { "plain", "PLAIN" }, { "scram-sha-256", "SCRAM-SHA-256" },
		{ "scram-sha-512", "SCRAM-SHA-512" }, { "oauthbearer", "OAUTHBEARER" } };

	for (size_t i = 0; i < NELEM(known); i++)
		if (strcasecmp(name, known[i][0]) == 0)
			return known[i][1];
	return NULL;
}

static int
set_sasl(struct kafka_url *k, const struct url *u, const char *sasl, struct err *err)
{
	const char	*name = mechanism(sasl);

	if (name == NULL)
		return err_set(err, ERR_CONFIG, "sasl in the URL must be plain, scram-sha-256, scram-sha-512 or oauthbearer");
	if (props_set(&k->props, "sasl.mechanism", name, err) == -1)
		return -1;
	k->token_file = url_query_get(u, "token-file");
	if (strcmp(name, "OAUTHBEARER") == 0)
		return 0;
	if (k->token_file != NULL)
		return err_set(err, ERR_CONFIG, "token-file in the URL goes with sasl=oauthbearer only");
	if (u->user == NULL || u->user[0] == '\0' || u->password == NULL)
		return err_set(err, ERR_CONFIG, "sasl=%s needs user:password@ in front of the broker in the URL", sasl);
	if (props_set(&k->props, "sasl.username", u->user, err) == -1)
		return -1;
	return props_set(&k->props, "sasl.password", u->password, err);
}

/* Who is asked for a password or a token is asked whether it may travel unencrypted: there is no default for that. */
static int
set_security(struct kafka_url *k, const struct url *u, struct err *err)
{
	static const char *const protocols[2][2] = { { "plaintext", "ssl" }, { "sasl_plaintext", "sasl_ssl" } };
	char	*sasl = url_query_get(u, "sasl"), *ca = url_query_get(u, "ca");
	bool	 secret = sasl != NULL || u->user != NULL;
	int	 tls = flag(u, "tls"), rc = -1;

	if (tls == -1 && ca != NULL)
		tls = 1;
	if (tls == -2)
		(void)err_set(err, ERR_CONFIG, "tls in the URL must be 1 or 0");
	else if (tls == 0 && ca != NULL)
		(void)err_set(err, ERR_CONFIG, "ca in the URL goes with tls=1");
	else if (tls == -1 && secret)
		(void)err_set(err, ERR_CONFIG, "the URL has credentials: add tls=1, or tls=0 to send them without encryption");
	else if (props_set(&k->props, "security.protocol", protocols[secret][tls == 1], err) == 0 &&
	    (!secret || set_sasl(k, u, sasl == NULL ? "plain" : sasl, err) == 0))
		rc = 0;
	free(sasl);
	free(ca);
	return rc;
}

static int
set_named(struct kafka_url *k, const struct url *u, struct err *err)
{
	for (size_t i = 0; i < NELEM(named); i++) {
		char	*value = url_query_get(u, named[i][0]);
		int	 rc = value == NULL ? 0 : props_set(&k->props, named[i][1], value, err);

		free_wiped(value);
		if (rc == -1)
			return -1;
	}
	return 0;
}

static int
set_defaults(struct kafka_url *k, struct err *err)
{
	for (size_t i = 0; i < NELEM(defaults); i++)
		if (props_set(&k->props, defaults[i][0], defaults[i][1], err) == -1)
			return -1;
	return 0;
}

int
kafka_url_parse(struct kafka_url *k, const char *text, struct err *err)
{
	struct parts	 parts = { .plain = { 0 } };
	struct url	 u = { 0 };
	int		 rc = -1;

	*k = (struct kafka_url){ .topic = NULL };
	if (cut_brokers(text, &parts, err) == -1 || url_parse(&u, buf_slice(&parts.plain), err) == -1)
		goto out;
	if (set_topic(k, u.path, err) == -1 || props_query_known(u.query, parameters, err) == -1 ||
	    set_brokers(k, parts.brokers, err) == -1 || set_defaults(k, err) == -1 ||
	    set_security(k, &u, err) == -1 || set_named(k, &u, err) == -1 ||
	    props_from_query(&k->props, u.query, err) == -1)
		goto out;
	rc = props_check(&k->props, err);
out:
	if (rc == -1)
		kafka_url_free(k);
	buf_free_wiped(&parts.plain);
	url_free(&u);
	return rc;
}

void
kafka_url_free(struct kafka_url *k)
{
	free(k->topic);
	free(k->token_file);
	props_free(&k->props);
	*k = (struct kafka_url){ .topic = NULL };
}
