/* The S3 driver through its functions, against a service that answers by a script. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/driver.h"
#include "tests/support/http_script.h"

struct place {
	struct http_script	 server;
	char			 dir[64];
	char			 url[300];
	struct log		 log;
	struct drv_env		 env;
	struct drv		*drv;
};

static int
set_up(void **state)
{
	static struct place	 place;
	struct place		*p = &place;

	*p = (struct place){ .dir = "/tmp/eds-test-s3-XXXXXX" };
	assert_non_null(mkdtemp(p->dir));
	http_script_start(&p->server);
	p->env = (struct drv_env){ .destination = "unit", .url = p->url, .update_strategy = "standard", .session = "",
		.data_dir = p->dir, .log = &p->log };
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct place	*p = *state;
	char		 path[80];

	driver_s3.close(&p->drv);
	http_script_free(&p->server);
	(void)snprintf(path, sizeof(path), "%s/rolls", p->dir);
	(void)unlink(path);
	(void)rmdir(p->dir);
	return 0;
}

static void
answer(struct place *p, unsigned status, const char *code)
{
	static char	 bodies[HTTP_SCRIPT_MAX][100];
	char		*body = bodies[p->server.n_steps];

	(void)snprintf(body, sizeof(bodies[0]), "<Error><Code>%s</Code></Error>", code);
	if (p->server.n_asked >= p->server.n_steps)
		p->server.at = p->server.n_steps;	/* the script so far is used up: this is next */
	http_script_add(&p->server, status, body, NULL, NULL);
}

static void
set_url(struct place *p, const char *more)
{
	(void)snprintf(p->url, sizeof(p->url), "s3://%s/shop/x?access-key-id=A&secret-access-key=topsecret&uploadTasks=1%s",
	    p->server.url + strlen("http://"), more);
}

static enum drv_result
try_open(struct place *p, const char *more, struct err *err)
{
	set_url(p, more);
	*err = (struct err){ 0 };
	return driver_s3.open(&p->drv, &p->env, err);
}

static void
open_driver(struct place *p, const char *more)
{
	struct err	 err;

	answer(p, 200, "");
	if (try_open(p, more, &err) != DRV_STORED)
		fail_msg("%s", err.text);
}

#define MOST	8

typedef enum drv_result (*deliver_fn)(struct drv *, const struct drv_batch *, struct drv_outcome *);

static enum drv_result
import_rows(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	return driver_s3.import_rows(drv, 0, batch, out);
}

/* Events of those keys, the first with sequence `seq`. */
static enum drv_result
give(struct place *p, deliver_fn fn, uint64_t seq, const char *const *keys, size_t n, struct drv_outcome *out)
{
	struct event		 events[MOST] = { 0 };
	struct drv_event	 v[MOST];
	char			 payloads[MOST][600];
	struct drv_batch	 batch = { .v = v, .n = n };
	enum drv_result		 rc;
	struct err		 err;

	*out = (struct drv_outcome){ 0 };
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(payloads[i], sizeof(payloads[i]), "{\"operation\":\"INSERT\",\"id\":\"e-%.1s\",\"table\":\"t\",\"key\":[\"%s\"],"
		    "\"after\":{},\"timestamp\":%d,\"mvccTimestamp\":\"1\",\"modelVersion\":\"m\"}", keys[i], keys[i], (keys[i][0] & 15) * 1000);
		v[i] = (struct drv_event){ .seq = seq + i, .ev = &events[i], .payload = slice_of(payloads[i]) };
		if (event_parse(&events[i], v[i].payload, &err) != 0)
			fail_msg("%s", err.text);
	}
	rc = fn(p->drv, &batch, out);
	for (size_t i = 0; i < n; i++)
		event_free(&events[i]);
	return rc;
}

/* What request number i was: method and path. */
static void
assert_asked(struct place *p, size_t i, const char *begins)
{
	if (i >= p->server.n_asked || strncmp(p->server.asked[i], begins, strlen(begins)) != 0)
		fail_msg("request %zu was \"%s\", expected \"%s\"", i, i < p->server.n_asked ? p->server.asked[i] : "none", begins);
}

