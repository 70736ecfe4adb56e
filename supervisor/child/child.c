/*
 * A destination's worker through its lives: what happens (an exit, a frame, a
 * deadline, a wish) becomes an event, the table in child_steps.def says what
 * follows.  What the worker says is handled in child_ipc.c.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/child/child_private.h"
#include "supervisor/child/spawn.h"

#define KILL_AGAIN_MS		5000

typedef void (*action_fn)(struct child *);

static void	 act_nothing(struct child *);
static void	 act_spawn(struct child *);
static void	 act_begin(struct child *);
static void	 act_feed_on(struct child *);
static void	 act_kill_it(struct child *);
static void	 act_drain(struct child *);
static void	 act_back_off(struct child *);
static void	 act_report(struct child *);
static void	 act_forgive(struct child *);
static void	 act_ended(struct child *);

static const struct {
	enum child_state	 state;
	enum child_event	 event;
	enum child_state	 next;
	action_fn		 action;
} steps[] = {
#define STEP(STATE, EVENT, NEXT, action)	{ CHILD_##STATE, CHILD_EV_##EVENT, CHILD_##NEXT, act_##action },
#include "supervisor/child/child_steps.def"
#undef STEP
};

static const char *const shown[] = {
#define STATE(NAME, text)	[CHILD_##NAME] = text,
#include "supervisor/child/child_steps.def"
#undef STATE
};

static const char *const event_names[] = {
#define EVENT(NAME)		[CHILD_EV_##NAME] = #NAME,
#include "supervisor/child/child_steps.def"
#undef EVENT
};

void
child_event(struct child *c, enum child_event ev)
{
	enum child_state	 was = c->state;

	for (size_t i = 0; i < NELEM(steps); i++) {
		if (steps[i].state != was || steps[i].event != ev)
			continue;
		c->state = steps[i].next;
		if (strcmp(shown[was], shown[c->state]) != 0)
			c->stats.since_ms = wall_ms();
		steps[i].action(c);	/* may go on to further events */
		if (was != c->state)
			c->host.state(c->host.arg, c);
		return;
	}
	log_debug(&c->log, "event %s ignored while %s", event_names[ev], shown[was]);
}

static void
arm(struct child *c, int64_t ms)
{
	ev_timer_stop(c->host.loop, &c->deadline);
	ev_timer_set(&c->deadline, (double)ms / 1000.0, 0.);
	ev_timer_start(c->host.loop, &c->deadline);
}

void
child_set_reason(struct child *c, const char *text)
{
	(void)snprintf(c->reason, sizeof(c->reason), "%s", text);
}

/* Nothing of this life is left behind but its last words. */
static void
end_of_life(struct child *c)
{
	child_ipc_end(c);
	ev_timer_stop(c->host.loop, &c->deadline);
	ev_timer_stop(c->host.loop, &c->ping);
	ev_io_stop(c->host.loop, &c->stderr_io);
	if (c->stderr_fd != -1)
		(void)close(c->stderr_fd);
	c->stderr_fd = -1;
	c->pid = 0;
	c->stats.rss_bytes = c->stats.queued_events = c->stats.busy_ms = 0;
	c->stats.trouble_attempts = c->stats.trouble_seq = 0;
	c->trouble[0] = '\0';
	cursor_rewind(&c->cursor);
	if (c->retry_sent)
		child_retry_over(c, false, c->reason[0] != '\0' ? c->reason : "the worker ended");
	c->host.forget_schemas(c->host.arg, c);
}

static void
stderr_line(void *arg, const char *line)
{
	struct child	*c = arg;

	log_warn(&c->log, "worker says: %s", line);
}

static void
read_stderr(struct child *c)
{
	char	 bytes[4096];
	ssize_t	 n;

	/* A bounded part per turn; at the end of a life what fits the pipe. */
	for (int turn = 0; turn < 16 && c->stderr_fd != -1; turn++) {
		n = read(c->stderr_fd, bytes, sizeof(bytes));
		if (n > 0)
			last_words_add(&c->words, (struct slice){ bytes, (size_t)n }, stderr_line, c);
		else {
			if (n == 0 || (errno != EAGAIN && errno != EINTR))
				ev_io_stop(c->host.loop, &c->stderr_io);
			return;
		}
	}
}

static void
on_stderr(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	read_stderr(w->data);
}

bool
child_count_aside(struct child *c)
{
	mono_t	 now = mono_now();

	if (now - c->aside_since > c->config->quarantine_window_ms) {
		c->aside_since = now;
		c->aside = 0;
	}
	if (c->config->quarantine_limit == 0 || ++c->aside <= c->config->quarantine_limit)
		return true;
	(void)snprintf(c->reason, sizeof(c->reason), "more than %llu events would have to be set aside within %lld s: "
	    "this is no matter of single events (quarantine_limit)", (unsigned long long)c->config->quarantine_limit,
	    (long long)c->config->quarantine_window_ms / 1000);
	c->broken_config = true;
	return false;
}

