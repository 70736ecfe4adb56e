/* From the window to one worker. */

#include "supervisor/window/fanout.h"

#define QUEUE_MARK	(256u << 10)	/* bytes not yet written, above which nothing is added */

int64_t
fanout_feed(struct cursor *c, const struct window *w, struct credit *credit, struct channel *ch, struct err *err)
{
	const struct window_entry	*e = cursor_peek(c, w);
	int64_t				 fed = 0;

	while (e != NULL && credit->events > 0 && credit->bytes > 0 && channel_queued(ch) < QUEUE_MARK) {
		struct ipc_events_writer wr;

		ipc_events_begin(&wr, channel_out(ch));
		do {
			ipc_events_add(&wr, e->seq, e->subject, e->payload);
			credit->events--;
			credit->bytes -= (int64_t)e->payload.n;
			fed++;
			cursor_sent(c, w);
			e = cursor_peek(c, w);
		} while (e != NULL && credit->events > 0 && credit->bytes > 0 && ipc_events_size(&wr) < IPC_FRAME_AIM);
		ipc_events_end(&wr);
		if (channel_out(ch)->oom)
			return err_set(err, ERR_NOMEM, "sending events");
	}
	return fed;
}
