/* URLs and keys of S3: all forms, the options, and names that cannot collide or leave their place. */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/s3/s3_config.h"
#include "drivers/s3/s3_key.h"
#include "tests/support/vectors.h"

static int
no_environment(void **state)
{
	static const char *const names[] = { "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CA_BUNDLE",
		"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL" };

	(void)state;
	for (size_t i = 0; i < NELEM(names); i++)
		(void)unsetenv(names[i]);
	return 0;
}

static struct s3_config
config(const char *url)
{
	struct s3_config	 c;
	struct err		 err = { 0 };

	if (s3_config_parse(&c, url, &err) != 0)
		fail_msg("%s: %s", url, err.text);
	return c;
}

static void
assert_refused(const char *url, const char *why)
{
	struct s3_config	 c;
	struct err		 err = { 0 };

	assert_int_equal(s3_config_parse(&c, url, &err), -1);
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: said \"%s\", expected \"%s\"", url, err.text, why);
}

/* scheme://host/path of an object, as it goes out. */
static void
assert_goes_to(const char *url, const char *key, const char *where)
{
	struct s3_config	 c = config(url);
	struct buf		 host = { 0 }, path = { 0 }, whole = { 0 };

	s3_address(&c, c.region != NULL ? c.region : "us-west-2", slice_of(key), &host, &path);
	buf_printf(&whole, "%s://%s%s", c.scheme, buf_cstr(&host), buf_cstr(&path));
	assert_string_equal(buf_cstr(&whole), where);
	buf_free(&host);
	buf_free(&path);
	buf_free(&whole);
	s3_config_free(&c);
}

static void
check_place(const json_t *v)
{
	struct s3_config	 c = config(vectors_str(v, "url").p);
	struct slice		 endpoint = vectors_str(v, "endpoint");
	struct buf		 b = { 0 };

	assert_slice(slice_of(c.bucket), vectors_str(v, "bucket"));
	assert_slice(slice_of(c.prefix), vectors_str(v, "prefix"));
	assert_int_equal(c.aws, slice_is(vectors_str(v, "provider"), "aws"));
	assert_int_equal(c.google, slice_is(vectors_str(v, "provider"), "google"));
	if (endpoint.n > 0) {
		buf_printf(&b, "%s://%s", c.scheme, c.host);
		assert_slice(buf_slice(&b), endpoint);
	} else
		assert_null(c.host);
	buf_free(&b);
	s3_config_free(&c);
}

static void
every_golden_url_names_its_bucket(void **state)
{
	json_t	*root = vectors_load("tests/vectors/urls.json"), *v;
	size_t	 i, n = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "s3Bucket"), i, v)
		if (json_object_get(v, "defect") == NULL) {
			check_place(v);
			n++;
		}
	assert_int_equal(n, 10);
	json_decref(root);
}

static void
h53_other_services_are_named_by_endpoint_port_or_address(void **state)
{
	(void)state;
	assert_goes_to("s3://minio.example.com:9000/bucket/prefix", "k", "https://minio.example.com:9000/bucket/k");
	assert_goes_to("s3://my-localhost-bucket/x", "k", "https://s3.us-west-2.amazonaws.com/my-localhost-bucket/k");
	assert_goes_to("s3://b/x?endpoint=https://minio.example.com:9000", "x/k", "https://minio.example.com:9000/b/x/k");
	assert_goes_to("s3://b?endpoint=minio.example.com", "k", "https://minio.example.com/b/k");
	assert_goes_to("s3://b?endpoint=http://minio.example.com:80/", "k", "http://minio.example.com/b/k");
	assert_goes_to("s3://b?endpoint=minio.example.com&scheme=http", "k", "http://minio.example.com/b/k");
	assert_goes_to("s3://b?endpoint=localhost:9000", "k", "http://localhost:9000/b/k");
	assert_goes_to("s3://10.0.0.7/b/x", "k", "https://10.0.0.7/b/k");
	assert_goes_to("s3://[::1]:9000/b", "k", "http://[::1]:9000/b/k");
	assert_goes_to("s3://acc.r2.cloudflarestorage.com/b", "k", "https://acc.r2.cloudflarestorage.com/b/k");
	assert_goes_to("s3://s3.localhost.localstack.cloud:4566/b", "k", "http://s3.localhost.localstack.cloud:4566/b/k");
	assert_goes_to("s3://bucket.with.dots", "k", "https://s3.us-west-2.amazonaws.com/bucket.with.dots/k");
}

