/* libcurl's multi interface on the loop: sockets and one timer, both as libcurl asks for them. */

#include <stdlib.h>

#include "supervisor/hq/http_private.h"

struct http {
	struct ev_loop		*loop;
	CURLM			*multi;
	ev_timer		 timer;
	struct http_call	*calls;
	struct socket		*sockets;
};

/* One socket that libcurl wants to hear of. */
struct socket {
	struct http	*http;
	struct socket	*next, **link;
	ev_io		 io;
};

static void	attempt(struct http_call *);

static void
socket_free(struct socket *s)
{
	ev_io_stop(s->http->loop, &s->io);
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	free(s);
}

/* Takes the call out of the list and out of libcurl. */
static void
detach(struct http_call *call)
{
	if (call->link == NULL)
		return;
	(void)curl_multi_remove_handle(call->http->multi, call->easy);
	ev_timer_stop(call->http->loop, &call->pause);
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
	call->link = NULL;
}

static void
describe(const struct http_call *call, CURLcode rc, struct err *err)
{
	if (call->too_big)
		(void)err_set(err, ERR_TOOBIG, "the answer is larger than %zu MB", HTTP_BODY_MAX >> 20);
	else
		(void)err_set(err, ERR_TEMPORARY, "%s", call->trouble[0] != '\0' ? call->trouble : curl_easy_strerror(rc));
}

static void
finish(struct http_call *call, CURLcode rc)
{
	struct http_response	 response = { .whole = -1 };
	curl_off_t		 length = -1;
	struct err		 err = { 0 };
	long			 status = 0;
	int64_t			 pause;

	if (rc == CURLE_OK)
		(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if ((pause = http_retry_pause(call, rc, status)) >= 0) {
		(void)curl_multi_remove_handle(call->http->multi, call->easy);
		ev_timer_set(&call->pause, (double)pause / 1000, 0);
		ev_timer_start(call->http->loop, &call->pause);
		return;
	}
	detach(call);
	response.status = status;
	if (rc == CURLE_OK) {
		response.body = buf_slice(&call->answer);
		response.request_id = buf_slice(&call->request_id);
		response.retry_after_ms = call->retry_after_ms;
		(void)curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
		response.whole = status == 206 || status == 416 ? call->whole : (int64_t)length;
	} else {
		describe(call, rc, &err);
		response.err = &err;
	}
	call->fn(call->arg, &response);
	http_call_free(&call);
}

static void
take_results(struct http *http)
{
	CURLMsg	*msg;
	int	 left;

	while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
		void *call = NULL;
		CURLcode rc = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
		finish(call, rc);
	}
}

static void
on_socket_ready(struct ev_loop *loop, ev_io *io, int revents)
{
	struct socket	*s = io->data;
	struct http	*http = s->http;
	int		 running;

	(void)loop;
	(void)curl_multi_socket_action(http->multi, io->fd,
	    (revents & EV_READ ? CURL_CSELECT_IN : 0) | (revents & EV_WRITE ? CURL_CSELECT_OUT : 0), &running);
	take_results(http);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct http	*http = timer->data;
	int		 running;

	(void)loop;
	(void)revents;
	(void)curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_results(http);
}

static int
want_timer(CURLM *multi, long ms, void *arg)
{
	struct http	*http = arg;

	(void)multi;
	ev_timer_stop(http->loop, &http->timer);
	if (ms >= 0) {
		ev_timer_set(&http->timer, (double)ms / 1000, 0);
		ev_timer_start(http->loop, &http->timer);
	}
	return 0;
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *mine)
{
	struct http	*http = arg;
	struct socket	*s = mine;
	int		 events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s != NULL)
			socket_free(s);
		return 0;
	}
	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return -1;
		s->http = http;
		s->next = http->sockets;
		s->link = &http->sockets;
		if (s->next != NULL)
			s->next->link = &s->next;
		http->sockets = s;
		ev_init(&s->io, on_socket_ready);
		s->io.data = s;
		(void)curl_multi_assign(http->multi, fd, s);
	}
	ev_io_stop(http->loop, &s->io);
	ev_io_set(&s->io, fd, events);
	ev_io_start(http->loop, &s->io);
	return 0;
}

int
http_new(struct http **http_r, struct ev_loop *loop, struct err *err)
{
	static bool	 prepared;
	struct http	*http;

	if (!prepared && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_IO, "libcurl cannot be used");
	prepared = true;
	if ((http = calloc(1, sizeof(*http))) == NULL || (http->multi = curl_multi_init()) == NULL) {
		free(http);
		return err_set(err, ERR_NOMEM, "no memory for HTTP");
	}
	http->loop = loop;
	ev_init(&http->timer, on_timer);
	http->timer.data = http;
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	*http_r = http;
	return 0;
}

void
http_free(struct http **httpp)
{
	struct http	*http = *httpp;

	if (http == NULL)
		return;
	while (http->calls != NULL) {
		struct http_call *call = http->calls;

		http_cancel(&call);
	}
	(void)curl_multi_cleanup(http->multi);
	while (http->sockets != NULL)		/* connections kept open are closed without a word to us */
		socket_free(http->sockets);
	ev_timer_stop(http->loop, &http->timer);
	free(http);
	*httpp = NULL;
}

static void
on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	attempt(timer->data);
}

static void
attempt(struct http_call *call)
{
	http_call_rewind(call);
	call->attempts++;
	if (curl_multi_add_handle(call->http->multi, call->easy) != CURLM_OK)
		finish(call, CURLE_OUT_OF_MEMORY);
}

int
http_start(struct http *http, const struct http_request *request, http_fn fn, void *arg, struct http_call **call_r,
    struct err *err)
{
	struct http_call	*call;

	if (http_call_new(&call, request, err) != 0)
		return -1;
	call->http = http;
	call->fn = fn;
	call->arg = arg;
	call->first_at = mono_now();
	ev_init(&call->pause, on_pause_over);
	call->pause.data = call;
	if (curl_multi_add_handle(http->multi, call->easy) != CURLM_OK) {
		http_call_free(&call);
		return err_set(err, ERR_NOMEM, "libcurl takes no further request");
	}
	call->attempts = 1;
	call->next = http->calls;
	call->link = &http->calls;
	if (call->next != NULL)
		call->next->link = &call->next;
	http->calls = call;
	if (call_r != NULL)
		*call_r = call;
	return 0;
}

void
http_cancel(struct http_call **callp)
{
	struct http_call	*call = *callp;

	*callp = NULL;
	if (call == NULL)
		return;
	detach(call);
	http_call_free(&call);
}

struct wait {
	struct ev_loop	*loop;
	http_fn		 fn;
	void		*arg;
};

static void
on_waited(void *arg, const struct http_response *r)
{
	struct wait	*w = arg;

	w->fn(w->arg, r);
	ev_break(w->loop, EVBREAK_ALL);
}

int
http_wait(const struct http_request *request, http_fn fn, void *arg, struct err *err)
{
	struct wait	 w = { .loop = ev_loop_new(EVFLAG_AUTO), .fn = fn, .arg = arg };
	struct http	*http = NULL;
	int		 rc;

	if (w.loop == NULL)
		return err_set(err, ERR_IO, "the system gives no event loop");
	if ((rc = http_new(&http, w.loop, err)) == 0 && (rc = http_start(http, request, on_waited, &w, NULL, err)) == 0)
		(void)ev_run(w.loop, 0);
	http_free(&http);
	ev_loop_destroy(w.loop);
	return rc;
}
