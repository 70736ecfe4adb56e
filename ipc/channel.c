/*
 * One end of a socket: bytes to frames and back.  Memory follows what a peer
 * has sent, not what it has announced; lengths are looked at before anything.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/codec_private.h"

#define TURN_MAX	((size_t)1 << 20)	/* bytes moved per call      */
#define READ_CHUNK	((size_t)64 << 10)	/* least room for one read   */
#define KEEP_MAX	((size_t)512 << 10)	/* buffers kept while empty  */

/* Descriptors on their way, oldest first. */
struct fds {
	struct {
		int		 fd;
		uint64_t	 at;		/* sent with the byte of that number */
	}		 v[CHANNEL_FDS];
	size_t		 n;
};

struct channel {
	int		 fd;
	enum ipc_side	 peer;
	struct buf	 in;			/* starts with a frame's length */
	struct buf	 out;
	size_t		 out_at;		/* written up to here */
	struct ipc_arena arena;
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
	bool		 hello_in;
	bool		 hello_out;
	bool		 accepts_fds;
	struct fds	 fds_in;
	struct fds	 fds_out;
	struct err	 ended;			/* set once reading has failed */
};

struct channel *
channel_new(int fd, enum ipc_side peer)
{
	struct channel	*ch = calloc(1, sizeof(*ch));

	if (ch == NULL) {
		(void)close(fd);
		return NULL;
	}
	ch->fd = fd;
	ch->peer = peer;
	return ch;
}

/* Takes the oldest out; -1: there is none. */
static int
fds_take(struct fds *f)
{
	int	 fd;

	if (f->n == 0)
		return -1;
	fd = f->v[0].fd;
	(void)memmove(f->v, f->v + 1, --f->n * sizeof(f->v[0]));
	return fd;
}

/* Takes `fd` over. */
static void
fds_add(struct fds *f, int fd, uint64_t at)
{
	if (f->n == CHANNEL_FDS) {
		(void)close(fd);
		return;
	}
	f->v[f->n].fd = fd;
	f->v[f->n++].at = at;
}

static void
fds_close(struct fds *f)
{
	int	 fd;

	while ((fd = fds_take(f)) != -1)
		(void)close(fd);
}

void
channel_free(struct channel **chp)
{
	struct channel	*ch = *chp;

	if (ch == NULL)
		return;
	(void)close(ch->fd);
	fds_close(&ch->fds_in);
	fds_close(&ch->fds_out);
	buf_free(&ch->in);
	buf_free(&ch->out);
	ipc_arena_free(&ch->arena);
	free(ch);
	*chp = NULL;
}

int
channel_fd(const struct channel *ch)
{
	return ch->fd;
}

/* A burst must not keep its memory for ever. */
static void
slim(struct buf *b)
{
	if (b->len == 0 && b->cap > KEEP_MAX)
		buf_free(b);
}

static int
handle_frame(struct channel *ch, struct slice frame, channel_fn fn, void *arg, struct err *err)
{
	struct ipc_msg	 msg;

	if (ipc_decode(&msg, frame, ch->peer, &ch->arena, err) < 0)
		return -1;
	if (ch->hello_in != (msg.type != IPC_HELLO))
		return err_set(err, ERR_INVALID, ch->hello_in ? "message HELLO: sent twice" :
		    "message %s: sent before HELLO", ipc_type_name(msg.type));
	ch->hello_in = true;
	return fn(arg, &msg, err);
}

/* Handles the whole frames in `in`; *need_r is how many bytes the one that is not whole still lacks. */
static int
handle_frames(struct channel *ch, channel_fn fn, void *arg, size_t *need_r, struct err *err)
{
	size_t	 at = 0, left, len;
	int	 rc = 0;

	*need_r = 0;
	while (rc == 0 && (left = ch->in.len - at) >= IPC_LENGTH_BYTES) {
		len = ipc_get_u32(ch->in.data + at);
		if (len == 0 || len > IPC_FRAME_MAX) {
			rc = err_set(err, ERR_INVALID, "frame: its length %zu is not in 1 to %u", len, IPC_FRAME_MAX);
		} else if (left - IPC_LENGTH_BYTES < len) {
			*need_r = len + IPC_LENGTH_BYTES - left;
			break;
		} else {
			rc = handle_frame(ch, (struct slice){ (const char *)ch->in.data + at + IPC_LENGTH_BYTES, len },
			    fn, arg, err) < 0 ? -1 : 0;
			at += IPC_LENGTH_BYTES + len;
		}
	}
	buf_consume(&ch->in, at);
	return rc;
}

