/* Whether brokers make a topic when somebody writes to it, found out without making one. */

#include <stdio.h>
#include <string.h>

#include "drivers/rdkafka/client.h"

#define ASK_MS	3000

/* The broker that answered; its settings stand for those of all. */
static int32_t
any_broker(rd_kafka_t *rk)
{
	const struct rd_kafka_metadata	*md;
	int32_t				 id;

	if (rd_kafka_metadata(rk, 0, NULL, &md, ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	id = md->orig_broker_id;
	rd_kafka_metadata_destroy(md);
	return id;
}

static bool
says_true(const rd_kafka_event_t *ev, const char *name)
{
	const rd_kafka_DescribeConfigs_result_t	*result = rd_kafka_event_DescribeConfigs_result((rd_kafka_event_t *)(uintptr_t)ev);
	const rd_kafka_ConfigResource_t		**resources;
	const rd_kafka_ConfigEntry_t		**entries;
	size_t					 n = 0, n_entries;

	if (result == NULL || (resources = rd_kafka_DescribeConfigs_result_resources(result, &n)) == NULL || n != 1 ||
	    rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return false;
	entries = rd_kafka_ConfigResource_configs(resources[0], &n_entries);
	for (size_t i = 0; i < n_entries; i++)
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0) {
			const char *value = rd_kafka_ConfigEntry_value(entries[i]);

			return value != NULL && strcmp(value, "true") == 0;
		}
	return false;
}

static bool
ask_broker(rd_kafka_t *rk, rd_kafka_ConfigResource_t *broker, rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *answers)
{
	rd_kafka_event_t	*ev;
	bool			 made;

	rd_kafka_DescribeConfigs(rk, &broker, 1, options, answers);
	ev = rd_kafka_queue_poll(answers, 2 * ASK_MS);
	made = ev != NULL && says_true(ev, "auto.create.topics.enable");
	if (ev != NULL)
		rd_kafka_event_destroy(ev);
	return made;
}

bool
client_topics_are_made(struct client *c)
{
	int32_t				 id = any_broker(c->rk);
	char				 name[16], why[200];
	rd_kafka_ConfigResource_t	*broker;
	rd_kafka_AdminOptions_t		*options;
	rd_kafka_queue_t		*answers;
	bool				 made;

	if (id < 0)
		return false;
	(void)snprintf(name, sizeof(name), "%d", (int)id);
	broker = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, name);
	options = rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	answers = rd_kafka_queue_new(c->rk);
	made = rd_kafka_AdminOptions_set_request_timeout(options, ASK_MS, why, sizeof(why)) == RD_KAFKA_RESP_ERR_NO_ERROR &&
	    ask_broker(c->rk, broker, options, answers);
	rd_kafka_queue_destroy(answers);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_ConfigResource_destroy(broker);
	return made;
}
