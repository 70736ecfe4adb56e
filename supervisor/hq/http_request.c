/* One request as libcurl wants it, and what comes back of it. */

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "ipc/base/url.h"
#include "supervisor/hq/http_private.h"

#define CONNECT_MS	10000
#define TIMEOUT_MS	30000
#define STALLED_S	30L	/* a download that stands still that long is given up */

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_call	*call = arg;

	if (call->sink != NULL && call->answering == 206 && call->range_at != call->from)
		return 0;		/* not the part that was asked for */
	if (call->sink != NULL && (call->answering == 200 || call->answering == 206))
		return call->sink(call->arg, call->answering, (struct slice){ p, size * n }) == -1 ? 0 : size * n;
	if (size * n > HTTP_BODY_MAX - call->answer.len) {
		call->too_big = true;
		return 0;		/* libcurl ends the transfer */
	}
	buf_add(&call->answer, p, size * n);
	return call->answer.oom ? 0 : size * n;
}

static bool
header_is(struct slice line, const char *name, struct slice *value_r)
{
	size_t	 n = strlen(name);

	if (line.n <= n || strncasecmp(line.p, name, n) != 0 || line.p[n] != ':')
		return false;
	*value_r = slice_trim((struct slice){ line.p + n + 1, line.n - n - 1 });
	return true;
}

/* "bytes 100-199/200": where it begins, and the size of the whole. */
static void
take_range(struct http_call *call, struct slice value)
{
	struct slice	 part, first;
	uint64_t	 whole;

	if (!slice_cut(&value, ' ', &part) || !slice_cut(&value, '/', &part) || !slice_cut(&part, '-', &first) ||
	    !slice_u64(first, &call->range_at))
		call->range_at = UINT64_MAX;
	if (slice_u64(slice_trim(value), &whole) && whole <= INT64_MAX)
		call->whole = (int64_t)whole;
}

static size_t
take_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_call	*call = arg;
	struct slice		 line = { p, size * n }, value;
	uint64_t		 seconds;

	if (line.n > 5 && memcmp(line.p, "HTTP/", 5) == 0) {	/* a further answer, after a redirect */
		buf_reset(&call->request_id);
		call->retry_after_ms = 0;
		call->whole = -1;
		call->range_at = UINT64_MAX;
		(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->answering);
	} else if (header_is(line, "Content-Range", &value))
		take_range(call, value);
	else if (header_is(line, "X-Request-Id", &value)) {
		buf_reset(&call->request_id);
		buf_adds_slice(&call->request_id, value);
	} else if (header_is(line, "Retry-After", &value) && slice_u64(value, &seconds))
		call->retry_after_ms = seconds > 3600 ? 3600000 : (int64_t)seconds * 1000;
	return line.n;
}

static size_t
give_upload(char *p, size_t size, size_t n, void *arg)
{
	struct http_call	*call = arg;
	size_t			 got = fread(p, 1, size * n, call->upload);

	return got == 0 && ferror(call->upload) ? CURL_READFUNC_ABORT : got;
}

