/* The command line: every spelling of a flag, every way of getting one wrong, no secret left in argv. */

#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/cli/cli.h"

#define ARGS	32

struct line {
	int	 argc;
	char	*argv[ARGS + 1];
};

/* Words separated by one blank, in memory of their own as the kernel's are. */
static void
line_make(struct line *l, const char *text)
{
	struct slice rest = slice_of(text), word;

	*l = (struct line){ 0 };
	while (slice_cut(&rest, ' ', &word)) {
		assert_true(l->argc < ARGS);
		l->argv[l->argc++] = slice_dup(word);
	}
}

static void
line_free(struct line *l)
{
	for (int i = 0; i < l->argc; i++)
		free(l->argv[i]);
}

static void
parse(struct cli *cli, struct line *l, const char *text)
{
	struct err err = { 0 };

	line_make(l, text);
	if (cli_parse(cli, l->argc, l->argv, &err) != 0)
		fail_msg("%s: %s", text, err.text);
}

static void
done(struct cli *cli, struct line *l)
{
	cli_free(cli);
	line_free(l);
}

static void
nothing_given_leaves_everything_open(void **state)
{
	struct cli cli;
	struct line l;

	(void)state;
	parse(&cli, &l, "eds server");
	assert_int_equal(cli.command, CLI_SERVER);
	assert_int_equal(cli.flags.port, -1);
	assert_int_equal(cli.flags.keep_logs, -1);
	assert_int_equal(cli.flags.max_ack_pending, -1);
	assert_int_equal(cli.flags.renew_interval_ms, -1);
	assert_null(cli.flags.urls);
	assert_null(cli.flags.data_dir);
	assert_false(cli.flags.verbose);
	done(&cli, &l);
}

static void
values_come_behind_the_flag_or_an_equals_sign(void **state)
{
	static const char *const spellings[] = {
		"eds server --data-dir /x --port 9 --keep-logs --renew-interval 1h --verbose",
		"eds server --data-dir=/x --port=9 --keep-logs=true --renew-interval=60m -v",
		"eds -d /x --verbose=true server --port 9 --keep-logs=1 --renew-interval 3600s",
		"eds --port 9 --keep-logs --data-dir /x -v --renew-interval 1h server",
		"eds -vd/x server --port=9 --keep-logs=T --renew-interval 1h",
		"eds -vd=/x server --port=9 --keep-logs --renew-interval 1h",
	};

	(void)state;
	for (size_t i = 0; i < NELEM(spellings); i++) {
		struct cli cli;
		struct line l;

		parse(&cli, &l, spellings[i]);
		assert_int_equal(cli.command, CLI_SERVER);
		assert_string_equal(cli.flags.data_dir, "/x");
		assert_int_equal(cli.flags.port, 9);
		assert_int_equal(cli.flags.keep_logs, 1);
		assert_int_equal(cli.flags.renew_interval_ms, 3600000);
		assert_true(cli.flags.verbose);
		assert_int_equal(cli.n_args, 0);
		done(&cli, &l);
	}
}

/* The reference's own list of removed flags took the next argument with each of them. */
static void
h59_a_boolean_never_takes_the_next_argument(void **state)
{
	struct cli cli;
	struct line l;

	(void)state;
	parse(&cli, &l, "eds server --keep-logs --data-dir x --api-url=http://h --verbose --no-restart -s");
	assert_int_equal(cli.flags.keep_logs, 1);
	assert_string_equal(cli.flags.data_dir, "x");
	assert_string_equal(cli.flags.api_url, "http://h");
	assert_true(cli.flags.verbose);
	assert_true(cli.flags.silent);
	done(&cli, &l);
	parse(&cli, &l, "eds server --keep-logs=false --verbose=false");
	assert_int_equal(cli.flags.keep_logs, 0);
	assert_false(cli.flags.verbose);
	done(&cli, &l);
}

