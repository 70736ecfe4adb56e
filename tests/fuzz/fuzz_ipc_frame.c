/*
 * The first byte chooses the sending side, the rest is one frame.  What decodes
 * must encode again and decode to the same.
 */

#include <stdlib.h>

#include "ipc/codec_private.h"
#include "tests/support/body_eq.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok, const char *what, const char *detail)
{
	if (!ok)
		bug("%s: %s", what, detail);
}

static void
decode_again(const struct ipc_msg *first, struct buf *out, enum ipc_side from)
{
	struct ipc_arena	 arena = { 0 };
	struct ipc_msg		 again;
	struct err		 err = { 0 };
	const char		*field;

	must(out->len > IPC_LENGTH_BYTES && ipc_get_u32(out->data) == out->len - IPC_LENGTH_BYTES, "length",
	    ipc_type_name(first->type));
	must(ipc_decode(&again, (struct slice){ (const char *)out->data + IPC_LENGTH_BYTES, out->len - IPC_LENGTH_BYTES },
	    from, &arena, &err) == 0, "second decoding", err.text);
	must(again.type == first->type, "type", ipc_type_name(again.type));
	field = body_differs(ipc_find((uint64_t)first->type), &first->body, &again.body);
	must(field == NULL, "field differs", field == NULL ? "" : field);
	ipc_arena_free(&arena);
}

static void
write_events(const struct ipc_msg *msg, struct buf *out)
{
	struct ipc_events_writer	 w;

	ipc_events_begin(&w, out);
	for (size_t i = 0; i < msg->body.events.list.n; i++) {
		const struct ipc_event *ev = &msg->body.events.list.v[i];

		ipc_events_add(&w, ev->seq, ev->subject, ev->payload);
	}
	ipc_events_end(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ipc_arena arena = { 0 };
	struct buf	 out = { 0 };
	struct ipc_msg	 msg;
	struct err	 err = { 0 };
	enum ipc_side	 from;

	if (len == 0)
		return 0;
	from = (enum ipc_side)(data[0] % (IPC_CONTROL + 1));
	if (ipc_decode(&msg, (struct slice){ (const char *)data + 1, len - 1 }, from, &arena, &err) == 0) {
		ipc_encode(&out, msg.type, &msg.body);
		must(!out.oom, "encoding", ipc_type_name(msg.type));
		decode_again(&msg, &out, from);
		if (msg.type == IPC_EVENTS && msg.body.events.list.n > 0) {
			buf_reset(&out);
			write_events(&msg, &out);
			must(!out.oom, "writing", "EVENTS");
			decode_again(&msg, &out, from);
		}
	} else
		must(err.code != ERR_NONE && err.text[0] != '\0', "refusal", "without a reason");
	buf_free(&out);
	ipc_arena_free(&arena);
	return 0;
}
