/* Tests of a destination's settings, in the real worker program of the same build (EDS_BUILD). */

#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/child/oneshot.h"

struct fixture {
	char			 dir[64], program[300], url[300];
	struct ev_loop		*loop;
	enum oneshot_result	 result;
	struct err		 why;
};

static int
setup(void **state)
{
	struct fixture	*f = calloc(1, sizeof(*f));
	const char	*build = getenv("EDS_BUILD");

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/eds-oneshot-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->program, sizeof(f->program), "%s/eds-worker", build == NULL ? "build" : build);
	f->loop = ev_default_loop(EVFLAG_AUTO);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture	*f = *state;
	char		 path[200];

	(void)snprintf(path, sizeof(path), "%s/commands", f->dir);
	(void)unlink(path);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

/* The fault driver's URL, and what it is to do. */
static const char *
fault(struct fixture *f, const char *commands)
{
	char	 path[200];
	FILE	*file;

	(void)snprintf(path, sizeof(path), "%s/commands", f->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(commands, file);
	(void)fclose(file);
	(void)snprintf(f->url, sizeof(f->url), "fault://%s", path);
	return f->url;
}

static struct oneshot_settings
settings_of(struct fixture *f, const char *url)
{
	return (struct oneshot_settings){ .loop = f->loop, .program = f->program, .destination = "tried", .url = url,
		.update_strategy = "standard", .session = "", .data_dir = f->dir, .limit_ms = 20000 };
}

static void
ask(struct fixture *f, const char *url, int64_t limit_ms)
{
	struct oneshot_settings	 s = settings_of(f, url);

	s.limit_ms = limit_ms;
	f->why = (struct err){ 0 };
	assert_int_equal(oneshot_test_wait(&s, &f->result, &f->why), 0);
}

static void
a_destination_that_would_take_events_is_fine(void **state)
{
	struct fixture	*f = *state;

	ask(f, fault(f, "ok\n"), 20000);
	assert_int_equal(f->result, ONESHOT_FINE);
	assert_string_equal(f->why.text, "");
	/* a driver without a test of its own is opened */
	ask(f, "null://", 20000);
	assert_int_equal(f->result, ONESHOT_FINE);
}

static void
what_the_driver_says_comes_back(void **state)
{
	struct fixture	*f = *state;

	ask(f, fault(f, "test: config no such account\n"), 20000);
	assert_int_equal(f->result, ONESHOT_CONFIG);
	assert_string_equal(f->why.text, "no such account");
	ask(f, fault(f, "test: retry it is away\n"), 20000);
	assert_int_equal(f->result, ONESHOT_TROUBLE);
	assert_string_equal(f->why.text, "it is away");
}

static void
a_url_without_a_driver_is_told_as_such(void **state)
{
	struct fixture	*f = *state;

	ask(f, "ftp://user:secret@host/", 20000);
	assert_int_equal(f->result, ONESHOT_CONFIG);
	assert_non_null(strstr(f->why.text, "no driver registered for protocol ftp"));
	assert_null(strstr(f->why.text, "secret"));
	ask(f, "file://folder", 20000);
	assert_int_equal(f->result, ONESHOT_CONFIG);
	assert_non_null(strstr(f->why.text, "path is required in url"));
}

static void
a_test_that_hangs_is_ended_at_its_limit(void **state)
{
	struct fixture	*f = *state;

	ask(f, fault(f, "test: hang\n"), 1000);
	assert_int_equal(f->result, ONESHOT_TROUBLE);
	assert_string_equal(f->why.text, "the destination did not answer within 1 s; look at its address, and at firewalls on the way");
}

static void
a_test_that_crashes_is_told_as_such(void **state)
{
	struct fixture	*f = *state;

	ask(f, fault(f, "test: crash\n"), 20000);
	assert_int_equal(f->result, ONESHOT_TROUBLE);
	assert_non_null(strstr(f->why.text, "killed by signal 6"));
}

static void
never(void *arg, enum oneshot_result result, const char *text)
{
	(void)arg;
	(void)result;
	fail_msg("called after it was cancelled: %s", text);
}

static void
a_cancelled_test_is_silent(void **state)
{
	struct fixture		*f = *state;
	struct oneshot_settings	 s = settings_of(f, fault(f, "test: hang\n"));
	struct oneshot		*o = NULL;
	struct err		 err = { 0 };

	assert_int_equal(oneshot_test(&o, &s, never, NULL, &err), 0);
	oneshot_cancel(&o);
	assert_null(o);
	ask(f, "null://", 20000);	/* the loop goes on */
	assert_int_equal(f->result, ONESHOT_FINE);
}

static void
a_program_that_is_missing_is_an_error(void **state)
{
	struct fixture		*f = *state;
	struct oneshot_settings	 s = settings_of(f, "null://");
	struct err		 err = { 0 };

	s.program = "/nonexistent/eds-worker";
	assert_int_equal(oneshot_test(NULL, &s, never, NULL, &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/eds-worker"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_destination_that_would_take_events_is_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_driver_says_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_url_without_a_driver_is_told_as_such, setup, teardown),
		cmocka_unit_test_setup_teardown(a_test_that_hangs_is_ended_at_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_test_that_crashes_is_told_as_such, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cancelled_test_is_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(a_program_that_is_missing_is_an_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