/*
 * Room for the next read: a chunk, or for a long frame as much again as has
 * come of it, so that it takes few reads and a mere announcement costs nothing.
 */
static size_t
room(const struct channel *ch, size_t need)
{
	size_t	 want = need < ch->in.len ? need : ch->in.len;

	return want > READ_CHUNK ? want : READ_CHUNK;
}

/* Room for one descriptor beside the bytes, aligned as the kernel wants it. */
union control {
	struct cmsghdr	 align;
	char		 room[CMSG_SPACE(sizeof(int))];
};

static void
keep_fds(struct channel *ch, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(sizeof(fd)))
			continue;
		(void)memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		fds_add(&ch->fds_in, fd, 0);
	}
}

static ssize_t
receive_some(struct channel *ch, size_t want)
{
	union control	 control;
	struct iovec	 iov = { ch->in.data + ch->in.len, want };
	struct msghdr	 m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t		 n;

	if (ch->accepts_fds) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	do
		n = recvmsg(ch->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		keep_fds(ch, &m);
	return n;
}

/* Bytes that came; 0: none now; -1: error; *eof_r: no more will. */
static ssize_t
receive(struct channel *ch, size_t want, bool *eof_r, struct err *err)
{
	ssize_t	 n;

	if (!buf_reserve(&ch->in, want))
		return err_set(err, ERR_NOMEM, "room for %zu bytes from the %s", want, ipc_side_name(ch->peer));
	n = receive_some(ch, want);
	if (n < 0 && errno == ECONNRESET)
		n = 0;		/* it closed and left something of ours unread: an end like any other */
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0)
		return err_sys(err, "reading from the %s", ipc_side_name(ch->peer));
	*eof_r = n == 0;
	ch->in.len += (size_t)n;
	ch->bytes_in += (uint64_t)n;
	return n;
}

static int
read_turn(struct channel *ch, channel_fn fn, void *arg, struct err *err)
{
	size_t	 left = TURN_MAX, need = 0, want;
	bool	 eof = false;
	ssize_t	 n;

	while (left > 0) {
		want = room(ch, need) < left ? room(ch, need) : left;
		if ((n = receive(ch, want, &eof, err)) < 0)
			return -1;
		if (eof && ch->in.len > 0)
			return err_set(err, ERR_INVALID, "the %s closed in the middle of a frame", ipc_side_name(ch->peer));
		if (eof)
			return 1;
		if (n == 0)
			break;
		if (handle_frames(ch, fn, arg, &need, err) < 0)
			return -1;
		left -= (size_t)n;
		if ((size_t)n < want)
			break;		/* the socket is empty, or will say that it is not */
	}
	slim(&ch->in);
	return 0;
}

int
channel_read(struct channel *ch, channel_fn fn, void *arg, struct err *err)
{
	struct err	 why = { 0 };
	int		 rc;

	if (ch->ended.code != ERR_NONE)
		return err_set(err, ch->ended.code, "%s", ch->ended.text);
	rc = read_turn(ch, fn, arg, &why);
	if (rc >= 0)
		return rc;
	if (why.code == ERR_NONE)	/* `fn` ended it without a word */
		(void)err_set(&why, ERR_INVALID, "the channel to the %s was ended", ipc_side_name(ch->peer));
	ch->ended = why;
	return err_set(err, why.code, "%s", why.text);
}

/* What has gone out makes room, once it is the larger part: then no byte is moved more than once on average. */
static void
drop_written(struct channel *ch)
{
	if (ch->out_at < channel_queued(ch))
		return;
	buf_consume(&ch->out, ch->out_at);
	ch->out_at = 0;
	slim(&ch->out);
}

