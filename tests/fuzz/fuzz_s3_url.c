/* Any text as the URL of an S3 destination: refused, or a place that is made of sound parts. */

#include <stdlib.h>

#include "drivers/s3/s3_config.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char			*url = slice_dup((struct slice){ (const char *)data, len });
	struct s3_config	 c;
	struct err		 err = { 0 };
	struct buf		 host = { 0 }, path = { 0 };

	if (url == NULL)
		return 0;
	if (s3_config_parse(&c, url, &err) == 0) {
		s3_address(&c, c.region != NULL ? c.region : "us-west-2", SLICE("key"), &host, &path);
		if (c.bucket[0] == '\0' || c.tasks == 0 || c.attempts == 0 || path.len < 4 || path.data[0] != '/' || host.len == 0)
			abort();
		if (c.prefix[0] == '/' || strstr(c.prefix, "//") != NULL || strstr(c.prefix, "/../") != NULL)
			abort();
		s3_config_free(&c);
	}
	buf_free(&host);
	buf_free(&path);
	free(url);
	return 0;
}
