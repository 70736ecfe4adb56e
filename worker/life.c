/* A driver's life in its thread. */

#include "worker/life.h"
#include "worker/module.h"

void
life_begin(struct life *l, const struct life_args *args)
{
	const struct settings	*s = &args->worker->settings;

	*l = (struct life){ .w = args->worker, .host = host_callbacks(args->host) };
	log_make(&l->log, s->destination, NULL);
	l->env = (struct drv_env){ .destination = s->destination, .url = s->url,
	    .update_strategy = s->update_strategy, .session = s->session, .data_dir = s->data_dir,
	    .log = &l->log, .host = l->host };
}

const char *
life_said(const char *text)
{
	return text[0] == '\0' ? "the driver gave no reason" : text;
}

static void
send_trouble(struct life *l, const char *reason, uint64_t attempts, uint64_t seq)
{
	report_send(l->w->report, IPC_TROUBLE, &(union ipc_body){
		.trouble = { .reason = slice_of(reason), .attempts = attempts, .seq = seq } });
}

enum verdict
life_give_up(struct life *l, enum verdict verdict, const struct err *err)
{
	report_send(l->w->report, IPC_BROKEN, &(union ipc_body){
		.broken = { .reason = slice_of(life_said(err->text)), .config = verdict == V_CONFIG } });
	return verdict;
}

enum verdict
life_bad_result(struct life *l, const char *call, int result)
{
	struct err	 err;

	(void)err_set(&err, ERR_INVALID, "the driver %s answered %s() with %d, which has no meaning there: "
	    "install programs and drivers of the same version", l->driver->id, call, result);
	return life_give_up(l, V_BROKEN, &err);
}

bool
life_wait_to_retry(struct life *l, struct retry *retry, const char *reason, uint64_t seq)
{
	uint64_t	 pause_ms = retry_failed(retry);

	send_trouble(l, life_said(reason), retry->attempts, seq);
	return worker_pause(l->w, pause_ms);
}

void
life_send_resolved(struct life *l, const struct retry *retry, uint64_t seq)
{
	if (retry->attempts > 0)
		send_trouble(l, "", retry->attempts, seq);
}

enum verdict
life_load(struct life *l)
{
	struct err	 err = { 0 };

	if ((l->driver = module_load(l->env.url, &err)) == NULL || l->driver->validate(l->env.url, &err) == -1)
		return life_give_up(l, V_CONFIG, &err);
	return V_GOES_ON;
}

enum verdict
life_gate(struct life *l, struct gate **gate_r)
{
	struct slice	 rules = slice_of(l->w->settings.rules);
	struct err	 err;

	*gate_r = NULL;
	if (rules.n == 0 || gate_new(gate_r, rules, &l->log, &err) == 0)
		return V_GOES_ON;
	(void)err_prefix(&err, "schema_validator");
	return life_give_up(l, err.code == ERR_NOMEM ? V_BROKEN : V_CONFIG, &err);
}

enum drv_result
life_call_open(struct life *l, struct err *err)
{
	enum drv_result	 rc;

	*err = (struct err){ 0 };
	worker_call_begins(l->w);
	rc = l->driver->open(&l->drv, &l->env, err);
	worker_call_ends(l->w);
	return rc;
}

enum verdict
life_open(struct life *l)
{
	struct retry	 retry = { 0 };
	struct err	 err;

	for (;;) {
		enum drv_result rc = life_call_open(l, &err);

		switch (rc) {
		case DRV_STORED:
			life_send_resolved(l, &retry, 0);
			return V_GOES_ON;
		case DRV_RETRY:
		case DRV_UNSURE:
			if (!life_wait_to_retry(l, &retry, err.text, 0))
				return V_ENDS;
			continue;
		case DRV_CONFIG:
			return life_give_up(l, V_CONFIG, &err);
		case DRV_BROKEN:
			return life_give_up(l, V_BROKEN, &err);
		case DRV_REJECT:
			break;
		}
		return life_bad_result(l, "open", (int)rc);
	}
}

void
life_close(struct life *l)
{
	worker_call_begins(l->w);
	if (l->drv != NULL)
		l->driver->close(&l->drv);
	worker_call_ends(l->w);
}

void
life_end(struct life *l, enum verdict verdict)
{
	enum worker_exit	 code = WORKER_EXIT_FINE;
	const char		*reason = verdict == V_GOES_ON ? "drained" : "abandoned";

	if (verdict == V_CONFIG)
		code = WORKER_EXIT_CONFIG;
	else if (verdict == V_BROKEN)
		code = WORKER_EXIT_BROKEN;
	else
		report_send(l->w->report, IPC_GOODBYE, &(union ipc_body){ .goodbye = {
			.reason = slice_of(worker_end(l->w) == WORKER_STOPS ? "stopped" : reason) } });
	worker_finish(l->w, code);
}
