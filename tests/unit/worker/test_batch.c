/* When a batch is taken, what is in it, and how long a failure is waited for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/batch.h"
#include "worker/retry.h"

static struct batch_rules
rules_of(uint64_t events, uint64_t bytes, uint64_t min_ms, uint64_t max_ms)
{
	static const struct drv_batching driver = { .events = 100, .bytes = 10000 };
	const struct ipc_configure_body	 c = { .batch_events = events, .batch_bytes = bytes, .min_latency_ms = min_ms,
		.max_latency_ms = max_ms };
	struct batch_rules		 rules;

	batch_rules_make(&rules, &driver, &c);
	return rules;
}

static void
add(struct intake *in, uint64_t seq, const char *payload, uint64_t now_us)
{
	struct ipc_event	 ev = { seq, SLICE("s"), slice_of(payload) };
	struct err		 err;

	assert_int_equal(intake_add(in, &ev, now_us, &err), 0);
}

static void
add_good(struct intake *in, uint64_t seq)
{
	char	 text[200];

	(void)snprintf(text, sizeof(text), "{\"operation\":\"DELETE\",\"id\":\"e\",\"table\":\"t\",\"key\":[\"k%d\"],"
	    "\"before\":{},\"timestamp\":1,\"mvccTimestamp\":\"1\"}", (int)seq);
	add(in, seq, text, 1);
}

static void
the_stricter_limit_counts_and_0_is_none(void **state)
{
	struct batch_rules	 r = rules_of(0, 0, 0, 0);

	(void)state;
	assert_int_equal(r.events, 100);
	assert_int_equal(r.bytes, 10000);
	assert_int_equal(r.linger_us, 0);
	r = rules_of(7, 70, 20, 0);
	assert_int_equal(r.events, 7);
	assert_int_equal(r.bytes, 70);
	assert_int_equal(r.linger_us, 20000);
	r = rules_of(700, 70000, 20, 5);
	assert_int_equal(r.events, 100);
	assert_int_equal(r.bytes, 10000);
	assert_int_equal(r.linger_us, 5000);
}

static void
the_longer_wait_counts_but_never_beyond_max_latency(void **state)
{
	const struct drv_batching	 patient = { .events = 100, .bytes = 10000, .linger_ms = 30 };
	struct batch_rules		 r;

	(void)state;
	batch_rules_make(&r, &patient, &(struct ipc_configure_body){ .min_latency_ms = 20 });
	assert_int_equal(r.linger_us, 30000);
	batch_rules_make(&r, &patient, &(struct ipc_configure_body){ .min_latency_ms = 50 });
	assert_int_equal(r.linger_us, 50000);
	batch_rules_make(&r, &patient, &(struct ipc_configure_body){ .max_latency_ms = 10 });
	assert_int_equal(r.linger_us, 10000);
}

static void
h08_a_lone_event_is_due_at_once(void **state)
{
	struct batch_rules	 r = rules_of(0, 0, 0, 30000);
	struct intake		*in = intake_new(100, 1000);

	(void)state;
	assert_true(batch_wait_us(&r, in, 5, false) == UINT64_MAX);
	add(in, 1, "x", 5);
	assert_int_equal(batch_wait_us(&r, in, 5, false), 0);
	intake_free(&in);
}

static void
a_floor_holds_until_age_size_or_hurry(void **state)
{
	struct batch_rules	 r = rules_of(3, 10, 2, 0);
	struct intake		*in = intake_new(100, 1000);

	(void)state;
	assert_true(batch_wait_us(&r, in, 1000, true) == UINT64_MAX);
	add(in, 1, "xxx", 1000);
	assert_int_equal(batch_wait_us(&r, in, 1000, false), 2000);
	assert_int_equal(batch_wait_us(&r, in, 2500, false), 500);
	assert_int_equal(batch_wait_us(&r, in, 3000, false), 0);
	assert_int_equal(batch_wait_us(&r, in, 9000, false), 0);
	assert_int_equal(batch_wait_us(&r, in, 1000, true), 0);
	add(in, 2, "xxx", 1500);
	assert_int_equal(batch_wait_us(&r, in, 1500, false), 1500);	/* the oldest counts */
	add(in, 3, "", 1500);
	assert_int_equal(batch_wait_us(&r, in, 1500, false), 0);	/* as many as fit */
	intake_free(&in);
	in = intake_new(100, 1000);
	add(in, 1, "xxxxxx", 1000);
	add(in, 2, "xxxxxx", 1000);
	assert_int_equal(batch_wait_us(&r, in, 1000, false), 0);	/* the bytes are used up */
	intake_free(&in);
}

