/* From a URL, and the environment where the URL is silent, to what the driver is to do. */

#include <stdlib.h>

#include "drivers/s3/s3_config.h"
#include "drivers/s3/s3_key.h"
#include "ipc/base/url.h"

struct text_option {
	const char	*name;
	size_t		 member;
	const char	*variables[2];
};

static const struct text_option texts[] = {
	{ "region", offsetof(struct s3_config, region), { "AWS_REGION", "AWS_DEFAULT_REGION" } },
	{ "access-key-id", offsetof(struct s3_config, access_key), { NULL } },
	{ "secret-access-key", offsetof(struct s3_config, secret), { NULL } },
	{ "session-token", offsetof(struct s3_config, token), { NULL } },
	{ "profile", offsetof(struct s3_config, profile), { "AWS_PROFILE" } },
	{ "ca-file", offsetof(struct s3_config, ca_file), { "AWS_CA_BUNDLE" } },
	{ "storage-class", offsetof(struct s3_config, storage_class), { NULL } },
	{ "acl", offsetof(struct s3_config, acl), { NULL } },
	{ "sse", offsetof(struct s3_config, sse), { NULL } },
	{ "sse-kms-key-id", offsetof(struct s3_config, sse_key), { NULL } },
};

struct number_option {
	const char	*name;
	size_t		 member;
	uint64_t	 dflt, least, most;
	bool		 lenient;	/* 0 and less: the default, as it always was */
};

static const struct number_option numbers[] = {
	{ "maxBatchSize", offsetof(struct s3_config, batch), 0, 1, 100000, true },
	{ "uploadTasks", offsetof(struct s3_config, tasks), S3_TASKS, 1, 1024, true },
	{ "timeout", offsetof(struct s3_config, timeout_s), 30, 1, 240, false },
	{ "roll-bytes", offsetof(struct s3_config, roll_bytes), 8 << 20, 1, 32 << 20, false },
	{ "roll-events", offsetof(struct s3_config, roll_events), 20000, 1, 1000000, false },
	{ "roll-seconds", offsetof(struct s3_config, roll_seconds), 30, 0, 3600, false },
};

static char **
text_member(struct s3_config *c, size_t offset)
{
	return (char **)(void *)((char *)c + offset);
}

static uint64_t *
number_member(struct s3_config *c, size_t offset)
{
	return (uint64_t *)(void *)((char *)c + offset);
}

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the URL");
}

/* The parameter, or NULL when it is absent or empty. */
static char *
parameter(const struct url *u, const char *name)
{
	char	*value = url_query_get(u, name);

	if (value != NULL && value[0] == '\0') {
		free(value);
		return NULL;
	}
	return value;
}

static int
take_texts(struct s3_config *c, const struct url *u, struct err *err)
{
	for (size_t i = 0; i < NELEM(texts); i++) {
		char	**member = text_member(c, texts[i].member);

		*member = parameter(u, texts[i].name);
		for (size_t k = 0; k < 2 && *member == NULL && texts[i].variables[k] != NULL; k++) {
			const char *value = getenv(texts[i].variables[k]);

			if (value != NULL && value[0] != '\0' && (*member = slice_dup(slice_of(value))) == NULL)
				return no_memory(err);
		}
	}
	if (c->access_key != NULL && c->secret == NULL)
		return err_set(err, ERR_CONFIG, "the URL has access-key-id but no secret-access-key");
	if (c->access_key == NULL && c->secret != NULL)
		return err_set(err, ERR_CONFIG, "the URL has secret-access-key but no access-key-id");
	return 0;
}

static int
take_number(struct s3_config *c, const struct number_option *o, const char *text, struct err *err)
{
	uint64_t	*member = number_member(c, o->member);
	int64_t		 signed_value;

	*member = o->dflt;
	if (text == NULL)
		return 0;
	if (!slice_i64(slice_of(text), &signed_value))
		return err_set(err, ERR_CONFIG, "%s in the URL must be a number", o->name);
	if (signed_value <= 0 && o->lenient)
		return 0;
	if (signed_value < (int64_t)o->least || (uint64_t)signed_value > o->most)
		return err_set(err, ERR_CONFIG, "%s in the URL must be between %llu and %llu", o->name,
		    (unsigned long long)o->least, (unsigned long long)o->most);
	*member = (uint64_t)signed_value;
	return 0;
}

static int
take_numbers(struct s3_config *c, const struct url *u, struct err *err)
{
	char	*text;
	int	 rc = 0;

	for (size_t i = 0; i < NELEM(numbers) && rc == 0; i++) {
		text = parameter(u, numbers[i].name);
		rc = take_number(c, &numbers[i], text, err);
		free(text);
	}
	text = parameter(u, "max-retries");
	c->attempts = 5;
	if (text != NULL && (!slice_u64(slice_of(text), &c->attempts) || c->attempts == 0 || c->attempts > 100)) {
		c->odd_retries = true;
		c->attempts = 5;
	}
	free(text);
	return rc;
}

