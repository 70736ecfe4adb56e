#ifndef EDS_TEST_VECTORS_H
#define EDS_TEST_VECTORS_H

/* Golden values in JSON files; programs of the tests run in the project's top folder. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/base/slice.h"

/* For the caller to json_decref(); a file that does not load is a failure of the test. */
static inline json_t *
vectors_load(const char *path)
{
	json_error_t	 why;
	json_t		*root = json_load_file(path, 0, &why);

	if (root == NULL)
		fail_msg("%s:%d: %s", path, why.line, why.text);
	return root;
}

/* The member as a string; p == NULL when it is absent or something else. */
static inline struct slice
vectors_str(const json_t *object, const char *key)
{
	const json_t	*v = json_object_get(object, key);

	return (struct slice){ json_string_value(v), json_string_length(v) };
}

static inline void
assert_slice(struct slice got, struct slice want)
{
	if (!slice_eq(got, want))
		fail_msg("got \"" SLICE_FMT "\", expected \"" SLICE_FMT "\"", SLICE_ARG(got), SLICE_ARG(want));
}

#endif
