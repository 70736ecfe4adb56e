/*
 * The library's handle.  librdkafka mends connections, leaders and requests by itself and
 * goes on for ever; what it says meanwhile is kept here, to tell people why nothing moves.
 */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/common/offer.h"
#include "drivers/rdkafka/client.h"
#include "ipc/base/clock.h"

#define ASK_MS		1000	/* one request for metadata                                  */
#define PAUSE_MS	100
#define SCRAM_MENDED	0x020601ff	/* before, a nonce was sent twice, which only older brokers overlooked */
#define ABSENT_MS	3000	/* brokers that create a topic when asked for it have done so by then */

/* What the library's threads and callbacks need; it hangs on the handle as its opaque. */
struct hook {
	struct client		*client;
	client_report_fn	 report;
	void			*arg;
};

/* Any thread. */
static int32_t
choose_partition(const rd_kafka_topic_t *rkt, const void *key, size_t n, int32_t count, void *rules, void *opaque)
{
	const struct offer_entry	*entry = opaque;
	const struct client_rules	*r = rules;

	(void)rkt;
	(void)key;
	(void)n;
	return r->partition(entry->hash, count);
}

static void
on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	const struct hook	*hook = opaque;

	(void)rk;
	hook->report(hook->arg, message);
}

/* "... refused (after 0ms in state CONNECT, 3 identical error(s) suppressed)": the library's own affairs. */
static void
cut_states(char *said)
{
	char	*at = strstr(said, " (after ");

	if (at != NULL && strstr(at, "ms in state ") != NULL)
		*at = '\0';
}

static void
on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct client	*c = ((struct hook *)opaque)->client;
	char		 fatal[300];

	c->all_down |= code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
	if (code == RD_KAFKA_RESP_ERR__FATAL) {
		c->fatal = true;
		(void)rd_kafka_fatal_error(rk, fatal, sizeof(fatal));
		reason = fatal;
	} else if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION)
		c->fault = CLIENT_AUTH;
	else if (code == RD_KAFKA_RESP_ERR__SSL && strstr(reason, "certificate") != NULL)
		c->fault = CLIENT_TLS;	/* a handshake that merely breaks off may be a relay without a broker behind it */
	else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && c->said[0] != '\0')
		return;			/* the one before says more */
	else
		c->fault = CLIENT_AWAY;
	(void)snprintf(c->said, sizeof(c->said), "%s", reason);
	cut_states(c->said);
}

/* Served from the main queue, so in our thread.  What matters of it comes as a complaint too. */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	const struct hook	*hook = rd_kafka_opaque(rk);

	(void)level;
	log_debug(hook->client->log, "librdkafka: %s: %s", facility, text);
}

static void
on_token_wanted(rd_kafka_t *rk, const char *config, void *opaque)
{
	const struct client	*c = ((struct hook *)opaque)->client;
	struct err		 err = { 0 };
	char			*token = NULL, why[300];
	int64_t			 expires_ms;

	(void)config;
	if (c->rules->token(c->rules->token_arg, &token, &expires_ms, &err) == -1)
		(void)rd_kafka_oauthbearer_set_token_failure(rk, err.text);
	else if (rd_kafka_oauthbearer_set_token(rk, token, expires_ms, "eds", NULL, 0, why, sizeof(why)) !=
	    RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)rd_kafka_oauthbearer_set_token_failure(rk, "the token is not one that the library accepts");
	free_wiped(token);
}

/* The partitioner first: properties of topics that follow go into the same object. */
static int
hang_callbacks(rd_kafka_conf_t *conf, const struct client_rules *rules, struct hook *hook, struct err *err)
{
	rd_kafka_topic_conf_t	*topic = rd_kafka_topic_conf_new();
	char			 why[100];

	rd_kafka_topic_conf_set_partitioner_cb(topic, choose_partition);
	rd_kafka_topic_conf_set_opaque(topic, (void *)(uintptr_t)rules);
	rd_kafka_conf_set_default_topic_conf(conf, topic);
	rd_kafka_conf_set_opaque(conf, hook);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	if (rules->token != NULL)
		rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, on_token_wanted);
	if (rd_kafka_conf_set(conf, "log.queue", "true", why, sizeof(why)) != RD_KAFKA_CONF_OK)
		return err_set(err, ERR_CONFIG, "librdkafka: %s", why);
	return 0;
}