/* libcurl begins the body anew, after a redirect for instance. */
static int
seek_upload(void *arg, curl_off_t offset, int origin)
{
	struct http_call	*call = arg;

	return fseeko(call->upload, (off_t)offset, origin) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static bool
add_header(struct http_call *call, const char *line)
{
	struct curl_slist	*grown = curl_slist_append(call->headers, line);

	if (grown == NULL)
		return false;
	call->headers = grown;
	return true;
}

static bool
add_headers(struct http_call *call, const struct http_request *r)
{
	struct buf	 line = { 0 };
	bool		 ok;

	/* libcurl would add these by itself. */
	ok = add_header(call, "Accept:") && add_header(call, "Expect:");
	if (r->std_headers)
		ok = ok && add_header(call, "Content-Type: application/json");
	else if (call->post)
		ok = ok && add_header(call, "Content-Type:");
	if (r->upload != NULL && r->content_type != NULL) {
		buf_printf(&line, "Content-Type: %s", r->content_type);
		ok = ok && add_header(call, buf_cstr(&line)) && !line.oom;
		buf_reset(&line);
	}
	if (r->std_headers || r->user_agent_only)
		ok = ok && add_header(call, "User-Agent: Shopmonkey EDS Server/" EDS_VERSION);
	if (r->token != NULL && r->token[0] != '\0') {
		buf_printf(&line, "Authorization: Bearer %s", r->token);
		ok = ok && add_header(call, buf_cstr(&line)) && !line.oom;
	}
	buf_free_wiped(&line);
	return ok;
}

/*
 * The proxy of HTTP_PROXY, which libcurl leaves alone because of CGI programs, and
 * none for this machine itself: both as the reference does it.
 */
static void
choose_proxy(struct http_call *call)
{
	const char	*proxy = getenv("HTTP_PROXY");
	struct url	 url;

	if (url_parse(&url, slice_of(call->url), NULL) != 0)
		return;		/* libcurl will say what is wrong with it */
	if (strcmp(url.host, "localhost") == 0 || strncmp(url.host, "127.", 4) == 0 || strcmp(url.host, "[::1]") == 0 ||
	    strcmp(url.host, "::1") == 0)
		(void)curl_easy_setopt(call->easy, CURLOPT_NOPROXY, "*");
	else if (proxy != NULL && proxy[0] != '\0' && strcmp(url.scheme, "http") == 0 && getenv("http_proxy") == NULL)
		(void)curl_easy_setopt(call->easy, CURLOPT_PROXY, proxy);
	url_free(&url);
}

static void
set_options(struct http_call *call, const struct http_request *r)
{
	CURL	*easy = call->easy;
	char	 range[40];

	(void)snprintf(range, sizeof(range), "%llu-", (unsigned long long)r->from);
	(void)curl_easy_setopt(easy, CURLOPT_URL, call->url);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->trouble);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	if (r->sink == NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
		(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(r->timeout_ms > 0 ? r->timeout_ms : TIMEOUT_MS));
	} else {
		(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, STALLED_S);
		if (r->from > 0)
			(void)curl_easy_setopt(easy, CURLOPT_RANGE, range);
	}
	if (call->post) {
		(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, buf_cstr(&call->body));
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
	}
	if (call->upload != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_upload);
		(void)curl_easy_setopt(easy, CURLOPT_READDATA, call);
		(void)curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_upload);
		(void)curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
		(void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, call->upload_size);
	}
	choose_proxy(call);
}

static int
open_upload(struct http_call *call, const char *path, struct err *err)
{
	if (path == NULL)
		return 0;
	if ((call->upload = fopen(path, "re")) == NULL || fseeko(call->upload, 0, SEEK_END) == -1)
		return err_sys(err, "cannot read %s", path);
	call->upload_size = (curl_off_t)ftello(call->upload);
	rewind(call->upload);
	return 0;
}

int
http_call_new(struct http_call **call_r, const struct http_request *r, struct err *err)
{
	struct http_call	*call = calloc(1, sizeof(*call));

	if (call == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a request");
	call->retry = r->retry;
	call->sink = r->sink;
	call->from = r->from;
	call->post = strcmp(r->method, "POST") == 0;
	buf_adds_slice(&call->body, r->body);
	if ((call->url = slice_dup(slice_of(r->url))) == NULL || (call->easy = curl_easy_init()) == NULL || call->body.oom ||
	    !add_headers(call, r)) {
		http_call_free(&call);
		return err_set(err, ERR_NOMEM, "no memory for a request");
	}
	if (open_upload(call, r->upload, err) == -1) {
		http_call_free(&call);
		return -1;
	}
	set_options(call, r);
	*call_r = call;
	return 0;
}

void
http_call_rewind(struct http_call *call)
{
	buf_reset(&call->answer);
	buf_reset(&call->request_id);
	call->retry_after_ms = 0;
	call->whole = -1;
	call->range_at = UINT64_MAX;
	call->answering = 0;
	call->too_big = false;
	call->trouble[0] = '\0';
	if (call->upload != NULL)
		rewind(call->upload);
}

void
http_call_free(struct http_call **callp)
{
	struct http_call	*call = *callp;

	if (call == NULL)
		return;
	if (call->easy != NULL)
		curl_easy_cleanup(call->easy);
	for (struct curl_slist *h = call->headers; h != NULL; h = h->next)
		(void)memset(h->data, 0, strlen(h->data));	/* one of them is the token */
	curl_slist_free_all(call->headers);
	if (call->upload != NULL)
		(void)fclose(call->upload);
	free(call->url);
	buf_free(&call->body);
	buf_free(&call->answer);
	buf_free(&call->request_id);
	free(call);
	*callp = NULL;
}
