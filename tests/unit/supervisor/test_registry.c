/* Schemas of table versions: fetched once, kept for good, unknown and unavailable told apart. */

#include "tests/support/http_script.h"

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/base/log.h"
#include "supervisor/hq/registry.h"

#define LABOR	"{\"properties\":{\"id\":{\"type\":\"string\"}},\"required\":[\"id\"],\"primaryKeys\":[\"id\"],\"table\":\"labor_rate\"," \
		"\"modelVersion\":\"aa11\"}"
#define LATEST	"{\"laborRate\":" LABOR ",\"broken\":{\"table\":\"x\"}}"

struct fixture {
	char			 dir[64];
	struct ev_loop		*loop;
	struct http		*http;
	struct http_script	 hq;
	struct store		*store;
	struct registry		*registry;
	unsigned		 answers;
	enum registry_result	 result;
	char			 text[1000];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = { 0 };

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/eds-registry.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->loop = ev_loop_new(0);
	assert_int_equal(http_new(&f->http, f->loop, &err), 0);
	http_script_start(&f->hq);
	if (store_open(&f->store, f->dir, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(registry_new(&f->registry, f->loop, f->http, f->store, f->hq.url, &err), 0);
	log_init(LOG_ERROR, false, NULL);
	*state = f;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	registry_free(&f->registry);
	http_free(&f->http);
	http_script_free(&f->hq);
	store_close(&f->store);
	ev_loop_destroy(f->loop);
	(void)nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static void
on_schema(void *arg, enum registry_result result, struct slice text)
{
	struct fixture *f = arg;

	f->answers++;
	f->result = result;
	(void)snprintf(f->text, sizeof(f->text), SLICE_FMT, SLICE_ARG(text));
}

static void
on_alarm(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)timer;
	(void)revents;
	fail_msg("waited in vain");
}

static void
run_until(struct fixture *f, unsigned answers)
{
	ev_timer alarm;

	ev_timer_init(&alarm, on_alarm, 30, 0);
	ev_timer_start(f->loop, &alarm);
	while (f->answers < answers)
		(void)ev_run(f->loop, EVRUN_ONCE);
	ev_timer_stop(f->loop, &alarm);
}

static void
get(struct fixture *f, const void *owner, const char *table, const char *version)
{
	registry_get(f->registry, owner, slice_of(table), slice_of(version), on_schema, f);
}

static void
refresh(struct fixture *f)
{
	registry_refresh(f->registry);
	while (registry_fetched_at(f->registry) == 0 && registry_trouble(f->registry)[0] == '\0')
		(void)ev_run(f->loop, EVRUN_ONCE);
}

static void
the_latest_schemas_are_kept_and_answered_without_asking(void **state)
{
	struct fixture *f = *state;

	http_script_add(&f->hq, 200, LATEST, NULL, NULL);
	refresh(f);
	assert_string_equal(registry_trouble(f->registry), "");
	get(f, f, "labor_rate", "aa11");
	assert_int_equal(f->answers, 1);	/* at once */
	assert_int_equal(f->result, REGISTRY_FOUND);
	assert_string_equal(f->text, LABOR);
	http_script_stop(&f->hq);
	assert_int_equal(f->hq.n_asked, 1);
	assert_string_equal(f->hq.asked[0], "GET /v3/schema");
	assert_null(strstr(f->hq.headers[0], "Authorization"));
	assert_null(strstr(f->hq.headers[0], "Content-Type"));
	assert_non_null(strstr(f->hq.headers[0], "User-Agent: Shopmonkey EDS Server/" EDS_VERSION "\n"));
}

static void
another_version_is_fetched_once_by_its_object_name(void **state)
{
	struct fixture *f = *state;
	struct registry *second = NULL;
	struct err err = { 0 };

	http_script_add(&f->hq, 200, LATEST, NULL, NULL);
	http_script_add(&f->hq, 200, LABOR, NULL, NULL);
	refresh(f);
	get(f, f, "labor_rate", "old/1");
	get(f, f, "labor_rate", "old/1");
	assert_int_equal(f->answers, 0);
	run_until(f, 2);
	assert_int_equal(f->result, REGISTRY_FOUND);
	get(f, f, "labor_rate", "old/1");
	assert_int_equal(f->answers, 3);

	/* The names are still known after a restart, with HQ away. */
	registry_free(&f->registry);
	assert_int_equal(registry_new(&second, f->loop, f->http, f->store, f->hq.url, &err), 0);
	registry_get(second, f, SLICE("labor_rate"), SLICE("older"), on_schema, f);
	run_until(f, 4);
	registry_free(&second);
	http_script_stop(&f->hq);
	assert_int_equal(f->hq.n_asked, 3);
	assert_string_equal(f->hq.asked[1], "GET /v3/schema/laborRate/old/1");	/* the responder decodes %2F */
	assert_string_equal(f->hq.asked[2], "GET /v3/schema/laborRate/older");
}

static void
unknown_and_unavailable_are_told_apart_and_tried_again(void **state)
{
	struct fixture *f = *state;

	http_script_add(&f->hq, 404, "{\"message\":\"no\"}", NULL, NULL);
	http_script_add(&f->hq, 500, "{\"message\":\"ouch\"}", NULL, NULL);
	http_script_add(&f->hq, 200, "{}", NULL, NULL);
	http_script_add(&f->hq, 200, LABOR, NULL, NULL);
	get(f, f, "order", "1");
	run_until(f, 1);
	assert_int_equal(f->result, REGISTRY_UNKNOWN);
	assert_string_equal(f->text, "HQ knows no version 1 of the table order");
	get(f, f, "order", "1");
	run_until(f, 2);
	assert_int_equal(f->result, REGISTRY_UNAVAILABLE);
	assert_string_equal(f->text, "the schema of order, version 1, cannot be had: ouch");
	get(f, f, "order", "1");
	run_until(f, 3);
	assert_int_equal(f->result, REGISTRY_UNAVAILABLE);
	assert_string_equal(f->text, "the schema of order, version 1, cannot be had: the answer is not a schema");
	get(f, f, "order", "1");
	run_until(f, 4);
	assert_int_equal(f->result, REGISTRY_FOUND);
}

static void
a_forgotten_owner_is_not_called_back(void **state)
{
	struct fixture *f = *state;
	int other;

	http_script_add(&f->hq, 200, LABOR, NULL, NULL);
	get(f, &other, "labor_rate", "1");
	get(f, f, "labor_rate", "1");
	registry_forget(f->registry, &other);
	run_until(f, 1);
	assert_int_equal(f->answers, 1);
}

static void
trouble_with_the_list_is_told(void **state)
{
	struct fixture *f = *state;

	http_script_add(&f->hq, 500, "out of order", NULL, NULL);
	refresh(f);
	assert_int_equal(registry_fetched_at(f->registry), 0);
	assert_string_equal(registry_trouble(f->registry), "fetch the schemas: 500: out of order");
}

static void
without_an_address_of_the_api_the_remedy_is_named(void **state)
{
	struct fixture *f = *state;
	struct registry *r = NULL;
	struct err err = { 0 };

	assert_int_equal(registry_new(&r, f->loop, f->http, f->store, NULL, &err), 0);
	registry_get(r, f, SLICE("order"), SLICE("1"), on_schema, f);
	assert_int_equal(f->result, REGISTRY_UNAVAILABLE);
	assert_non_null(strstr(f->text, "api_url"));
	registry_free(&r);
}

int
main(void)
{
#define LIVE(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		LIVE(the_latest_schemas_are_kept_and_answered_without_asking),
		LIVE(another_version_is_fetched_once_by_its_object_name),
		LIVE(unknown_and_unavailable_are_told_apart_and_tried_again),
		LIVE(a_forgotten_owner_is_not_called_back),
		LIVE(trouble_with_the_list_is_told),
		LIVE(without_an_address_of_the_api_the_remedy_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
