/* What comes from outside, taken apart: error documents, credentials, profiles, noted ends of rolls. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/s3/cred_private.h"
#include "drivers/s3/s3_cuts.h"
#include "drivers/s3/s3_error.h"
#include "drivers/s3/xml.h"
#include "tests/support/cmocka_all.h"

static void
assert_xml(const char *document, const char *name, const char *want)
{
	struct buf	 b = { 0 };
	bool		 found = xml_text(slice_of(document), name, &b);

	assert_int_equal(found, want != NULL);
	assert_string_equal(buf_cstr(&b), want != NULL ? want : "");
	buf_free(&b);
}

static void
the_text_of_an_element_is_found_and_decoded(void **state)
{
	(void)state;
	assert_xml("<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>", "Code", "SlowDown");
	assert_xml("<e:Error xmlns:e=\"x\"><e:Code a='1'> Slow\n</e:Code></e:Error>", "Code", "Slow");
	assert_xml("<M>a &amp; &lt;b&gt; &#39;&#x2019;&bogus; &</M>", "M", "a & <b> '\xe2\x80\x99&bogus; &");
	assert_xml("<A/><A>x</A>", "A", "");
	assert_xml("<Codes>1</Codes>", "Code", NULL);
	assert_xml("<Code>cut off", "Code", NULL);
	assert_xml("<Code", "Code", NULL);
	assert_xml("</Code><Code>", "Code", NULL);
	assert_xml("", "Code", NULL);
	assert_xml("<", "Code", NULL);
	assert_xml("<M>&#0;&#xFFFFFFFFF;&#;</M>", "M", "&#0;&#xFFFFFFFFF;&#;");
}

static struct s3_error
error_of(long status, const char *body, const char *headers)
{
	struct https_answer	 a = { .status = status, .body = slice_of(body), .headers = slice_of(headers) };
	struct s3_error		 e;

	s3_error_parse(&e, &a);
	return e;
}

static enum s3_fate
fate(long status, const char *code)
{
	char	 body[200];

	(void)snprintf(body, sizeof(body), "<Error><Code>%s</Code></Error>", code);
	return error_of(status, code[0] == '\0' ? "" : body, "").fate;
}

static void
every_kind_of_answer_has_its_fate(void **state)
{
	(void)state;
	assert_int_equal(fate(200, ""), S3_STORED);
	assert_int_equal(fate(204, ""), S3_STORED);
	assert_int_equal(fate(503, "SlowDown"), S3_SLOWER);
	assert_int_equal(fate(503, "SlowDownWrite"), S3_SLOWER);
	assert_int_equal(fate(429, ""), S3_SLOWER);
	assert_int_equal(fate(500, "InternalError"), S3_AGAIN);
	assert_int_equal(fate(502, ""), S3_AGAIN);
	assert_int_equal(fate(400, "RequestTimeout"), S3_AGAIN);
	assert_int_equal(fate(400, "BadDigest"), S3_AGAIN);
	assert_int_equal(fate(409, "OperationAborted"), S3_AGAIN);
	assert_int_equal(fate(400, "ExpiredToken"), S3_CREDENTIALS);
	assert_int_equal(fate(403, "RequestTimeTooSkewed"), S3_CLOCK);
	assert_int_equal(fate(400, "AuthorizationHeaderMalformed"), S3_REGION);
	assert_int_equal(fate(301, ""), S3_REGION);
	assert_int_equal(fate(307, "TemporaryRedirect"), S3_REGION);
	assert_int_equal(fate(403, "AccessDenied"), S3_DENIED);
	assert_int_equal(fate(403, ""), S3_DENIED);
	assert_int_equal(fate(404, "NoSuchBucket"), S3_DENIED);
	assert_int_equal(fate(400, "KMS.DisabledException"), S3_DENIED);
	assert_int_equal(fate(400, "KeyTooLongError"), S3_THIS_ONE);
	assert_int_equal(fate(400, "EntityTooLarge"), S3_THIS_ONE);
	assert_int_equal(fate(413, ""), S3_THIS_ONE);
	assert_int_equal(fate(400, "InvalidArgument"), S3_ODD_REQUEST);
	assert_int_equal(fate(400, "SomethingNew"), S3_ODD_REQUEST);
}

static void
region_clock_and_request_id_are_taken_along(void **state)
{
	struct s3_error	 e = error_of(400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
	    "HTTP/1.1 400 Bad\r\nx-amz-request-id: 7F3A\r\n\r\n");

	(void)state;
	assert_string_equal(e.region, "eu-west-1");
	assert_string_equal(e.request_id, "7F3A");
	e = error_of(301, "", "HTTP/1.1 301 Moved\r\nX-Amz-Bucket-Region: ap-south-1\r\n\r\n");
	assert_string_equal(e.region, "ap-south-1");
	e = error_of(403, "<Code>RequestTimeTooSkewed</Code>", "HTTP/1.1 403 F\r\nDate: Fri, 24 May 2013 00:00:00 GMT\r\n\r\n");
	assert_true(e.clock_ms == 1369353600000);
	e = error_of(403, "<Code>RequestTimeTooSkewed</Code>", "HTTP/1.1 403 F\r\nDate: whenever\r\n\r\n");
	assert_true(e.clock_ms == 0);
}

static void
h51_an_error_text_names_the_remedy_and_no_row(void **state)
{
	struct s3_error	 e = error_of(403, "<Error><Code>AccessDenied</Code><Message>may not put t/1-jane@x.org.json\n\x1b[0m now"
	    "</Message></Error>", "x-amz-request-id: R1\n");
	struct buf	 b = { 0 };

	(void)state;
	s3_error_text(&e, SLICE("t/1-jane@x.org.json"), &b);
	assert_string_equal(buf_cstr(&b), "AccessDenied: may not put ...  [0m now (HTTP 403, request R1); allow these "
	    "credentials s3:PutObject on the bucket");
	buf_free(&b);
}

/* ---- credentials */

