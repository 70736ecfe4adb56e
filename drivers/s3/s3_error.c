/* From an answer to what is to be done about it. */

#include <stdio.h>

#include <curl/curl.h>

#include "drivers/s3/s3_error.h"
#include "drivers/s3/xml.h"

struct known {
	const char	*code;		/* one that ends with * stands for all that begin so */
	enum s3_fate	 fate;
	const char	*remedy;
};

#define RIGHTS	"allow these credentials s3:PutObject on the bucket"

static const struct known codes[] = {
	{ "SlowDown*", S3_SLOWER, NULL },
	{ "Throttling*", S3_SLOWER, NULL },
	{ "TooManyRequests*", S3_SLOWER, NULL },
	{ "RequestLimitExceeded", S3_SLOWER, NULL },
	{ "BandwidthLimitExceeded", S3_SLOWER, NULL },
	{ "RequestTimeout", S3_AGAIN, NULL },
	{ "RequestTimeTooSlow", S3_AGAIN, NULL },
	{ "OperationAborted", S3_AGAIN, NULL },
	{ "ConditionalRequestConflict", S3_AGAIN, NULL },
	{ "PriorRequestNotComplete", S3_AGAIN, NULL },
	{ "BadDigest", S3_AGAIN, NULL },
	{ "XAmzContentSHA256Mismatch", S3_AGAIN, NULL },
	{ "ExpiredToken*", S3_CREDENTIALS, "renew the session token" },
	{ "TokenRefreshRequired", S3_CREDENTIALS, "renew the session token" },
	{ "RequestTimeTooSkewed", S3_CLOCK, "set this machine's clock" },
	{ "AuthorizationHeaderMalformed", S3_REGION, "write the bucket's region into the URL: region=..." },
	{ "PermanentRedirect", S3_REGION, "write the bucket's region into the URL: region=..." },
	{ "TemporaryRedirect", S3_REGION, NULL },
	{ "Redirect", S3_REGION, NULL },
	{ "IllegalLocationConstraintException", S3_REGION, "write the bucket's region into the URL: region=..." },
	{ "NoSuchBucket", S3_DENIED, "create the bucket, or correct its name in the URL" },
	{ "InvalidBucketName", S3_DENIED, "correct the bucket's name in the URL" },
	{ "AccessDenied", S3_DENIED, RIGHTS },
	{ "AllAccessDisabled", S3_DENIED, RIGHTS },
	{ "InvalidAccessKeyId", S3_DENIED, "correct the access key id" },
	{ "SignatureDoesNotMatch", S3_DENIED, "correct the secret access key; in a URL + is written %2B and / %2F" },
	{ "InvalidToken", S3_DENIED, "correct the session token" },
	{ "AccountProblem", S3_DENIED, "ask the provider what is wrong with the account" },
	{ "InvalidStorageClass", S3_DENIED, "correct storage-class in the URL" },
	{ "AccessControlListNotSupported", S3_DENIED, "take acl out of the URL" },
	{ "KMS*", S3_DENIED, "correct sse-kms-key-id in the URL, or allow these credentials to use that key" },
	{ "NotImplemented", S3_DENIED, "the service does not know an option of the URL: take sse, acl and storage-class out" },
	{ "MethodNotAllowed", S3_DENIED, "the address in the URL does not take objects" },
	{ "QuotaExceeded", S3_DENIED, "raise the quota or remove objects, delivery then goes on by itself" },
	{ "XMinioStorageFull", S3_DENIED, "free some space there, delivery then goes on by itself" },
	{ "KeyTooLong*", S3_THIS_ONE, NULL },
	{ "EntityTooLarge", S3_THIS_ONE, NULL },
	{ "XMinioInvalidObjectName", S3_THIS_ONE, NULL },
	{ "MetadataTooLarge", S3_ODD_REQUEST, NULL },
	{ "InvalidRequest", S3_ODD_REQUEST, NULL },
	{ "InvalidArgument", S3_ODD_REQUEST, NULL },
	{ "InvalidURI", S3_ODD_REQUEST, NULL },
};

