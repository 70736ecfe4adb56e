/* One request as libcurl wants it, and what comes back of it. */

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "drivers/http/https_private.h"
#include "ipc/base/url.h"

#define CONNECT_MS	10000
#define TIMEOUT_MS	30000
#define ANSWER_MOST	((size_t)1 << 20)
#define BUFFER_BYTES	16384L		/* of each request under way, twice */
#define RETRY_AFTER_MOST_S	300

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct https_call	*call = arg;

	if (size * n > call->answer_most - call->body.len) {
		call->too_big = true;
		return 0;		/* libcurl ends the transfer */
	}
	buf_add(&call->body, p, size * n);
	return call->body.oom ? 0 : size * n;
}

static size_t
take_header(char *p, size_t size, size_t n, void *arg)
{
	struct https_call	*call = arg;

	if (size * n > 5 && memcmp(p, "HTTP/", 5) == 0)		/* a further answer, after 100 Continue */
		buf_reset(&call->headers);
	if (size * n > call->answer_most - call->headers.len) {
		call->too_big = true;
		return 0;
	}
	buf_add(&call->headers, p, size * n);
	return call->headers.oom ? 0 : size * n;
}

int
https_call_new(struct https_call **call_r, const struct https_options *options, struct err *err)
{
	struct https_call	*call = calloc(1, sizeof(*call));
	CURL			*easy;

	if (call == NULL || (easy = call->easy = curl_easy_init()) == NULL) {
		free(call);
		return err_set(err, ERR_NOMEM, "no memory for a request");
	}
	call->proxied = -1;
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->trouble);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);	/* an object may be named a/../b */
	(void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);	/* many requests on one connection, where there is HTTP/2 */
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (options->ca_file != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
	*call_r = call;
	return 0;
}

/* Nothing in `text` may move once libcurl has been given pointers into it, so there is room for all of it first. */
static int
copy_text(struct https_call *call, const struct https_request *r, struct err *err)
{
	static const char *const ours[] = { "Accept:", "Expect:", "Content-Type:" };	/* libcurl would add these */
	size_t	 need = strlen(r->url) + 1, n = 0, k = 0;
	bool	 typed = false;

	while (r->headers != NULL && r->headers[n] != NULL) {
		if (n == HTTPS_HEADERS_MOST || strpbrk(r->headers[n], "\r\n") != NULL)
			return err_set(err, ERR_INVALID, "a header line that cannot be sent");
		typed |= strncasecmp(r->headers[n], "Content-Type:", 13) == 0;
		need += strlen(r->headers[n++]) + 1;
	}
	buf_reset(&call->text);
	if (!buf_reserve(&call->text, need + sizeof("Accept:Expect:Content-Type:") + 3))
		return err_set(err, ERR_NOMEM, "no memory for a request");
	buf_add(&call->text, r->url, strlen(r->url) + 1);
	for (size_t i = 0; i < n + NELEM(ours) - (typed ? 1 : 0); i++) {
		const char	*line = i < n ? r->headers[i] : ours[i - n];

		call->lines[k++].data = (char *)call->text.data + call->text.len;
		buf_add(&call->text, line, strlen(line) + 1);
	}
	for (size_t i = 0; i < k; i++)
		call->lines[i].next = i + 1 < k ? &call->lines[i + 1] : NULL;
	return 0;
}

/* No proxy for this machine itself. */
static bool
is_local(const char *url)
{
	const char	*host = strstr(url, "://");

	if (host == NULL)
		return false;
	host += 3;
	return strncmp(host, "localhost", 9) == 0 || strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0;
}

static void
set_times(struct https_call *call, const struct https_request *r)
{
	long	 timeout_ms = (long)(r->timeout_ms > 0 ? r->timeout_ms : TIMEOUT_MS);
	long	 connect_ms = (long)(r->connect_ms > 0 ? r->connect_ms : CONNECT_MS);

	if (timeout_ms == call->timeout_ms && connect_ms == call->connect_ms)
		return;
	(void)curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	(void)curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	call->timeout_ms = timeout_ms;
	call->connect_ms = connect_ms;
}

static void
set_proxy(struct https_call *call, bool proxied)
{
	if (call->proxied != proxied)
		(void)curl_easy_setopt(call->easy, CURLOPT_NOPROXY, proxied ? NULL : "*");
	call->proxied = proxied;
}