static void
the_region_is_part_of_aws_addresses(void **state)
{
	(void)state;
	assert_goes_to("s3://b?region=eu-west-1", "k", "https://s3.eu-west-1.amazonaws.com/b/k");
	assert_goes_to("s3://b?region=cn-north-1", "k", "https://s3.cn-north-1.amazonaws.com.cn/b/k");
	assert_goes_to("s3://b?region=eu-west-1&addressing=virtual", "k", "https://b.s3.eu-west-1.amazonaws.com/k");
	assert_goes_to("s3://b?addressing=auto", "", "https://b.s3.us-west-2.amazonaws.com/");
	assert_goes_to("s3://b.c?addressing=auto", "k", "https://s3.us-west-2.amazonaws.com/b.c/k");
	assert_goes_to("s3://b?addressing=auto&endpoint=minio:9000", "", "https://minio:9000/b");
}

static void
h54_an_empty_parameter_counts_as_absent_and_the_environment_speaks(void **state)
{
	struct s3_config	 c;

	(void)state;
	(void)setenv("AWS_DEFAULT_REGION", "eu-north-1", 1);
	c = config("s3://b?region=&access-key-id=&secret-access-key=&session-token=");
	assert_string_equal(c.region, "eu-north-1");
	assert_null(c.access_key);
	assert_null(c.secret);
	assert_null(c.token);
	s3_config_free(&c);
	(void)setenv("AWS_REGION", "eu-south-1", 1);
	(void)setenv("AWS_ENDPOINT_URL", "https://gateway:8443", 1);
	c = config("s3://b?secret-access-key=a%2Bb%2Fc&access-key-id=k");
	assert_string_equal(c.region, "eu-south-1");
	assert_string_equal(c.secret, "a+b/c");
	assert_string_equal(c.host, "gateway:8443");
	s3_config_free(&c);
	c = config("s3://storage.googleapis.com/b");
	assert_string_equal(c.region, "auto");		/* AWS's variables are about AWS */
	assert_string_equal(c.host, "storage.googleapis.com");
	s3_config_free(&c);
	(void)no_environment(NULL);
}

static void
numbers_keep_the_meaning_they_had(void **state)
{
	struct s3_config	 c = config("s3://b?uploadTasks=4&maxBatchSize=-1&max-retries=many");

	(void)state;
	assert_int_equal(c.tasks, 4);
	assert_int_equal(c.batch, 0);
	assert_int_equal(c.attempts, 5);
	assert_true(c.odd_retries);
	s3_config_free(&c);
	c = config("s3://b?maxBatchSize=77&max-retries=3&uploadTasks=0");
	assert_int_equal(c.batch, 77);
	assert_int_equal(c.attempts, 3);
	assert_int_equal(c.tasks, S3_TASKS);
	assert_false(c.odd_retries);
	s3_config_free(&c);
}

