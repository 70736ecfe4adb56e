/* The supervisor: builds its parts in order, turns the loop, takes them down in reverse. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nats/nats.h>
#include <openssl/crypto.h>

#include "supervisor/audit.h"
#include "supervisor/child/obituary.h"
#include "supervisor/child/spawn.h"
#include "supervisor/commands.h"
#include "supervisor/store/lock.h"
#include "supervisor/supervisor_private.h"

#define HEAP_SLACK	(16 << 20)	/* free memory that is kept while events flow; settle.c gives it back afterwards */
#define HEAP_LARGE	(4 << 20)	/* blocks below this come from there, too */

static void
free_message(void *owner)
{
	natsMsg_Destroy(owner);
}

static void
http_status(void *arg, struct buf *json)
{
	bool	 degraded;

	status_json(arg, json, &degraded);
}

static bool
http_ready(void *arg, struct buf *reason)
{
	return status_ready(arg, reason);
}

static bool
http_stopping(void *arg)
{
	return ((struct supervisor *)arg)->phase != PHASE_RUNNING;
}

static void
http_refresh(void *arg)
{
	status_metrics(arg);
}

static int
listen_http(struct supervisor *s, struct err *err)
{
	const struct metrics_http_source src = {
		.arg = s, .metrics = s->metrics, .refresh = http_refresh, .status = http_status, .ready = http_ready,
		.stopping = http_stopping,
	};

	if (s->config->port == 0)
		return 0;
	return metrics_http_new(&s->metrics_http, s->loop, s->config->listen_address, s->config->port, &src, err);
}

static void
read_horizon(struct supervisor *s)
{
	struct buf	 text = { 0 };
	struct err	 err = { 0 };

	if (store_fact_get(s->store, "horizon", &text, &err) == 0 && !slice_u64(buf_slice(&text), &s->horizon))
		s->horizon = 0;
	buf_free(&text);
}

/* In the order in which each part needs the ones before it; fails with the reason. */
static int
build(struct supervisor *s, struct err *err)
{
	if ((s->lock_fd = data_dir_lock(s->config->data_dir, err)) == -1)
		return -1;
	if (logs_init(s, err) == -1)
		return -1;
	if (sd_notify_new(&s->sd, err) == -1 || mend_open(s, err) == -1 ||
	    audit_open(&s->audit, s->config->data_dir, err) == -1 ||
	    window_new(&s->window, free_message, err) == -1 || metrics_new(&s->metrics, err) == -1 ||
	    listen_http(s, err) == -1 ||
	    control_new(&s->control, s->loop, s->config->data_dir, command, s, err) == -1 ||
	    http_new(&s->http, s->loop, err) == -1 ||
	    registry_new(&s->registry, s->loop, s->http, s->store, s->config->api_url, err) == -1)
		return -1;
	s->worker_program = s->config->worker_program != NULL ? strdup(s->config->worker_program) : spawn_worker_program(err);
	if (s->worker_program == NULL)
		return err_set(err, ERR_NOMEM, "worker program");
	if (spill_init(s, err) == -1)
		return -1;
	gaps_init(s);
	if (mend_tell(s, err) == -1)
		return -1;
	read_horizon(s);
	heart_init(s);
	lifetime_init(s);
	upgrade_init(s);
	obituary_listen(logs_death, s);
	return settle_init(s, err);
}

static int
start(struct supervisor *s, struct err *err)
{
	struct err	 told = { 0 };

	log_info(&s->log, "eds %s, data directory %s, %zu destinations%s%s", EDS_VERSION, s->config->data_dir,
	    s->config->n_destinations, s->config->config_file == NULL ? "" : " of ",
	    s->config->config_file == NULL ? "" : s->config->config_file);
	registry_refresh(s->registry);
	if (takeover(s, err) == -1 || destinations_start(s, err) == -1 || login_start(s, err) == -1)
		return -1;
	if (sd_notify_ready(s->sd, &told) == -1)
		log_warn(&s->log, "%s", told.text);
	return 0;
}

static void
take_down(struct supervisor *s)
{
	/* The last acknowledgements leave while the loop still turns. */
	if (s->upstream != NULL)
		upstream_flush(s->upstream, 2000);
	lifetime_free(s);
	remote_stop(s);
	imports_stop(s);
	obituary_listen(NULL, NULL);
	upgrade_stop(s);
	logs_dismiss(s);
	heart_stop(s);
	settle_stop(s);
	command_check_end(s);
	control_free(&s->control);
	metrics_http_free(&s->metrics_http);
	destinations_free(s);
	upstream_free(&s->upstream);
	login_free(s);
	registry_free(&s->registry);
	http_free(&s->http);
	spill_stop(s);
	window_free(&s->window);
	metrics_free(&s->metrics);
	store_close(&s->store);
	audit_close(&s->audit);
	logs_free(s);
	if (s->again)
		sd_notify_hand_on(s->sd);
	sd_notify_free(&s->sd);
	config_free(&s->config);
	free(s->worker_program);
	if (s->lock_fd != -1)
		(void)close(s->lock_fd);
}

static int
exit_code_of(const struct err *err)
{
	return err->code == ERR_CONFIG ? EXIT_USAGE : EXIT_FATAL;
}

int
supervisor_run(struct config *config, const struct config_flags *flags, const char *self)
{
	struct supervisor	 s = { .config = config, .flags = flags, .self = self, .lock_fd = -1 };
	struct err		 err = { 0 };

	/*
	 * nats.c frees OpenSSL's compression methods when it is closed after TLS was used; OpenSSL's own
	 * clean-up at exit would then free them once more.
	 */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_SLACK);
	(void)mallopt(M_MMAP_THRESHOLD, HEAP_LARGE);
	log_make(&s.log, "server", NULL);
	s.started_ms = wall_ms();
	if ((s.loop = ev_default_loop(EVFLAG_AUTO)) == NULL) {
		log_error(&s.log, "the event loop cannot be made");
		config_free(&s.config);
		return EXIT_FATAL;
	}
	if (build(&s, &err) == -1) {
		log_error(&s.log, "%s", err.text);
		s.exit_code = exit_code_of(&err);
	} else if (start(&s, &err) == -1) {
		log_error(&s.log, "%s", err.text);
		s.exit_code = exit_code_of(&err);
	} else {
		(void)ev_run(s.loop, 0);
		if (!s.again)
			log_info(&s.log, "👋 Bye");
	}
	take_down(&s);
	ev_loop_destroy(s.loop);
	nats_CloseAndWait(2000);
	return s.again ? SUPERVISOR_AGAIN : s.exit_code;
}
