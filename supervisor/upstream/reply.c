/* The reply subject of a JetStream delivery, which carries its metadata. */

#include "supervisor/upstream/reply.h"

#define TOKENS_MAX	12

bool
reply_parse(struct slice subject, struct reply *r)
{
	struct slice	 token[TOKENS_MAX], rest = subject;
	size_t		 n = 0, shift;

	while (n < TOKENS_MAX && slice_cut(&rest, '.', &token[n]))
		n++;
	if (n < 9 || n == 10 || !slice_is(token[0], "$JS") || !slice_is(token[1], "ACK"))
		return false;
	if (n == 9 && rest.p != NULL)
		return false;
	shift = n == 9 ? 0 : 2;
	return slice_u64(token[4 + shift], &r->deliveries) && slice_u64(token[5 + shift], &r->stream_seq) &&
	    slice_u64(token[6 + shift], &r->consumer_seq) && slice_u64(token[7 + shift], &r->timestamp_ns) &&
	    slice_u64(token[8 + shift], &r->pending);
}
