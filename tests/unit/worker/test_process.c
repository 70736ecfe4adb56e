/*
 * The real worker program over a socket pair: what a supervisor sees of it.
 * EDS_BUILD names the build directory, "build" by default.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/base/clock.h"
#include "ipc/handshake.h"
#include "worker/worker.h"

#define PATIENCE_MS	30000		/* for a machine that is busy with other things */
#define GENERATION	7

/* A message kept beyond its frame. */
struct kept {
	enum ipc_type	 type;
	union ipc_body	 body;
	char		*text;		/* reason, driver, text or table */
	char		*payload;
};

struct peer {
	struct channel	*channel;
	pid_t		 pid;
	struct kept	*kept;
	size_t		 n_kept;
	size_t		 next;		/* first one not looked at */
	bool		 closed;
	char		 dir[64];
	char		 url[256];
};

static struct slice
text_in(const struct ipc_msg *m)
{
	switch (m->type) {
	case IPC_TESTED:	return m->body.tested.reason;
	case IPC_GOODBYE:	return m->body.goodbye.reason;
	case IPC_READY:		return m->body.ready.driver;
	case IPC_REJECTED:	return m->body.rejected.reason;
	case IPC_LOG:		return m->body.log.text;
	case IPC_TROUBLE:	return m->body.trouble.reason;
	case IPC_BROKEN:	return m->body.broken.reason;
	case IPC_HELLO:		return m->body.hello.program;
	default:		return SLICE("");
	}
}

static int
keep(void *arg, const struct ipc_msg *m, struct err *err)
{
	struct peer	*p = arg;
	struct kept	*k;

	(void)err;
	p->kept = realloc(p->kept, (p->n_kept + 1) * sizeof(*p->kept));
	assert_non_null(p->kept);
	k = &p->kept[p->n_kept++];
	*k = (struct kept){ .type = m->type, .body = m->body, .text = slice_dup(text_in(m)) };
	if (m->type == IPC_REJECTED)
		k->payload = slice_dup(m->body.rejected.payload);
	return 0;
}

/* Moves frames both ways until something came or `until` is over. */
static void
exchange(struct peer *p, mono_t until)
{
	struct pollfd	 fd = { .fd = channel_fd(p->channel), .events = POLLIN };
	struct err	 err = { 0 };
	mono_t		 left = until - mono_now();

	if (channel_flush(p->channel, &err) == -1)
		p->closed = true;
	if (channel_wants_write(p->channel))
		fd.events |= POLLOUT;
	if (poll(&fd, 1, left < 0 ? 0 : (int)left) <= 0)
		return;
	switch (channel_read(p->channel, keep, p, &err)) {
	case 0:
		break;
	case 1:
		p->closed = true;
		break;
	default:
		fail_msg("the worker broke the protocol: %s", err.text);
	}
}

/* The next message that is no log line; NULL once the worker has closed. */
static const struct kept *
next(struct peer *p)
{
	mono_t	 until = mono_now() + PATIENCE_MS;

	for (;;) {
		while (p->next < p->n_kept)
			if (p->kept[p->next++].type != IPC_LOG)
				return &p->kept[p->next - 1];
		if (p->closed)
			return NULL;
		if (mono_now() >= until)
			fail_msg("the worker said nothing");
		exchange(p, until);
	}
}

static const struct kept *
expect(struct peer *p, enum ipc_type type)
{
	const struct kept	*k = next(p);

	if (k == NULL)
		fail_msg("the worker closed instead of sending %s", ipc_type_name(type));
	else if (k->type != type)
		fail_msg("%s(%s) instead of %s", ipc_type_name(k->type), k->text, ipc_type_name(type));
	return k;
}

static void
send_msg(struct peer *p, enum ipc_type type, union ipc_body body)
{
	struct err	 err;

	if (channel_send(p->channel, type, &body, &err) == -1 || channel_flush(p->channel, &err) == -1)
		fail_msg("%s", err.text);
}

