/*
 * HQ's configure and validate.  Both are about settings that come from outside, so a process of
 * its own looks at them, one after the other in the order they came.
 */

#include <stdlib.h>

#include "drivers/fields.h"
#include "ipc/base/url.h"
#include "supervisor/child/oneshot.h"
#include "supervisor/hq/answer.h"
#include "supervisor/remote.h"

#define JOBS_MAX	16

struct remote_job {
	struct remote_job	*next;
	struct supervisor	*s;
	enum hq_action		 action;
	char			*reply;		/* subject to answer to */
	char			*url;		/* configure */
	char			*update_strategy;
	char			*scheme;	/* validate */
	char			*values;	/* JSON text */
	bool			 backfill;
	struct oneshot		*oneshot;	/* NULL: not begun */
};

static void	run_first(struct supervisor *);

static void
job_free(struct remote_job *job)
{
	oneshot_cancel(&job->oneshot);
	free(job->reply);
	free_wiped(job->url);
	free(job->update_strategy);
	free(job->scheme);
	free_wiped(job->values);
	free(job);
}

/* The first job is done; the next one begins. */
static void
finish(struct remote_job *job)
{
	struct supervisor	*s = job->s;

	s->remote_jobs = job->next;
	job_free(job);
	run_first(s);
}

static void
answer_configured(struct remote_job *job, bool success, const char *why)
{
	struct supervisor	*s = job->s;
	struct buf		 b = { 0 }, masked = { 0 };

	mask_url_for_log(&masked, slice_of(job->url));
	answer_configure(&b, success, success ? NULL : why, success ? buf_cstr(&masked) : NULL, s->sid, job->backfill);
	remote_audit(s, HQ_configure, buf_cstr(&masked), success ? "done" : why);
	remote_reply(s, HQ_configure, job->reply, &b);
	buf_free(&b);
	buf_free(&masked);
}

/* Only what could take effect is written down: eds.conf may have been broken meanwhile. */
static int
take_over(struct remote_job *job, struct err *err)
{
	struct supervisor	*s = job->s;
	struct buf		 changes = { 0 };
	struct slice		 rest, line;
	int			 rc = -1;

	if (reload(s, true, &changes, err) == 0 &&
	    config_store_destination(s->config->data_dir, job->url, job->update_strategy, err) == 0) {
		buf_reset(&changes);
		rc = reload(s, false, &changes, err);
	}
	rest = slice_trim(buf_slice(&changes));
	while (rc == 0 && rest.n > 0 && slice_cut(&rest, '\n', &line))
		log_info(&s->log, "configure: " SLICE_FMT, SLICE_ARG(line));
	buf_free(&changes);
	return rc;
}

static void
on_tested(void *arg, enum oneshot_result result, const char *text)
{
	struct remote_job	*job = arg;
	struct err		 err = { 0 };

	job->oneshot = NULL;
	if (result != ONESHOT_FINE)
		answer_configured(job, false, text);
	else if (take_over(job, &err) == -1)
		answer_configured(job, false, err.text);
	else
		answer_configured(job, true, NULL);
	finish(job);
}

static void
on_formed(void *arg, enum oneshot_result result, const char *text, const char *url, const struct ipc_strs *errors)
{
	struct remote_job	*job = arg;
	struct supervisor	*s = job->s;
	struct answer_field_error list[32];
	struct buf		 b = { 0 };
	size_t			 n = 0;

	job->oneshot = NULL;
	for (size_t i = 0; result == ONESHOT_FINE && i + 1 < errors->n && n < NELEM(list); i += 2)
		list[n++] = (struct answer_field_error){ errors->v[i].p, errors->v[i + 1].p };
	answer_validate(&b, result == ONESHOT_FINE && url[0] != '\0', result == ONESHOT_FINE ? NULL : text, list, n, s->sid,
	    url[0] == '\0' ? NULL : url);
	remote_reply(s, HQ_validate, job->reply, &b);
	buf_free_wiped(&b);
	finish(job);
}

static int
begin(struct remote_job *job, struct err *err)
{
	struct supervisor		*s = job->s;
	const struct oneshot_settings	 settings = {
		.loop = s->loop, .program = s->worker_program, .destination = "hq", .url = job->url == NULL ? "" : job->url,
		.update_strategy = job->update_strategy == NULL ? "standard" : job->update_strategy, .session = s->sid,
		.data_dir = s->config->data_dir,
	};

	if (job->action == HQ_validate)
		return oneshot_form(&job->oneshot, &settings, job->scheme, job->values, on_formed, job, err);
	log_info(&s->log, "configuring the driver, one moment please...");
	return oneshot_test(&job->oneshot, &settings, on_tested, job, err);
}

