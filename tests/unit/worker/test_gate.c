/* What is held back is said once for each table and reason, without anything of the row. */

#include <stdio.h>

#include "tests/support/cmocka_all.h"
#include "worker/gate.h"

struct heard {
	size_t	 n;
	char	 last[600];
	enum log_level level;
};

static void
hear(void *arg, enum log_level level, const char *prefix, const char *text, const char *json)
{
	struct heard	*h = arg;

	(void)prefix;
	(void)json;
	h->n++;
	h->level = level;
	(void)snprintf(h->last, sizeof(h->last), "%s", text);
}

static enum rules_result
offer(struct gate *g, const char *table, const char *key, uint64_t seq)
{
	struct arena		 paths = { 0 };
	struct event		 ev = { .op = EVENT_INSERT };
	struct slice		 path;
	struct err		 err;
	char			 text[200];
	const char		*why;
	enum rules_result	 result;

	(void)snprintf(text, sizeof(text), "{\"operation\":\"INSERT\",\"table\":\"%s\",\"key\":[\"%s\"],\"after\":{\"id\":\"%s\"}}", table, key, key);
	assert_int_equal(event_parse(&ev, slice_of(text), &err), 0);
	result = gate_check(g, &ev, "event", seq, &paths, &path, &why);
	arena_free(&paths);
	event_free(&ev);
	return result;
}

static void
a_reason_is_said_once_for_each_table(void **state)
{
	static const char	 rules[] = "{\"folders\":[\"/r\"],\"config\":{\"t\":{\"schema\":\"s.json\"},\"u\":{\"schema\":\"s.json\"}},"
	    "\"files\":{\"s.json\":{\"properties\":{\"key\":{\"items\":{\"enum\":[\"good\"]}}}}}}";
	struct heard		 heard = { 0 };
	struct gate		*g = NULL;
	struct log		 log;
	struct err		 err;

	(void)state;
	log_init(LOG_INFO, false, NULL);
	log_sink_set(hear, &heard);
	log_make(&log, "shop", NULL);
	assert_int_equal(gate_new(&g, SLICE(rules), &log, &err), 0);
	assert_int_equal(offer(g, "t", "good", 1), RULES_FIT);
	assert_int_equal(heard.n, 0);
	assert_int_equal(offer(g, "t", "secret", 2), RULES_DIFFER);
	assert_string_equal(heard.last, "event 2 of table t is not delivered, nor will others like it be: does not fit its schema "
	    "(s.json#/properties/key/items/enum)");
	assert_int_equal(heard.level, LOG_WARN);
	assert_int_equal(offer(g, "t", "secret", 3), RULES_DIFFER);
	assert_int_equal(heard.n, 1);
	assert_int_equal(offer(g, "u", "secret", 4), RULES_DIFFER);
	assert_int_equal(heard.n, 2);
	assert_int_equal(offer(g, "v", "good", 5), RULES_NONE);
	assert_string_equal(heard.last, "event 5 of table v is not delivered, nor will others like it be: no rule for its table "
	    "(add one to config.json if they are wanted)");
	assert_int_equal(heard.level, LOG_INFO);
	/* a while later */
	g->complaints[0].again = 0;
	assert_int_equal(offer(g, "t", "secret", 6), RULES_DIFFER);
	assert_string_equal(heard.last, "event 6 of table t is not delivered, as 1 before it: does not fit its schema "
	    "(s.json#/properties/key/items/enum)");
	assert_int_equal(heard.n, 4);
	log_sink_set(NULL, NULL);
	gate_free(&g);
}

static void
many_tables_do_not_flood_the_log(void **state)
{
	struct heard		 heard = { 0 };
	struct gate		*g = NULL;
	struct log		 log;
	struct err		 err;
	char			 table[20];

	(void)state;
	log_sink_set(hear, &heard);
	log_make(&log, "shop", NULL);
	assert_int_equal(gate_new(&g, SLICE("{\"folders\":[\"/r\"],\"config\":{},\"files\":{}}"), &log, &err), 0);
	for (unsigned i = 0; i < 2 * GATE_COMPLAINTS; i++) {
		(void)snprintf(table, sizeof(table), "t%u", i);
		assert_int_equal(offer(g, table, "k", i), RULES_NONE);
	}
	assert_int_equal(heard.n, GATE_COMPLAINTS);
	log_sink_set(NULL, NULL);
	gate_free(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reason_is_said_once_for_each_table),
		cmocka_unit_test(many_tables_do_not_flood_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
