/* The Kafka driver without a broker: bytes, partitions, URLs, tokens. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "drivers/kafka/kafka_message.h"
#include "drivers/kafka/kafka_token.h"
#include "drivers/kafka/kafka_url.h"
#include "tests/support/vectors.h"

/* ---- messages */

static void
render(struct event *ev, struct slice payload, struct buf *scratch, struct producer_message *m)
{
	struct err	 err;

	*m = (struct producer_message){ .n_headers = 0 };
	buf_reset(scratch);
	if (event_parse(ev, payload, &err) == -1)
		fail_msg("%s", err.text);
	kafka_render(ev, scratch, m);
}

static void
messages_equal_the_vectors_byte_for_byte(void **state)
{
	json_t		*root = vectors_load("tests/vectors/kafka-messages.json"), *one;
	struct event	 ev = { 0 };
	struct buf	 scratch = { 0 };
	struct producer_message m;
	size_t		 i;

	(void)state;
	assert_true(json_array_size(json_object_get(root, "messages")) >= 5);
	json_array_foreach(json_object_get(root, "messages"), i, one) {
		const json_t	*header = json_object_get(one, "header");
		json_t		*partition;
		const char	*count;

		render(&ev, vectors_str(one, "event"), &scratch, &m);
		assert_slice(m.key, vectors_str(one, "messageKey"));
		assert_slice(m.value, vectors_str(one, "value"));
		assert_int_equal(m.n_headers, 1);
		assert_slice(slice_of(m.headers[0].name), vectors_str(header, "key"));
		assert_slice(m.headers[0].value, vectors_str(header, "value"));
		json_object_foreach(json_object_get(one, "partitionByCount"), count, partition)
			assert_int_equal(kafka_partition(m.hash, atoi(count)), json_integer_value(partition));
	}
	event_free(&ev);
	buf_free(&scratch);
	json_decref(root);
}

static void
partitions_equal_the_vectors(void **state)
{
	json_t		*root = vectors_load("tests/vectors/hashes.json"), *one, *partition;
	struct event	 ev = { 0 };
	struct buf	 scratch = { 0 };
	struct producer_message m;
	const char	*count;
	size_t		 i, n = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "kafkaPartition"), i, one) {
		struct slice	 rest = vectors_str(one, "partitionKey"), table, company, location;
		struct buf	 text = { 0 };

		(void)slice_cut(&rest, '.', &table);
		(void)slice_cut(&rest, '.', &company);
		if (!slice_cut(&rest, '.', &location) || rest.n == 0)
			continue;		/* no event is without a primary key */
		buf_printf(&text, "{\"operation\":\"DELETE\",\"table\":\"%.*s\",\"companyId\":\"%.*s\",\"locationId\":\"%.*s\","
		    "\"key\":[\"%.*s\"]}", SLICE_ARG(table), SLICE_ARG(company), SLICE_ARG(location), SLICE_ARG(rest));
		render(&ev, buf_slice(&text), &scratch, &m);
		assert_int_equal(m.hash, json_integer_value(json_object_get(one, "fnv1a32OfHex")));
		json_object_foreach(json_object_get(one, "partitionByCount"), count, partition)
			assert_int_equal(kafka_partition(m.hash, atoi(count)), json_integer_value(partition));
		buf_free(&text);
		n++;
	}
	assert_true(n >= 5);
	event_free(&ev);
	buf_free(&scratch);
	json_decref(root);
}

static void
h71_company_and_location_are_the_envelopes_and_the_key_ends_with_the_events_id(void **state)
{
	struct event	 ev = { 0 };
	struct buf	 scratch = { 0 };
	struct producer_message m;

	(void)state;
	render(&ev, SLICE("{\"operation\":\"UPDATE\",\"id\":\"e9\",\"table\":\"order\",\"key\":[\"r\",\"o-1\"],\"companyId\":\"c1\","
	    "\"locationId\":\"\",\"after\":{\"id\":\"o-1\",\"companyId\":\"row\",\"locationId\":\"row\"}}"), &scratch, &m);
	assert_slice(m.key, SLICE("dbchange.order.UPDATE.c1.NONE.e9"));
	assert_slice(m.headers[0].value, SLICE("order.c1.NONE.o-1"));
	event_free(&ev);
	buf_free(&scratch);
}

