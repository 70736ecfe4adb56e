/*
 * The Kafka driver: one message per change (kafka_message.h) through the producer that all
 * drivers of Kafka's protocol share (drivers/rdkafka).
 */

#include <stdlib.h>

#include "drivers/kafka/kafka_message.h"
#include "drivers/kafka/kafka_token.h"
#include "drivers/kafka/kafka_url.h"

/* A batch is at most twice in memory: in the worker's buffers and in the library's. */
#define BATCH_EVENTS	10000
#define BATCH_BYTES	((size_t)8 << 20)

struct drv {
	struct kafka_url	 url;
	struct producer_rules	 rules;
	struct producer		*producer;
};

static int
kafka_validate(const char *text, struct err *err)
{
	struct kafka_url	 url;

	if (kafka_url_parse(&url, text, err) == -1)
		return -1;
	kafka_url_free(&url);
	return 0;
}

static int
read_token(void *arg, char **token_r, int64_t *expires_ms_r, struct err *err)
{
	const struct drv	*drv = arg;

	return kafka_token_read(drv->url.token_file, token_r, expires_ms_r, err);
}

static void
make_rules(struct drv *drv)
{
	drv->rules = (struct producer_rules){
		.client = {
			.topic_word	= "topic",
			.credentials	= "user, password and sasl in the URL",
			.absent_remedy	= "create it, or let the brokers create topics (auto.create.topics.enable)",
			.write_remedy	= "give this user the rights Describe and Write on it",
			.partition	= kafka_partition,
			.token		= drv->url.token_file == NULL ? NULL : read_token,
			.token_arg	= drv,
		},
		.render		= kafka_render,
	};
}

static void
kafka_close(struct drv **drvp)
{
	struct drv	*drv = *drvp;

	if (drv == NULL)
		return;
	producer_close(&drv->producer);
	kafka_url_free(&drv->url);
	free(drv);
	*drvp = NULL;
}

static enum drv_result
kafka_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*drv = calloc(1, sizeof(*drv));
	enum drv_result	 rc = DRV_CONFIG;

	if (drv == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		return DRV_RETRY;
	}
	if (kafka_url_parse(&drv->url, env->url, err) == 0) {
		make_rules(drv);
		rc = producer_open(&drv->producer, &drv->rules, &drv->url.props, drv->url.topic, env, err);
	}
	if (rc == DRV_STORED) {
		*drv_r = drv;
		drv = NULL;
	}
	kafka_close(&drv);
	return rc;
}

static enum drv_result
kafka_test(const struct drv_env *env, struct err *err)
{
	struct drv	 drv = { .producer = NULL };
	enum drv_result	 rc;

	if (kafka_url_parse(&drv.url, env->url, err) == -1)
		return DRV_CONFIG;
	make_rules(&drv);
	rc = producer_test(&drv.rules, &drv.url.props, drv.url.topic, env, err);
	kafka_url_free(&drv.url);
	return rc;
}

static enum drv_result
kafka_deliver(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	return producer_deliver(drv->producer, batch, out);
}

/* Rows go the way of all events. */
static enum drv_result
kafka_import_rows(struct drv *drv, size_t table, const struct drv_batch *batch, struct drv_outcome *out)
{
	(void)table;
	return producer_deliver(drv->producer, batch, out);
}

const struct driver driver_kafka = {
	.abi		= DRIVER_ABI,
	.id		= "kafka",
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.validate	= kafka_validate,
	.open		= kafka_open,
	.test		= kafka_test,
	.deliver	= kafka_deliver,
	.import_rows	= kafka_import_rows,
	.close		= kafka_close,
};
