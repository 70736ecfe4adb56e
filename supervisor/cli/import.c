/* `eds import`: an import without a server, from the command line to its exit code. */

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "drivers/registry.h"
#include "ipc/base/clock.h"
#include "ipc/base/url.h"
#include "supervisor/audit.h"
#include "supervisor/child/oneshot.h"
#include "supervisor/child/spawn.h"
#include "supervisor/cli/cli.h"
#include "supervisor/import/import_text.h"
#include "supervisor/import/import.h"
#include "supervisor/store/lock.h"
#include "supervisor/supervisor.h"

#define SHOW_EVERY_S	0.5

struct run {
	struct cli		*cli;
	struct config		*config;
	struct log		 log;
	struct ev_loop		*loop;
	struct http		*http;
	struct store		*store;
	struct import		*import;
	char			*program, *name;
	const struct driver_info *driver;
	int			 lock_fd;
	ev_timer		 show;
	ev_signal		 sigint, sigterm;
	bool			 stopped;
	enum import_state	 how;
	struct err		 why;
};

/* --- what is asked for --- */

/* "error: required flag ...", as scripts know it. */
static bool
is_there(const char *value, const char *flag)
{
	if (value != NULL && value[0] != '\0')
		return true;
	(void)printf("error: required flag --%s missing\n", flag);
	return false;
}

/* Of those that hold tables, an import replaces what is there (contract/cli.md section 2.5). */
static bool
replaces(const struct driver_info *info)
{
	static const char *const	 add_only[] = { "file", "kafka", "eventhub", "eventhubs", "s3", "null", "fault" };

	for (size_t i = 0; i < NELEM(add_only); i++)
		if (strcmp(info->id, add_only[i]) == 0)
			return false;
	return true;
}

/* 0: go on; otherwise the exit code in *code_r. */
static int
ask_operator(struct run *r, int *code_r)
{
	const struct cli_import	*im = &r->cli->import;
	char			 question[200];
	int			 answer;

	if (im->dry_run || im->no_confirm || im->no_delete || !replaces(r->driver) ||
	    (im->schema_only && !isatty(STDIN_FILENO)))		/* scripts make tables without being asked (hazard H23) */
		return 0;
	(void)snprintf(question, sizeof(question), "YOU ARE ABOUT TO DELETE EVERYTHING IN %s", r->driver->name);
	answer = confirm("🚨 WARNING 🚨", question);
	if (answer == 1)
		return 0;
	if (answer == -1)
		log_error(&r->log, "everything in %s would be replaced, and there is no terminal to ask on: say --no-confirm when that is "
		    "what you want", r->driver->name);
	*code_r = answer == -1 ? EXIT_FATAL : 0;
	return -1;
}

/* --- the audit --- */

/* Without a server this program is the one that was told; an audit that cannot be written is said, as there. */
static void
put_on_record(struct run *r, const char *outcome)
{
	struct audit_entry	 e = { .from = "local", .command = "import", .outcome = outcome };
	struct import_words	 words;
	struct buf		 details = { 0 };
	struct audit		*audit;
	struct err		 err = { 0 };
	char			 who[40];

	import_words_make(&words, r->cli);
	buf_printf(&details, "%s ", r->name);
	mask_url_for_log(&details, slice_of(r->cli->import.url));
	for (size_t i = 0; i < words.n; i++)
		buf_printf(&details, " %s", words.word[i]);
	(void)snprintf(who, sizeof(who), "uid %lld", (long long)getuid());
	e.who = who;
	e.details = buf_cstr(&details);
	if (audit_open(&audit, r->config->data_dir, &err) == -1 || audit_add(audit, &e, &err) == -1)
		log_error(&r->log, "%s", err.text);
	audit_close(&audit);
	buf_free(&details);
	import_words_free(&words);
}

static void
put_end_on_record(struct run *r)
{
	struct buf	 outcome = { 0 };

	if (r->how == IMPORT_FAILED)
		buf_printf(&outcome, "failed: %s", r->why.text);
	else
		buf_adds(&outcome, r->how == IMPORT_DONE ? "done" : import_state_name(r->how));
	put_on_record(r, buf_cstr(&outcome));
	buf_free(&outcome);
}

/* --- running it --- */

static void
on_ended(void *arg, enum import_state how, const char *text)
{
	struct run	*r = arg;

	r->how = how;
	(void)err_set(&r->why, ERR_IO, "%s", text);
	ev_break(r->loop, EVBREAK_ALL);
}