static void
credentials_come_as_json(void **state)
{
	struct cred	 c = { 0 };
	struct err	 err = { 0 };

	(void)state;
	assert_int_equal(cred_parse_json(SLICE("{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\\/x\","
	    "\"Token\":\"t\",\"Expiration\":\"2026-11-26T20:00:00Z\",\"Other\":[1]}"), &c, &err), 0);
	assert_string_equal(c.access_key, "A");
	assert_string_equal(c.secret, "s/x");
	assert_string_equal(c.token, "t");
	assert_true(c.expires_ms == 1795723200000);
	assert_int_equal(cred_parse_json(SLICE("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}"), &c, &err), 0);
	assert_null(c.token);
	assert_true(c.expires_ms == 0);
	cred_clear(&c);
}

static void
bad_credentials_are_refused_without_being_quoted(void **state)
{
	static const char *const bad[] = { "", "[]", "{", "{\"AccessKeyId\":\"topsecret\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"topsecret\\r\\nX: y\"}", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"topsecret\",\"Expiration\":\"soon\"}",
		"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":5}" };
	struct cred	 c = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		struct err err = { 0 };

		assert_int_equal(cred_parse_json(slice_of(bad[i]), &c, &err), -1);
		assert_null(strstr(err.text, "topsecret"));
		assert_null(c.access_key);
	}
}

static void
credentials_of_sts_come_as_xml(void **state)
{
	struct cred	 c = { 0 };
	struct err	 err = { 0 };

	(void)state;
	assert_int_equal(cred_parse_sts(SLICE("<R><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
	    "<SessionToken>t+/=</SessionToken><Expiration>2026-11-26T20:00:00.123Z</Expiration></Credentials></R>"), &c, &err), 0);
	assert_string_equal(c.token, "t+/=");
	assert_true(c.of_sts);
	assert_true(c.expires_ms == 1795723200123);
	cred_clear(&c);
	assert_int_equal(cred_parse_sts(SLICE("<AccessKeyId>A</AccessKeyId>"), &c, &err), -1);
}

/* ---- profiles */

