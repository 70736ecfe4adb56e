/*
 * Fills the stream.
 *
 *	publish URL CREDS EVENTS COUNT [FROM]
 *
 * Publishes events FROM (0) to FROM + COUNT - 1 without asking for acknowledgements; whoever
 * starts it looks at the stream to see that all have come.
 */

#include <stdlib.h>

#include "tests/bench/events.h"
#include "tests/bench/pull.h"

#define FLUSH_EVERY	10000u	/* the server is not to buffer without bound */

int
main(int argc, char **argv)
{
	struct events	*e;
	natsConnection	*nc;
	uint64_t	 count, from = 0;

	if (argc != 5 && argc != 6)
		die("usage", "publish URL CREDS EVENTS COUNT [FROM]");
	count = strtoull(argv[4], NULL, 10);
	if (argc == 6)
		from = strtoull(argv[5], NULL, 10);
	e = events_open(argv[3]);
	nc = connect_to(argv[1], argv[2], false);
	for (uint64_t i = 0; i < count; i++) {
		natsMsg *msg = events_message(e, from + i);

		must(natsConnection_PublishMsg(nc, msg), "publishing");
		natsMsg_Destroy(msg);
		if (i % FLUSH_EVERY == 0)
			must(natsConnection_FlushTimeout(nc, 60000), "flushing");
	}
	must(natsConnection_FlushTimeout(nc, 60000), "flushing");
	natsConnection_Close(nc);
	natsConnection_Destroy(nc);
	events_close(&e);
	return 0;
}
