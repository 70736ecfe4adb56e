#ifndef EDS_HTTP_SCRIPT_H
#define EDS_HTTP_SCRIPT_H

/*
 * An HTTP server that answers by a script, one line after the other, and writes down
 * what it was asked.  It runs in a thread of its own.
 */

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipc/base/buf.h"
#include "tests/support/cmocka_all.h"

#define HTTP_SCRIPT_MAX	32

struct http_script_step {
	unsigned	 status;
	const char	*body;
	const char	*header, *value;	/* one more header, or NULL */
};

struct http_script {
	struct MHD_Daemon	*daemon;
	pthread_mutex_t		 lock;
	char			 url[64];
	struct http_script_step	 steps[HTTP_SCRIPT_MAX];	/* the last one is repeated */
	size_t			 n_steps, at;
	char			*asked[HTTP_SCRIPT_MAX];	/* "POST /path body" */
	char			*headers[HTTP_SCRIPT_MAX];	/* "Name: value\n" ... */
	size_t			 n_asked;
};

static inline enum MHD_Result
http_script_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	buf_printf(arg, "%s: %s\n", name, value == NULL ? "" : value);
	return MHD_YES;
}

static inline enum MHD_Result
http_script_answer(struct http_script *s, struct MHD_Connection *c)
{
	const struct http_script_step *step = &s->steps[s->at];
	union { const char *text; void *body; } u = { .text = step->body };
	struct MHD_Response *r = MHD_create_response_from_buffer(strlen(step->body), u.body, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (step->header != NULL)
		(void)MHD_add_response_header(r, step->header, step->value);
	if (s->at + 1 < s->n_steps)
		s->at++;
	rc = MHD_queue_response(c, step->status, r);
	MHD_destroy_response(r);
	return rc;
}

static inline enum MHD_Result
http_script_handle(void *arg, struct MHD_Connection *c, const char *url, const char *method, const char *version,
    const char *data, size_t *n, void **mine)
{
	struct http_script *s = arg;
	struct buf *body = *mine, line = { 0 }, headers = { 0 };
	enum MHD_Result rc;

	(void)version;
	if (body == NULL) {
		*mine = calloc(1, sizeof(struct buf));
		return *mine == NULL ? MHD_NO : MHD_YES;
	}
	if (*n > 0) {
		buf_add(body, data, *n);
		*n = 0;
		return MHD_YES;
	}
	buf_printf(&line, "%s %s%s%s", method, url, body->len > 0 ? " " : "", buf_cstr(body));
	(void)MHD_get_connection_values(c, MHD_HEADER_KIND, http_script_header, &headers);
	(void)pthread_mutex_lock(&s->lock);
	if (s->n_asked < HTTP_SCRIPT_MAX) {
		s->headers[s->n_asked] = buf_steal(&headers);
		s->asked[s->n_asked++] = buf_steal(&line);
	}
	rc = http_script_answer(s, c);
	(void)pthread_mutex_unlock(&s->lock);
	buf_free(&line);
	buf_free(&headers);
	return rc;
}

static inline void
http_script_done(void *arg, struct MHD_Connection *c, void **mine, enum MHD_RequestTerminationCode why)
{
	(void)arg;
	(void)c;
	(void)why;
	if (*mine != NULL)
		buf_free(*mine);
	free(*mine);
	*mine = NULL;
}

static inline void
http_script_start(struct http_script *s)
{
	*s = (struct http_script){ 0 };
	(void)pthread_mutex_init(&s->lock, NULL);
	s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, http_script_handle, s,
	    MHD_OPTION_NOTIFY_COMPLETED, http_script_done, NULL, MHD_OPTION_END);
	assert_non_null(s->daemon);
	(void)snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u",
	    (unsigned)MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
}

static inline void
http_script_add(struct http_script *s, unsigned status, const char *body, const char *header, const char *value)
{
	(void)pthread_mutex_lock(&s->lock);
	assert_true(s->n_steps < HTTP_SCRIPT_MAX);
	s->steps[s->n_steps++] = (struct http_script_step){ status, body, header, value };
	(void)pthread_mutex_unlock(&s->lock);
}

/* Ends the server; what it was asked can be looked at after that. */
static inline void
http_script_stop(struct http_script *s)
{
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
}

static inline void
http_script_free(struct http_script *s)
{
	http_script_stop(s);
	for (size_t i = 0; i < s->n_asked; i++) {
		free(s->asked[i]);
		free(s->headers[i]);
	}
	(void)pthread_mutex_destroy(&s->lock);
}

#endif
