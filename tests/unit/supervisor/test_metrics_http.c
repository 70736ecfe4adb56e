/* The HTTP endpoints, over loopback, asked by libcurl. */

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "supervisor/metrics/metrics_http.h"

static struct ev_loop		*loop;
static struct metrics		*m;
static struct metrics_http	*http;
static bool			 is_ready, is_stopping;
static int			 refreshed;

static void
refresh(void *arg)
{
	(void)arg;
	refreshed++;
	metrics_set(m, METRIC_WINDOW_EVENTS, 17);
}

static void
status(void *arg, struct buf *json)
{
	(void)arg;
	buf_adds(json, "{\"version\":1}");
}

static bool
ready(void *arg, struct buf *reason)
{
	(void)arg;
	if (!is_ready)
		buf_adds(reason, "waiting for \"file\"");
	return is_ready;
}

static bool
stopping(void *arg)
{
	(void)arg;
	return is_stopping;
}

static const struct metrics_http_source source = {
	.refresh = refresh, .status = status, .ready = ready, .stopping = stopping,
};

static int
start(struct metrics_http **h, const char *address, uint16_t port, struct err *err)
{
	struct metrics_http_source	 s = source;

	s.metrics = m;
	return metrics_http_new(h, loop, address, port, &s, err);
}

static int
setup(void **state)
{
	(void)state;
	is_ready = is_stopping = false;
	refreshed = 0;
	loop = ev_loop_new(EVFLAG_AUTO);
	if (metrics_new(&m, NULL) != 0)
		return -1;
	return start(&http, "127.0.0.1", 0, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	metrics_http_free(&http);
	metrics_free(&m);
	ev_loop_destroy(loop);
	return 0;
}

struct answer {
	long		 status;
	char		 type[100];
	struct buf	 body;
};

static size_t
take(char *p, size_t size, size_t n, void *arg)
{
	buf_add(arg, p, size * n);
	return size * n;
}

/* Turns our loop and libcurl's until the answer is there. */
static void
turn_until_done(CURL *c)
{
	CURLM	*multi = curl_multi_init();
	int	 running = 1;

	assert_int_equal(curl_multi_add_handle(multi, c), CURLM_OK);
	while (running > 0) {
		assert_int_equal(curl_multi_perform(multi, &running), CURLM_OK);
		(void)ev_run(loop, EVRUN_NOWAIT);
		if (running > 0)
			(void)curl_multi_poll(multi, NULL, 0, 1, NULL);
	}
	(void)curl_multi_remove_handle(multi, c);
	(void)curl_multi_cleanup(multi);
}

static struct answer
ask(const char *method, const char *path)
{
	CURL		*c = curl_easy_init();
	struct answer	 a = { 0 };
	char		 url[200], *type = NULL;

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", metrics_http_port(http), path);
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, &a.body);
	if (strcmp(method, "POST") == 0)
		(void)curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, "now=yes");
	if (strcmp(method, "HEAD") == 0)
		(void)curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	turn_until_done(c);
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a.status);
	(void)curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	(void)snprintf(a.type, sizeof(a.type), "%s", type == NULL ? "" : type);
	curl_easy_cleanup(c);
	return a;
}

static void
expect(const char *method, const char *path, long status_code, const char *type, const char *body)
{
	struct answer	 a = ask(method, path);

	assert_int_equal(a.status, status_code);
	if (type != NULL)
		assert_string_equal(a.type, type);
	if (body != NULL)
		assert_string_equal(buf_cstr(&a.body), body);
	buf_free(&a.body);
}

static void
the_root_and_unlisted_paths_say_alive_without_words(void **state)
{
	(void)state;
	expect("GET", "/", 200, NULL, "");
	expect("GET", "/health", 200, NULL, "");
	expect("HEAD", "/", 200, NULL, "");
	expect("POST", "/anything/at/all?x=1", 200, NULL, "");
}