/* What the import makes of a row, and what streaming makes of the same row's next change. */
static void
h24_imported_rows_have_keys_of_their_own_and_the_partition_of_streamed_ones(void **state)
{
	static const char form[] = "{\"operation\":\"%s\",\"id\":\"%s\",\"table\":\"order\",\"key\":[\"%s\"],\"modelVersion\":\"m\","
	    "\"companyId\":\"c1\",\"locationId\":\"l1\",\"after\":{\"id\":\"%s\"},\"timestamp\":1,\"mvccTimestamp\":\"1\"%s}";
	struct event	 ev = { 0 };
	struct buf	 scratch = { 0 }, text = { 0 }, first = { 0 }, partition = { 0 };
	struct producer_message m;
	uint32_t	 hash;

	(void)state;
	buf_printf(&text, form, "INSERT", "i1", "o-1", "o-1", ",\"imported\":true");
	render(&ev, buf_slice(&text), &scratch, &m);
	buf_adds_slice(&first, m.key);
	buf_adds_slice(&partition, m.headers[0].value);
	hash = m.hash;
	assert_true(memmem(m.value.p, m.value.n, ",\"imported\":true}", 17) != NULL);
	buf_reset(&text);
	buf_printf(&text, form, "INSERT", "i2", "o-2", "o-2", ",\"imported\":true");
	render(&ev, buf_slice(&text), &scratch, &m);
	assert_false(slice_eq(m.key, buf_slice(&first)));
	buf_reset(&text);
	buf_printf(&text, form, "UPDATE", "e1", "o-1", "o-1", "");
	render(&ev, buf_slice(&text), &scratch, &m);
	assert_slice(m.headers[0].value, buf_slice(&partition));
	assert_int_equal(m.hash, hash);
	event_free(&ev);
	buf_free(&scratch);
	buf_free(&text);
	buf_free(&first);
	buf_free(&partition);
}

/* ---- URLs */

static void
refuse(const char *text, const char *because)
{
	struct kafka_url url;
	struct err	 err = { 0 };

	if (kafka_url_parse(&url, text, &err) == 0) {
		kafka_url_free(&url);
		fail_msg("%s was accepted", text);
	}
	if (strstr(err.text, because) == NULL)
		fail_msg("%s: \"%s\" does not speak of %s", text, err.text, because);
	assert_null(strstr(err.text, "pa55"));
}

static void
expect(const char *text, const char *topic, const char *const (*want)[2])
{
	struct kafka_url url;
	struct err	 err = { 0 };

	if (kafka_url_parse(&url, text, &err) == -1)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(url.topic, topic);
	for (; (*want)[0] != NULL; want++) {
		const char *got = props_get(&url.props, (*want)[0]);

		if (got == NULL ? (*want)[1] != NULL : (*want)[1] == NULL || strcmp(got, (*want)[1]) != 0)
			fail_msg("%s: %s is %s instead of %s", text, (*want)[0], got, (*want)[1]);
	}
	kafka_url_free(&url);
}
#define EXPECT(text, topic, ...)	expect(text, topic, (const char *const [][2]){ __VA_ARGS__, { NULL, NULL } })

static void
a_plain_url_means_what_it_meant_before(void **state)
{
	(void)state;
	EXPECT("kafka://kafka:9092/topic", "topic", { "bootstrap.servers", "kafka:9092" }, { "security.protocol", "plaintext" },
	    { "compression.codec", NULL }, { "acks", "all" });
	EXPECT("KAFKA://kafka/t.o_p-ic9", "t.o_p-ic9", { "bootstrap.servers", "kafka:9092" });
}

static void
every_event_is_sent_until_it_is_confirmed_by_all_and_in_order(void **state)
{
	(void)state;
	EXPECT("kafka://k/t", "t", { "acks", "all" }, { "enable.idempotence", "true" }, { "message.timeout.ms", "0" });
}

