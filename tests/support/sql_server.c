/* Servers for tests of drivers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/sql_server.h"

static bool
not_stopping(void *ctx)
{
	(void)ctx;
	return false;
}

static void
run_server(int in, int out, const char *module)
{
	(void)dup2(in, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)execl("/usr/bin/python3", "python3", "-m", module, (char *)NULL);
	_exit(127);
}

static void
start(struct sql_server *f, const char *module)
{
	int	 to[2], from[2];
	FILE	*answer;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	assert_true((f->pid = fork()) >= 0);
	if (f->pid == 0) {
		(void)close(to[1]);
		(void)close(from[0]);
		run_server(to[0], from[1], module);
	}
	(void)close(to[0]);
	(void)close(from[1]);
	f->lifeline = to[1];
	assert_non_null(answer = fdopen(from[0], "r"));
	if (fgets(f->url, sizeof(f->url), answer) == NULL)
		f->url[0] = '\0';
	(void)fclose(answer);
	f->url[strcspn(f->url, "\n")] = '\0';
}

int
sql_server_start(void **state, const struct sql_server_kind *kind)
{
	struct sql_server	*f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->kind = kind;
	start(f, kind->module);
	log_make(&f->log, "test", NULL);
	log_level_set(LOG_ERROR);
	f->host = (struct drv_host){ .stopping = not_stopping };
	f->env = (struct drv_env){ .destination = "test", .url = f->url, .update_strategy = "standard", .session = "",
	    .data_dir = "/nonexistent", .log = &f->log, .host = &f->host };
	*state = f;
	return 0;
}

int
sql_server_stop(void **state)
{
	struct sql_server	*f = *state;

	sql_server_close(f);
	(void)close(f->lifeline);
	(void)waitpid(f->pid, NULL, 0);
	free(f);
	return 0;
}

struct sql_server *
sql_server_ready(void **state)
{
	struct sql_server	*f = *state;

	if (strstr(f->url, "://") == NULL) {
		print_message("skipped: %s\n", f->url[0] == '\0' ? "no server could be started" : f->url);
		skip();
	}
	f->err = (struct err){ .code = ERR_NONE };
	if (f->drv == NULL && f->kind->driver->open(&f->drv, &f->env, &f->err) != DRV_STORED)
		fail_msg("open: %s", f->err.text);
	return f;
}

void
sql_server_close(struct sql_server *f)
{
	f->kind->driver->close(&f->drv);
}

void
stored(struct sql_server *f, enum drv_result r)
{
	if (r != DRV_STORED)
		fail_msg("%d %s", (int)r, f->err.text);
}

/* --- imports --- */

#define PART	"{\"table\":\"part\",\"modelVersion\":\"v1\",\"primaryKeys\":[\"id\"],\"required\":[],\"properties\":{" \
	"\"id\":{\"type\":\"string\"},\"note\":{\"type\":\"string\",\"nullable\":true}}}"

static const struct drv_import_table	 part = { .table = SLICE("part"), .version = SLICE("v1"), .schema = SLICE(PART) };

struct drv_import
sql_import_of(const char *job)
{
	return (struct drv_import){ .tables = &part, .ntables = 1, .job = slice_of(job) };
}

enum drv_result
sql_import_try(struct sql_server *f, size_t from, size_t n, const char *note, struct drv_outcome *out)
{
	struct event		*events = calloc(n, sizeof(*events));
	struct drv_event	*v = calloc(n, sizeof(*v));
	struct drv_batch	 b = { .v = v, .n = n };
	char			*text = calloc(n, 256);
	enum drv_result		 r;

	assert_true(events != NULL && v != NULL && text != NULL);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text + i * 256, 256, "{\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"part\",\"key\":[\"%zu\"],"
		    "\"modelVersion\":\"v1\",\"mvccTimestamp\":\"1\",\"timestamp\":1,\"after\":{\"id\":\"%zu\",\"note\":%s}}",
		    from + i, from + i, note);
		assert_int_equal(event_parse(&events[i], slice_of(text + i * 256), &f->err), 0);
		v[i] = (struct drv_event){ .seq = i + 1, .ev = &events[i], .payload = slice_of(text + i * 256) };
	}
	r = f->kind->driver->import_rows(f->drv, 0, &b, out);
	for (size_t i = 0; i < n; i++)
		event_free(&events[i]);
	free(events);
	free(v);
	free(text);
	return r;
}

void
sql_import_some(struct sql_server *f, size_t from, size_t n, const char *note)
{
	struct drv_outcome	 out;

	if (sql_import_try(f, from, n, note, &out) != DRV_STORED)
		fail_msg("%s", out.err.text);
	if (f->kind->driver->import_commit != NULL)
		stored(f, f->kind->driver->import_commit(f->drv, &f->err));
}

#define ROWS	2500

void
an_import_shows_only_when_it_is_complete(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-1");

	(void)f->kind->ask(f, "DROP TABLE IF EXISTS part");
	(void)f->kind->ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY, theirs INT)");
	(void)f->kind->ask(f, "INSERT INTO part VALUES ('old', 1)");
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 0, ROWS, "\"a\"");
	sql_import_some(f, ROWS - 100, 100, "\"a\"");		/* again, after an interruption */
	assert_string_equal(f->kind->ask(f, "SELECT id FROM part"), "old");
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part WHERE note = 'a'"), "2500");
	assert_string_equal(f->kind->ask(f, f->kind->beside), "0");
}

