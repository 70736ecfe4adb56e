/* HQ's messages: decoded, held against the policy, written into the audit, obeyed, answered. */

#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/url.h"
#include "ipc/base/uuid.h"
#include "supervisor/audit.h"
#include "supervisor/hq/answer.h"
#include "supervisor/remote.h"

void
remote_publish(struct supervisor *s, enum hq_action action, const char *kind, const struct buf *payload)
{
	char	 subject[200], id[37];

	uuid_random(id);
	(void)snprintf(subject, sizeof(subject), "eds.client.%s.%s-%s", s->sid, hq_action_name(action), kind);
	if (payload->oom || !upstream_publish(s->upstream, subject, id, buf_slice(payload)))
		log_error(&s->log, "the %s to %s could not be sent to HQ", kind, hq_action_name(action));
}

void
remote_reply(struct supervisor *s, enum hq_action action, const char *subject, const struct buf *payload)
{
	if (subject == NULL || subject[0] == '\0')
		log_error(&s->log, "HQ asked for %s without a subject to answer to", hq_action_name(action));
	else if (payload->oom || !upstream_publish(s->upstream, subject, NULL, buf_slice(payload)))
		log_error(&s->log, "the reply to %s could not be sent to HQ", hq_action_name(action));
}

void
remote_generic(struct supervisor *s, enum hq_action action, const char *kind, bool success, const char *message)
{
	struct buf	 b = { 0 };

	answer_generic(&b, success, message, s->sid, hq_action_name(action));
	remote_publish(s, action, kind, &b);
	buf_free(&b);
}

void
remote_audit(struct supervisor *s, enum hq_action action, const char *details, const char *outcome)
{
	const struct audit_entry e = {
		.from = "hq", .who = s->sid, .command = hq_action_name(action), .details = details, .outcome = outcome,
	};
	struct err	 err = { 0 };

	if (strcmp(outcome, "accepted") == 0 || strncmp(outcome, "done", 4) == 0)
		log_info(&s->log, "HQ asks for %s%s%s: %s", e.command, details[0] == '\0' ? "" : " ", details, outcome);
	else
		log_warn(&s->log, "HQ asked for %s%s%s, which was not done: %s", e.command, details[0] == '\0' ? "" : " ", details, outcome);
	if (audit_add(s->audit, &e, &err) == -1)
		log_error(&s->log, "%s", err.text);
}

/* --- the actions that are done at once --- */

static void
do_restart(struct supervisor *s, const struct notice *n, const char *reply)
{
	(void)n;
	(void)reply;
	remote_generic(s, HQ_restart, "status", true, "");
	remote_generic(s, HQ_restart, "response", true, NULL);
	lifetime_end(s, true, 0);
}

static void
do_ping(struct supervisor *s, const struct notice *n, const char *reply)
{
	const char	*subject = notice_text(n, "subject");

	(void)reply;
	if (subject == NULL || subject[0] == '\0')
		log_warn(&s->log, "HQ's ping names no subject to answer to");
	else if (!upstream_publish(s->upstream, subject, NULL, SLICE("pong")))
		log_error(&s->log, "the answer to HQ's ping could not be sent");
}

static void
do_shutdown(struct supervisor *s, const struct notice *n, const char *reply)
{
	const char	*message = notice_text(n, "message");
	struct err	 err = { 0 };

	(void)reply;
	if (message == NULL) {
		log_warn(&s->log, "HQ's shutdown has no message and is not obeyed");
		return;
	}
	log_info(&s->log, "HQ ends this server: %s", message);
	if (notice_bool(n, "deleted") && config_store_deleted(s->config->data_dir, &err) == -1)
		log_error(&s->log, "this server was deleted in HQ, but that could not be written down: %s", err.text);
	lifetime_end(s, false, 0);
}

static void
do_pause(struct supervisor *s, const struct notice *n, const char *reply)
{
	(void)n;
	(void)reply;
	destinations_pause(s, true);
	remote_generic(s, HQ_pause, "response", true, NULL);
}

static void
do_unpause(struct supervisor *s, const struct notice *n, const char *reply)
{
	(void)n;
	(void)reply;
	destinations_pause(s, false);
	remote_generic(s, HQ_unpause, "response", true, NULL);
}