static void
h77_several_brokers_are_a_list(void **state)
{
	(void)state;
	EXPECT("kafka://b1:9092,b2:9093/topic", "topic", { "bootstrap.servers", "b1:9092,b2:9093" });
	EXPECT("kafka://b1:19092,b2,b-3.example.com/topic", "topic", { "bootstrap.servers", "b1:19092,b2:9092,b-3.example.com:9092" });
	EXPECT("kafka://[::1]:1,[fe80::2]/topic", "topic", { "bootstrap.servers", "[::1]:1,[fe80::2]:9092" });
	refuse("kafka:///topic", "a broker is required");
	refuse("kafka://b1,,b2/topic", "host:port");
	refuse("kafka://b1:0/topic", "host:port");
	refuse("kafka://b1:65536/topic", "host:port");
	refuse("kafka://b1:x,b2:9092/topic", "host:port");
	refuse("kafka://b 1/topic", "host:port");
	refuse("kafka://[::1/topic", "host:port");
	refuse("kafka://[::1]9/topic", "host:port");
}

static void
h77_tls_and_passwords_are_parameters(void **state)
{
	(void)state;
	EXPECT("kafka://k/t?tls=1", "t", { "security.protocol", "ssl" }, { "sasl.mechanism", NULL });
	EXPECT("kafka://k/t?ca=/etc/ca.pem&cert=c&key=k&key-password=pa55", "t", { "security.protocol", "ssl" },
	    { "ssl.ca.location", "/etc/ca.pem" }, { "ssl.certificate.location", "c" }, { "ssl.key.location", "k" },
	    { "ssl.key.password", "pa55" });
	EXPECT("kafka://u:pa%2F55@k/t?tls=1", "t", { "security.protocol", "sasl_ssl" }, { "sasl.mechanism", "PLAIN" },
	    { "sasl.username", "u" }, { "sasl.password", "pa/55" });
	EXPECT("kafka://u:p@x@k/t?tls=0&sasl=scram-sha-512", "t", { "security.protocol", "sasl_plaintext" },
	    { "sasl.mechanism", "SCRAM-SHA-512" }, { "sasl.password", "p@x" }, { "bootstrap.servers", "k:9092" });
	EXPECT("kafka://k/t?tls=1&sasl=oauthbearer&token-file=/run/token", "t", { "sasl.mechanism", "OAUTHBEARER" });
	EXPECT("kafka://k/t?compression=lz4&message-max=5000000", "t", { "compression.codec", "lz4" },
	    { "message.max.bytes", "5000000" });
}

static void
credentials_are_not_sent_unencrypted_unless_the_url_says_so(void **state)
{
	(void)state;
	refuse("kafka://u:pa55@k/t", "tls=0");
	refuse("kafka://u:pa55@k/t?tls=maybe", "1 or 0");
	refuse("kafka://u:pa55@k/t?tls=0&ca=x", "ca in the URL");
	refuse("kafka://k/t?tls=1&sasl=plain", "user:password@");
	refuse("kafka://u@k/t?tls=1", "user:password@");
	refuse("kafka://u:pa55@k/t?tls=1&sasl=magic", "oauthbearer");
	refuse("kafka://u:pa55@k/t?tls=1&token-file=x", "oauthbearer");
}

static void
a_topic_that_cannot_exist_is_said_at_once(void **state)
{
	struct buf	 url = { 0 };

	(void)state;
	refuse("kafka://k", "requires a path which is the topic");
	refuse("kafka://k/", "requires a path which is the topic");
	refuse("kafka://k/a/b", "cannot exist");
	refuse("kafka://k/a%20b", "cannot exist");
	refuse("kafka://k/..", "cannot exist");
	refuse("kafka://k/t%C3%B6pic", "cannot exist");
	buf_adds(&url, "kafka://k/");
	for (int i = 0; i < 250; i++)
		buf_addc(&url, 'x');
	refuse(buf_cstr(&url), "cannot exist");
	buf_free(&url);
}

