/* Signatures: every golden value, byte for byte. */

#include <stdio.h>

#include "drivers/s3/sigv4.h"
#include "tests/support/vectors.h"

#define PAIRS	16

static size_t
pairs_of(const json_t *list, struct sigv4_pair *out)
{
	size_t	 i;
	json_t	*pair;

	json_array_foreach(list, i, pair) {
		assert_in_range(i, 0, PAIRS - 1);
		out[i].name = (struct slice){ json_string_value(json_array_get(pair, 0)), json_string_length(json_array_get(pair, 0)) };
		out[i].value = (struct slice){ json_string_value(json_array_get(pair, 1)), json_string_length(json_array_get(pair, 1)) };
	}
	return json_array_size(list);
}

static void
assert_buf(const struct buf *got, const json_t *expected, const char *name)
{
	assert_slice(buf_slice(got), vectors_str(expected, name));
}

/* "a1b2" of bytes. */
static void
assert_hex(const uint8_t *bytes, size_t n, struct slice want)
{
	struct buf	 hex = { 0 };

	buf_hex(&hex, bytes, n);
	assert_slice(buf_slice(&hex), want);
	buf_free(&hex);
}

static void
check_parts(const struct sigv4_request *r, const json_t *expected)
{
	struct buf	 b = { 0 };

	sigv4_path(&b, r->path);
	assert_buf(&b, expected, "canonical_uri");
	buf_reset(&b);
	sigv4_query(&b, r->query, r->n_query);
	assert_buf(&b, expected, "canonical_query");
	buf_free(&b);
}

static void
check_vector(const json_t *vector)
{
	const json_t		*in = json_object_get(vector, "input"), *expected = json_object_get(vector, "expected");
	struct sigv4_pair	 query[PAIRS], headers[PAIRS];
	struct sigv4		 s = { 0 };
	struct sigv4_request	 r = { .method = vectors_str(in, "method").p, .path = vectors_str(in, "path_raw"), .query = query,
		.headers = headers, .payload_hash = vectors_str(in, "payload_hash"), .date = vectors_str(in, "amz_date").p,
		.region = vectors_str(in, "region").p, .service = vectors_str(in, "service").p,
		.access_key = vectors_str(in, "access_key").p, .secret = vectors_str(in, "secret_key").p };
	struct slice		 body = vectors_str(in, "body_utf8"), published = vectors_str(vector, "published_signature");
	char			 hash[65];

	print_message("%s\n", vectors_str(vector, "name").p);
	r.n_query = pairs_of(json_object_get(in, "query_raw"), query);
	r.n_headers = pairs_of(json_object_get(in, "headers_to_sign"), headers);
	if (r.n_headers == 0)		/* signed in the query: the host alone */
		headers[r.n_headers++] = (struct sigv4_pair){ SLICE("Host"), vectors_str(in, "host") };
	if (body.p != NULL && !slice_is(r.payload_hash, "UNSIGNED-PAYLOAD")) {
		assert_true(sigv4_hash(&s, body, hash));
		assert_slice(slice_of(hash), r.payload_hash);
	}
	check_parts(&r, expected);
	assert_true(sigv4_sign(&s, &r));
	assert_buf(&s.signed_headers, expected, "signed_headers");
	assert_buf(&s.canonical, expected, "canonical_request");
	assert_buf(&s.to_sign, expected, "string_to_sign");
	assert_hex(s.day_key, sizeof(s.day_key), vectors_str(expected, "signing_key_hex"));
	assert_slice(slice_of(s.signature), vectors_str(expected, "signature"));
	assert_buf(&s.authorization, expected, "authorization");
	if (published.p != NULL)
		assert_slice(slice_of(s.signature), published);
	sigv4_free(&s);
}

static void
every_golden_signature_comes_out(void **state)
{
	json_t	*root = vectors_load("tests/vectors/sigv4.json"), *vector;
	size_t	 i;

	(void)state;
	json_array_foreach(json_object_get(root, "vectors"), i, vector)
		check_vector(vector);
	assert_int_equal(i, 19);
	json_decref(root);
}

static void
the_key_of_a_day_is_the_published_one(void **state)
{
	json_t			*root = vectors_load("tests/vectors/sigv4.json"), *d = json_object_get(root, "key_derivation");
	struct sigv4_request	 r = { .secret = vectors_str(d, "secret").p, .date = vectors_str(d, "date").p,
		.region = vectors_str(d, "region").p, .service = vectors_str(d, "service").p };
	struct sha256		 sha = { 0 };
	uint8_t			 key[SHA256_BYTES];

	(void)state;
	assert_true(sigv4_key(&sha, &r, key));
	sha256_free(&sha);
	assert_hex(key, sizeof(key), vectors_str(d, "published_kSigning"));
	json_decref(root);
}

/* Signs something with one of the inputs changed, with memory that was used before. */
static void
sign(struct sigv4 *s, const char *date, const char *region, const char *secret, char out[65])
{
	const struct sigv4_pair	 host = { SLICE("host"), SLICE("h") };
	struct sigv4_request	 r = { .method = "GET", .path = SLICE("/"), .headers = &host, .n_headers = 1,
		.payload_hash = SLICE(SIGV4_EMPTY_HASH), .date = date, .region = region, .service = "s3", .access_key = "a",
		.secret = secret };

	assert_true(sigv4_sign(s, &r));
	(void)memcpy(out, s->signature, 65);
}

static void
the_key_in_memory_is_that_of_the_day_the_region_and_the_secret(void **state)
{
	static const char *const inputs[][3] = { { "20260101T000000Z", "r", "s" }, { "20260102T000000Z", "r", "s" },
		{ "20260102T000000Z", "q", "s" }, { "20260102T000000Z", "q", "t" } };
	struct sigv4	 s = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(inputs); i++) {
		struct sigv4	 fresh = { 0 };
		char		 used[65], first[65];

		sign(&s, inputs[i][0], inputs[i][1], inputs[i][2], used);
		sign(&fresh, inputs[i][0], inputs[i][1], inputs[i][2], first);
		assert_string_equal(used, first);
		sigv4_free(&fresh);
	}
	sigv4_free(&s);
}

static void
headers_are_sorted_by_name_and_written_tidily(void **state)
{
	const struct sigv4_pair	 headers[] = { { SLICE("X-Amz-Date"), SLICE("d") }, { SLICE("x-amz"), SLICE("  a   b ") },
		{ SLICE("HOST"), SLICE("h:80") } };
	struct sigv4		 s = { 0 };
	struct sigv4_request	 r = { .method = "GET", .headers = headers, .n_headers = 3, .payload_hash = SLICE("p"),
		.date = "20260101T000000Z", .region = "r", .service = "s3", .access_key = "a", .secret = "s" };

	(void)state;
	assert_true(sigv4_sign(&s, &r));
	assert_slice(buf_slice(&s.canonical), SLICE("GET\n/\n\nhost:h:80\nx-amz:a b\nx-amz-date:d\n\nhost;x-amz;x-amz-date\np"));
	sigv4_free(&s);
}

static void
dates_are_written_in_utc(void **state)
{
	char	 date[17];

	(void)state;
	sigv4_date(1369353600000, date);
	assert_string_equal(date, "20130524T000000Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_golden_signature_comes_out),
		cmocka_unit_test(the_key_of_a_day_is_the_published_one),
		cmocka_unit_test(the_key_in_memory_is_that_of_the_day_the_region_and_the_secret),
		cmocka_unit_test(headers_are_sorted_by_name_and_written_tidily),
		cmocka_unit_test(dates_are_written_in_utc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
