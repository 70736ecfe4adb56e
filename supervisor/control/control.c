/*
 * The control socket.  Whoever misbehaves here (malformed frames, silence, an answer not fetched) loses
 * the own connection and nothing else; a request outlives its client, so that the owner may answer late.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/base/json_out.h"
#include "ipc/base/log.h"
#include "ipc/handshake.h"
#include "supervisor/control/control.h"
#include "supervisor/control/control_path.h"

#define ACCEPT_PAUSE_S	1.0	/* when descriptors or memory are short */

struct client {
	struct control		*control;
	struct channel		*channel;
	struct control_request	*request;	/* not answered yet */
	bool			 broken;	/* to be ended by the next event */
	ev_io			 readable;
	ev_io			 writable;
	ev_timer		 deadline;
	struct client		*next;
};

struct control {
	struct ev_loop	*loop;
	int		 dir_fd;
	int		 fd;
	bool		 bound;
	control_fn	 fn;
	void		*arg;
	double		 deadline_s;
	struct client	*clients;
	size_t		 n_clients;
	struct log	 log;
	ev_io		 accepting;
	ev_timer	 accept_again;
};

struct control_request {
	struct client	*client;	/* NULL: gone */
	void		(*on_error)(void *arg, const char *error);	/* NULL: nobody listens */
	void		*arg;
};

/* Writes what the socket takes at once, to a peer that will be let go; what it does not take is lost. */
static void
flush_for_good(const struct control *ctl, struct channel *ch)
{
	struct err	 err = { 0 };

	if (channel_flush(ch, &err) != 0)
		log_debug(&ctl->log, "a client went without waiting for our last word: %s", err.text);
}

static void
say_goodbye(const struct control *ctl, struct channel *ch, const char *reason)
{
	union ipc_body	 body = { 0 };

	body.goodbye.reason = slice_of(reason);
	if (channel_send(ch, IPC_GOODBYE, &body, NULL) == 0)
		flush_for_good(ctl, ch);
}

static void
client_end(struct client *c)
{
	struct control	*ctl = c->control;
	struct client	**at = &ctl->clients;

	if (c->request != NULL)
		c->request->client = NULL;
	ev_io_stop(ctl->loop, &c->readable);
	ev_io_stop(ctl->loop, &c->writable);
	ev_timer_stop(ctl->loop, &c->deadline);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	ctl->n_clients--;
	channel_free(&c->channel);
	free(c);
}

/* Waits for what the client has to do next; while the owner thinks about a request there is no hurry. */
static void
client_wait(struct client *c)
{
	struct ev_loop	*loop = c->control->loop;

	if (channel_wants_write(c->channel) || c->broken)
		ev_io_start(loop, &c->writable);
	else
		ev_io_stop(loop, &c->writable);
	if (c->request != NULL && !channel_wants_write(c->channel))
		ev_timer_stop(loop, &c->deadline);
	else if (!ev_is_active(&c->deadline))
		ev_timer_again(loop, &c->deadline);
}

void
control_reply(struct control_request *req, unsigned status, const char *json)
{
	struct client	*c = req->client;
	union ipc_body	 body = { 0 };
	struct err	 err = { 0 };

	free(req->arg);
	free(req);
	if (c == NULL)
		return;
	c->request = NULL;
	body.reply.status = status;
	body.reply.json = slice_of(json);
	if (channel_send(c->channel, IPC_REPLY, &body, &err) != 0) {
		log_warn(&c->control->log, "an answer to edsctl is lost: %s", err.text);
		c->broken = true;
	}
	ev_timer_again(c->control->loop, &c->deadline);
	client_wait(c);
}

int64_t
control_request_uid(const struct control_request *req)
{
	struct ucred	 peer;
	socklen_t	 size = sizeof(peer);

	if (req->client == NULL || getsockopt(channel_fd(req->client->channel), SOL_SOCKET, SO_PEERCRED, &peer, &size) == -1)
		return -1;
	return (int64_t)peer.uid;
}

void
control_request_on_error(struct control_request *req, void (*fn)(void *arg, const char *error), void *arg)
{
	req->on_error = fn;
	req->arg = arg;
}

static void	reply_text(struct control_request *, unsigned status, const char *key, const char *fmt, va_list) PRINTF_LIKE(4, 0);

static void
reply_text(struct control_request *req, unsigned status, const char *key, const char *fmt, va_list ap)
{
	struct buf	 json = { 0 };
	char		 text[2000];

	(void)vsnprintf(text, sizeof(text), fmt, ap);
	if (status != CONTROL_OK && req->on_error != NULL)
		req->on_error(req->arg, text);
	buf_printf(&json, "{\"version\":1,\"ok\":%s,\"%s\":", status == CONTROL_OK ? "true" : "false", key);
	json_out_str(&json, slice_of(text));
	buf_addc(&json, '}');
	control_reply(req, status, json.oom ? "{\"version\":1,\"ok\":false,\"error\":\"out of memory\"}" : buf_cstr(&json));
	buf_free(&json);
}

