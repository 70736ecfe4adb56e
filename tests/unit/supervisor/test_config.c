/* eds.conf, config.toml and the command line, merged; and every way of being told that it is wrong. */

#include "tests/support/cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/config/config_private.h"

struct fixture {
	char	dir[64];
};

static struct config_flags
flags_of(const struct fixture *f)
{
	return (struct config_flags){ .data_dir = f->dir, .port = -1, .keep_logs = -1, .max_ack_pending = -1,
	    .max_pending_buffer = -1, .min_latency_ms = -1, .max_latency_ms = -1, .renew_interval_ms = -1 };
}

static void
path_of(const struct fixture *f, const char *name, char path[128])
{
	(void)snprintf(path, 128, "%s/%s", f->dir, name);
}

static void
put(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
	char path[128];
	int fd;

	path_of(f, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd != -1);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void
forget(const struct fixture *f)
{
	static const char *const names[] = { "eds.conf", "config.toml", "secret.url", "ca.pem" };
	char path[128];

	for (size_t i = 0; i < NELEM(names); i++) {
		path_of(f, names[i], path);
		(void)unlink(path);
	}
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/eds-config.XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	(void)unsetenv("PORT");
	(void)unsetenv("SM_APIKEY");
	log_init(LOG_ERROR, false, NULL);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	forget(f);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static struct config *
load(const struct config_flags *flags)
{
	struct config *c = NULL;
	struct err err = { 0 };

	if (config_load(&c, flags, &err) != 0)
		fail_msg("%s", err.text);
	return c;
}

static void
nothing_configured_gives_the_defaults(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	struct config *c;

	put(f, "eds.conf", "", 0600);
	c = load(&flags);
	assert_string_equal(c->data_dir, f->dir);
	assert_string_equal(c->listen_address, "127.0.0.1");
	assert_int_equal(c->port, 8080);
	assert_int_equal(c->log_level, LOG_INFO);
	assert_string_equal(c->nats_url, "nats://connect.nats.shopmonkey.pub");
	assert_int_equal(c->window_bytes, 64 * 1024 * 1024);
	assert_int_equal(c->window_events, 100000);
	assert_int_equal(c->max_ack_pending, 25000);
	assert_int_equal(c->renew_interval_ms, 24 * 3600 * 1000);
	assert_string_equal(c->consumer_suffix, "");
	assert_string_equal(c->update_strategy, "standard");
	assert_null(c->token);
	assert_null(c->server_id);
	assert_null(c->api_url);
	assert_null(c->company_ids);
	assert_int_equal(c->n_destinations, 0);
	config_free(&c);
	assert_null(c);
}

static void
sections_become_destinations(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	struct config *c;
	const struct destination_config *d;
	char path[128];

	put(f, "secret.url", "sqlite:///srv/shop.db\n", 0600);
	put(f, "eds.conf",
	    "\xef\xbb\xbf; a comment\r\n[server]\r\n  port = 9000 ; inline\r\nnats_ca_file = ca.pem\n"
	    "nats_url = nats://a:1/ , nats://b:2\ncompanies = c1,c2\n"
	    "[destination one]\n\turl = file:///srv/one\n tables = order , customer\noperations=Insert,DELETE\n"
	    "queue_bytes = 1M\nhang_timeout = 0\non_reject = stop\n\n"
	    "[destination two]\nurl_file = secret.url\n", 0600);
	c = load(&flags);
	assert_int_equal(c->port, 9000);
	path_of(f, "ca.pem", path);
	assert_string_equal(c->nats_ca_file, path);
	assert_string_equal(c->nats_url, "nats://a:1,nats://b:2");
	assert_string_equal(c->company_ids[1], "c2");
	assert_int_equal(c->n_destinations, 2);
	d = config_destination(c, "one");
	assert_non_null(d);
	assert_string_equal(d->url, "file:///srv/one");
	assert_string_equal(d->tables[0], "order");
	assert_string_equal(d->tables[1], "customer");
	assert_null(d->tables[2]);
	assert_int_equal(d->operations, ROUTE_INSERT | ROUTE_DELETE);
	assert_int_equal(d->queue_bytes, 1024 * 1024);
	assert_int_equal(d->queue_events, 8192);
	assert_int_equal(d->hang_timeout_ms, 0);
	assert_int_equal(d->backoff_min_ms, 500);
	assert_int_equal(d->on_reject, ON_REJECT_STOP);
	d = config_destination(c, "two");
	assert_string_equal(d->url, "sqlite:///srv/shop.db");
	assert_int_equal(d->operations, ROUTE_INSERT | ROUTE_UPDATE | ROUTE_DELETE);
	assert_null(d->tables);
	assert_null(config_destination(c, "three"));
	config_free(&c);
	forget(f);
}

static void
the_command_line_wins_over_config_toml_over_eds_conf_over_the_environment(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	const char *urls[] = { "file:///from/flag", "file:///second", "null://", NULL }, *ids[] = { "c9", NULL };
	struct config *c;

	put(f, "eds.conf", "[server]\nkeep_logs = no\nlog_level = warn\n", 0600);
	put(f, "config.toml", "token = \"toml.toml.toml\"\nserver_id = 'toml-id'\nurl = 'file:///from/toml'\n"
	    "update_strategy = 'after'\nkeep_logs = true\n", 0600);
	(void)setenv("PORT", "7000", 1);
	(void)setenv("SM_APIKEY", "env.env.env", 1);
	flags.api_url = "https://hq.example.com/";
	c = load(&flags);
	assert_string_equal(c->api_url, "https://hq.example.com");
	assert_int_equal(c->port, 7000);
	assert_string_equal(c->token, "toml.toml.toml");
	assert_string_equal(c->server_id, "toml-id");
	assert_string_equal(c->update_strategy, "after");
	assert_true(c->keep_logs);
	assert_int_equal(c->log_level, LOG_WARN);
	assert_int_equal(c->n_destinations, 1);
	assert_string_equal(c->destinations[0].name, "file");
	assert_string_equal(c->destinations[0].url, "file:///from/toml");
	config_free(&c);

	put(f, "eds.conf", "[server]\nport = 9000\n", 0600);
	flags.api_key = "flag.flag.flag";
	flags.eds_id = "flag-id";
	flags.keep_logs = 0;
	flags.urls = urls;
	flags.company_ids = ids;
	flags.min_latency_ms = 1000;
	flags.verbose = true;
	c = load(&flags);
	assert_int_equal(c->port, 9000);
	assert_string_equal(c->token, "flag.flag.flag");
	assert_string_equal(c->server_id, "flag-id");
	assert_false(c->keep_logs);
	assert_int_equal(c->log_level, LOG_TRACE);
	assert_string_equal(c->company_ids[0], "c9");
	assert_int_equal(c->n_destinations, 3);
	assert_string_equal(c->destinations[0].name, "file");
	assert_string_equal(c->destinations[1].name, "file-2");
	assert_string_equal(c->destinations[2].name, "null");
	assert_int_equal(c->destinations[1].min_latency_ms, 1000);
	config_free(&c);
	flags.port = 9100;
	flags.silent = true;
	c = load(&flags);
	assert_int_equal(c->port, 9100);
	assert_int_equal(c->log_level, LOG_ERROR);
	config_free(&c);
	(void)unsetenv("PORT");
	(void)unsetenv("SM_APIKEY");
	forget(f);
}

static void
the_token_names_the_api_and_a_local_api_brings_its_nats(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	struct config *c = NULL;
	struct err err = { 0 };

	put(f, "eds.conf", "", 0600);
	/* {"alg":"none"} and {"iss":"http://localhost:3101"} */
	flags.api_key = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwOi8vbG9jYWxob3N0OjMxMDEifQ.x";
	c = load(&flags);
	assert_string_equal(c->api_url, "http://localhost:3101");
	assert_string_equal(c->nats_url, "nats://localhost:4222");
	config_free(&c);
	flags.nats_url = "nats://127.0.0.1:5222";
	c = load(&flags);
	assert_string_equal(c->nats_url, "nats://127.0.0.1:5222");
	config_free(&c);
	flags.api_key = "one.two";
	assert_int_equal(config_load(&c, &flags, &err), -1);
	assert_int_equal(err.code, ERR_AUTH);
	assert_string_equal(err.text, "invalid API key. it is no token: expected three parts with dots between");
	flags.creds_file = "/etc/eds/nats.creds";	/* without HQ the token does not matter */
	c = load(&flags);
	config_free(&c);
	forget(f);
}

/* Which drivers are known changes; a text that ends in their list is compared up to there. */
static void
assert_said(const char *text, const char *wanted)
{
	size_t	n = strlen(wanted);

	if (n > 2 && wanted[n - 1] == ' ' && wanted[n - 2] == ':')
		assert_int_equal(strncmp(text, wanted, n), 0);
	else
		assert_string_equal(text, wanted);
}

static void
what_is_wrong_in_eds_conf_is_named_with_line_key_and_what_was_expected(void **state)
{
	static const struct {
		const char *text, *message;	/* the message behind "<file>" */
	} cases[] = {
		{ "port = 1\n", ":1: \"port\" stands before the first section: start with [server] or [destination NAME]" },
		{ "[server]\n\nprot = 1\n", ":3: [server] has no option \"prot\" (did you mean port?)" },
		{ "[server]\nqueue_events = 1\n", ":2: \"queue_events\" belongs into a [destination NAME] section, not into [server]" },
		{ "[server]\nxyzzy_plugh = 1\n", ":2: [server] has no option \"xyzzy_plugh\"; eds.conf(5) lists them" },
		{ "[destination a]\nurl = null://\nprt = 1\nport = 1\n", ":3: [destination] has no option \"prt\" (did you mean url?)" },
		{ "[sever]\n", ":1: unknown section [sever], expected [server] or [destination NAME] (did you mean server?)" },
		{ "[destinatoin a]\n", ":1: unknown section [destinatoin a], expected [server] or [destination NAME] (did you mean destination?)" },
		{ "[other]\n", ":1: unknown section [other], expected [server] or [destination NAME]" },
		{ "[server]\n[server]\n", ":2: a second [server] section: put both into one" },
		{ "[server\nport = 1\n", ":1: expected [server] or [destination NAME] alone on the line" },
		{ "[server] port = 1\n", ":1: expected [server] or [destination NAME] alone on the line" },
		{ "[server]\nnonsense\n", ":2: expected \"key = value\", a section in brackets or a comment" },
		{ "[server]\nport = 80a\n", ":2: port: found \"80a\", expected a port from 0 to 65535" },
		{ "[server]\nport = 65536\n", ":2: port: found \"65536\", expected a port from 0 to 65535" },
		{ "[server]\nport = 1\nport = 2\n", ":3: port is given twice, first in line 2" },
		{ "[server]\nlog_level = loud\n", ":2: log_level: found \"loud\", expected trace, debug, info, warn or error" },
		{ "[server]\nkeep_logs = maybe\n", ":2: keep_logs: found \"maybe\", expected yes or no" },
		{ "[server]\nkeep_logs =\n", ":2: keep_logs: found \"\", expected yes or no" },
		{ "[server]\nwindow_bytes = 64X\n", ":2: window_bytes: found \"64X\", expected a size such as 64M, from 1M to 64G" },
		{ "[server]\nwindow_bytes = 1K\n", ":2: window_bytes: found \"1K\", expected a size such as 64M, from 1M to 64G" },
		{ "[server]\nwindow_bytes = 99999999999999999999\n",
		    ":2: window_bytes: found \"99999999999999999999\", expected a size such as 64M, from 1M to 64G" },
		{ "[server]\nwindow_bytes = 9999999999999G\n",
		    ":2: window_bytes: found \"9999999999999G\", expected a size such as 64M, from 1M to 64G" },
		{ "[server]\nwindow_events = -5\n", ":2: window_events: found \"-5\", expected a number from 100 to 100000000" },
		{ "[server]\nrenew_interval = soon\n", ":2: renew_interval: found \"soon\", expected a duration such as 1m30s, from 1s to 7d" },
		{ "[server]\nrenew_interval = 500ms\n", ":2: renew_interval: found \"500ms\", expected a duration such as 1m30s, from 1s to 7d" },
		{ "[server]\napi_url = hq.example.com\n", ":2: api_url: expected an address that starts with https:// or http://" },
		{ "[server]\nnats_url = nats://a,,\n", ":2: nats_url: expected NATS servers such as nats://host:4222, separated by commas" },
		{ "[server]\nconsumer_suffix = a b\n", ":2: consumer_suffix: found \"a b\", expected at most 32 of the characters A-Z a-z 0-9 _ -" },
		{ "[server]\ncompanies = a,,b\n", ":2: companies: found \"a,,b\", expected words separated by commas, none of them empty" },
		{ "[server]\nnats_ca_file =\n", ":2: nats_ca_file: found nothing, expected the path of a file" },
		{ "[destination]\nurl = null://\n",
		    ":1: a destination's name has 1 to 32 of the characters A-Z a-z 0-9 _ -, as in [destination warehouse]" },
		{ "[destination a.b]\nurl = null://\n",
		    ":1: a destination's name has 1 to 32 of the characters A-Z a-z 0-9 _ -, as in [destination warehouse]" },
		{ "[destination a]\n", ":1: destination \"a\" needs url or url_file" },
		{ "[destination a]\ntables = x\n[server]\n", ":1: destination \"a\" needs url or url_file" },
		{ "[destination a]\nurl = null://\nurl_file = x\n", ":3: give either url or url_file, not both" },
		{ "[destination a]\nurl = null://\noperations = insert, upsert\n",
		    ":3: operations: found \"insert, upsert\", expected insert, update, delete or some of them, separated by commas" },
		{ "[destination a]\nurl = null://\non_reject = die\n", ":3: on_reject: found \"die\", expected quarantine or stop" },
		{ "[destination a]\nurl = null://\nqueue_events = 0\n", ":3: queue_events: found \"0\", expected a number from 1 to 1000000" },
		{ "[destination a]\nurl = nosuch://u:s3cr3t@h/\n",
		    ":1: destination \"a\": no driver registered for protocol nosuch (known: " },
		{ "[destination a]\nurl = u:s3cr3t@h\n",
		    ":1: destination \"a\": no driver registered for protocol u (known: " },
		{ "[destination a]\nurl = s3cr3t\n",
		    ":1: destination \"a\": expected a URL that starts with one of these and ://: " },
		{ "[destination a]\nurl = file://folder\n",
		    ":1: destination \"a\": path is required in url which should be the directory to store files" },
		{ "[destination a]\nurl = null://\nbackoff_min = 2m\n", ":1: destination \"a\": backoff_min is longer than backoff_max" },
		{ "[destination a]\nurl = null://\nmin_latency = 2m\n", ":1: destination \"a\": min_latency is longer than max_latency" },
	};
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	char path[128];

	path_of(f, "eds.conf", path);
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct config *c = NULL;
		struct err err = { 0 };

		put(f, "eds.conf", cases[i].text, 0600);
		assert_int_equal(config_load(&c, &flags, &err), -1);
		assert_null(c);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_memory_equal(err.text, path, strlen(path));
		assert_said(err.text + strlen(path), cases[i].message);
		assert_null(strstr(err.text, "s3cr3t"));
	}
	forget(f);
}

static void
two_destinations_of_one_name_are_refused(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	struct config *c = NULL;
	struct err err = { 0 };
	char expected[600], path[128];

	path_of(f, "eds.conf", path);
	put(f, "eds.conf", "[destination file]\nurl = file:///a\n", 0600);
	put(f, "config.toml", "url = 'file:///b'\n", 0600);
	assert_int_equal(config_load(&c, &flags, &err), -1);
	(void)snprintf(expected, sizeof(expected), "config.toml: the destination is named after its driver: "
	    "there is a destination \"file\" already (%s:1): give this one another name", path);
	assert_string_equal(err.text, expected);
	put(f, "config.toml", "", 0600);
	put(f, "eds.conf", "[destination a]\nurl = null://\n[destination a]\nurl = null://\n", 0600);
	assert_int_equal(config_load(&c, &flags, &err), -1);
	(void)snprintf(expected, sizeof(expected), "%s:3: there is a destination \"a\" already (%s:1): give this one another name",
	    path, path);
	assert_string_equal(err.text, expected);
	forget(f);
}

static void
a_secret_that_others_can_read_is_refused(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	struct config *c = NULL;
	struct err err = { 0 };
	char expected[600], conf[128], secret[128];

	path_of(f, "eds.conf", conf);
	path_of(f, "secret.url", secret);
	put(f, "eds.conf", "[destination a]\nurl_file = secret.url\n", 0600);
	put(f, "secret.url", "file:///x", 0640);
	assert_int_equal(config_load(&c, &flags, &err), -1);
	(void)snprintf(expected, sizeof(expected), "%s:2: url_file: %s has mode 0640: a file with a secret must not be readable "
	    "by others (chmod 600 %s)", conf, secret, secret);
	assert_string_equal(err.text, expected);
	put(f, "secret.url", "file:///x\nfile:///y\n", 0600);
	assert_int_equal(config_load(&c, &flags, &err), -1);
	(void)snprintf(expected, sizeof(expected), "%s:2: url_file: %s: expected one line that holds the URL", conf, secret);
	assert_string_equal(err.text, expected);
	put(f, "eds.conf", "[destination a]\nurl_file = .\n", 0600);
	assert_int_equal(config_load(&c, &flags, &err), -1);
	(void)snprintf(expected, sizeof(expected), "%s:2: url_file: %s/. is not a regular file", conf, f->dir);
	assert_string_equal(err.text, expected);
	put(f, "eds.conf", "[destination a]\nurl_file = absent\n", 0600);
	assert_int_equal(config_load(&c, &flags, &err), -1);
	(void)snprintf(expected, sizeof(expected), "%s:2: url_file: open %s/absent: No such file or directory", conf, f->dir);
	assert_string_equal(err.text, expected);
	assert_int_equal(err.code, ERR_CONFIG);
	forget(f);
}

static void
a_readable_config_toml_is_tightened(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	struct config *c;
	struct stat st;
	char path[128];

	put(f, "eds.conf", "", 0600);
	put(f, "config.toml", "server_id = 'x'\n", 0644);
	c = load(&flags);
	config_free(&c);
	path_of(f, "config.toml", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	forget(f);
}

static void
a_broken_config_toml_is_told_by_path_and_line(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "token = \n", "line 1: expected a value after the equals sign" },
		{ "\ntoken = 5\n", "line 2: token must be a text in quotes" },
		{ "keep_logs = 'yes'\n", "line 1: keep_logs must be true or false" },
		{ "update_strategy = 'before'\n", "line 1: update_strategy must be \"standard\" or \"after\"" },
		{ "nonsense\n", "line 1: expected \"key = value\"" },
	};
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	char expected[600], path[128];

	path_of(f, "config.toml", path);
	put(f, "eds.conf", "", 0600);
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct config *c = NULL;
		struct err err = { 0 };

		put(f, "config.toml", cases[i].text, 0600);
		assert_int_equal(config_load(&c, &flags, &err), -1);
		(void)snprintf(expected, sizeof(expected), "error loading %s: %s", path, cases[i].message);
		assert_string_equal(err.text, expected);
		assert_int_equal(err.code, ERR_INVALID);
	}
	forget(f);
}

