/*
 * A server for the benchmark of S3: takes every object, forgets it, and answers after a while.
 *
 *	s3_server PORT DELAY_MS
 *
 * One thread and epoll; HTTP/1.1 with Content-Length, as S3 has it.  GET /stats gives "<objects>
 * <p50> <p99>": how many objects were stored, and the microseconds from the last byte of a
 * request for one to its answer, of the latest ones.  Every other GET is answered at once, with an empty list.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/pull.h"

#define FDS	4096
#define ROOM	((size_t)1 << 20)	/* of one request, which is more than any event is long */
#define LATEST	4096u

struct conn {
	char	*data;
	size_t	 n, cap;
	int64_t	 came_us;	/* the request that is being answered */
	bool	 waiting;
};

/* All wait equally long, so who came first is due first. */
struct due {
	int	 fd;
	int64_t	 at_us;
};

static struct conn	 conns[FDS];
static struct due	 dues[FDS];
static size_t		 first_due, n_dues;
static uint32_t		 took_us[LATEST];
static uint64_t		 stored;
static int		 epfd;
static int64_t		 delay_us;

static int64_t
now_us(void)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
drop(int fd)
{
	conns[fd].n = 0;
	conns[fd].waiting = false;
	(void)close(fd);
}

static void
say(int fd, const char *type, const char *body)
{
	char	 text[600];
	int	 n = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nContent-Type: %s\r\n\r\n%s", strlen(body), type,
	    body);

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		drop(fd);
}

static int
compare(const void *a, const void *b)
{
	const uint32_t	*x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void
say_stats(int fd)
{
	static uint32_t	 sorted[LATEST];
	size_t		 n = stored < LATEST ? stored : LATEST;
	char		 text[100];

	(void)memcpy(sorted, took_us, sizeof(sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	(void)snprintf(text, sizeof(text), "%llu %u %u", (unsigned long long)stored, n == 0 ? 0 : sorted[n / 2],
	    n == 0 ? 0 : sorted[n - 1 - n / 100]);
	say(fd, "text/plain", text);
}

static void
answer_object(int fd)
{
	conns[fd].waiting = false;
	took_us[stored++ % LATEST] = (uint32_t)(now_us() - conns[fd].came_us);
	say(fd, "application/xml", "");
}

static void
put_off(int fd)
{
	conns[fd].came_us = now_us();
	if (delay_us == 0) {
		answer_object(fd);
		return;
	}
	conns[fd].waiting = true;
	dues[(first_due + n_dues++) % FDS] = (struct due){ fd, conns[fd].came_us + delay_us };
}

/* Length of the request at the front, head and body; 0 when it has not come whole. */
static size_t
whole_request(struct conn *c)
{
	const char	*end, *p;
	size_t		 body = 0;

	c->data[c->n] = '\0';
	if ((end = strstr(c->data, "\r\n\r\n")) == NULL)
		return 0;
	for (p = strstr(c->data, "\r\n"); p < end; p = strstr(p + 2, "\r\n"))
		if (strncasecmp(p + 2, "content-length:", 15) == 0)
			body = strtoul(p + 17, NULL, 10);
	body += (size_t)(end + 4 - c->data);
	return body <= c->n ? body : 0;
}

static void
take(int fd)
{
	struct conn	*c = &conns[fd];
	size_t		 n;
	char		 kind;

	if (c->n == 0 || (n = whole_request(c)) == 0)
		return;
	kind = strncmp(c->data, "GET /stats ", 11) == 0 ? 's' : c->data[0];
	(void)memmove(c->data, c->data + n, c->n - n);
	c->n -= n;
	if (kind == 's')
		say_stats(fd);
	else if (kind == 'P')
		put_off(fd);
	else
		say(fd, "application/xml", "<ListBucketResult></ListBucketResult>");
}

static void
read_from(int fd)
{
	struct conn	*c = &conns[fd];
	ssize_t		 got;

	if (c->cap - c->n < 16384) {
		c->cap = c->cap == 0 ? 32768 : c->cap * 2;
		if (c->cap > ROOM || (c->data = realloc(c->data, c->cap + 1)) == NULL)
			die("reading", "a request is too long, or memory is short");
	}
	got = recv(fd, c->data + c->n, c->cap - c->n, MSG_DONTWAIT);
	if (got == 0 || (got == -1 && errno != EAGAIN)) {
		drop(fd);
		return;
	}
	if (got > 0)
		c->n += (size_t)got;
	if (!c->waiting)
		take(fd);
}

/* Milliseconds until the next answer is due; -1: none is. */
static int
answer_due(void)
{
	while (n_dues > 0) {
		struct due	 d = dues[first_due];
		int64_t		 left = d.at_us - now_us();

		if (left > 0)
			return (int)((left + 999) / 1000);
		first_due = (first_due + 1) % FDS;
		n_dues--;
		if (conns[d.fd].waiting)
			answer_object(d.fd);
	}
	return -1;
}

static void
watch(int fd)
{
	struct epoll_event	 ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
		die("waiting", strerror(errno));
}

static int
listen_on(const char *port)
{
	struct sockaddr_in	 at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int			 fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd == -1 || bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 || listen(fd, 1024) == -1)
		die("listening", strerror(errno));
	return fd;
}

static void
take_connection(int listener)
{
	int	 fd = accept(listener, NULL, NULL), one = 1;

	if (fd == -1)
		return;
	if (fd >= FDS)
		die("accepting", "too many connections");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(fd);
}

int
main(int argc, char **argv)
{
	struct epoll_event	 ev[64];
	int			 listener, n;

	if (argc != 3)
		die("usage", "s3_server PORT DELAY_MS");
	delay_us = atoll(argv[2]) * 1000;
	epfd = epoll_create1(0);
	watch(listener = listen_on(argv[1]));
	for (;;) {
		n = epoll_wait(epfd, ev, 64, answer_due());
		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd == listener)
				take_connection(listener);
			else
				read_from(ev[i].data.fd);
		}
	}
}