static void
a_profile_is_made_of_both_files(void **state)
{
	struct profile	 p = { 0 };
	struct err	 err;

	(void)state;
	assert_int_equal(profile_parse(&p, SLICE("# mine\n[other]\naws_access_key_id=no\n\n[ work ]\naws_access_key_id = A \r\n"
	    "aws_secret_access_key=s=1/+\nnonsense\n=x\n"), false, "work", &err), 0);
	assert_int_equal(profile_parse(&p, SLICE("[work]\nregion=no\n[profile work]\nregion = eu-west-1\ns3 =\n  region = nested\n"
	    "\tendpoint_url = nested\nrole_arn=arn:x\naws_access_key_id=second\n[default]\nregion=no\n"), true, "work", &err), 0);
	assert_true(p.found);
	assert_string_equal(p.access_key, "A");
	assert_string_equal(p.secret, "s=1/+");
	assert_string_equal(p.region, "eu-west-1");
	assert_string_equal(p.role_arn, "arn:x");
	assert_null(p.endpoint_url);
	profile_free(&p);
	assert_int_equal(profile_parse(&p, SLICE("[default]\nregion=a"), true, "default", &err), 0);
	assert_string_equal(p.region, "a");
	profile_free(&p);
}

/* ---- noted ends */

static void
ends_of_rolls_survive_and_cut_what_comes_again(void **state)
{
	char		 dir[] = "/tmp/eds-test-cuts-XXXXXX", path[80], folder[64];
	struct s3_cuts	*c = NULL;
	struct err	 err = { 0 };
	FILE		*f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(folder, sizeof(folder), "%s/s3", dir);
	(void)snprintf(path, sizeof(path), "%s/rolls", folder);
	assert_int_equal(s3_cuts_open(&c, folder, &err), 0);
	assert_int_equal(s3_cuts_end(c, 1, 100), 100);
	assert_int_equal(s3_cuts_add(c, 10, &err), 0);
	assert_int_equal(s3_cuts_add(c, 25, &err), 0);
	s3_cuts_close(&c);

	assert_non_null(f = fopen(path, "a"));		/* a line that a crash has cut off */
	assert_true(fprintf(f, "0000000000000") > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(s3_cuts_open(&c, folder, &err), 0);
	assert_int_equal(s3_cuts_end(c, 1, 100), 10);
	assert_int_equal(s3_cuts_end(c, 10, 100), 10);
	assert_int_equal(s3_cuts_end(c, 11, 100), 25);
	assert_int_equal(s3_cuts_end(c, 11, 20), 20);
	assert_int_equal(s3_cuts_end(c, 26, 100), 100);
	for (uint64_t i = 100; i < 100 + 6 * S3_CUTS_KEPT; i++)
		assert_int_equal(s3_cuts_add(c, i, &err), 0);
	s3_cuts_close(&c);
	assert_int_equal(s3_cuts_open(&c, folder, &err), 0);
	assert_int_equal(s3_cuts_end(c, 1, UINT64_MAX), 100 + 5 * S3_CUTS_KEPT);	/* the latest are kept */
	s3_cuts_close(&c);
	(void)unlink(path);
	(void)rmdir(folder);
	(void)rmdir(dir);
}

static void
a_file_of_ends_may_hold_anything(void **state)
{
	uint64_t	 v[4];

	(void)state;
	assert_int_equal(s3_cuts_parse(SLICE("00000000000000000007\nx\n0000000000000000000a\n00000000000000000008\n00000000000000000009"),
	    v, 4), 2);
	assert_int_equal(v[0], 7);
	assert_int_equal(v[1], 8);
	assert_int_equal(s3_cuts_parse(SLICE(""), v, 4), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_of_an_element_is_found_and_decoded),
		cmocka_unit_test(every_kind_of_answer_has_its_fate),
		cmocka_unit_test(region_clock_and_request_id_are_taken_along),
		cmocka_unit_test(h51_an_error_text_names_the_remedy_and_no_row),
		cmocka_unit_test(credentials_come_as_json),
		cmocka_unit_test(bad_credentials_are_refused_without_being_quoted),
		cmocka_unit_test(credentials_of_sts_come_as_xml),
		cmocka_unit_test(a_profile_is_made_of_both_files),
		cmocka_unit_test(ends_of_rolls_survive_and_cut_what_comes_again),
		cmocka_unit_test(a_file_of_ends_may_hold_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
