/* One request: addressed, signed, sent, and its answer understood. */

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "drivers/s3/s3_private.h"

#define MENDED_MOST	3u

static void
add_line(struct s3_wire *w, const char *name, struct slice value)
{
	if (w->n == S3_LINES_MOST)
		bug("too many header lines");
	w->at[w->n++] = w->text.len;
	buf_adds(&w->text, name);
	buf_adds(&w->text, ": ");
	buf_adds_slice(&w->text, value);
	buf_addc(&w->text, '\0');
}

/* Headers that are both sent and signed; of the last two kinds as few as possible (contract/s3.md section 4). */
struct signed_headers {
	struct sigv4_pair	 v[12];
	size_t			 n;
};

static void
add_signed(struct s3_wire *w, struct signed_headers *h, const char *name, const char *value)
{
	if (value == NULL)
		return;
	h->v[h->n++] = (struct sigv4_pair){ slice_of(name), slice_of(value) };
	add_line(w, name, slice_of(value));
}

static void
add_options(const struct drv *drv, struct s3_wire *w, struct signed_headers *h)
{
	add_signed(w, h, "x-amz-acl", drv->config.acl);
	add_signed(w, h, "x-amz-server-side-encryption", drv->config.sse);
	add_signed(w, h, "x-amz-server-side-encryption-aws-kms-key-id", drv->config.sse_key);
	add_signed(w, h, "x-amz-storage-class", drv->config.storage_class);
}

static void
make_url(struct drv *drv, struct s3_wire *w, const struct s3_request *r)
{
	buf_reset(&w->host);
	buf_reset(&w->path);
	buf_reset(&w->url);
	s3_address(&drv->config, w->region, r->key, &w->host, &w->path);
	buf_adds(&w->url, drv->config.scheme);
	buf_adds(&w->url, "://");
	buf_adds_slice(&w->url, buf_slice(&w->host));
	sigv4_path(&w->url, buf_slice(&w->path));
	if (r->n_query > 0) {
		buf_addc(&w->url, '?');
		sigv4_query(&w->url, r->query, r->n_query);
	}
}

int
s3_wire_sign(struct drv *drv, const struct s3_request *r, struct s3_wire *w, struct https_request *out, struct err *err)
{
	const struct cred	*cred;
	struct signed_headers	 h = { .n = 0 };
	char			 date[17], hash[65];
	struct sigv4_request	 s = { .method = r->method, .query = r->query, .n_query = r->n_query, .headers = h.v,
		.date = date, .region = w->region, .service = "s3" };

	if (cred_get(drv->creds, &cred, err) != 0)
		return -1;
	(void)snprintf(w->region, sizeof(w->region), "%s", drv->region);
	w->clock_ms = drv->clock_ms;
	make_url(drv, w, r);
	sigv4_date(wall_ms() + w->clock_ms, date);
	if (!sigv4_hash(&drv->sign, r->body, hash))
		return err_set(err, ERR_NOMEM, "no memory for a signature");
	w->n = 0;
	buf_reset(&w->text);
	add_signed(w, &h, "Host", buf_cstr(&w->host));
	add_signed(w, &h, "Content-Type", r->content_type);
	add_signed(w, &h, "x-amz-content-sha256", hash);
	add_signed(w, &h, "x-amz-date", date);
	add_signed(w, &h, "x-amz-security-token", cred->token);
	if (strcmp(r->method, "PUT") == 0)
		add_options(drv, w, &h);
	s.path = buf_slice(&w->path);
	s.n_headers = h.n;
	s.payload_hash = slice_of(hash);
	s.access_key = cred->access_key;
	s.secret = cred->secret;
	if (!sigv4_sign(&drv->sign, &s))
		return err_set(err, ERR_NOMEM, "no memory for a signature");
	add_line(w, "Authorization", buf_slice(&drv->sign.authorization));
	if (w->text.oom || w->url.oom || w->host.oom || w->path.oom)
		return err_set(err, ERR_NOMEM, "no memory for a request");
	for (size_t i = 0; i < w->n; i++)
		w->lines[i] = (const char *)w->text.data + w->at[i];
	w->lines[w->n] = NULL;
	*out = (struct https_request){ .method = r->method, .url = buf_cstr(&w->url), .headers = w->lines, .body = r->body,
		.timeout_ms = (int64_t)drv->config.timeout_s * 1000 };
	return 0;
}

void
s3_wire_free(struct s3_wire *w)
{
	if (w->text.data != NULL)
		explicit_bzero(w->text.data, w->text.cap);	/* a session token may be in it */
	buf_free(&w->host);
	buf_free(&w->path);
	buf_free(&w->url);
	buf_free(&w->text);
}

/*
 * Requests that were under way when the first of them told us what is wrong fail in the same
 * way: they differ from what is known by now, and are simply sent again.
 */
bool
s3_mend(struct drv *drv, const struct s3_wire *w, const struct s3_error *e)
{
	int64_t	 ahead;

	switch (e->fate) {
	case S3_REGION:
		if (strcmp(w->region, drv->region) != 0)
			return true;
		if (e->region[0] == '\0' || strcmp(e->region, drv->region) == 0)
			return false;
		log_info(drv->env->log, "the bucket is in the region %s", e->region);
		(void)snprintf(drv->region, sizeof(drv->region), "%s", e->region);
		return true;
	case S3_CLOCK:
		if (w->clock_ms != drv->clock_ms)
			return true;
		ahead = e->clock_ms - wall_ms();
		if (e->clock_ms == 0 || llabs(ahead - drv->clock_ms) < 60000)
			return false;
		log_warn(drv->env->log, "this machine's clock is %lld s behind the service's; requests are signed by the service's "
		    "clock", (long long)ahead / 1000);
		drv->clock_ms = ahead;
		return true;
	case S3_CREDENTIALS:
		cred_doubt(drv->creds);
		return true;
	default:
		return false;
	}
}

void
s3_say(const struct drv *drv, const struct s3_error *e, struct slice hide, struct err *err)
{
	struct buf	 text = { 0 };

	s3_error_text(e, hide, &text);
	(void)err_set(err, e->fate == S3_DENIED ? ERR_AUTH : ERR_TEMPORARY, "%s, bucket %s: %s",
	    drv->config.host != NULL ? drv->config.host : "AWS", drv->config.bucket, buf_cstr(&text));
	buf_free(&text);
}

int
s3_call(struct drv *drv, const struct s3_request *r, struct s3_error *e, enum https_outcome *outcome_r, struct err *err)
{
	const struct https_again again = { .attempts = drv->in_a_hurry ? 2 : 3, .total_ms = 5000, .repeatable = true };
	struct s3_wire		 w = { .n = 0 };
	struct https_request	 request;
	struct https_answer	 answer = { 0 };
	unsigned		 mended = 0;
	int			 rc;

	do {
		if ((rc = s3_wire_sign(drv, r, &w, &request, err)) != 0)
			break;
		if (drv->in_a_hurry && request.timeout_ms > 4000)
			request.timeout_ms = 4000;
		rc = https_fetch(drv->https, &request, &again, &answer, err);
		if (rc == 0)
			s3_error_parse(e, &answer);
	} while (rc == 0 && mended++ < MENDED_MOST && s3_mend(drv, &w, e));
	*outcome_r = answer.outcome;
	if (rc == 0 && e->fate != S3_STORED)
		s3_say(drv, e, r->key, err);
	s3_wire_free(&w);
	return rc;
}
