/*
 * The ceiling of the Kafka driver: pulls, and produces each payload as it came, with the driver's key, header,
 * partition and settings; acknowledges a message when its delivery report says that the brokers have it.
 *
 * It does not parse: the key is cut out of the subject, the row's key out of the payload's beginning, where the
 * bench's events have it.
 *
 *	bare_kafka URL CREDS CONSUMER COUNT TOPIC PARTITIONS NAME=VALUE ...
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "ipc/base/hash.h"
#include "tests/bench/file_name.h"
#include "tests/bench/pull.h"

#define BATCH	1000u

struct sink {
	rd_kafka_t	*rk;
	const char	*topic;
	uint32_t	 partitions;
	struct puller	*puller;
	_Atomic bool	 over;
};

static void
on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct sink	*s = opaque;

	(void)rk;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("producing", rd_kafka_err2str(message->err));
	pull_ack(s->puller, message->_private);
	natsMsg_Destroy(message->_private);
}

static rd_kafka_t *
open_sink(struct sink *s, char **settings, int n)
{
	rd_kafka_conf_t	*conf = rd_kafka_conf_new();
	rd_kafka_t	*rk;
	char		 why[300];

	for (int i = 0; i < n; i++) {
		char *value = settings[i], *name = strsep(&value, "=");

		if (value == NULL || rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
			die("setting", name);
	}
	rd_kafka_conf_set_opaque(conf, s);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	if ((rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why))) == NULL)
		die("starting", why);
	return rk;
}

/* dbchange.<table>.<operation>.<company>.<location>.PUBLIC.<id>: the message's key is that without PUBLIC. */
static void
produce(struct sink *s, natsMsg *msg)
{
	const char	*subject = natsMsg_GetSubject(msg), *end = strstr(subject, ".PUBLIC."), *table = strchr(subject, '.') + 1;
	const char	*operation = strchr(table, '.'), *owner = strchr(operation + 1, '.');
	char		 key[400], lane[400], hex[17];
	rd_kafka_resp_err_t rc;
	size_t		 row_n;
	const char	*row = row_key(msg, &row_n);

	(void)snprintf(key, sizeof(key), "%.*s%s", (int)(end - subject), subject, end + 7);
	(void)snprintf(lane, sizeof(lane), "%.*s%.*s.%.*s", (int)(operation - table), table, (int)(end - owner), owner, (int)row_n, row);
	hash_hex(slice_of(lane), hex);
	rc = rd_kafka_producev(s->rk, RD_KAFKA_V_TOPIC(s->topic),
	    RD_KAFKA_V_PARTITION((int32_t)hash_modulo(slice_of(hex), s->partitions)),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, strlen(key)),
	    RD_KAFKA_V_VALUE((void *)(uintptr_t)natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)),
	    RD_KAFKA_V_HEADER("eds-partitionkey", lane, (ssize_t)strlen(lane)), RD_KAFKA_V_OPAQUE(msg),
	    RD_KAFKA_V_END);
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("producing", rd_kafka_err2str(rc));
}

static void *
serve_reports(void *arg)
{
	struct sink	*s = arg;

	while (!s->over)
		(void)rd_kafka_poll(s->rk, 100);
	return NULL;
}

int
main(int argc, char **argv)
{
	static struct sink s;
	uint64_t	 count, taken = 0;
	struct queue	*q;
	natsMsg		*v[BATCH];
	pthread_t	 reports;
	size_t		 n;

	if (argc < 7)
		die("usage", "bare_kafka URL CREDS CONSUMER COUNT TOPIC PARTITIONS NAME=VALUE ...");
	count = strtoull(argv[4], NULL, 10);
	s.topic = argv[5];
	s.partitions = (uint32_t)atoi(argv[6]);
	s.rk = open_sink(&s, argv + 7, argc - 7);
	q = queue_new(count);
	s.puller = pull_start(argv[1], argv[2], argv[3], count, queue_put, q);
	if (pthread_create(&reports, NULL, serve_reports, &s) != 0)
		die("starting", "no thread for the reports");
	while ((n = queue_take(q, v, BATCH)) > 0)
		for (size_t i = 0; i < n; i++)
			if (taken++ < count)
				produce(&s, v[i]);
			else
				natsMsg_Destroy(v[i]);	/* reports come in any order: only the first `count` are to be acknowledged */
	pull_end(&s.puller);
	s.over = true;
	(void)pthread_join(reports, NULL);
	queue_free(&q);
	rd_kafka_destroy(s.rk);
	return 0;
}