void
an_import_that_is_given_up_leaves_nothing(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-2");

	(void)f->kind->ask(f, "DROP TABLE IF EXISTS part");
	(void)f->kind->ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY)");
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 0, 10, "null");
	f->kind->driver->import_abort(f->drv);
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part"), "0");
	assert_string_equal(f->kind->ask(f, f->kind->beside), "0");
}

void
an_import_is_taken_up_where_it_was_committed(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-3");

	(void)f->kind->ask(f, "DROP TABLE IF EXISTS part");
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 0, 10, "null");
	sql_server_close(f);		/* the process died */
	f = sql_server_ready(state);
	how.resumed = true;
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 5, 10, "\"b\"");
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part WHERE note = 'b'"), "10");
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part WHERE note IS NULL"), "5");
	sql_server_close(f);		/* it died again, before anybody knew that it had ended */
	f = sql_server_ready(state);
	how.ending = true;
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part"), "15");
	assert_string_equal(f->kind->ask(f, f->kind->beside), "0");
}

void
an_import_that_keeps_puts_its_rows_on_top(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-4");

	(void)f->kind->ask(f, "DROP TABLE IF EXISTS part");
	(void)f->kind->ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY, note VARCHAR(8), theirs INT DEFAULT 7)");
	(void)f->kind->ask(f, "INSERT INTO part VALUES ('0', 'old', 1), ('kept', 'old', 2)");
	how.keep = true;
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	sql_import_some(f, 0, 2, "\"new\"");
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part WHERE id = '0' AND note = 'new' AND theirs = 1"), "1");
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part WHERE id = '1' AND note = 'new' AND theirs = 7"), "1");
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part WHERE id = 'kept' AND note = 'old' AND theirs = 2"), "1");
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part"), "3");
	assert_string_equal(f->kind->ask(f, f->kind->beside), "0");
}

void
with_keep_a_row_that_the_table_cannot_hold_is_refused_by_itself(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-5");
	struct drv_outcome	 out;

	(void)f->kind->ask(f, "DROP TABLE IF EXISTS part");
	(void)f->kind->ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY, note VARCHAR(3))");
	how.keep = true;
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	assert_int_equal(sql_import_try(f, 0, 5, "\"too long\"", &out), DRV_REJECT);
	assert_int_equal(out.index, 0);
	assert_non_null(strstr(out.err.text, "table \"part\", key [\"0\"]"));
	assert_null(strstr(out.err.text, "too long"));
	f->kind->driver->import_abort(f->drv);
}

void
an_import_without_rows_makes_the_table(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-6");

	(void)f->kind->ask(f, "DROP TABLE IF EXISTS part");
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	stored(f, f->kind->driver->import_end(f->drv, &f->err));
	assert_string_equal(f->kind->ask(f, "SELECT COUNT(*) FROM part"), "0");
}

void
a_table_that_others_refer_to_is_not_replaced(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_import	 how = sql_import_of("job-7");

	(void)f->kind->ask(f, "DROP TABLE IF EXISTS part");
	(void)f->kind->ask(f, "CREATE TABLE part (id VARCHAR(64) PRIMARY KEY)");
	(void)f->kind->ask(f, "CREATE TABLE child (id VARCHAR(64) PRIMARY KEY, CONSTRAINT theirs FOREIGN KEY (id) REFERENCES part (id))");
	stored(f, f->kind->driver->import_begin(f->drv, &how, &f->err));
	assert_int_equal(f->kind->driver->import_end(f->drv, &f->err), DRV_CONFIG);
	assert_non_null(strstr(f->err.text, f->kind->refers));
	f->kind->driver->import_abort(f->drv);
	(void)f->kind->ask(f, "DROP TABLE child");
	assert_string_equal(f->kind->ask(f, f->kind->beside), "0");
}

void
a_test_leaves_nothing_behind(void **state)
{
	struct sql_server	*f = sql_server_ready(state);

	stored(f, f->kind->driver->test(&f->env, &f->err));
	assert_string_equal(f->kind->ask(f, f->kind->beside), "0");
}

void
a_test_names_what_is_wrong_without_the_password(void **state)
{
	struct sql_server	*f = sql_server_ready(state);
	struct drv_env		 env = f->env;
	char			 url[600];

	(void)snprintf(url, sizeof(url), "%s://eds:wr0ng-one@%s", f->kind->scheme, strrchr(f->url, '@') + 1);
	env.url = url;
	assert_int_equal(f->kind->driver->test(&env, &f->err), DRV_CONFIG);
	assert_non_null(strstr(f->err.text, f->kind->denied));
	assert_null(strstr(f->err.text, "wr0ng"));
	(void)snprintf(url, sizeof(url), "%s-missing", f->url);
	assert_int_equal(f->kind->driver->test(&env, &f->err), DRV_CONFIG);
	(void)snprintf(url, sizeof(url), "%s://eds@127.0.0.1:1/eds", f->kind->scheme);
	assert_int_equal(f->kind->driver->test(&env, &f->err), DRV_RETRY);
}
