/*
 * A test of a destination's settings, which may come from anybody: this process
 * has no other purpose, so what they make a driver's library do harms nobody.
 */

#include "worker/module.h"
#include "worker/probe.h"

static enum drv_result
run_test(struct life *l, struct err *err)
{
	enum drv_result	 rc;

	if (l->driver->test == NULL) {
		if ((rc = life_call_open(l, err)) == DRV_STORED)
			life_close(l);
		return rc;
	}
	worker_call_begins(l->w);
	rc = l->driver->test(&l->env, err);
	worker_call_ends(l->w);
	return rc;
}

static void
send_tested(struct life *l, bool fine, bool config, const char *text)
{
	report_send(l->w->report, IPC_TESTED, &(union ipc_body){
		.tested = { .fine = fine, .config = config, .reason = slice_of(text) } });
}

void *
probe_main(void *arg)
{
	struct life	 l;
	struct err	 err = { 0 };
	enum drv_result	 rc = DRV_CONFIG;

	life_begin(&l, arg);
	if ((l.driver = module_load(l.env.url, &err)) != NULL && l.driver->validate(l.env.url, &err) == 0)
		rc = run_test(&l, &err);
	if (rc == DRV_STORED)
		send_tested(&l, true, false, "");
	else
		send_tested(&l, false, rc == DRV_CONFIG || rc == DRV_REJECT, life_said(err.text));
	life_close(&l);
	life_end(&l, V_GOES_ON);
	return NULL;
}
