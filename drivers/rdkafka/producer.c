/*
 * From a batch to the topic.
 *
 * All events of a batch are handed to the library as fast as it takes them, so its pipe is
 * full; then the reports are awaited.  The library sends a message for as long as it takes and keeps
 * the order within a partition (idempotence, or one request at a time), so an outage or a
 * change of leaders needs nothing from here but patience, and a word to the operator.
 *
 * A message that is refused for good is another matter.  Those behind it in the same partition may be
 * stored already, so from there on the partition's part of the batch is sent again, in order: a consumer
 * may see a change twice, but never an older one last.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "drivers/common/offer.h"
#include "drivers/rdkafka/producer.h"
#include "ipc/base/arena.h"
#include "ipc/base/clock.h"

#define OPEN_MS		6000
#define POLL_MS		100
#define FIRST_WORD_MS	2000	/* without any report for that long: say so ...               */
#define NEXT_WORD_MS	10000	/* ... and then wait in longer turns                          */
#define STOP_MS		1000	/* so much patience when the worker is to end                 */
#define RENEWALS	3	/* new clients within one call before the worker is told      */
#define PROPS_FAILED	"the Kafka library cannot be set up again"

struct producer {
	const struct drv_env		*env;
	const struct producer_rules	*rules;
	struct props			 props;
	struct client			 client;
	struct offer			 offer;
	size_t				 pending;	/* sent, without a report */
	uint64_t			 reports;	/* ever */
	bool				 silent;	/* the last call ended without a report */
	bool				 one_by_one;	/* until the culprit is found */
	struct buf			 scratch;
	struct arena			 values;	/* of the messages under way: the library does not copy them */
};

static void
on_report(void *arg, const rd_kafka_message_t *message)
{
	struct producer		*p = arg;
	struct offer_entry	*entry = message->_private;

	p->pending--;
	p->reports++;
	entry->partition = message->partition;
	entry->error = message->err;
	entry->state = message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? OFFER_STORED : OFFER_FAILED;
	if (entry->state == OFFER_STORED)
		client_is_well(&p->client);
}

static int
copy_props(struct props *to, const struct props *from, struct err *err)
{
	for (size_t i = 0; i < from->n; i++)
		if (props_set(to, from->v[i].name, from->v[i].value, err) == -1)
			return -1;
	return 0;
}

static enum drv_result
open_client(struct producer *p, const char *topic, struct err *err)
{
	return client_open(&p->client, &p->rules->client, &p->props, topic, p->env->log, on_report, p, err);
}

enum drv_result
producer_open(struct producer **p_r, const struct producer_rules *rules, const struct props *props, const char *topic,
    const struct drv_env *env, struct err *err)
{
	struct producer	*p = calloc(1, sizeof(*p));
	enum drv_result	 rc = DRV_RETRY;

	if (p == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		return DRV_RETRY;
	}
	p->env = env;
	p->rules = rules;
	if (copy_props(&p->props, props, err) == 0 && (rc = open_client(p, topic, err)) == DRV_STORED &&
	    (rc = client_await_topic(&p->client, env->host, OPEN_MS, false, err)) == DRV_STORED) {
		*p_r = p;
		p = NULL;
	}
	producer_close(&p);
	return rc;
}

enum drv_result
producer_test(const struct producer_rules *rules, const struct props *props, const char *topic, const struct drv_env *env,
    struct err *err)
{
	static const char	 create[] = "allow.auto.create.topics";
	const char		*asked = props_get(props, create);
	struct producer		 p = { .env = env, .rules = rules };
	enum drv_result		 rc = DRV_RETRY;

	if (copy_props(&p.props, props, err) == 0 && props_set(&p.props, create, "false", err) == 0 &&
	    (rc = open_client(&p, topic, err)) == DRV_STORED)
		rc = client_await_topic(&p.client, env->host, OPEN_MS, true, err);
	if (rc == DRV_CONFIG && err->code == ERR_NOTFOUND && (asked == NULL || strcmp(asked, "false") != 0) &&
	    client_topics_are_made(&p.client))
		rc = DRV_STORED;
	client_close(&p.client);
	props_free(&p.props);
	return rc;
}

