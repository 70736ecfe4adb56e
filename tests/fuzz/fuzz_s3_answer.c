/*
 * What an S3 service, STS, a container's or an instance's service may answer, and what a profile
 * and a file of noted ends may hold.  The first byte says which of them the rest is.
 */

#include <stdlib.h>

#include "drivers/s3/cred_private.h"
#include "drivers/s3/s3_cuts.h"
#include "drivers/s3/s3_error.h"
#include "drivers/s3/xml.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* Head and body of an answer, with an empty line between. */
static void
try_error(struct slice text)
{
	const char		*end = text.n == 0 ? NULL : memmem(text.p, text.n, "\n\n", 2);
	size_t			 n = end == NULL ? 0 : (size_t)(end - text.p);
	struct https_answer	 a = { .status = 100 + (long)(text.n * 7 % 500), .headers = { text.p, n },
		.body = { text.p + n, text.n - n } };
	struct s3_error		 e;
	struct buf		 b = { 0 };

	s3_error_parse(&e, &a);
	s3_error_text(&e, SLICE("key"), &b);
	if (!is_printable(e.code) || !is_printable(e.message) || !is_printable(e.region) || !is_printable(e.request_id))
		abort();
	buf_free(&b);
}

static void
try_credentials(struct slice text, int (*parse)(struct slice, struct cred *, struct err *))
{
	struct cred	 c = { 0 };
	struct err	 err = { 0 };

	if (parse(text, &c, &err) == 0) {
		if (c.access_key[0] == '\0' || c.secret[0] == '\0' || strpbrk(c.access_key, "\r\n ") != NULL ||
		    (c.token != NULL && strpbrk(c.token, "\r\n ") != NULL))
			abort();
	} else if (c.access_key != NULL || err.text[0] == '\0')
		abort();
	cred_clear(&c);
}

static void
try_profile(struct slice text)
{
	struct profile	 p = { 0 };

	if (profile_parse(&p, text, false, "default", NULL) != 0 || profile_parse(&p, text, true, "work", NULL) != 0)
		abort();
	if (p.access_key != NULL && (p.access_key[0] == '\0' || strchr(p.access_key, '\n') != NULL))
		abort();
	profile_free(&p);
}

static void
try_cuts(struct slice text)
{
	uint64_t	 v[8];

	if (s3_cuts_parse(text, v, NELEM(v)) > text.n / 20)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	 text = { (const char *)data + 1, len - 1 };

	if (len == 0)
		return 0;
	switch (data[0]) {
	case 'e':
		try_error(text);
		break;
	case 'j':
		try_credentials(text, cred_parse_json);
		break;
	case 's':
		try_credentials(text, cred_parse_sts);
		break;
	case 'p':
		try_profile(text);
		break;
	case 'c':
		try_cuts(text);
		break;
	}
	return 0;
}
