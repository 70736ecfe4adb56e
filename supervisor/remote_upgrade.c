/*
 * HQ's upgrade (contract/hq-control.md section 6.4): download and verify in a process of its own, look
 * whether what came runs, then end and begin anew as the new version.  It is on trial until
 * this server is ready again; otherwise what ran before takes over once more.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/hq/answer.h"
#include "supervisor/remote.h"
#include "supervisor/upgrade/programs.h"
#include "supervisor/upgrade/release.h"
#include "supervisor/upgrade/run.h"

#define DOWNLOAD_MS	900000
#define QUESTION_MS	30000
#define TRIAL_EVERY_S	1.0

struct upgrade {
	struct supervisor	*s;
	struct run		*run;
	char			 version[48];	/* without v */
	struct buf		 folder, program;	/* where it goes, and its eds */
};

/* --- the answer --- */

static void
upgrade_free(struct upgrade *u)
{
	run_cancel(&u->run);
	buf_free(&u->folder);
	buf_free(&u->program);
	free(u);
}

static void
answer(struct supervisor *s, const char *version, const char *why)
{
	struct buf	 b = { 0 };

	remote_audit(s, HQ_upgrade, version, why == NULL ? "done, begins anew" : why);
	answer_upgrade(&b, why == NULL, why, s->sid, version);
	remote_publish(s, HQ_upgrade, "response", &b);
	buf_free(&b);
}

/* Takes it down; `why` NULL: all is done. */
static void
finish(struct upgrade *u, const char *why)
{
	struct supervisor	*s = u->s;

	answer(s, u->version, why);
	s->upgrade = NULL;
	upgrade_free(u);
	if (why == NULL)
		lifetime_end(s, true, 0);
}

