/*
 * The main thread.  It answers for the process: whatever the driver does, the
 * socket is read, pings are answered and the end comes in bounded time.
 *
 * HELLO: the supervisor speaks first and the worker answers, because the
 * answer repeats the supervisor's generation number.
 */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ipc/handshake.h"
#include "worker/deliver.h"
#include "worker/import.h"
#include "worker/form.h"
#include "worker/link.h"
#include "worker/probe.h"

#define PROGRAM	"eds-worker"

struct link {
	struct worker		 worker;
	struct channel		*channel;	/* NULL once the supervisor is gone; the report writes to it */
	struct host		*host;
	struct life_args	 args;
	pthread_t		 thread;
	bool			 fed;		/* events came, and the driver thread does not know yet */
	bool			 running;	/* the driver thread exists */
	bool			 ending;	/* `deadline` holds */
	mono_t			 deadline;
	enum worker_exit	 code;		/* of the main thread's own making */
};

typedef int (*link_handler)(struct link *, const union ipc_body *, struct err *);

static int
on_hello(struct link *l, const union ipc_body *body, struct err *err)
{
	uint64_t	 version;

	/* The answer goes out in any case: the supervisor shows both versions to the operator. */
	if (handshake_send(l->channel, PROGRAM, body->hello.generation, err) == -1 ||
	    handshake_check(&body->hello, PROGRAM, &version, err) == -1)
		return -1;
	log_sink_set(report_log, l->worker.report);
	return 0;
}

static int
on_goodbye(struct link *l, const union ipc_body *body, struct err *err)
{
	(void)l;
	(void)body;
	(void)err;
	return 0;		/* what counts is that the socket closes */
}

/* What the driver thread is for. */
static void *(*const tasks[])(void *) = {
	[IPC_MODE_DELIVER] = deliver_main,
	[IPC_MODE_TEST] = probe_main,
	[IPC_MODE_IMPORT] = import_main,
	[IPC_MODE_IMPORT_DRY] = import_main,
	[IPC_MODE_FORM] = form_main,
};

