/* Filled-in forms of HQ and the URLs they make, by hand and against the golden values. */

#include "tests/support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/fields_url.h"
#include "drivers/s3/s3_config.h"
#include "ipc/base/url.h"

/* "url" or "!field: error; field: error". */
static void
outcome(struct buf *out, const char *scheme, const json_t *values)
{
	const struct driver_form	*form = driver_form_by_scheme(slice_of(scheme));
	struct field_errors		 errors = { 0 };

	assert_non_null(form);
	if (!fields_url(form, values, out, &errors)) {
		assert_true(errors.n > 0);
		assert_int_equal(out->len, 0);
		for (size_t i = 0; i < errors.n; i++)
			buf_printf(out, "%s%s: %s", i == 0 ? "!" : "; ", errors.v[i].field, errors.v[i].error);
	}
	field_errors_free(&errors);
}

static void
expect(const char *scheme, const char *json, const char *want)
{
	json_t		*values = json_loads(json, JSON_ALLOW_NUL, NULL);
	struct buf	 got = { 0 };

	assert_non_null(values);
	outcome(&got, scheme, values);
	assert_string_equal(buf_cstr(&got), want);
	buf_free(&got);
	json_decref(values);
}

/* Hazard H39 wants an error where the reference takes the usual port; H38 where its URL is of no use. */
static bool
is_corrected(const json_t *c)
{
	const json_t	*values = json_object_get(c, "values"), *port = json_object_get(values, "Port");

	return strstr(json_string_value(json_object_get(c, "url")), "://a b:") != NULL ||
	    (json_is_string(port) && strcmp(json_string_value(port), "abc") == 0);
}

static void
golden_case(const char *scheme, const json_t *c)
{
	const json_t	*error = json_array_get(json_object_get(c, "fieldErrors"), 0);
	struct slice	 url = vectors_str(c, "correctUrl");
	struct buf	 want = { 0 }, got = { 0 };

	if (url.p == NULL)
		url = vectors_str(c, "url");
	if (error != NULL)
		buf_printf(&want, "!%s: %s", json_string_value(json_object_get(error, "field")),
		    json_string_value(json_object_get(error, "error")));
	else
		buf_adds_slice(&want, url);
	outcome(&got, scheme, json_object_get(c, "values"));
	assert_string_equal(buf_cstr(&got), buf_cstr(&want));
	buf_free(&want);
	buf_free(&got);
}

static void
forms_make_the_golden_urls(void **state)
{
	json_t		*root = vectors_load("tests/vectors/urls.json"), *cases, *c;
	const char	*scheme;
	size_t		 i, n = 0;

	(void)state;
	json_object_foreach(json_object_get(root, "validate"), scheme, cases) {
		json_array_foreach(cases, i, c) {
			const char *note = json_string_value(json_object_get(c, "precondition"));

			if (is_corrected(c) || note != NULL)
				continue;	/* below */
			golden_case(scheme, c);
			n++;
		}
	}
	assert_true(n > 80);
	json_decref(root);
}

