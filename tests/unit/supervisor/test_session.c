/* The session with HQ: bodies and names against the golden values, its life against a scripted HQ. */

#include "tests/support/creds_make.h"
#include "tests/support/http_script.h"

#include <jansson.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/hq/machine.h"
#include "supervisor/hq/session.h"
#include "supervisor/hq/session_files.h"
#include "supervisor/hq/token.h"

#define SID	"284e8bdb-9c18-45c3-9f18-844ad70610ef"
#define SID2	"11111111-2222-3333-4444-555555555555"

struct fixture {
	struct creds_keys	 keys;
	char			 dir[64];
	struct ev_loop		*loop;
	struct http		*http;
	struct http_script	 hq;
	struct config		 config;
	struct destination_config destination;
	struct session		*session;
	struct buf		 answer, answer2;	/* session starts */
	/* what was heard */
	unsigned		 started, refused, ended;
	struct buf		 states;
	char			 sid[80], path[200], why[1000], log_url[100], error_url[100];
	unsigned		 stop_at_started;
};

static void
string(char **at, const char *value)
{
	free(*at);
	*at = slice_dup(slice_of(value));
}

static void
answer_make(struct fixture *f, struct buf *answer, const char *sid)
{
	struct buf jwt = { 0 }, file = { 0 };

	creds_jwt_make(&jwt, &f->keys, 2, &f->keys.account, "6a0f", CREDS_SUB);
	creds_file_make(&file, &jwt, f->keys.user.seed_text, "\n");
	buf_printf(answer, "{\"success\":true,\"message\":\"\",\"data\":{\"sessionId\":\"%s\",\"credential\":\"", sid);
	buf_base64(answer, file.data, file.len);
	buf_adds(answer, "\"}}");
	buf_free(&jwt);
	buf_free(&file);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = { 0 };

	assert_non_null(f);
	creds_keys_make(&f->keys);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/eds-session.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->loop = ev_loop_new(0);
	assert_int_equal(http_new(&f->http, f->loop, &err), 0);
	http_script_start(&f->hq);
	string(&f->config.data_dir, f->dir);
	string(&f->config.server_id, "6a0f");
	string(&f->config.token, "aaa.bbb.ccc");
	string(&f->config.api_url, f->hq.url);
	f->config.renew_interval_ms = 3600000;
	answer_make(f, &f->answer, SID);
	answer_make(f, &f->answer2, SID2);
	log_init(LOG_ERROR, false, NULL);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char path[200];

	session_free(&f->session);
	http_free(&f->http);
	http_script_free(&f->hq);
	ev_loop_destroy(f->loop);
	session_files_prune(f->dir, NULL);
	(void)snprintf(path, sizeof(path), "%s/machine-id", f->dir);
	(void)unlink(path);
	assert_int_equal(rmdir(f->dir), 0);	/* no credential, no temporary file is left behind */
	free(f->config.data_dir);
	free(f->config.server_id);
	free(f->config.token);
	free(f->config.api_url);
	buf_free(&f->answer);
	buf_free(&f->answer2);
	buf_free(&f->states);
	creds_keys_free(&f->keys);
	free(f);
	return 0;
}

static void
on_started(void *arg, const char *sid, const char *path, struct slice creds)
{
	struct fixture *f = arg;

	f->started++;
	(void)snprintf(f->sid, sizeof(f->sid), "%s", sid);
	(void)snprintf(f->path, sizeof(f->path), "%s", path);
	assert_true(creds.n > 100);
	if (f->started == f->stop_at_started)
		ev_break(f->loop, EVBREAK_ALL);
}

static void
on_changed(void *arg, enum session_state s, const char *text)
{
	struct fixture *f = arg;

	(void)text;
	buf_printf(&f->states, "%s ", session_state_name(s));
	if (f->stop_at_started == 0 && s == SESSION_STARTING && text[0] != '\0' && strstr(text, "trying again") != NULL)
		ev_break(f->loop, EVBREAK_ALL);
}

static void
on_refused(void *arg, const struct err *why)
{
	struct fixture *f = arg;

	f->refused++;
	(void)snprintf(f->why, sizeof(f->why), "%s", why->text);
	ev_break(f->loop, EVBREAK_ALL);
}

static void
on_urls(void *arg, const char *url, const char *error_url)
{
	struct fixture *f = arg;

	(void)snprintf(f->log_url, sizeof(f->log_url), "%s", url);
	(void)snprintf(f->error_url, sizeof(f->error_url), "%s", error_url);
}

