/* The driver's questions, with a thread in the place of the main thread that brings the answers. */

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/host.h"

/* What the stand-in for the supervisor answers, in order, once asked. */
struct script {
	struct worker			 w;
	struct host			*host;
	const struct drv_host		*ask;
	const struct ipc_schema_body	*answers;
	size_t				 n;
	pthread_t			 thread;
	struct buf			 frames;	/* all that was reported */
	uint64_t			 busy_ms;	/* while the question was open */
};

/* A question has come when the report holds something; that it was said to hold something may be about the last one. */
static void
await_question(struct script *s)
{
	struct pollfd	 fd = { .fd = report_fd(s->w.report), .events = POLLIN };
	size_t		 before = s->frames.len;

	do {
		(void)poll(&fd, 1, -1);
		report_fetch(s->w.report, &s->frames);
	} while (s->frames.len == before);
}

static void *
answer(void *arg)
{
	struct script	*s = arg;
	struct err	 err;

	await_question(s);
	s->busy_ms = worker_busy_ms(&s->w);
	for (size_t i = 0; i < s->n; i++)
		if (host_answer(&s->w, &s->answers[i], &err) == -1)
			break;
	if (s->n == 0)
		worker_ask_end(&s->w, WORKER_STOPS);
	return NULL;
}

static int
set_up(void **state)
{
	static const struct slice	 versions[] = { { "order", 5 }, { "v1", 2 }, { "part", 4 }, { "v7", 2 } };
	struct script			*s = calloc(1, sizeof(*s));
	struct err			 err;

	assert_non_null(s);
	assert_int_equal(worker_init(&s->w, &err), 0);
	assert_non_null(s->host = host_new(&s->w, (struct ipc_strs){ versions, NELEM(versions) }));
	s->ask = host_callbacks(s->host);
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct script	*s = *state;

	host_free(&s->host);
	worker_free(&s->w);
	buf_free(&s->frames);
	free(s);
	return 0;
}

static enum drv_result
ask(struct script *s, const struct ipc_schema_body *answers, size_t n, struct slice *json_r, struct err *err)
{
	enum drv_result	 rc;

	s->answers = answers;
	s->n = n;
	*err = (struct err){ 0 };
	assert_int_equal(pthread_create(&s->thread, NULL, answer, s), 0);
	rc = s->ask->schema(s->ask->ctx, SLICE("order"), SLICE("v2"), json_r, err);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	return rc;
}

#define ANSWER(t, v, st, j)	{ .table = { t, sizeof(t) - 1 }, .version = { v, sizeof(v) - 1 }, .status = (st), \
	.json = { j, sizeof(j) - 1 } }

static void
a_schema_is_fetched_once_and_remembered(void **state)
{
	static const struct ipc_schema_body	 yes[] = { ANSWER("order", "v2", 0, "{\"a\":1}") };
	struct script				*s = *state;
	struct slice				 json, again;
	struct err				 err;

	assert_int_equal(ask(s, yes, 1, &json, &err), DRV_STORED);
	assert_true(slice_is(json, "{\"a\":1}"));
	/* Nobody is there to answer a second question. */
	assert_int_equal(s->ask->schema(s->ask->ctx, SLICE("order"), SLICE("v2"), &again, &err), DRV_STORED);
	assert_ptr_equal(again.p, json.p);
}

static void
an_answer_to_another_question_is_passed_over(void **state)
{
	static const struct ipc_schema_body	 mixed[] = { ANSWER("order", "v1", 0, "old"), ANSWER("part", "v2", 0, "part"),
		ANSWER("order", "v2", 0, "right"), ANSWER("order", "v2", 1, "late") };
	struct script				*s = *state;
	struct slice				 json;
	struct err				 err;

	assert_int_equal(ask(s, mixed, NELEM(mixed), &json, &err), DRV_STORED);
	assert_true(slice_is(json, "right"));
}

