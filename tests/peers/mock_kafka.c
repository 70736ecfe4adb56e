/*
 * librdkafka's mock cluster as a process of its own: a Kafka that fails on command.
 *
 *	mock_kafka BROKERS
 *
 * Prints "ready HOST:PORT,...", then obeys lines on its standard input and answers each with "ok" or "error TEXT":
 *
 *	topic NAME PARTITIONS		make a topic
 *	error KEY CODE ...		the next requests of that key (0: Produce, 22: InitProducerId) get these
 *					errors, one each; by the numbers of Kafka's protocol
 *	topic-error NAME CODE		what metadata says of a topic; 0: nothing is wrong
 *	leader NAME PARTITION BROKER	another leader; -1: none
 *	down BROKER | up BROKER		0 stands for all of them
 *	rtt BROKER MS			every answer is that late
 *
 * It ends when its input does.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define BROKERS_MOST	9
#define ERRORS_MOST	64

struct peer {
	rd_kafka_mock_cluster_t	*cluster;
	int			 brokers;
};

typedef rd_kafka_resp_err_t (*broker_fn)(struct peer *, int broker, int value);

static rd_kafka_resp_err_t
set_down(struct peer *p, int broker, int value)
{
	(void)value;
	return rd_kafka_mock_broker_set_down(p->cluster, broker);
}

static rd_kafka_resp_err_t
set_up(struct peer *p, int broker, int value)
{
	(void)value;
	return rd_kafka_mock_broker_set_up(p->cluster, broker);
}

static rd_kafka_resp_err_t
set_rtt(struct peer *p, int broker, int value)
{
	return rd_kafka_mock_broker_set_rtt(p->cluster, broker, value);
}

static rd_kafka_resp_err_t
each_broker(struct peer *p, broker_fn fn, int broker, int value)
{
	rd_kafka_resp_err_t	 rc = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (int i = 1; i <= p->brokers && rc == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		if (broker == 0 || broker == i)
			rc = fn(p, i, value);
	return rc;
}

static rd_kafka_resp_err_t
push_errors(struct peer *p, char *rest)
{
	rd_kafka_resp_err_t	 codes[ERRORS_MOST];
	size_t			 n = 0;
	int			 key = atoi(strsep(&rest, " "));

	for (char *word; n < ERRORS_MOST && (word = strsep(&rest, " ")) != NULL; )
		codes[n++] = (rd_kafka_resp_err_t)atoi(word);
	rd_kafka_mock_push_request_errors_array(p->cluster, (int16_t)key, n, codes);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t
obey(struct peer *p, char *line)
{
	char	*rest = line, *verb = strsep(&rest, " "), name[250];
	int	 a = 0, b = 0;

	if (rest == NULL)
		return RD_KAFKA_RESP_ERR__INVALID_ARG;
	if (strcmp(verb, "error") == 0)
		return push_errors(p, rest);
	if (strcmp(verb, "topic") == 0 && sscanf(rest, "%249s %d", name, &a) == 2)
		return rd_kafka_mock_topic_create(p->cluster, name, a, 1);
	if (strcmp(verb, "topic-error") == 0 && sscanf(rest, "%249s %d", name, &a) == 2) {
		rd_kafka_mock_topic_set_error(p->cluster, name, (rd_kafka_resp_err_t)a);
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	if (strcmp(verb, "leader") == 0 && sscanf(rest, "%249s %d %d", name, &a, &b) == 3)
		return rd_kafka_mock_partition_set_leader(p->cluster, name, a, b);
	if (sscanf(rest, "%d %d", &a, &b) < 1)
		return RD_KAFKA_RESP_ERR__INVALID_ARG;
	if (strcmp(verb, "down") == 0)
		return each_broker(p, set_down, a, b);
	if (strcmp(verb, "up") == 0)
		return each_broker(p, set_up, a, b);
	if (strcmp(verb, "rtt") == 0)
		return each_broker(p, set_rtt, a, b);
	return RD_KAFKA_RESP_ERR__INVALID_ARG;
}

int
main(int argc, char **argv)
{
	struct peer	 p = { .brokers = argc == 2 ? atoi(argv[1]) : 0 };
	rd_kafka_t	*rk;
	char		 line[1000], why[300];

	if (p.brokers < 1 || p.brokers > BROKERS_MOST) {
		(void)fprintf(stderr, "usage: mock_kafka BROKERS (1 to %d)\n", BROKERS_MOST);
		return 2;
	}
	if ((rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why))) == NULL ||
	    (p.cluster = rd_kafka_mock_cluster_new(rk, p.brokers)) == NULL) {
		(void)fprintf(stderr, "mock_kafka: %s\n", why);
		return 1;
	}
	(void)printf("ready %s\n", rd_kafka_mock_cluster_bootstraps(p.cluster));
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		rd_kafka_resp_err_t rc;

		line[strcspn(line, "\n")] = '\0';
		rc = obey(&p, line);
		(void)printf(rc == RD_KAFKA_RESP_ERR_NO_ERROR ? "ok\n" : "error %s\n", rd_kafka_err2str(rc));
		(void)fflush(stdout);
	}
	rd_kafka_mock_cluster_destroy(p.cluster);
	rd_kafka_destroy(rk);
	return 0;
}