static void
answer_failure(struct remote_job *job, const char *why)
{
	struct buf	 b = { 0 };

	if (job->action == HQ_configure) {
		answer_configured(job, false, why);
		return;
	}
	answer_validate(&b, false, why, NULL, 0, job->s->sid, NULL);
	remote_reply(job->s, HQ_validate, job->reply, &b);
	buf_free(&b);
}

static void
run_first(struct supervisor *s)
{
	struct remote_job	*job = s->remote_jobs;
	struct err		 err = { 0 };

	if (job == NULL || job->oneshot != NULL || begin(job, &err) == 0)
		return;
	answer_failure(job, err.text);
	finish(job);
}

static bool
complete(const struct remote_job *job)
{
	if (job->reply == NULL)
		return false;
	return job->action == HQ_configure ? job->url != NULL && job->update_strategy != NULL :
	    job->scheme != NULL && job->values != NULL;
}

/* Takes it over, whatever becomes of it. */
static void
submit(struct supervisor *s, struct remote_job *job)
{
	struct remote_job	**at = &s->remote_jobs;
	size_t			  waiting = 0;

	for (; *at != NULL; at = &(*at)->next)
		waiting++;
	if (job == NULL || !complete(job) || waiting == JOBS_MAX) {
		if (job != NULL && complete(job))
			answer_failure(job, "too many requests at once; try again in a minute");
		else
			log_error(&s->log, "no memory for what HQ asks for");
		if (job != NULL)
			job_free(job);
		return;
	}
	*at = job;
	run_first(s);
}

static struct remote_job *
job_new(struct supervisor *s, enum hq_action action, const char *reply)
{
	struct remote_job	*job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->s = s;
	job->action = action;
	job->reply = strdup(reply);
	return job;
}

/* Why HQ's destination cannot be changed from afar, NULL when it can. */
static const char *
obstacle(const struct supervisor *s, const char *url, const char *strategy)
{
	if (url == NULL || url[0] == '\0')
		return "the request names no url";
	if (strategy != NULL && strategy[0] != '\0' && strcmp(strategy, "standard") != 0 && strcmp(strategy, "after") != 0)
		return "the update strategy must be standard or after";
	if (s->flags->urls != NULL && s->flags->urls[0] != NULL && s->flags->urls[0][0] != '\0')
		return "this server was started with --url, which decides what its destination is; start it without";
	return NULL;
}

void
remote_configure(struct supervisor *s, const struct notice *n, const char *reply)
{
	const char		*url = notice_text(n, "url"), *strategy = notice_text(n, "updateStrategy");
	const char		*why = obstacle(s, url, strategy);
	struct remote_job	*job = job_new(s, HQ_configure, reply);

	if (job != NULL) {
		job->url = strdup(url == NULL ? "" : url);
		job->update_strategy = strdup(strategy == NULL || strategy[0] == '\0' ? "standard" : strategy);
		job->backfill = notice_bool(n, "backfill");
	}
	if (why == NULL || job == NULL || !complete(job)) {
		submit(s, job);
		return;
	}
	answer_configured(job, false, why);
	job_free(job);
}

void
remote_validate(struct supervisor *s, const struct notice *n, const char *reply)
{
	const char	*driver = notice_text(n, "driver");
	const json_t	*values = json_object_get(n->data, "config");
	struct remote_job *job;
	struct buf	 b = { 0 };

	if (driver == NULL || !json_is_object(values)) {
		log_error(&s->log, "HQ's validate lacks the driver or its configuration");
		return;
	}
	if (driver_form_by_scheme(slice_of(driver)) == NULL) {
		buf_printf(&b, "no driver registered for protocol %.60s", driver);
		if ((job = job_new(s, HQ_validate, reply)) != NULL) {
			answer_failure(job, buf_cstr(&b));
			job_free(job);
		}
		buf_free(&b);
		return;
	}
	if ((job = job_new(s, HQ_validate, reply)) != NULL) {
		job->scheme = strdup(driver);
		job->values = json_dumps(values, JSON_COMPACT);
	}
	submit(s, job);
}

void
remote_stop(struct supervisor *s)
{
	while (s->remote_jobs != NULL) {
		struct remote_job *job = s->remote_jobs;

		s->remote_jobs = job->next;
		job_free(job);
	}
}
