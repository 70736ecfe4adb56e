/* Credentials that the machine or the container has been given: ECS, EKS Pod Identity, EC2. */

#include <stdlib.h>

#include "drivers/s3/cred_private.h"
#include "ipc/base/url.h"

#define CONTAINER_HOST	"http://169.254.170.2"
#define INSTANCE_HOST	"http://169.254.169.254"
#define TOKEN_TTL	"X-aws-ec2-metadata-token-ttl-seconds: 21600"
#define ROLES_PATH	"/latest/meta-data/iam/security-credentials/"
#define ATTEMPTS	3

static int
ask(struct cred_chain *c, const char *method, const char *url, const char *header, struct https_answer *answer,
    struct err *err)
{
	const char *const	 headers[] = { header, NULL };
	const struct https_request r = { .method = method, .url = url, .headers = headers, .timeout_ms = 2000,
		.connect_ms = 1000, .body = strcmp(method, "PUT") == 0 ? SLICE("") : (struct slice){ 0 } };
	const struct https_again again = { .attempts = ATTEMPTS, .total_ms = 5000, .repeatable = true };

	return https_fetch(c->direct, &r, &again, answer, err);
}

static int
refused(const struct https_answer *answer, const char *whom, struct err *err)
{
	return err_set(err, https_busy(answer) ? ERR_TEMPORARY : ERR_AUTH, "%s answers HTTP %ld", whom, answer->status);
}

static enum cred_found
take(const struct https_answer *answer, const char *whom, struct cred *cred, struct err *err)
{
	if (answer->status != 200)
		(void)refused(answer, whom, err);
	else if (cred_parse_json(answer->body, cred, err) == 0)
		return CRED_FOUND;
	else
		(void)err_prefix(err, "%s", whom);
	return CRED_FAILED;
}

/* The token goes in clear text, so only to where it cannot be overheard. */
static bool
is_allowed(const char *text)
{
	static const char *const hosts[] = { "localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23" };
	struct url	 u;
	bool		 ok;

	if (url_parse(&u, slice_of(text), NULL) != 0)
		return false;
	ok = strcmp(u.scheme, "https") == 0 || strncmp(u.host, "127.", 4) == 0;
	for (size_t i = 0; i < NELEM(hosts); i++)
		ok |= strcmp(u.host, hosts[i]) == 0;
	ok &= strcmp(u.scheme, "http") == 0 || strcmp(u.scheme, "https") == 0;
	url_free(&u);
	return ok;
}

/* "Authorization: ..." or NULL; the file is read each time, because it is renewed. */
static int
container_token(struct buf *header, struct err *err)
{
	const char	*token = cred_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	const char	*file = cred_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	char		*text = NULL;

	if (file != NULL && profile_read_file(file, &text, err) != 0)
		return -1;
	if (text != NULL) {
		buf_printf(header, "Authorization: " SLICE_FMT, SLICE_ARG(slice_trim(slice_of(text))));
		explicit_bzero(text, strlen(text));
	} else if (token != NULL)
		buf_printf(header, "Authorization: %s", token);
	free(text);
	return 0;
}

enum cred_found
cred_container(struct cred_chain *c, struct cred *cred, struct err *err)
{
	const char		*relative = cred_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char		*full = cred_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	struct buf		 url = { 0 }, header = { 0 };
	struct https_answer	 answer = { 0 };
	enum cred_found		 found = CRED_FAILED;

	if (relative == NULL && full == NULL)
		return CRED_NONE;
	buf_printf(&url, "%s%s", relative != NULL ? CONTAINER_HOST : "", relative != NULL ? relative : full);
	if (!is_allowed(buf_cstr(&url)))
		(void)err_set(err, ERR_CONFIG, "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or a service of this machine");
	else if (container_token(&header, err) == 0 &&
	    ask(c, "GET", buf_cstr(&url), header.len > 0 ? buf_cstr(&header) : NULL, &answer, err) == 0)
		found = take(&answer, "the container's service of credentials", cred, err);
	buf_free_wiped(&header);
	buf_free(&url);
	return found;
}

/* The instance's answer to GET `path`, with the session token that IMDSv2 wants. */
static int
instance_get(struct cred_chain *c, const char *base, const char *path, struct slice more, const char *token,
    struct https_answer *answer, struct err *err)
{
	struct buf	 url = { 0 };
	int		 rc;

	buf_printf(&url, "%s%s" SLICE_FMT, base, path, SLICE_ARG(more));
	rc = ask(c, "GET", buf_cstr(&url), token, answer, err);
	buf_free(&url);
	return rc;
}

static enum cred_found
instance_role(struct cred_chain *c, const char *base, const char *token, struct cred *cred, struct err *err)
{
	struct https_answer	 answer = { 0 };
	struct slice		 roles, role;
	enum cred_found		 found = CRED_FAILED;
	char			*name;

	if (instance_get(c, base, ROLES_PATH, (struct slice){ 0 }, token, &answer, err) != 0)
		return CRED_FAILED;
	if (answer.status == 404)
		return CRED_NONE;		/* an instance without a role */
	roles = slice_trim(answer.body);
	if (answer.status != 200 || !slice_cut(&roles, '\n', &role)) {
		(void)refused(&answer, "the instance's metadata service", err);
		return CRED_FAILED;
	}
	if ((name = slice_dup(slice_trim(role))) == NULL)
		(void)err_set(err, ERR_NOMEM, "no memory for credentials");
	else if (instance_get(c, base, ROLES_PATH, slice_of(name), token, &answer, err) == 0)
		found = take(&answer, "the instance's metadata service", cred, err);
	free(name);
	return found;
}

/* "X-aws-ec2-metadata-token: ..." of a session with the metadata service. */
static enum cred_found
instance_token(struct cred_chain *c, const char *base, struct buf *header, struct err *err)
{
	struct https_answer	 answer = { 0 };
	struct buf		 url = { 0 };
	int			 rc;

	buf_printf(&url, "%s/latest/api/token", base);
	rc = ask(c, "PUT", buf_cstr(&url), TOKEN_TTL, &answer, err);
	buf_free(&url);
	if (rc != 0 && answer.outcome == HTTPS_UNREACHED)
		return CRED_NONE;		/* no such machine */
	if (rc != 0) {
		(void)err_prefix(err, "the instance's metadata service (in a container, it needs a hop limit of 2)");
		return CRED_FAILED;
	}
	if (answer.status != 200) {
		(void)refused(&answer, "the instance's metadata service", err);
		return CRED_FAILED;
	}
	buf_printf(header, "X-aws-ec2-metadata-token: " SLICE_FMT, SLICE_ARG(slice_trim(answer.body)));
	return CRED_FOUND;
}

enum cred_found
cred_instance(struct cred_chain *c, struct cred *cred, struct err *err)
{
	const char	*given = cred_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char	*disabled = cred_variable("AWS_EC2_METADATA_DISABLED");
	struct buf	 base = { 0 }, header = { 0 };
	enum cred_found	 found;

	if ((disabled != NULL && strcmp(disabled, "true") == 0) || (given == NULL && c->options.local))
		return CRED_NONE;
	buf_adds(&base, given != NULL ? given : INSTANCE_HOST);
	if (base.len > 0 && base.data[base.len - 1] == '/')
		base.len--;
	if ((found = instance_token(c, buf_cstr(&base), &header, err)) == CRED_FOUND)
		found = instance_role(c, buf_cstr(&base), buf_cstr(&header), cred, err);
	buf_free_wiped(&header);
	buf_free(&base);
	return found;
}