static bool
is_told_to_end(const struct child *c)
{
	return c->state == CHILD_DRAINING || c->state == CHILD_RESTARTING || c->state == CHILD_RESTING;
}

/*
 * Did one event kill it?  A SIGKILL that is not ours says nothing about the
 * events; neither does an end that the worker explained.
 */
static void
look_for_culprit(struct child *c, int st)
{
	struct cursor	*cur = &c->cursor;
	bool		 by_itself = c->hung || (WIFSIGNALED(st) && WTERMSIG(st) != SIGKILL) ||
			    (WIFEXITED(st) && WEXITSTATUS(st) != 0 && WEXITSTATUS(st) != EXIT_STATUS_CONFIG);
	size_t		 n = cur->in_flight - (cur->in_flight > 0 ? c->n_verdicts : 0);
	struct verdict	*v;

	c->excused = false;
	if (!by_itself || c->said_broken || c->retry_sent || is_told_to_end(c))
		return;
	if (!suspect_died(&c->suspect, cur->seq, cursor_newest(cur), n)) {
		c->excused = c->suspect.active && n > 0;
		return;
	}
	c->excused = true;
	if (++c->guilty_in_a_row >= SUSPECT_ROW) {
		(void)snprintf(c->reason, sizeof(c->reason), "the worker dies whatever event it is given, the last time at %llu: %.400s",
		    (unsigned long long)cursor_newest(cur), c->hung ? c->reason : c->last_exit);
		c->broken_config = true;
		c->n_verdicts = 0;
		return;
	}
	v = &c->verdicts[c->n_verdicts++];
	v->seq = cursor_newest(cur);
	v->attempts = c->suspect.deaths;
	(void)snprintf(v->why, sizeof(v->why), "it %s the worker: %.300s", c->hung ? "hangs" : "crashes", c->hung ? c->reason : c->last_exit);
	if (c->config->on_reject == ON_REJECT_STOP) {
		(void)snprintf(c->reason, sizeof(c->reason), "event %llu kills the worker (on_reject = stop): %.400s",
		    (unsigned long long)v->seq, v->why);
		c->broken_config = true;
		c->n_verdicts = 0;
	}
}

int
child_carry_out(struct child *c, uint64_t seq, struct err *err)
{
	size_t	 done = 0;

	while (done < c->n_verdicts && c->verdicts[done].seq <= seq) {
		const struct verdict *v = &c->verdicts[done];

		if (!child_count_aside(c))
			return err_set(err, ERR_CONFIG, "%s", c->reason);
		if (c->host.poison(c->host.arg, c, v->seq, v->attempts, v->why, err) == -1)
			return -1;
		c->stats.rejected++;
		done++;
	}
	c->n_verdicts -= done;
	(void)memmove(c->verdicts, c->verdicts + done, c->n_verdicts * sizeof(c->verdicts[0]));
	return 0;
}

static void
on_exit_status(struct ev_loop *loop, ev_child *w, int events)
{
	struct child	*c = w->data;
	int		 st = w->rstatus;
	bool		 config, clean;

	(void)events;
	ev_child_stop(loop, w);
	/* What it said before it died still counts: commits above all. */
	child_ipc_read_rest(c);
	read_stderr(c);
	obituary(c->last_exit, sizeof(c->last_exit), st);
	look_for_culprit(c, st);
	config = c->broken_config || (WIFEXITED(st) && WEXITSTATUS(st) == EXIT_STATUS_CONFIG);
	clean = WIFEXITED(st) && WEXITSTATUS(st) == 0;
	if (!config && !clean && !is_told_to_end(c))
		obituary_tell(c->config->name, c->pid, c->last_exit, &c->words);
	if (c->reason[0] == '\0' && !is_told_to_end(c))
		(void)snprintf(c->reason, sizeof(c->reason), "the worker ended unexpectedly: %s%s%.300s", c->last_exit,
		    c->words.n > 0 ? "; its last words: " : "", c->words.n > 0 ? c->words.line[c->words.n - 1] : "");
	end_of_life(c);
	child_event(c, config ? CHILD_EV_EXIT_CONFIG : clean ? CHILD_EV_EXIT_CLEAN : CHILD_EV_EXIT_CRASH);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int events)
{
	struct child	*c = w->data;

	(void)loop;
	(void)events;
	if (c->state == CHILD_STARTING) {
		/* A worker that waits for its destination says so, and is left alone. */
		if (c->trouble[0] != '\0') {
			arm(c, c->config->start_timeout_ms);
			return;
		}
		(void)snprintf(c->reason, sizeof(c->reason), "the worker was not ready within %lld s",
		    (long long)c->config->start_timeout_ms / 1000);
	}
	child_event(c, CHILD_EV_TIMEOUT);
}

