/*
 * The log file and its way to HQ (contract/hq-api.md section 5): every hour or as configured, when HQ asks, and when a session
 * ends.  What could not be sent stays on disk and goes with the next.
 */

#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/clock.h"
#include "supervisor/child/obituary.h"
#include "supervisor/hq/answer.h"
#include "supervisor/hq/api.h"
#include "supervisor/logs/crash_file.h"
#include "supervisor/logs/log_upload.h"
#include "supervisor/logs/logfile.h"
#include "supervisor/remote.h"

struct logs {
	struct supervisor	*s;
	struct logfile		*file;
	ev_timer		 regular;	/* every log_send_interval */
	struct http_call	*call;		/* asks where to put the next file */
	struct log_upload	*upload;
	struct buf		 path;		/* of the file under way */
	char			*end_url, *error_url;	/* signed for the session that ended; NULL: used, or none */
	struct log_upload	*crashes;	/* the workers' last words on their way */
	uint64_t		 crashes_size;
	bool			 dismissed;	/* nothing further is begun */
};

static void	step(struct logs *);

static bool
busy(const struct logs *l)
{
	return l->call != NULL || l->upload != NULL || l->crashes != NULL;
}

static void
drop_url(char **url)
{
	free(*url);
	*url = NULL;
}

static void
on_crashes_sent(void *arg, const char *path, const struct err *why)
{
	struct logs	*l = arg;

	l->crashes = NULL;
	if (path == NULL)
		log_warn(&l->s->log, "%s; what workers wrote when they died stays here and is sent later", why->text);
	else
		crash_file_sent(l->s->config->data_dir, l->crashes_size);
	lifetime_logs_sent(l->s);
}

/* Also when it is empty, as HQ expects. */
static int
send_crashes(struct logs *l)
{
	struct buf	 path = { 0 };
	struct err	 err = { 0 };
	int		 rc = crash_file_ready(l->s->config->data_dir, &path, &l->crashes_size, &err);

	if (rc == 0)
		rc = log_upload_start(&l->crashes, l->s->loop, l->s->http, buf_cstr(&path), l->error_url, on_crashes_sent, l, &err);
	if (rc == -1)
		log_warn(&l->s->log, "%s", err.text);
	buf_free(&path);
	drop_url(&l->error_url);
	return rc;
}

/* The log is done with, and what crashed follows; an end that waited for both goes on. */
static void
rest(struct logs *l)
{
	drop_url(&l->end_url);
	if (l->error_url == NULL || l->dismissed || send_crashes(l) == -1)
		lifetime_logs_sent(l->s);
}

static void
failed(struct logs *l, const struct err *why)
{
	log_warn(&l->s->log, "%s; %s stays here and is sent later", why->text, buf_cstr(&l->path));
	rest(l);
}

/* Where the log is; "": a session ended without one. */
static void
tell_hq(struct supervisor *s, const char *log_path)
{
	struct buf	 answer = { 0 };

	if (s->upstream == NULL || !upstream_connected(s->upstream))
		return;
	answer_sendlogs(&answer, log_path, s->sid);
	remote_publish(s, HQ_sendlogs, "response", &answer);
	buf_free(&answer);
}

static void
on_sent(void *arg, const char *log_path, const struct err *why)
{
	struct logs		*l = arg;
	struct supervisor	*s = l->s;
	struct err		 err = { 0 };

	l->upload = NULL;
	if (log_path == NULL) {
		failed(l, why);
		return;
	}
	log_debug(&s->log, "HQ has the log file %s", buf_cstr(&l->path));
	if (logfile_sent(l->file, buf_cstr(&l->path), s->config->keep_logs, &err) == -1)
		log_warn(&s->log, "%s", err.text);
	tell_hq(s, log_path);
	if (err.code == ERR_NONE)
		step(l);
	else
		rest(l);		/* it would be sent again and again */
}

static void
put_to(struct logs *l, const char *url)
{
	struct err	 err = { 0 };

	if (log_upload_start(&l->upload, l->s->loop, l->s->http, buf_cstr(&l->path), url, on_sent, l, &err) == -1)
		failed(l, &err);
}

static void
on_url(void *arg, const struct http_response *r)
{
	struct logs	*l = arg;
	struct err	 err = { 0 };
	json_t		*data = api_data(r, "log upload", &err);
	const char	*url = json_string_value(json_object_get(data, "url"));

	l->call = NULL;
	if (url != NULL)
		put_to(l, url);
	else {
		if (data != NULL)
			(void)err_set(&err, ERR_INVALID, "log upload: the answer names no url");
		failed(l, &err);
	}
	json_decref(data);
}

