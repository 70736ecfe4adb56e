/* Files of an export as rows: whole, cut, packed, and not what they should be. */

#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "worker/rows.h"

static const struct rows_source source = {
	.name = { "f-1.ndjson.gz", 13 }, .table = { "order", 5 }, .version = { "v1", 2 },
	.mvcc_timestamp = { "1720889452280802460.0000000000", 30 }, .timestamp_ms = 1720889452280,
};

struct reading {
	struct rows	*rows;
	struct rows_text spare;
	struct event	 ev;
	struct slice	 text;
	struct err	 err;
	int		 fd;
};

static int
file_of(const void *bytes, size_t n)
{
	int	 fd = memfd_create("rows", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, bytes, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void
begin(struct reading *r, int fd, size_t room)
{
	*r = (struct reading){ .fd = fd };
	assert_int_equal(rows_new(&r->rows, fd, room, &source, &r->err), 0);
}

static void
begin_text(struct reading *r, const char *text, size_t room)
{
	begin(r, file_of(text, strlen(text)), room);
}

static void
end(struct reading *r)
{
	rows_free(&r->rows);
	free(r->spare.p);
	event_free(&r->ev);
	(void)close(r->fd);
}

static enum rows_result
next(struct reading *r)
{
	enum rows_result	 result;

	while ((result = rows_next(r->rows, &r->ev, &r->text, &r->err)) == ROWS_PAUSE)
		assert_true(rows_turn(r->rows, &r->spare));
	return result;
}

static void
expect_row(struct reading *r, const char *id)
{
	assert_int_equal(next(r), ROWS_ROW);
	assert_true(slice_is(r->ev.primary_key, id));
}

static void
a_row_becomes_an_insert_event_of_its_own(void **state)
{
	struct reading	 r;
	struct slice	 first;
	char		 id[17];

	(void)state;
	begin_text(&r, "{\"id\":\"o-1\",\"companyId\":\"c\",\"locationId\":\"l\",\"userId\":null,\"n\":1}\n{\"id\":\"o\\n2\"}", 1 << 16);
	expect_row(&r, "o-1");
	assert_int_equal(r.ev.op, EVENT_INSERT);
	assert_true(r.ev.imported);
	assert_true(slice_is(r.ev.table, "order") && slice_is(r.ev.model_version, "v1"));
	assert_true(slice_is(r.ev.company_id, "c") && slice_is(r.ev.location_id, "l"));
	assert_null(r.ev.user_id.p);
	assert_int_equal(r.ev.timestamp_ms, source.timestamp_ms);
	assert_true(slice_eq(r.ev.mvcc_timestamp, source.mvcc_timestamp));
	assert_true(slice_is(r.ev.key.raw, "[\"o-1\"]"));
	first = r.ev.id;
	assert_int_equal(first.n, 16);
	(void)memcpy(id, first.p, 16);
	expect_row(&r, "o\n2");
	assert_true(slice_is(r.ev.key.raw, "[\"o\\n2\"]"));
	assert_memory_not_equal(id, r.ev.id.p, 16);
	assert_int_equal(next(&r), ROWS_END);
	assert_int_equal(rows_count(r.rows), 2);
	end(&r);
}

static void
any_white_space_may_stand_between_rows_and_within_them(void **state)
{
	struct reading	 r;

	(void)state;
	begin_text(&r, "\n\n {\"id\":\"1\"}\t{\"id\":\"2\"}{\"id\":\"3\"}\r\n{\n \"id\" :\n\"4\",\"x\":[1,\n2]}\n\n", 1 << 16);
	expect_row(&r, "1");
	expect_row(&r, "2");
	expect_row(&r, "3");
	expect_row(&r, "4");
	assert_int_equal(next(&r), ROWS_END);
	end(&r);
}

static void
what_is_no_row_is_told_and_the_next_one_comes(void **state)
{
	static const char *const bad[] = { "[1]", "{}", "{\"id\":7}", "{\"id\":\"\"}", "nonsense", "{\"id\":\"x\"", "{\"id\":\"\xff\"}" };
	struct buf	 text = { 0 };
	struct reading	 r;

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++)
		buf_printf(&text, "%s\n{\"id\":\"good-%zu\"}\n", bad[i], i);
	begin_text(&r, buf_cstr(&text), 1 << 16);
	for (size_t i = 0; i < NELEM(bad); i++) {
		char id[20];

		assert_int_equal(next(&r), ROWS_BAD);
		assert_true(r.err.text[0] != '\0');
		assert_true(slice_is(slice_trim(r.text), bad[i]));
		(void)snprintf(id, sizeof(id), "good-%zu", i);
		expect_row(&r, id);
		assert_int_equal(rows_count(r.rows), 2 * i + 2);
	}
	assert_int_equal(next(&r), ROWS_END);
	end(&r);
	buf_free(&text);
}

/* A gzip member of the text. */
static void
pack(struct buf *out, const char *text, size_t n)
{
	z_stream	 z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_true(buf_reserve(out, deflateBound(&z, n)));
	z.next_in = (Bytef *)(uintptr_t)text;
	z.avail_in = (uInt)n;
	z.next_out = out->data + out->len;
	z.avail_out = (uInt)(out->cap - out->len);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = out->cap - z.avail_out;
	(void)deflateEnd(&z);
}

static void
many_rows(struct buf *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(text, "{\"id\":\"%zu\",\"filler\":\"%0*zu\"}\n", i, (int)(i % 700), i);
}

static void
a_packed_file_is_read_with_little_room(void **state)
{
	struct buf	 text = { 0 }, packed = { 0 };
	struct reading	 r;

	(void)state;
	many_rows(&text, 3000);
	/* two members, one behind the other, as some writers make them */
	pack(&packed, (const char *)text.data, text.len / 2);
	pack(&packed, (const char *)text.data + text.len / 2, text.len - text.len / 2);
	for (size_t room = 64; room <= 65536; room *= 32) {
		begin(&r, file_of(packed.data, packed.len), room);
		for (size_t i = 0; i < 3000; i++) {
			char id[20];

			(void)snprintf(id, sizeof(id), "%zu", i);
			expect_row(&r, id);
		}
		assert_int_equal(next(&r), ROWS_END);
		assert_int_equal(rows_bytes(r.rows), packed.len);
		end(&r);
	}
	buf_free(&text);
	buf_free(&packed);
}

static void
a_file_that_is_cut_or_changed_is_damaged(void **state)
{
	struct buf	 text = { 0 }, packed = { 0 };
	struct reading	 r;

	(void)state;
	many_rows(&text, 2000);
	pack(&packed, (const char *)text.data, text.len);
	for (unsigned what = 0; what < 4; what++) {
		size_t n = what == 0 ? packed.len / 2 : what == 1 ? packed.len - 4 : packed.len;
		enum rows_result result;

		if (what == 2)
			packed.data[packed.len / 2] ^= 0x55;
		if (what == 3) {	/* its checksum */
			packed.data[packed.len / 2] ^= 0x55;
			packed.data[packed.len - 6] ^= 1;
		}
		begin(&r, file_of(packed.data, n), 1 << 16);
		while ((result = next(&r)) == ROWS_ROW || result == ROWS_BAD)
			;
		assert_int_equal(result, ROWS_DAMAGED);
		end(&r);
	}
	buf_free(&text);
	buf_free(&packed);
}

static void
a_row_that_is_too_long_costs_itself_alone(void **state)
{
	struct buf	 text = { 0 };
	struct reading	 r;

	(void)state;
	buf_adds(&text, "{\"id\":\"1\"}\n{\"id\":\"2\",\"x\":\"");
	while (text.len < ROWS_ROW_MAX + (1 << 20))
		buf_adds(&text, "0123456789012345678901234567890123456789012345678901234567890123456789");
	buf_adds(&text, "\"}\n{\"id\":\"3\"}\n");
	begin(&r, file_of(text.data, text.len), 1 << 16);
	expect_row(&r, "1");
	assert_int_equal(next(&r), ROWS_BAD);
	assert_int_equal(r.err.code, ERR_TOOBIG);
	expect_row(&r, "3");
	assert_int_equal(rows_count(r.rows), 3);
	assert_int_equal(next(&r), ROWS_END);
	end(&r);
	buf_free(&text);
}

static void
an_empty_file_has_no_rows(void **state)
{
	struct buf	 packed = { 0 };
	struct reading	 r;

	(void)state;
	begin_text(&r, "", 1 << 16);
	assert_int_equal(next(&r), ROWS_END);
	end(&r);
	pack(&packed, "", 0);
	begin(&r, file_of(packed.data, packed.len), 1 << 16);
	assert_int_equal(next(&r), ROWS_END);
	end(&r);
	buf_free(&packed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_becomes_an_insert_event_of_its_own),
		cmocka_unit_test(any_white_space_may_stand_between_rows_and_within_them),
		cmocka_unit_test(what_is_no_row_is_told_and_the_next_one_comes),
		cmocka_unit_test(a_packed_file_is_read_with_little_room),
		cmocka_unit_test(a_file_that_is_cut_or_changed_is_damaged),
		cmocka_unit_test(a_row_that_is_too_long_costs_itself_alone),
		cmocka_unit_test(an_empty_file_has_no_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