static void
any_property_can_be_set_but_those_that_promises_rest_on(void **state)
{
	(void)state;
	EXPECT("kafka://k/t?rd.linger.ms=50&rd.client.id=shop", "t", { "linger.ms", "50" }, { "client.id", "shop" });
	EXPECT("kafka://k/t?rd.enable.idempotence=false", "t", { "enable.idempotence", "false" },
	    { "max.in.flight.requests.per.connection", "1" }, { "acks", "all" });
	refuse("kafka://k/t?rd.acks=1", "rd.acks cannot be set");
	refuse("kafka://k/t?rd.request.required.acks=0", "cannot be set");
	refuse("kafka://k/t?rd.message.timeout.ms=1000", "would be lost");
	refuse("kafka://k/t?rd.delivery.timeout.ms=1000", "would be lost");
	refuse("kafka://k/t?rd.retries=0", "would be lost");
	refuse("kafka://k/t?rd.max.in.flight=100", "order");
	refuse("kafka://k/t?rd.partitioner=random", "partition");
	refuse("kafka://k/t?rd.bootstrap.servers=x", "in the URL itself");
	refuse("kafka://k/t?rd.test.mock.num.brokers=3", "mock");
	refuse("kafka://k/t?rd.plugin.library.paths=/tmp/x.so", "load");
	refuse("kafka://k/t?rd.enable.idempotence=perhaps", "true or false");
}

static void
what_the_library_does_not_know_is_refused_without_a_secret_in_the_text(void **state)
{
	(void)state;
	refuse("kafka://k/t?rd.linger.ms=soon", "linger.ms");
	refuse("kafka://k/t?rd.no.such.property=pa55", "no property");
	refuse("kafka://k/t?rd.pa55=1", "no property");
	refuse("kafka://k/t?tls=1;", "cannot be read");
	refuse("kafka://k/t?tls=1%", "cannot be read");
	refuse("kafka://k/t?tsl=1", "not known here");
	refuse("kafka://k/t?compression=pa55", "compression.codec");
	refuse("kafka", "kafka://broker");
}

/* ---- tokens */

#define BASE64URL_EXP	"eyJzdWIiOiJlZHMiLCJleHAiOjE4OTM0NTYwMDB9"	/* {"sub":"eds","exp":1893456000} */

static void
a_token_says_when_it_ends(void **state)
{
	struct err	 err = { 0 };
	int64_t		 ms = 0;

	(void)state;
	assert_int_equal(kafka_token_expiry(SLICE("eyJhbGciOiJub25lIn0." BASE64URL_EXP "."), &ms, &err), 0);
	assert_int_equal(ms, 1893456000000);
	assert_int_equal(kafka_token_expiry(SLICE("pa55"), &ms, &err), -1);
	assert_non_null(strstr(err.text, "not a JSON web token"));
	assert_int_equal(kafka_token_expiry(SLICE("e30.e30."), &ms, &err), -1);
	assert_non_null(strstr(err.text, "exp"));
	assert_int_equal(kafka_token_expiry(SLICE("e30.eyJleHAiOiI1In0."), &ms, &err), -1);
}

static void
a_token_file_that_is_not_there_is_named(void **state)
{
	struct err	 err = { 0 };
	char		*token = NULL;
	int64_t		 ms;

	(void)state;
	assert_int_equal(kafka_token_read("/nonexistent/token", &token, &ms, &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/token"));
	assert_null(token);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_equal_the_vectors_byte_for_byte),
		cmocka_unit_test(partitions_equal_the_vectors),
		cmocka_unit_test(h71_company_and_location_are_the_envelopes_and_the_key_ends_with_the_events_id),
		cmocka_unit_test(h24_imported_rows_have_keys_of_their_own_and_the_partition_of_streamed_ones),
		cmocka_unit_test(a_plain_url_means_what_it_meant_before),
		cmocka_unit_test(every_event_is_sent_until_it_is_confirmed_by_all_and_in_order),
		cmocka_unit_test(h77_several_brokers_are_a_list),
		cmocka_unit_test(h77_tls_and_passwords_are_parameters),
		cmocka_unit_test(credentials_are_not_sent_unencrypted_unless_the_url_says_so),
		cmocka_unit_test(a_topic_that_cannot_exist_is_said_at_once),
		cmocka_unit_test(any_property_can_be_set_but_those_that_promises_rest_on),
		cmocka_unit_test(what_the_library_does_not_know_is_refused_without_a_secret_in_the_text),
		cmocka_unit_test(a_token_says_when_it_ends),
		cmocka_unit_test(a_token_file_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
