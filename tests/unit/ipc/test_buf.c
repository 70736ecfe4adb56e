/* The growing buffer and its encodings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ipc/base/buf.h"

static void
pieces_add_up(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_string_equal(buf_cstr(&b), "");
	buf_adds(&b, "a");
	buf_addc(&b, 'b');
	buf_adds_slice(&b, SLICE("cd"));
	buf_adds_slice(&b, (struct slice){ NULL, 0 });
	buf_add(&b, NULL, 0);
	buf_printf(&b, "%d-%s", 42, "e");
	assert_string_equal(buf_cstr(&b), "abcd42-e");
	assert_int_equal(b.len, 8);
	assert_true(slice_is(buf_slice(&b), "abcd42-e"));
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
}

static void
it_grows_past_every_size(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		buf_addc(&b, (char)('a' + i % 26));
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
	for (size_t n = 0; n < 300; n++) {		/* printf around the ends of the room there is */
		struct buf c = { 0 };

		buf_printf(&c, "%*s", (int)n, "");
		buf_printf(&c, "%s", "end");
		assert_int_equal(c.len, n + 3);
		assert_string_equal(buf_cstr(&c) + n, "end");
		buf_free(&c);
	}
	buf_free(&b);
}

static void
shortage_of_memory_is_remembered_and_nothing_more_is_added(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_adds(&b, "kept");
	assert_false(buf_reserve(&b, SIZE_MAX));
	assert_true(b.oom);
	buf_adds(&b, "lost");
	buf_printf(&b, "%s", "lost");
	assert_int_equal(b.len, 4);
	assert_memory_equal(b.data, "kept", 4);
	assert_false(buf_reserve(&b, 1));
	assert_string_equal(buf_cstr(&b), "");
	buf_reset(&b);
	buf_adds(&b, "again");
	assert_string_equal(buf_cstr(&b), "again");
	assert_false(buf_reserve(&b, SIZE_MAX));
	assert_null(buf_steal(&b));
	assert_null(b.data);
	assert_false(b.oom);
}

static void
consume_drops_the_front_and_no_more_than_there_is(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_consume(&b, 0);
	buf_consume(&b, 5);
	buf_adds(&b, "abcdef");
	buf_consume(&b, 2);
	assert_string_equal(buf_cstr(&b), "cdef");
	buf_consume(&b, 0);
	assert_string_equal(buf_cstr(&b), "cdef");
	buf_consume(&b, 4);
	assert_int_equal(b.len, 0);
	buf_adds(&b, "x");
	buf_consume(&b, 100);
	assert_int_equal(b.len, 0);
	buf_free(&b);
}

static void
steal_hands_over_the_text(void **state)
{
	struct buf b = { 0 };
	char *s;

	(void)state;
	buf_adds(&b, "mine");
	s = buf_steal(&b);
	assert_string_equal(s, "mine");
	assert_null(b.data);
	free(s);
	s = buf_steal(&b);
	assert_string_equal(s, "");
	free(s);
}

static const struct {
	const char	*plain;
	const char	*hex;
	const char	*base64;
	const char	*base64url;
} vectors[] = {		/* the first seven are RFC 4648's */
	{ "", "", "", "" },
	{ "f", "66", "Zg==", "Zg" },
	{ "fo", "666f", "Zm8=", "Zm8" },
	{ "foo", "666f6f", "Zm9v", "Zm9v" },
	{ "foob", "666f6f62", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "666f6f6261", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "666f6f626172", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xfe", "fbfffe", "+//+", "-__-" },
};

static void
hex_and_base64_follow_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(vectors); i++) {
		struct buf b = { 0 };

		buf_hex(&b, vectors[i].plain, strlen(vectors[i].plain));
		assert_string_equal(buf_cstr(&b), vectors[i].hex);
		buf_reset(&b);
		buf_base64(&b, vectors[i].plain, strlen(vectors[i].plain));
		assert_string_equal(buf_cstr(&b), vectors[i].base64);
		buf_reset(&b);
		assert_true(buf_unbase64(&b, slice_of(vectors[i].base64)));
		assert_string_equal(buf_cstr(&b), vectors[i].plain);
		buf_reset(&b);
		assert_true(buf_unbase64url(&b, slice_of(vectors[i].base64url)));
		assert_string_equal(buf_cstr(&b), vectors[i].plain);
		buf_free(&b);
	}
}

static void
bytes_of_every_value_survive_base64(void **state)
{
	struct buf text = { 0 }, back = { 0 };
	uint8_t all[256];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(all); n++) {
		buf_reset(&text);
		buf_reset(&back);
		buf_base64(&text, all, n);
		assert_true(buf_unbase64(&back, buf_slice(&text)));
		assert_int_equal(back.len, n);
		if (n > 0)
			assert_memory_equal(back.data, all, n);
	}
	buf_free(&text);
	buf_free(&back);
}

static void
base64_that_is_not_is_refused(void **state)
{
	static const char *const wrong[] = {
		"Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zg=v", "Z g=", "Zm9v\n", "Zh==", "Zm9=", "-__-", "Zm8=Zm8=",
	};
	static const char *const wrong_url[] = { "Z", "Zg==", "+//+", "Zh", "Zm9 ", "Zm9vY" };
	struct buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < NELEM(wrong); i++) {
		buf_reset(&b);
		if (buf_unbase64(&b, slice_of(wrong[i])))
			fail_msg("%s was taken", wrong[i]);
	}
	for (size_t i = 0; i < NELEM(wrong_url); i++) {
		buf_reset(&b);
		if (buf_unbase64url(&b, slice_of(wrong_url[i])))
			fail_msg("%s was taken", wrong_url[i]);
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_add_up),
		cmocka_unit_test(it_grows_past_every_size),
		cmocka_unit_test(shortage_of_memory_is_remembered_and_nothing_more_is_added),
		cmocka_unit_test(consume_drops_the_front_and_no_more_than_there_is),
		cmocka_unit_test(steal_hands_over_the_text),
		cmocka_unit_test(hex_and_base64_follow_the_vectors),
		cmocka_unit_test(bytes_of_every_value_survive_base64),
		cmocka_unit_test(base64_that_is_not_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