/* A handle is used for the same method again and again; only then is what libcurl remembers of it right. */
static void
set_method(struct https_call *call, const struct https_request *r)
{
	CURL	*easy = call->easy;
	bool	 same = strcmp(call->method, r->method) == 0 && r->body.p != NULL;

	if (r->body.p != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body.p);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
	}
	if (same)
		return;
	(void)curl_easy_setopt(easy, r->body.p != NULL ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_NOBODY, strcmp(r->method, "HEAD") == 0 ? 1L : 0L);
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
	(void)snprintf(call->method, sizeof(call->method), "%s", r->body.p != NULL ? r->method : "");
}

int
https_call_prepare(struct https_call *call, const struct https_options *options, const struct https_request *r,
    struct err *err)
{
	CURL	*easy = call->easy;

	if (copy_text(call, r, err) != 0)
		return -1;
	buf_reset(&call->headers);
	buf_reset(&call->body);
	call->too_big = false;
	call->trouble[0] = '\0';
	call->answer_most = r->answer_most == 0 ? ANSWER_MOST : r->answer_most;
	(void)curl_easy_setopt(easy, CURLOPT_URL, (char *)call->text.data);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->lines);
	set_times(call, r);
	set_proxy(call, !options->direct && !is_local(r->url));
	set_method(call, r);
	return 0;
}

static enum https_outcome
outcome_of(CURLcode rc, const struct https_call *call)
{
	curl_off_t	 connected = 0;

	switch (rc) {
	case CURLE_OK:
		return HTTPS_ANSWERED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
		return HTTPS_UNREACHED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTPS_UNTRUSTED;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_OUT_OF_MEMORY:
		return HTTPS_REFUSED;
	default:
		/* a time-out before the connection stood: nothing was sent */
		(void)curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
		return rc == CURLE_OPERATION_TIMEDOUT && connected == 0 ? HTTPS_UNREACHED : HTTPS_BROKEN;
	}
}

/* scheme://host[:port] of a URL, without user and password. */
static struct slice
host_of(const char *url)
{
	const char	*p = strstr(url, "://"), *at;
	size_t		 n;

	if (p == NULL)
		return SLICE("the server");
	p += 3;
	n = strcspn(p, "/?#");
	if ((at = memrchr(p, '@', n)) != NULL) {
		n -= (size_t)(at + 1 - p);
		p = at + 1;
	}
	return (struct slice){ p, n };
}

static void
describe(struct https_call *call, CURLcode rc, struct err *err)
{
	struct slice	 host = host_of((const char *)call->text.data);

	if (call->too_big)
		(void)err_set(err, ERR_TOOBIG, SLICE_FMT ": the answer is larger than %zu bytes", SLICE_ARG(host),
		    call->answer_most);
	else
		(void)err_set(err, ERR_TEMPORARY, SLICE_FMT ": %s", SLICE_ARG(host),
		    call->trouble[0] != '\0' ? call->trouble : curl_easy_strerror(rc));
}

void
https_call_answer(struct https_call *call, CURLcode rc, struct https_answer *answer_r)
{
	curl_off_t	 seconds = 0;

	*answer_r = (struct https_answer){ .outcome = outcome_of(rc, call) };
	if (rc != CURLE_OK) {
		describe(call, rc, &answer_r->err);
		return;
	}
	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &answer_r->status);
	(void)curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &seconds);
	answer_r->retry_after_ms = (seconds > RETRY_AFTER_MOST_S ? RETRY_AFTER_MOST_S : seconds) * 1000;
	answer_r->headers = buf_slice(&call->headers);
	answer_r->body = buf_slice(&call->body);
}

void
https_call_free(struct https_call **callp)
{
	struct https_call	*call = *callp;

	if (call == NULL)
		return;
	curl_easy_cleanup(call->easy);
	buf_free_wiped(&call->text);	/* one of the headers may be a token */
	buf_free(&call->headers);
	buf_free(&call->body);
	free(call);
	*callp = NULL;
}

struct slice
https_header(const struct https_answer *answer, const char *name)
{
	struct slice	 rest = answer->headers, line, found = { 0 };
	size_t		 n = strlen(name);

	while (slice_cut(&rest, '\n', &line))
		if (line.n > n && line.p[n] == ':' && strncasecmp(line.p, name, n) == 0)
			found = slice_trim((struct slice){ line.p + n + 1, line.n - n - 1 });
	return found;
}
