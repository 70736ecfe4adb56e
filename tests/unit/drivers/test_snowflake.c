/* The Snowflake driver's parts that need no network: the URL, keys and tokens, files for a stage, answers. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/snowflake/account.h"
#include "drivers/snowflake/jwt.h"
#include "drivers/snowflake/result.h"
#include "drivers/snowflake/stage.h"
#include "drivers/snowflake/trouble.h"
#include "tests/support/vectors.h"

#define JWT	"tests/vectors/snowflake-jwt.json"

/* --- the URL --- */

static void
parse(struct snow_account *a, const char *url)
{
	struct err	 err = { .code = ERR_NONE };

	if (snow_account_parse(a, url, &err) != 0)
		fail_msg("%s: %s", url, err.text);
}

static void
refused(const char *url, const char *why)
{
	struct snow_account	 a;
	struct err		 err = { .code = ERR_NONE };

	assert_int_equal(snow_account_parse(&a, url, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	if (strstr(err.text, why) == NULL || strstr(err.text, ":secret") != NULL)
		fail_msg("%s: \"%s\" instead of \"%s\"", url, err.text, why);
}

static void
an_account_becomes_its_host(void **state)
{
	json_t	*v = vectors_load(JWT), *rule;
	size_t	 i;

	(void)state;
	json_array_foreach(json_object_get(v, "host_rules"), i, rule) {
		struct buf	 b = { 0 };

		snow_account_host(&b, vectors_str(rule, "account"), vectors_str(rule, "region"));
		assert_slice(buf_slice(&b), vectors_str(rule, "host"));
		buf_free(&b);
	}
	assert_true(i > 5);
	json_decref(v);
}

static void
an_account_has_a_name_for_tokens(void **state)
{
	json_t	*v = vectors_load(JWT), *rule;
	size_t	 i;

	(void)state;
	json_array_foreach(json_object_get(v, "issuer_account_rules"), i, rule) {
		struct buf	 b = { 0 };
		struct slice	 want = vectors_str(rule, "issuer_account");

		snow_account_name(&b, vectors_str(rule, "input"));
		assert_int_equal(b.len, want.n);
		assert_int_equal(strncasecmp(buf_cstr(&b), want.p, want.n), 0);
		buf_free(&b);
	}
	assert_true(i > 5);
	json_decref(v);
}

static void
an_underscore_is_a_dash_in_the_host_only(void **state)
{
	struct snow_account	 a;

	(void)state;
	parse(&a, "snowflake://u:p@my_org-acct/DB");
	assert_string_equal(a.host, "my-org-acct.snowflakecomputing.com");
	assert_string_equal(a.name, "my_org-acct");
	assert_string_equal(a.origin, "https://my-org-acct.snowflakecomputing.com");
	snow_account_free(&a);
}

static void
a_url_gives_everything_decoded(void **state)
{
	struct snow_account	 a;

	(void)state;
	parse(&a, "snowflake://u%40x:p%40ss%2Fw@acc.eu-central-1/My%20DB/PUB?warehouse=W%26H&role=R1&foo=bar&application=x&TIMEZONE=UTC");
	assert_string_equal(a.user, "u@x");
	assert_string_equal(a.password, "p@ss/w");
	assert_string_equal(a.database, "My DB");
	assert_string_equal(a.schema, "PUB");
	assert_string_equal(a.warehouse, "W&H");
	assert_string_equal(a.role, "R1");
	assert_int_equal(a.nparams, 2);
	assert_string_equal(a.params[0].name, "foo");
	assert_string_equal(a.params[0].value, "bar");
	snow_account_free(&a);
}

/* What the server that EDS replaces accepts is accepted: the URLs of the contract's examples. */
static void
urls_of_the_earlier_server_are_understood(void **state)
{
	json_t			*v = vectors_load("tests/vectors/urls.json");
	json_t			*known = json_object_get(json_object_get(v, "connection"), "snowflake");
	const char		*url;
	json_t			*dsn;
	struct snow_account	 a;
	struct err		 err;
	size_t			 n = 0;

	(void)state;
	json_object_foreach(known, url, dsn)
		if (strchr(url, '@') != NULL) {	/* without a user nothing can sign in */
			assert_int_equal(snow_account_parse(&a, url, &err), 0);
			assert_memory_equal(json_string_value(dsn), a.user, strlen(a.user));
			snow_account_free(&a);
			n++;
		}
	assert_int_equal(n, 3);
	json_decref(v);
}

static void
a_key_pair_url_names_variable_or_file(void **state)
{
	struct snow_account	 a;

	(void)state;
	parse(&a, "snowflake-keypair://user@account/DB/SCHEMA");
	assert_true(a.keypair);
	assert_string_equal(a.key_env, "SNOWFLAKE_SECRET_ACCESS_KEY");
	snow_account_free(&a);
	parse(&a, "snowflake-keypair://user@account/DB/SCHEMA?secret-key=MY_KEY&warehouse=W");
	assert_string_equal(a.key_env, "MY_KEY");
	snow_account_free(&a);
	parse(&a, "snowflake-keypair://user@account/DB/SCHEMA?secret-key-file=/run/key.p8&secret-key-passphrase=x");
	assert_string_equal(a.key_file, "/run/key.p8");
	assert_null(a.key_env);
	snow_account_free(&a);
}

static void
mistakes_in_a_url_are_named(void **state)
{
	(void)state;
	refused("snowflake-keypair://user@account/DB", "invalid URL path: expected /database/schema, got /DB");
	refused("snowflake-keypair://user@account/DB/A/B", "expected /DATABASE/SCHEMA");
	refused("snowflake://user@account/DB", "the password is missing");
	refused("snowflake://:secret@account/DB", "the user is missing");
	refused("snowflake://user:secret@/DB", "the account is missing");
	refused("snowflake://user:secret@account", "the database is missing");
	refused("snowflake://user:secret@https://account/DB", "without https://");
	refused("snowflake://user:secret@127.0.0.1:99/DB", "must name the account too");
	refused("snowflake://user:secret@/DB?host=&account=", "the account is missing");
	refused("snowflake://user:secret@account/DB?protocol=http", "protocol=http is for a server on this machine only");
	refused("snowflake://user:secret@account/DB?protocol=ftp", "protocol must be https");
	refused("snowflake://user:secret@account/DB?loginTimeout=never", "loginTimeout must be");
	refused("snowflake://user:secret@account/DB?a%3Ab=1", "letters, digits and _ only");
	refused("snowflake://user:secret@account/DB?secret-key=X", "belongs to snowflake-keypair");
	refused("snowflake-keypair://user@account/DB/S?secret-key=X&secret-key-file=/y", "not both");
	refused("postgres://user:secret@account/DB", "the scheme must be");
}

/* --- keys and tokens --- */

static struct snow_key *
key_of(const json_t *v, const char *name, const char *passphrase)
{
	struct snow_key	*k = NULL;
	struct err	 err = { .code = ERR_NONE };

	if (snow_key_parse(&k, vectors_str(v, name), passphrase, &err) != 0)
		fail_msg("%s: %s", name, err.text);
	return k;
}

static void
tokens_are_those_of_the_vectors(void **state)
{
	json_t		*v = vectors_load(JWT), *t;
	struct snow_key	*k = key_of(v, "private_key_pkcs8_pem", NULL);
	struct buf	 fingerprint = { 0 };
	struct err	 err;
	size_t		 i;

	(void)state;
	snow_key_fingerprint(&fingerprint, k);
	assert_slice(buf_slice(&fingerprint), vectors_str(v, "public_key_fingerprint"));
	json_array_foreach(json_object_get(v, "tokens"), i, t) {
		struct buf	 account = { 0 }, jwt = { 0 };

		snow_account_name(&account, vectors_str(t, "account_identifier"));
		assert_int_equal(snow_jwt(&jwt, k, buf_cstr(&account), vectors_str(t, "user").p,
		    json_integer_value(json_object_get(t, "iat")),
		    (unsigned)json_integer_value(json_object_get(t, "lifetime_seconds")), &err), 0);
		assert_slice(buf_slice(&jwt), vectors_str(t, "token"));
		buf_free(&account);
		buf_free(&jwt);
	}
	assert_true(i > 3);
	buf_free(&fingerprint);
	snow_key_free(&k);
	json_decref(v);
}

static void
every_kind_of_pem_is_read(void **state)
{
	json_t		*v = vectors_load(JWT);
	const char	*names[] = { "private_key_pkcs8_pem", "private_key_pkcs1_pem", "private_key_pkcs8_encrypted_pem" };

	(void)state;
	for (size_t i = 0; i < NELEM(names); i++) {
		struct snow_key	*k = key_of(v, names[i], i == 2 ? vectors_str(v, "private_key_passphrase").p : NULL);
		struct buf	 b = { 0 };

		snow_key_fingerprint(&b, k);
		assert_slice(buf_slice(&b), vectors_str(v, "public_key_fingerprint"));
		buf_free(&b);
		snow_key_free(&k);
	}
	json_decref(v);
}

/* A variable's value without its line ends, or with "\n" spelled out. */
static void
pem_of_a_variable_may_have_lost_its_lines(void **state)
{
	json_t		*v = vectors_load(JWT);
	struct slice	 pem = vectors_str(v, "private_key_pkcs8_pem");
	const char	*joints[] = { " ", "\\n", "\r\n", "" };

	(void)state;
	for (size_t i = 0; i < NELEM(joints); i++) {
		struct buf	 b = { 0 };
		struct slice	 rest = pem, line;
		struct snow_key	*k = NULL;
		struct err	 err = { .code = ERR_NONE };

		while (slice_cut(&rest, '\n', &line)) {
			buf_adds_slice(&b, line);
			buf_adds(&b, joints[i]);
		}
		if (snow_key_parse(&k, buf_slice(&b), NULL, &err) != 0)
			fail_msg("joined by \"%s\": %s", joints[i], err.text);
		snow_key_free(&k);
		buf_free(&b);
	}
	json_decref(v);
}

static void
key_refused(const json_t *v, struct slice pem, const char *passphrase, const char *why)
{
	struct snow_key	*k = NULL;
	struct err	 err = { .code = ERR_NONE };

	(void)v;
	assert_int_equal(snow_key_parse(&k, pem, passphrase, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	if (strstr(err.text, why) == NULL)
		fail_msg("\"%s\" instead of \"%s\"", err.text, why);
}

static void
a_key_that_is_none_is_refused_with_the_reason(void **state)
{
	static const char ec[] = "-----BEGIN PRIVATE KEY-----\n"
	    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\n"
	    "OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n"
	    "1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n-----END PRIVATE KEY-----\n";
	json_t	*v = vectors_load(JWT);

	(void)state;
	key_refused(v, SLICE("hello"), NULL, "failed to decode secret");
	key_refused(v, SLICE("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), NULL, "failed to parse private key");
	key_refused(v, SLICE(ec), NULL, "not RSA");
	key_refused(v, vectors_str(v, "private_key_pkcs8_encrypted_pem"), NULL, "secret-key-passphrase");
	key_refused(v, vectors_str(v, "private_key_pkcs8_encrypted_pem"), "wrong", "cannot be read with that");
	json_decref(v);
}

/* --- files for a stage --- */

static void
unhex(struct buf *b, struct slice hex)
{
	for (size_t i = 0; i + 1 < hex.n; i += 2) {
		unsigned	 byte;
		char		 two[3] = { hex.p[i], hex.p[i + 1], '\0' };

		assert_int_equal(sscanf(two, "%2x", &byte), 1);
		buf_addc(b, (char)byte);
	}
}

static void
files_are_encrypted_as_in_the_vectors(void **state)
{
	json_t	*v = vectors_load(JWT), *c;
	size_t	 i;

	(void)state;
	json_array_foreach(json_object_get(v, "stage_encryption"), i, c) {
		struct buf		 fixed = { 0 }, plain = { 0 }, want = { 0 };
		struct snow_envelope	 e;
		struct err		 err = { .code = ERR_NONE };
		char			 digest[48], got[4096];
		int			 fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
		ssize_t			 n;

		assert_true(fd >= 0);
		unhex(&fixed, vectors_str(c, "file_key_hex"));
		unhex(&fixed, vectors_str(c, "iv_hex"));
		unhex(&plain, vectors_str(c, "plaintext_hex"));
		unhex(&want, vectors_str(c, "ciphertext_hex"));
		if (snow_encrypt(&e, fd, buf_slice(&plain), vectors_str(c, "queryStageMasterKey"), fixed.data, &err) != 0)
			fail_msg("%s: %s", vectors_str(c, "name").p, err.text);
		assert_slice(slice_of(e.key), vectors_str(c, "x_amz_key"));
		assert_slice(slice_of(e.iv), vectors_str(c, "x_amz_iv"));
		assert_int_equal(snow_digest(digest, buf_slice(&plain), &err), 0);
		assert_slice(slice_of(digest), vectors_str(c, "sfc_digest"));
		n = pread(fd, got, sizeof(got), 0);
		assert_int_equal(n, want.len);
		assert_memory_equal(got, want.data, want.len);
		(void)close(fd);
		buf_free(&fixed);
		buf_free(&plain);
		buf_free(&want);
	}
	assert_int_equal(i, 6);
	json_decref(v);
}

static void
upload(struct snow_upload *u, const char *answer, const struct snow_envelope *e)
{
	struct snow_stage	 s;
	struct json_val		 data;
	struct err		 err = { .code = ERR_NONE };

	assert_int_equal(json_scan(slice_of(answer), false, &data, &err), 0);
	if (snow_stage_parse(&s, &data, &err) != 0 ||
	    snow_upload_make(u, &s, "https", "a b.gz", "ZGlnZXN0", e, 1767225600000, &err) != 0)
		fail_msg("%s", err.text);
	snow_stage_free(&s);
}

/* The header line that begins like that; NULL when there is none. */
static const char *
line(const struct snow_upload *u, const char *start)
{
	struct slice	 rest = buf_slice(&u->text), one;

	for (size_t i = 0; i < u->nlines && slice_cut(&rest, '\0', &one); i++)
		if (strncmp(one.p, start, strlen(start)) == 0)
			return one.p;
	return NULL;
}

#define STAGE(info)	"{\"stageInfo\":{" info "},\"encryptionMaterial\":{\"queryStageMasterKey\":\"k\",\"queryId\":\"q-1\",\"smkId\":92019681909886}}"

static void
an_upload_goes_to_the_host_of_its_cloud(void **state)
{
	static const struct {
		const char	*answer, *url;
	} cases[] = {
		{ STAGE("\"locationType\":\"S3\",\"location\":\"bkt/pre/\",\"region\":\"us-east-2\",\"creds\":{\"AWS_KEY_ID\":\"a\",\"AWS_SECRET_KEY\":\"b\",\"AWS_TOKEN\":\"t\"}"),
		  "https://bkt.s3.us-east-2.amazonaws.com/pre/a%20b.gz" },
		{ STAGE("\"locationType\":\"S3\",\"location\":\"bkt/pre\",\"region\":\"cn-north-1\",\"creds\":{\"AWS_KEY_ID\":\"a\",\"AWS_SECRET_KEY\":\"b\"}"),
		  "https://bkt.s3.cn-north-1.amazonaws.com.cn/pre/a%20b.gz" },
		{ STAGE("\"locationType\":\"S3\",\"location\":\"bkt/\",\"region\":\"r\",\"endPoint\":\"vpce.example\",\"creds\":{}"),
		  "https://bkt.vpce.example/a%20b.gz" },
		{ STAGE("\"locationType\":\"AZURE\",\"location\":\"con/pre/\",\"storageAccount\":\"acc\",\"endPoint\":\"blob.core.windows.net\",\"creds\":{\"AZURE_SAS_TOKEN\":\"?sig=1\"}"),
		  "https://acc.blob.core.windows.net/con/pre/a%20b.gz?sig=1" },
		{ STAGE("\"locationType\":\"GCS\",\"location\":\"bkt/pre/\",\"region\":\"US\",\"creds\":{\"GCS_ACCESS_TOKEN\":\"y\"}"),
		  "https://storage.googleapis.com/bkt/pre/a%20b.gz" },
		{ STAGE("\"locationType\":\"GCS\",\"location\":\"bkt/pre/\",\"region\":\"ME-CENTRAL2\",\"creds\":{\"GCS_ACCESS_TOKEN\":\"y\"}"),
		  "https://storage.ME-CENTRAL2.rep.googleapis.com/bkt/pre/a%20b.gz" },
		{ STAGE("\"locationType\":\"GCS\",\"location\":\"bkt/pre/\",\"region\":\"US\",\"useVirtualUrl\":true,\"creds\":{\"GCS_ACCESS_TOKEN\":\"y\"}"),
		  "https://bkt.storage.googleapis.com/pre/a%20b.gz" },
		{ STAGE("\"locationType\":\"GCS\",\"location\":\"bkt/pre/\",\"creds\":{},\"presignedUrl\":\"https://x/y?z\""),
		  "https://x/y?z" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct snow_upload	 u;

		upload(&u, cases[i].answer, NULL);
		assert_string_equal(buf_cstr(&u.url), cases[i].url);
		snow_upload_free(&u);
	}
}

static void
what_decrypts_a_file_lies_beside_it(void **state)
{
	struct snow_envelope	 e = { .key = "WRAPPED", .iv = "IV", .bits = 256 };
	struct snow_upload	 u;

	(void)state;
	upload(&u, STAGE("\"locationType\":\"S3\",\"location\":\"b/\",\"region\":\"r\",\"creds\":{\"AWS_KEY_ID\":\"a\",\"AWS_SECRET_KEY\":\"b\"}"), &e);
	assert_string_equal(line(&u, "x-amz-meta-x-amz-key"), "x-amz-meta-x-amz-key: WRAPPED");
	assert_string_equal(line(&u, "x-amz-meta-x-amz-iv"), "x-amz-meta-x-amz-iv: IV");
	assert_string_equal(line(&u, "x-amz-meta-x-amz-matdesc"),
	    "x-amz-meta-x-amz-matdesc: {\"queryId\":\"q-1\",\"smkId\":\"92019681909886\",\"keySize\":\"256\"}");
	assert_string_equal(line(&u, "x-amz-meta-sfc-digest"), "x-amz-meta-sfc-digest: ZGlnZXN0");
	snow_upload_free(&u);
	upload(&u, STAGE("\"locationType\":\"AZURE\",\"location\":\"c/\",\"storageAccount\":\"a\",\"endPoint\":\"blob.x\",\"creds\":{\"AZURE_SAS_TOKEN\":\"s\"}"), &e);
	assert_non_null(strstr(line(&u, "x-ms-meta-encryptiondata"), "\"EncryptionAlgorithm\":\"AES_CBC_128\""));
	snow_upload_free(&u);
	upload(&u, STAGE("\"locationType\":\"GCS\",\"location\":\"c/\",\"creds\":{\"GCS_ACCESS_TOKEN\":\"tok\"}"), &e);
	assert_non_null(strstr(line(&u, "x-goog-meta-encryptiondata"), "\"EncryptionAlgorithm\":\"AES_CBC_256\""));
	assert_string_equal(line(&u, "Authorization"), "Authorization: Bearer tok");
	snow_upload_free(&u);
}

static void
a_stage_in_an_unknown_store_is_refused(void **state)
{
	const char		*answers[] = { "{}", "{\"stageInfo\":{\"locationType\":\"TAPE\"}}", "{\"stageInfo\":[]}",
				    "{\"stageInfo\":{\"locationType\":\"S3\",\"location\":\"a\\u0000b\"}}" };
	struct snow_stage	 s;
	struct json_val		 data;
	struct err		 err;

	(void)state;
	for (size_t i = 0; i < NELEM(answers); i++) {
		assert_int_equal(json_scan(slice_of(answers[i]), false, &data, &err), 0);
		assert_int_equal(snow_stage_parse(&s, &data, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

/* --- answers --- */

static void
an_answer_is_taken_apart(void **state)
{
	struct snow_reply	 r;
	struct err		 err;

	(void)state;
	assert_int_equal(snow_reply_parse(&r, SLICE("{\"data\":{\"a\":1},\"code\":\"000606\",\"message\":\"no \\\"W\\\"\",\"success\":false}"), &err), 0);
	assert_false(r.success);
	assert_int_equal(r.code, 606);
	assert_slice(r.message, SLICE("no \\\"W\\\""));
	assert_int_equal(r.data.type, JV_OBJECT);
	assert_int_equal(snow_reply_parse(&r, SLICE("{\"data\":null,\"code\":null,\"message\":null,\"success\":true}"), &err), 0);
	assert_true(r.success && r.code == 0 && r.data.type == JV_ABSENT);
	assert_int_equal(snow_reply_parse(&r, SLICE("<html>"), &err), -1);
	assert_int_equal(snow_reply_parse(&r, SLICE("[1]"), &err), -1);
}

static enum drv_result
refusal(const char *answer, bool opening, bool *stale, struct err *err)
{
	struct snow_reply	 r;

	assert_int_equal(snow_reply_parse(&r, slice_of(answer), err), 0);
	return snow_refused(&r, "storing a batch", opening, stale, err);
}

static void
codes_are_classified(void **state)
{
	struct err	 err;
	bool		 stale;

	(void)state;
	assert_int_equal(refusal("{\"code\":\"000625\",\"success\":false}", false, &stale, &err), DRV_RETRY);
	assert_int_equal(refusal("{\"code\":\"000606\",\"success\":false}", true, &stale, &err), DRV_CONFIG);
	assert_int_equal(refusal("{\"code\":\"000606\",\"success\":false}", false, &stale, &err), DRV_RETRY);
	assert_non_null(strstr(err.text, "warehouse="));
	assert_int_equal(refusal("{\"code\":\"000904\",\"success\":false}", false, &stale, &err), DRV_RETRY);
	assert_true(stale);
	assert_int_equal(refusal("{\"code\":\"100038\",\"success\":false}", false, &stale, &err), DRV_REJECT);
	assert_false(stale);
	assert_int_equal(refusal("{\"code\":\"000008\",\"success\":false}", false, &stale, &err), DRV_BROKEN);
	assert_int_equal(refusal("{\"code\":\"999999\",\"success\":false}", false, &stale, &err), DRV_RETRY);
	assert_int_equal(refusal("{\"code\":\"199999\",\"data\":{\"sqlState\":\"22018\"},\"success\":false}", false, &stale, &err), DRV_REJECT);
}

static void
a_refused_value_is_not_quoted(void **state)
{
	struct err	 err;
	bool		 stale;

	(void)state;
	(void)refusal("{\"code\":\"100038\",\"message\":\"Numeric value 'blue' is not recognized\",\"data\":{\"queryId\":\"01b\"},\"success\":false}",
	    false, &stale, &err);
	assert_null(strstr(err.text, "blue"));
	assert_non_null(strstr(err.text, "100038, query 01b"));
	(void)refusal("{\"code\":\"001003\",\"message\":\"unexpected 'blue'\",\"success\":false}", false, &stale, &err);
	assert_null(strstr(err.text, "blue"));
	(void)refusal("{\"code\":\"002003\",\"message\":\"Table 'X' does not exist\",\"success\":false}", false, &stale, &err);
	assert_non_null(strstr(err.text, "Table 'X'"));
}

static int
count_row(void *arg, const struct snow_row *row, struct err *err)
{
	size_t	*n = arg;

	(void)err;
	*n += snow_cell(row, "B").p == NULL ? 1 : 100;
	return 0;
}

static int
read_text(const char *data, size_t *n, struct err *err)
{
	struct snow_columns	 c;
	struct json_val		 v, rows;
	int			 rc;

	*n = 0;
	assert_int_equal(json_scan(slice_of(data), true, &v, err), 0);
	if (snow_columns_read(&c, &v, err) != 0)
		return -1;
	rows = json_member(&v, "rowset");
	rc = snow_rows_read(&c, &rows, count_row, n, err);
	snow_columns_free(&c);
	return rc;
}

static void
rows_are_read_by_the_names_of_their_columns(void **state)
{
	struct err	 err;
	size_t		 n;

	(void)state;
	assert_int_equal(read_text("{\"rowtype\":[{\"name\":\"A\"},{\"name\":\"B\"}],\"rowset\":[[\"x\",null],[\"\\u00e4\",\"y\"]]}", &n, &err), 0);
	assert_int_equal(n, 101);
	assert_int_equal(read_text("{\"rowtype\":[{\"name\":\"A\"}],\"rowset\":[[\"x\",\"too many\"]]}", &n, &err), -1);
	assert_int_equal(read_text("{\"rowtype\":[{\"name\":\"A\"},{}],\"rowset\":[]}", &n, &err), -1);
	assert_int_equal(read_text("{\"rowtype\":[{\"name\":\"A\"}],\"rowset\":[{}]}", &n, &err), -1);
}

static void
a_chunk_gets_its_brackets_and_is_unpacked(void **state)
{
	static const char packed[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x8b\x56\x4a\x54\x8a\xd5\x89\x56\x4a\x52\x8a\x05\x00\x2d\x8c\x25\x1d\x0b\x00\x00\x00";
	struct buf	 b = { 0 };
	struct err	 err;

	(void)state;
	assert_int_equal(snow_chunk_text(&b, SLICE("[\"a\"],[\"b\"]"), &err), 0);
	assert_slice(buf_slice(&b), SLICE("[[\"a\"],[\"b\"]]"));
	buf_reset(&b);
	/* cut short */
	assert_int_equal(snow_chunk_text(&b, (struct slice){ packed, sizeof(packed) - 12 }, &err), -1);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_becomes_its_host),
		cmocka_unit_test(an_account_has_a_name_for_tokens),
		cmocka_unit_test(an_underscore_is_a_dash_in_the_host_only),
		cmocka_unit_test(a_url_gives_everything_decoded),
		cmocka_unit_test(urls_of_the_earlier_server_are_understood),
		cmocka_unit_test(a_key_pair_url_names_variable_or_file),
		cmocka_unit_test(mistakes_in_a_url_are_named),
		cmocka_unit_test(tokens_are_those_of_the_vectors),
		cmocka_unit_test(every_kind_of_pem_is_read),
		cmocka_unit_test(pem_of_a_variable_may_have_lost_its_lines),
		cmocka_unit_test(a_key_that_is_none_is_refused_with_the_reason),
		cmocka_unit_test(files_are_encrypted_as_in_the_vectors),
		cmocka_unit_test(an_upload_goes_to_the_host_of_its_cloud),
		cmocka_unit_test(what_decrypts_a_file_lies_beside_it),
		cmocka_unit_test(a_stage_in_an_unknown_store_is_refused),
		cmocka_unit_test(an_answer_is_taken_apart),
		cmocka_unit_test(codes_are_classified),
		cmocka_unit_test(a_refused_value_is_not_quoted),
		cmocka_unit_test(rows_are_read_by_the_names_of_their_columns),
		cmocka_unit_test(a_chunk_gets_its_brackets_and_is_unpacked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
