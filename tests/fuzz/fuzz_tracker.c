/* The Go server's store as a file from outside. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "supervisor/takeover/tracker.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tracker	 t;
	struct err	 err = { 0 };

	if (tracker_parse(&t, (struct slice){ (const char *)data, len }, 1720000000, 1719999000, &err) == 0) {
		for (size_t i = 0; i < t.n; i++)
			if (tracker_get(&t, t.v[i].key) != t.v[i].value)
				abort();	/* each key once */
		tracker_free(&t);
	} else if (err.text[0] == '\0' || t.n != 0)
		abort();
	return 0;
}
