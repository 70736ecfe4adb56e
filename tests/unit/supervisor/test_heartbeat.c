/* The heartbeat against the golden bytes. */

#include "tests/support/cmocka_all.h"

#include <jansson.h>

#include "supervisor/hq/heartbeat.h"

static double
number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	assert_true(json_is_number(v));
	return json_number_value(v);
}

static void
fill(struct heartbeat *h, const json_t *doc)
{
	const json_t *stats = json_object_get(doc, "stats"), *metrics = json_object_get(stats, "metrics");
	const json_t *memory = json_object_get(stats, "memory"), *load = json_object_get(stats, "load");

	*h = (struct heartbeat){ .session_id = json_string_value(json_object_get(doc, "sessionId")) };
	h->offset = (int64_t)number(doc, "offset");
	h->uptime_s = (int64_t)number(doc, "uptime");
	h->flush_count = number(metrics, "flushCount");
	h->flush_duration = number(metrics, "flushDuration");
	h->processing_duration = number(metrics, "processingDuration");
	h->pending_events = number(metrics, "pendingEvents");
	h->total_events = number(metrics, "totalEvents");
#define MEM(name) h->memory.name = (uint64_t)number(memory, #name);
#include "supervisor/hq/heartbeat_memory.def"
#undef MEM
	h->memory.used_percent = number(memory, "usedPercent");
	h->load1 = number(load, "load1");
	h->load5 = number(load, "load5");
	h->load15 = number(load, "load15");
}

static void
bytes_are(const char *name, int64_t paused_ns)
{
	json_t *root = json_load_file("tests/vectors/msgpack.json", 0, NULL);
	const json_t *vector = json_object_get(root, name);
	struct heartbeat h;
	struct buf bytes = { 0 }, hex = { 0 };

	assert_non_null(vector);
	fill(&h, json_object_get(vector, "json"));
	h.paused_ns = paused_ns;
	heartbeat_encode(&h, &bytes);
	buf_hex(&hex, bytes.data, bytes.len);
	assert_string_equal(buf_cstr(&hex), json_string_value(json_object_get(vector, "msgpackHex")));
	buf_free(&bytes);
	buf_free(&hex);
	json_decref(root);
}

static void
a_running_server_sends_the_golden_bytes(void **state)
{
	(void)state;
	bytes_are("heartbeat_running", 0);
}

static void
a_paused_server_sends_the_golden_bytes(void **state)
{
	(void)state;
	bytes_are("heartbeat_paused", INT64_C(1720549683697080000));
}

static void
the_header_block_is_the_golden_one(void **state)
{
	json_t *root = json_load_file("tests/vectors/misc.json", 0, NULL);
	struct buf header = { 0 };

	(void)state;
	heartbeat_header(&header, "3325a2a3ec01f355");
	assert_string_equal(buf_cstr(&header), json_string_value(json_object_get(root, "heartbeatHeader")));
	buf_free(&header);
	json_decref(root);
}

static void
meminfo_is_read_in_bytes_with_counters_as_they_are(void **state)
{
	struct heartbeat_memory m;

	(void)state;
	heartbeat_parse_meminfo(&m, SLICE("MemTotal:       1000 kB\nMemAvailable:    250 kB\nMemFree:  100 kB\nCached: 10 kB\n"
	    "SReclaimable:       5 kB\nHugePages_Total:       3\nHugepagesize:       2048 kB\nCommitted_AS: 7 kB\n"
	    "Odd line\nEmpty:\nActive(anon): 9 kB\nMapped: x kB\n"));
	assert_int_equal(m.total, 1000 * 1024);
	assert_int_equal(m.available, 250 * 1024);
	assert_int_equal(m.used, 750 * 1024);
	assert_true(m.used_percent == 75);
	assert_int_equal(m.free, 100 * 1024);
	assert_int_equal(m.cached, 15 * 1024);
	assert_int_equal(m.sreclaimable, 5 * 1024);
	assert_int_equal(m.hugePagesTotal, 3);
	assert_int_equal(m.hugePageSize, 2048 * 1024);
	assert_int_equal(m.committedAS, 7 * 1024);
	assert_int_equal(m.active, 0);
	assert_int_equal(m.mapped, 0);
	heartbeat_parse_meminfo(&m, SLICE(""));
	assert_int_equal(m.total, 0);
	assert_true(m.used_percent == 0);
}

static void
this_machine_has_memory(void **state)
{
	struct heartbeat h = { 0 };

	(void)state;
	heartbeat_read_machine(&h);
	assert_true(h.memory.total > 0);
	assert_true(h.memory.used <= h.memory.total);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_server_sends_the_golden_bytes),
		cmocka_unit_test(a_paused_server_sends_the_golden_bytes),
		cmocka_unit_test(the_header_block_is_the_golden_one),
		cmocka_unit_test(meminfo_is_read_in_bytes_with_counters_as_they_are),
		cmocka_unit_test(this_machine_has_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
