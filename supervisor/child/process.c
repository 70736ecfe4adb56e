/* A worker process with one task. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/handshake.h"
#include "supervisor/child/obituary.h"
#include "supervisor/child/process.h"
#include "supervisor/child/spawn.h"

struct process {
	struct process_host	 host;
	char			*name;
	struct log		 log;
	pid_t			 pid;		/* 0: none any more */
	ev_child		 exit_status;
	ev_io			 readable, writable, stderr_io;
	int			 stderr_fd;
	struct last_words	 words;
	struct channel		*channel;	/* NULL: closed */
	bool			 greeted;
	unsigned		 busy;		/* callbacks on the stack ... */
	bool			 freed;		/* ... behind which it is to be freed */
	char			 why[700];	/* it was killed for */
};

static void
enter(struct process *p)
{
	p->busy++;
}

static void	destroy(struct process *);

/* False when nothing may touch the process any more. */
static bool
leave(struct process *p)
{
	if (--p->busy > 0 || !p->freed)
		return !p->freed;
	destroy(p);
	return false;
}

static void
close_channel(struct process *p)
{
	ev_io_stop(p->host.loop, &p->readable);
	ev_io_stop(p->host.loop, &p->writable);
	channel_free(&p->channel);
}

void
process_kill(struct process *p, const char *why)
{
	if (p->why[0] == '\0')
		(void)snprintf(p->why, sizeof(p->why), "%.*s", (int)sizeof(p->why) - 1, why);
	if (p->pid > 0)
		(void)kill(p->pid, SIGKILL);
}

static void
flush(struct process *p)
{
	struct err	 err = { 0 };

	if (p->channel == NULL)
		return;
	/* After a broken pipe the exit status follows, which tells more. */
	if (channel_flush(p->channel, &err) == -1)
		ev_io_stop(p->host.loop, &p->writable);
	else if (channel_wants_write(p->channel))
		ev_io_start(p->host.loop, &p->writable);
	else
		ev_io_stop(p->host.loop, &p->writable);
}

void
process_send_fd(struct process *p, enum ipc_type type, const union ipc_body *body, int fd)
{
	struct err	 err = { 0 };
	int		 rc;

	if (p->channel == NULL)
		return;
	rc = fd == -1 ? channel_send(p->channel, type, body, &err) : channel_send_fd(p->channel, type, body, fd, &err);
	if (rc == -1)
		process_kill(p, err.text);
	else
		flush(p);
}

void
process_send(struct process *p, enum ipc_type type, const union ipc_body *body)
{
	process_send_fd(p, type, body, -1);
}

void
process_log(const struct ipc_log_body *b)
{
	struct buf	 text = { 0 }, prefix = { 0 }, json = { 0 };

	if (b->level <= LOG_ERROR) {
		buf_adds_slice(&text, b->text);
		buf_adds_slice(&prefix, b->prefix);
		buf_adds_slice(&json, b->json);
		log_text((enum log_level)b->level, buf_cstr(&prefix), buf_cstr(&text), json.len == 0 ? NULL : buf_cstr(&json));
	}
	buf_free(&text);
	buf_free(&prefix);
	buf_free(&json);
}

static int
hear(void *arg, const struct ipc_msg *m, struct err *err)
{
	struct process	*p = arg;
	uint64_t	 version;

	if (p->freed || p->why[0] != '\0')
		return err_set(err, ERR_IO, "it is not listened to any more");
	if (m->type == IPC_LOG) {
		process_log(&m->body.log);
		return 0;
	}
	if (m->type == IPC_GOODBYE)
		return 0;
	if (m->type != IPC_HELLO)
		return p->host.hear(p->host.arg, m, err);
	if (handshake_check(&m->body.hello, "eds", &version, err) == -1)
		return -1;
	p->greeted = true;
	p->host.greeted(p->host.arg);
	return 0;
}

/* Reads what is there; more may follow. */
static void
read_channel(struct process *p)
{
	struct err	 err = { 0 };
	int		 rc = channel_read(p->channel, hear, p, &err);

	if (p->freed || rc == 0)
		return;
	close_channel(p);
	/* Reset by a dying peer: its exit status follows. */
	if (rc == -1 && err.code != ERR_IO)
		process_kill(p, err.text);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct process	*p = w->data;

	(void)loop;
	(void)events;
	enter(p);
	read_channel(p);
	(void)leave(p);
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	flush(w->data);
}

