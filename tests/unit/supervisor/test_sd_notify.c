/* What the service manager hears, on both kinds of address. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/base/clock.h"
#include "supervisor/sd_notify.h"

static int	 manager = -1;
static char	 dir[] = "/tmp/eds-notify-XXXXXX";
static char	 path[100];

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int
teardown(void **state)
{
	(void)state;
	if (manager != -1)
		(void)close(manager);
	manager = -1;
	(void)unlink(path);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	return 0;
}

/* A manager's socket under the name that is put into NOTIFY_SOCKET. */
static void
listen_as(bool abstract)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	size_t			 n;

	(void)snprintf(path, sizeof(path), "%s/notify", dir);
	n = strlen(path);
	(void)memcpy(sun.sun_path, path, n);
	if (abstract)
		sun.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_not_equal(manager, -1);
	assert_int_equal(bind(manager, (struct sockaddr *)&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	if (abstract)
		path[0] = '@';
	assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
}

static const char *
heard(void)
{
	static char	 text[1000];
	ssize_t		 n = recv(manager, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	return text;
}

static void
speak_and_listen(bool abstract)
{
	struct sd_notify	*n = NULL;
	uint64_t		 before = mono_us(), when;
	char			*at;

	listen_as(abstract);
	assert_int_equal(sd_notify_new(&n, NULL), 0);
	assert_int_equal(sd_notify_ready(n, NULL), 0);
	assert_string_equal(heard(), "READY=1");
	assert_int_equal(sd_notify_status(n, NULL, "%d destinations\nrunning", 2), 0);
	assert_string_equal(heard(), "STATUS=2 destinations running");
	assert_int_equal(sd_notify_watchdog(n, NULL), 0);
	assert_string_equal(heard(), "WATCHDOG=1");
	assert_int_equal(sd_notify_reloading(n, NULL), 0);
	at = strstr(heard(), "RELOADING=1\nMONOTONIC_USEC=");
	assert_non_null(at);
	when = strtoull(at + strlen("RELOADING=1\nMONOTONIC_USEC="), NULL, 10);
	assert_true(when >= before && when <= mono_us());
	assert_int_equal(sd_notify_stopping(n, NULL), 0);
	assert_string_equal(heard(), "STOPPING=1");
	sd_notify_free(&n);
}

static void
a_path_is_spoken_to(void **state)
{
	(void)state;
	speak_and_listen(false);
}

static void
an_abstract_name_is_spoken_to(void **state)
{
	(void)state;
	speak_and_listen(true);
}

static void
children_do_not_inherit_the_socket_but_a_successor_does(void **state)
{
	struct sd_notify	*n = NULL;

	(void)state;
	listen_as(false);
	(void)setenv("WATCHDOG_USEC", "1000000", 1);
	(void)setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(sd_notify_new(&n, NULL), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
	sd_notify_hand_on(n);
	sd_notify_free(&n);
	assert_non_null(getenv("NOTIFY_SOCKET"));
	assert_string_equal(getenv("WATCHDOG_USEC"), "1000000");
	assert_string_equal(getenv("WATCHDOG_PID"), "1");
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

static void
without_a_manager_nothing_happens(void **state)
{
	struct sd_notify	*n = NULL;

	(void)state;
	(void)setenv("WATCHDOG_USEC", "1000000", 1);
	assert_int_equal(sd_notify_new(&n, NULL), 0);
	assert_int_equal(sd_notify_ready(n, NULL), 0);
	assert_int_equal(sd_notify_watchdog_ms(n), 0);
	sd_notify_free(&n);
	assert_null(n);
	sd_notify_free(&n);
}

static int64_t
watchdog(const char *usec, const char *pid)
{
	struct sd_notify	*n = NULL;
	int64_t			 ms;

	listen_as(false);
	(void)setenv("WATCHDOG_USEC", usec, 1);
	if (pid != NULL)
		(void)setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(sd_notify_new(&n, NULL), 0);
	ms = sd_notify_watchdog_ms(n);
	sd_notify_free(&n);
	(void)teardown(NULL);
	return ms;
}

static void
the_watchdog_is_fed_twice_per_interval(void **state)
{
	char	 me[24];

	(void)state;
	(void)snprintf(me, sizeof(me), "%ld", (long)getpid());
	assert_int_equal(watchdog("30000000", NULL), 15000);
	assert_int_equal(watchdog("30000000", me), 15000);
	assert_int_equal(watchdog("30000000", "1"), 0);
	assert_int_equal(watchdog("30000000", "x"), 0);
	assert_int_equal(watchdog("soon", NULL), 0);
}

static void
a_manager_that_is_gone_is_an_error_with_the_message_named(void **state)
{
	struct sd_notify	*n = NULL;
	struct err		 err = { 0 };

	(void)state;
	listen_as(false);
	assert_int_equal(sd_notify_new(&n, NULL), 0);
	(void)close(manager);
	manager = -1;
	assert_int_equal(sd_notify_ready(n, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	assert_non_null(strstr(err.text, "READY=1"));
	sd_notify_free(&n);
}

static void
an_address_of_no_known_kind_is_refused(void **state)
{
	struct sd_notify	*n = NULL;
	struct err		 err = { 0 };
	char			 too_long[200];

	(void)state;
	(void)setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_int_equal(sd_notify_new(&n, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	(void)memset(too_long, 'a', sizeof(too_long));
	too_long[0] = '/';
	too_long[sizeof(too_long) - 1] = '\0';
	(void)setenv("NOTIFY_SOCKET", too_long, 1);
	assert_int_equal(sd_notify_new(&n, &err), -1);
	assert_null(n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_path_is_spoken_to, teardown),
		cmocka_unit_test_teardown(an_abstract_name_is_spoken_to, teardown),
		cmocka_unit_test_teardown(children_do_not_inherit_the_socket_but_a_successor_does, teardown),
		cmocka_unit_test_teardown(without_a_manager_nothing_happens, teardown),
		cmocka_unit_test_teardown(the_watchdog_is_fed_twice_per_interval, teardown),
		cmocka_unit_test_teardown(a_manager_that_is_gone_is_an_error_with_the_message_named, teardown),
		cmocka_unit_test_teardown(an_address_of_no_known_kind_is_refused, teardown),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
