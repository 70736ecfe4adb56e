/* One question to the server, and its answer. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "ipc/handshake.h"
#include "supervisor/control/control_path.h"
#include "supervisor/control/edsctl_client.h"

struct call {
	const struct edsctl_call	*what;
	struct edsctl_answer		*answer;
	bool				 answered;
};

static int
nobody(const char *data_dir, struct err *err)
{
	return err_set(err, ERR_NOTFOUND, "no eds server answers at %s/%s; is it running? Name its data directory with -d, "
	    "or look at: systemctl status eds", data_dir, CONTROL_SOCKET);
}

static int
not_allowed(const char *data_dir, struct err *err)
{
	return err_set(err, ERR_AUTH, "no permission for %s/%s: run edsctl as root, or as the user who runs eds", data_dir,
	    CONTROL_SOCKET);
}

static int
too_slow(const struct edsctl_call *what, struct err *err)
{
	return err_set(err, ERR_TEMPORARY, "the server at %s/%s is there but did not answer within %lld seconds; it may be busy "
	    "or stuck: look at its log, or wait longer with --timeout", what->data_dir, CONTROL_SOCKET,
	    (long long)(what->timeout_ms / 1000));
}

/* A connected socket or -1. */
static int
connect_to(const struct edsctl_call *what, struct err *err)
{
	const char		*data_dir = what->data_dir;
	struct timeval		 tv = { .tv_sec = what->timeout_ms / 1000, .tv_usec = what->timeout_ms % 1000 * 1000 };
	struct sockaddr_un	 sun;
	struct err		 why = { 0 };
	int			 dir_fd, fd = -1, rc = -1;

	if ((dir_fd = control_dir_open(data_dir, &why)) == -1)
		return why.code == ERR_NOTFOUND ? nobody(data_dir, err) : why.code == ERR_AUTH ? not_allowed(data_dir, err) :
		    err_set(err, why.code, "%s", why.text);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1) {
		err_sys(err, "socket");
		goto out;
	}
	/* a server that hangs does not accept, and connect() would wait for it */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	control_address(dir_fd, &sun);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
			nobody(data_dir, err);
		else if (errno == EACCES || errno == EPERM)
			not_allowed(data_dir, err);
		else if (errno == EAGAIN || errno == EINTR)
			too_slow(what, err);
		else
			err_sys(err, "cannot connect to %s/%s", data_dir, CONTROL_SOCKET);
		goto out;
	}
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
		err_sys(err, "fcntl");
		goto out;
	}
	rc = fd;
	fd = -1;
out:
	if (fd != -1)
		(void)close(fd);
	(void)close(dir_fd);
	return rc;
}

static int
send_command(struct channel *ch, const struct edsctl_call *what, struct err *err)
{
	union ipc_body	 body = { 0 };
	struct slice	*args;
	int		 rc;

	if (handshake_send(ch, "edsctl", 0, err) != 0)
		return -1;
	if ((args = calloc(what->n_args + 1, sizeof(*args))) == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < what->n_args; i++)
		args[i] = slice_of(what->args[i]);
	body.command.verb = slice_of(what->verb);
	body.command.args = (struct ipc_strs){ args, what->n_args };
	rc = channel_send(ch, IPC_COMMAND, &body, err);
	free(args);
	return rc;
}

static int
on_message(void *arg, const struct ipc_msg *msg, struct err *err)
{
	struct call	*call = arg;
	uint64_t	 version;

	switch (msg->type) {
	case IPC_HELLO:
		return handshake_check(&msg->body.hello, "edsctl", &version, err);
	case IPC_GOODBYE:
		return err_set(err, ERR_CONFLICT, "the server refuses: " SLICE_FMT, SLICE_ARG(msg->body.goodbye.reason));
	case IPC_REPLY:
		if (call->answered)
			return err_set(err, ERR_INVALID, "the server answered twice");
		call->answered = true;
		call->answer->status = msg->body.reply.status > 255 ? 255 : (unsigned)msg->body.reply.status;
		buf_adds_slice(&call->answer->json, msg->body.reply.json);
		return call->answer->json.oom ? err_set(err, ERR_NOMEM, "no memory for the answer") : 0;
	default:
		return err_set(err, ERR_INVALID, "the server sent %s, which is no answer", ipc_type_name(msg->type));
	}
}

/* Until the socket is of use; -1 when the time is over or a signal came. */
static int
wait_for(struct channel *ch, const struct edsctl_call *what, mono_t end, struct err *err)
{
	struct pollfd	 pfd = { .fd = channel_fd(ch), .events = POLLIN };
	int64_t		 left = end - mono_now();
	struct timespec	 ts = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
	int		 n;

	if (channel_wants_write(ch))
		pfd.events |= POLLOUT;
	n = left <= 0 ? 0 : ppoll(&pfd, 1, &ts, what->waiting_mask);
	if (n == 0)
		return too_slow(what, err);
	if (n == -1)
		return errno == EINTR ? err_set(err, ERR_TEMPORARY, "interrupted") : err_sys(err, "waiting for the server");
	return 0;
}

/* Asks and reads on until the answer is whole. */
static int
converse(struct channel *ch, struct call *call, mono_t end, struct err *err)
{
	bool	 deaf = false;		/* it takes nothing any more, but its last word may be on the way */
	int	 rc;

	while (!call->answered) {
		if (!deaf && channel_flush(ch, NULL) != 0)
			deaf = true;
		if (!deaf && wait_for(ch, call->what, end, err) != 0)
			return -1;
		if ((rc = channel_read(ch, on_message, call, err)) == -1)
			return -1;
		if (!call->answered && (rc == 1 || deaf))
			return err_set(err, ERR_NOTFOUND, "the server at %s/%s ended before it answered", call->what->data_dir,
			    CONTROL_SOCKET);
	}
	return 0;
}

int
edsctl_call(const struct edsctl_call *what, struct edsctl_answer *answer, struct err *err)
{
	struct call	 call = { .what = what, .answer = answer };
	struct channel	*ch;
	mono_t		 end = mono_now() + what->timeout_ms;
	int		 fd, rc = -1;

	*answer = (struct edsctl_answer){ 0 };
	if ((fd = connect_to(what, err)) == -1)
		return -1;
	if ((ch = channel_new(fd, IPC_SUPERVISOR)) == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (send_command(ch, what, err) == 0 && converse(ch, &call, end, err) == 0)
		rc = 0;
	channel_free(&ch);
	if (rc != 0)
		buf_free(&answer->json);
	return rc;
}