static void
note_refused(void *arg, const struct held *h, const struct err *err)
{
	struct buf	*notes = arg;

	assert_int_equal(err->code, ERR_INVALID);
	buf_printf(notes, "%d ", (int)h->seq);
}

static void
assert_live(const struct batch *b, const char *expected)
{
	struct buf	 got = { 0 };
	size_t		 bytes = 0;

	for (size_t i = 0; i < b->n_live; i++) {
		char key[8];

		buf_printf(&got, "%d ", (int)b->live[i].seq);
		(void)snprintf(key, sizeof(key), "k%d", (int)b->live[i].seq);
		assert_true(slice_is(b->live[i].ev->primary_key, key));
		assert_int_equal(batch_origin(b, i)->seq, b->live[i].seq);
		bytes += b->live[i].payload.n;
	}
	assert_string_equal(buf_cstr(&got), expected);
	assert_int_equal(b->live_bytes, bytes);
	buf_free(&got);
}

static void
malformed_events_are_told_apart_and_others_can_be_removed(void **state)
{
	struct batch_rules	 r = rules_of(0, 0, 0, 0);
	struct intake		*in = intake_new(100, 100000);
	struct batch		 b = { 0 };
	struct buf		 refused = { 0 };
	struct skip		 none = { 0 };
	struct err		 err;

	(void)state;
	for (int round = 0; round < 3; round++) {
		add(in, 1, "{", 1);
		for (uint64_t seq = 2; seq <= 5; seq++)
			add_good(in, seq);
		add(in, 6, "[]", 1);
		assert_int_equal(batch_take(&b, in, &r, &err), 0);
		assert_int_equal(b.n, 6);
		assert_int_equal(intake_events(in), 0);
		buf_reset(&refused);
		assert_int_equal(batch_parse(&b, &none, NULL, note_refused, &refused, &err), 0);
		assert_string_equal(buf_cstr(&refused), "1 6 ");
		assert_live(&b, "2 3 4 5 ");
		batch_remove(&b, 1);
		assert_live(&b, "2 4 5 ");
		batch_remove(&b, 2);
		assert_live(&b, "2 4 ");
		batch_remove(&b, 0);
		batch_remove(&b, 0);
		assert_live(&b, "");
		batch_done(&b, in);
		assert_int_equal(b.n, 0);
	}
	buf_free(&refused);
	batch_free(&b);
	intake_free(&in);
}

