/* JetStream's consumer API as text. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/clock.h"
#include "ipc/base/json_out.h"
#include "supervisor/upstream/consumer.h"

#define ACK_WAIT_NS		300000000000
#define MAX_DELIVER		20
#define INACTIVE_NS		259200000000000
#define PULL_EXPIRES_NS		30000000000
#define PULL_HEARTBEAT_NS	15000000000

bool
consumer_name_ok(const char *name)
{
	size_t	 n = strlen(name);

	if (n == 0 || n > 255)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f || strchr(".*>/\\", name[i]) != NULL)
			return false;
	return true;
}

static void
filter_of(struct buf *b, const char *company)
{
	struct buf	 subject = { 0 };

	buf_printf(&subject, "dbchange.*.*.%s.*.PUBLIC.>", company);
	json_out_str(b, buf_slice(&subject));
	b->oom |= subject.oom;
	buf_free(&subject);
}

/* Where the consumer starts, as a part of its config. */
static void
start_of(struct buf *b, const struct consumer_config *c)
{
	switch (c->deliver) {
	case DELIVER_NEW:
		buf_adds(b, "\"deliver_policy\":\"new\"");
		break;
	case DELIVER_ALL:
		buf_adds(b, "\"deliver_policy\":\"all\"");
		break;
	case DELIVER_BY_TIME:
		buf_adds(b, "\"deliver_policy\":\"by_start_time\",\"opt_start_time\":\"");
		buf_rfc3339(b, c->start_ns);
		buf_addc(b, '"');
		break;
	case DELIVER_BY_SEQ:
		buf_printf(b, "\"deliver_policy\":\"by_start_sequence\",\"opt_start_seq\":%llu", (unsigned long long)c->start_seq);
		break;
	}
}

static void
request_json(struct buf *b, const struct consumer_config *c, const char *start, int64_t max_waiting, const char *action)
{
	buf_adds(b, "{\"stream_name\":\"" CONSUMER_STREAM "\",\"config\":{\"durable_name\":");
	json_out_str(b, slice_of(c->name));
	buf_printf(b, ",%s,\"ack_policy\":\"explicit\",\"ack_wait\":%lld,\"max_deliver\":%d,\"replay_policy\":\"instant\","
	    "\"max_waiting\":%lld,\"max_ack_pending\":%llu", start, (long long)ACK_WAIT_NS, MAX_DELIVER,
	    (long long)max_waiting, (unsigned long long)c->max_ack_pending);
	if (c->max_batch > 0)
		buf_printf(b, ",\"max_batch\":%llu", (unsigned long long)c->max_batch);
	buf_printf(b, ",\"inactive_threshold\":%lld,\"num_replicas\":0,", (long long)INACTIVE_NS);
	if (c->single_filter) {
		buf_adds(b, "\"filter_subject\":");
		filter_of(b, c->companies[0]);
	} else {
		buf_adds(b, "\"filter_subjects\":[");
		for (size_t i = 0; c->companies[i] != NULL; i++) {
			if (i > 0)
				buf_addc(b, ',');
			filter_of(b, c->companies[i]);
		}
		buf_addc(b, ']');
	}
	buf_printf(b, "},\"action\":\"%s\"}", action);
}

void
consumer_create_json(struct buf *b, const struct consumer_config *c, const char *action)
{
	struct buf	 start = { 0 };

	start_of(&start, c);
	request_json(b, c, buf_cstr(&start), 1, action);
	b->oom |= start.oom;
	buf_free(&start);
}

void
consumer_update_json(struct buf *b, const struct consumer_config *c, const struct consumer_info *have)
{
	struct buf	 start = { 0 };

	buf_adds(&start, "\"deliver_policy\":");
	json_out_str(&start, slice_of(have->deliver_policy));
	if (have->start_seq > 0)
		buf_printf(&start, ",\"opt_start_seq\":%llu", (unsigned long long)have->start_seq);
	if (have->start_time[0] != '\0') {
		buf_adds(&start, ",\"opt_start_time\":");
		json_out_str(&start, slice_of(have->start_time));
	}
	request_json(b, c, buf_cstr(&start), have->max_waiting, "update");
	b->oom |= start.oom;
	buf_free(&start);
}

void
consumer_probe_json(struct buf *b, uint64_t start_seq, const char *company)
{
	buf_printf(b, "{\"stream_name\":\"" CONSUMER_STREAM "\",\"config\":{\"deliver_policy\":\"by_start_sequence\","
	    "\"opt_start_seq\":%llu,\"ack_policy\":\"none\",\"replay_policy\":\"instant\",\"inactive_threshold\":5000000000,"
	    "\"num_replicas\":1,\"mem_storage\":true,\"filter_subject\":", (unsigned long long)start_seq);
	filter_of(b, company);
	buf_adds(b, "},\"action\":\"create\"}");
}

void
consumer_pull_json(struct buf *b, uint64_t batch, uint64_t max_bytes)
{
	buf_printf(b, "{\"expires\":%lld,\"batch\":%llu", (long long)PULL_EXPIRES_NS, (unsigned long long)batch);
	if (max_bytes > 0)
		buf_printf(b, ",\"max_bytes\":%llu", (unsigned long long)max_bytes);
	buf_printf(b, ",\"idle_heartbeat\":%lld}", (long long)PULL_HEARTBEAT_NS);
}