static void
on_ping(struct ev_loop *loop, ev_timer *w, int events)
{
	struct child	*c = w->data;
	mono_t		 now = mono_now();

	(void)loop;
	(void)events;
	if (c->state != CHILD_RUNNING && c->state != CHILD_PAUSED && c->state != CHILD_STARTING)
		return;
	if (now - c->heard_at > c->config->ping_timeout_ms) {
		(void)snprintf(c->reason, sizeof(c->reason), "the worker did not answer for %lld s and was killed",
		    (long long)(now - c->heard_at) / 1000);
		child_event(c, CHILD_EV_LOST);
		return;
	}
	if (c->config->hang_timeout_ms > 0 && c->stats.busy_ms > (uint64_t)c->config->hang_timeout_ms) {
		(void)snprintf(c->reason, sizeof(c->reason), "the driver hung for %llu s in one call and was killed "
		    "(hang_timeout)", (unsigned long long)c->stats.busy_ms / 1000);
		c->hung = true;
		child_event(c, CHILD_EV_LOST);
		return;
	}
	if ((c->state == CHILD_RUNNING || c->state == CHILD_PAUSED) &&
	    c->backoff.n_crashes > 0 && now - c->running_since > c->config->healthy_after_ms)
		backoff_forgive(&c->backoff);
	child_ipc_ping(c);
}

/* Actions. */

static void
act_nothing(struct child *c)
{
	(void)c;
}

static void
act_spawn(struct child *c)
{
	struct spawned	 s;
	struct err	 err = { 0 };

	c->stats.next_restart_ms = 0;
	c->broken_config = c->said_broken = c->hung = false;
	child_set_reason(c, "");
	if (c->stats.generation > 0)
		c->stats.restarts++;
	c->stats.generation++;
	last_words_clear(&c->words);
	if (spawn_worker(&s, c->host.program, c->config->name, &err) == -1) {
		child_set_reason(c, err.text);
		child_event(c, err.code == ERR_CONFIG ? CHILD_EV_EXIT_CONFIG : CHILD_EV_EXIT_CRASH);
		return;
	}
	c->pid = s.pid;
	c->stderr_fd = s.stderr_fd;
	ev_io_set(&c->stderr_io, c->stderr_fd, EV_READ);
	ev_io_start(c->host.loop, &c->stderr_io);
	ev_child_set(&c->exit_status, c->pid, 0);
	ev_child_start(c->host.loop, &c->exit_status);
	c->heard_at = mono_now();
	c->ping.repeat = (double)c->config->ping_timeout_ms / 3000.0;
	ev_timer_again(c->host.loop, &c->ping);
	arm(c, c->config->start_timeout_ms);
	if (child_ipc_begin(c, s.socket, &err) == -1) {
		child_set_reason(c, err.text);
		child_event(c, CHILD_EV_LOST);
	}
}

static void
act_begin(struct child *c)
{
	ev_timer_stop(c->host.loop, &c->deadline);
	for (size_t i = 0; i < c->n_verdicts; i++)
		if (cursor_sent(&c->cursor, c->verdicts[i].seq) == -1) {
			child_set_reason(c, "memory is short");
			child_event(c, CHILD_EV_LOST);
			return;
		}
	c->running_since = mono_now();
	log_info(&c->log, "worker is running (pid %ld)", (long)c->pid);
	if (c->paused)
		child_event(c, CHILD_EV_PAUSE);
	else
		child_feed(c);
}

static void
act_feed_on(struct child *c)
{
	child_feed(c);
}

static void
act_kill_it(struct child *c)
{
	if (c->reason[0] != '\0')
		log_warn(&c->log, "%s", c->reason);
	if (c->pid > 0)
		(void)kill(c->pid, SIGKILL);
	arm(c, KILL_AGAIN_MS);
}

static void
act_drain(struct child *c)
{
	child_ipc_drain(c);
	arm(c, c->config->drain_timeout_ms);
}

static void
act_back_off(struct child *c)
{
	int64_t	 delay;
	char	 why[sizeof(c->reason)];

	if (c->excused) {
		/* The search for a poisonous event goes on at once; its deaths are expected. */
		delay = c->config->backoff_min_ms;
	} else if (!backoff_crashed(&c->backoff, mono_now(), &delay)) {
		(void)snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, c->reason);
		(void)snprintf(c->reason, sizeof(c->reason), "%llu %s within %lld s; last: %.400s",
		    (unsigned long long)c->config->restart_limit, c->config->restart_limit == 1 ? "crash" : "crashes",
		    (long long)c->config->restart_window_ms / 1000, why);
		child_event(c, CHILD_EV_GIVEUP);
		return;
	}
	log_warn(&c->log, "%s; starting again in %lld ms", c->reason, (long long)delay);
	c->stats.next_restart_ms = wall_ms() + delay;
	arm(c, delay);
}