static void
every_flag_of_the_go_server_is_accepted(void **state)
{
	struct cli cli;
	struct line l;

	(void)state;
	parse(&cli, &l, "eds server --log-file-sink f --log-label l --companyIds a,b --companyIds c --health-port 7 --server nats://h "
	    "--consumer-suffix s --maxAckPending 1 --maxPendingBuffer 2 --wrapper --parent -1 --restart --no-restart -t");
	assert_string_equal(cli.flags.company_ids[0], "a");
	assert_string_equal(cli.flags.company_ids[1], "b");
	assert_string_equal(cli.flags.company_ids[2], "c");
	assert_null(cli.flags.company_ids[3]);
	assert_int_equal(cli.flags.port, 7);
	assert_string_equal(cli.flags.nats_url, "nats://h");
	assert_string_equal(cli.flags.consumer_suffix, "s");
	assert_string_equal(cli.flags.log_label, "l");
	assert_int_equal(cli.flags.max_ack_pending, 1);
	assert_int_equal(cli.flags.max_pending_buffer, 2);
	assert_true(cli.flags.from_beginning);
	assert_true(cli.flags.timestamps);
	done(&cli, &l);
	parse(&cli, &l, "eds server --minPendingLatency 2s --maxPendingLatency 1m0s500ms --config c --creds k --schema-validator v");
	assert_int_equal(cli.flags.min_latency_ms, 2000);
	assert_int_equal(cli.flags.max_latency_ms, 60500);
	assert_string_equal(cli.flags.config_file, "c");
	assert_string_equal(cli.flags.creds_file, "k");
	assert_string_equal(cli.flags.schema_validator, "v");
	done(&cli, &l);
}

static void
secrets_leave_the_process_list_and_stay_with_us(void **state)
{
	struct cli cli;
	struct line l;

	(void)state;
	parse(&cli, &l, "eds server --api-key s3cr3t --url=file:///s3cr3t,x --url null://s3cr3t --port 1");
	assert_string_equal(cli.flags.api_key, "s3cr3t");
	assert_string_equal(cli.flags.urls[0], "file:///s3cr3t,x");
	assert_string_equal(cli.flags.urls[1], "null://s3cr3t");
	assert_null(cli.flags.urls[2]);
	for (int i = 0; i < l.argc; i++)
		assert_null(strstr(l.argv[i], "s3cr3t"));
	assert_string_equal(l.argv[3], "******");
	assert_string_equal(l.argv[4], "--url=****************");
	assert_string_equal(l.argv[8], "1");
	assert_string_equal(cli.argv[3], "s3cr3t");	/* for running the program again */
	done(&cli, &l);

	parse(&cli, &l, "eds enroll Ps3cr3t -d x");
	assert_string_equal(cli.args[0], "Ps3cr3t");
	assert_string_equal(l.argv[2], "*******");
	done(&cli, &l);

	parse(&cli, &l, "eds import --url file:///s3cr3t --api-key=s3cr3t");
	assert_int_equal(cli.command, CLI_IMPORT);
	for (int i = 0; i < l.argc; i++)
		assert_null(strstr(l.argv[i], "s3cr3t"));
	done(&cli, &l);
}

static void
what_is_wrong_is_said_in_the_known_words(void **state)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ "eds nope", "unknown command \"nope\" for \"eds\"" },
		{ "eds server nope", "unknown command \"nope\" for \"eds server\"" },
		{ "eds server --nope", "unknown flag: --nope" },
		{ "eds server --nope=1", "unknown flag: --nope" },
		{ "eds version --url x", "unknown flag: --url" },
		{ "eds enroll c --port 1", "unknown flag: --port" },
		{ "eds server -x", "unknown shorthand flag: 'x' in -x" },
		{ "eds server -vx", "unknown shorthand flag: 'x' in -vx" },
		{ "eds server --url", "flag needs an argument: --url" },
		{ "eds server -vd", "flag needs an argument: 'd' in -vd" },
		{ "eds server --=x", "bad flag syntax: --=x" },
		{ "eds server ---x", "bad flag syntax: ---x" },
		{ "eds server --port abc", "invalid argument \"abc\" for \"--port\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax" },
		{ "eds server --port -1", "invalid argument \"-1\" for \"--port\" flag: expected 0 or more" },
		{ "eds server --port 65536", "invalid argument \"65536\" for \"--port\" flag: expected a port from 0 to 65535" },
		{ "eds -v=x server", "invalid argument \"x\" for \"-v, --verbose\" flag: strconv.ParseBool: parsing \"x\": invalid syntax" },
		{ "eds server --renew-interval soon", "invalid argument \"soon\" for \"--renew-interval\" flag: time: invalid duration \"soon\"" },
		{ "eds enroll", "accepts 1 arg(s), received 0" },
		{ "eds enroll a b", "accepts 1 arg(s), received 2" },
		{ "eds server help a b", "accepts at most 1 arg(s), received 2" },
		{ "eds server -- --port", "unknown command \"--port\" for \"eds server\"" },
		{ "eds server --nope --api-key=s3cr3t --url s3cr3t", "unknown flag: --nope" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct cli cli;
		struct line l;
		struct err err = { 0 };

		line_make(&l, cases[i].line);
		assert_int_equal(cli_parse(&cli, l.argc, l.argv, &err), -1);
		assert_string_equal(err.text, cases[i].text);
		for (int a = 0; a < l.argc; a++)
			assert_null(strstr(l.argv[a], "s3cr3t"));
		done(&cli, &l);
	}
}