static rd_kafka_t *
make_handle(const struct client_rules *rules, const struct props *props, struct hook *hook, struct err *err)
{
	rd_kafka_conf_t	*conf = rd_kafka_conf_new();
	rd_kafka_t	*rk;
	char		 why[300];

	if (hang_callbacks(conf, rules, hook, err) == -1 || props_apply(props, conf, err) == -1) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	if ((rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why))) == NULL) {
		rd_kafka_conf_destroy(conf);
		(void)err_set(err, ERR_CONFIG, "librdkafka does not accept the settings: %s", why);
	}
	return rk;
}

enum drv_result
client_open(struct client *c, const struct client_rules *rules, const struct props *props, const char *topic,
    const struct log *log, client_report_fn report, void *arg, struct err *err)
{
	struct hook	*hook = calloc(1, sizeof(*hook));

	*c = (struct client){ .rules = rules, .log = log };
	(void)snprintf(c->topic, sizeof(c->topic), "%s", topic);
	if (hook == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the Kafka library");
		return DRV_RETRY;
	}
	*hook = (struct hook){ c, report, arg };
	if ((c->rk = make_handle(rules, props, hook, err)) == NULL) {
		free(hook);
		return DRV_CONFIG;
	}
	(void)rd_kafka_set_log_queue(c->rk, NULL);
	if ((c->rkt = rd_kafka_topic_new(c->rk, c->topic, NULL)) == NULL) {
		(void)err_set(err, ERR_CONFIG, "%s %s: %s", rules->topic_word, c->topic, rd_kafka_err2str(rd_kafka_last_error()));
		client_close(c);
		return DRV_CONFIG;
	}
	return DRV_STORED;
}

