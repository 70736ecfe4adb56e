/*
 * What edsctl shows: golden/NAME.json rendered at 80, 60 and 40 columns is golden/NAME.80.txt, NAME.60.txt, NAME.40.txt.
 * `test_edsctl_text update` writes the texts anew, for a person to look through.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "supervisor/control/edsctl_text.h"

#define GOLDEN	"tests/unit/supervisor/golden/"
#define NOW	1720000200000

static const struct {
	const char	*name;
	void		(*render)(struct buf *, const json_t *, const struct text_style *);
} goldens[] = {
	{ "status-fine",	text_status },
	{ "status-empty",	text_status },
	{ "status-troubled",	text_status },
	{ "status-hostile",	text_status },
	{ "status-bare",	text_status },
	{ "status-importing",	text_status },
	{ "why",		text_why },
	{ "why-unknown",	text_why },
	{ "reload",		text_answer },
	{ "reload-error",	text_answer },
	{ "quarantine",		text_answer },
};
static const unsigned widths[] = { 80, 60, 40 };

static void
render(struct buf *out, size_t i, const struct text_style *style)
{
	char		 path[200];
	json_error_t	 why;
	json_t		*doc;

	(void)snprintf(path, sizeof(path), GOLDEN "%s.json", goldens[i].name);
	if ((doc = json_load_file(path, 0, &why)) == NULL)
		fail_msg("%s:%d: %s", path, why.line, why.text);
	goldens[i].render(out, doc, style);
	assert_false(out->oom);
	json_decref(doc);
}

static void
golden_path(char *path, size_t size, size_t i, unsigned width)
{
	(void)snprintf(path, size, GOLDEN "%s.%u.txt", goldens[i].name, width);
}

static void
read_file(const char *path, struct buf *out)
{
	char	 bytes[4096];
	size_t	 n;
	FILE	*f = fopen(path, "re");

	if (f == NULL)
		fail_msg("%s is missing", path);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		buf_add(out, bytes, n);
	(void)fclose(f);
}

static void
answers_look_like_the_golden_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(goldens); i++) {
		for (size_t w = 0; w < NELEM(widths); w++) {
			struct text_style	 style = { .width = widths[w], .now_ms = NOW };
			struct buf		 got = { 0 }, want = { 0 };
			char			 path[200];

			golden_path(path, sizeof(path), i, widths[w]);
			render(&got, i, &style);
			read_file(path, &want);
			if (strcmp(buf_cstr(&got), buf_cstr(&want)) != 0)
				fail_msg("%s: wanted\n%s\ngot\n%s", path, buf_cstr(&want), buf_cstr(&got));
			buf_free(&got);
			buf_free(&want);
		}
	}
}

static void
no_line_is_wider_than_the_screen(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(goldens); i++) {
		for (unsigned width = TEXT_WIDTH_MIN; width <= 130; width++) {
			struct text_style	 style = { .width = width, .now_ms = NOW };
			struct buf		 out = { 0 };
			struct slice		 rest, line;

			render(&out, i, &style);
			rest = buf_slice(&out);
			while (slice_cut(&rest, '\n', &line)) {
				if (text_columns(line) > width)
					fail_msg("%s at %u columns: " SLICE_FMT, goldens[i].name, width, SLICE_ARG(line));
			}
			buf_free(&out);
		}
	}
}

static void
no_line_ends_in_a_blank(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(goldens); i++) {
		for (unsigned width = TEXT_WIDTH_MIN; width <= 130; width++) {
			struct text_style	 style = { .width = width, .now_ms = NOW };
			struct buf		 out = { 0 };

			render(&out, i, &style);
			assert_null(strstr(buf_cstr(&out), " \n"));
			buf_free(&out);
		}
	}
}

static void
nothing_the_server_says_steers_the_terminal(void **state)
{
	struct text_style	 style = { .width = 80, .now_ms = NOW };
	struct buf		 out = { 0 };

	(void)state;
	render(&out, 3, &style);
	for (size_t i = 0; i < out.len; i++) {
		assert_true(out.data[i] == '\n' || out.data[i] >= ' ');
		assert_false(out.data[i] == 0xc2 && out.data[i + 1] < 0xa0);
	}
	buf_free(&out);
}

/* A subject breaks behind its points, so that each of its tokens is whole; what has no such place is cut. */
static void
long_words_break_behind_their_punctuation(void **state)
{
	static const struct {
		const char	*paragraph, *want;
	} cases[] = {
		{ "at dbchange.order.INSERT.6287a4154d1a.PUBLIC: no", "at dbchange.order.\n  INSERT.6287a4154d1a.\n  PUBLIC: no\n" },
		{ "see https://host.example/a/long/path", "see https://host.\n  example/a/long/path\n" },
		{ "abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrstuvwx\n  yz\n" },
		{ "no well-known word is broken", "no well-known word is\n  broken\n" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf out = { 0 };

		text_wrap(&out, slice_of(cases[i].paragraph), 0, 2, 24);
		assert_string_equal(buf_cstr(&out), cases[i].want);
		buf_free(&out);
	}
}

/* Colours add escapes and change nothing else. */
static void
colours_only_add_escapes(void **state)
{
	struct text_style	 plain = { .width = 80, .now_ms = NOW }, colour = plain;

	(void)state;
	colour.colour = true;
	for (size_t i = 0; i < NELEM(goldens); i++) {
		struct buf a = { 0 }, b = { 0 }, stripped = { 0 };

		render(&a, i, &plain);
		render(&b, i, &colour);
		for (size_t at = 0; at < b.len; at++) {
			if (b.data[at] != '\033') {
				buf_addc(&stripped, (char)b.data[at]);
				continue;
			}
			while (b.data[at] != 'm')
				at++;
		}
		assert_string_equal(buf_cstr(&stripped), buf_cstr(&a));
		buf_free(&a);
		buf_free(&b);
		buf_free(&stripped);
	}
}

static const char *
text(void (*f)(struct buf *, double), double v)
{
	static struct buf	 out;
	static char		 copy[40];

	buf_reset(&out);
	f(&out, v);
	(void)snprintf(copy, sizeof(copy), "%s", buf_cstr(&out));
	buf_free(&out);
	return copy;
}

static void
numbers_are_short_and_have_units(void **state)
{
	(void)state;
	assert_string_equal(text(text_count, 0), "0");
	assert_string_equal(text(text_count, 999), "999");
	assert_string_equal(text(text_count, 1000), "1,000");
	assert_string_equal(text(text_count, 9999999), "9,999,999");
	assert_string_equal(text(text_count, 12345678), "12.3M");
	assert_string_equal(text(text_count, 123456789), "123M");
	assert_string_equal(text(text_count, 9.9e9), "9.9G");
	assert_string_equal(text(text_bytes, 0), "0 B");
	assert_string_equal(text(text_bytes, 1023), "1023 B");
	assert_string_equal(text(text_bytes, 1024), "1 KiB");
	assert_string_equal(text(text_bytes, 9000000), "8.6 MiB");
	assert_string_equal(text(text_bytes, 67108864), "64 MiB");
	assert_string_equal(text(text_bytes, 3e15), "2728 TiB");
	assert_string_equal(text(text_rate, 0), "0/s");
	assert_string_equal(text(text_rate, 0.01), "<0.1/s");
	assert_string_equal(text(text_rate, 0.2), "0.2/s");
	assert_string_equal(text(text_rate, 1234.4), "1,234/s");
	assert_string_equal(text(text_rate, 15234), "15.2k/s");
	assert_string_equal(text(text_rate, 2.5e6), "2.5M/s");
}

static void
times_are_told_from_now(void **state)
{
	static const struct {
		int64_t		 then;
		const char	*want;
	} cases[] = {
		{ 0, "never" }, { NOW, "just now" }, { NOW + 5000, "just now" }, { NOW - 200000, "3m 20s ago" },
		{ NOW - 90061000, "1d 1h ago" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf out = { 0 };

		text_ago(&out, cases[i].then, NOW);
		assert_string_equal(buf_cstr(&out), cases[i].want);
		buf_free(&out);
	}
}

static int
update(void)
{
	for (size_t i = 0; i < NELEM(goldens); i++) {
		for (size_t w = 0; w < NELEM(widths); w++) {
			struct text_style	 style = { .width = widths[w], .now_ms = NOW };
			struct buf		 out = { 0 };
			char			 path[200];
			FILE			*f;

			golden_path(path, sizeof(path), i, widths[w]);
			render(&out, i, &style);
			if ((f = fopen(path, "we")) == NULL)
				return 1;
			(void)fwrite(out.data, 1, out.len, f);
			if (fclose(f) != 0)
				return 1;
			buf_free(&out);
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_look_like_the_golden_texts),
		cmocka_unit_test(no_line_is_wider_than_the_screen),
		cmocka_unit_test(no_line_ends_in_a_blank),
		cmocka_unit_test(nothing_the_server_says_steers_the_terminal),
		cmocka_unit_test(long_words_break_behind_their_punctuation),
		cmocka_unit_test(colours_only_add_escapes),
		cmocka_unit_test(numbers_are_short_and_have_units),
		cmocka_unit_test(times_are_told_from_now),
	};

	if (argc == 2 && strcmp(argv[1], "update") == 0)
		return update();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