int
channel_send(struct channel *ch, enum ipc_type type, const union ipc_body *body, struct err *err)
{
	bool	 was_oom = ch->out.oom;

	if (ch->hello_out != (type != IPC_HELLO))
		return err_set(err, ERR_INVALID, ch->hello_out ? "message HELLO: to be sent once" :
		    "message %s: to be sent after HELLO", ipc_type_name(type));
	switch (ipc_encode_frame(&ch->out, type, body)) {
	case ERR_NONE:
		ch->hello_out = true;
		return 0;
	case ERR_TOOBIG:
		return err_set(err, ERR_TOOBIG, "message %s to the %s: longer than a frame may be", ipc_type_name(type),
		    ipc_side_name(ch->peer));
	default:
		ch->out.oom = was_oom;	/* what was queued before is whole and may go */
		return err_set(err, ERR_NOMEM, "message %s to the %s", ipc_type_name(type), ipc_side_name(ch->peer));
	}
}

int
channel_send_fd(struct channel *ch, enum ipc_type type, const union ipc_body *body, int fd, struct err *err)
{
	uint64_t	 at = ch->bytes_out + channel_queued(ch);
	int		 copy;

	if (ch->fds_out.n == CHANNEL_FDS)
		return err_set(err, ERR_TOOBIG, "message %s to the %s: %d descriptors are on their way already", ipc_type_name(type),
		    ipc_side_name(ch->peer), CHANNEL_FDS);
	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
		return err_sys(err, "a descriptor for the %s", ipc_side_name(ch->peer));
	if (channel_send(ch, type, body, err) == -1) {
		(void)close(copy);
		return -1;
	}
	fds_add(&ch->fds_out, copy, at);
	return 0;
}

void
channel_accept_fds(struct channel *ch)
{
	ch->accepts_fds = true;
}

int
channel_take_fd(struct channel *ch)
{
	return fds_take(&ch->fds_in);
}

struct buf *
channel_out(struct channel *ch)
{
	if (!ch->hello_out)
		bug("events queued to the %s before HELLO", ipc_side_name(ch->peer));
	return &ch->out;
}

size_t
channel_queued(const struct channel *ch)
{
	return ch->out.len - ch->out_at;
}

bool
channel_wants_write(const struct channel *ch)
{
	return channel_queued(ch) > 0;
}

/* The first bytes of a message, and the descriptor that goes with it. */
static ssize_t
send_with_fd(struct channel *ch, size_t n)
{
	union control	 control = { .room = "" };
	struct iovec	 iov = { ch->out.data + ch->out_at, n };
	struct msghdr	 m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr	*c = CMSG_FIRSTHDR(&m);
	ssize_t		 sent;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	(void)memcpy(CMSG_DATA(c), &ch->fds_out.v[0].fd, sizeof(int));
	if ((sent = sendmsg(ch->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
		(void)close(fds_take(&ch->fds_out));
	return sent;
}

/* Sends from the front of what is queued: up to a byte that goes with a descriptor, or with it. */
static ssize_t
send_some(struct channel *ch, size_t want)
{
	const struct fds	*f = &ch->fds_out;
	size_t			 next = f->n > 0 && f->v[0].at == ch->bytes_out;	/* this one goes now */

	if (f->n > next && f->v[next].at - ch->bytes_out < want)
		want = (size_t)(f->v[next].at - ch->bytes_out);
	return next > 0 ? send_with_fd(ch, want) : send(ch->fd, ch->out.data + ch->out_at, want, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int
channel_flush(struct channel *ch, struct err *err)
{
	size_t	 left = TURN_MAX;

	if (ch->out.oom)
		return err_set(err, ERR_NOMEM, "messages to the %s", ipc_side_name(ch->peer));
	while (left > 0 && channel_queued(ch) > 0) {
		size_t want = channel_queued(ch) < left ? channel_queued(ch) : left;
		ssize_t n = send_some(ch, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0)
			return err_sys(err, "writing to the %s", ipc_side_name(ch->peer));
		ch->out_at += (size_t)n;
		ch->bytes_out += (uint64_t)n;
		left -= (size_t)n;
	}
	drop_written(ch);
	return 0;
}

uint64_t
channel_bytes_in(const struct channel *ch)
{
	return ch->bytes_in;
}

uint64_t
channel_bytes_out(const struct channel *ch)
{
	return ch->bytes_out;
}