static void
stderr_line(void *arg, const char *line)
{
	struct process	*p = arg;

	log_warn(&p->log, "worker says: %s", line);
}

static void
read_stderr(struct process *p)
{
	char	 bytes[4096];
	ssize_t	 n;

	while ((n = read(p->stderr_fd, bytes, sizeof(bytes))) > 0)
		last_words_add(&p->words, (struct slice){ bytes, (size_t)n }, stderr_line, p);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		ev_io_stop(p->host.loop, &p->stderr_io);
}

static void
on_stderr(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	read_stderr(w->data);
}

/* What it said before it died still counts. */
static void
read_rest(struct process *p)
{
	uint64_t	 before;

	do {
		if (p->channel == NULL)
			return;
		before = channel_bytes_in(p->channel);
		read_channel(p);
	} while (!p->freed && p->channel != NULL && channel_bytes_in(p->channel) != before);
}

static void
on_exit_status(struct ev_loop *loop, ev_child *w, int events)
{
	struct process	*p = w->data;
	int		 st = w->rstatus;
	char		 how[100];
	pid_t		 pid = p->pid;

	(void)events;
	ev_child_stop(loop, w);
	p->pid = 0;
	enter(p);
	read_rest(p);
	read_stderr(p);
	obituary(how, sizeof(how), st);
	if (p->why[0] == '\0' && (!WIFEXITED(st) || (WEXITSTATUS(st) != 0 && WEXITSTATUS(st) != EXIT_STATUS_CONFIG)))
		obituary_tell(p->name, pid, how, &p->words);
	if (p->why[0] == '\0' && (!WIFEXITED(st) || WEXITSTATUS(st) != 0))
		(void)snprintf(p->why, sizeof(p->why), "the worker process ended: %s%s%.300s", how,
		    p->words.n > 0 ? "; its last words: " : "", p->words.n > 0 ? p->words.line[p->words.n - 1] : "");
	if (!p->freed)
		p->host.ended(p->host.arg, p->why);
	(void)leave(p);
}

static void
begin(struct process *p, const struct spawned *s)
{
	p->pid = s->pid;
	p->stderr_fd = s->stderr_fd;
	ev_io_init(&p->stderr_io, on_stderr, s->stderr_fd, EV_READ);
	ev_io_init(&p->readable, on_readable, s->socket, EV_READ);
	ev_io_init(&p->writable, on_writable, s->socket, EV_WRITE);
	ev_child_init(&p->exit_status, on_exit_status, s->pid, 0);
	p->stderr_io.data = p->readable.data = p->writable.data = p->exit_status.data = p;
	ev_io_start(p->host.loop, &p->stderr_io);
	ev_io_start(p->host.loop, &p->readable);
	ev_child_start(p->host.loop, &p->exit_status);
}

int
process_start(struct process **p_r, const struct process_host *host, struct err *err)
{
	struct process	*p = calloc(1, sizeof(*p));
	struct spawned	 s;

	if (p == NULL || (p->name = strdup(host->name)) == NULL) {
		free(p);
		return err_set(err, ERR_NOMEM, "starting a worker");
	}
	p->host = *host;
	p->stderr_fd = -1;
	log_make(&p->log, p->name, NULL);
	if (spawn_worker(&s, host->program, p->name, err) == -1) {
		free(p->name);
		free(p);
		return -1;
	}
	begin(p, &s);
	p->channel = channel_new(s.socket, IPC_WORKER);
	if (p->channel == NULL || handshake_send(p->channel, "eds", 0, err) == -1) {
		process_free(&p);
		return err_set(err, ERR_NOMEM, "starting a worker");
	}
	flush(p);
	*p_r = p;
	return 0;
}

static void
destroy(struct process *p)
{
	close_channel(p);
	ev_io_stop(p->host.loop, &p->stderr_io);
	ev_child_stop(p->host.loop, &p->exit_status);
	if (p->pid > 0)
		(void)kill(p->pid, SIGKILL);	/* libev reaps it */
	(void)close(p->stderr_fd);
	last_words_clear(&p->words);
	free(p->name);
	free(p);
}

void
process_free(struct process **pp)
{
	struct process	*p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	p->freed = true;
	if (p->busy == 0)
		destroy(p);
	else if (p->pid > 0)
		(void)kill(p->pid, SIGKILL);
}

pid_t
process_pid(const struct process *p)
{
	return p->pid;
}