/* One of the words; its place among them, the first when the parameter is absent. */
static int
take_word(const struct url *u, const char *name, const char *const *words, size_t *index_r, struct err *err)
{
	char		*value = parameter(u, name);
	struct buf	 expected = { 0 };

	*index_r = 0;
	if (value == NULL)
		return 0;
	while (words[*index_r] != NULL && strcmp(words[*index_r], value) != 0)
		++*index_r;
	free(value);
	if (words[*index_r] != NULL)
		return 0;
	for (size_t i = 0; words[i] != NULL; i++)
		buf_printf(&expected, "%s%s", i == 0 ? "" : " or ", words[i]);
	(void)err_set(err, ERR_CONFIG, "%s in the URL must be %s", name, buf_cstr(&expected));
	buf_free(&expected);
	return -1;
}

static int
take_words(struct s3_config *c, const struct url *u, struct err *err)
{
	static const char *const addressing[] = { "path", "virtual", "auto", NULL };
	static const char *const formats[] = { "json", "ndjson", NULL };
	static const char *const no_yes[] = { "0", "1", NULL };
	static const char *const yes_no[] = { "1", "0", NULL };
	size_t	 way, format, unique, plain;

	if (take_word(u, "addressing", addressing, &way, err) != 0 || take_word(u, "format", formats, &format, err) != 0 ||
	    take_word(u, "unique", no_yes, &unique, err) != 0 || take_word(u, "gzip", yes_no, &plain, err) != 0)
		return -1;
	c->addressing = (enum s3_addressing)way;
	c->ndjson = format == 1;
	c->unique = unique == 1;
	c->gzip = plain == 0;
	if (c->ndjson && c->unique)
		return err_set(err, ERR_CONFIG, "unique=1 in the URL is for format=json: rolls never share a key");
	return 0;
}

static bool
ends_with(const char *text, const char *end)
{
	size_t	 n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0 && (n == m || text[n - m - 1] == '.');
}

static bool
is_address(const char *host)
{
	return strchr(host, ':') != NULL || (host[0] != '\0' && host[strspn(host, "0123456789.")] == '\0');
}

/* This machine: plain HTTP unless told otherwise. */
static bool
is_local(const char *host)
{
	return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "0.0.0.0") == 0 ||
	    strcmp(host, "::1") == 0 || ends_with(host, "localhost.localstack.cloud");
}

static bool
is_service(const struct url *u)
{
	return is_local(u->host) || ends_with(u->host, "googleapis.com") || u->port[0] != '\0' || is_address(u->host) ||
	    ends_with(u->host, "amazonaws.com") || ends_with(u->host, "amazonaws.com.cn") ||
	    ends_with(u->host, "r2.cloudflarestorage.com");
}

/* The port is left out where it is the scheme's own: then libcurl does not send it, and what is sent is what is signed. */
static void
add_host(struct buf *b, const char *host, const char *port, const char *scheme)
{
	bool	 own = strcmp(port, strcmp(scheme, "https") == 0 ? "443" : "80") == 0;

	buf_printf(b, strchr(host, ':') != NULL ? "[%s]" : "%s", host);
	if (port[0] != '\0' && !own)
		buf_printf(b, ":%s", port);
}

static int
set_service(struct s3_config *c, const char *scheme, const char *host, const char *port, struct err *err)
{
	struct buf	 b = { 0 };

	c->google = ends_with(host, "googleapis.com");
	c->local = is_local(host);
	c->aws = false;
	if (scheme == NULL)
		scheme = c->local ? "http" : "https";
	add_host(&b, c->google ? "storage.googleapis.com" : host, port, scheme);
	free(c->host);
	free(c->scheme);
	c->host = buf_steal(&b);
	c->scheme = slice_dup(slice_of(scheme));
	return c->host == NULL || c->scheme == NULL ? no_memory(err) : 0;
}

int
s3_config_endpoint(struct s3_config *c, const char *text, const char *named, struct err *err)
{
	struct buf	 whole = { 0 };
	struct url	 u;
	bool		 schemed = strstr(text, "://") != NULL;
	int		 rc;

	buf_printf(&whole, "%s%s", schemed ? "" : "https://", text);
	rc = url_parse(&u, buf_slice(&whole), NULL);
	buf_free(&whole);
	if (rc != 0)
		return err_set(err, ERR_CONFIG, "%s must be like https://minio.example.com:9000", named);
	if (u.host[0] == '\0' || u.user != NULL || (u.path[0] != '\0' && strcmp(u.path, "/") != 0) || u.query != NULL ||
	    (strcmp(u.scheme, "http") != 0 && strcmp(u.scheme, "https") != 0))
		rc = err_set(err, ERR_CONFIG, "%s must be http:// or https:// and a host, with nothing behind it, like "
		    "https://minio.example.com:9000", named);
	else
		rc = set_service(c, schemed ? u.scheme : NULL, u.host, u.port, err);
	url_free(&u);
	return rc;
}