/* Held back: seen by nobody but the log, and counted per reason; the others keep their order. */
static void
what_the_rules_hold_back_is_counted_and_not_live(void **state)
{
	static const char	 rules[] = "{\"folders\":[\"/r\"],\"config\":{\"t\":{\"schema\":\"s.json\",\"path\":\"x/{{index .key 0}}\"}},"
	    "\"files\":{\"s.json\":{\"properties\":{\"key\":{\"items\":{\"pattern\":\"^k[1-4]$\"},\"not\":{\"type\":\"array\",\"contains\":{\"const\":\"k2\"}}}}}}}";
	struct batch_rules	 r = rules_of(0, 0, 0, 0);
	struct intake		*in = intake_new(100, 100000);
	struct gate		*gate = NULL;
	struct batch		 b = { 0 };
	struct buf		 refused = { 0 };
	struct skip		 none = { 0 };
	struct log		 log;
	struct err		 err;

	(void)state;
	log_init(LOG_ERROR, false, NULL);
	log_make(&log, "test", NULL);
	assert_int_equal(gate_new(&gate, SLICE(rules), &log, &err), 0);
	for (int round = 0; round < 3; round++) {
		for (uint64_t seq = 1; seq <= 5; seq++)
			add_good(in, seq);
		add(in, 6, "{\"operation\":\"DELETE\",\"table\":\"u\",\"key\":[\"k1\"]}", 1);
		/* without a key there is no path */
		add(in, 7, "{\"operation\":\"INSERT\",\"table\":\"t\",\"after\":{\"id\":\"1\"}}", 1);
		assert_int_equal(batch_take(&b, in, &r, &err), 0);
		assert_int_equal(batch_parse(&b, &none, gate, note_refused, &refused, &err), 0);
		assert_live(&b, "1 3 4 ");
		assert_true(slice_is(b.live[0].path, "x/k1") && slice_is(b.live[2].path, "x/k4"));
		assert_int_equal(b.held_back[RULES_FIT], 3);
		assert_int_equal(b.held_back[RULES_NONE], 1);
		assert_int_equal(b.held_back[RULES_DIFFER], 2);
		assert_int_equal(b.held_back[RULES_FAILED], 1);
		batch_done(&b, in);
	}
	assert_int_equal(refused.len, 0);
	buf_free(&refused);
	gate_free(&gate);
	batch_free(&b);
	intake_free(&in);
}

static void
a_batch_is_no_larger_than_the_rules_allow(void **state)
{
	struct batch_rules	 r = rules_of(4, 0, 0, 0);
	struct intake		*in = intake_new(100, 100000);
	struct batch		 b = { 0 };
	struct err		 err;

	(void)state;
	for (uint64_t seq = 1; seq <= 6; seq++)
		add_good(in, seq);
	assert_int_equal(batch_take(&b, in, &r, &err), 0);
	assert_int_equal(b.n, 4);
	assert_int_equal(b.held[3].seq, 4);
	batch_done(&b, in);
	assert_int_equal(batch_take(&b, in, &r, &err), 0);
	assert_int_equal(b.n, 2);
	assert_int_equal(b.held[0].seq, 5);
	batch_done(&b, in);
	batch_free(&b);
	intake_free(&in);
}

static void
pauses_double_up_to_a_limit_with_jitter(void **state)
{
	uint64_t	 expected = RETRY_FIRST_MS, different = 0, previous = 0;
	struct retry	 r = { 0 };

	(void)state;
	for (uint64_t i = 1; i <= 40; i++) {
		uint64_t pause = retry_failed(&r);

		assert_int_equal(r.attempts, i);
		assert_true(pause <= expected);
		assert_true(pause >= expected / 2);
		if (expected == RETRY_MOST_MS)
			different += pause != previous;
		previous = pause;
		expected = expected * 2 > RETRY_MOST_MS ? RETRY_MOST_MS : expected * 2;
	}
	assert_int_equal(expected, RETRY_MOST_MS);
	assert_true(different > 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_stricter_limit_counts_and_0_is_none),
		cmocka_unit_test(the_longer_wait_counts_but_never_beyond_max_latency),
		cmocka_unit_test(h08_a_lone_event_is_due_at_once),
		cmocka_unit_test(a_floor_holds_until_age_size_or_hurry),
		cmocka_unit_test(malformed_events_are_told_apart_and_others_can_be_removed),
		cmocka_unit_test(what_the_rules_hold_back_is_counted_and_not_live),
		cmocka_unit_test(a_batch_is_no_larger_than_the_rules_allow),
		cmocka_unit_test(pauses_double_up_to_a_limit_with_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