static void
no_such_version_and_not_now_are_different_answers(void **state)
{
	static const struct ipc_schema_body	 never[] = { ANSWER("order", "v2", 1, "no version v2 of order") };
	static const struct ipc_schema_body	 later[] = { ANSWER("order", "v2", 2, "HQ does not answer") };
	static const struct ipc_schema_body	 yes[] = { ANSWER("order", "v2", 0, "{}") };
	struct script				*s = *state;
	struct slice				 json;
	struct err				 err;

	assert_int_equal(ask(s, never, 1, &json, &err), DRV_REJECT);
	assert_string_equal(err.text, "no version v2 of order");
	assert_int_equal(ask(s, later, 1, &json, &err), DRV_RETRY);
	assert_string_equal(err.text, "HQ does not answer");
	assert_int_equal(ask(s, yes, 1, &json, &err), DRV_STORED);	/* neither was remembered */
}

static void
a_stop_ends_the_wait_for_a_schema(void **state)
{
	struct script	*s = *state;
	struct slice	 json;
	struct err	 err;

	assert_int_equal(ask(s, NULL, 0, &json, &err), DRV_RETRY);
	assert_string_equal(err.text, "the worker is stopping");
	assert_true(s->ask->stopping(s->ask->ctx));
}

static void
waiting_for_a_schema_is_not_the_drivers_call(void **state)
{
	static const struct ipc_schema_body	 yes[] = { ANSWER("order", "v2", 0, "{}") };
	struct script				*s = *state;
	struct slice				 json;
	struct err				 err;

	worker_call_begins(&s->w);
	s->w.busy_since -= 3600000;		/* the call has taken an hour */
	assert_true(worker_busy_ms(&s->w) >= 3600000);
	assert_int_equal(ask(s, yes, 1, &json, &err), DRV_STORED);
	assert_int_equal(s->busy_ms, 0);
	assert_true(worker_busy_ms(&s->w) < 3600000);
	assert_true(s->w.busy_since != 0);
	worker_call_ends(&s->w);
	assert_int_equal(worker_busy_ms(&s->w), 0);
}

static void
table_versions_are_known_and_reported(void **state)
{
	struct script		*s = *state;
	struct ipc_arena	 arena = { 0 };
	struct ipc_msg		 msg;
	struct err		 err;

	assert_true(slice_is(s->ask->known_version(s->ask->ctx, SLICE("order")), "v1"));
	assert_true(slice_is(s->ask->known_version(s->ask->ctx, SLICE("part")), "v7"));
	assert_null(s->ask->known_version(s->ask->ctx, SLICE("none")).p);
	s->ask->table_version(s->ask->ctx, SLICE("order"), SLICE("v2"));
	assert_true(slice_is(s->ask->known_version(s->ask->ctx, SLICE("order")), "v2"));
	await_question(s);
	assert_true(s->frames.len > 4);
	assert_int_equal(ipc_decode(&msg, (struct slice){ (const char *)s->frames.data + 4, s->frames.len - 4 },
	    IPC_WORKER, &arena, &err), 0);
	assert_int_equal(msg.type, IPC_TABLE_VERSION);
	assert_true(slice_is(msg.body.table_version.version, "v2"));
	ipc_arena_free(&arena);
}

static void
log_lines_are_dropped_before_they_cost_memory(void **state)
{
	struct script	*s = *state;
	char		 line[1001];

	(void)memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 5000; i++)
		report_log(s->w.report, LOG_INFO, "", line, NULL);
	await_question(s);
	assert_true(s->frames.len > REPORT_LOG_MOST);
	assert_true(s->frames.len < REPORT_LOG_MOST + 2 * sizeof(line));
	buf_reset(&s->frames);
	report_log(s->w.report, LOG_INFO, "", "after", NULL);
	await_question(s);
	assert_non_null(memmem(s->frames.data, s->frames.len, "log lines were dropped here", 27));
	assert_non_null(memmem(s->frames.data, s->frames.len, "after", 5));
}

int
main(void)
{
#define SCRIPTED(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SCRIPTED(a_schema_is_fetched_once_and_remembered),
		SCRIPTED(an_answer_to_another_question_is_passed_over),
		SCRIPTED(no_such_version_and_not_now_are_different_answers),
		SCRIPTED(a_stop_ends_the_wait_for_a_schema),
		SCRIPTED(waiting_for_a_schema_is_not_the_drivers_call),
		SCRIPTED(table_versions_are_known_and_reported),
		SCRIPTED(log_lines_are_dropped_before_they_cost_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