static void
what_cannot_be_meant_is_refused_with_what_was_expected(void **state)
{
	(void)state;
	assert_refused("s3://", "bucket is required");
	assert_refused("s3://localhost:4566", "bucket is required");
	assert_refused("s3://b?uploadTasks=x", "uploadTasks in the URL must be a number");
	assert_refused("s3://b?uploadTasks=5000", "between 1 and 1024");
	assert_refused("s3://b?addressing=dns", "path or virtual or auto");
	assert_refused("s3://b?format=parquet", "json or ndjson");
	assert_refused("s3://b?format=ndjson&unique=1", "unique=1");
	assert_refused("s3://b?scheme=ftp", "http or https");
	assert_refused("s3://b?endpoint=https://minio/path", "nothing behind it");
	assert_refused("s3://b?endpoint=https://u:p@minio", "nothing behind it");
	assert_refused("s3://b:9000/x?endpoint=https://minio", "bucket stands in front");
	assert_refused("s3://b?access-key-id=k", "no secret-access-key");
	assert_refused("s3://b?secret-access-key=k", "no access-key-id");
}

static void
h51_an_error_never_quotes_the_url(void **state)
{
	struct s3_config	 c;
	struct err		 err = { 0 };

	(void)state;
	assert_int_equal(s3_config_parse(&c, "s3://b?secret-access-key=topsecret&access-key-id=k&timeout=topsecret", &err), -1);
	assert_null(strstr(err.text, "topsecret"));
}

/* ---- keys */

static void
assert_key(struct slice got, const char *want)
{
	assert_slice(got, slice_of(want));
}

static void
check_key(const json_t *v)
{
	struct slice	 prefix = vectors_str(v, "prefix");
	struct event	 ev = { .table = vectors_str(v, "table"), .primary_key = vectors_str(v, "primaryKey"),
		.timestamp_ms = json_integer_value(json_object_get(v, "timestampMs")) };
	struct buf	 clean = { 0 }, key = { 0 };
	const json_t	*path = json_object_get(v, "schemaValidatedPath");

	s3_key_prefix(&clean, prefix);
	assert_slice(buf_slice(&clean), prefix);
	if (path != NULL)
		s3_key_path(&key, buf_slice(&clean), slice_of(json_string_value(path)));
	else
		s3_key_event(&key, buf_slice(&clean), &ev, false);
	assert_slice(buf_slice(&key), vectors_str(v, "key"));
	buf_free(&clean);
	buf_free(&key);
}

/* Paths are cleaned where they are made (worker/rules/template.h). */
static bool
is_unclean(const json_t *path)
{
	return path != NULL && json_string_value(path)[0] == '/';
}

static void
every_golden_key_comes_out(void **state)
{
	json_t	*root = vectors_load("tests/vectors/object-keys.json"), *v;
	size_t	 i, n = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "s3"), i, v)
		if (json_object_get(v, "defect") == NULL && !is_unclean(json_object_get(v, "schemaValidatedPath"))) {
			check_key(v);
			n++;
		}
	assert_int_equal(n, 6);
	json_decref(root);
}

static void
assert_event_key(const char *table, const char *pk, const char *want)
{
	struct event	 ev = { .table = slice_of(table), .primary_key = slice_of(pk), .timestamp_ms = 1999 };
	struct buf	 key = { 0 };

	s3_key_event(&key, SLICE("p/"), &ev, false);
	assert_key(buf_slice(&key), want);
	buf_free(&key);
}

static void
h34_a_key_cannot_leave_its_table(void **state)
{
	(void)state;
	assert_event_key("t", "../x", "p/t/1-..%2Fx.json");
	assert_event_key("t", "a/b", "p/t/1-a%2Fb.json");
	assert_event_key("t", "a%2Fb", "p/t/1-a%252Fb.json");	/* so that it is not the one above */
	assert_event_key("t", "100%", "p/t/1-100%.json");
	assert_event_key("..", "x", "p/%2E./1-x.json");
	assert_event_key(".", "x", "p/%2E/1-x.json");
	assert_event_key("../..", "x", "p/..%2F../1-x.json");
	assert_event_key("t", "a\nb", "p/t/1-a%0Ab.json");
}

