/* From a credential to the upstream: HQ's session gives it, or a file. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "supervisor/supervisor_private.h"
#include "supervisor/upstream/creds.h"

static void
free_list(char ***list)
{
	for (size_t i = 0; *list != NULL && (*list)[i] != NULL; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
}

static bool
in_list(char *const *list, const char *name)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

/* --companyIds must be among the credential's. */
static char **
choose_companies(struct supervisor *s, const struct creds *c, struct err *err)
{
	char		*const *from = c->company_ids;
	char		**list;
	size_t		 n = 0;

	if (s->config->company_ids != NULL && s->config->company_ids[0] != NULL) {
		from = s->config->company_ids;
		for (size_t i = 0; from[i] != NULL; i++)
			if (!in_list(c->company_ids, from[i])) {
				(void)err_set(err, ERR_CONFIG, "provided company ID %s not in credentials", from[i]);
				return NULL;
			}
	}
	while (from[n] != NULL)
		n++;
	if ((list = calloc(n + 1, sizeof(*list))) == NULL) {
		(void)err_set(err, ERR_NOMEM, "companies");
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		if ((list[i] = strdup(from[i])) == NULL) {
			free_list(&list);
			(void)err_set(err, ERR_NOMEM, "companies");
			return NULL;
		}
	return list;
}

static void
on_upstream_state(void *arg, enum upstream_state state, const char *text)
{
	struct supervisor	*s = arg;
	struct err		 err = { 0 };

	(void)text;
	if (state == UPSTREAM_RUNNING)
		destinations_begin_at(s, upstream_stats(s->upstream)->acked_seq);
	/* A renewed session's first sign of life has to wait for its own connection, but not for events. */
	if (!upstream_renewing(s->upstream) && strcmp(s->heart_sid, s->sid) != 0 &&
	    (state == UPSTREAM_RUNNING || s->heart_sid[0] != '\0')) {
		log_info(&s->log, "server is running version: %s", EDS_VERSION);
		heart_beat_now(s);
	}
	(void)sd_notify_status(s->sd, &err, "upstream %s, %zu destinations", upstream_state_name(state), destinations_count(s));
}

static void
on_arrived(void *arg)
{
	destinations_feed(arg);
}

static int
on_gap(void *arg, uint64_t from, uint64_t to, const char *why)
{
	return gaps_record(arg, from, to, why);
}

static int
begin_upstream(struct supervisor *s, struct err *err)
{
	const struct upstream_events on = { .arg = s, .state = on_upstream_state, .arrived = on_arrived, .gap = on_gap,
		.notice = remote_notice };
	const struct upstream_config c = {
		.nats_url = s->config->nats_url, .ca_file = s->config->nats_ca_file, .consumer = s->consumer,
		.max_ack_pending = destinations_ack_pending(s), .max_batch = s->config->max_pending_buffer,
		.window_events = s->config->window_events, .window_bytes = s->config->window_bytes,
		.from_beginning = s->config->from_beginning, .resume_seq = s->resume_seq, .horizon = s->horizon,
		.start_time_ns = imports_start_ns(s),
	};

	if (upstream_new(&s->upstream, s->loop, s->window, &s->routes, &c, &on, err) == -1)
		return -1;
	upstream_hold_by_need(s);
	return 0;
}

static int
use_credential(struct supervisor *s, const char *creds_path, struct slice text, struct err *err)
{
	struct creds	 c = { 0 };
	char		**companies = NULL, name[300];
	struct buf	 list = { 0 };
	int		 rc = -1;

	if (creds_parse(&c, text, err) == -1 || (companies = choose_companies(s, &c, err)) == NULL)
		goto out;
	if (s->server_id != NULL && strcmp(s->server_id, c.server_id) != 0) {
		(void)err_set(err, ERR_CONFIG, "the renewed credential is for the server id %s, this server is %s; restart it",
		    c.server_id, s->server_id);
		goto out;
	}
	free(s->server_id);
	free(s->sid);
	free_list(&s->companies);
	if ((s->server_id = strdup(c.server_id)) == NULL || (s->sid = strdup(c.session_id)) == NULL) {
		(void)err_set(err, ERR_NOMEM, "credential");
		goto out;
	}
	s->companies = companies;
	companies = NULL;
	for (size_t i = 0; s->companies[i] != NULL; i++)
		buf_printf(&list, "%s%s", i == 0 ? "" : " ", s->companies[i]);
	log_info(&s->log, "using info from credentials, server: %s companies: [%s], session: %s", s->server_id,
	    buf_cstr(&list), s->sid);
	(void)snprintf(s->consumer, sizeof(s->consumer), "eds-%.200s%s%.80s", s->server_id,
	    s->config->consumer_suffix[0] == '\0' ? "" : "-", s->config->consumer_suffix);
	(void)snprintf(name, sizeof(name), "eds-%.200s", s->server_id);
	if (s->upstream == NULL && begin_upstream(s, err) == -1)
		goto out;
	rc = upstream_login(s->upstream, name, creds_path, s->sid, s->companies, err);
out:
	buf_free(&list);
	free_list(&companies);
	creds_free(&c);
	return rc;
}

static void
on_started(void *arg, const char *sid, const char *creds_path, struct slice text)
{
	struct supervisor	*s = arg;
	struct err		 err = { 0 };

	(void)sid;
	if (use_credential(s, creds_path, text, &err) == 0) {
		if (destinations_count(s) == 0)
			log_info(&s->log, "Return to HQ and continue with configuring your server.");
	} else {
		log_error(&s->log, "the credential from HQ cannot be used: %s", err.text);
		if (s->upstream == NULL)
			lifetime_end(s, false, EXIT_FATAL);
	}
}

static void
on_ended(void *arg, const char *log_url, const char *error_url)
{
	logs_session_ended(arg, log_url, error_url);
}

static void
on_changed(void *arg, enum session_state state, const char *text)
{
	(void)arg;
	(void)state;
	(void)text;		/* the status asks the session itself */
}

static void
on_refused(void *arg, const struct err *why)
{
	struct supervisor	*s = arg;

	log_error(&s->log, "%s", why->text);
	/* What runs goes on with the credential at hand; what never began has nothing to wait for. */
	if (s->upstream == NULL)
		lifetime_end(s, false, EXIT_FATAL);
}

static int
credential_from_file(struct supervisor *s, struct err *err)
{
	const char	*path = s->config->creds_file;
	struct buf	 text = { 0 };
	char		 part[4096];
	struct stat	 st;
	FILE		*f;
	size_t		 n;
	int		 rc = -1;

	if ((f = fopen(path, "re")) == NULL || fstat(fileno(f), &st) == -1) {
		(void)err_sys(err, "cannot read the credential %s", path);
		goto out;
	}
	if ((st.st_mode & 077) != 0) {
		(void)err_set(err, ERR_CONFIG, "the credential %s can be read by others (mode %03o): chmod 600 %s", path,
		    (unsigned)st.st_mode & 0777, path);
		goto out;
	}
	while ((n = fread(part, 1, sizeof(part), f)) > 0 && text.len < (1u << 20))
		buf_add(&text, part, n);
	if (ferror(f) || text.oom) {
		(void)err_set(err, ERR_IO, "cannot read the credential %s", path);
		goto out;
	}
	rc = use_credential(s, path, buf_slice(&text), err);
	if (rc == -1)
		(void)err_prefix(err, "%s", path);
out:
	if (f != NULL)
		(void)fclose(f);
	explicit_bzero(part, sizeof(part));
	buf_free_wiped(&text);
	return rc;
}

int
login_start(struct supervisor *s, struct err *err)
{
	const struct session_events on = { .arg = s, .started = on_started, .ended = on_ended, .changed = on_changed, .refused = on_refused };

	if (s->config->creds_file != NULL)
		return credential_from_file(s, err);
	if (session_new(&s->session, s->loop, s->http, s->config, &on, err) == -1)
		return -1;
	session_start(s->session);
	return 0;
}

void
login_free(struct supervisor *s)
{
	session_free(&s->session);
	free_list(&s->companies);
	free(s->server_id);
	free(s->sid);
}
