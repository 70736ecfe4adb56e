/* Rows in lots, made ahead of who takes them. */

#include "tests/support/cmocka_all.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/lots.h"

static const struct rows_source source = { .name = SLICE("f"), .table = SLICE("t"), .version = SLICE("v"),
	.mvcc_timestamp = SLICE("1.0") };

struct fixture {
	struct lots	*lots;
	int		 fd;
};

static void
begin(struct fixture *f, const char *text, size_t n, size_t most, size_t room)
{
	struct err	 err;

	assert_int_not_equal(f->fd = memfd_create("rows", MFD_CLOEXEC), -1);
	assert_int_equal(write(f->fd, text, n), n);
	assert_int_equal(lseek(f->fd, 0, SEEK_SET), 0);
	assert_int_equal(lots_new(&f->lots, most, room, &err), 0);
	assert_int_equal(lots_begin(f->lots, f->fd, &source, &err), 0);
}

static void
end(struct fixture *f)
{
	lots_free(&f->lots);
	(void)close(f->fd);
}

static void
many_rows(struct buf *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(text, "{\"id\":\"%zu\",\"filler\":\"%0*zu\"}\n", i, (int)(i % 300), i);
}

/* Of every row of the lot: number, key, text and members, which must not have moved while the next lot was made. */
static void
check_rows(const struct lot *lot, uint64_t *number)
{
	struct json_val	 key, val;
	char		 id[20];

	for (size_t i = 0; i < lot->n; i++, ++*number) {
		const struct drv_event *e = &lot->v[i];

		(void)snprintf(id, sizeof(id), "%llu", (unsigned long long)*number);
		assert_int_equal(e->seq, *number + 1);
		assert_true(slice_is(e->ev->primary_key, id));
		assert_true(slice_eq(e->payload, e->ev->after.raw));
		assert_int_equal(e->ev->members.n, 2);
		event_member_get(e->ev, 1, &key, &val);
		assert_true(slice_is(key.raw, "\"filler\"") && val.type == JV_STRING);
	}
}

static void
lots_come_in_order_whatever_their_room(void **state)
{
	static const struct { size_t most, room; } sizes[] = { { 1, 64 }, { 7, 256 }, { 100, 1 << 20 }, { 5000, 4096 } };
	struct buf	 text = { 0 };
	struct fixture	 f;

	(void)state;
	many_rows(&text, 3000);
	for (size_t k = 0; k < NELEM(sizes); k++) {
		uint64_t number = 0;
		struct lot *lot;

		begin(&f, (const char *)text.data, text.len, sizes[k].most, sizes[k].room);
		do {
			lot = lots_next(f.lots);
			assert_true(lot->n <= sizes[k].most);
			check_rows(lot, &number);
		} while (lot->then == ROWS_PAUSE);
		assert_int_equal(lot->then, ROWS_END);
		assert_int_equal(lot->rows, 3000);
		assert_int_equal(lot->file_bytes, text.len);
		assert_int_equal(number, 3000);
		end(&f);
	}
	buf_free(&text);
}

static void
what_is_no_row_follows_the_rows_before_it(void **state)
{
	static const char	 text[] = "{\"id\":\"a\"}\n{\"id\":\"b\"}\nnonsense\n{\"id\":\"c\"}\n{}\n";
	struct fixture		 f;
	struct lot		*lot;

	(void)state;
	begin(&f, text, sizeof(text) - 1, 10, 1 << 16);
	lot = lots_next(f.lots);
	assert_int_equal(lot->n, 2);
	assert_int_equal(lot->then, ROWS_BAD);
	assert_int_equal(lot->rows, 3);
	assert_true(slice_is(lot->text, "nonsense"));
	lot = lots_next(f.lots);
	assert_int_equal(lot->n, 1);
	assert_int_equal(lot->v[0].seq, 4);
	assert_int_equal(lot->then, ROWS_BAD);
	assert_int_equal(lot->rows, 5);
	lot = lots_next(f.lots);
	assert_int_equal(lot->n, 0);
	assert_int_equal(lot->then, ROWS_END);
	end(&f);
}

static void
a_file_can_be_left_at_any_point_and_the_next_begun(void **state)
{
	struct buf	 text = { 0 };
	struct fixture	 f;
	struct err	 err;

	(void)state;
	many_rows(&text, 3000);
	begin(&f, (const char *)text.data, text.len, 10, 4096);
	for (size_t taken = 0; taken < 5; taken++) {
		uint64_t number = 0;

		for (size_t i = 0; i < taken; i++)
			check_rows(lots_next(f.lots), &number);
		lots_end(f.lots);
		assert_int_equal(lseek(f.fd, 0, SEEK_SET), 0);
		assert_int_equal(lots_begin(f.lots, f.fd, &source, &err), 0);
	}
	end(&f);
	buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lots_come_in_order_whatever_their_room),
		cmocka_unit_test(what_is_no_row_follows_the_rows_before_it),
		cmocka_unit_test(a_file_can_be_left_at_any_point_and_the_next_begun),
	};

	return cmocka_run_group_tests_name("lots", tests, NULL, NULL);
}