static void
flags_out_of_range_are_named(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	const char *urls[] = { "nosuch://host", NULL };
	struct config *c = NULL;
	struct err err = { 0 };

	put(f, "eds.conf", "", 0600);
	flags.port = 70000;
	assert_int_equal(config_load(&c, &flags, &err), -1);
	assert_string_equal(err.text, "--port: found \"70000\", expected a port from 0 to 65535");
	flags.port = -1;
	flags.urls = urls;
	assert_int_equal(config_load(&c, &flags, &err), -1);
	assert_said(err.text, "--url: no driver registered for protocol nosuch (known: ");
	flags.urls = NULL;
	flags.config_file = "/nonexistent/eds.conf";
	assert_int_equal(config_load(&c, &flags, &err), -1);
	assert_string_equal(err.text, "open /nonexistent/eds.conf: No such file or directory");
	flags.config_file = NULL;
	flags.schema_validator = "/nonexistent/rules";
	assert_int_equal(config_load(&c, &flags, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_string_equal(err.text, "schema_validator: /nonexistent/rules: No such file or directory");
	forget(f);
}

/* A reload touches exactly the workers whose section changed. */
static void
a_changed_section_is_not_the_same_and_others_are(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	struct config *a, *b;
	struct buf names = { 0 };

	put(f, "eds.conf", "[server]\nport = 1\n[destination x]\nurl = null://\n[destination y]\nurl = null://\ntables = a\n", 0600);
	a = load(&flags);
	put(f, "eds.conf", "[server]\nport = 2\nlog_level = debug\nwindow_bytes = 8M\n\n[destination x]\nurl = null://\n"
	    "[destination y]\nurl = null://\ntables = a, b\n", 0600);
	b = load(&flags);
	assert_true(destination_config_same(&a->destinations[0], &b->destinations[0]));
	assert_false(destination_config_same(&a->destinations[1], &b->destinations[1]));
	assert_false(destination_config_same(&a->destinations[0], &b->destinations[1]));
	config_needs_restart(a, b, &names);
	assert_string_equal(buf_cstr(&names), "port, window_bytes");
	buf_reset(&names);
	config_needs_restart(b, b, &names);
	assert_string_equal(buf_cstr(&names), "");
	buf_free(&names);
	config_free(&a);
	config_free(&b);
	forget(f);
}

static char *
slurp(const char *path)
{
	struct buf text = { 0 };
	struct err err = { 0 };

	if (config_read_file(&text, path, 1 << 20, &err) != 0)
		fail_msg("%s", err.text);
	return buf_steal(&text);
}

/* "#key = value" and "#[section]" lines without their #, url_file left out: there is no such file here. */
static void
uncomment(char *sample, struct buf *out)
{
	struct slice rest = slice_of(sample), line;

	while (slice_cut(&rest, '\n', &line)) {
		struct slice key = line, word;

		if (line.n > 1 && line.p[0] == '#' && line.p[1] != ' ' && (line.p[1] == '[' || (slice_cut(&key, '=', &word) && key.p != NULL))) {
			line.p++;
			line.n--;
			if (line.n >= 9 && memcmp(line.p, "url_file ", 9) == 0)
				continue;
		}
		buf_adds_slice(out, line);
		buf_addc(out, '\n');
	}
}

static void
every_option_stands_in_the_sample_and_in_the_page(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	char *sample = slurp("etc/eds.conf"), *page = slurp("supervisor/config/eds.conf.5"), line[128];
	const char *at;
	struct buf all = { 0 };
	struct config *c;
	size_t n;
	const struct config_option *o = config_options(&n);

	assert_true(n > 30);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(line, sizeof(line), "\n#%s = ", o[i].key);
		if (strstr(sample, line) == NULL)
			fail_msg("etc/eds.conf lacks %s", o[i].key);
		if (o[i].dflt[0] != '\0') {
			(void)snprintf(line, sizeof(line), "\n#%s = %s\n", o[i].key, o[i].dflt);
			if (strstr(sample, line) == NULL)
				fail_msg("etc/eds.conf shows another default of %s", o[i].key);
		}
		(void)snprintf(line, sizeof(line), "\n.It Cm %s\n", o[i].key);
		if (strstr(page, line) == NULL)
			fail_msg("eds.conf.5 lacks %s", o[i].key);
	}
	put(f, "eds.conf", sample, 0600);
	c = load(&flags);
	assert_int_equal(c->n_destinations, 0);
	config_free(&c);
	uncomment(sample, &all);
	/* the one thing that is looked at where it lies */
	at = strstr(buf_cstr(&all), "schema_validator = ");
	assert_non_null(at);
	all.data[at - buf_cstr(&all)] = '#';
	put(f, "eds.conf", buf_cstr(&all), 0600);
	c = load(&flags);
	assert_int_equal(c->n_destinations, 1);
	assert_string_equal(c->destinations[0].name, "warehouse");
	assert_string_equal(c->consumer_suffix, "blue");
	config_free(&c);
	buf_free(&all);
	free(sample);
	free(page);
	forget(f);
}

static void
rules_are_read_with_the_configuration(void **state)
{
	const struct fixture *f = *state;
	struct config_flags flags = flags_of(f);
	struct config *a, *b, *none;
	struct err err;
	char dir[128], file[200], conf[300];

	path_of(f, "rules", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	put(f, "rules/config.json", "{\"order\": {\"schema\": \"o.json\"}}", 0600);
	put(f, "rules/o.json", "{\"type\": \"object\"}", 0600);
	none = load(&flags);
	assert_null(none->rules);
	(void)snprintf(conf, sizeof(conf), "[server]\nschema_validator = %s\n", dir);
	put(f, "eds.conf", conf, 0600);
	a = load(&flags);
	b = load(&flags);
	assert_non_null(strstr(a->rules, "\"o.json\":{\"type\": \"object\"}"));
	assert_string_equal(a->schema_validator, dir);
	assert_true(config_same_rules(a, b));
	assert_false(config_same_rules(a, none));
	config_free(&b);
	put(f, "rules/o.json", "{\"type\": \"array\"}", 0600);
	b = load(&flags);
	assert_false(config_same_rules(a, b));
	config_free(&b);
	put(f, "rules/o.json", "{\"type\": \"text\"}", 0600);
	assert_int_equal(config_load(&b, &flags, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	(void)snprintf(conf, sizeof(conf), "schema_validator: %s: config.json: table \"order\": schema \"o.json\": o.json#/type: must be ", dir);
	assert_int_equal(strncmp(err.text, conf, strlen(conf)), 0);
	flags.schema_validator = "/nonexistent";
	assert_int_equal(config_load(&b, &flags, &err), -1);
	assert_string_equal(err.text, "schema_validator: /nonexistent: No such file or directory");
	config_free(&a);
	config_free(&none);
	(void)snprintf(file, sizeof(file), "%s/o.json", dir);
	assert_int_equal(unlink(file), 0);
	(void)snprintf(file, sizeof(file), "%s/config.json", dir);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(dir), 0);
	forget(f);
}

static void
a_relative_data_dir_starts_from_here(void **state)
{
	char cwd[4000], expected[4100], *dir;

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	(void)snprintf(expected, sizeof(expected), "%s/data", cwd);
	dir = config_data_dir(NULL, NULL);
	assert_string_equal(dir, expected);
	free(dir);
	(void)snprintf(expected, sizeof(expected), "%s/x", cwd);
	dir = config_data_dir("x/", NULL);
	assert_string_equal(dir, expected);
	free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_configured_gives_the_defaults),
		cmocka_unit_test(sections_become_destinations),
		cmocka_unit_test(the_command_line_wins_over_config_toml_over_eds_conf_over_the_environment),
		cmocka_unit_test(the_token_names_the_api_and_a_local_api_brings_its_nats),
		cmocka_unit_test(what_is_wrong_in_eds_conf_is_named_with_line_key_and_what_was_expected),
		cmocka_unit_test(two_destinations_of_one_name_are_refused),
		cmocka_unit_test(a_secret_that_others_can_read_is_refused),
		cmocka_unit_test(a_readable_config_toml_is_tightened),
		cmocka_unit_test(a_broken_config_toml_is_told_by_path_and_line),
		cmocka_unit_test(flags_out_of_range_are_named),
		cmocka_unit_test(a_changed_section_is_not_the_same_and_others_are),
		cmocka_unit_test(every_option_stands_in_the_sample_and_in_the_page),
		cmocka_unit_test(rules_are_read_with_the_configuration),
		cmocka_unit_test(a_relative_data_dir_starts_from_here),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