static const struct known *
known_code(const char *code)
{
	for (size_t i = 0; i < NELEM(codes); i++) {
		size_t	 n = strlen(codes[i].code);

		if (codes[i].code[n - 1] == '*' ? strncmp(codes[i].code, code, n - 1) == 0 : strcmp(codes[i].code, code) == 0)
			return &codes[i];
	}
	return NULL;
}

static enum s3_fate
fate_of_status(long status)
{
	if (status == 429 || status == 503 || status == 509)
		return S3_SLOWER;
	if (status >= 500 || status == 408 || status == 409)
		return S3_AGAIN;
	if (status == 301 || status == 307 || status == 308)
		return S3_REGION;
	if (status == 413 || status == 414)
		return S3_THIS_ONE;
	if (status >= 200 && status < 300)
		return S3_STORED;
	return status == 400 ? S3_ODD_REQUEST : S3_DENIED;
}

/* Printable text of limited length; what the server says goes to a terminal. */
static void
copy_text(char *out, size_t size, struct slice text)
{
	size_t	 n = 0;

	for (size_t i = 0; i < text.n && n + 1 < size; i++)
		out[n++] = (unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ? ' ' : text.p[i];
	while (n > 0 && n + 1 == size && ((unsigned char)out[n - 1] & 0x80) != 0)
		n--;			/* not half a character */
	out[n] = '\0';
}

static void
take_element(struct slice body, const char *name, char *out, size_t size)
{
	struct buf	 text = { 0 };

	if (xml_text(body, name, &text))
		copy_text(out, size, buf_slice(&text));
	buf_free(&text);
}

static int64_t
date_header(const struct https_answer *answer)
{
	struct slice	 value = https_header(answer, "Date");
	char		 date[64];
	time_t		 t;

	copy_text(date, sizeof(date), value);
	t = value.p == NULL ? -1 : curl_getdate(date, NULL);
	return t <= 0 ? 0 : (int64_t)t * 1000;
}

void
s3_error_parse(struct s3_error *e, const struct https_answer *answer)
{
	const struct known	*known;
	struct slice		 region;

	*e = (struct s3_error){ .status = answer->status, .fate = fate_of_status(answer->status),
	    .retry_after_ms = answer->retry_after_ms };
	if (e->fate == S3_STORED)
		return;
	take_element(answer->body, "Code", e->code, sizeof(e->code));
	take_element(answer->body, "Message", e->message, sizeof(e->message));
	take_element(answer->body, "Region", e->region, sizeof(e->region));
	if ((region = https_header(answer, "x-amz-bucket-region")).n > 0)
		copy_text(e->region, sizeof(e->region), region);
	copy_text(e->request_id, sizeof(e->request_id), https_header(answer, "x-amz-request-id"));
	if ((known = known_code(e->code)) != NULL)
		e->fate = known->fate;
	if (e->fate == S3_CLOCK)
		e->clock_ms = date_header(answer);
}

static void
add_without(struct buf *b, const char *text, struct slice hide)
{
	const char	*found;

	while (hide.n > 0 && (found = memmem(text, strlen(text), hide.p, hide.n)) != NULL) {
		buf_add(b, text, (size_t)(found - text));
		buf_adds(b, "...");
		text = found + hide.n;
	}
	buf_adds(b, text);
}

void
s3_error_text(const struct s3_error *e, struct slice hide, struct buf *b)
{
	const struct known	*known = known_code(e->code);

	if (e->code[0] != '\0')
		buf_printf(b, "%s: ", e->code);
	add_without(b, e->message, hide);
	buf_printf(b, "%s(HTTP %ld", e->message[0] != '\0' ? " " : "", e->status);
	if (e->request_id[0] != '\0')
		buf_printf(b, ", request %s", e->request_id);
	buf_addc(b, ')');
	if (known != NULL && known->remedy != NULL)
		buf_printf(b, "; %s", known->remedy);
	else if (e->code[0] == '\0' && e->status == 403)
		buf_adds(b, "; " RIGHTS);
}