static int
ask_url(struct logs *l, struct err *err)
{
	struct supervisor	*s = l->s;
	struct http_request	 r = { .method = "POST", .token = s->config->token, .std_headers = true, .body = SLICE("{}"), .retry = true };
	struct buf		 url = { 0 };
	int			 rc;

	buf_printf(&url, "%s/v3/eds/internal/%s/log", s->config->api_url, session_id(s->session));
	r.url = buf_cstr(&url);
	rc = http_start(s->http, &r, on_url, l, &l->call, err);
	buf_free(&url);
	return rc;
}

/* The next file, if there is one and HQ can be asked. */
static void
step(struct logs *l)
{
	struct supervisor	*s = l->s;
	struct err		 err = { 0 };
	char			*url = l->end_url;

	if (busy(l))
		return;
	if (logfile_unsent(l->file, &l->path).p == NULL || l->dismissed) {
		if (url != NULL && !l->dismissed)
			tell_hq(s, "");
		rest(l);
	} else if (url != NULL) {
		l->end_url = NULL;
		put_to(l, url);
		free(url);
	} else if (s->phase != PHASE_RUNNING || s->session == NULL || session_state(s->session, NULL) != SESSION_ACTIVE)
		rest(l);
	else if (ask_url(l, &err) == -1)
		failed(l, &err);
}

void
logs_send(struct supervisor *s)
{
	struct err	 err = { 0 };

	if (s->logs == NULL)
		return;
	if (logfile_rotate(s->logs->file, &err) == -1)
		log_warn(&s->log, "%s", err.text);
	step(s->logs);
}

void
logs_session_ended(struct supervisor *s, const char *url, const char *error_url)
{
	struct logs	*l = s->logs;

	if (l == NULL)
		return;
	drop_url(&l->end_url);
	drop_url(&l->error_url);
	if (url[0] != '\0')
		l->end_url = strdup(url);
	if (error_url[0] != '\0')
		l->error_url = strdup(error_url);
	logs_send(s);
}

void
logs_death(void *arg, const char *name, pid_t pid, const char *how, const struct last_words *words)
{
	struct supervisor	*s = arg;
	struct buf		 text = { 0 };
	struct err		 err = { 0 };

	if (s->session != NULL)
		session_crashed(s->session);
	if (s->logs == NULL)
		return;
	buf_rfc3339(&text, wall_ns());
	buf_printf(&text, " %s, pid %ld: %s\n", name, (long)pid, how);
	for (size_t i = 0; i < words->n; i++)
		buf_printf(&text, "\t%s\n", words->line[i]);
	if (crash_file_add(s->config->data_dir, buf_slice(&text), &err) == -1)
		log_warn(&s->log, "%s", err.text);
	buf_free(&text);
}

bool
logs_busy(const struct supervisor *s)
{
	return s->logs != NULL && busy(s->logs);
}

static void
on_regular(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	logs_send(w->data);
}

static void
arm(struct logs *l)
{
	l->regular.repeat = (double)l->s->config->log_send_interval_ms / 1000.0;
	ev_timer_again(l->s->loop, &l->regular);
}

int
logs_init(struct supervisor *s, struct err *err)
{
	struct logs	*l;

	if (s->config->log_file_size == 0)
		return 0;
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return err_set(err, ERR_NOMEM, "logs");
	l->s = s;
	if (logfile_open(&l->file, s->config->data_dir, s->config->log_file_size, s->config->log_keep_size, err) == -1) {
		free(l);
		return -1;
	}
	ev_init(&l->regular, on_regular);
	l->regular.data = s;
	arm(l);
	s->logs = l;
	log_sink_add(logfile_line, l->file);
	return 0;
}

void
logs_apply(struct supervisor *s)
{
	struct err	 err = { 0 };

	if (s->config->log_file_size == 0)
		logs_free(s);
	else if (s->logs != NULL) {
		logfile_limits(s->logs->file, s->config->log_file_size, s->config->log_keep_size);
		if (s->logs->regular.repeat * 1000.0 != (double)s->config->log_send_interval_ms)
			arm(s->logs);
	} else if (logs_init(s, &err) == -1)
		log_warn(&s->log, "%s", err.text);
}

void
logs_dismiss(struct supervisor *s)
{
	if (s->logs == NULL)
		return;
	s->logs->dismissed = true;
	ev_timer_stop(s->loop, &s->logs->regular);
	http_cancel(&s->logs->call);
	log_upload_cancel(&s->logs->upload);
	log_upload_cancel(&s->logs->crashes);
}

void
logs_free(struct supervisor *s)
{
	struct logs	*l = s->logs;

	if (l == NULL)
		return;
	logs_dismiss(s);
	log_sink_add(NULL, NULL);
	logfile_close(&l->file);
	buf_free(&l->path);
	drop_url(&l->end_url);
	drop_url(&l->error_url);
	free(l);
	s->logs = NULL;
}