static void
shutting_down_shows_as_503(void **state)
{
	(void)state;
	is_ready = is_stopping = true;
	expect("GET", "/", 503, NULL, "");
	expect("GET", "/ready", 503, "application/json", "{\"ready\":false,\"reason\":\"the server is shutting down\"}\n");
}

static void
ready_says_what_is_missing(void **state)
{
	(void)state;
	expect("GET", "/ready", 503, "application/json", "{\"ready\":false,\"reason\":\"waiting for \\\"file\\\"\"}\n");
	is_ready = true;
	expect("GET", "/ready", 200, "application/json", "{\"ready\":true}\n");
}

static void
metrics_are_brought_up_to_date_and_rendered(void **state)
{
	struct answer	 a;

	(void)state;
	a = ask("GET", "/metrics");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.type, "text/plain; version=0.0.4; charset=utf-8");
	assert_non_null(strstr(buf_cstr(&a.body), "\neds_window_events 17\n"));
	assert_non_null(strstr(buf_cstr(&a.body), "\nprocess_open_fds "));
	assert_int_equal(refreshed, 1);
	buf_free(&a.body);
}

static void
status_is_the_document(void **state)
{
	(void)state;
	expect("GET", "/status", 200, "application/json", "{\"version\":1}\n");
}

static void
h52_control_is_refused_and_edsctl_named(void **state)
{
	struct answer	 a;

	(void)state;
	for (const char *const *p = (const char *const[]){ "/control/shutdown", "/control/restart", "/control/", NULL }; *p != NULL; p++) {
		a = ask("POST", *p);
		assert_int_equal(a.status, 403);
		assert_non_null(strstr(buf_cstr(&a.body), "edsctl"));
		buf_free(&a.body);
	}
}

static void
a_port_in_use_is_named_with_its_holder_and_the_remedy(void **state)
{
	struct metrics_http	*second = NULL;
	struct err		 err = { 0 };
	char			 pid[40], port[20];

	(void)state;
	assert_int_equal(start(&second, "127.0.0.1", metrics_http_port(http), &err), -1);
	assert_null(second);
	assert_int_equal(err.code, ERR_CONFLICT);
	(void)snprintf(port, sizeof(port), "port %u", metrics_http_port(http));
	(void)snprintf(pid, sizeof(pid), "(pid %ld)", (long)getpid());
	assert_non_null(strstr(err.text, "127.0.0.1"));
	assert_non_null(strstr(err.text, port));
	assert_non_null(strstr(err.text, "--port"));
	assert_non_null(strstr(err.text, pid));
}

static void
an_address_that_is_none_is_refused(void **state)
{
	struct metrics_http	*second = NULL;
	struct err		 err = { 0 };

	(void)state;
	assert_int_equal(start(&second, "localhost.example", 0, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "localhost.example"));
	assert_int_equal(start(&second, "203.0.113.7", 0, &err), -1);
	assert_non_null(strstr(err.text, "203.0.113.7"));
}

static void
a_client_that_says_nothing_does_not_delay_others(void **state)
{
	struct sockaddr_in	 addr = { .sin_family = AF_INET, .sin_port = htons(metrics_http_port(http)) };
	int			 fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	expect("GET", "/status", 200, NULL, "{\"version\":1}\n");
	assert_int_equal(send(fd, "GET /rea", 8, 0), 8);
	expect("GET", "/status", 200, NULL, "{\"version\":1}\n");
	(void)close(fd);
	expect("GET", "/status", 200, NULL, "{\"version\":1}\n");
}

#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_root_and_unlisted_paths_say_alive_without_words),
		T(shutting_down_shows_as_503),
		T(ready_says_what_is_missing),
		T(metrics_are_brought_up_to_date_and_rendered),
		T(status_is_the_document),
		T(h52_control_is_refused_and_edsctl_named),
		T(a_port_in_use_is_named_with_its_holder_and_the_remedy),
		T(an_address_that_is_none_is_refused),
		T(a_client_that_says_nothing_does_not_delay_others),
	};
	int	 rc;

	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return rc;
}