void
producer_close(struct producer **pp)
{
	struct producer	*p = *pp;

	if (p == NULL)
		return;
	client_close(&p->client);
	props_free(&p->props);
	offer_free(&p->offer);
	buf_free(&p->scratch);
	arena_free(&p->values);
	free(p);
	*pp = NULL;
}

/* A new client in place of one that is of no more use.  What has no report counts as not sent. */
static enum drv_result
renew(struct producer *p, struct err *err)
{
	char	 topic[sizeof(p->client.topic)];

	(void)memcpy(topic, p->client.topic, sizeof(topic));
	client_close(&p->client);
	for (size_t i = 0; i < p->offer.n; i++)
		if (p->offer.v[i].state == OFFER_SENT)
			p->offer.v[i].state = OFFER_NEW;
	p->pending = 0;
	if (open_client(p, topic, err) == DRV_STORED)
		return DRV_STORED;
	(void)err_prefix(err, PROPS_FAILED);
	return DRV_BROKEN;	/* a new process begins from nothing */
}

bool
producer_texts(const struct event *ev, struct buf *scratch, producer_text_fn first, producer_text_fn second,
    struct slice *first_r, struct slice *second_r, struct slice *value_r)
{
	size_t		 second_at, value_at;
	const char	*text;

	first(ev, scratch);
	second_at = scratch->len;
	second(ev, scratch);
	value_at = scratch->len;
	event_store_json(ev, scratch);
	if (scratch->oom)
		return false;
	text = (const char *)scratch->data;	/* nothing moves any more */
	*first_r = (struct slice){ text, second_at };
	*second_r = (struct slice){ text + second_at, value_at - second_at };
	*value_r = (struct slice){ text + value_at, scratch->len - value_at };
	return true;
}

/* NULL when memory is short. */
static rd_kafka_headers_t *
make_headers(const struct producer_message *m)
{
	rd_kafka_headers_t	*headers = rd_kafka_headers_new(m->n_headers);

	for (size_t i = 0; headers != NULL && i < m->n_headers; i++)
		if (rd_kafka_header_add(headers, m->headers[i].name, -1, m->headers[i].value.p,
		    (ssize_t)m->headers[i].value.n) != RD_KAFKA_RESP_ERR_NO_ERROR) {
			rd_kafka_headers_destroy(headers);
			headers = NULL;
		}
	return headers;
}

/*
 * The headers are an object of ours, which the library takes over when it takes the message.  Those that it makes
 * itself (RD_KAFKA_VTYPE_HEADER) librdkafka 2.0.2 frees twice when it refuses a message for an unknown topic.
 */
static rd_kafka_resp_err_t
produce(struct producer *p, const struct producer_message *m, struct offer_entry *entry)
{
	rd_kafka_headers_t	*headers = make_headers(m);
	const rd_kafka_vu_t	 v[] = {
		{ .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = p->client.rkt },
		{ .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { (void *)(uintptr_t)m->value.p, m->value.n } },
		{ .vtype = RD_KAFKA_VTYPE_KEY, .u.mem = { (void *)(uintptr_t)m->key.p, m->key.n } },
		{ .vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = entry },
		{ .vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers },
	};
	rd_kafka_error_t	*error;
	rd_kafka_resp_err_t	 code;

	if (headers == NULL)
		return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
	if ((error = rd_kafka_produceva(p->client.rk, v, NELEM(v))) == NULL)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	code = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	rd_kafka_headers_destroy(headers);
	return code;
}

static bool
is_stopping(const struct producer *p)
{
	const struct drv_host	*host = p->env->host;

	return host != NULL && host->stopping(host->ctx);
}

/* Serves reports until there is one; the worker is told when there is none for long. */
static enum drv_result
await_report(struct producer *p, struct err *err)
{
	uint64_t	 before = p->reports;
	mono_t		 start = mono_now(), now;
	char		 prefix[160];

	while (p->reports == before && !p->client.fatal) {
		client_poll(&p->client, POLL_MS);
		now = mono_now();
		if (is_stopping(p) && now - start >= STOP_MS) {
			(void)err_set(err, ERR_TEMPORARY, "the worker is stopping");
			return DRV_RETRY;
		}
		if (now - start >= (p->silent ? NEXT_WORD_MS : FIRST_WORD_MS) && p->reports == before) {
			p->silent = true;
			(void)snprintf(prefix, sizeof(prefix), "the brokers have not confirmed %zu of %zu events yet",
			    p->pending, p->offer.n);
			client_explain(&p->client, prefix, err);
			return DRV_RETRY;
		}
	}
	p->silent = p->silent && p->reports == before;
	return DRV_STORED;
}

