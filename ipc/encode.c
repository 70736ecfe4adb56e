/* Structs to frames.  Every frame written here is one that ipc_decode() takes. */

#include <msgpack.h>

#include "ipc/codec_private.h"

#define LIST_HEAD	5			/* array32: can be patched once the count is known */
#define EVENT_HEADS	24			/* most that an event takes besides its subject and payload */

static int
append(void *arg, const char *p, size_t n)
{
	struct buf	*out = arg;

	buf_add(out, p, n);
	return out->oom ? -1 : 0;
}

static msgpack_packer
packer(struct buf *out)
{
	msgpack_packer	 pk;

	msgpack_packer_init(&pk, out, append);
	return pk;
}

static bool
sendable(struct slice s)
{
	return s.n == 0 || (memchr(s.p, '\0', s.n) == NULL && slice_is_utf8(s));
}

/* Length of the sendable text at the front, or 0. */
static size_t
one_char(struct slice s)
{
	for (size_t n = 1; n <= 4 && n <= s.n; n++)
		if (sendable((struct slice){ s.p, n }))
			return n;
	return 0;
}

static void
mended(struct buf *out, struct slice s)
{
	while (s.n > 0) {
		size_t n = one_char(s);

		if (n > 0)
			buf_add(out, s.p, n);
		else {
			buf_adds(out, "\xef\xbf\xbd");
			n = 1;
		}
		s.p += n;
		s.n -= n;
	}
}

/*
 * The results of the packing functions are not looked at: the only way to fail
 * is append(), and that is remembered in out->oom.
 */
static void
pack_str(msgpack_packer *pk, struct buf *out, struct slice s)
{
	struct buf	 copy = { 0 };

	if (!sendable(s)) {
		mended(&copy, s);
		if (copy.oom)
			out->oom = true;
		s = buf_slice(&copy);
	}
	(void)msgpack_pack_str(pk, s.n);
	buf_add(out, s.p, s.n);
	buf_free(&copy);
}

static void
pack_bin(msgpack_packer *pk, struct buf *out, struct slice s)
{
	(void)msgpack_pack_bin(pk, s.n);
	buf_add(out, s.p, s.n);
}

static void
pack_event(msgpack_packer *pk, struct buf *out, const struct ipc_event *ev)
{
	/* one growth per event at most, not one per piece */
	if (!buf_reserve(out, ev->subject.n + ev->payload.n + EVENT_HEADS))
		return;
	(void)msgpack_pack_array(pk, 3);
	(void)msgpack_pack_uint64(pk, ev->seq);
	pack_str(pk, out, ev->subject);
	pack_bin(pk, out, ev->payload);
}

static const void *
at(const union ipc_body *body, const struct ipc_field *f)
{
	return (const char *)body + f->offset;
}

static bool
left_out(const struct ipc_field *f, const void *v)
{
	if (f->required)
		return false;
	switch (f->type) {
	case IPC_T_U64:
		return *(const uint64_t *)v == 0;
	case IPC_T_I64:
		return *(const int64_t *)v == 0;
	case IPC_T_BOOL:
		return !*(const bool *)v;
	case IPC_T_STR:
	case IPC_T_BIN:
		return ((const struct slice *)v)->p == NULL;
	case IPC_T_STRS:
		return ((const struct ipc_strs *)v)->n == 0;
	case IPC_T_EVENTS:
		return ((const struct ipc_events *)v)->n == 0;
	}
	return false;
}

/* False when a list is longer than a decoder takes. */
static bool
pack_value(msgpack_packer *pk, struct buf *out, const struct ipc_field *f, const void *v)
{
	const struct ipc_strs	*strs = v;
	const struct ipc_events	*events = v;

	switch (f->type) {
	case IPC_T_U64:
		(void)msgpack_pack_uint64(pk, *(const uint64_t *)v);
		break;
	case IPC_T_I64:
		(void)msgpack_pack_int64(pk, *(const int64_t *)v);
		break;
	case IPC_T_BOOL:
		(void)(*(const bool *)v ? msgpack_pack_true(pk) : msgpack_pack_false(pk));
		break;
	case IPC_T_STR:
		pack_str(pk, out, *(const struct slice *)v);
		break;
	case IPC_T_BIN:
		pack_bin(pk, out, *(const struct slice *)v);
		break;
	case IPC_T_STRS:
		if (strs->n > IPC_STRS_MAX)
			return false;
		(void)msgpack_pack_array(pk, strs->n);
		for (size_t i = 0; i < strs->n; i++)
			pack_str(pk, out, strs->v[i]);
		break;
	case IPC_T_EVENTS:
		if (events->n > IPC_EVENTS_MAX)
			return false;
		(void)msgpack_pack_array(pk, events->n);
		for (size_t i = 0; i < events->n; i++)
			pack_event(pk, out, &events->v[i]);
		break;
	}
	return true;
}