void
client_close(struct client *c)
{
	struct hook	*hook;

	if (c->rk == NULL)
		return;
	hook = rd_kafka_opaque(c->rk);
	(void)rd_kafka_purge(c->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	if (c->rkt != NULL)
		rd_kafka_topic_destroy(c->rkt);
	rd_kafka_destroy(c->rk);
	free(hook);
	c->rk = NULL;
	c->rkt = NULL;
}

void
client_poll(struct client *c, int ms)
{
	(void)rd_kafka_poll(c->rk, ms);
}

void
client_is_well(struct client *c)
{
	c->fault = CLIENT_FINE;
	c->said[0] = '\0';
}

/* What the brokers' own word on the topic means; true when it decides. */
static bool
judge_code(const struct client *c, rd_kafka_resp_err_t code, bool patient, enum drv_result *rc_r, struct err *err)
{
	const struct client_rules	*r = c->rules;

	*rc_r = DRV_CONFIG;
	switch ((int)code) {
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		(void)err_set(err, ERR_AUTH, "the %s %s may not be used with these credentials: %s", r->topic_word, c->topic,
		    r->write_remedy);
		return true;
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		(void)err_set(err, ERR_CONFIG, "the brokers do not accept %s as the name of a topic: name another one in the URL",
		    c->topic);
		return true;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		(void)err_set(err, ERR_NOTFOUND, "the %s %s does not exist: %s", r->topic_word, c->topic, r->absent_remedy);
		return !patient;
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		*rc_r = DRV_STORED;
		return true;
	}
	*rc_r = DRV_RETRY;
	(void)err_set(err, ERR_TEMPORARY, "the brokers say of the %s %s: %s", r->topic_word, c->topic, rd_kafka_err2str(code));
	return !patient;
}

/* A complaint that time will not mend, as far as one can tell before anything ever worked. */
static bool
judge_fault(const struct client *c, struct err *err)
{
	switch (c->fault) {
	case CLIENT_AUTH:
		(void)err_set(err, ERR_AUTH, "the brokers refuse to let EDS in: look at %s%s: %s", c->rules->credentials,
		    strstr(c->said, "SCRAM") != NULL && rd_kafka_version() < SCRAM_MENDED ?
		    " (this machine's librdkafka is older than 2.6.1: brokers of Kafka 4 refuse its SCRAM)" : "", c->said);
		return true;
	case CLIENT_TLS:
		(void)err_set(err, ERR_AUTH, "the broker's certificate is not trusted: name its authority's with ca= in the URL: %s",
		    c->said);
		return true;
	case CLIENT_FINE:
	case CLIENT_AWAY:
		break;
	}
	return false;
}

static rd_kafka_resp_err_t
ask_topic(struct client *c, rd_kafka_resp_err_t *topic_r, int32_t *partitions_r, int32_t *leaderless_r)
{
	const struct rd_kafka_metadata	*md;
	rd_kafka_resp_err_t		 rc = rd_kafka_metadata(c->rk, 0, c->rkt, &md, ASK_MS);

	*partitions_r = *leaderless_r = 0;
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		return rc;
	*topic_r = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (md->topic_cnt == 1) {
		*partitions_r = md->topics[0].partition_cnt;
		for (int i = 0; i < *partitions_r; i++)
			*leaderless_r += md->topics[0].partitions[i].leader == -1;
	}
	rd_kafka_metadata_destroy(md);
	if (*topic_r == RD_KAFKA_RESP_ERR_NO_ERROR && *partitions_r == 0)
		*topic_r = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;	/* just being created */
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool
is_stopping(const struct drv_host *host)
{
	return host != NULL && host->stopping(host->ctx);
}

enum drv_result
client_await_topic(struct client *c, const struct drv_host *host, int ms, bool hurry, struct err *err)
{
	mono_t			 now = mono_now(), until = now + ms, absent_until = 0;
	rd_kafka_resp_err_t	 topic;
	enum drv_result		 rc;
	int32_t			 partitions, leaderless;

	(void)err_set(err, ERR_TEMPORARY, "no broker answers");
	for (; now < until && !is_stopping(host); now = mono_now()) {
		client_poll(c, PAUSE_MS);
		if (judge_fault(c, err))
			return DRV_CONFIG;
		if (ask_topic(c, &topic, &partitions, &leaderless) != RD_KAFKA_RESP_ERR_NO_ERROR) {
			(void)err_set(err, ERR_TEMPORARY, "no broker answers%s%s", c->said[0] == '\0' ? "" : ": ", c->said);
			if (hurry && c->all_down)
				return DRV_RETRY;
			continue;
		}
		if (absent_until == 0)
			absent_until = now + (hurry ? 0 : ABSENT_MS);	/* from the first answer on */
		if (judge_code(c, topic, now < absent_until, &rc, err) && rc != DRV_RETRY)
			return rc;
	}
	return DRV_RETRY;
}

void
client_explain(struct client *c, const char *prefix, struct err *err)
{
	struct err		 why = { 0 };
	rd_kafka_resp_err_t	 topic;
	enum drv_result		 rc;
	int32_t			 partitions, leaderless;

	if (ask_topic(c, &topic, &partitions, &leaderless) != RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)err_set(&why, ERR_TEMPORARY, "%s", c->said[0] == '\0' ? "no broker answers" : c->said);
	else if (topic != RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)judge_code(c, topic, false, &rc, &why);
	else if (leaderless > 0)
		(void)err_set(&why, ERR_TEMPORARY, "%d of %d partitions of %s have no leader", (int)leaderless, (int)partitions,
		    c->topic);
	else
		(void)err_set(&why, ERR_TEMPORARY, "%s", c->said[0] == '\0' ? "the brokers take their time" : c->said);
	(void)err_set(err, ERR_TEMPORARY, "%s: %s; delivery goes on by itself", prefix, why.text);
}

void
client_refusal(const struct client *c, rd_kafka_resp_err_t code, struct err *err)
{
	struct err	 why = { 0 };
	enum drv_result	 rc;

	(void)judge_code(c, code, false, &rc, &why);
	(void)err_set(err, ERR_TEMPORARY, "%s; delivery then goes on by itself", why.text);
}
