/*
 * Health, metrics and status over HTTP.  libmicrohttpd does the protocol; its epoll descriptor is one more
 * descriptor for the supervisor's loop, so that answers are made on the loop's thread and nothing needs a lock.
 */

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

#include "ipc/base/json_out.h"
#include "supervisor/metrics/metrics_http.h"

#define MAX_CONNECTIONS	64u
#define IDLE_S		15u
#define LATEST_LOOK_S	60.0	/* when libmicrohttpd names no time itself */

struct metrics_http {
	struct ev_loop			*loop;
	struct MHD_Daemon		*daemon;
	struct metrics_http_source	 source;
	uint16_t			 port;
	ev_io				 io;
	ev_timer			 timer;
};

struct answer {
	unsigned	 status;
	const char	*type;
	struct buf	 body;
};

#define TEXT	"text/plain; charset=utf-8"
#define JSON	"application/json"

static void
answer_metrics(struct metrics_http *h, struct answer *a)
{
	if (h->source.refresh != NULL)
		h->source.refresh(h->source.arg);
	metrics_read_process(h->source.metrics);
	metrics_render(h->source.metrics, &a->body);
	a->type = "text/plain; version=0.0.4; charset=utf-8";
}

static void
answer_status(struct metrics_http *h, struct answer *a)
{
	h->source.status(h->source.arg, &a->body);
	buf_addc(&a->body, '\n');
	a->type = JSON;
}

static void
answer_ready(struct metrics_http *h, struct answer *a)
{
	struct buf	 reason = { 0 };

	a->type = JSON;
	if (h->source.stopping(h->source.arg)) {
		buf_adds(&reason, "the server is shutting down");
	} else if (h->source.ready(h->source.arg, &reason)) {
		buf_adds(&a->body, "{\"ready\":true}\n");
		buf_free(&reason);
		return;
	}
	a->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	buf_adds(&a->body, "{\"ready\":false,\"reason\":");
	json_out_str(&a->body, buf_slice(&reason));
	buf_adds(&a->body, "}\n");
	a->body.oom = a->body.oom || reason.oom;
	buf_free(&reason);
}

static void
answer_control(struct metrics_http *h, struct answer *a)
{
	(void)h;
	a->status = MHD_HTTP_FORBIDDEN;
	buf_adds(&a->body, "The server is not controlled over HTTP, because anybody on this machine could do it.\n"
	    "Use edsctl instead: edsctl pause, edsctl resume, edsctl restart; see edsctl(8).\n");
}

static void
answer_alive(struct metrics_http *h, struct answer *a)
{
	if (h->source.stopping(h->source.arg))
		a->status = MHD_HTTP_SERVICE_UNAVAILABLE;
}

static const struct {
	const char	*path;
	bool		 below;		/* everything that starts like this */
	void		(*answer)(struct metrics_http *, struct answer *);
} routes[] = {
	{ "/metrics",	false,	answer_metrics },
	{ "/status",	false,	answer_status },
	{ "/ready",	false,	answer_ready },
	{ "/control/",	true,	answer_control },
	{ "/",		true,	answer_alive },
	{ "",		true,	answer_alive },
};

static void
make_answer(struct metrics_http *h, const char *path, struct answer *a)
{
	size_t	 i = 0;

	*a = (struct answer){ .status = MHD_HTTP_OK, .type = TEXT };
	while (routes[i].below ? strncmp(path, routes[i].path, strlen(routes[i].path)) != 0 : strcmp(path, routes[i].path) != 0)
		i++;
	routes[i].answer(h, a);
	if (a->body.oom) {
		buf_free(&a->body);
		*a = (struct answer){ .status = MHD_HTTP_INTERNAL_SERVER_ERROR, .type = TEXT };
	}
}

static enum MHD_Result
send_answer(struct MHD_Connection *conn, struct answer *a)
{
	struct MHD_Response	*resp;
	enum MHD_Result		 rc = MHD_NO;

	resp = MHD_create_response_from_buffer(a->body.len, a->body.data, MHD_RESPMEM_MUST_COPY);
	if (resp != NULL) {
		if (a->body.len == 0 || MHD_add_response_header(resp, MHD_HTTP_HEADER_CONTENT_TYPE, a->type) == MHD_YES)
			rc = MHD_queue_response(conn, a->status, resp);
		MHD_destroy_response(resp);
	}
	buf_free(&a->body);
	return rc;
}

