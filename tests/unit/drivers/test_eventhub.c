/* The Event Hubs driver without a service: bytes, the service's hash, signatures, connection strings, order. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "drivers/eventhub/eventhub_body.h"
#include "drivers/eventhub/eventhub_lanes.h"
#include "drivers/eventhub/eventhub_message.h"
#include "drivers/eventhub/eventhub_sas.h"
#include "drivers/eventhub/eventhub_url.h"
#include "tests/support/vectors.h"

/* ---- messages */

#define MOST	16

struct some {
	struct event		 ev[MOST];
	struct drv_event	 v[MOST];
	struct drv_batch	 batch;
};

static void
add(struct some *s, struct slice payload)
{
	size_t		 i = s->batch.n++;
	struct err	 err;

	assert_true(i < MOST);
	if (event_parse(&s->ev[i], payload, &err) == -1)
		fail_msg("%s", err.text);
	s->v[i] = (struct drv_event){ .seq = i + 1, .ev = &s->ev[i], .payload = payload };
	s->batch.v = s->v;
}

static void
free_some(struct some *s)
{
	for (size_t i = 0; i < s->batch.n; i++)
		event_free(&s->ev[i]);
}

static void
check_event(const struct event *ev, const json_t *want, struct slice partition_key)
{
	struct buf	 b = { 0 };

	eventhub_partition_key(ev, &b);
	assert_slice(buf_slice(&b), partition_key);
	buf_reset(&b);
	eventhub_object_id(ev, &b);
	assert_slice(buf_slice(&b), vectors_str(json_object_get(want, "properties"), "objectId"));
	buf_reset(&b);
	event_store_json(ev, &b);
	assert_slice(buf_slice(&b), vectors_str(want, "body"));
	assert_slice(ev->id, vectors_str(want, "messageId"));
	buf_free(&b);
}

/* The vectors' batches follow one another in the order of the events. */
static void
h71_messages_equal_the_vectors_byte_for_byte(void **state)
{
	json_t		*root = vectors_load("tests/vectors/eventhub-messages.json"), *one, *batch;
	struct some	 s = { .batch = { .n = 0 } };
	size_t		 i, at = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "events"), i, one)
		add(&s, (struct slice){ json_string_value(one), json_string_length(one) });
	assert_true(s.batch.n >= 5);
	json_array_foreach(json_object_get(root, "batches"), i, batch) {
		size_t j;

		json_array_foreach(json_object_get(batch, "events"), j, one)
			check_event(&s.ev[at++], one, vectors_str(batch, "partitionKey"));
	}
	assert_int_equal(at, s.batch.n);
	free_some(&s);
	json_decref(root);
}

static void
partitions_are_those_that_the_service_would_choose(void **state)
{
	json_t		*root = vectors_load("tests/vectors/eventhub-sas.json"), *one;
	size_t		 i;

	(void)state;
	json_array_foreach(json_object_get(json_object_get(root, "partition_key_hash"), "vectors"), i, one) {
		int16_t		 hash = eventhub_hash(vectors_str(one, "key"));
		json_t		*partition;
		const char	*count;

		assert_int_equal(hash, json_integer_value(json_object_get(one, "hash_int16")));
		json_object_foreach(json_object_get(one, "partition"), count, partition)
			assert_int_equal(eventhub_partition((uint16_t)hash, atoi(count)), json_integer_value(partition));
	}
	assert_true(i >= 15);
	json_decref(root);
}

/* The row decides, not the envelope, and only texts count. */
static void
h71_company_and_location_are_the_rows(void **state)
{
	struct some	 s = { .batch = { .n = 0 } };
	struct buf	 b = { 0 };

	(void)state;
	add(&s, SLICE("{\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"t\",\"key\":[\"k\"],\"companyId\":\"envelope\","
	    "\"after\":{\"companyId\":\"r\\u006fw\",\"locationId\":\"\"}}"));
	add(&s, SLICE("{\"operation\":\"DELETE\",\"id\":\"e\",\"table\":\"t\",\"key\":[\"k\"],\"companyId\":\"envelope\"}"));
	eventhub_partition_key(&s.ev[0], &b);
	assert_slice(buf_slice(&b), SLICE("t.row.NONE.k"));
	buf_reset(&b);
	eventhub_object_id(&s.ev[1], &b);
	assert_slice(buf_slice(&b), SLICE("dbchange.t.DELETE.NONE.NONE.k"));
	buf_free(&b);
	free_some(&s);
}

/* ---- HTTPS bodies */

