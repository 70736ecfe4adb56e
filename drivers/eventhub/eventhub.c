/*
 * The Event Hubs driver.  Two transports, of which the URL chooses one and nothing ever the other:
 * consumers would see properties change their type.
 */

#include <stdlib.h>

#include "drivers/eventhub/eventhub_https.h"
#include "drivers/eventhub/eventhub_message.h"
#include "drivers/rdkafka/producer.h"

#define BATCH_EVENTS	10000
#define BATCH_BYTES	((size_t)8 << 20)

struct drv {
	struct eventhub_url	 url;
	struct producer		*kafka;		/* one of the two */
	struct eventhub_https	*https;
};

/* Key and headers in plain text.  RawHeaders tells readers by AMQP, who get bytes, that these are texts. */
static void
render(const struct event *ev, struct buf *scratch, struct producer_message *m)
{
	if (!producer_texts(ev, scratch, eventhub_partition_key, eventhub_object_id, &m->key, &m->headers[2].value, &m->value))
		return;
	m->headers[0].name = "message-id";
	m->headers[0].value = ev->id;
	m->headers[1].name = "content-type";
	m->headers[1].value = SLICE("application/json");
	m->headers[2].name = "objectId";
	m->headers[3].name = "RawHeaders";
	m->headers[3].value = SLICE("true");
	m->n_headers = 4;
	m->hash = (uint16_t)eventhub_hash(m->key);
}

static const struct producer_rules kafka_rules = {
	.client = {
		.topic_word	= "event hub",
		.credentials	= "SharedAccessKeyName and SharedAccessKey in the URL",
		.absent_remedy	= "look at EntityPath in the URL, or create the hub in the namespace",
		.write_remedy	= "the policy needs the claim Send; a namespace of the Basic tier takes events with "
				  "transport=https only",
		.partition	= eventhub_partition,
	},
	.render		= render,
};

static int
eventhub_validate(const char *text, struct err *err)
{
	struct eventhub_url	 url;

	if (eventhub_url_parse(&url, text, err) == -1)
		return -1;
	eventhub_url_free(&url);
	return 0;
}

static void
eventhub_close(struct drv **drvp)
{
	struct drv	*drv = *drvp;

	if (drv == NULL)
		return;
	producer_close(&drv->kafka);
	eventhub_https_close(&drv->https);
	eventhub_url_free(&drv->url);
	free(drv);
	*drvp = NULL;
}

static enum drv_result
eventhub_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*drv = calloc(1, sizeof(*drv));
	enum drv_result	 rc = DRV_CONFIG;

	if (drv == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		return DRV_RETRY;
	}
	if (eventhub_url_parse(&drv->url, env->url, err) == 0)
		rc = drv->url.https ? eventhub_https_open(&drv->https, &drv->url, env, err) :
		    producer_open(&drv->kafka, &kafka_rules, &drv->url.props, drv->url.hub, env, err);
	if (rc == DRV_STORED) {
		*drv_r = drv;
		drv = NULL;
	}
	eventhub_close(&drv);
	return rc;
}

/* Hubs are made by their owner alone, so asking for one makes none; but a stand-in for the service may be any broker. */
static enum drv_result
eventhub_test(const struct drv_env *env, struct err *err)
{
	struct eventhub_url	 url;
	struct eventhub_https	*https = NULL;
	enum drv_result		 rc;

	if (eventhub_url_parse(&url, env->url, err) == -1)
		return DRV_CONFIG;
	rc = url.https ? eventhub_https_open(&https, &url, env, err) : producer_test(&kafka_rules, &url.props, url.hub, env, err);
	eventhub_https_close(&https);
	eventhub_url_free(&url);
	return rc;
}

static enum drv_result
eventhub_deliver(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	return drv->https != NULL ? eventhub_https_deliver(drv->https, batch, out) :
	    producer_deliver(drv->kafka, batch, out);
}

/* Rows go the way of all events. */
static enum drv_result
eventhub_import_rows(struct drv *drv, size_t table, const struct drv_batch *batch, struct drv_outcome *out)
{
	(void)table;
	return eventhub_deliver(drv, batch, out);
}

const struct driver driver_eventhub = {
	.abi		= DRIVER_ABI,
	.id		= "eventhub",
	.batch_events	= BATCH_EVENTS,
	.batch_bytes	= BATCH_BYTES,
	.validate	= eventhub_validate,
	.open		= eventhub_open,
	.test		= eventhub_test,
	.deliver	= eventhub_deliver,
	.import_rows	= eventhub_import_rows,
	.close		= eventhub_close,
};