static void
on_show(struct ev_loop *loop, ev_timer *w, int events)
{
	struct run		*r = w->data;
	const struct text_import picture = import_picture(r->import);

	(void)loop;
	(void)events;
	import_show(&r->log, &picture);
}

static void
on_signal(struct ev_loop *loop, ev_signal *w, int events)
{
	struct run	*r = w->data;

	(void)events;
	import_show_end();
	if (r->stopped) {
		log_warn(&r->log, "ending at once; what was made beside the live tables stays until the next import");
		ev_break(loop, EVBREAK_ALL);
	} else if (import_cancel(r->import))
		log_info(&r->log, "stopping; what was there stays as it was (again: end at once)");
	else
		log_info(&r->log, "the tables are being made live, which cannot be stopped any more");
	r->stopped = true;
}

static void
watch_signals(struct run *r)
{
	ev_signal_init(&r->sigint, on_signal, SIGINT);
	ev_signal_init(&r->sigterm, on_signal, SIGTERM);
	r->sigint.data = r->sigterm.data = r;
	ev_signal_start(r->loop, &r->sigint);
	ev_signal_start(r->loop, &r->sigterm);
	ev_timer_init(&r->show, on_show, SHOW_EVERY_S, SHOW_EVERY_S);
	r->show.data = r;
	ev_timer_start(r->loop, &r->show);
}

static int
report(struct run *r)
{
	struct import_progress	 p;
	struct buf		 took = { 0 };
	int			 code = EXIT_FATAL;

	import_progress(r->import, &p);
	import_show_end();
	buf_duration(&took, wall_ms() - p.started_ms);
	if (r->how == IMPORT_DONE) {
		log_info(&r->log, "imported %llu records from %llu files in %s%s", (unsigned long long)p.rows, (unsigned long long)p.files,
		    buf_cstr(&took), r->cli->import.dry_run ? " (dry run: nothing was changed)" : "");
		if (p.rejected > 0)
			log_warn(&r->log, "%llu rows were refused", (unsigned long long)p.rejected);
		if (p.skipped > 0)
			log_warn(&r->log, "%llu rows were held back by the rules of schema_validator", (unsigned long long)p.skipped);
		log_info(&r->log, "👋 Loaded %llu tables in %s", (unsigned long long)p.tables, buf_cstr(&took));
		code = 0;
	} else {
		log_error(&r->log, "%s", r->why.text);
		if (p.dir[0] != '\0' && access(p.dir, F_OK) == 0)
			log_info(&r->log, "downloaded files saved to: %s", p.dir);
		if (p.export_id[0] != '\0')
			log_info(&r->log, "the same export is gone on with by --job-id %s", p.export_id);
	}
	buf_free(&took);
	return code;
}

static int
start(struct run *r, struct err *err)
{
	const struct cli_import	*im = &r->cli->import;
	struct import_host	 host = { .loop = r->loop, .http = r->http, .store = r->store, .program = r->program,
		.data_dir = r->config->data_dir, .arg = r, .ended = on_ended };
	struct import_options	 o = { .destination = r->name, .url = im->url, .update_strategy = r->config->update_strategy, .session = "",
		.api_url = r->config->api_url, .token = r->config->token, .rules = r->config->rules, .job_id = im->job_id, .dir = im->dir, .only = im->only,
		.company_ids = r->cli->company_ids, .location_ids = im->location_ids, .dry_run = im->dry_run,
		.schema_only = im->schema_only, .keep = im->no_delete, .keep_files = im->no_cleanup, .single = im->single, .tested = true,
		.parallel = im->parallel > 0 ? (unsigned)im->parallel : 0, .reject_limit = IMPORT_REJECT_LIMIT };

	if (im->time_offset != NULL && !rfc3339_parse_ms(slice_of(im->time_offset), &o.time_offset_ms))
		return err_set(err, ERR_CONFIG, IMPORT_TIME_WANTED);
	if (store_cursor_get(r->store, r->name, &o.cursor, NULL) == -1)
		o.cursor = 0;		/* it never had anything */
	if ((im->job_id != NULL || im->dir != NULL) && !im->dry_run &&
	    import_record_check_age(r->store, r->name, o.cursor, im->job_id, err) == -1)
		return -1;
	if (import_start(&r->import, &host, &o, err) == -1)
		return -1;
	import_go(r->import);
	return 0;
}

