/* Hashes against the golden values. */

#include "tests/support/vectors.h"

#include "ipc/base/hash.h"

#define VECTORS	"tests/vectors/hashes.json"

static void
hash_of_every_golden_text_is_the_golden_hash(void **state)
{
	json_t	*root = vectors_load(VECTORS), *all = json_object_get(root, "hash"), *c;
	char	 hex[17];
	size_t	 i;

	(void)state;
	assert_true(json_array_size(all) >= 15);
	json_array_foreach(all, i, c) {
		hash_hex(vectors_str(c, "concatenated"), hex);
		assert_slice(slice_of(hex), vectors_str(c, "hash"));
	}
	json_decref(root);
}

static void
hash_of_every_length_up_to_a_few_stripes_is_its_own(void **state)
{
	/* Every way through the tail: 8-byte words, one 4-byte word, single bytes, whole stripes. */
	char		 text[100];
	uint64_t	 seen[sizeof(text)];

	(void)state;
	(void)memset(text, 'x', sizeof(text));
	for (size_t n = 0; n < sizeof(text); n++) {
		seen[n] = hash_xxh64((struct slice){ text, n });
		for (size_t k = 0; k < n; k++)
			assert_true(seen[k] != seen[n]);
	}
}

static void
hash_ignores_what_lies_behind_the_text(void **state)
{
	(void)state;
	assert_true(hash_xxh64((struct slice){ "abcX", 3 }) == hash_xxh64((struct slice){ "abcY", 3 }));
	assert_int_equal(hash_xxh64(SLICE("abc")), 0x44bc2cf5ad770999);
}

static void
modulo_of_every_golden_text_is_the_golden_remainder(void **state)
{
	json_t	*root = vectors_load(VECTORS), *all = json_object_get(root, "modulo"), *c;
	size_t	 i;

	(void)state;
	assert_true(json_array_size(all) > 0);
	json_array_foreach(all, i, c) {
		struct slice in = vectors_str(c, "input");
		uint32_t n = (uint32_t)json_integer_value(json_object_get(c, "n"));

		assert_int_equal(hash_fnv1a(in), json_integer_value(json_object_get(c, "fnv1a32")));
		assert_int_equal(hash_modulo(in, n), json_integer_value(json_object_get(c, "result")));
	}
	json_decref(root);
}

static void
partition_of_every_golden_key_is_the_golden_partition(void **state)
{
	json_t		*root = vectors_load(VECTORS), *all = json_object_get(root, "kafkaPartition"), *c, *want;
	const char	*count;
	char		 hex[17];
	size_t		 i;

	(void)state;
	assert_true(json_array_size(all) > 0);
	json_array_foreach(all, i, c) {
		hash_hex(vectors_str(c, "partitionKey"), hex);
		assert_slice(slice_of(hex), vectors_str(c, "xxhash64hex"));
		json_object_foreach(json_object_get(c, "partitionByCount"), count, want) {
			uint64_t n = 0;

			assert_true(slice_u64(slice_of(count), &n));
			assert_int_equal(hash_modulo(slice_of(hex), (uint32_t)n), json_integer_value(want));
		}
	}
	json_decref(root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash_of_every_golden_text_is_the_golden_hash),
		cmocka_unit_test(hash_of_every_length_up_to_a_few_stripes_is_its_own),
		cmocka_unit_test(hash_ignores_what_lies_behind_the_text),
		cmocka_unit_test(modulo_of_every_golden_text_is_the_golden_remainder),
		cmocka_unit_test(partition_of_every_golden_key_is_the_golden_partition),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
