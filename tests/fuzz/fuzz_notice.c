/* Messages of HQ in each of their encodings; the first byte says which. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "supervisor/hq/notice.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const encodings[] = { "", "gzip/json", "msgpack" };
	struct notice	 n;
	struct err	 err = { 0 };

	if (len == 0)
		return 0;
	if (notice_decode(&n, (struct slice){ (const char *)data + 1, len - 1 },
	    slice_of(encodings[data[0] % NELEM(encodings)]), &err) == 0) {
		if (n.action == NULL)
			abort();
		(void)notice_text(&n, "url");
		(void)notice_bool(&n, "backfill");
		notice_free(&n);
	} else if (err.text[0] == '\0')
		abort();		/* every refusal has a reason */
	return 0;
}