static void
act_report(struct child *c)
{
	ev_timer_stop(c->host.loop, &c->deadline);
	c->stats.next_restart_ms = 0;
	log_error(&c->log, "destination %s failed: %s; mend it, then: edsctl restart worker %s", c->config->name, c->reason,
	    c->config->name);
}

static void
act_forgive(struct child *c)
{
	backoff_forgive(&c->backoff);
	c->aside = 0;
	c->suspect = (struct suspect){ 0 };
	c->n_verdicts = 0;
	c->guilty_in_a_row = 0;
	act_spawn(c);
}

static void
act_ended(struct child *c)
{
	ev_timer_stop(c->host.loop, &c->deadline);
	c->stats.next_restart_ms = 0;
	child_set_reason(c, "");
}

/* From outside. */

int
child_new(struct child **c_r, const struct child_host *host, const struct destination_config *config, unsigned slot, uint64_t seq,
    uint64_t waiting, bool paused, struct err *err)
{
	struct child	*c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_set(err, ERR_NOMEM, "destination %s", config->name);
	c->host = *host;
	c->slot = slot;
	c->paused = paused;
	c->stderr_fd = -1;
	c->stats.since_ms = wall_ms();
	child_config(c, config);
	log_make(&c->log, config->name, NULL);
	ev_init(&c->deadline, on_deadline);
	ev_init(&c->ping, on_ping);
	ev_init(&c->exit_status, on_exit_status);
	ev_init(&c->stderr_io, on_stderr);
	c->deadline.data = c->ping.data = c->exit_status.data = c->stderr_io.data = c;
	child_ipc_init(c);
	cursor_init(&c->cursor, host->source->window, UINT64_C(1) << slot, seq, waiting);
	*c_r = c;
	return 0;
}

void
child_free(struct child **cp)
{
	struct child	*c = *cp;

	if (c == NULL)
		return;
	ev_child_stop(c->host.loop, &c->exit_status);
	if (c->pid > 0)
		(void)kill(c->pid, SIGKILL);
	end_of_life(c);
	last_words_clear(&c->words);
	cursor_free(&c->cursor);
	buf_free(&c->retry_subject);
	buf_free(&c->retry_payload);
	ipc_arena_free(&c->arena);
	free(c);
	*cp = NULL;
}

void
child_config(struct child *c, const struct destination_config *config)
{
	c->config = config;
	c->backoff.min_ms = config->backoff_min_ms;
	c->backoff.max_ms = config->backoff_max_ms;
	c->backoff.limit = config->restart_limit;
	c->backoff.window_ms = config->restart_window_ms;
}

void
child_update_strategy(struct child *c, const char *strategy)
{
	c->host.update_strategy = strategy;
}

void
child_rules(struct child *c, const char *rules)
{
	c->host.rules = rules;
}

void
child_pause(struct child *c, bool paused)
{
	c->paused = paused;
	child_event(c, paused ? CHILD_EV_PAUSE : CHILD_EV_RESUME);
}

enum child_state
child_state(const struct child *c)
{
	return c->state;
}

const char *
child_state_shown(const struct child *c)
{
	if (c->suspect.active && (c->state == CHILD_STARTING || c->state == CHILD_RUNNING || c->state == CHILD_BACKOFF))
		return "quarantining";
	return shown[c->state];
}

const char *
child_reason(const struct child *c)
{
	return c->reason;
}

const char *
child_trouble(const struct child *c)
{
	return c->trouble;
}

const char *
child_last_exit(const struct child *c)
{
	return c->last_exit;
}

const char *
child_last_word(const struct child *c, size_t i)
{
	return i < c->words.n ? c->words.line[i] : NULL;
}

const struct destination_config *
child_destination(const struct child *c)
{
	return c->config;
}

const struct child_stats *
child_stats(const struct child *c)
{
	return &c->stats;
}

struct cursor *
child_cursor(struct child *c)
{
	return &c->cursor;
}

const char *
child_name(const struct child *c)
{
	return c->config->name;
}

void *
child_owner(const struct child *c)
{
	return c->host.arg;
}

unsigned
child_slot(const struct child *c)
{
	return c->slot;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

bool
child_paused(const struct child *c)
{
	return c->paused;
}

double
child_rate(const struct child *c)
{
	return child_ipc_rate(c);
}