static void
do_driverconfig(struct supervisor *s, const struct notice *n, const char *reply)
{
	struct buf	 b = { 0 };

	(void)n;
	answer_driverconfig(&b, s->sid);
	remote_reply(s, HQ_driverconfig, reply, &b);
	buf_free(&b);
}

/* --- the decision --- */

static void
refuse(struct supervisor *s, enum hq_action action, const struct notice *n, const char *reply, const char *why)
{
	struct buf	 b = { 0 };

	switch (action) {
	case HQ_configure:
		answer_configure(&b, false, why, NULL, s->sid, false);
		remote_reply(s, action, reply, &b);
		break;
	case HQ_validate:
		answer_validate(&b, false, why, NULL, 0, s->sid, NULL);
		remote_reply(s, action, reply, &b);
		break;
	case HQ_import:
		remote_import_refused(s, why);
		break;
	case HQ_upgrade:
		answer_upgrade(&b, false, why, s->sid, notice_text(n, "version"));
		remote_publish(s, action, "response", &b);
		break;
	default:
		remote_generic(s, action, "response", false, why);
		break;
	}
	buf_free(&b);
}

/* The answer follows when HQ has the file. */
static void
do_sendlogs(struct supervisor *s, const struct notice *n, const char *reply)
{
	(void)n;
	(void)reply;
	if (s->logs == NULL)
		log_warn(&s->log, "there is no log file to send to HQ (log_file_size = 0)");
	logs_send(s);
}

static void	(*const handlers[HQ_ACTIONS])(struct supervisor *, const struct notice *, const char *reply) = {
	[HQ_restart] = do_restart, [HQ_ping] = do_ping, [HQ_shutdown] = do_shutdown, [HQ_pause] = do_pause,
	[HQ_unpause] = do_unpause, [HQ_driverconfig] = do_driverconfig, [HQ_configure] = remote_configure,
	[HQ_validate] = remote_validate, [HQ_sendlogs] = do_sendlogs, [HQ_import] = remote_import, [HQ_upgrade] = remote_upgrade,
};

/* What the audit shows of the details: texts that are no secrets, URLs masked. */
static void
describe(const struct notice *n, struct buf *out)
{
	static const char *const	 shown[] = { "driver", "version", "message", "updateStrategy" };
	const char			*url = notice_text(n, "url"), *text;

	if (url != NULL)
		mask_url_for_log(out, slice_of(url));
	for (size_t i = 0; i < NELEM(shown); i++)
		if ((text = notice_text(n, shown[i])) != NULL && text[0] != '\0')
			buf_printf(out, "%s%s=%.200s", out->len == 0 ? "" : " ", shown[i], text);
	if (notice_bool(n, "backfill"))
		buf_printf(out, "%sbackfill", out->len == 0 ? "" : " ");
	if (notice_bool(n, "deleted"))
		buf_printf(out, "%sdeleted", out->len == 0 ? "" : " ");
}

static void
obey(struct supervisor *s, enum hq_action action, const struct notice *n, const char *reply)
{
	static const char	 why[] = "this server's configuration does not allow it (hq_allow)";
	struct buf		 details = { 0 };
	bool			 allowed = (s->config->hq_allow & HQ_ACTION_BIT(action)) != 0;

	describe(n, &details);
	remote_audit(s, action, buf_cstr(&details), allowed ? "accepted" : "refused by hq_allow");
	buf_free(&details);
	if (allowed)
		handlers[action](s, n, reply);
	else
		refuse(s, action, n, reply, why);
}

void
remote_notice(void *arg, struct slice payload, struct slice encoding, struct slice reply)
{
	struct supervisor	*s = arg;
	struct notice		 n;
	struct err		 err = { 0 };
	enum hq_action		 action;
	char			*subject;

	if (s->phase != PHASE_RUNNING)
		return;			/* on the way out: HQ will see the session end */
	if (notice_decode(&n, payload, encoding, &err) == -1) {
		log_error(&s->log, "a message of HQ cannot be read: %s", err.text);
		return;
	}
	if (!hq_action_find(slice_of(n.action), &action))
		log_warn(&s->log, "HQ asks for something this version (%s) does not know: %.60s", EDS_VERSION, n.action);
	else if ((subject = slice_dup(reply.p == NULL ? SLICE("") : reply)) == NULL)
		log_error(&s->log, "no memory to answer HQ");
	else {
		obey(s, action, &n, subject);
		free(subject);
	}
	notice_free(&n);
}