/* Called once when the headers are in, then per piece of a request body, then with none left. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *conn, const char *path, const char *method, const char *version,
    const char *upload, size_t *upload_n, void **seen)
{
	static char	 once;
	struct answer	 a;

	(void)method;
	(void)version;
	(void)upload;
	if (*seen == NULL) {
		*seen = &once;
		return MHD_YES;
	}
	if (*upload_n != 0) {
		*upload_n = 0;		/* nobody wants it */
		return MHD_YES;
	}
	make_answer(arg, path, &a);
	return send_answer(conn, &a);
}

static void
run(struct metrics_http *h)
{
	MHD_UNSIGNED_LONG_LONG	 ms;

	(void)MHD_run(h->daemon);
	h->timer.repeat = MHD_get_timeout(h->daemon, &ms) == MHD_YES ? (double)ms / 1000 + 0.001 : LATEST_LOOK_S;
	ev_timer_again(h->loop, &h->timer);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	run(w->data);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	run(w->data);
}

static int
bind_failed(const char *address, uint16_t port, struct err *err)
{
	struct buf	 who = { 0 };
	int		 cause = errno;

	if (cause == EADDRINUSE) {
		port_holder(&who, port);
		err_set(err, ERR_CONFLICT, "HTTP endpoints: %s port %u is in use%s%s; stop that program or choose another port "
		    "with --port (0 turns the endpoints off)", address, port, who.len == 0 ? "" : " by ", buf_cstr(&who));
		buf_free(&who);
		return -1;
	}
	if (cause == EADDRNOTAVAIL)
		return err_set(err, ERR_CONFIG, "HTTP endpoints: this machine has no address %s; correct the listen address in "
		    "eds.conf", address);
	if (cause == EACCES)
		return err_set(err, ERR_CONFIG, "HTTP endpoints: not allowed to listen on port %u; choose one above 1023 with "
		    "--port", port);
	return err_set(err, ERR_IO, "HTTP endpoints: cannot listen on %s port %u: %s", address, port, strerror(cause));
}

/* A listening socket, or -1. */
static int
listen_on(const char *address, uint16_t port, uint16_t *port_r, struct err *err)
{
	struct addrinfo		 hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
				    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	struct addrinfo		*ai = NULL;
	struct sockaddr_storage	 ss;
	socklen_t		 ss_n = sizeof(ss);
	char			 service[8];
	int			 fd = -1, one = 1, rc = -1;

	(void)snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(address, service, &hints, &ai) != 0) {
		err_set(err, ERR_CONFIG, "HTTP endpoints: \"%s\" is no IP address; correct the listen address in eds.conf", address);
		goto out;
	}
	if ((fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) == -1) {
		err_sys(err, "HTTP endpoints: socket");
		goto out;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
		bind_failed(address, port, err);
		goto out;
	}
	if (getsockname(fd, (struct sockaddr *)&ss, &ss_n) != 0) {
		err_sys(err, "HTTP endpoints: getsockname");
		goto out;
	}
	*port_r = ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port : ((struct sockaddr_in *)&ss)->sin_port);
	rc = fd;
	fd = -1;
out:
	if (fd != -1)
		(void)close(fd);
	if (ai != NULL)
		freeaddrinfo(ai);
	return rc;
}

int
metrics_http_new(struct metrics_http **h_r, struct ev_loop *loop, const char *address, uint16_t port,
    const struct metrics_http_source *source, struct err *err)
{
	struct metrics_http		*h;
	const union MHD_DaemonInfo	*info;
	int				 fd = -1, rc = -1;

	if ((h = calloc(1, sizeof(*h))) == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the HTTP endpoints");
		goto out;
	}
	h->loop = loop;
	h->source = *source;
	if ((fd = listen_on(address, port, &h->port, err)) == -1)
		goto out;
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_END);
	if (h->daemon == NULL || (info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)) == NULL) {
		err_set(err, ERR_IO, "HTTP endpoints: the HTTP library does not start; see the file descriptor limit");
		goto out;
	}
	fd = -1;			/* the daemon closes it */
	ev_io_init(&h->io, on_readable, info->epoll_fd, EV_READ);
	ev_timer_init(&h->timer, on_timer, 0, LATEST_LOOK_S);
	h->io.data = h->timer.data = h;
	ev_io_start(loop, &h->io);
	*h_r = h;
	h = NULL;
	rc = 0;
out:
	metrics_http_free(&h);
	if (fd != -1)
		(void)close(fd);
	return rc;
}

void
metrics_http_free(struct metrics_http **hp)
{
	struct metrics_http	*h = *hp;

	if (h == NULL)
		return;
	ev_io_stop(h->loop, &h->io);
	ev_timer_stop(h->loop, &h->timer);
	if (h->daemon != NULL)
		MHD_stop_daemon(h->daemon);
	free(h);
	*hp = NULL;
}

uint16_t
metrics_http_port(const struct metrics_http *h)
{
	return h->port;
}
