/* HTTPS for drivers: what comes back, what is repeated, and what ends. */

#include <stdio.h>
#include <unistd.h>

#include "drivers/http/https.h"
#include "ipc/base/clock.h"
#include "tests/support/http_script.h"

struct place {
	struct http_script	 server;
	struct https		*h;
	int			 asked_to_stop;		/* stopping() says no that many times; -1: always */
	char			 url[128];
};

static bool
stopping(void *arg)
{
	struct place	*p = arg;

	return p->asked_to_stop >= 0 && p->asked_to_stop-- == 0;
}

static int
set_up(void **state)
{
	static struct place	 place;
	struct err		 err;

	place = (struct place){ .asked_to_stop = -1 };
	http_script_start(&place.server);
	(void)snprintf(place.url, sizeof(place.url), "%s/a?key=s3cret", place.server.url);
	assert_int_equal(https_new(&place.h, &(struct https_options){ .stopping = stopping, .ctx = &place }, &err), 0);
	*state = &place;
	return 0;
}

static int
tear_down(void **state)
{
	struct place	*p = *state;

	https_free(&p->h);
	http_script_free(&p->server);
	return 0;
}

static struct https_answer
fetch(struct place *p, const struct https_request *r, unsigned attempts)
{
	struct https_answer	 a;
	struct err		 err = { 0 };

	if (https_fetch(p->h, r, &(struct https_again){ .attempts = attempts, .total_ms = 10000 }, &a, &err) != 0)
		fail_msg("%s", err.text);
	return a;
}

static void
the_answer_comes_with_status_headers_and_body(void **state)
{
	struct place		*p = *state;
	const char *const	 headers[] = { "X-One: 1", "Content-Type: text/x", NULL };
	struct https_answer	 a;

	http_script_add(&p->server, 404, "{\"no\":1}", "X-Thing", "some thing ");
	a = fetch(p, &(struct https_request){ .method = "PUT", .url = p->url, .headers = headers, .body = SLICE("hello") }, 3);
	assert_int_equal(a.status, 404);
	assert_true(slice_is(a.body, "{\"no\":1}"));
	assert_true(slice_is(https_header(&a, "x-thing"), "some thing"));
	assert_null(https_header(&a, "x-thin").p);
	http_script_stop(&p->server);
	assert_string_equal(p->server.asked[0], "PUT /a hello");
	assert_non_null(strstr(p->server.headers[0], "X-One: 1\n"));
	assert_non_null(strstr(p->server.headers[0], "Content-Type: text/x\n"));
	assert_null(strstr(p->server.headers[0], "Expect"));
	assert_null(strstr(p->server.headers[0], "Accept"));
	assert_int_equal(p->server.n_asked, 1);		/* an answer that no repetition would mend */
}

static void
a_busy_server_is_asked_again_with_the_same_body(void **state)
{
	struct place		*p = *state;
	struct https_request	 r = { .method = "POST", .url = p->url, .body = SLICE("the body") };

	http_script_add(&p->server, 503, "", "Retry-After", "1");
	http_script_add(&p->server, 429, "", NULL, NULL);
	http_script_add(&p->server, 200, "fine", NULL, NULL);
	assert_int_equal(fetch(p, &r, 5).status, 200);
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(p->server.asked[i], "POST /a the body");	/* H42 */
}

static void
h43_repetitions_end_and_the_last_answer_is_returned(void **state)
{
	struct place		*p = *state;
	struct https_request	 r = { .method = "GET", .url = p->url };

	http_script_add(&p->server, 500, "out of order", NULL, NULL);
	assert_int_equal(fetch(p, &r, 3).status, 500);
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 3);
}

static void
a_pause_honours_what_the_server_asks_for_and_never_grows_without_end(void **state)
{
	(void)state;
	for (unsigned done = 0; done < 100; done++) {
		assert_in_range(https_pause_ms(done, 0), 1, 20000);
		assert_in_range(https_pause_ms(done, 60000), 60000, 60000);
	}
	assert_in_range(https_pause_ms(1, 0), 1, 200);
}

static void
an_error_names_the_host_and_nothing_secret(void **state)
{
	struct place		*p = *state;
	struct https_again	 again = { .attempts = 2 };
	struct https_answer	 a;
	struct err		 err = { 0 };

	http_script_stop(&p->server);
	assert_int_equal(https_fetch(p->h, &(struct https_request){ .method = "GET", .url = p->url }, &again, &a, &err), -1);
	assert_int_equal(a.outcome, HTTPS_UNREACHED);
	assert_non_null(strstr(err.text, "127.0.0.1"));
	assert_null(strstr(err.text, "s3cret"));
}