static void
a_prefix_is_made_of_the_elements_that_count(void **state)
{
	static const char *const cases[][2] = { { "", "" }, { "/", "" }, { "a", "a/" }, { "//a/./b//", "a/b/" }, { "a/../b", "b/" },
		{ "../../x", "x/" }, { "a/..", "" } };
	struct buf	 b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		buf_reset(&b);
		s3_key_prefix(&b, slice_of(cases[i][0]));
		assert_key(buf_slice(&b), cases[i][1]);
	}
	buf_free(&b);
}

static void
unique_key(struct buf *b, const char *pk, const char *mvcc, const char *id)
{
	struct event	 ev = { .table = SLICE("t"), .primary_key = slice_of(pk), .timestamp_ms = 1000, .id = slice_of(id),
		.mvcc_timestamp = slice_of(mvcc) };

	buf_reset(b);
	s3_key_event(b, SLICE(""), &ev, true);
}

static void
h26_with_unique_no_two_events_share_a_key(void **state)
{
	static const char *const events[][3] = { { "a", "1.0", "e1" }, { "a", "1.0", "e2" }, { "a~10~x", "1.0", "e1" },
		{ "a", "1.0", "x~10~e1" }, { "a", "1.0", "x%7E10%7Ee1" }, { "a", NULL, "e1" }, { "a~1", "0", "e1" },
		{ "a", "1.0", "e/1" }, { "a", "1.0", "e%2F1" } };
	struct buf	 keys[NELEM(events)] = { { 0 } };

	(void)state;
	for (size_t i = 0; i < NELEM(events); i++) {
		unique_key(&keys[i], events[i][0], events[i][1], events[i][2]);
		for (size_t k = 0; k < i; k++)
			assert_false(slice_eq(buf_slice(&keys[i]), buf_slice(&keys[k])));
	}
	assert_key(buf_slice(&keys[0]), "t/1-a~10~e1.json");
	for (size_t i = 0; i < NELEM(events); i++)
		buf_free(&keys[i]);
}

static void
a_roll_is_named_after_its_first_event_alone(void **state)
{
	struct event	 ev = { .table = SLICE("a/b"), .primary_key = SLICE("x"), .timestamp_ms = 1720732611708 };
	struct buf	 b = { 0 };

	(void)state;
	s3_key_roll(&b, SLICE("p/"), &ev, 42, true);
	assert_key(buf_slice(&b), "p/a%2Fb/date=2024-07-11/00000000000000000042-1720732611708.ndjson.gz");
	buf_reset(&b);
	s3_key_import(&b, SLICE(""), &ev, SLICE("job-1"), false);
	assert_non_null(strstr(buf_cstr(&b), "a%2Fb/import-job-1/"));
	assert_non_null(strstr(buf_cstr(&b), ".ndjson"));
	buf_reset(&b);
	ev.timestamp_ms = INT64_MAX;
	s3_key_roll(&b, SLICE(""), &ev, 1, false);
	assert_non_null(strstr(buf_cstr(&b), "/date=unknown/"));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_golden_url_names_its_bucket),
		cmocka_unit_test(h53_other_services_are_named_by_endpoint_port_or_address),
		cmocka_unit_test(the_region_is_part_of_aws_addresses),
		cmocka_unit_test(h54_an_empty_parameter_counts_as_absent_and_the_environment_speaks),
		cmocka_unit_test(numbers_keep_the_meaning_they_had),
		cmocka_unit_test(what_cannot_be_meant_is_refused_with_what_was_expected),
		cmocka_unit_test(h51_an_error_never_quotes_the_url),
		cmocka_unit_test(every_golden_key_comes_out),
		cmocka_unit_test(h34_a_key_cannot_leave_its_table),
		cmocka_unit_test(a_prefix_is_made_of_the_elements_that_count),
		cmocka_unit_test(h26_with_unique_no_two_events_share_a_key),
		cmocka_unit_test(a_roll_is_named_after_its_first_event_alone),
	};

	return cmocka_run_group_tests(tests, no_environment, NULL);
}