static void	fail_with(struct upgrade *, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
fail_with(struct upgrade *u, const char *fmt, ...)
{
	char	 text[700];
	va_list	 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	finish(u, text);
}

/* --- the steps, each a process; the first that fails ends it --- */

static bool
went_well(int status)
{
	return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The last line of what it said, or how it ended. */
static const char *
reason_of(int status, const char *said, char *out, size_t size)
{
	struct slice	 rest = slice_trim(slice_of(said)), line = { NULL, 0 }, part;

	while (rest.n > 0 && slice_cut(&rest, '\n', &part))
		line = slice_trim(part);
	if (status == -1)
		(void)snprintf(out, size, "it took too long");
	else if (line.n > 0)
		(void)snprintf(out, size, SLICE_FMT, SLICE_ARG(line));
	else
		(void)snprintf(out, size, WIFEXITED(status) ? "exit status %d" : "signal %d",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return out;
}

static void
on_version(void *arg, int status, const char *said)
{
	struct upgrade	*u = arg;
	struct slice	 answered = slice_trim(slice_of(said));
	struct err	 err = { 0 };
	char		 why[400];

	u->run = NULL;
	if (!went_well(status))
		fail_with(u, "upgrade failed checking version: %s", reason_of(status, said, why, sizeof(why)));
	else if (!slice_is(answered, u->version))
		fail_with(u, "upgrade failed checking version: %s, was: %.60s", u->version, said);
	else if (programs_switch(u->s->config->data_dir, u->version, &err) == -1)
		fail_with(u, "failed to switch to version %s: %s", u->version, err.text);
	else
		finish(u, NULL);
}

static void
on_downloaded(void *arg, int status, const char *said)
{
	struct upgrade	*u = arg;
	const char	*argv[] = { NULL, "version", NULL };
	struct err	 err = { 0 };
	char		 why[400];

	u->run = NULL;
	if (!went_well(status)) {
		fail_with(u, "failed to download version %s: %s", u->version, reason_of(status, said, why, sizeof(why)));
		return;
	}
	buf_printf(&u->program, "%s/eds", buf_cstr(&u->folder));
	argv[0] = buf_cstr(&u->program);
	if (run_start(&u->run, u->s->loop, argv, QUESTION_MS, on_version, u, &err) == -1)
		fail_with(u, "upgrade failed checking version: %s", err.text);
}

static int
download(struct upgrade *u, struct err *err)
{
	const struct config	*c = u->s->config;
	const char		*argv[12] = { u->s->self, "download", u->version, NULL };
	size_t			 n = 3;

	if (programs_folder(c->data_dir, u->version, &u->folder, err) == -1)
		return -1;
	argv[n++] = buf_cstr(&u->folder);
	if (c->release_url != NULL) {
		argv[n++] = "--release-url";
		argv[n++] = c->release_url;
	}
	if (c->release_key != NULL) {
		argv[n++] = "--release-key";
		argv[n++] = c->release_key;
	}
	log_info(&u->s->log, "downloading version %s", u->version);
	return run_start(&u->run, u->s->loop, argv, DOWNLOAD_MS, on_downloaded, u, err);
}

/* What a package manager has put here, it has to replace. */
static void
on_owner(void *arg, int status, const char *said)
{
	struct upgrade	*u = arg;
	struct err	 err = { 0 };

	u->run = NULL;
	if (went_well(status))
		fail_with(u, "%s belongs to the package %.*s; upgrade that instead", u->s->self, (int)strcspn(said, ":"), said);
	else if (download(u, &err) == -1)
		fail_with(u, "failed to download version %s: %s", u->version, err.text);
}

/* --- the decision --- */

static bool
in_container(void)
{
	const char	*kind = getenv("container");

	return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ||
	    getenv("KUBERNETES_SERVICE_HOST") != NULL || (kind != NULL && kind[0] != '\0');
}

static const char *
obstacle(const struct supervisor *s, const char *version)
{
	if (in_container() && !s->config->upgrade_in_container)
		return "upgrade is not supported inside a virtualized container system";
	if (!release_version_is_fit(version))
		return "that is no version; expected one like 3.0.2";
	if (release_version_compare(version, EDS_VERSION) <= 0)
		return "this server runs version " EDS_VERSION ", and goes to newer ones only";
	if (s->upgrade != NULL)
		return "an upgrade is under way already";
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL && child_state(s->dest[i].child) == CHILD_FAILED)
			return "a destination has failed; see edsctl status, and upgrade when it is mended";
	return NULL;
}

static void
missing_version(struct supervisor *s, const struct notice *n)
{
	struct buf	 text = { 0 };
	char		*json = json_dumps(n->doc, JSON_COMPACT);

	buf_printf(&text, "invalid upgrade notification. missing version for: %s", json == NULL ? "" : json);
	free(json);
	remote_generic(s, HQ_upgrade, "status", false, buf_cstr(&text));
	buf_free(&text);
}

void
remote_upgrade(struct supervisor *s, const struct notice *n, const char *reply)
{
	const char	*version = notice_text(n, "version"), *why;
	const char	*argv[] = { "dpkg-query", "-S", s->self, NULL };
	struct upgrade	*u;
	struct err	 err = { 0 };

	(void)reply;
	if (version == NULL || version[0] == '\0') {
		missing_version(s, n);
		return;
	}
	remote_generic(s, HQ_upgrade, "status", true, "");
	if ((why = obstacle(s, version)) != NULL) {
		answer(s, version, why);
		return;
	}
	if ((u = calloc(1, sizeof(*u))) == NULL) {
		answer(s, version, "memory is short");
		return;
	}
	u->s = s;
	(void)snprintf(u->version, sizeof(u->version), "%s", version[0] == 'v' ? version + 1 : version);
	s->upgrade = u;
	/* Where there is no dpkg, no package of it owns us. */
	if (run_start(&u->run, s->loop, argv, QUESTION_MS, on_owner, u, &err) == -1)
		on_owner(u, -1, "");
}

/* --- the trial --- */

/*
 * Connected, and every worker lives: one whose destination is away says so, which takes a
 * worker that works.  Nobody has failed before, or the upgrade would not have begun.
 */
static bool
is_well(const struct supervisor *s, struct buf *reason)
{
	if (s->upstream == NULL || !upstream_connected(s->upstream))
		buf_adds(reason, "no connection to NATS");
	for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
		const struct child	*c = s->dest[i].child;

		if (c != NULL && child_state(c) != CHILD_RUNNING && child_state(c) != CHILD_PAUSED && child_trouble(c)[0] == '\0')
			buf_printf(reason, "%s%s is %s", reason->len == 0 ? "" : "; ", child_name(c), child_state_shown(c));
	}
	return reason->len == 0;
}

static void
on_trial(struct ev_loop *loop, ev_timer *w, int events)
{
	struct supervisor	*s = w->data;
	struct buf		 reason = { 0 }, back = { 0 };
	struct err		 err = { 0 };

	(void)events;
	if (s->phase != PHASE_RUNNING)
		return;
	if (is_well(s, &reason)) {
		ev_timer_stop(loop, w);
		log_info(&s->log, "version %s is well and stays", EDS_VERSION);
		if (programs_trust(s->config->data_dir, &err) == -1)
			log_warn(&s->log, "%s", err.text);
	} else if (--s->trial_left <= 0) {
		ev_timer_stop(loop, w);
		programs_give_up(s->config->data_dir, &back);
		log_error(&s->log, "version %s is not ready after %lld s (%s); going back to %s%s", EDS_VERSION,
		    (long long)s->config->upgrade_trial_ms / 1000, buf_cstr(&reason), back.len == 0 ? "the installed version" : "version ",
		    buf_cstr(&back));
		lifetime_end(s, true, 0);
	}
	buf_free(&reason);
	buf_free(&back);
}

void
upgrade_init(struct supervisor *s)
{
	struct buf	 version = { 0 };

	ev_timer_init(&s->trial, on_trial, TRIAL_EVERY_S, TRIAL_EVERY_S);
	s->trial.data = s;
	if (programs_on_trial(s->config->data_dir, s->self, &version).p != NULL) {
		log_info(&s->log, "version %s is on trial after an upgrade", EDS_VERSION);
		s->trial_left = (int)(s->config->upgrade_trial_ms / 1000);
		ev_timer_start(s->loop, &s->trial);
	}
	buf_free(&version);
}

void
upgrade_stop(struct supervisor *s)
{
	ev_timer_stop(s->loop, &s->trial);
	if (s->upgrade != NULL)
		upgrade_free(s->upgrade);
	s->upgrade = NULL;
}