static int
on_configure(struct link *l, const union ipc_body *body, struct err *err)
{
	struct worker	*w = &l->worker;
	int		 rc;

	if (l->running)
		return err_set(err, ERR_INVALID, "message CONFIGURE: sent twice");
	if (settings_make(&w->settings, &body->configure, err) == -1)
		return -1;
	if (body->configure.mode >= NELEM(tasks))
		return err_set(err, ERR_INVALID, "message CONFIGURE: there is no mode %llu", (unsigned long long)body->configure.mode);
	log_level_set((enum log_level)body->configure.log_level);
	w->intake = intake_new(body->configure.queue_events, body->configure.queue_bytes);
	l->host = host_new(w, body->configure.table_versions);
	if (w->intake == NULL || l->host == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the queue");
	l->args = (struct life_args){ .worker = w, .host = l->host };
	if ((rc = pthread_create(&l->thread, NULL, tasks[body->configure.mode], &l->args)) != 0) {
		errno = rc;
		return err_sys(err, "starting the driver thread");
	}
	l->running = true;
	return 0;
}

static int
on_events(struct link *l, const union ipc_body *body, struct err *err)
{
	const struct ipc_events	*list = &body->events.list;
	struct worker		*w = &l->worker;
	uint64_t		 now_us = mono_us();
	int			 rc = 0;

	worker_lock(w);
	if (!w->ready)
		rc = err_set(err, ERR_INVALID, "message EVENTS: sent before READY");
	for (size_t i = 0; rc == 0 && i < list->n; i++)
		rc = intake_add(w->intake, &list->v[i], now_us, err);
	worker_unlock(w);
	l->fed = true;
	return rc;
}

static int
on_schema(struct link *l, const union ipc_body *body, struct err *err)
{
	return host_answer(&l->worker, &body->schema, err);
}

static int
add_task(struct link *l, enum ipc_type what, const union ipc_body *body, struct err *err)
{
	struct worker	*w = &l->worker;
	int		 rc, fd = what == IPC_IMPORT_FILE ? channel_take_fd(l->channel) : -1;

	worker_lock(w);
	rc = tasks_add(&w->tasks, what, body, fd, err);
	(void)pthread_cond_broadcast(&w->wake);
	worker_unlock(w);
	return rc;
}

static int
on_import(struct link *l, const union ipc_body *body, struct err *err)
{
	return add_task(l, IPC_IMPORT, body, err);
}

static int
on_import_file(struct link *l, const union ipc_body *body, struct err *err)
{
	return add_task(l, IPC_IMPORT_FILE, body, err);
}

static int
on_import_end(struct link *l, const union ipc_body *body, struct err *err)
{
	return add_task(l, IPC_IMPORT_END, body, err);
}

static int
on_import_abort(struct link *l, const union ipc_body *body, struct err *err)
{
	return add_task(l, IPC_IMPORT_ABORT, body, err);
}

static uint64_t
rss_bytes(void)
{
	unsigned long long	 size, resident = 0;
	FILE			*f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	(void)fclose(f);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int
on_ping(struct link *l, const union ipc_body *body, struct err *err)
{
	struct worker	*w = &l->worker;
	union ipc_body	 pong = { .pong = { .nonce = body->ping.nonce, .busy_ms = worker_busy_ms(w),
		.rss_bytes = rss_bytes() } };

	worker_lock(w);
	if (w->intake != NULL) {
		pong.pong.queued_events = intake_events(w->intake);
		pong.pong.queued_bytes = intake_bytes(w->intake);
	}
	worker_unlock(w);
	(void)err;
	report_queue(w->report, IPC_PONG, &pong);	/* the turn ends with a flush */
	return 0;
}

static int
on_drain(struct link *l, const union ipc_body *body, struct err *err)
{
	(void)body;
	(void)err;
	worker_ask_end(&l->worker, WORKER_DRAINS);
	return 0;
}

static int
on_stop(struct link *l, const union ipc_body *body, struct err *err)
{
	(void)body;
	(void)err;
	worker_ask_end(&l->worker, WORKER_STOPS);
	return 0;
}

static const struct {
	enum ipc_type	 type;
	link_handler	 handle;
	bool		 configured;	/* only after CONFIGURE */
} handlers[] = {
	{ IPC_HELLO,		on_hello,	false },
	{ IPC_GOODBYE,		on_goodbye,	false },
	{ IPC_CONFIGURE,	on_configure,	false },
	{ IPC_EVENTS,		on_events,	true },
	{ IPC_SCHEMA,		on_schema,	true },
	{ IPC_IMPORT,		on_import,	true },
	{ IPC_IMPORT_FILE,	on_import_file,	true },
	{ IPC_IMPORT_END,	on_import_end,	true },
	{ IPC_IMPORT_ABORT,	on_import_abort, true },
	{ IPC_PING,		on_ping,	false },
	{ IPC_DRAIN,		on_drain,	false },
	{ IPC_STOP,		on_stop,	false },
};

static int
dispatch(void *arg, const struct ipc_msg *msg, struct err *err)
{
	struct link	*l = arg;

	for (size_t i = 0; i < NELEM(handlers); i++) {
		if (handlers[i].type != msg->type)
			continue;
		if (handlers[i].configured && !l->running)
			return err_set(err, ERR_INVALID, "message %s: sent before CONFIGURE", ipc_type_name(msg->type));
		return handlers[i].handle(l, &msg->body, err);
	}
	return err_set(err, ERR_INVALID, "message %s: a worker has no use for it", ipc_type_name(msg->type));
}

/* From now on the driver thread has a limited time to come back. */
static void
begin_end(struct link *l)
{
	if (!l->ending)
		l->deadline = mono_now() + LINK_GRACE_MS;
	l->ending = true;
}

static void
supervisor_gone(struct link *l)
{
	report_detach(l->worker.report);
	channel_free(&l->channel);
	worker_ask_end(&l->worker, WORKER_STOPS);
}

/* An error that nobody can be told of in any other way. */
static void
complain(const struct err *err)
{
	(void)fprintf(stderr, PROGRAM ": %s\n", err->text);
}

static void
fail(struct link *l, const struct err *err)
{
	struct err	 unsent;

	l->code = err->code == ERR_INVALID || err->code == ERR_CONFLICT ? WORKER_EXIT_PROTOCOL : WORKER_EXIT_BROKEN;
	complain(err);
	/* What was queued, such as our HELLO, may still tell the supervisor why. */
	if (report_flush(l->worker.report, &unsent) == -1)
		complain(&unsent);
	supervisor_gone(l);
}

static void
read_frames(struct link *l)
{
	struct err	 err = { 0 };
	int		 rc = channel_read(l->channel, dispatch, l, &err);

	/* Once for all that was there: fewer switches between the threads, and larger batches. */
	if (l->fed)
		worker_wake(&l->worker);
	l->fed = false;
	switch (rc) {
	case 0:
		break;
	case 1:
		supervisor_gone(l);
		break;
	default:
		if (err.code == ERR_IO)
			supervisor_gone(l);
		else
			fail(l, &err);
	}
}

static void
write_frames(struct link *l)
{
	struct err	 err = { 0 };

	if (report_flush(l->worker.report, &err) == 0)
		return;
	if (err.code == ERR_NOMEM)
		fail(l, &err);
	else
		supervisor_gone(l);
}

static bool
driver_finished(struct link *l)
{
	bool	 finished;

	worker_lock(&l->worker);
	finished = l->worker.finished;
	worker_unlock(&l->worker);
	return finished || !l->running;
}

/* True when there is nothing more to wait for. */
static bool
over(struct link *l)
{
	enum worker_end	 end = worker_end(&l->worker);
	bool		 done = driver_finished(l) && (l->running || end != WORKER_GOES_ON);

	if (done || end == WORKER_STOPS)
		begin_end(l);
	if (done)
		write_frames(l);	/* the thread reported its last before it finished */
	if (done && !report_wants_write(l->worker.report))
		return true;
	return l->ending && mono_now() >= l->deadline;
}

static int
poll_timeout(const struct link *l)
{
	mono_t	 left;

	if (!l->ending)
		return -1;
	left = l->deadline - mono_now();
	return left < 0 ? 0 : (int)left;
}

static void
take_signal(struct link *l, int sigfd)
{
	struct signalfd_siginfo	 info;

	if (read(sigfd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		worker_ask_end(&l->worker, WORKER_STOPS);
}

static void
turn(struct link *l, int sigfd)
{
	struct pollfd	 fds[] = {
		{ .fd = report_fd(l->worker.report), .events = POLLIN },
		{ .fd = sigfd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};

	if (l->channel != NULL) {
		fds[2].fd = channel_fd(l->channel);
		if (report_wants_write(l->worker.report))
			fds[2].events |= POLLOUT;
	}
	if (poll(fds, NELEM(fds), poll_timeout(l)) == -1)
		return;			/* interrupted: the next turn looks again */
	if ((fds[0].revents & POLLIN) != 0)
		report_heard(l->worker.report);
	if ((fds[1].revents & POLLIN) != 0)
		take_signal(l, sigfd);
	if ((fds[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		read_frames(l);
	write_frames(l);
}

/* The thread has returned, or will never be waited for: *stuck_r. */
static enum worker_exit
finish(struct link *l, bool *stuck_r)
{
	enum worker_exit	 code = l->code;

	*stuck_r = l->running && !driver_finished(l);
	if (*stuck_r) {
		(void)fprintf(stderr, PROGRAM ": the driver did not return within %d ms; it is abandoned\n", LINK_GRACE_MS);
		return code;
	}
	if (l->running) {
		(void)pthread_join(l->thread, NULL);
		if (code == WORKER_EXIT_FINE)
			code = l->worker.exit;
	}
	log_sink_set(NULL, NULL);
	channel_free(&l->channel);
	host_free(&l->host);
	worker_free(&l->worker);
	return code;
}

enum worker_exit
link_run(int fd, int sigfd, bool *stuck_r)
{
	/* Outlives the call when the driver thread does. */
	static struct link	 l;
	struct err		 err = { 0 };

	if (worker_init(&l.worker, &err) == -1 || (l.channel = channel_new(fd, IPC_SUPERVISOR)) == NULL) {
		if (err.code == ERR_NONE)
			(void)err_set(&err, ERR_NOMEM, "no memory for the channel");
		complain(&err);
		l.code = WORKER_EXIT_BROKEN;
		return finish(&l, stuck_r);
	}
	channel_accept_fds(l.channel);
	report_attach(l.worker.report, l.channel);
	while (!over(&l))
		turn(&l, sigfd);
	return finish(&l, stuck_r);
}
