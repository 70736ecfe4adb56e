/*
 * The loop: libcurl says which sockets and which time it waits for, epoll waits.
 * (curl_multi_perform() would look at every request whenever one of them moves.)
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "drivers/http/https_private.h"

#define KEPT_CONNECTIONS	8
#define EVENTS			64

struct https {
	struct https_options	 options;
	char			*ca_file;
	CURLM			*multi;
	int			 epoll;
	int			 watched;	/* -1: none */
	mono_t			 due;		/* libcurl's timer; -1: none */
	struct https_call	*under_way, *idle;
	size_t			 n;
	struct buf		 kept;
};

static void
unlink_call(struct https_call *call)
{
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
}

static void
link_call(struct https_call **list, struct https_call *call)
{
	call->next = *list;
	call->link = list;
	if (call->next != NULL)
		call->next->link = &call->next;
	*list = call;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct https		*h = arg;
	struct epoll_event	 ev = { .data.fd = fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(h->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	if (epoll_ctl(h->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) == -1 &&
	    epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		return -1;
	if (known == NULL)
		(void)curl_multi_assign(h->multi, fd, h);
	return 0;
}

static int
want_timer(CURLM *multi, long ms, void *arg)
{
	struct https	*h = arg;

	(void)multi;
	h->due = ms < 0 ? -1 : mono_now() + ms;
	return 0;
}

static void
finish(struct https *h, struct https_call *call, CURLcode rc)
{
	struct https_answer	 answer;

	(void)curl_multi_remove_handle(h->multi, call->easy);
	unlink_call(call);
	h->n--;
	https_call_answer(call, rc, &answer);
	call->fn(call->arg, &answer);
	link_call(&h->idle, call);
}

static void
take_results(struct https *h)
{
	CURLMsg	*msg;
	int	 left;

	while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		void	*call = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
		finish(h, call, msg->data.result);
	}
}

static void
act(struct https *h, curl_socket_t fd, int what)
{
	int	 running;

	(void)curl_multi_socket_action(h->multi, fd, what, &running);
	take_results(h);
}

int64_t
https_run(struct https *h, int64_t most_ms)
{
	struct epoll_event	 ev[EVENTS];
	uint64_t		 before, after;
	int			 n;

	if (h->due >= 0) {
		int64_t left = h->due - mono_now();

		most_ms = left < 0 ? 0 : left < most_ms ? left : most_ms;
	}
	before = mono_us();
	n = epoll_wait(h->epoll, ev, EVENTS, (int)(most_ms > 60000 ? 60000 : most_ms));
	after = mono_us();
	for (int i = 0; i < n; i++)
		if (ev[i].data.fd != h->watched)
			act(h, ev[i].data.fd, (ev[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
			    (ev[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) | (ev[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0));
	if (h->due >= 0 && h->due <= mono_now()) {
		h->due = -1;
		act(h, CURL_SOCKET_TIMEOUT, 0);
	}
	return (int64_t)(after - before);
}

void
https_watch(struct https *h, int fd)
{
	struct epoll_event	 ev = { .events = EPOLLIN | EPOLLET, .data.fd = fd };	/* said once each time */

	if (h->watched == fd)
		return;
	if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
		bug("a descriptor that cannot be watched");
	h->watched = fd;
}

int
https_start(struct https *h, const struct https_request *request, https_fn fn, void *arg, struct err *err)
{
	struct https_call	*call = h->idle;

	if (call != NULL)
		unlink_call(call);
	else if (https_call_new(&call, &h->options, err) != 0)
		return -1;
	call->fn = fn;
	call->arg = arg;
	if (https_call_prepare(call, &h->options, request, err) != 0) {
		link_call(&h->idle, call);
		return -1;
	}
	if (curl_multi_add_handle(h->multi, call->easy) != CURLM_OK) {
		link_call(&h->idle, call);
		return err_set(err, ERR_NOMEM, "libcurl takes no further request");
	}
	link_call(&h->under_way, call);
	h->n++;
	return 0;
}

size_t
https_under_way(const struct https *h)
{
	return h->n;
}

void
https_drop_all(struct https *h)
{
	while (h->under_way != NULL) {
		struct https_call *call = h->under_way;

		(void)curl_multi_remove_handle(h->multi, call->easy);
		unlink_call(call);
		https_call_free(&call);		/* its connection goes with it, and half a request */
	}
	h->n = 0;
}

bool
https_stopping(const struct https *h)
{
	return h->options.stopping != NULL && h->options.stopping(h->options.ctx);
}

struct buf *
https_kept(struct https *h)
{
	return &h->kept;
}

static int
set_up(struct https *h, struct err *err)
{
	static bool	 prepared;
	unsigned	 kept = h->options.most_kept == 0 ? KEPT_CONNECTIONS : h->options.most_kept;

	if (!prepared && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_IO, "libcurl cannot be used");
	prepared = true;
	if ((h->epoll = epoll_create1(EPOLL_CLOEXEC)) == -1)
		return err_sys(err, "cannot wait for sockets");
	if (h->options.ca_file != NULL) {
		if ((h->ca_file = slice_dup(slice_of(h->options.ca_file))) == NULL)
			return err_set(err, ERR_NOMEM, "no memory for HTTP");
		h->options.ca_file = h->ca_file;
	}
	if ((h->multi = curl_multi_init()) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for HTTP");
	(void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	(void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	(void)curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	(void)curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	(void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)kept);
	return 0;
}

int
https_new(struct https **https_r, const struct https_options *options, struct err *err)
{
	struct https	*h = calloc(1, sizeof(*h));

	if (h == NULL)
		return err_set(err, ERR_NOMEM, "no memory for HTTP");
	h->options = *options;
	h->epoll = h->watched = -1;
	h->due = -1;
	if (set_up(h, err) != 0) {
		https_free(&h);
		return -1;
	}
	*https_r = h;
	return 0;
}

void
https_free(struct https **hp)
{
	struct https	*h = *hp;

	if (h == NULL)
		return;
	if (h->multi != NULL)
		https_drop_all(h);
	while (h->idle != NULL) {
		struct https_call *call = h->idle;

		unlink_call(call);
		https_call_free(&call);
	}
	if (h->multi != NULL)
		(void)curl_multi_cleanup(h->multi);
	if (h->epoll != -1)
		(void)close(h->epoll);
	free(h->ca_file);
	buf_free(&h->kept);
	free(h);
	*hp = NULL;
}
