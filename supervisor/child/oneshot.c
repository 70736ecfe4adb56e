/* A short-lived worker that looks at settings from outside: tests them, or makes a URL of a form. */

#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/json_out.h"
#include "supervisor/child/oneshot.h"
#include "supervisor/child/process.h"

struct oneshot {
	struct process		*process;
	struct ev_loop		*loop;
	ev_timer		 limit;
	int64_t			 limit_ms;
	char			*destination, *url, *update_strategy, *session, *data_dir;
	oneshot_fn		 fn;		/* of a test */
	oneshot_form_fn		 form_fn;	/* of a form */
	void			*arg;
	bool			 answered;
	enum oneshot_result	 result;
	char			 text[700];

	/* a form and what became of it */
	char			*form, *formed_url;
	char			**errors;	/* pairs of field and error */
	size_t			 n_errors;
};

static void
oneshot_free(struct oneshot *o)
{
	ev_timer_stop(o->loop, &o->limit);
	process_free(&o->process);
	free_wiped(o->url);
	free_wiped(o->form);
	free_wiped(o->formed_url);
	for (size_t i = 0; i < o->n_errors; i++)
		free(o->errors[i]);
	free(o->errors);
	free(o->destination);
	free(o->update_strategy);
	free(o->session);
	free(o->data_dir);
	free(o);
}

static void
on_greeted(void *arg)
{
	struct oneshot	*o = arg;

	process_send(o->process, IPC_CONFIGURE, &(union ipc_body){ .configure = {
		.destination = slice_of(o->destination), .url = slice_of(o->url),
		.update_strategy = slice_of(o->update_strategy), .session = slice_of(o->session),
		.data_dir = slice_of(o->data_dir), .log_level = (uint64_t)log_level_get(),
		.queue_events = 1, .queue_bytes = 1, .mode = o->form == NULL ? IPC_MODE_TEST : IPC_MODE_FORM,
		.form = slice_of(o->form),
	} });
}

static void
hear_tested(struct oneshot *o, const struct ipc_tested_body *b)
{
	o->answered = true;
	o->result = b->fine ? ONESHOT_FINE : b->config ? ONESHOT_CONFIG : ONESHOT_TROUBLE;
	(void)snprintf(o->text, sizeof(o->text), SLICE_FMT, (int)(b->reason.n > 690 ? 690 : b->reason.n), b->reason.p);
}

