#ifndef EDS_REPLY_H
#define EDS_REPLY_H

#include "ipc/base/slice.h"

/* What the reply subject of a delivery says (contract/nats.md section 4). */
struct reply {
	uint64_t	 deliveries;
	uint64_t	 stream_seq;
	uint64_t	 consumer_seq;
	uint64_t	 timestamp_ns;
	uint64_t	 pending;	/* left on the server after this one */
};

/* 9 tokens, or 11 and more with domain and account hash in front.  False for anything else. */
bool	 reply_parse(struct slice subject, struct reply *) MUST_CHECK;

#endif
