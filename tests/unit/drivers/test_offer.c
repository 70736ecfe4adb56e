/* What is remembered of a batch that comes again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/common/offer.h"

static struct drv_batch
batch_of(struct drv_event *v, size_t n, const uint64_t *seqs)
{
	for (size_t i = 0; i < n; i++)
		v[i] = (struct drv_event){ .seq = seqs[i] };
	return (struct drv_batch){ .v = v, .n = n };
}
#define BATCH(v, ...)	batch_of(v, sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), (uint64_t[]){ __VA_ARGS__ })

static void
begin(struct offer *o, const struct drv_batch *batch)
{
	struct err	 err;

	assert_int_equal(offer_begin(o, batch, &err), 0);
}

static void
the_same_batch_goes_on_where_it_was(void **state)
{
	struct offer	 o = { .v = NULL };
	struct drv_event v[8];
	struct drv_batch b = BATCH(v, 5, 6, 9);

	(void)state;
	assert_false(offer_resumes(&o, &b));
	begin(&o, &b);
	assert_true(offer_resumes(&o, &b));
	assert_ptr_equal(offer_first(&o, OFFER_NEW), &o.v[0]);
	o.v[0].state = OFFER_STORED;
	assert_ptr_equal(offer_first(&o, OFFER_NEW), &o.v[1]);
	assert_null(offer_first(&o, OFFER_FAILED));
	offer_free(&o);
}

static void
another_batch_does_not(void **state)
{
	struct offer	 o = { .v = NULL };
	struct drv_event v[8], w[8];
	struct drv_batch b = BATCH(v, 5, 6, 9), longer = BATCH(w, 5, 6, 9, 10), shorter, other;

	(void)state;
	begin(&o, &b);
	assert_false(offer_resumes(&o, &longer));
	shorter = BATCH(w, 5, 6);
	assert_false(offer_resumes(&o, &shorter));
	other = BATCH(w, 5, 7, 9);
	assert_false(offer_resumes(&o, &other));
	offer_end(&o);
	assert_false(offer_resumes(&o, &b));
	offer_free(&o);
}

static void
without_what_was_refused_it_is_the_same_batch(void **state)
{
	struct offer	 o = { .v = NULL };
	struct drv_event v[8], w[8];
	struct drv_batch b = BATCH(v, 5, 6, 9), rest = BATCH(w, 5, 9);

	(void)state;
	begin(&o, &b);
	o.v[1].state = OFFER_REFUSED;
	assert_true(offer_resumes(&o, &rest));
	assert_false(offer_resumes(&o, &b));
	assert_int_equal(offer_index(&o, &o.v[0]), 0);
	assert_int_equal(offer_index(&o, &o.v[2]), 1);
	offer_free(&o);
}

static void
a_larger_batch_starts_with_nothing_remembered(void **state)
{
	struct offer	 o = { .v = NULL };
	struct drv_event v[8], w[8];
	struct drv_batch b = BATCH(v, 1), more = BATCH(w, 2, 3, 4, 5, 6);

	(void)state;
	begin(&o, &b);
	o.v[0].state = OFFER_FAILED;
	begin(&o, &more);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(o.v[i].state, OFFER_NEW);
		assert_int_equal(o.v[i].partition, -1);
	}
	offer_free(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_batch_goes_on_where_it_was),
		cmocka_unit_test(another_batch_does_not),
		cmocka_unit_test(without_what_was_refused_it_is_the_same_batch),
		cmocka_unit_test(a_larger_batch_starts_with_nothing_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