static int
hear_formed(struct oneshot *o, const struct ipc_formed_body *b, struct err *err)
{
	if (o->form == NULL || o->answered || b->errors.n % 2 != 0)
		return err_set(err, ERR_INVALID, "the worker broke the protocol: FORMED");
	o->answered = true;
	o->result = b->url.n > 0 || b->errors.n > 0 ? ONESHOT_FINE : ONESHOT_CONFIG;
	(void)snprintf(o->text, sizeof(o->text), SLICE_FMT, (int)(b->reason.n > 690 ? 690 : b->reason.n), b->reason.p);
	if ((o->formed_url = slice_dup(b->url)) == NULL || (o->errors = calloc(b->errors.n + 1, sizeof(char *))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a form");
	for (size_t i = 0; i < b->errors.n; i++, o->n_errors++)
		if ((o->errors[i] = slice_dup(b->errors.v[i])) == NULL)
			return err_set(err, ERR_NOMEM, "no memory for a form");
	return 0;
}

static int
on_message(void *arg, const struct ipc_msg *m, struct err *err)
{
	struct oneshot	*o = arg;

	switch (m->type) {
	case IPC_TESTED:
		hear_tested(o, &m->body.tested);
		return 0;
	case IPC_FORMED:
		return hear_formed(o, &m->body.formed, err);
	case IPC_SCHEMA_WANTED:
		process_send(o->process, IPC_SCHEMA, &(union ipc_body){ .schema = { .table = m->body.schema_wanted.table,
			.version = m->body.schema_wanted.version, .status = 2,
			.json = SLICE("there are no schemas while a destination is tested") } });
		return 0;
	case IPC_TROUBLE:
	case IPC_BROKEN:
	case IPC_PONG:
		return 0;
	default:
		return err_set(err, ERR_INVALID, "the worker broke the protocol: %s in a test", ipc_type_name(m->type));
	}
}

/* The handle is gone when the callback runs, which may therefore cancel or begin what it likes. */
static void
tell_tested(struct oneshot *o)
{
	oneshot_fn	 fn = o->fn;
	void		*arg = o->arg;
	enum oneshot_result result = o->result;
	char		 text[sizeof(o->text)];

	(void)snprintf(text, sizeof(text), "%s", o->text);
	oneshot_free(o);
	fn(arg, result, text);
}

static void
tell_formed(struct oneshot *o)
{
	struct oneshot	 held = *o;
	struct slice	*pairs = calloc(held.n_errors + 1, sizeof(*pairs));
	struct ipc_strs	 errors = { .v = pairs, .n = pairs == NULL ? 0 : held.n_errors };

	for (size_t i = 0; i < errors.n; i++)
		pairs[i] = slice_of(held.errors[i]);
	o->errors = NULL;
	o->n_errors = 0;
	o->formed_url = NULL;
	oneshot_free(o);
	if (pairs == NULL)
		held.form_fn(held.arg, ONESHOT_TROUBLE, "memory is short", "", &errors);
	else
		held.form_fn(held.arg, held.result, held.text, held.formed_url == NULL ? "" : held.formed_url, &errors);
	for (size_t i = 0; i < held.n_errors; i++)
		free(held.errors[i]);
	free(held.errors);
	free(pairs);
	free_wiped(held.formed_url);
}

static void
on_ended(void *arg, const char *why)
{
	struct oneshot	*o = arg;

	if (!o->answered) {
		o->result = ONESHOT_TROUBLE;
		(void)snprintf(o->text, sizeof(o->text), "%s", why[0] == '\0' ? "the worker process ended without an answer" : why);
	}
	if (o->form_fn != NULL)
		tell_formed(o);
	else
		tell_tested(o);
}

static void
on_limit(struct ev_loop *loop, ev_timer *w, int events)
{
	struct oneshot	*o = w->data;
	char		 text[200];

	(void)loop;
	(void)events;
	(void)snprintf(text, sizeof(text), "the destination did not answer within %lld s; look at its address, and at "
	    "firewalls on the way", (long long)o->limit_ms / 1000);
	process_kill(o->process, text);
}

static int
copy_settings(struct oneshot *o, const struct oneshot_settings *s, struct err *err)
{
	o->loop = s->loop;
	o->limit_ms = s->limit_ms > 0 ? s->limit_ms : ONESHOT_LIMIT_MS;
	o->destination = strdup(s->destination);
	o->url = strdup(s->url);
	o->update_strategy = strdup(s->update_strategy);
	o->session = strdup(s->session);
	if (asprintf(&o->data_dir, "%s/destination-%s", s->data_dir, s->destination) == -1)
		o->data_dir = NULL;
	return o->destination == NULL || o->url == NULL || o->update_strategy == NULL || o->session == NULL ||
	    o->data_dir == NULL ? err_set(err, ERR_NOMEM, "a test of %s", s->destination) : 0;
}

/* Takes `o` over; NULL: memory was short. */
static int
start(struct oneshot **o_r, struct oneshot *o, const struct oneshot_settings *s, struct err *err)
{
	const struct process_host	 host = { .arg = o, .loop = s->loop, .program = s->program, .name = s->destination,
					    .greeted = on_greeted, .hear = on_message, .ended = on_ended };

	if (o == NULL)
		return err_set(err, ERR_NOMEM, "a test of %s", s->destination);
	ev_init(&o->limit, on_limit);
	o->limit.data = o;
	if (copy_settings(o, s, err) == -1 || process_start(&o->process, &host, err) == -1) {
		oneshot_free(o);
		return -1;
	}
	ev_timer_set(&o->limit, (double)o->limit_ms / 1000.0, 0.);
	ev_timer_start(o->loop, &o->limit);
	if (o_r != NULL)
		*o_r = o;
	return 0;
}

int
oneshot_test(struct oneshot **o_r, const struct oneshot_settings *s, oneshot_fn fn, void *arg, struct err *err)
{
	struct oneshot	*o = calloc(1, sizeof(*o));

	if (o != NULL) {
		o->fn = fn;
		o->arg = arg;
	}
	return start(o_r, o, s, err);
}

int
oneshot_form(struct oneshot **o_r, const struct oneshot_settings *s, const char *scheme, const char *values,
    oneshot_form_fn fn, void *arg, struct err *err)
{
	struct oneshot	*o = calloc(1, sizeof(*o));
	struct buf	 form = { 0 };

	buf_adds(&form, "{\"driver\":");
	json_out_str(&form, slice_of(scheme));
	buf_printf(&form, ",\"config\":%s}", values);
	if (o != NULL) {
		o->form_fn = fn;
		o->arg = arg;
		if ((o->form = buf_steal(&form)) == NULL) {
			free(o);
			o = NULL;
		}
	}
	buf_free(&form);
	return start(o_r, o, s, err);
}

void
oneshot_cancel(struct oneshot **op)
{
	if (*op != NULL)
		oneshot_free(*op);
	*op = NULL;
}

struct wait {
	struct ev_loop		*loop;
	enum oneshot_result	*result;
	struct err		*why;
};

static void
on_answer(void *arg, enum oneshot_result result, const char *text)
{
	struct wait	*w = arg;

	*w->result = result;
	if (result != ONESHOT_FINE)
		(void)err_set(w->why, result == ONESHOT_CONFIG ? ERR_CONFIG : ERR_TEMPORARY, "%s", text);
	ev_break(w->loop, EVBREAK_ONE);
}

int
oneshot_test_wait(const struct oneshot_settings *s, enum oneshot_result *result, struct err *why)
{
	struct wait	 w = { s->loop, result, why };

	if (oneshot_test(NULL, s, on_answer, &w, why) == -1)
		return -1;
	(void)ev_run(s->loop, 0);
	return 0;
}

const char *
oneshot_result_name(enum oneshot_result r)
{
	switch (r) {
	case ONESHOT_FINE:
		return "fine";
	case ONESHOT_CONFIG:
		return "config";
	case ONESHOT_TROUBLE:
		break;
	}
	return "trouble";
}