void
control_reply_message(struct control_request *req, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	reply_text(req, CONTROL_OK, "message", fmt, ap);
	va_end(ap);
}

void
control_reply_error(struct control_request *req, enum control_status status, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	reply_text(req, status, "error", fmt, ap);
	va_end(ap);
}

static int
on_hello(struct client *c, const union ipc_body *body, struct err *err)
{
	uint64_t	 version;

	(void)c;
	return handshake_check(&body->hello, "eds", &version, err);
}

static int
on_command(struct client *c, const union ipc_body *body, struct err *err)
{
	const struct control_command	*cmd = control_command_find(body->command.verb);
	struct err			 usage = { 0 };

	if (c->request != NULL)
		return err_set(err, ERR_INVALID, "a second command before the first was answered");
	if ((c->request = calloc(1, sizeof(*c->request))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a command");
	c->request->client = c;
	ev_timer_again(c->control->loop, &c->deadline);
	if (cmd == NULL || cmd->where != CONTROL_SERVER)
		control_reply_error(c->request, CONTROL_USAGE, "this server (eds %s) knows no command \"" SLICE_FMT
		    "\"; see edsctl help", EDS_VERSION, SLICE_ARG(body->command.verb));
	else if (control_command_check(cmd, &body->command.args, &usage) != 0)
		control_reply_error(c->request, CONTROL_USAGE, "%s", usage.text);
	else
		c->control->fn(c->control->arg, c->request, cmd->verb, &body->command.args);
	return 0;
}

/* The decoder lets through only what edsctl may send. */
static int
on_message(void *arg, const struct ipc_msg *msg, struct err *err)
{
	switch (msg->type) {
	case IPC_HELLO:
		return on_hello(arg, &msg->body, err);
	case IPC_COMMAND:
		return on_command(arg, &msg->body, err);
	default:
		return 0;		/* GOODBYE: the close will follow */
	}
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct client	*c = w->data;
	struct err	 err = { 0 };
	int		 rc = channel_read(c->channel, on_message, c, &err);

	(void)loop;
	(void)events;
	if (rc == 0) {
		client_wait(c);
		return;
	}
	if (rc == -1) {
		log_debug(&c->control->log, "a client is let go: %s", err.text);
		say_goodbye(c->control, c->channel, err.text);
	} else if (channel_wants_write(c->channel)) {
		flush_for_good(c->control, c->channel);		/* it may still listen */
	}
	client_end(c);
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int events)
{
	struct client	*c = w->data;
	struct err	 err = { 0 };

	(void)loop;
	(void)events;
	if (c->broken || channel_flush(c->channel, &err) != 0) {
		client_end(c);
		return;
	}
	client_wait(c);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int events)
{
	struct client	*c = w->data;

	(void)loop;
	(void)events;
	log_debug(&c->control->log, "a client is let go: it neither asked nor took its answer in time");
	say_goodbye(c->control, c->channel, "no command came in time");
	client_end(c);
}

/* Takes over the connection; without memory it is closed. */
static void
client_new(struct control *ctl, struct channel *ch)
{
	struct client	*c = calloc(1, sizeof(*c));

	if (c == NULL) {
		channel_free(&ch);
		return;
	}
	c->control = ctl;
	c->channel = ch;
	ev_io_init(&c->readable, on_readable, channel_fd(ch), EV_READ);
	ev_io_init(&c->writable, on_writable, channel_fd(ch), EV_WRITE);
	ev_timer_init(&c->deadline, on_deadline, 0, ctl->deadline_s);
	c->readable.data = c->writable.data = c->deadline.data = c;
	c->next = ctl->clients;
	ctl->clients = c;
	ctl->n_clients++;
	ev_io_start(ctl->loop, &c->readable);
	client_wait(c);
}

/* NULL when the peer may talk to us, else why not. */
static const char *
refusal(const struct control *ctl, int fd, char *text, size_t size)
{
	struct ucred	 peer;
	socklen_t	 n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		return "the server cannot see who you are";
	if (peer.uid != geteuid() && peer.uid != 0) {
		(void)snprintf(text, size, "user %lu may not control this server: be root or user %lu",
		    (unsigned long)peer.uid, (unsigned long)geteuid());
		return text;
	}
	if (ctl->n_clients >= CONTROL_CLIENTS_MAX) {
		(void)snprintf(text, size, "%u clients are connected already; end some edsctl and try again", CONTROL_CLIENTS_MAX);
		return text;
	}
	return NULL;
}

static void
take_connection(struct control *ctl, int fd)
{
	struct channel	*ch = channel_new(fd, IPC_CONTROL);
	const char	*why;
	char		 text[120];

	if (ch == NULL)
		return;
	if (handshake_send(ch, "eds", 0, NULL) != 0) {
		channel_free(&ch);
	} else if ((why = refusal(ctl, fd, text, sizeof(text))) != NULL) {
		log_warn(&ctl->log, "a client is refused: %s", why);
		say_goodbye(ctl, ch, why);
		channel_free(&ch);
	} else {
		client_new(ctl, ch);
	}
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int events)
{
	struct control	*ctl = w->data;
	int		 fd = accept4(ctl->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd != -1) {
		take_connection(ctl, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* the connection stays in the queue and would wake us at once */
		log_warn(&ctl->log, "edsctl cannot be let in now: %s", strerror(errno));
		ev_io_stop(loop, &ctl->accepting);
		ev_timer_again(loop, &ctl->accept_again);
	}
}

static void
on_accept_again(struct ev_loop *loop, ev_timer *w, int events)
{
	struct control	*ctl = w->data;

	(void)events;
	ev_timer_stop(loop, w);
	ev_io_start(loop, &ctl->accepting);
}

static int
remove_leftover(const struct control *ctl, const char *data_dir, struct err *err)
{
	struct stat	 st;

	if (fstatat(ctl->dir_fd, CONTROL_SOCKET, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : err_sys(err, "%s/%s", data_dir, CONTROL_SOCKET);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFLICT, "%s/%s is in the way and is no socket; move it elsewhere", data_dir, CONTROL_SOCKET);
	if (unlinkat(ctl->dir_fd, CONTROL_SOCKET, 0) != 0)
		return err_sys(err, "cannot remove the old %s/%s", data_dir, CONTROL_SOCKET);
	return 0;
}

static int
start_listening(struct control *ctl, const char *data_dir, struct err *err)
{
	struct sockaddr_un	 sun;

	if (remove_leftover(ctl, data_dir, err) != 0)
		return -1;
	if ((ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1)
		return err_sys(err, "socket for %s/%s", data_dir, CONTROL_SOCKET);
	control_address(ctl->dir_fd, &sun);
	if (bind(ctl->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
		return err_sys(err, "cannot create %s/%s", data_dir, CONTROL_SOCKET);
	ctl->bound = true;
	/* nobody can connect before listen(), so the mode is right from the start */
	if (fchmodat(ctl->dir_fd, CONTROL_SOCKET, 0600, 0) != 0)
		return err_sys(err, "cannot protect %s/%s", data_dir, CONTROL_SOCKET);
	if (listen(ctl->fd, (int)CONTROL_CLIENTS_MAX) != 0)
		return err_sys(err, "cannot listen on %s/%s", data_dir, CONTROL_SOCKET);
	return 0;
}

int
control_new(struct control **ctl_r, struct ev_loop *loop, const char *data_dir, control_fn fn, void *arg, struct err *err)
{
	struct control	*ctl;
	int		 rc = -1;

	if ((ctl = calloc(1, sizeof(*ctl))) == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the control socket");
		goto out;
	}
	ctl->loop = loop;
	ctl->fd = -1;
	ctl->fn = fn;
	ctl->arg = arg;
	log_make(&ctl->log, "server", "control", NULL);
	control_set_deadline(ctl, CONTROL_DEADLINE_MS);
	if ((ctl->dir_fd = control_dir_open(data_dir, err)) == -1 || start_listening(ctl, data_dir, err) != 0)
		goto out;
	ev_io_init(&ctl->accepting, on_accept, ctl->fd, EV_READ);
	ev_timer_init(&ctl->accept_again, on_accept_again, 0, ACCEPT_PAUSE_S);
	ctl->accepting.data = ctl->accept_again.data = ctl;
	ev_io_start(loop, &ctl->accepting);
	*ctl_r = ctl;
	ctl = NULL;
	rc = 0;
out:
	control_free(&ctl);
	return rc;
}

void
control_free(struct control **ctlp)
{
	struct control	*ctl = *ctlp;

	if (ctl == NULL)
		return;
	while (ctl->clients != NULL) {
		flush_for_good(ctl, ctl->clients->channel);	/* an answer given just now */
		client_end(ctl->clients);
	}
	ev_io_stop(ctl->loop, &ctl->accepting);
	ev_timer_stop(ctl->loop, &ctl->accept_again);
	if (ctl->bound)
		(void)unlinkat(ctl->dir_fd, CONTROL_SOCKET, 0);
	if (ctl->fd != -1)
		(void)close(ctl->fd);
	if (ctl->dir_fd != -1)
		(void)close(ctl->dir_fd);
	free(ctl);
	*ctlp = NULL;
}

void
control_set_deadline(struct control *ctl, int64_t ms)
{
	ctl->deadline_s = (double)ms / 1000;
}

size_t
control_clients(const struct control *ctl)
{
	return ctl->n_clients;
}
