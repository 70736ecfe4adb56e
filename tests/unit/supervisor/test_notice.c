/* HQ's messages: three encodings of the same, and everything that is none. */

#include "tests/support/cmocka_all.h"

#include <zlib.h>

#include "supervisor/hq/notice.h"

#define TEXT	"{\"action\":\"configure\",\"data\":{\"url\":\"file:///x\",\"backfill\":true,\"when\":\"true\",\"n\":1.5}}"

static void
is_the_example(struct slice payload, const char *encoding)
{
	struct notice	 n;
	struct err	 err = { 0 };

	if (notice_decode(&n, payload, slice_of(encoding), &err) != 0)
		fail_msg("%s: %s", encoding, err.text);
	assert_string_equal(n.action, "configure");
	assert_string_equal(notice_text(&n, "url"), "file:///x");
	assert_true(notice_bool(&n, "backfill"));
	assert_true(notice_bool(&n, "when"));
	assert_false(notice_bool(&n, "url"));
	assert_false(notice_bool(&n, "absent"));
	assert_null(notice_text(&n, "backfill"));
	assert_true(json_number_value(json_object_get(n.data, "n")) == 1.5);
	notice_free(&n);
}

static void
is_refused(struct slice payload, const char *encoding, const char *part)
{
	struct notice	 n;
	struct err	 err = { 0 };

	assert_int_equal(notice_decode(&n, payload, slice_of(encoding), &err), -1);
	if (strstr(err.text, part) == NULL)
		fail_msg("\"%s\" is not in: %s", part, err.text);
}

static void
gzip(struct buf *out, const void *text, size_t n)
{
	union { const void *in; Bytef *out; } next = { .in = text };
	z_stream	 z = { .next_in = next.out, .avail_in = (uInt)n };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_true(buf_reserve(out, deflateBound(&z, n)));
	z.next_out = out->data;
	z.avail_out = (uInt)out->cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = z.total_out;
	(void)deflateEnd(&z);
}

static void
json_gzip_and_msgpack_say_the_same(void **state)
{
	static const char msgpack[] = "\x82\xa6" "action" "\xa9" "configure" "\xa4" "data" "\x84\xa3" "url" "\xa9" "file:///x"
	    "\xa8" "backfill" "\xc3" "\xa4" "when" "\xa4" "true" "\xa1" "n" "\xcb\x3f\xf8\0\0\0\0\0\0";
	struct buf	 packed = { 0 };

	(void)state;
	is_the_example(SLICE(TEXT), "");
	is_the_example(SLICE(TEXT), "something else");
	is_the_example(SLICE(TEXT), NULL);
	gzip(&packed, TEXT, sizeof(TEXT) - 1);
	is_the_example(buf_slice(&packed), "gzip/json");
	buf_free(&packed);
	is_the_example((struct slice){ msgpack, sizeof(msgpack) - 1 }, "msgpack");
}

static void
msgpack_values_become_json_as_hq_means_them(void **state)
{
	static const char msgpack[] = "\x82\xa6" "action" "\xa1" "x" "\xa4" "data" "\x86"
	    "\xa1" "t" "\xd7\xff\xa6\x32\x63\x00\x66\x8d\x81\x33" "\xa1" "s" "\xd6\xff\x66\x8d\x81\x33"
	    "\xc4\x01" "b" "\xc4\x03" "abc" "\xa1" "l" "\x92\x01\xff" "\xa1" "z" "\xc0" "\xa1" "m" "\x80";
	struct notice	 n;
	struct err	 err = { 0 };

	(void)state;
	if (notice_decode(&n, (struct slice){ msgpack, sizeof(msgpack) - 1 }, SLICE("msgpack"), &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(notice_text(&n, "t"), "2024-07-09T18:28:03.69708Z");
	assert_string_equal(notice_text(&n, "s"), "2024-07-09T18:28:03Z");
	assert_string_equal(notice_text(&n, "b"), "YWJj");
	assert_int_equal(json_integer_value(json_array_get(json_object_get(n.data, "l"), 1)), -1);
	assert_true(json_is_null(json_object_get(n.data, "z")));
	assert_true(json_is_object(json_object_get(n.data, "m")));
	notice_free(&n);
}

static void
what_is_no_message_of_hq_is_refused(void **state)
{
	(void)state;
	is_refused(SLICE(""), "", "expected JSON");
	is_refused(SLICE("{"), "", "expected JSON");
	is_refused(SLICE("[]"), "", "\"action\"");
	is_refused(SLICE("{}"), "", "\"action\"");
	is_refused(SLICE("{\"action\":1}"), "", "\"action\"");
	is_refused(SLICE("{\"action\":\"x\",\"data\":[]}"), "", "\"data\"");
	is_refused(SLICE("{\"action\":\"x\",\"action\":\"y\"}"), "", "expected JSON");
	is_refused(SLICE(TEXT), "gzip/json", "gzip");
	is_refused(SLICE(TEXT), "msgpack", "msgpack");
	is_refused(SLICE("\x81\x01\x01"), "msgpack", "texts as keys");
	is_refused(SLICE("\x80\x80"), "msgpack", "msgpack");
}

static void
a_message_cannot_grow_without_end(void **state)
{
	size_t		 n = (size_t)8 << 20;
	char		*zeros = calloc(n, 1);
	struct buf	 packed = { 0 };

	(void)state;
	assert_non_null(zeros);
	gzip(&packed, zeros, n);
	assert_true(packed.len < NOTICE_MAX / 8);
	is_refused(buf_slice(&packed), "gzip/json", "unpacks to more than");
	is_refused((struct slice){ zeros, n }, "", "more than");
	buf_free(&packed);
	free(zeros);
}

static void
deep_nesting_is_refused(void **state)
{
	struct buf	 b = { 0 };

	(void)state;
	buf_adds(&b, "\x82\xa6" "action" "\xa1" "x" "\xa4" "data" "\x81\xa1" "d");
	for (int i = 0; i < 5000; i++)
		buf_addc(&b, (char)0x91);
	buf_addc(&b, (char)0xc0);
	is_refused(buf_slice(&b), "msgpack", "msgpack");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_gzip_and_msgpack_say_the_same),
		cmocka_unit_test(msgpack_values_become_json_as_hq_means_them),
		cmocka_unit_test(what_is_no_message_of_hq_is_refused),
		cmocka_unit_test(a_message_cannot_grow_without_end),
		cmocka_unit_test(deep_nesting_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