static void
an_answer_that_is_too_large_is_an_error(void **state)
{
	struct place		*p = *state;
	struct https_again	 again = { .attempts = 2 };
	struct https_request	 r = { .method = "GET", .url = p->url, .answer_most = 100 };
	struct https_answer	 a;
	struct err		 err = { 0 };
	char			 body[200];

	(void)memset(body, 'x', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	http_script_add(&p->server, 200, body, NULL, NULL);
	assert_int_equal(https_fetch(p->h, &r, &again, &a, &err), -1);
	assert_non_null(strstr(err.text, "larger than 100 bytes"));
}

static void
a_redirect_is_not_followed(void **state)
{
	struct place		*p = *state;
	struct https_answer	 a;

	http_script_add(&p->server, 307, "", "Location", "/elsewhere");
	a = fetch(p, &(struct https_request){ .method = "GET", .url = p->url }, 3);
	assert_int_equal(a.status, 307);
	http_script_stop(&p->server);
	assert_int_equal(p->server.n_asked, 1);
}

static void
a_header_cannot_smuggle_in_another_line(void **state)
{
	struct place		*p = *state;
	const char *const	 headers[] = { "X-Token: a\r\nX-Other: b", NULL };
	struct https_answer	 a;
	struct err		 err = { 0 };

	assert_int_equal(https_fetch(p->h, &(struct https_request){ .method = "GET", .url = p->url, .headers = headers },
	    &(struct https_again){ 0 }, &a, &err), -1);
	assert_null(strstr(err.text, "X-Other"));
}

static void
a_wait_is_given_up_when_the_worker_is_to_end(void **state)
{
	struct place		*p = *state;
	struct https_again	 again = { .attempts = 5, .total_ms = 600000 };
	struct https_answer	 a;
	struct err		 err = { 0 };

	http_script_add(&p->server, 503, "", "Retry-After", "200");
	p->asked_to_stop = 2;
	assert_int_equal(https_fetch(p->h, &(struct https_request){ .method = "GET", .url = p->url }, &again, &a, &err), -1);
	assert_non_null(strstr(err.text, "to end"));
}

static void
count_answers(void *arg, const struct https_answer *answer)
{
	assert_int_equal(answer->status, 200);
	++*(int *)arg;
}

static void
many_requests_can_be_under_way_and_others_be_dropped(void **state)
{
	struct place		*p = *state;
	struct https_request	 r = { .method = "PUT", .url = p->url, .body = SLICE("x") };
	struct err		 err;
	int			 answered = 0, dropped = 0;

	http_script_add(&p->server, 200, "", NULL, NULL);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 50; i++)
			assert_int_equal(https_start(p->h, &r, count_answers, &answered, &err), 0);
		assert_int_equal(https_under_way(p->h), 50);
		while (https_under_way(p->h) > 0)
			https_run(p->h, 1000);
	}
	assert_int_equal(answered, 150);
	assert_int_equal(https_start(p->h, &r, count_answers, &dropped, &err), 0);
	https_drop_all(p->h);
	assert_int_equal(https_under_way(p->h), 0);
	assert_int_equal(dropped, 0);
}

static void
h43_a_server_that_never_answers_is_given_up_in_time(void **state)
{
	struct place		*p = *state;
	struct https_request	 r = { .method = "GET", .timeout_ms = 50, .url = p->url };
	struct https_answer	 a;
	struct err		 err = { 0 };

	http_script_add(&p->server, 200, "late", NULL, NULL);
	(void)pthread_mutex_lock(&p->server.lock);	/* the script cannot answer while we hold it */
	assert_int_equal(https_fetch(p->h, &r, &(struct https_again){ .attempts = 5 }, &a, &err), -1);
	(void)pthread_mutex_unlock(&p->server.lock);
	assert_int_equal(a.outcome, HTTPS_BROKEN);	/* once only: the server may have acted on it */
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_answer_comes_with_status_headers_and_body),
		T(a_busy_server_is_asked_again_with_the_same_body),
		T(h43_repetitions_end_and_the_last_answer_is_returned),
		T(a_pause_honours_what_the_server_asks_for_and_never_grows_without_end),
		T(an_error_names_the_host_and_nothing_secret),
		T(an_answer_that_is_too_large_is_an_error),
		T(a_redirect_is_not_followed),
		T(a_header_cannot_smuggle_in_another_line),
		T(a_wait_is_given_up_when_the_worker_is_to_end),
		T(many_requests_can_be_under_way_and_others_be_dropped),
		T(h43_a_server_that_never_answers_is_given_up_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