static void
a_batch_is_json_whose_bodies_are_the_events_as_text(void **state)
{
	struct some	 s = { .batch = { .n = 0 } };
	struct buf	 body = { 0 }, scratch = { 0 }, want = { 0 };
	json_t		*root, *one;
	size_t		 i;

	(void)state;
	add(&s, SLICE("{\"operation\":\"INSERT\",\"id\":\"e1\",\"table\":\"t\",\"key\":[\"k\"],\"after\":{\"note\":\"caf\xc3\xa9 \\\"x\\\" \\n\"}}"));
	add(&s, SLICE("{\"operation\":\"DELETE\",\"id\":\"e2\",\"table\":\"t\",\"key\":[\"k\"]}"));
	for (i = 0; i < 2; i++)
		eventhub_body_add(&body, &s.ev[i], SLICE("t.NONE.NONE.k"), &scratch);
	buf_addc(&body, ']');
	root = json_loads(buf_cstr(&body), 0, NULL);
	assert_int_equal(json_array_size(root), 2);
	json_array_foreach(root, i, one) {
		const json_t *broker = json_object_get(one, "BrokerProperties");

		buf_reset(&want);
		event_store_json(&s.ev[i], &want);
		assert_slice(vectors_str(one, "Body"), buf_slice(&want));
		assert_slice(vectors_str(broker, "PartitionKey"), SLICE("t.NONE.NONE.k"));
		assert_slice(vectors_str(broker, "MessageId"), s.ev[i].id);
		buf_reset(&want);
		eventhub_object_id(&s.ev[i], &want);
		assert_slice(vectors_str(json_object_get(one, "UserProperties"), "objectId"), buf_slice(&want));
	}
	json_decref(root);
	buf_free(&body);
	buf_free(&scratch);
	buf_free(&want);
	free_some(&s);
}

static void
headers_of_a_single_event_are_ascii_and_one_line(void **state)
{
	struct some	 s = { .batch = { .n = 0 } };
	struct buf	 broker = { 0 }, id = { 0 };

	(void)state;
	add(&s, SLICE("{\"operation\":\"INSERT\",\"id\":\"\xc3\xa9\xf0\x9f\x9a\x97\\n\",\"table\":\"t\",\"key\":[\"k\"]}"));
	add(&s, SLICE("{\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"t\",\"key\":[\"k\\r\\nX-Evil: 1\"]}"));
	assert_true(eventhub_body_headers(&broker, &id, &s.ev[0], SLICE("t.NONE.NONE.k")));
	assert_slice(buf_slice(&broker), SLICE("BrokerProperties: {\"PartitionKey\":\"t.NONE.NONE.k\",\"MessageId\":\"\\u00e9\\ud83d\\ude97\\n\"}"));
	assert_slice(buf_slice(&id), SLICE("objectId: dbchange.t.INSERT.NONE.NONE.k"));
	buf_reset(&broker);
	buf_reset(&id);
	assert_false(eventhub_body_headers(&broker, &id, &s.ev[1], SLICE("t.NONE.NONE.k")));
	buf_free(&broker);
	buf_free(&id);
	free_some(&s);
}

/* ---- lanes */

static void
each_key_has_a_lane_in_stream_order_of_what_is_not_stored_yet(void **state)
{
	static const char *const keys[] = { "a", "b", "a", "c", "b", "a" };
	struct some	 s = { .batch = { .n = 0 } }, rest = { .batch = { .n = 0 } };
	struct offer	 o = { .v = NULL };
	struct lanes	 l = { .v = NULL };
	struct buf	 text[NELEM(keys)] = { { 0 } };
	struct err	 err;

	(void)state;
	for (size_t i = 0; i < NELEM(keys); i++) {
		buf_printf(&text[i], "{\"operation\":\"DELETE\",\"id\":\"e\",\"table\":\"t\",\"key\":[\"%s\"]}", keys[i]);
		add(&s, buf_slice(&text[i]));
		if (i != 3)
			add(&rest, buf_slice(&text[i]));
	}
	assert_int_equal(offer_begin(&o, &s.batch, &err), 0);
	o.v[0].state = OFFER_STORED;
	o.v[3].state = OFFER_REFUSED;
	assert_int_equal(lanes_make(&l, &o, &rest.batch, &err), 0);
	assert_int_equal(l.n, 2);
	assert_slice(l.v[0].key, SLICE("t.NONE.NONE.b"));
	assert_int_equal(l.v[0].first, 1);
	assert_int_equal(l.entries[1].next, 4);
	assert_int_equal(l.entries[4].next, LANE_END);
	assert_int_equal(l.entries[4].index, 3);	/* the refused one is not in the batch that comes next */
	assert_slice(l.v[1].key, SLICE("t.NONE.NONE.a"));
	assert_int_equal(l.v[1].first, 2);
	assert_int_equal(l.entries[2].next, 5);
	lanes_free(&l);
	offer_free(&o);
	for (size_t i = 0; i < NELEM(keys); i++)
		buf_free(&text[i]);
	free_some(&s);
	free_some(&rest);
}