static void
h37_the_test_writes_and_removes(void **state)
{
	struct place	*p = *state;
	struct err	 err = { 0 };

	answer(p, 200, "");
	set_url(p, "");
	assert_int_equal(driver_s3.test(&p->env, &err), DRV_STORED);
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 2);
	assert_asked(p, 0, "PUT /shop/x/eds-write-test-");
	assert_asked(p, 1, "DELETE /shop/x/eds-write-test-");
}

static void
h37_the_test_says_why_it_cannot(void **state)
{
	struct place	*p = *state;
	struct err	 err = { 0 };

	answer(p, 403, "AccessDenied");
	set_url(p, "");
	assert_int_equal(driver_s3.test(&p->env, &err), DRV_CONFIG);
	assert_non_null(strstr(err.text, "AccessDenied"));
	assert_non_null(strstr(err.text, "s3:PutObject"));
	assert_null(strstr(err.text, "topsecret"));
}

static void
what_is_wrong_at_the_start_is_told_apart(void **state)
{
	struct place	*p = *state;
	struct err	 err;

	answer(p, 404, "NoSuchBucket");
	answer(p, 503, "SlowDown");
	assert_int_equal(try_open(p, "", &err), DRV_CONFIG);
	assert_int_equal(try_open(p, "", &err), DRV_RETRY);
	assert_int_equal(try_open(p, "&timeout=x", &err), DRV_CONFIG);
	http_script_stop(&p->server);
	assert_int_equal(try_open(p, "", &err), DRV_RETRY);	/* nobody there */
	assert_null(p->drv);
}

static void
what_a_failed_batch_has_stored_is_not_sent_again(void **state)
{
	static const char *const keys[] = { "a", "b", "c" };
	struct place		*p = *state;
	struct drv_outcome	 out;

	open_driver(p, "&max-retries=1");
	answer(p, 200, "");
	answer(p, 500, "InternalError");
	answer(p, 200, "");
	assert_int_equal(give(p, driver_s3.deliver, 5, keys, 3, &out), DRV_RETRY);
	assert_non_null(strstr(out.err.text, "InternalError"));
	assert_int_equal(give(p, driver_s3.deliver, 5, keys, 3, &out), DRV_STORED);
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 5);
	assert_asked(p, 1, "PUT /shop/x/t/1-a.json {\"operation\"");
	assert_asked(p, 2, "PUT /shop/x/t/2-b.json");
	assert_asked(p, 3, "PUT /shop/x/t/2-b.json");
	assert_asked(p, 4, "PUT /shop/x/t/3-c.json");
}

static void
h33_one_object_is_refused_and_the_others_are_stored(void **state)
{
	static const char *const keys[] = { "a", "b", "c" };
	struct place		*p = *state;
	struct drv_outcome	 out;

	open_driver(p, "");
	answer(p, 200, "");
	answer(p, 400, "EntityTooLarge");
	answer(p, 200, "");
	assert_int_equal(give(p, driver_s3.deliver, 1, keys, 3, &out), DRV_REJECT);
	assert_int_equal(out.index, 1);
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 4);
}

static void
an_odd_answer_is_the_events_fault_only_where_others_are_taken(void **state)
{
	static const char *const keys[] = { "a" };
	struct place		*p = *state;
	struct drv_outcome	 out;

	open_driver(p, "&max-retries=1");
	answer(p, 400, "InvalidArgument");
	answer(p, 200, "");
	answer(p, 400, "InvalidArgument");
	assert_int_equal(give(p, driver_s3.deliver, 1, keys, 1, &out), DRV_RETRY);
	assert_int_equal(give(p, driver_s3.deliver, 1, keys, 1, &out), DRV_STORED);
	assert_int_equal(give(p, driver_s3.deliver, 2, keys, 1, &out), DRV_REJECT);
}

static void
a_key_beyond_all_limits_is_refused_without_asking(void **state)
{
	struct place		*p = *state;
	struct drv_outcome	 out;
	char			 key[351];
	const char		*keys[] = { key };

	(void)memset(key, '/', sizeof(key) - 1);	/* three characters each in the key */
	key[sizeof(key) - 1] = '\0';
	open_driver(p, "");
	assert_int_equal(give(p, driver_s3.deliver, 1, keys, 1, &out), DRV_REJECT);
	assert_non_null(strstr(out.err.text, "and 1024 are possible"));
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 1);
}

