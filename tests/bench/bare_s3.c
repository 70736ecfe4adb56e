/*
 * The ceiling of the S3 driver: pulls, and puts each payload as it came as an object of the
 * same name, over libcurl's multi interface, with as many requests under way as the driver may have,
 * acknowledging each message with its object's answer.
 *
 * It does not parse, and it does not sign: a service would refuse what it sends.
 *
 *	bare_s3 URL CREDS CONSUMER COUNT HTTP-URL
 */

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "tests/bench/file_name.h"
#include "tests/bench/pull.h"

#define UNDER_WAY	256u
#define LOT		512u

struct put {
	CURL	*easy;
	natsMsg	*msg;
	char	 url[600];
};

struct loop {
	CURLM			*multi;
	int			 epoll;
	int64_t			 due_ms;	/* -1: libcurl wants no timer */
	struct put		 puts[UNDER_WAY];
	struct put		*idle[UNDER_WAY];
	size_t			 n_idle;
	struct curl_slist	*headers;
	const char		*base;
	struct puller		*puller;
};

static int64_t
now_ms(void)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct loop		*l = arg;
	struct epoll_event	 ev = { .events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u),
		.data.fd = fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL), 0;
	if (known == NULL)
		(void)curl_multi_assign(l->multi, fd, l);
	if (epoll_ctl(l->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) == -1)
		die("waiting", strerror(errno));
	return 0;
}

static int
want_timer(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	((struct loop *)arg)->due_ms = ms < 0 ? -1 : now_ms() + ms;
	return 0;
}

static size_t
swallow(char *p, size_t size, size_t n, void *arg)
{
	(void)p;
	(void)arg;
	return size * n;
}

static void
prepare(struct loop *l, struct put *p)
{
	if ((p->easy = curl_easy_init()) == NULL)
		die("starting", "memory is short");
	(void)curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
	(void)curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, swallow);
	(void)curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, l->headers);
	(void)curl_easy_setopt(p->easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(p->easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(p->easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(p->easy, CURLOPT_CUSTOMREQUEST, "PUT");
	l->idle[l->n_idle++] = p;
}

static void
begin(struct loop *l, natsMsg *msg)
{
	struct put	*p = l->idle[--l->n_idle];
	char		 name[300];
	size_t		 n;
	const char	*table = table_name(msg, &n);

	file_name(name, sizeof(name), msg);
	(void)snprintf(p->url, sizeof(p->url), "%s/%.*s/%s", l->base, (int)n, table, name);
	p->msg = msg;
	(void)curl_easy_setopt(p->easy, CURLOPT_URL, p->url);
	(void)curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, natsMsg_GetData(msg));
	(void)curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE, (long)natsMsg_GetDataLength(msg));
	(void)curl_multi_add_handle(l->multi, p->easy);
}

static void
take_answers(struct loop *l)
{
	CURLMsg	*done;
	int	 left;

	while ((done = curl_multi_info_read(l->multi, &left)) != NULL) {
		struct put	*p;
		long		 status = 0;

		(void)curl_easy_getinfo(done->easy_handle, CURLINFO_PRIVATE, (char **)&p);
		(void)curl_easy_getinfo(done->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		if (done->data.result != CURLE_OK || status != 200)
			die("putting", curl_easy_strerror(done->data.result));
		(void)curl_multi_remove_handle(l->multi, p->easy);
		pull_ack(l->puller, p->msg);
		natsMsg_Destroy(p->msg);
		l->idle[l->n_idle++] = p;
	}
}

static void
turn(struct loop *l)
{
	struct epoll_event	 ev[64];
	int64_t			 wait = l->due_ms < 0 ? 1000 : l->due_ms - now_ms();
	int			 running, n = epoll_wait(l->epoll, ev, 64, (int)(wait < 0 ? 0 : wait));

	for (int i = 0; i < n; i++)
		(void)curl_multi_socket_action(l->multi, ev[i].data.fd, (ev[i].events & ~(unsigned)EPOLLOUT ? CURL_CSELECT_IN : 0) |
		    (ev[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0), &running);
	if (l->due_ms >= 0 && now_ms() >= l->due_ms) {
		l->due_ms = -1;
		(void)curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	take_answers(l);
}

int
main(int argc, char **argv)
{
	static struct loop	 l;
	struct queue		*q;
	natsMsg			*v[LOT];
	size_t			 n;

	if (argc != 6)
		die("usage", "bare_s3 URL CREDS CONSUMER COUNT HTTP-URL");
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	l.multi = curl_multi_init();
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.due_ms = -1;
	l.base = argv[5];
	(void)curl_multi_setopt(l.multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	(void)curl_multi_setopt(l.multi, CURLMOPT_SOCKETDATA, &l);
	(void)curl_multi_setopt(l.multi, CURLMOPT_TIMERFUNCTION, want_timer);
	(void)curl_multi_setopt(l.multi, CURLMOPT_TIMERDATA, &l);
	(void)curl_multi_setopt(l.multi, CURLMOPT_MAXCONNECTS, (long)UNDER_WAY);
	l.headers = curl_slist_append(curl_slist_append(NULL, "Expect:"), "Content-Type: application/json");
	for (size_t i = 0; i < UNDER_WAY; i++)
		prepare(&l, &l.puts[i]);
	q = queue_new(strtoull(argv[4], NULL, 10));
	l.puller = pull_start(argv[1], argv[2], argv[3], strtoull(argv[4], NULL, 10), queue_put, q);
	while ((n = queue_take(q, v, LOT)) > 0)
		for (size_t i = 0; i < n; i++) {
			while (l.n_idle == 0)
				turn(&l);
			begin(&l, v[i]);
		}
	while (l.n_idle < UNDER_WAY)
		turn(&l);
	pull_end(&l.puller);
	queue_free(&q);
	return 0;
}