static int
take_bucket(struct s3_config *c, struct slice bucket, struct slice prefix, struct err *err)
{
	struct buf	 b = { 0 };

	if (bucket.n == 0)
		return err_set(err, ERR_CONFIG, "a bucket is required in the URL: s3://bucket/folder");
	s3_key_prefix(&b, prefix);
	if (!slice_is_utf8(buf_slice(&b)) || b.len > S3_KEY_MOST / 2) {
		buf_free(&b);
		return err_set(err, ERR_CONFIG, "the folder in the URL must be UTF-8 text of %d bytes at most", S3_KEY_MOST / 2);
	}
	c->bucket = slice_dup(bucket);
	c->prefix = b.len == 0 ? slice_dup(SLICE("")) : buf_steal(&b);
	return c->bucket == NULL || c->prefix == NULL ? no_memory(err) : 0;
}

/* The service named in front of the bucket, or the bucket itself. */
static int
take_place(struct s3_config *c, const struct url *u, const char *endpoint, struct err *err)
{
	struct slice	 path = slice_of(u->path), bucket = slice_of(u->host);

	if (path.n > 0 && path.p[0] == '/') {
		path.p++;
		path.n--;
	}
	c->aws = true;
	if (endpoint == NULL && is_service(u)) {
		if (set_service(c, NULL, u->host, u->port, err) != 0)
			return -1;
		if (!slice_cut(&path, '/', &bucket))
			bucket.n = 0;
	} else if (u->port[0] != '\0')
		return err_set(err, ERR_CONFIG, "with endpoint in the URL, the bucket stands in front: s3://bucket/folder?endpoint=...");
	return take_bucket(c, bucket, path, err);
}

static int
take_endpoint(struct s3_config *c, const char *endpoint, struct err *err)
{
	static const char *const variables[] = { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL" };

	if (endpoint != NULL)
		return s3_config_endpoint(c, endpoint, "endpoint in the URL", err);
	for (size_t i = 0; c->aws && i < NELEM(variables); i++) {
		const char *value = getenv(variables[i]);

		if (value != NULL && value[0] != '\0')
			return s3_config_endpoint(c, value, variables[i], err);
	}
	return 0;
}

static int
take_scheme(struct s3_config *c, const struct url *u, struct err *err)
{
	char	*scheme = parameter(u, "scheme");

	if (scheme != NULL && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
		free(scheme);
		return err_set(err, ERR_CONFIG, "scheme in the URL must be http or https");
	}
	if (scheme != NULL) {
		free(c->scheme);
		c->scheme = scheme;
	} else if (c->scheme == NULL && (c->scheme = slice_dup(SLICE("https"))) == NULL)
		return no_memory(err);
	return 0;
}

/* Google knows no regions: what the environment says is about AWS. */
static int
take_google_region(struct s3_config *c, const struct url *u, struct err *err)
{
	char	*region = parameter(u, "region");

	free(c->region);
	c->region = region != NULL ? region : slice_dup(SLICE("auto"));
	return c->region == NULL ? no_memory(err) : 0;
}

static int
parse(struct s3_config *c, const struct url *u, const char *endpoint, struct err *err)
{
	if (take_place(c, u, endpoint, err) != 0 || take_endpoint(c, endpoint, err) != 0 || take_scheme(c, u, err) != 0 ||
	    take_texts(c, u, err) != 0 || take_numbers(c, u, err) != 0 || take_words(c, u, err) != 0)
		return -1;
	return c->google ? take_google_region(c, u, err) : 0;
}

int
s3_config_parse(struct s3_config *c, const char *url, struct err *err)
{
	struct url	 u;
	char		*endpoint;
	int		 rc;

	*c = (struct s3_config){ 0 };
	if (url_parse(&u, slice_of(url), err) != 0)
		return -1;
	endpoint = parameter(&u, "endpoint");
	rc = parse(c, &u, endpoint, err);
	free(endpoint);
	url_free(&u);
	if (rc != 0)
		s3_config_free(c);
	return rc;
}

static void
wipe(char **text)
{
	if (*text != NULL)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void
s3_config_free(struct s3_config *c)
{
	for (size_t i = 0; i < NELEM(texts); i++)
		wipe(text_member(c, texts[i].member));
	free(c->bucket);
	free(c->prefix);
	free(c->scheme);
	free(c->host);
	*c = (struct s3_config){ 0 };
}

static bool
is_virtual(const struct s3_config *c)
{
	return c->addressing == S3_VIRTUAL ||
	    (c->addressing == S3_AUTO && c->aws && strchr(c->bucket, '.') == NULL);	/* certificates cover one level */
}

void
s3_address(const struct s3_config *c, const char *region, struct slice key, struct buf *host, struct buf *path)
{
	bool	 in_host = is_virtual(c);

	if (in_host)
		buf_printf(host, "%s.", c->bucket);
	if (c->host != NULL)
		buf_adds(host, c->host);
	else
		buf_printf(host, "s3.%s.amazonaws.com%s", region, strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
	buf_addc(path, '/');
	if (!in_host)
		buf_adds(path, c->bucket);
	if (key.n > 0 && !in_host)
		buf_addc(path, '/');
	buf_adds_slice(path, key);
}