static uint64_t
get_u64(const json_t *o, const char *key)
{
	json_int_t	 v = json_integer_value(json_object_get(o, key));

	return v < 0 ? 0 : (uint64_t)v;
}

static void
get_text(const json_t *o, const char *key, char *out, size_t size)
{
	const char	*s = json_string_value(json_object_get(o, key));

	(void)snprintf(out, size, "%s", s == NULL ? "" : s);
}

static int
parse_filters(struct consumer_info *info, const json_t *config)
{
	const json_t	*many = json_object_get(config, "filter_subjects");
	const char	*one = json_string_value(json_object_get(config, "filter_subject"));
	size_t		 n = json_array_size(many), k = 0;

	if ((info->filters = calloc(n + 2, sizeof(char *))) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(many, i));

		if (s != NULL && (info->filters[k++] = strdup(s)) == NULL)
			return -1;
	}
	if (one != NULL && one[0] != '\0' && (info->filters[k++] = strdup(one)) == NULL)
		return -1;
	return 0;
}

int
consumer_info_parse(struct consumer_info *info, struct slice text, struct err *err)
{
	json_error_t	 why;
	json_t		*root, *error, *config, *delivered;
	int		 rc = -1;

	*info = (struct consumer_info){ 0 };
	if ((root = json_loadb(text.p, text.n, 0, &why)) == NULL || !json_is_object(root)) {
		(void)err_set(err, ERR_INVALID, "the NATS server's answer about the consumer is not a JSON object");
		goto out;
	}
	if ((error = json_object_get(root, "error")) != NULL) {
		info->error = true;
		info->code = json_integer_value(json_object_get(error, "code"));
		info->err_code = json_integer_value(json_object_get(error, "err_code"));
		get_text(error, "description", info->description, sizeof(info->description));
		rc = 0;
		goto out;
	}
	if (!json_is_object(config = json_object_get(root, "config"))) {
		/* An answer without a config is that to a deletion. */
		rc = json_is_true(json_object_get(root, "success")) ? 0 :
		    err_set(err, ERR_INVALID, "the NATS server's answer about the consumer has no `config`");
		goto out;
	}
	get_text(root, "name", info->name, sizeof(info->name));
	delivered = json_object_get(root, "delivered");
	info->delivered_consumer_seq = get_u64(delivered, "consumer_seq");
	info->delivered_stream_seq = get_u64(delivered, "stream_seq");
	info->ack_floor_stream_seq = get_u64(json_object_get(root, "ack_floor"), "stream_seq");
	info->num_ack_pending = get_u64(root, "num_ack_pending");
	info->num_waiting = get_u64(root, "num_waiting");
	info->num_pending = get_u64(root, "num_pending");
	info->num_redelivered = get_u64(root, "num_redelivered");
	info->push = json_object_get(config, "deliver_subject") != NULL;
	info->max_ack_pending = get_u64(config, "max_ack_pending");
	info->max_batch = get_u64(config, "max_batch");
	info->max_deliver = get_u64(config, "max_deliver");
	info->start_seq = get_u64(config, "opt_start_seq");
	info->ack_wait_ns = json_integer_value(json_object_get(config, "ack_wait"));
	info->max_waiting = json_integer_value(json_object_get(config, "max_waiting"));
	info->inactive_threshold_ns = json_integer_value(json_object_get(config, "inactive_threshold"));
	get_text(config, "deliver_policy", info->deliver_policy, sizeof(info->deliver_policy));
	get_text(config, "opt_start_time", info->start_time, sizeof(info->start_time));
	rc = parse_filters(info, config) == 0 ? 0 : err_set(err, ERR_NOMEM, "consumer information");
out:
	json_decref(root);
	return rc;
}

void
consumer_info_free(struct consumer_info *info)
{
	for (size_t i = 0; info->filters != NULL && info->filters[i] != NULL; i++)
		free(info->filters[i]);
	free(info->filters);
	info->filters = NULL;
}

bool
consumer_filters_match(const struct consumer_info *info, char *const *companies)
{
	size_t	 have = 0, want = 0;

	while (info->filters != NULL && info->filters[have] != NULL)
		have++;
	for (; companies[want] != NULL; want++) {
		char subject[400];
		bool found = false;

		(void)snprintf(subject, sizeof(subject), "dbchange.*.*.%s.*.PUBLIC.>", companies[want]);
		for (size_t i = 0; i < have && !found; i++)
			found = strcmp(info->filters[i], subject) == 0;
		if (!found)
			return false;
	}
	return have == want;
}

bool
consumer_needs_update(const struct consumer_info *info, const struct consumer_config *c)
{
	return info->max_ack_pending != c->max_ack_pending || info->ack_wait_ns != ACK_WAIT_NS ||
	    info->max_deliver != MAX_DELIVER || info->inactive_threshold_ns != INACTIVE_NS ||
	    (c->max_batch > 0 && info->max_batch != c->max_batch) || !consumer_filters_match(info, c->companies);
}
