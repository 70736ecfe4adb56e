/*
 * Roles, for which STS gives credentials: in exchange for a token in a file that somebody
 * renews (Kubernetes), or for other credentials of a profile.
 */

#include <stdlib.h>

#include "drivers/s3/cred_private.h"
#include "drivers/s3/sigv4.h"
#include "drivers/s3/xml.h"
#include "ipc/base/clock.h"
#include "ipc/base/url.h"

#define FORM	"application/x-www-form-urlencoded; charset=utf-8"

/* What is asked of STS; NULL members are left out. */
struct role {
	const char	*arn, *session, *external_id;
	const char	*token_file;		/* web identity */
	const struct cred *base;		/* or signed with these */
};

static void
add_field(struct buf *form, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(form, "&%s=", name);
	url_escape_segment(form, slice_of(value));
}

/* The host part of STS's address, and the address. */
static int
sts_address(const struct cred_chain *c, struct buf *url, struct buf *host, struct err *err)
{
	const char	*given = cred_variable("AWS_ENDPOINT_URL_STS");
	struct url	 u;

	if (given == NULL)
		given = cred_variable("AWS_ENDPOINT_URL");
	if (given == NULL) {
		buf_printf(host, "sts.%s.amazonaws.com%s", c->options.region,
		    strncmp(c->options.region, "cn-", 3) == 0 ? ".cn" : "");
		buf_printf(url, "https://%s/", buf_cstr(host));
		return 0;
	}
	if (url_parse(&u, slice_of(given), NULL) != 0)
		return err_set(err, ERR_CONFIG, "AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is no address");
	buf_printf(host, "%s%s%s", u.host, u.port[0] != '\0' ? ":" : "", u.port);
	buf_printf(url, "%s://%s/", u.scheme, buf_cstr(host));
	url_free(&u);
	return 0;
}

static bool
sign(const struct cred_chain *c, const struct cred *base, struct slice host, struct slice form, struct buf lines[4])
{
	struct sigv4		 s = { 0 };
	char			 date[17], hash[65] = "";
	struct sigv4_pair	 headers[4] = { { SLICE("host"), host }, { SLICE("content-type"), SLICE(FORM) } };
	struct sigv4_request	 r = { .method = "POST", .path = SLICE("/"), .headers = headers, .n_headers = 3,
		.date = date, .region = c->options.region, .service = "sts", .access_key = base->access_key,
		.secret = base->secret };
	bool			 ok;

	sigv4_date(wall_ms(), date);
	ok = sigv4_hash(&s, form, hash);
	r.payload_hash = slice_of(hash);
	headers[2] = (struct sigv4_pair){ SLICE("x-amz-date"), slice_of(date) };
	buf_printf(&lines[1], "X-Amz-Date: %s", date);
	if (base->token != NULL) {
		headers[r.n_headers++] = (struct sigv4_pair){ SLICE("x-amz-security-token"), slice_of(base->token) };
		buf_printf(&lines[2], "X-Amz-Security-Token: %s", base->token);
	}
	ok = ok && sigv4_sign(&s, &r);
	buf_printf(&lines[3], "Authorization: %s", buf_cstr(&s.authorization));
	sigv4_free(&s);
	return ok;
}

static enum cred_found
take(const struct https_answer *answer, struct cred *cred, struct err *err)
{
	struct buf	 code = { 0 };

	if (answer->status == 200) {
		if (cred_parse_sts(answer->body, cred, err) == 0)
			return CRED_FOUND;
		(void)err_prefix(err, "STS");
		return CRED_FAILED;
	}
	(void)!xml_text(answer->body, "Code", &code);		/* "" will do */
	(void)err_set(err, https_busy(answer) ? ERR_TEMPORARY : ERR_AUTH,
	    "STS gives no credentials for the role: %.60s (HTTP %ld)", buf_cstr(&code), answer->status);
	buf_free(&code);
	return CRED_FAILED;
}

static enum cred_found
ask(struct cred_chain *c, const struct role *role, struct slice form, struct cred *cred, struct err *err)
{
	struct buf		 url = { 0 }, host = { 0 }, lines[4] = { { 0 } };
	const char		*headers[5] = { NULL };
	struct https_answer	 answer = { 0 };
	struct https_request	 r = { .method = "POST", .headers = headers, .body = form, .timeout_ms = 10000 };
	enum cred_found		 found = CRED_FAILED;
	size_t			 n = 0;

	buf_adds(&lines[0], "Content-Type: " FORM);
	if (sts_address(c, &url, &host, err) != 0)
		goto out;
	if (role->base != NULL && !sign(c, role->base, buf_slice(&host), form, lines)) {
		(void)err_set(err, ERR_NOMEM, "no memory for a signature");
		goto out;
	}
	for (size_t i = 0; i < NELEM(lines); i++)
		if (lines[i].len > 0)
			headers[n++] = buf_cstr(&lines[i]);
	r.url = buf_cstr(&url);
	if (https_fetch(c->https, &r, &(struct https_again){ .attempts = 3, .total_ms = 15000, .repeatable = true }, &answer,
	    err) == 0)
		found = take(&answer, cred, err);
	else
		(void)err_prefix(err, "STS");
out:
	for (size_t i = 0; i < NELEM(lines); i++)
		buf_free(&lines[i]);
	buf_free(&host);
	buf_free(&url);
	return found;
}