static void
h38_credentials_survive_the_url(void **state)
{
	static const char secret[] = "p@ss:/w#r?d%+&= ü";
	struct url	 u;
	struct buf	 text = { 0 };
	struct err	 err = { 0 };
	json_t		*values = json_pack("{s:s,s:s,s:s,s:s}", "Hostname", "db.example.com", "Database", "a/b?c", "Username",
			    "us er@x", "Password", secret);

	(void)state;
	outcome(&text, "postgres", values);
	if (url_parse(&u, buf_slice(&text), &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(u.user, "us er@x");
	assert_string_equal(u.password, secret);
	assert_string_equal(u.host, "db.example.com");
	assert_string_equal(u.path, "/a/b?c");
	assert_null(u.query);
	url_free(&u);
	buf_free(&text);
	json_decref(values);
}

static void
h39_a_port_is_a_number_or_its_digits(void **state)
{
#define WITH_PORT(p)	"{\"Hostname\":\"h\",\"Database\":\"d\",\"Port\":" p "}"
	(void)state;
	expect("mysql", WITH_PORT("3307"), "mysql://h:3307/d");
	expect("mysql", WITH_PORT("3307.0"), "mysql://h:3307/d");
	expect("mysql", WITH_PORT("\"3307\""), "mysql://h:3307/d");
	expect("mysql", WITH_PORT("\"+3307\""), "mysql://h:3307/d");
	expect("mysql", WITH_PORT("null"), "mysql://h:3306/d");
	expect("mysql", WITH_PORT("\"\""), "mysql://h:3306/d");
	expect("mysql", WITH_PORT("\"abc\""), "!Port: must be a whole number from 1 to 65535");
	expect("mysql", WITH_PORT("0"), "!Port: must be a whole number from 1 to 65535");
	expect("mysql", WITH_PORT("1.5"), "!Port: must be a whole number from 1 to 65535");
	expect("mysql", WITH_PORT("-1"), "!Port: must be a whole number from 1 to 65535");
	expect("mysql", WITH_PORT("1e300"), "!Port: must be a whole number from 1 to 65535");
	expect("mysql", WITH_PORT("true"), "!Port: must be a whole number from 1 to 65535");
}

static void
h40_a_missing_field_is_an_error_of_that_field(void **state)
{
	(void)state;
	expect("postgres", "{\"Hostname\":\"h\"}", "!Database: is required");
	expect("postgres", "{}", "!Database: is required; Hostname: is required");
	expect("postgres", "{\"Hostname\":5,\"Database\":\"d\"}", "!Hostname: must be a text");
	expect("postgres", "{\"Hostname\":\"h\",\"Database\":\"d\",\"Username\":[]}", "!Username: must be a text");
	expect("file", "{\"Directory\":null}", "!Directory: is required");
	expect("snowflake-keypair", "[]", "!Database: is required; Username: is required; Account: is required");
	expect("postgres", "{\"Hostname\":\"h\",\"Database\":\"d\\u0000x\"}", "!Database: must not contain a NUL character");
}

static void
hosts_are_host_names_and_addresses(void **state)
{
	(void)state;
	expect("postgres", "{\"Hostname\":\"::1\",\"Database\":\"d\"}", "postgres://[::1]:5432/d");
	expect("postgres", "{\"Hostname\":\"[::1]\",\"Database\":\"d\"}", "postgres://[::1]:5432/d");
	expect("postgres", "{\"Hostname\":\"h:5433\",\"Database\":\"d\"}",
	    "!Hostname: expected a host name alone; the port has a field of its own");
	expect("postgres", "{\"Hostname\":\"h/x\",\"Database\":\"d\"}", "!Hostname: expected a host name or an address");
	expect("kafka", "{\"Hostname\":\"b1, b2:9093\",\"Topic\":\"t\"}", "kafka://b1:9092,b2:9093/t");
	expect("kafka", "{\"Hostname\":\"a b\",\"Topic\":\"t/x?y\"}",
	    "!Hostname: expected a host name or an address; Topic: expected letters, digits, dots, underscores and hyphens");
}

/* A directory in a place of its own, which a $ in `want` stands for. */
static void
with_directory(const char *base, const char *below, const char *want)
{
	struct buf	 json = { 0 }, text = { 0 };

	buf_printf(&json, "{\"Directory\":\"%s%s\"}", base, below);
	for (; *want != '\0'; want++)
		if (*want == '$')
			buf_adds(&text, base);
		else
			buf_addc(&text, *want);
	expect("file", buf_cstr(&json), buf_cstr(&text));
	buf_free(&json);
	buf_free(&text);
}

/* What the form's URL means to the driver: "scheme://host bucket prefix". */
static void
assert_comes_back(const char *endpoint, const char *want)
{
	json_t			*values = json_pack("{s:s,s:s,s:s,s:s}", "Bucket", "data", "Prefix", "a/b", "Endpoint", endpoint,
				    "Region", "eu");
	struct buf		 text = { 0 }, got = { 0 };
	struct s3_config	 c;
	struct err		 err;

	outcome(&text, "s3", values);
	if (s3_config_parse(&c, buf_cstr(&text), &err) != 0)
		fail_msg("%s: %s", buf_cstr(&text), err.text);
	assert_string_equal(c.region, "eu");
	buf_printf(&got, "%s://%s %s %s", c.scheme, c.host == NULL ? "AWS" : c.host, c.bucket, c.prefix);
	assert_string_equal(buf_cstr(&got), want);
	s3_config_free(&c);
	buf_free(&got);
	buf_free(&text);
	json_decref(values);
}

static void
h53_an_endpoint_comes_back_as_the_same_endpoint(void **state)
{
	(void)state;
	assert_comes_back("", "https://AWS data a/b/");
	assert_comes_back("storage.googleapis.com", "https://storage.googleapis.com data a/b/");
	assert_comes_back("localhost", "http://localhost data a/b/");
	assert_comes_back("localhost:4566", "http://localhost:4566 data a/b/");
	assert_comes_back("minio.example.com", "https://minio.example.com data a/b/");
	assert_comes_back("minio", "https://minio data a/b/");
	assert_comes_back("my-localhost.example.com", "https://my-localhost.example.com data a/b/");
	assert_comes_back("minio.example.com:9000", "https://minio.example.com:9000 data a/b/");
	assert_comes_back("192.168.1.5", "https://192.168.1.5 data a/b/");
	assert_comes_back("::1", "http://[::1] data a/b/");
	assert_comes_back("s3.eu-central-1.wasabisys.com", "https://s3.eu-central-1.wasabisys.com data a/b/");
	assert_comes_back("acc.r2.cloudflarestorage.com", "https://acc.r2.cloudflarestorage.com data a/b/");
	assert_comes_back("https://minio.example.com", "https://minio.example.com data a/b/");
	assert_comes_back("http://minio.example.com:9000/", "http://minio.example.com:9000 data a/b/");
	assert_comes_back("http://[fd00::5]:9000", "http://[fd00::5]:9000 data a/b/");
	expect("s3", "{\"Bucket\":\"b\",\"Endpoint\":\"minio.example.com\",\"Region\":\"eu\"}",
	    "s3://b?endpoint=minio.example.com&region=eu");
	expect("s3", "{\"Bucket\":\"b\",\"Endpoint\":\"minio.example.com/folder\"}",
	    "!Endpoint: expected a host name or an address");
	expect("s3", "{\"Bucket\":\"b\",\"Endpoint\":\"http://[fd00::5\"}", "!Endpoint: expected a host name or an address");
	expect("s3", "{\"Bucket\":\"b\",\"Endpoint\":\"ftp://minio\"}",
	    "!Endpoint: expected http:// or https:// and a host, or a host alone");
}

static void
directories_are_looked_at(void **state)
{
	char	 base[] = "/tmp/eds-fields.XXXXXX", file[sizeof(base) + 2];
	FILE	*f;

	(void)state;
	assert_non_null(mkdtemp(base));
	with_directory(base, "", "file://$");
	with_directory(base, "/", "file://$");
	with_directory(base, "/new dir", "file://$/new dir");
	with_directory(base, "/a/../b", "file://$/b");
	with_directory(base, "/50%#?", "file://$/50%25%23%3F");
	with_directory(base, "/none/x", "!Directory: error checking for parent $/none directory permission: "
	    "stat: stat $/none: no such file or directory");
	(void)snprintf(file, sizeof(file), "%s/f", base);
	f = fopen(file, "w");
	assert_non_null(f);
	(void)fclose(f);
	with_directory(base, "/f", "!Directory: error checking directory permission: $/f is not a directory");
	with_directory(base, "/f/x", "!Directory: error checking for parent $/f directory permission: $/f is not a directory");
	expect("file", "{\"Directory\":\"/\"}", "!Directory: cannot be the root directory");
	expect("file", "{\"Directory\":\"/x/..\"}", "!Directory: cannot be the root directory");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(base), 0);
}

static void
aliases_have_the_form_of_their_driver(void **state)
{
	size_t				 n;
	const struct driver_form	*all = driver_forms(&n);

	(void)state;
	assert_null(driver_form_by_scheme(SLICE("gopher")));
	assert_null(driver_form_by_scheme(SLICE("null")));
	for (size_t i = 1; i < n; i++)
		assert_true(strcmp(all[i - 1].scheme, all[i].scheme) < 0);
	assert_string_equal(driver_form_by_scheme(SLICE("file"))->scheme, "file");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_make_the_golden_urls),
		cmocka_unit_test(h38_credentials_survive_the_url),
		cmocka_unit_test(h39_a_port_is_a_number_or_its_digits),
		cmocka_unit_test(h40_a_missing_field_is_an_error_of_that_field),
		cmocka_unit_test(hosts_are_host_names_and_addresses),
		cmocka_unit_test(h53_an_endpoint_comes_back_as_the_same_endpoint),
		cmocka_unit_test(directories_are_looked_at),
		cmocka_unit_test(aliases_have_the_form_of_their_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
