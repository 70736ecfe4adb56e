/*
 * Pulls and acknowledges every message, nothing else.
 *
 *	pull_ack URL CREDS CONSUMER COUNT
 */

#include <stdlib.h>

#include "tests/bench/pull.h"

static void
take(void *arg, struct puller *p, natsMsg *msg)
{
	(void)arg;
	pull_ack(p, msg);
	natsMsg_Destroy(msg);
}

int
main(int argc, char **argv)
{
	struct puller	*p;

	if (argc != 5)
		die("usage", "pull_ack URL CREDS CONSUMER COUNT");
	p = pull_start(argv[1], argv[2], argv[3], strtoull(argv[4], NULL, 10), take, NULL);
	pull_end(&p);
	return 0;
}