static void
too_large(const struct producer *p, struct err *err)
{
	(void)err_set(err, ERR_TOOBIG, "the event is larger than the %s %s takes: raise the %s's own limit, and message-max in the URL",
	    p->rules->client.topic_word, p->client.topic, p->rules->client.topic_word);
}

/* What the library answered instead of taking a message; DRV_STORED: try again. */
static enum drv_result
not_taken(struct producer *p, rd_kafka_resp_err_t code, struct err *err)
{
	switch ((int)code) {
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		if (p->pending > 0)
			return await_report(p, err);
		(void)err_set(err, ERR_CONFIG, "the event is larger than the library's queue: raise rd.queue.buffering.max.kbytes in the URL");
		return DRV_REJECT;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		too_large(p, err);
		return DRV_REJECT;
	case RD_KAFKA_RESP_ERR__FATAL:
		p->client.fatal = true;
		return DRV_STORED;
	}
	client_refusal(&p->client, code, err);
	return DRV_RETRY;
}

static enum drv_result
send_one(struct producer *p, const struct event *ev, struct offer_entry *entry, struct err *err)
{
	struct producer_message	 m = { .n_headers = 0 };
	rd_kafka_resp_err_t	 code;
	enum drv_result		 rc = DRV_STORED;

	buf_reset(&p->scratch);
	p->rules->render(ev, &p->scratch, &m);
	m.value = arena_copy(&p->values, m.value);
	if (p->scratch.oom || p->values.oom) {
		buf_free(&p->scratch);
		(void)err_set(err, ERR_NOMEM, "no memory for an event");
		return DRV_RETRY;
	}
	entry->hash = m.hash;
	entry->state = OFFER_SENT;	/* before the library has it: the report may come at any time */
	p->pending++;
	while ((code = produce(p, &m, entry)) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		p->pending--;
		entry->state = OFFER_NEW;
		if ((rc = not_taken(p, code, err)) != DRV_STORED || p->client.fatal)
			break;
		entry->state = OFFER_SENT;
		p->pending++;
	}
	if (rc == DRV_REJECT)
		entry->state = OFFER_REFUSED;
	return rc;
}

/* Hands over what is not sent, `most` at a time; *left_r: there is more. */
static enum drv_result
send_new(struct producer *p, const struct drv_batch *batch, size_t most, bool *left_r, struct drv_outcome *out)
{
	size_t		 i = 0, sent = 0;
	enum drv_result	 rc;

	*left_r = false;
	for (size_t at = 0; at < p->offer.n; at++) {
		struct offer_entry *entry = &p->offer.v[at];

		if (entry->state == OFFER_REFUSED)
			continue;
		i++;
		if (entry->state != OFFER_NEW)
			continue;
		if (sent == most || p->client.fatal) {
			*left_r = true;
			break;
		}
		if ((rc = send_one(p, batch->v[i - 1].ev, entry, &out->err)) != DRV_STORED) {
			out->index = i - 1;
			return rc;
		}
		sent++;
	}
	return DRV_STORED;
}

/* Sends all that is not sent yet and waits for all reports, or until the client is of no more use. */
static enum drv_result
send_and_await(struct producer *p, const struct drv_batch *batch, struct drv_outcome *out)
{
	enum drv_result	 rc;
	bool		 left;

	do {
		if (p->pending == 0)
			arena_reset(&p->values);
		if ((rc = send_new(p, batch, p->one_by_one ? 1 : SIZE_MAX, &left, out)) != DRV_STORED)
			return rc;
		while (p->pending > 0 && !p->client.fatal)
			if ((rc = await_report(p, &out->err)) != DRV_STORED)
				return rc;
	} while (left && !p->client.fatal && offer_first(&p->offer, OFFER_FAILED) == NULL);
	return DRV_STORED;
}