/* One request to STS for the role. */
static enum cred_found
assume(struct cred_chain *c, const struct role *role, struct cred *cred, struct err *err)
{
	struct buf	 form = { 0 };
	char		*token = NULL;
	enum cred_found	 found = CRED_FAILED;

	buf_printf(&form, "Action=%s&Version=2011-06-15", role->token_file != NULL ? "AssumeRoleWithWebIdentity" : "AssumeRole");
	add_field(&form, "RoleArn", role->arn);
	add_field(&form, "RoleSessionName", role->session != NULL ? role->session : "eds");
	add_field(&form, "ExternalId", role->external_id);
	if (role->token_file != NULL) {
		if (profile_read_file(role->token_file, &token, err) != 0)
			goto out;
		buf_adds(&form, "&WebIdentityToken=");
		url_escape_segment(&form, slice_trim(slice_of(token)));
	}
	if (form.oom)
		(void)err_set(err, ERR_NOMEM, "no memory for a request to STS");
	else
		found = ask(c, role, buf_slice(&form), cred, err);
out:
	free_wiped(token);
	buf_free_wiped(&form);
	return found;
}

enum cred_found
cred_web_identity(struct cred_chain *c, struct cred *cred, struct err *err)
{
	struct role	 role = { .arn = cred_variable("AWS_ROLE_ARN"), .session = cred_variable("AWS_ROLE_SESSION_NAME"),
		.token_file = cred_variable("AWS_WEB_IDENTITY_TOKEN_FILE") };

	if (role.token_file == NULL)
		return CRED_NONE;
	if (role.arn == NULL) {
		(void)err_set(err, ERR_CONFIG, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
		return CRED_FAILED;
	}
	return assume(c, &role, cred, err);
}

/* What the profile names in place of keys and is not known here; NULL: nothing. */
static const char *
unsupported(const struct profile *p)
{
	if (p->credential_process != NULL)
		return "credential_process";
	return p->sso_session != NULL || p->sso_start_url != NULL ? "sso" : p->credential_source != NULL ? "credential_source" :
	    NULL;
}

static enum cred_found
keys_of(const struct profile *p, const char *name, struct cred *cred, struct err *err)
{
	const char	*strange = unsupported(p);

	if (p->access_key != NULL && p->secret != NULL)
		return cred_set(cred, slice_of(p->access_key), slice_of(p->secret), slice_of(p->token), err) == 0 ? CRED_FOUND :
		    CRED_FAILED;
	if (strange == NULL)
		return CRED_NONE;
	(void)err_set(err, ERR_CONFIG, "the profile %s uses %s, which is not supported; give it aws_access_key_id and "
	    "aws_secret_access_key, or role_arn with source_profile or web_identity_token_file", name, strange);
	return CRED_FAILED;
}

/* The role of a profile, with the keys of its source profile. */
static enum cred_found
role_of(struct cred_chain *c, const struct profile *p, const char *name, struct cred *cred, struct err *err)
{
	struct profile	 source = { 0 };
	struct cred	 base = { 0 };
	struct role	 role = { .arn = p->role_arn, .session = p->role_session_name, .external_id = p->external_id,
		.token_file = p->web_identity_token_file, .base = &base };
	enum cred_found	 found;

	if (p->web_identity_token_file != NULL) {
		role.base = NULL;
		return assume(c, &role, cred, err);
	}
	if (p->source_profile == NULL)
		return keys_of(p, name, cred, err);
	if (profile_load(&source, p->source_profile, err) != 0)
		return CRED_FAILED;
	if ((found = keys_of(&source, p->source_profile, &base, err)) == CRED_FOUND)
		found = assume(c, &role, cred, err);
	else if (found == CRED_NONE) {
		(void)err_set(err, ERR_CONFIG, "the profile %s, source_profile of %s, has no keys", p->source_profile, name);
		found = CRED_FAILED;
	}
	cred_clear(&base);
	profile_free(&source);
	return found;
}

enum cred_found
cred_of_profile(struct cred_chain *c, struct cred *cred, struct err *err)
{
	const char	*name = c->options.profile != NULL ? c->options.profile : "default";
	struct profile	 p;
	enum cred_found	 found;

	if (profile_load(&p, name, err) != 0)
		return CRED_FAILED;
	found = p.role_arn != NULL ? role_of(c, &p, name, cred, err) : keys_of(&p, name, cred, err);
	if (found == CRED_NONE && c->options.profile != NULL) {
		(void)err_set(err, ERR_CONFIG, p.found ? "the profile %s has no keys" : "there is no profile %s in the shared files",
		    name);
		found = CRED_FAILED;
	}
	profile_free(&p);
	return found;
}