static void
begin_import(struct place *p)
{
	const struct drv_import	 import = { .job = SLICE("job-7") };
	struct err		 err;

	assert_int_equal(driver_s3.import_begin(p->drv, &import, &err), DRV_STORED);
}

static void
imported_rows_are_objects_like_others(void **state)
{
	static const char *const keys[] = { "a", "b" };
	struct place		*p = *state;
	struct drv_outcome	 out;
	struct err		 err;

	open_driver(p, "");
	begin_import(p);
	/* all of sequence 0: one that failed must not be taken for another that was stored */
	answer(p, 200, "");
	assert_int_equal(give(p, import_rows, 0, keys, 2, &out), DRV_STORED);
	assert_int_equal(give(p, import_rows, 0, keys, 2, &out), DRV_STORED);
	assert_int_equal(driver_s3.import_commit(p->drv, &err), DRV_STORED);
	assert_int_equal(driver_s3.import_end(p->drv, &err), DRV_STORED);
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 5);
	assert_asked(p, 4, "PUT /shop/x/t/2-b.json");
}

static void
a_file_that_is_imported_again_makes_the_same_rolls(void **state)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	struct place		*p = *state;
	struct drv_outcome	 out;
	struct err		 err;

	open_driver(p, "&format=ndjson&gzip=0&roll-bytes=250&max-retries=1");
	begin_import(p);
	answer(p, 200, "");
	answer(p, 500, "InternalError");
	answer(p, 200, "");
	assert_int_equal(give(p, import_rows, 0, keys, 4, &out), DRV_STORED);
	assert_int_equal(driver_s3.import_commit(p->drv, &err), DRV_RETRY);
	/* the whole file once more, in other batches */
	assert_int_equal(give(p, import_rows, 0, keys, 1, &out), DRV_STORED);
	assert_int_equal(give(p, import_rows, 0, keys + 1, 3, &out), DRV_STORED);
	assert_int_equal(driver_s3.import_commit(p->drv, &err), DRV_STORED);
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 5);
	assert_asked(p, 1, "PUT /shop/x/t/import-job-7/");
	assert_string_equal(p->server.asked[1], p->server.asked[3]);
	assert_string_equal(p->server.asked[2], p->server.asked[4]);
	assert_string_not_equal(p->server.asked[1], p->server.asked[2]);
}

static void
h63_what_is_not_uploaded_is_not_stored_and_close_ends(void **state)
{
	static const char *const keys[] = { "a", "b", "c", "d", "e" };
	struct place		*p = *state;
	struct drv_outcome	 out;

	open_driver(p, "&max-retries=1&format=ndjson&roll-seconds=0");
	answer(p, 503, "SlowDown");
	assert_int_equal(give(p, driver_s3.deliver, 1, keys, 5, &out), DRV_RETRY);
	driver_s3.close(&p->drv);
	assert_null(p->drv);
}

static void
the_url_sizes_the_batches(void **state)
{
	struct drv_batching	 b = { .events = 1, .bytes = 2 };

	(void)state;
	driver_s3.batching("s3://b?uploadTasks=4", &b);
	assert_int_equal(b.events, 32);
	driver_s3.batching("s3://b?maxBatchSize=77", &b);
	assert_int_equal(b.events, 77);
	assert_int_equal(b.linger_ms, 0);
	driver_s3.batching("s3://b?format=ndjson&roll-seconds=9&roll-events=5&roll-bytes=6", &b);
	assert_int_equal(b.events, 5);
	assert_int_equal(b.bytes, 6);
	assert_int_equal(b.linger_ms, 9000);
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(h37_the_test_writes_and_removes),
		T(h37_the_test_says_why_it_cannot),
		T(what_is_wrong_at_the_start_is_told_apart),
		T(what_a_failed_batch_has_stored_is_not_sent_again),
		T(h33_one_object_is_refused_and_the_others_are_stored),
		T(an_odd_answer_is_the_events_fault_only_where_others_are_taken),
		T(a_key_beyond_all_limits_is_refused_without_asking),
		T(imported_rows_are_objects_like_others),
		T(a_file_that_is_imported_again_makes_the_same_rolls),
		T(h63_what_is_not_uploaded_is_not_stored_and_close_ends),
		cmocka_unit_test(the_url_sizes_the_batches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