/* From the first failure in its partition on, everything is to be sent again. */
static enum drv_result
rewind_partitions(struct producer *p, struct err *err)
{
	int32_t	 most = -1;
	bool	*failed;

	for (size_t i = 0; i < p->offer.n; i++)
		if (p->offer.v[i].partition > most)
			most = p->offer.v[i].partition;
	if ((failed = calloc((size_t)most + 2, sizeof(*failed))) == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory to send a part of the batch again");
		return DRV_RETRY;
	}
	for (size_t i = 0; i < p->offer.n; i++) {
		struct offer_entry	*entry = &p->offer.v[i];
		bool			*here = &failed[entry->partition + 1];

		*here |= entry->state == OFFER_FAILED;
		if (*here && (entry->state == OFFER_FAILED || entry->state == OFFER_STORED))
			entry->state = OFFER_NEW;
	}
	free(failed);
	return DRV_STORED;
}

/* The event itself, or one that went in the same request, is why the brokers said no. */
static bool
is_about_the_event(int code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
		return true;
	}
	return false;
}

/* All reports are in, and one says no.  DRV_STORED: go on with what is OFFER_NEW now. */
static enum drv_result
after_failure(struct producer *p, struct offer_entry *first, struct drv_outcome *out)
{
	int		 code = first->error;
	bool		 culprit = p->one_by_one && is_about_the_event(code);
	enum drv_result	 rc;

	if (culprit) {
		out->index = offer_index(&p->offer, first);
		first->state = OFFER_REFUSED;
		p->one_by_one = false;
		if (code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP)
			(void)err_set(&out->err, ERR_INVALID, "the brokers refuse the event: %s", rd_kafka_err2str((rd_kafka_resp_err_t)code));
		else
			too_large(p, &out->err);
		return DRV_REJECT;
	}
	if ((rc = rewind_partitions(p, &out->err)) != DRV_STORED)
		return rc;
	if (is_about_the_event(code)) {
		p->one_by_one = true;	/* a request holds many events: only alone one can be told to be the culprit */
		return DRV_STORED;
	}
	client_refusal(&p->client, (rd_kafka_resp_err_t)code, &out->err);
	return DRV_RETRY;
}

/* The batch may begin; what is under way of another one, which never came again, is given up. */
static enum drv_result
begin(struct producer *p, const struct drv_batch *batch, struct err *err)
{
	enum drv_result	 rc;

	if (offer_resumes(&p->offer, batch))
		return DRV_STORED;
	offer_end(&p->offer);
	if (p->pending > 0 && (rc = renew(p, err)) != DRV_STORED)
		return rc;
	p->one_by_one = false;
	return offer_begin(&p->offer, batch, err) == -1 ? DRV_RETRY : DRV_STORED;
}

static enum drv_result
after_fatal(struct producer *p, unsigned *renewals, struct err *err)
{
	enum drv_result	 rc;
	char		 why[sizeof(p->client.said)];

	(void)memcpy(why, p->client.said, sizeof(why));
	log_warn(p->env->log, "librdkafka cannot go on, a new client sends the rest of the batch again: %s", why);
	if ((rc = renew(p, err)) != DRV_STORED)
		return rc;
	if ((rc = rewind_partitions(p, err)) != DRV_STORED)
		return rc;
	if (++*renewals < RENEWALS)
		return DRV_STORED;
	(void)err_set(err, ERR_TEMPORARY, "the brokers end every attempt: %s", why);
	return DRV_RETRY;
}

enum drv_result
producer_deliver(struct producer *p, const struct drv_batch *batch, struct drv_outcome *out)
{
	struct offer_entry	*failed;
	enum drv_result		 rc;
	unsigned		 renewals = 0;

	if ((rc = begin(p, batch, &out->err)) != DRV_STORED)
		return rc;
	for (;;) {
		if ((rc = send_and_await(p, batch, out)) != DRV_STORED)
			return rc;
		if (p->client.fatal)
			rc = after_fatal(p, &renewals, &out->err);
		else if ((failed = offer_first(&p->offer, OFFER_FAILED)) != NULL)
			rc = after_failure(p, failed, out);
		else
			break;
		if (rc != DRV_STORED)
			return rc;
	}
	offer_end(&p->offer);
	return DRV_STORED;
}
