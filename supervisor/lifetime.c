/*
 * Signals and the end.  Ending has phases: workers drain, then what they
 * committed is stored and acknowledged, then HQ is told, then the loop stops.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/supervisor_private.h"

#define GOODBYE_S	5.0	/* HQ and the last acknowledgements get that long */

static void
over(struct supervisor *s)
{
	s->phase = PHASE_OVER;
	ev_break(s->loop, EVBREAK_ALL);
}

static void
session_ended(void *arg)
{
	struct supervisor	*s = arg;

	if (s->phase == PHASE_ENDING && !logs_busy(s))
		over(s);
}

/* The last part of the log is on its way when the session has ended; the end waits for it, but not for ever. */
void
lifetime_logs_sent(struct supervisor *s)
{
	const char	*text;

	if (s->phase == PHASE_ENDING && (s->session == NULL || session_state(s->session, &text) == SESSION_ENDED))
		over(s);
}

void
lifetime_step(struct supervisor *s)
{
	if (s->phase != PHASE_DRAINING || !destinations_stopped(s))
		return;
	s->phase = PHASE_ENDING;
	settle_now(s);
	ev_timer_stop(s->loop, &s->patience);
	ev_timer_set(&s->patience, GOODBYE_S, 0.);
	ev_timer_start(s->loop, &s->patience);
	if (s->session != NULL)
		session_end(s->session, s->exit_code != 0, session_ended, s);
	else
		over(s);
}

void
lifetime_end(struct supervisor *s, bool again, int exit_code)
{
	struct err	 err = { 0 };

	if (s->phase != PHASE_RUNNING)
		return;
	s->phase = PHASE_DRAINING;
	s->again = again;
	s->exit_code = exit_code;
	if (again)
		(void)sd_notify_reloading(s->sd, &err);
	else
		(void)sd_notify_stopping(s->sd, &err);
	upstream_hold_by_need(s);
	for (unsigned i = 0; i < ROUTE_SLOTS; i++)
		if (s->dest[i].child != NULL)
			child_event(s->dest[i].child, CHILD_EV_STOP);
	lifetime_step(s);
}

/* The worker's own drain_timeout ends the draining; this ends the rest. */
static void
on_patience(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	over(w->data);
}

static void
on_end_signal(struct ev_loop *loop, ev_signal *w, int events)
{
	struct supervisor	*s = w->data;

	(void)loop;
	(void)events;
	if (s->phase == PHASE_RUNNING) {
		log_info(&s->log, "%s: ending, workers finish what they hold (again: end at once)",
		    w->signum == SIGTERM ? "SIGTERM" : "SIGINT");
		lifetime_end(s, false, 0);
	} else {
		log_warn(&s->log, "second signal: ending at once; what is not committed comes again at the next start");
		over(s);
	}
}

int
reload(struct supervisor *s, bool dry, struct buf *changes, struct err *err)
{
	struct config	*fresh = NULL;
	struct buf	 later = { 0 };

	if (config_load(&fresh, s->flags, err) == -1)
		return -1;
	config_needs_restart(s->config, fresh, &later);
	if (later.len > 0)
		buf_printf(changes, "takes effect only after `edsctl restart`: %s\n", buf_cstr(&later));
	buf_free(&later);
	if (dry) {
		config_free(&fresh);
		return 0;
	}
	config_keep_running(s->config, fresh);
	log_level_set(fresh->log_level);
	/* HQ hears of the destinations at the next renewal. */
	if (s->session != NULL && session_reconfigure(s->session, fresh, err) == -1) {
		config_keep_running(fresh, s->config);
		config_free(&fresh);
		return -1;
	}
	destinations_apply(s, fresh, changes);
	logs_apply(s);
	return 0;
}

static void
on_reload_signal(struct ev_loop *loop, ev_signal *w, int events)
{
	struct supervisor	*s = w->data;
	struct buf		 changes = { 0 };
	struct err		 err = { 0 }, told = { 0 };
	struct slice		 rest, line;

	(void)loop;
	(void)events;
	if (s->phase != PHASE_RUNNING)
		return;
	(void)sd_notify_reloading(s->sd, &told);
	if (reload(s, false, &changes, &err) == -1)
		log_error(&s->log, "reload refused, the running configuration stays: %s", err.text);
	else {
		rest = slice_trim(slice_of(buf_cstr(&changes)));
		if (rest.n == 0)
			log_info(&s->log, "reload: nothing changed");
		while (rest.n > 0 && slice_cut(&rest, '\n', &line))
			log_info(&s->log, "reload: " SLICE_FMT, SLICE_ARG(line));
	}
	buf_free(&changes);
	(void)sd_notify_ready(s->sd, &told);
}

static void
on_watchdog(struct ev_loop *loop, ev_timer *w, int events)
{
	struct supervisor	*s = w->data;
	struct err		 err = { 0 };

	(void)loop;
	(void)events;
	if (sd_notify_watchdog(s->sd, &err) == -1)
		log_debug(&s->log, "%s", err.text);
}

void
lifetime_init(struct supervisor *s)
{
	int64_t	 watchdog_ms = sd_notify_watchdog_ms(s->sd);

	(void)signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&s->sigterm, on_end_signal, SIGTERM);
	ev_signal_init(&s->sigint, on_end_signal, SIGINT);
	ev_signal_init(&s->sighup, on_reload_signal, SIGHUP);
	s->sigterm.data = s->sigint.data = s->sighup.data = s;
	ev_signal_start(s->loop, &s->sigterm);
	ev_signal_start(s->loop, &s->sigint);
	ev_signal_start(s->loop, &s->sighup);
	ev_init(&s->patience, on_patience);
	ev_init(&s->watchdog, on_watchdog);
	s->patience.data = s->watchdog.data = s;
	if (watchdog_ms > 0) {
		s->watchdog.repeat = (double)watchdog_ms / 1000.0;
		ev_timer_again(s->loop, &s->watchdog);
	}
}

void
lifetime_free(struct supervisor *s)
{
	ev_signal_stop(s->loop, &s->sigterm);
	ev_signal_stop(s->loop, &s->sigint);
	ev_signal_stop(s->loop, &s->sighup);
	ev_timer_stop(s->loop, &s->patience);
	ev_timer_stop(s->loop, &s->watchdog);
}