/* ---- signatures */

static void
signatures_equal_the_vectors(void **state)
{
	json_t		*root = vectors_load("tests/vectors/eventhub-sas.json"), *one;
	struct buf	 b = { 0 }, escaped = { 0 };
	struct err	 err;
	size_t		 i;

	(void)state;
	json_array_foreach(json_object_get(root, "sas"), i, one) {
		buf_reset(&b);
		assert_int_equal(eventhub_sas(&b, vectors_str(one, "encoded_resource"), vectors_str(one, "key_name").p,
		    vectors_str(one, "key").p, json_integer_value(json_object_get(one, "expiry")), &err), 0);
		assert_slice(buf_slice(&b), vectors_str(one, "token"));
		if (!json_is_true(json_object_get(one, "lowercase_resource"))) {
			buf_reset(&escaped);
			url_escape_segment(&escaped, vectors_str(one, "resource"));
			assert_slice(buf_slice(&escaped), vectors_str(one, "encoded_resource"));
		}
	}
	assert_true(i >= 4);
	json_decref(root);
	buf_free(&b);
	buf_free(&escaped);
}

/* ---- connection strings */

#define PAIRS	";SharedAccessKeyName=send;SharedAccessKey=pa55/x+x=;EntityPath=hub"

static void
refuse(const char *text, const char *because)
{
	struct eventhub_url url;
	struct err	 err = { 0 };

	if (eventhub_url_parse(&url, text, &err) == 0) {
		eventhub_url_free(&url);
		fail_msg("%s was accepted", text);
	}
	if (strstr(err.text, because) == NULL)
		fail_msg("%s: \"%s\" does not speak of %s", text, err.text, because);
	assert_null(strstr(err.text, "pa55"));
}

static void
parse(struct eventhub_url *url, const char *text)
{
	struct err	 err = { 0 };

	if (eventhub_url_parse(url, text, &err) == -1)
		fail_msg("%s: %s", text, err.text);
}

static void
a_url_becomes_the_connection_string_it_was_made_of(void **state)
{
	json_t		*root = vectors_load("tests/vectors/urls.json"), *want;
	const char	*name;
	struct eventhub_url url;
	unsigned	 n = 0;

	(void)state;
	json_object_foreach(json_object_get(json_object_get(root, "connection"), "eventhub"), name, want) {
		if (strstr(name, "SharedAccessKeyName") == NULL)
			continue;		/* shows the replacement only; nobody could sign in with it */
		parse(&url, name);
		assert_string_equal(url.connection, json_string_value(want));
		eventhub_url_free(&url);
		n++;
	}
	assert_true(n > 0);
	json_decref(root);
}

static void
the_key_is_text_with_all_its_signs(void **state)
{
	struct eventhub_url url;

	(void)state;
	parse(&url, "eventhub://ns.servicebus.windows.net/" PAIRS);
	assert_string_equal(url.host, "ns.servicebus.windows.net");
	assert_string_equal(url.key, "pa55/x+x=");
	assert_string_equal(url.key_name, "send");
	assert_string_equal(url.hub, "hub");
	assert_false(url.https);
	assert_string_equal(props_get(&url.props, "sasl.password"), "Endpoint=sb://ns.servicebus.windows.net/" PAIRS);
	eventhub_url_free(&url);
	parse(&url, "eventhub://Endpoint=sb://ns.x/;sharedaccesskeyname=n;sharedaccesskey=a%2Bb;entitypath=h;");
	assert_string_equal(url.host, "ns.x");
	assert_string_equal(url.key, "a%2Bb");
	eventhub_url_free(&url);
}

static void
the_kafka_endpoint_gets_the_documented_settings(void **state)
{
	static const char *const want[][2] = { { "bootstrap.servers", "ns:9093" }, { "security.protocol", "sasl_ssl" },
		{ "sasl.mechanism", "PLAIN" }, { "sasl.username", "$ConnectionString" }, { "request.timeout.ms", "60000" },
		{ "metadata.max.age.ms", "180000" }, { "connections.max.idle.ms", "180000" }, { "message.max.bytes", "1000000" },
		{ "compression.codec", "none" }, { "acks", "all" }, { "enable.idempotence", "true" },
		{ "socket.keepalive.enable", "true" } };
	struct eventhub_url url;

	(void)state;
	parse(&url, "eventhub://ns:5671/" PAIRS);
	for (size_t i = 0; i < NELEM(want); i++)
		assert_string_equal(props_get(&url.props, want[i][0]), want[i][1]);
	eventhub_url_free(&url);
	parse(&url, "eventhub://localhost/" PAIRS ";UseDevelopmentEmulator=true");
	assert_string_equal(props_get(&url.props, "security.protocol"), "sasl_plaintext");
	assert_string_equal(url.endpoint, "localhost:9092");
	eventhub_url_free(&url);
}