/* Room for the length, then the message's number; the body map follows. */
static void
frame_begin(msgpack_packer *pk, struct buf *out, enum ipc_type type)
{
	static const uint8_t later[IPC_LENGTH_BYTES];

	buf_add(out, later, sizeof(later));
	(void)msgpack_pack_array(pk, 2);
	(void)msgpack_pack_uint64(pk, (uint64_t)type);
}

/* Takes the frame back unless it is whole and may be sent; else writes its length. */
static enum err_code
frame_end(struct buf *out, size_t frame_at, bool fits)
{
	size_t	 len;

	if (out->oom || !fits) {
		out->len = frame_at;
		return out->oom ? ERR_NOMEM : ERR_TOOBIG;
	}
	len = out->len - frame_at - IPC_LENGTH_BYTES;
	if (len > IPC_FRAME_MAX) {
		out->len = frame_at;
		return ERR_TOOBIG;
	}
	ipc_put_u32(out->data + frame_at, (uint32_t)len);
	return ERR_NONE;
}

enum err_code
ipc_encode_frame(struct buf *out, enum ipc_type type, const union ipc_body *body)
{
	const struct ipc_desc	*d = ipc_find((uint64_t)type);
	msgpack_packer		 pk = packer(out);
	size_t			 frame_at = out->len, present = 0;
	bool			 fits = true;

	if (d == NULL)
		bug("encoding message number %d, which messages.def does not have", (int)type);
	frame_begin(&pk, out, type);
	for (const struct ipc_field *f = d->fields(); f->name != NULL; f++)
		present += left_out(f, at(body, f)) ? 0 : 1;
	(void)msgpack_pack_map(&pk, present);
	for (const struct ipc_field *f = d->fields(); f->name != NULL && fits; f++) {
		if (left_out(f, at(body, f)))
			continue;
		pack_str(&pk, out, slice_of(f->name));
		fits = pack_value(&pk, out, f, at(body, f));
	}
	return frame_end(out, frame_at, fits);
}

void
ipc_encode(struct buf *out, enum ipc_type type, const union ipc_body *body)
{
	if (ipc_encode_frame(out, type, body) != ERR_NONE)
		out->oom = true;
}

/* Length, [ , number, { , name of the one field; the list's head ends the fixed part. */
static size_t
events_head(const struct ipc_field *list)
{
	return IPC_LENGTH_BYTES + 1 + 1 + 1 + 1 + strlen(list->name) + LIST_HEAD;
}

static const struct ipc_field *
events_list(void)
{
	return ipc_find(IPC_EVENTS)->fields();
}

void
ipc_events_begin(struct ipc_events_writer *w, struct buf *out)
{
	static const uint8_t	 later[LIST_HEAD] = { 0xdd };
	msgpack_packer		 pk = packer(out);

	*w = (struct ipc_events_writer){ .out = out, .frame_at = out->len };
	frame_begin(&pk, out, IPC_EVENTS);
	(void)msgpack_pack_map(&pk, 1);
	pack_str(&pk, out, slice_of(events_list()->name));
	buf_add(out, later, sizeof(later));
	if (!out->oom && out->len - w->frame_at != events_head(events_list()))
		bug("the head of an EVENTS frame has %zu bytes", out->len - w->frame_at);
}

void
ipc_events_add(struct ipc_events_writer *w, uint64_t seq, struct slice subject, struct slice payload)
{
	const struct ipc_event	 ev = { seq, subject, payload };
	msgpack_packer		 pk = packer(w->out);

	pack_event(&pk, w->out, &ev);
	w->count++;
}

size_t
ipc_events_size(const struct ipc_events_writer *w)
{
	return w->out->len - w->frame_at;
}

void
ipc_events_end(struct ipc_events_writer *w)
{
	if (w->count == 0) {
		w->out->len = w->frame_at;
		return;
	}
	if (frame_end(w->out, w->frame_at, w->count <= IPC_EVENTS_MAX) != ERR_NONE) {
		w->out->oom = true;
		return;
	}
	ipc_put_u32(w->out->data + w->frame_at + events_head(events_list()) - 4, (uint32_t)w->count);
}