static void
commands_are_found_with_their_arguments(void **state)
{
	struct cli cli;
	struct line l;

	(void)state;
	parse(&cli, &l, "eds");
	assert_int_equal(cli.command, CLI_ROOT);
	done(&cli, &l);
	parse(&cli, &l, "eds -d server version");
	assert_int_equal(cli.command, CLI_VERSION);
	assert_string_equal(cli.flags.data_dir, "server");
	done(&cli, &l);
	parse(&cli, &l, "eds server -v help AWS");
	assert_int_equal(cli.command, CLI_SERVER_HELP);
	assert_string_equal(cli.args[0], "AWS");
	done(&cli, &l);
	parse(&cli, &l, "eds server --help whatever");
	assert_true(cli.help);
	done(&cli, &l);
	parse(&cli, &l, "eds help server");
	assert_int_equal(cli.command, CLI_HELP);
	assert_string_equal(cli.args[0], "server");
	done(&cli, &l);
	parse(&cli, &l, "eds enroll -- -P1");
	assert_string_equal(cli.args[0], "-P1");
	done(&cli, &l);
	parse(&cli, &l, "eds download 1 x --release-url http://127.0.0.1/eds");
	assert_int_equal(cli.command, CLI_DOWNLOAD);
	assert_string_equal(cli.release_url, "http://127.0.0.1/eds");
	done(&cli, &l);
}

static void
usage_shows_what_is_not_hidden_and_the_global_flags(void **state)
{
	struct buf text = { 0 };

	(void)state;
	cli_usage(CLI_SERVER, &text);
	assert_non_null(strstr(buf_cstr(&text), "\nGlobal Flags:\n"));
	assert_non_null(strstr(buf_cstr(&text), "--api-key string"));
	assert_non_null(strstr(buf_cstr(&text), "-d, --data-dir string"));
	assert_null(strstr(buf_cstr(&text), "maxAckPending"));
	assert_null(strstr(buf_cstr(&text), "health-port"));
	buf_reset(&text);
	cli_help(CLI_ROOT, &text);
	assert_non_null(strstr(buf_cstr(&text), "https://shopmonkey.dev/eds"));
	assert_non_null(strstr(buf_cstr(&text), "https://github.com/shopmonkeyus/eds"));
	buf_free(&text);
}

static void
every_flag_that_is_shown_stands_in_the_page(void **state)
{
	size_t n, got;
	const struct cli_flag *f = cli_flags(&n);
	char page[40000], item[64];
	FILE *file = fopen("supervisor/eds.8", "re");

	(void)state;
	assert_non_null(file);
	got = fread(page, 1, sizeof(page) - 1, file);
	(void)fclose(file);
	page[got] = '\0';
	assert_true(got > 1000 && got < sizeof(page) - 1);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(item, sizeof(item), "Fl Fl %s", f[i].name);
		if (strstr(page, item) == NULL)
			fail_msg("eds.8 lacks --%s", f[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given_leaves_everything_open),
		cmocka_unit_test(values_come_behind_the_flag_or_an_equals_sign),
		cmocka_unit_test(h59_a_boolean_never_takes_the_next_argument),
		cmocka_unit_test(every_flag_of_the_go_server_is_accepted),
		cmocka_unit_test(secrets_leave_the_process_list_and_stay_with_us),
		cmocka_unit_test(what_is_wrong_is_said_in_the_known_words),
		cmocka_unit_test(commands_are_found_with_their_arguments),
		cmocka_unit_test(usage_shows_what_is_not_hidden_and_the_global_flags),
		cmocka_unit_test(every_flag_that_is_shown_stands_in_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