static void
options_stand_behind_a_question_mark(void **state)
{
	struct eventhub_url url;

	(void)state;
	parse(&url, "eventhub://ns/" PAIRS "?transport=https&endpoint=127.0.0.1:8443&ca=/ca.pem&batch=0&connections=4");
	assert_true(url.https && url.single);
	assert_string_equal(url.endpoint, "127.0.0.1:8443");
	assert_string_equal(url.ca, "/ca.pem");
	assert_int_equal(url.connections, 4);
	assert_int_equal(url.message_max, 1000000);
	eventhub_url_free(&url);
	parse(&url, "eventhub://ns/" PAIRS ";Transport=HTTPS");
	assert_true(url.https);
	assert_string_equal(url.endpoint, "ns:443");
	assert_string_equal(url.connection, "Endpoint=sb://ns/" PAIRS);
	eventhub_url_free(&url);
	parse(&url, "eventhub://ns/" PAIRS "?endpoint=10.0.0.1:19093&rd.linger.ms=5&message-max=500000");
	assert_string_equal(props_get(&url.props, "bootstrap.servers"), "10.0.0.1:19093");
	assert_string_equal(props_get(&url.props, "linger.ms"), "5");
	assert_string_equal(props_get(&url.props, "message.max.bytes"), "500000");
	eventhub_url_free(&url);
}

static void
what_is_missing_or_contradicts_is_said(void **state)
{
	(void)state;
	refuse("kafka://ns/" PAIRS, "eventhub://");
	refuse("eventhub:///" PAIRS, "connection string");
	refuse("eventhub://n s/" PAIRS, "connection string");
	refuse("eventhub://ns/;SharedAccessKeyName=n;SharedAccessKey=pa55", "EntityPath");
	refuse("eventhub://ns/;SharedAccessKeyName=n;EntityPath=e", "SharedAccessKey are required");
	refuse("eventhub://ns/;SharedAccessKey=pa55;EntityPath=e", "SharedAccessKeyName");
	refuse("eventhub://ns/" PAIRS ";EntityPath=pa55", "twice");
	refuse("eventhub://ns/;SharedAccessKeyName=n;SharedAccessKey=pa55;EntityPath=a b", "name of an event hub");
	refuse("eventhub://ns/;SharedAccessKeyName=n;pa55;EntityPath=e", "no '='");
	refuse("eventhub://ns/" PAIRS ";SharedAccessSignature=pa55?transport=https", "leave one out");
	refuse("eventhub://ns/;SharedAccessSignature=pa55;EntityPath=e", "transport=https only");
	refuse("eventhub://ns/" PAIRS "?transport=amqp", "kafka or https");
	refuse("eventhub://ns/" PAIRS "?endpoint=pa55:x", "host:port");
	refuse("eventhub://ns/" PAIRS "?message-max=12", "message-max");
	refuse("eventhub://ns/" PAIRS "?colour=pa55", "not known");
	refuse("eventhub://ns/" PAIRS "?rd.acks=0", "rd.acks cannot be set");
}

static void
the_transport_never_changes_silently(void **state)
{
	(void)state;
	refuse("eventhub://ns/" PAIRS "?transport=https&rd.linger.ms=5", "goes with transport=kafka");
	refuse("eventhub://ns/" PAIRS "?batch=0", "goes with transport=https");
	refuse("eventhub://ns/" PAIRS "?connections=5", "goes with transport=https");
	refuse("eventhub://ns/" PAIRS ";UseDevelopmentEmulator=true?transport=https", "emulator");
	refuse("eventhub://ns/" PAIRS "?transport=https&message-max=2000000", "at most");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(h71_messages_equal_the_vectors_byte_for_byte),
		cmocka_unit_test(partitions_are_those_that_the_service_would_choose),
		cmocka_unit_test(h71_company_and_location_are_the_rows),
		cmocka_unit_test(a_batch_is_json_whose_bodies_are_the_events_as_text),
		cmocka_unit_test(headers_of_a_single_event_are_ascii_and_one_line),
		cmocka_unit_test(each_key_has_a_lane_in_stream_order_of_what_is_not_stored_yet),
		cmocka_unit_test(signatures_equal_the_vectors),
		cmocka_unit_test(a_url_becomes_the_connection_string_it_was_made_of),
		cmocka_unit_test(the_key_is_text_with_all_its_signs),
		cmocka_unit_test(the_kafka_endpoint_gets_the_documented_settings),
		cmocka_unit_test(options_stand_behind_a_question_mark),
		cmocka_unit_test(what_is_missing_or_contradicts_is_said),
		cmocka_unit_test(the_transport_never_changes_silently),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
