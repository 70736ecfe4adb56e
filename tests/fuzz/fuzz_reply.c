/* Reply subjects of deliveries, and the server's answers about the consumer. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "supervisor/upstream/consumer.h"
#include "supervisor/upstream/reply.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice		 text = { (const char *)data, len };
	struct reply		 r;
	struct consumer_info	 info;
	struct err		 err = { 0 };

	/* What is accepted has at least the nine parts and five numbers. */
	if (reply_parse(text, &r) && len < sizeof("$JS.ACK.a.b.1.2.3.4.5") - 3)
		abort();
	(void)!consumer_info_parse(&info, text, &err);
	consumer_info_free(&info);
	return 0;
}