static int
exit_status(struct peer *p)
{
	mono_t	 until = mono_now() + PATIENCE_MS;
	int	 status;

	while (waitpid(p->pid, &status, WNOHANG) == 0) {
		if (mono_now() >= until)
			fail_msg("the worker did not exit");
		(void)poll(NULL, 0, 2);
	}
	p->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void
expect_exit(struct peer *p, int code)
{
	assert_null(next(p));
	assert_int_equal(exit_status(p), code);
}

static const char *
program(void)
{
	static char	 path[200];
	const char	*build = getenv("EDS_BUILD");

	(void)snprintf(path, sizeof(path), "%s/eds-worker", build == NULL ? "build" : build);
	return path;
}

static void
run_worker(int fd)
{
	char	 name[] = "eds-worker: unit";
	char	*argv[] = { name, NULL };
	int	 null = open("/dev/null", O_RDWR);

	(void)dup2(null, STDERR_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(fd, 3);
	if (fd != 3)
		(void)close(fd);
	(void)execv(program(), argv);
	_exit(127);
}

static int
set_up(void **state)
{
	struct peer	*p = calloc(1, sizeof(*p));
	int		 fds[2];

	assert_non_null(p);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/eds-test-worker-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_true((p->pid = fork()) != -1);
	if (p->pid == 0)
		run_worker(fds[1]);
	(void)close(fds[1]);
	assert_non_null(p->channel = channel_new(fds[0], IPC_WORKER));
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct peer	*p = *state;
	char		 command[100];

	channel_free(&p->channel);
	if (p->pid != 0) {
		(void)kill(p->pid, SIGKILL);
		(void)waitpid(p->pid, NULL, 0);
	}
	for (size_t i = 0; i < p->n_kept; i++) {
		free(p->kept[i].text);
		free(p->kept[i].payload);
	}
	free(p->kept);
	(void)snprintf(command, sizeof(command), "rm -r %s", p->dir);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

/* What the tests vary; the rest of CONFIGURE is the same for all. */
struct knobs {
	uint64_t	 batch_events;
	uint64_t	 min_latency_ms;
	uint64_t	 max_latency_ms;
	uint64_t	 queue_events;
	uint64_t	 mode;
};

static void
greet(struct peer *p)
{
	struct err		 err;
	const struct kept	*k;

	assert_int_equal(handshake_send(p->channel, "eds", GENERATION, &err), 0);
	k = expect(p, IPC_HELLO);
	assert_string_equal(k->text, "eds-worker");
	assert_int_equal(k->body.hello.generation, GENERATION);
}

static void
configure(struct peer *p, const char *url, struct knobs k)
{
	send_msg(p, IPC_CONFIGURE, (union ipc_body){ .configure = {
		.destination = SLICE("unit"), .url = slice_of(url), .update_strategy = SLICE("standard"),
		.session = SLICE(""), .data_dir = slice_of(p->dir), .log_level = LOG_INFO,
		.batch_events = k.batch_events, .min_latency_ms = k.min_latency_ms,
		.max_latency_ms = k.max_latency_ms,
		.queue_events = k.queue_events == 0 ? 100 : k.queue_events, .queue_bytes = 1 << 20, .mode = k.mode } });
}

static void
start(struct peer *p, const char *url, struct knobs knobs)
{
	const struct kept	*k;

	greet(p);
	configure(p, url, knobs);
	k = expect(p, IPC_READY);
	assert_int_equal(k->body.ready.credit_events, knobs.queue_events == 0 ? 100 : knobs.queue_events);
	assert_int_equal(k->body.ready.credit_bytes, 1 << 20);
}

static const char *
fault_url(struct peer *p)
{
	(void)snprintf(p->url, sizeof(p->url), "fault://%s/commands?store=%s/stored", p->dir, p->dir);
	return p->url;
}

/* Replaces the command file as a whole, so that the driver never reads half of it. */
static void
command(struct peer *p, const char *text)
{
	char	 path[120], temporary[120];
	FILE	*f;

	(void)snprintf(path, sizeof(path), "%s/commands", p->dir);
	(void)snprintf(temporary, sizeof(temporary), "%s/commands.new", p->dir);
	assert_non_null(f = fopen(temporary, "w"));
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(temporary, path), 0);
}

static size_t
send_payload(struct peer *p, uint64_t seq, const char *payload)
{
	struct ipc_event	 ev = { seq, SLICE("dbchange.order.INSERT.c1.l1.PUBLIC.x"), slice_of(payload) };

	send_msg(p, IPC_EVENTS, (union ipc_body){ .events = { .list = { &ev, 1 } } });
	return strlen(payload);
}

static const char *
event_text(char *out, size_t size, uint64_t seq)
{
	(void)snprintf(out, size, "{\"operation\":\"INSERT\",\"id\":\"e%llu\",\"table\":\"order\",\"key\":[\"k%llu\"],"
	    "\"modelVersion\":\"m\",\"after\":{\"id\":\"k%llu\"},\"timestamp\":%llu000,\"mvccTimestamp\":\"1\"}",
	    (unsigned long long)seq, (unsigned long long)seq, (unsigned long long)seq, (unsigned long long)seq);
	return out;
}

/* Events first .. last in one frame; how many payload bytes that was. */
static size_t
send_events(struct peer *p, uint64_t first, uint64_t last)
{
	struct ipc_events_writer w;
	char			 text[300];
	size_t			 bytes = 0;
	struct err		 err;

	ipc_events_begin(&w, channel_out(p->channel));
	for (uint64_t seq = first; seq <= last; seq++) {
		struct slice s = slice_of(event_text(text, sizeof(text), seq));

		ipc_events_add(&w, seq, SLICE("dbchange.order.INSERT.c1.l1.PUBLIC.x"), s);
		bytes += s.n;
	}
	ipc_events_end(&w);
	assert_int_equal(channel_flush(p->channel, &err), 0);
	return bytes;
}

/* Credits and commits until `seq` is covered; *events_r and *bytes_r add the credit up. */
static void
until_committed(struct peer *p, uint64_t seq, uint64_t *credit_events_r, uint64_t *credit_bytes_r)
{
	for (;;) {
		const struct kept *k = next(p);

		assert_non_null(k);
		if (k->type == IPC_CREDIT) {
			*credit_events_r += k->body.credit.events;
			*credit_bytes_r += k->body.credit.bytes;
		} else if (k->type == IPC_COMMITTED) {
			assert_true(k->body.committed.seq <= seq);
			if (k->body.committed.seq == seq)
				return;
		} else
			fail_msg("%s(%s)", ipc_type_name(k->type), k->text);
	}
}

/* The sequences stored by the fault driver, in order, blank after each: "1 2 3 ". */
static void
assert_stored(struct peer *p, const char *expected)
{
	char	 path[120], line[400], got[1000] = "";
	FILE	*f;

	(void)snprintf(path, sizeof(path), "%s/stored", p->dir);
	assert_non_null(f = fopen(path, "r"));
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *id = strstr(line, "\"id\":\"e");

		assert_non_null(id);
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%d ", atoi(id + 7));
	}
	(void)fclose(f);
	assert_string_equal(got, expected);
}

static void
drain(struct peer *p, const char *reason)
{
	send_msg(p, IPC_DRAIN, (union ipc_body){ .empty = { 0 } });
	assert_string_equal(expect(p, IPC_GOODBYE)->text, reason);
	expect_exit(p, WORKER_EXIT_FINE);
}

static void
events_are_committed_and_their_credit_comes_back(void **state)
{
	struct peer	*p = *state;
	uint64_t	 events = 0, bytes = 0;
	size_t		 sent;

	start(p, "null://", (struct knobs){ 0 });
	sent = send_events(p, 1, 50);
	sent += send_events(p, 60, 99);
	until_committed(p, 99, &events, &bytes);
	assert_int_equal(events, 90);
	assert_int_equal(bytes, sent);
	drain(p, "drained");
}

static void
a_lone_event_is_committed_with_its_counts(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;
	size_t			 sent;

	start(p, "null://", (struct knobs){ 0 });
	sent = send_events(p, 5, 5);
	k = expect(p, IPC_CREDIT);
	assert_int_equal(k->body.credit.events, 1);
	assert_int_equal(k->body.credit.bytes, sent);
	k = expect(p, IPC_COMMITTED);
	assert_int_equal(k->body.committed.seq, 5);
	assert_int_equal(k->body.committed.events, 1);
	assert_int_equal(k->body.committed.bytes, sent);
	assert_true(k->body.committed.process_us >= k->body.committed.flush_us);
}

static void
the_file_driver_is_loaded_by_its_scheme(void **state)
{
	struct peer	*p = *state;
	uint64_t	 events = 0, bytes = 0;
	char		 url[100], path[120];

	(void)snprintf(url, sizeof(url), "file://%s/out", p->dir);
	start(p, url, (struct knobs){ 0 });
	(void)send_events(p, 1, 3);
	until_committed(p, 3, &events, &bytes);
	(void)snprintf(path, sizeof(path), "%s/out/order/3-k3.json", p->dir);
	assert_int_equal(access(path, F_OK), 0);
	drain(p, "drained");
}

static void
batches_keep_to_the_configured_limit_and_the_order(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	start(p, fault_url(p), (struct knobs){ .batch_events = 2 });
	(void)send_events(p, 1, 6);
	for (uint64_t seq = 2; seq <= 6; seq += 2) {
		k = expect(p, IPC_CREDIT);
		assert_int_equal(k->body.credit.events, 2);
		k = expect(p, IPC_COMMITTED);
		assert_int_equal(k->body.committed.seq, seq);
	}
	assert_stored(p, "1 2 3 4 5 6 ");
	drain(p, "drained");
}

static void
a_floor_gathers_events_and_a_drain_ends_it(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	start(p, fault_url(p), (struct knobs){ .min_latency_ms = 3600000, .max_latency_ms = 7200000 });
	(void)send_events(p, 1, 1);
	(void)send_events(p, 2, 2);
	send_msg(p, IPC_DRAIN, (union ipc_body){ .empty = { 0 } });
	assert_int_equal(expect(p, IPC_CREDIT)->body.credit.events, 2);
	k = expect(p, IPC_COMMITTED);
	assert_int_equal(k->body.committed.seq, 2);
	assert_int_equal(k->body.committed.events, 2);
	assert_string_equal(expect(p, IPC_GOODBYE)->text, "drained");
	expect_exit(p, WORKER_EXIT_FINE);
}

static void
a_full_queue_ends_the_floor(void **state)
{
	struct peer	*p = *state;

	start(p, "null://", (struct knobs){ .min_latency_ms = 3600000, .queue_events = 4 });
	(void)send_events(p, 1, 4);
	assert_int_equal(expect(p, IPC_CREDIT)->body.credit.events, 4);
	assert_int_equal(expect(p, IPC_COMMITTED)->body.committed.seq, 4);
}

static void
a_rejected_event_is_reported_before_the_commit_that_covers_it(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;
	char			 text[300];

	command(p, "reject-key k2\n");
	start(p, fault_url(p), (struct knobs){ 0 });
	(void)send_events(p, 1, 3);
	(void)expect(p, IPC_CREDIT);
	k = expect(p, IPC_REJECTED);
	assert_int_equal(k->body.rejected.seq, 2);
	assert_int_equal(k->body.rejected.attempts, 1);
	assert_string_equal(k->text, "refused on command");
	assert_string_equal(k->payload, event_text(text, sizeof(text), 2));
	k = expect(p, IPC_COMMITTED);
	assert_int_equal(k->body.committed.seq, 3);
	assert_int_equal(k->body.committed.events, 2);
	assert_stored(p, "1 3 ");
	drain(p, "drained");
}

static void
a_rejected_last_event_is_covered_by_the_commit(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	command(p, "reject-every 1\n");
	start(p, fault_url(p), (struct knobs){ 0 });
	(void)send_events(p, 1, 2);
	(void)expect(p, IPC_CREDIT);
	assert_int_equal(expect(p, IPC_REJECTED)->body.rejected.seq, 1);
	assert_int_equal(expect(p, IPC_REJECTED)->body.rejected.seq, 2);
	k = expect(p, IPC_COMMITTED);
	assert_int_equal(k->body.committed.seq, 2);
	assert_int_equal(k->body.committed.events, 0);
	drain(p, "drained");
}

static void
a_malformed_event_is_rejected_and_the_rest_goes_on(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	start(p, fault_url(p), (struct knobs){ .min_latency_ms = 3600000, .queue_events = 3 });
	(void)send_events(p, 1, 1);
	(void)send_payload(p, 2, "{\"operation\":");
	(void)send_events(p, 3, 3);
	(void)expect(p, IPC_CREDIT);
	k = expect(p, IPC_REJECTED);
	assert_int_equal(k->body.rejected.seq, 2);
	assert_memory_equal(k->text, "malformed event: ", 17);
	assert_string_equal(k->payload, "{\"operation\":");
	k = expect(p, IPC_COMMITTED);
	assert_int_equal(k->body.committed.seq, 3);
	assert_int_equal(k->body.committed.events, 2);
	assert_stored(p, "1 3 ");
}

static void
a_destination_that_is_down_is_tried_until_it_is_back(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	command(p, "retry the cable is out\n");
	start(p, fault_url(p), (struct knobs){ 0 });
	(void)send_events(p, 4, 5);
	(void)expect(p, IPC_CREDIT);
	for (uint64_t attempt = 1; attempt <= 2; attempt++) {
		k = expect(p, IPC_TROUBLE);
		assert_string_equal(k->text, "the cable is out");
		assert_int_equal(k->body.trouble.attempts, attempt);
		assert_int_equal(k->body.trouble.seq, 4);
	}
	command(p, "ok\n");
	while ((k = expect(p, IPC_TROUBLE))->text[0] != '\0')
		;
	assert_int_equal(expect(p, IPC_COMMITTED)->body.committed.seq, 5);
	assert_stored(p, "4 5 ");
	drain(p, "drained");
}

static void
open_is_tried_until_the_destination_is_there(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	command(p, "open-retry not yet\n");
	greet(p);
	configure(p, fault_url(p), (struct knobs){ 0 });
	assert_string_equal(expect(p, IPC_TROUBLE)->text, "not yet");
	command(p, "ok\n");
	while ((k = expect(p, IPC_TROUBLE))->text[0] != '\0')
		;
	(void)expect(p, IPC_READY);
}

static void
a_drain_does_not_wait_for_a_destination_that_is_down(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	command(p, "retry down\n");
	start(p, fault_url(p), (struct knobs){ 0 });
	(void)send_events(p, 1, 1);
	(void)expect(p, IPC_CREDIT);
	(void)expect(p, IPC_TROUBLE);
	send_msg(p, IPC_DRAIN, (union ipc_body){ .empty = { 0 } });
	while ((k = next(p)) != NULL && k->type == IPC_TROUBLE)
		;
	assert_non_null(k);
	assert_int_equal(k->type, IPC_GOODBYE);
	assert_string_equal(k->text, "abandoned");
	expect_exit(p, WORKER_EXIT_FINE);
}

static void
stop_ends_the_worker_with_events_in_the_queue(void **state)
{
	struct peer		*p = *state;

	start(p, "null://", (struct knobs){ .min_latency_ms = 3600000 });
	(void)send_events(p, 1, 3);
	send_msg(p, IPC_STOP, (union ipc_body){ .empty = { 0 } });
	assert_string_equal(expect(p, IPC_GOODBYE)->text, "stopped");
	expect_exit(p, WORKER_EXIT_FINE);
}

static void
a_stop_cuts_a_drain_short(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	command(p, "slow 100\n");
	start(p, fault_url(p), (struct knobs){ .batch_events = 1 });
	(void)send_events(p, 1, 50);
	send_msg(p, IPC_DRAIN, (union ipc_body){ .empty = { 0 } });
	send_msg(p, IPC_STOP, (union ipc_body){ .empty = { 0 } });
	while ((k = next(p)) != NULL && k->type != IPC_GOODBYE)
		assert_true(k->type != IPC_COMMITTED || k->body.committed.seq < 50);
	assert_non_null(k);
	assert_string_equal(k->text, "stopped");
	expect_exit(p, WORKER_EXIT_FINE);
}

static void
sigterm_stops_and_the_terminal_does_not(void **state)
{
	struct peer		*p = *state;

	start(p, "null://", (struct knobs){ 0 });
	assert_int_equal(kill(p->pid, SIGINT), 0);
	assert_int_equal(kill(p->pid, SIGHUP), 0);
	(void)send_events(p, 1, 1);
	(void)expect(p, IPC_CREDIT);
	(void)expect(p, IPC_COMMITTED);
	assert_int_equal(kill(p->pid, SIGTERM), 0);
	assert_string_equal(expect(p, IPC_GOODBYE)->text, "stopped");
	expect_exit(p, WORKER_EXIT_FINE);
}

static void
a_worker_ends_when_the_supervisor_closes(void **state)
{
	struct peer		*p = *state;

	start(p, "null://", (struct knobs){ 0 });
	channel_free(&p->channel);
	assert_int_equal(exit_status(p), WORKER_EXIT_FINE);
}

static void
a_worker_ends_when_the_supervisor_closes_before_a_word(void **state)
{
	struct peer		*p = *state;

	channel_free(&p->channel);
	assert_int_equal(exit_status(p), WORKER_EXIT_FINE);
}

static void
a_hanging_driver_is_seen_in_the_pings_and_left_behind(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;
	uint64_t		 busy, nonce = 0;

	command(p, "hang-key k2\n");
	start(p, fault_url(p), (struct knobs){ .batch_events = 1 });
	(void)send_events(p, 1, 3);
	(void)expect(p, IPC_CREDIT);
	assert_int_equal(expect(p, IPC_COMMITTED)->body.committed.seq, 1);
	(void)expect(p, IPC_CREDIT);
	do {
		send_msg(p, IPC_PING, (union ipc_body){ .ping = { .nonce = ++nonce } });
		k = expect(p, IPC_PONG);
		assert_int_equal(k->body.pong.nonce, nonce);
		busy = k->body.pong.busy_ms;
	} while (busy == 0);
	do {
		send_msg(p, IPC_PING, (union ipc_body){ .ping = { .nonce = ++nonce } });
		k = expect(p, IPC_PONG);
		assert_true(k->body.pong.busy_ms >= busy);
	} while (k->body.pong.busy_ms < busy + 20);
	assert_int_equal(k->body.pong.queued_events, 1);
	assert_true(k->body.pong.rss_bytes > 0);
	channel_free(&p->channel);
	assert_int_equal(exit_status(p), WORKER_EXIT_FINE);
	assert_stored(p, "1 ");
}

static void
an_idle_worker_is_not_busy(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	start(p, "null://", (struct knobs){ 0 });
	send_msg(p, IPC_PING, (union ipc_body){ .ping = { .nonce = 9 } });
	k = expect(p, IPC_PONG);
	assert_int_equal(k->body.pong.nonce, 9);
	assert_int_equal(k->body.pong.busy_ms, 0);
	assert_int_equal(k->body.pong.queued_events, 0);
}

static void
a_crashing_driver_takes_its_process_along(void **state)
{
	struct peer		*p = *state;

	command(p, "crash-key k2\n");
	start(p, fault_url(p), (struct knobs){ .batch_events = 1 });
	(void)send_events(p, 1, 2);
	(void)expect(p, IPC_CREDIT);
	/* Whatever was known before the crash has been told. */
	assert_int_equal(expect(p, IPC_COMMITTED)->body.committed.seq, 1);
	assert_int_equal(expect(p, IPC_CREDIT)->body.credit.events, 1);
	assert_null(next(p));
	assert_int_equal(exit_status(p), 1000 + SIGABRT);
	assert_stored(p, "1 ");
}

static void
broken_and_configuration_are_told_apart(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	command(p, "broken out of order\n");
	start(p, fault_url(p), (struct knobs){ 0 });
	(void)send_events(p, 1, 1);
	(void)expect(p, IPC_CREDIT);
	k = expect(p, IPC_BROKEN);
	assert_string_equal(k->text, "out of order");
	assert_false(k->body.broken.config);
	expect_exit(p, WORKER_EXIT_BROKEN);
}

static void
a_configuration_error_of_the_driver_ends_with_3(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	command(p, "open-config wrong password\n");
	greet(p);
	configure(p, fault_url(p), (struct knobs){ 0 });
	k = expect(p, IPC_BROKEN);
	assert_string_equal(k->text, "wrong password");
	assert_true(k->body.broken.config);
	expect_exit(p, WORKER_EXIT_CONFIG);
}

static void
an_unknown_scheme_is_a_configuration_error(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	greet(p);
	configure(p, "ftp://user:secret@host/", (struct knobs){ 0 });
	k = expect(p, IPC_BROKEN);
	assert_non_null(strstr(k->text, "no driver registered for protocol ftp"));
	assert_null(strstr(k->text, "secret"));
	assert_true(k->body.broken.config);
	expect_exit(p, WORKER_EXIT_CONFIG);
}

static void
a_url_the_driver_refuses_is_a_configuration_error(void **state)
{
	struct peer		*p = *state;

	greet(p);
	configure(p, "file://folder", (struct knobs){ 0 });
	assert_string_equal(expect(p, IPC_BROKEN)->text,
	    "path is required in url which should be the directory to store files");
	expect_exit(p, WORKER_EXIT_CONFIG);
}

static void
in_test_mode_the_answer_is_the_last_word(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	command(p, "test: config wrong password\n");
	greet(p);
	configure(p, fault_url(p), (struct knobs){ .mode = IPC_MODE_TEST });
	k = expect(p, IPC_TESTED);
	assert_false(k->body.tested.fine);
	assert_true(k->body.tested.config);
	assert_string_equal(k->text, "wrong password");
	(void)expect(p, IPC_GOODBYE);
	expect_exit(p, WORKER_EXIT_FINE);
}

static void
a_mode_that_does_not_exist_ends_the_worker(void **state)
{
	struct peer		*p = *state;

	greet(p);
	configure(p, "null://", (struct knobs){ .mode = 99 });
	assert_null(next(p));
	assert_int_equal(exit_status(p), WORKER_EXIT_PROTOCOL);
}

static void
events_beyond_the_credit_end_the_worker(void **state)
{
	struct peer		*p = *state;

	start(p, "null://", (struct knobs){ .queue_events = 3, .min_latency_ms = 3600000 });
	/* A full queue is taken at once and its credit given back: in one frame there are more than can be taken meanwhile. */
	(void)send_events(p, 1, 2000);
	while (next(p) != NULL)
		;
	assert_int_equal(exit_status(p), WORKER_EXIT_PROTOCOL);
}

static void
a_first_message_that_is_no_hello_ends_the_worker(void **state)
{
	struct peer		*p = *state;
	struct buf		 raw = { 0 };
	union ipc_body		 body = { .ping = { .nonce = 1 } };

	ipc_encode(&raw, IPC_PING, &body);
	assert_int_equal(write(channel_fd(p->channel), raw.data, raw.len), (ssize_t)raw.len);
	buf_free(&raw);
	assert_null(next(p));
	assert_int_equal(exit_status(p), WORKER_EXIT_PROTOCOL);
}

static void
a_frame_of_nonsense_ends_the_worker(void **state)
{
	struct peer		*p = *state;

	start(p, "null://", (struct knobs){ 0 });
	assert_int_equal(write(channel_fd(p->channel), "\0\0\0\3abc", 7), 7);
	assert_null(next(p));
	assert_int_equal(exit_status(p), WORKER_EXIT_PROTOCOL);
}

static void
another_protocol_version_is_answered_and_refused(void **state)
{
	struct peer		*p = *state;
	const struct kept	*k;

	send_msg(p, IPC_HELLO, (union ipc_body){ .hello = { .protocol_min = IPC_PROTOCOL_MAX + 1,
	    .protocol_max = IPC_PROTOCOL_MAX + 1, .version = SLICE("99.0"), .program = SLICE("eds") } });
	k = expect(p, IPC_HELLO);
	assert_int_equal(k->body.hello.protocol_max, IPC_PROTOCOL_MAX);
	expect_exit(p, WORKER_EXIT_PROTOCOL);
}

static void
events_before_ready_end_the_worker(void **state)
{
	struct peer		*p = *state;

	command(p, "open-retry not yet\n");
	greet(p);
	configure(p, fault_url(p), (struct knobs){ 0 });
	assert_string_equal(expect(p, IPC_TROUBLE)->text, "not yet");
	(void)send_events(p, 1, 1);
	while (next(p) != NULL)
		;
	assert_int_equal(exit_status(p), WORKER_EXIT_PROTOCOL);
}

static void
log_lines_come_over_the_socket(void **state)
{
	struct peer		*p = *state;
	size_t			 lines = 0;

	start(p, "null://", (struct knobs){ 0 });
	drain(p, "drained");
	for (size_t i = 0; i < p->n_kept; i++)
		lines += p->kept[i].type == IPC_LOG && strstr(p->kept[i].text, "thrown away") != NULL;
	assert_int_equal(lines, 1);
}

static void
a_driver_hears_of_every_stretch_of_silence(void **state)
{
	struct peer	*p = *state;
	mono_t		 until = mono_now() + PATIENCE_MS;
	size_t		 lines = 0, seen = 0;

	(void)fault_url(p);
	(void)strcat(p->url, "&idle=1");
	start(p, p->url, (struct knobs){ 0 });
	while (lines < 2) {
		for (; seen < p->n_kept; seen++)
			lines += p->kept[seen].type == IPC_LOG && strstr(p->kept[seen].text, "nothing comes") != NULL;
		assert_true(mono_now() < until && !p->closed);
		exchange(p, until);
	}
}

static void
started_by_hand_it_says_who_starts_it(void **state)
{
	char	 command_line[300], out[300] = "";
	FILE	*f;
	size_t	 n;

	(void)state;
	(void)snprintf(command_line, sizeof(command_line), "%s 2>&1 3<&-; echo $?", program());
	assert_non_null(f = popen(command_line, "r"));
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	(void)pclose(f);
	assert_non_null(strstr(out, "started by eds"));
	assert_non_null(strstr(out, "\n3\n"));
}

int
main(void)
{
#define WITH_WORKER(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_WORKER(events_are_committed_and_their_credit_comes_back),
		WITH_WORKER(a_lone_event_is_committed_with_its_counts),
		WITH_WORKER(the_file_driver_is_loaded_by_its_scheme),
		WITH_WORKER(batches_keep_to_the_configured_limit_and_the_order),
		WITH_WORKER(a_floor_gathers_events_and_a_drain_ends_it),
		WITH_WORKER(a_full_queue_ends_the_floor),
		WITH_WORKER(a_rejected_event_is_reported_before_the_commit_that_covers_it),
		WITH_WORKER(a_rejected_last_event_is_covered_by_the_commit),
		WITH_WORKER(a_malformed_event_is_rejected_and_the_rest_goes_on),
		WITH_WORKER(a_destination_that_is_down_is_tried_until_it_is_back),
		WITH_WORKER(open_is_tried_until_the_destination_is_there),
		WITH_WORKER(a_drain_does_not_wait_for_a_destination_that_is_down),
		WITH_WORKER(stop_ends_the_worker_with_events_in_the_queue),
		WITH_WORKER(a_stop_cuts_a_drain_short),
		WITH_WORKER(sigterm_stops_and_the_terminal_does_not),
		WITH_WORKER(a_worker_ends_when_the_supervisor_closes),
		WITH_WORKER(a_worker_ends_when_the_supervisor_closes_before_a_word),
		WITH_WORKER(a_hanging_driver_is_seen_in_the_pings_and_left_behind),
		WITH_WORKER(an_idle_worker_is_not_busy),
		WITH_WORKER(a_crashing_driver_takes_its_process_along),
		WITH_WORKER(broken_and_configuration_are_told_apart),
		WITH_WORKER(a_configuration_error_of_the_driver_ends_with_3),
		WITH_WORKER(an_unknown_scheme_is_a_configuration_error),
		WITH_WORKER(a_url_the_driver_refuses_is_a_configuration_error),
		WITH_WORKER(in_test_mode_the_answer_is_the_last_word),
		WITH_WORKER(a_mode_that_does_not_exist_ends_the_worker),
		WITH_WORKER(events_beyond_the_credit_end_the_worker),
		WITH_WORKER(a_first_message_that_is_no_hello_ends_the_worker),
		WITH_WORKER(a_frame_of_nonsense_ends_the_worker),
		WITH_WORKER(another_protocol_version_is_answered_and_refused),
		WITH_WORKER(events_before_ready_end_the_worker),
		WITH_WORKER(log_lines_come_over_the_socket),
		WITH_WORKER(a_driver_hears_of_every_stretch_of_silence),
		cmocka_unit_test(started_by_hand_it_says_who_starts_it),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