static void
on_ended(void *arg)
{
	struct fixture *f = arg;

	f->ended++;
	ev_break(f->loop, EVBREAK_ALL);
}

/* A condition that never comes true ends the test, not the patience. */
static void
on_alarm(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)timer;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
	fail_msg("waited in vain");
}

static void
run(struct fixture *f)
{
	ev_timer alarm;

	ev_timer_init(&alarm, on_alarm, 30, 0);
	ev_timer_start(f->loop, &alarm);
	(void)ev_run(f->loop, 0);
	ev_timer_stop(f->loop, &alarm);
}

static void
begin(struct fixture *f)
{
	const struct session_events events = { f, on_started, on_urls, on_changed, on_refused };
	struct err err = { 0 };

	assert_int_equal(session_new(&f->session, f->loop, f->http, &f->config, &events, &err), 0);
	session_start(f->session);
	run(f);
}

static void
a_session_begins_is_renewed_and_ends(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char first[200];

	http_script_add(&f->hq, 200, buf_cstr(&f->answer), NULL, NULL);
	http_script_add(&f->hq, 200, "{\"success\":true,\"data\":{\"url\":\"http://x\",\"errorUrl\":\"http://y\"}}", NULL, NULL);
	http_script_add(&f->hq, 200, buf_cstr(&f->answer2), NULL, NULL);
	http_script_add(&f->hq, 200, "{\"success\":true,\"data\":{}}", NULL, NULL);
	f->stop_at_started = 1;
	begin(f);
	assert_string_equal(f->sid, SID);
	assert_string_equal(session_id(f->session), SID);
	assert_int_equal(session_state(f->session, NULL), SESSION_ACTIVE);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	(void)snprintf(first, sizeof(first), "%s/%s", f->dir, SID);
	assert_int_equal(stat(first, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);

	f->stop_at_started = 2;
	session_renew(f->session);
	assert_string_equal(session_id(f->session), SID);	/* serves until the next one has begun */
	run(f);
	assert_string_equal(f->sid, SID2);
	assert_int_equal(stat(f->path, &st), 0);

	assert_string_equal(f->log_url, "http://x");	/* of the session before */
	assert_string_equal(f->error_url, "http://y");
	f->log_url[0] = '\0';
	session_end(f->session, true, on_ended, f);
	assert_int_equal(f->ended, 0);
	run(f);
	assert_int_equal(f->ended, 1);
	assert_string_equal(f->log_url, "");	/* HQ named none */
	assert_string_equal(session_id(f->session), "");
	assert_int_equal(stat(first, &st), -1);
	assert_int_equal(stat(f->path, &st), -1);
	http_script_stop(&f->hq);
	assert_int_equal(f->hq.n_asked, 4);
	assert_memory_equal(f->hq.asked[0], "POST /v3/eds/internal {\"version\":", 32);
	assert_string_equal(f->hq.asked[1], "POST /v3/eds/internal/" SID " {\"errored\":false}");
	assert_memory_equal(f->hq.asked[2], "POST /v3/eds/internal {\"version\":", 32);
	assert_string_equal(f->hq.asked[3], "POST /v3/eds/internal/" SID2 " {\"errored\":true}");
	assert_string_equal(buf_cstr(&f->states), "starting active renewing renewing active ended ");
	assert_non_null(strstr(f->hq.headers[0], "Content-Type: application/json\n"));
	assert_non_null(strstr(f->hq.headers[0], "User-Agent: Shopmonkey EDS Server/" EDS_VERSION "\n"));
	assert_non_null(strstr(f->hq.headers[0], "Authorization: Bearer aaa.bbb.ccc\n"));
	assert_non_null(strstr(f->hq.headers[0], "Accept-Encoding: gzip\n"));
	assert_non_null(strstr(f->hq.headers[0], "Content-Length: "));
	assert_null(strstr(f->hq.headers[0], "Accept: "));
	assert_null(strstr(f->hq.headers[0], "Expect: "));
}

static void
an_hq_in_trouble_is_asked_again(void **state)
{
	struct fixture *f = *state;

	http_script_add(&f->hq, 503, "down", NULL, NULL);
	http_script_add(&f->hq, 200, "<html>a proxy's page</html>", NULL, NULL);
	http_script_add(&f->hq, 200, buf_cstr(&f->answer), NULL, NULL);
	f->stop_at_started = 1;
	begin(f);
	assert_int_equal(f->refused, 0);
	assert_string_equal(buf_cstr(&f->states), "starting starting starting starting starting active ");
}

static void
an_hq_that_is_not_there_is_no_end(void **state)
{
	struct fixture *f = *state;
	const char *text;

	http_script_stop(&f->hq);		/* nobody listens on that port any more */
	begin(f);
	assert_int_equal(session_state(f->session, &text), SESSION_STARTING);
	assert_non_null(strstr(text, "session start: "));
	assert_non_null(strstr(text, "trying again in "));
	session_end(f->session, false, on_ended, f);
	run(f);
	assert_int_equal(f->ended, 1);
}

static void
what_only_the_operator_can_mend_is_told_once(void **state)
{
	static const struct {
		unsigned status;
		const char *body, *text;
	} cases[] = {
		{ 401, "{\"success\":false,\"message\":\"bad token\"}", "session start: bad token (requestId=r1)" },
		{ 404, "nothing here", "session start: nothing here (status code=404) (requestId=r1)" },
		{ 200, "{\"success\":false,\"message\":\"no such server\"}", "session start: no such server" },
		{ 200, "{\"success\":true,\"data\":{\"sessionId\":\"x\",\"credential\":null}}",
		    "session start: HQ gave no credential for NATS" },
		{ 200, "{\"success\":true,\"data\":{\"sessionId\":\"../x\",\"credential\":\"eA==\"}}",
		    "session start: the answer names no usable session id" },
		{ 200, "{\"success\":true,\"data\":{\"sessionId\":\"x\",\"credential\":\"?\"}}",
		    "session start: the credential is not base64" },
		{ 200, "{\"success\":true,\"data\":{\"sessionId\":\"x\",\"credential\":\"eA==\"}}",
		    "session start: the credential holds no JWT (three parts with dots between)" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < NELEM(cases); i++)
		http_script_add(&f->hq, cases[i].status, cases[i].body, "X-Request-Id", "r1");
	f->stop_at_started = 1;
	for (size_t i = 0; i < NELEM(cases); i++) {
		begin(f);
		assert_int_equal(f->refused, i + 1);
		assert_string_equal(f->why, cases[i].text);
		assert_int_equal(session_state(f->session, NULL), SESSION_REFUSED);
		session_free(&f->session);
	}
	assert_int_equal(f->started, 0);
}

static void
another_server_is_waited_out(void **state)
{
	struct fixture *f = *state;
	const struct session_events events = { f, on_started, on_urls, on_changed, on_refused };
	struct err err = { 0 };
	const char *text;

	http_script_add(&f->hq, 409, "{\"success\":false,\"message\":\"busy\"}", NULL, NULL);
	assert_int_equal(session_new(&f->session, f->loop, f->http, &f->config, &events, &err), 0);
	session_start(f->session);
	while (session_state(f->session, &text) == SESSION_STARTING)
		(void)ev_run(f->loop, EVRUN_ONCE);
	assert_int_equal(session_state(f->session, NULL), SESSION_CONFLICT);
	assert_string_equal(text, "another eds server is already running for this server (id: 6a0f). Retrying in 5 seconds");
	assert_int_equal(f->refused, 0);
}

static void
h21_credentials_of_earlier_sessions_are_removed_and_their_logs_stay(void **state)
{
	struct fixture *f = *state;
	struct buf path = { 0 };
	struct err err = { 0 };
	struct stat st;
	char keep[200], log[300];

	assert_int_equal(session_files_write(f->dir, "aaaa", SLICE("old"), &path, &err), 0);
	buf_reset(&path);
	assert_int_equal(session_files_write(f->dir, "bbbb", SLICE("old"), &path, &err), 0);
	(void)snprintf(log, sizeof(log), "%s/bbbb/server_stderr.txt", f->dir);
	(void)fclose(fopen(log, "we"));
	http_script_add(&f->hq, 200, buf_cstr(&f->answer), NULL, NULL);
	f->stop_at_started = 1;
	begin(f);
	ev_run(f->loop, EVRUN_NOWAIT);
	assert_int_equal(stat(buf_cstr(&path), &st), -1);
	assert_int_equal(stat(log, &st), 0);
	(void)snprintf(keep, sizeof(keep), "%s/aaaa", f->dir);
	assert_int_equal(stat(keep, &st), -1);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(unlink(log), 0);
	(void)snprintf(keep, sizeof(keep), "%s/bbbb", f->dir);
	assert_int_equal(rmdir(keep), 0);
	buf_free(&path);
}

static void
retry_after_is_honoured_and_short_trouble_is_bridged(void **state)
{
	struct fixture *f = *state;

	http_script_add(&f->hq, 429, "slow down", "Retry-After", "1");
	http_script_add(&f->hq, 200, buf_cstr(&f->answer), NULL, NULL);
	f->stop_at_started = 1;
	begin(f);
	assert_int_equal(f->started, 1);
}

static void
the_body_has_its_keys_in_order(void **state)
{
	static const char *const keys[] = { "version", "hostname", "ipAddress", "machineId", "osinfo", "driver", "serverId", "companyIds" };
	static const char *const host[] = { "hostname", "uptime", "bootTime", "procs", "os", "platform", "platformFamily",
	    "platformVersion", "kernelVersion", "kernelArch", "virtualizationSystem", "virtualizationRole", "hostId" };
	static char c1[] = "c1", *ids[] = { c1, NULL };
	static char url[] = "sqlite3://u:s3cr3t@/srv/shop.db", origin[] = "config.toml", name[] = "sqlite";
	struct fixture *f = *state;
	struct buf body = { 0 };
	json_t *root, *v;
	const char *key;
	size_t i = 0;

	f->destination = (struct destination_config){ .name = name, .url = url, .origin = origin };
	f->config.destinations = &f->destination;
	f->config.n_destinations = 1;
	f->config.company_ids = ids;
	session_request_body(&f->config, &body);
	root = json_loads(buf_cstr(&body), 0, NULL);
	assert_non_null(root);
	json_object_foreach(root, key, v)
		assert_string_equal(key, keys[i++]);
	assert_int_equal(i, NELEM(keys));
	i = 0;
	json_object_foreach(json_object_get(json_object_get(root, "osinfo"), "host"), key, v) {
		assert_string_equal(key, host[i++]);
		assert_true(json_is_string(v) || (json_is_integer(v) && json_integer_value(v) >= 0));
	}
	assert_int_equal(i, NELEM(host));
	v = json_object_get(root, "driver");
	assert_string_equal(json_string_value(json_object_get(v, "id")), "sqlite");
	assert_string_equal(json_string_value(json_object_get(v, "name")), "SQLite");
	assert_string_equal(json_string_value(json_object_get(v, "url")), "sqlite3://*:s3c***@/srv/s******");
	assert_int_equal(strlen(json_string_value(json_object_get(root, "machineId"))), 64);
	assert_null(strstr(buf_cstr(&body), "s3cr3t"));
	json_decref(root);
	buf_reset(&body);
	f->config.n_destinations = 0;
	f->config.company_ids = NULL;
	session_request_body(&f->config, &body);
	assert_null(strstr(buf_cstr(&body), "\"driver\""));
	assert_null(strstr(buf_cstr(&body), "companyIds"));
	buf_free(&body);
}

static void
the_machine_id_is_the_golden_one(void **state)
{
	json_t *root = json_load_file("tests/vectors/misc.json", 0, NULL), *v;
	size_t i;

	(void)state;
	assert_true(json_array_size(json_object_get(root, "machineId")) > 0);
	json_array_foreach(json_object_get(root, "machineId"), i, v) {
		struct buf hex = { 0 };

		machine_id_hash(slice_of(json_string_value(json_object_get(v, "fileContent"))), &hex);
		assert_string_equal(buf_cstr(&hex), json_string_value(json_object_get(v, "machineId")));
		buf_free(&hex);
	}
	json_decref(root);
}

/* In a network of its own, with nothing in it: 0 when the address is "", 77 when there can be no such network. */
static int
without_an_address(const struct config *c)
{
	struct buf	 body = { 0 };

	if (unshare(CLONE_NEWNET) == -1 && unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1)
		return 77;
	session_request_body(c, &body);
	return strstr(buf_cstr(&body), "\"ipAddress\":\"\",\"machineId\":\"") != NULL ? 0 : 1;
}

static void
h44_a_machine_without_an_address_begins_a_session_too(void **state)
{
	struct fixture	*f = *state;
	pid_t		 pid = fork();
	int		 status;

	assert_int_not_equal(pid, -1);
	if (pid == 0)
		_exit(without_an_address(&f->config));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
base64url(struct buf *out, const char *text)
{
	creds_base64url(out, text, strlen(text));
}

static void
the_token_names_its_api(void **state)
{
	json_t *root = json_load_file("tests/vectors/misc.json", 0, NULL), *v;
	size_t i;

	(void)state;
	assert_true(json_array_size(json_object_get(root, "tokenIssuer")) > 0);
	json_array_foreach(json_object_get(root, "tokenIssuer"), i, v) {
		char *claims = json_dumps(json_object_get(v, "claims"), JSON_COMPACT);
		struct buf token = { 0 }, url = { 0 };
		struct err err = { 0 };

		base64url(&token, "{\"alg\":\"HS256\"}");
		buf_addc(&token, '.');
		base64url(&token, claims);
		buf_adds(&token, ".sig");
		assert_int_equal(token_api_url(buf_slice(&token), &url, &err), 0);
		assert_string_equal(buf_cstr(&url), json_string_value(json_object_get(v, "apiUrl")));
		buf_free(&token);
		buf_free(&url);
		free(claims);
	}
	json_decref(root);
}

static void
a_bad_token_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *header, *claims, *text;
	} cases[] = {
		{ "{}", "{}", "invalid API key. its header names no known signing method" },
		{ "{\"alg\":\"XX\"}", "{}", "invalid API key. its header names no known signing method" },
		{ "[]", "{}", "invalid API key. its header is not a JSON object" },
		{ "{\"alg\":\"none\"}", "x", "invalid API key. its claims part is not a JSON object" },
		{ "{\"alg\":\"none\"}", "{\"iss\":5}", "invalid API key. its claim iss is not a string" },
		{ "{\"alg\":\"none\"}", "{\"exp\":\"5\"}", "invalid API key. its claim exp is not a number" },
		{ "{\"alg\":\"none\"}", "{\"aud\":[1]}", "invalid API key. its claim aud is neither a string nor a list of strings" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf token = { 0 }, url = { 0 };
		struct err err = { 0 };

		base64url(&token, cases[i].header);
		buf_addc(&token, '.');
		base64url(&token, cases[i].claims);
		buf_adds(&token, ".sig");
		assert_int_equal(token_api_url(buf_slice(&token), &url, &err), -1);
		assert_int_equal(err.code, ERR_AUTH);
		assert_string_equal(err.text, cases[i].text);
		buf_free(&token);
		buf_free(&url);
	}
}

static void
h61_an_enrolment_code_names_its_api_and_is_escaped(void **state)
{
	json_t *root = json_load_file("tests/vectors/misc.json", 0, NULL), *v;
	struct buf url = { 0 };
	size_t i;

	(void)state;
	assert_true(json_array_size(json_object_get(root, "enrollUrl")) > 0);
	json_array_foreach(json_object_get(root, "enrollUrl"), i, v) {
		struct slice code = slice_of(json_string_value(json_object_get(v, "code")));
		const char *expected = json_string_value(json_object_get(v, "url"));

		if (expected == NULL) {
			assert_null(enrol_api_url(code));
			continue;
		}
		buf_reset(&url);
		enrol_url(&url, enrol_api_url(code), code);
		assert_string_equal(buf_cstr(&url), expected);
	}
	buf_reset(&url);
	enrol_url(&url, "http://h/", SLICE("P/../x?y"));
	assert_string_equal(buf_cstr(&url), "http://h/v3/eds/internal/enroll/P%2F..%2Fx%3Fy");
	buf_free(&url);
	json_decref(root);
}

int
main(void)
{
#define LIVE(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		LIVE(a_session_begins_is_renewed_and_ends),
		LIVE(an_hq_in_trouble_is_asked_again),
		LIVE(an_hq_that_is_not_there_is_no_end),
		LIVE(what_only_the_operator_can_mend_is_told_once),
		LIVE(another_server_is_waited_out),
		LIVE(h21_credentials_of_earlier_sessions_are_removed_and_their_logs_stay),
		LIVE(retry_after_is_honoured_and_short_trouble_is_bridged),
		LIVE(the_body_has_its_keys_in_order),
		LIVE(h44_a_machine_without_an_address_begins_a_session_too),
		cmocka_unit_test(the_machine_id_is_the_golden_one),
		cmocka_unit_test(the_token_names_its_api),
		cmocka_unit_test(a_bad_token_is_refused_with_the_reason),
		cmocka_unit_test(h61_an_enrolment_code_names_its_api_and_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