static int
run_import(struct run *r)
{
	struct err	 err = { 0 };
	int		 code;

	put_on_record(r, "accepted");
	if (store_open(&r->store, r->config->data_dir, &err) == -1 || http_new(&r->http, r->loop, &err) == -1 ||
	    start(r, &err) == -1) {
		log_error(&r->log, "%s", err.text);
		r->how = IMPORT_FAILED;
		r->why = err;
		put_end_on_record(r);
		return EXIT_FATAL;
	}
	watch_signals(r);
	(void)ev_run(r->loop, 0);
	code = report(r);
	put_end_on_record(r);
	ev_timer_stop(r->loop, &r->show);
	ev_signal_stop(r->loop, &r->sigint);
	ev_signal_stop(r->loop, &r->sigterm);
	return code;
}

/* --- before it --- */

static int
test(struct run *r)
{
	const struct oneshot_settings	 s = { .loop = r->loop, .program = r->program, .destination = r->name, .url = r->cli->import.url,
		.update_strategy = r->config->update_strategy, .session = "", .data_dir = r->config->data_dir };
	enum oneshot_result		 result;
	struct err			 err = { 0 };

	if (oneshot_test_wait(&s, &result, &err) == 0 && result == ONESHOT_FINE)
		return 0;
	(void)printf("%s\n", err.text);
	return EXIT_USAGE;
}

static int
prepare(struct run *r)
{
	const struct cli_import		*im = &r->cli->import;
	const struct destination_config	*d;
	struct err			 err = { 0 };

	if ((r->driver = driver_info_by_scheme(url_scheme(slice_of(im->url)))) == NULL) {
		struct slice scheme = url_scheme(slice_of(im->url));

		(void)printf("no driver registered for protocol " SLICE_FMT "\n", SLICE_ARG(scheme));
		return EXIT_USAGE;
	}
	d = import_destination(r->config, im->url);
	r->name = strdup(d == NULL ? r->driver->id : d->name);
	r->program = r->config->worker_program != NULL ? strdup(r->config->worker_program) : spawn_worker_program(&err);
	r->loop = ev_default_loop(EVFLAG_AUTO);
	if (r->name == NULL || r->program == NULL || r->loop == NULL) {
		log_error(&r->log, "memory is short");
		return EXIT_FATAL;
	}
	return 0;
}

static int
work(struct run *r)
{
	struct err	 err = { 0 };
	int		 code;

	if ((code = prepare(r)) != 0 || (code = test(r)) != 0 || r->cli->import.validate_only)
		return code;
	if (ask_operator(r, &code) == -1)
		return code;
	if ((r->lock_fd = data_dir_lock(r->config->data_dir, &err)) == -1) {
		if (err.code == ERR_CONFLICT)
			return import_ask_server(r->cli, r->config, &r->log, &err);
		log_error(&r->log, "%s", err.text);
		return EXIT_FATAL;
	}
	return run_import(r);
}

static int
load(struct run *r)
{
	struct err	 err = { 0 };
	char		*dir;
	int		 rc = -1;

	if ((dir = config_data_dir(r->cli->flags.data_dir, &err)) != NULL)
		rc = data_dir_ensure(dir, &err);
	free(dir);
	if (rc == 0 && config_load(&r->config, &r->cli->flags, &err) == 0)
		return 0;
	if (err.code == ERR_INVALID)
		(void)printf("%s\n", err.text);
	else
		log_error(&r->log, "%s", err.text);
	return err.code == ERR_INVALID || err.code == ERR_CONFIG ? EXIT_USAGE : EXIT_FATAL;
}

int
cmd_import(struct cli *cli)
{
	struct run	 r = { .cli = cli, .lock_fd = -1, .how = IMPORT_CANCELLED };
	int		 code;

	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	log_make(&r.log, "import", NULL);
	if (!is_there(cli->import.url, "url"))
		return EXIT_USAGE;
	if ((code = load(&r)) != 0)
		return code;
	if (is_there(r.config->token, "api-key"))
		code = work(&r);
	else
		code = EXIT_USAGE;
	import_free(&r.import);
	http_free(&r.http);
	store_close(&r.store);
	if (r.lock_fd != -1)
		(void)close(r.lock_fd);
	config_free(&r.config);
	free(r.program);
	free(r.name);
	return code;
}
