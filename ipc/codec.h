#ifndef EDS_CODEC_H
#define EDS_CODEC_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * Messages as structs and as bytes.  A frame on the wire is a 32-bit big-endian
 * length, then that many bytes holding one msgpack array [number, body map].
 * Everything here is made from messages.def and bodies.def.
 */

#define IPC_PROTOCOL_MIN	1
#define IPC_PROTOCOL_MAX	1
#define IPC_FRAME_MAX		(64u << 20)	/* refused unread above this         */
#define IPC_FRAME_AIM		(64u << 10)	/* events are packed up to this size */
#define IPC_STRS_MAX		4096		/* texts in one STRS field           */
#define IPC_EVENTS_MAX		65536		/* events in one EVENTS field        */

enum ipc_type {
#define MSG(num, NAME, from, since, body)	IPC_##NAME = (num),
#include "ipc/messages.def"
#undef MSG
};

enum ipc_side { IPC_SUPERVISOR, IPC_WORKER, IPC_CONTROL, IPC_ANY };

/* What a worker process is for, CONFIGURE's `mode`. */
enum ipc_mode {
	IPC_MODE_DELIVER,	/* a destination's own worker: events in stream order */
	IPC_MODE_TEST,		/* tells with TESTED whether the destination would take events, and exits */
	IPC_MODE_FORM,		/* tells with FORMED which URL a filled-in form makes, and exits          */
	IPC_MODE_IMPORT,	/* loads the files of one export */
	IPC_MODE_IMPORT_DRY,	/* the same without touching the destination: only reads the files */
};

/* A list of texts; `v` belongs to the ipc_arena the body was decoded with (or to the encoder's caller). */
struct ipc_strs {
	const struct slice	*v;
	size_t			 n;
};

/* One event inside an EVENTS body. */
struct ipc_event {
	uint64_t	 seq;
	struct slice	 subject;
	struct slice	 payload;
};
struct ipc_events {
	const struct ipc_event	*v;
	size_t			 n;
};

/* struct ipc_hello, struct ipc_events_body ...: one struct per body, `struct ipc_<body>_body`. */
#define IPC_C_U64	uint64_t
#define IPC_C_I64	int64_t
#define IPC_C_BOOL	bool
#define IPC_C_STR	struct slice
#define IPC_C_BIN	struct slice
#define IPC_C_STRS	struct ipc_strs
#define IPC_C_EVENTS	struct ipc_events
#define BODY(name)	struct ipc_##name##_body {
#define REQ(type, name)	IPC_C_##type name;
#define OPT(type, name)	IPC_C_##type name;
#define END(name)	char end_of_##name; };
#include "ipc/bodies.def"
#undef BODY
#undef REQ
#undef OPT
#undef END

union ipc_body {
#define BODY(name)	struct ipc_##name##_body name;
#define REQ(type, name)
#define OPT(type, name)
#define END(name)
#include "ipc/bodies.def"
#undef BODY
#undef REQ
#undef OPT
#undef END
};

struct ipc_msg {
	enum ipc_type	 type;
	union ipc_body	 body;
};

/* Memory for the lists of one decoded message; reused from message to message. */
struct ipc_arena {
	struct slice		*strs;
	size_t			 strs_cap;
	struct ipc_event	*events;
	size_t			 events_cap;
};
void	 ipc_arena_free(struct ipc_arena *);	/* leaves an empty one */

/*
 * Appends one whole frame, or nothing and sets out->oom: memory is short, or the
 * frame would be one that ipc_decode() refuses for its size (IPC_FRAME_MAX,
 * IPC_STRS_MAX, IPC_EVENTS_MAX).  A text is made fit to be sent: bytes that are
 * not UTF-8, and NUL, become U+FFFD, so that a cut-off error text cannot make the peer
 * hang up.  An absent REQ text is sent as ""; OPT fields that are absent, 0 or false are left out.
 */
void	 ipc_encode(struct buf *out, enum ipc_type, const union ipc_body *);

/*
 * EVENTS frames are built piece by piece, so that a payload is copied once:
 *	begin; add ... add; end
 * end() leaves nothing in `out` when no event was added, and nothing but out->oom
 * where ipc_encode() would do so.  Nobody else may touch `out` in between.
 */
struct ipc_events_writer {
	struct buf	*out;
	size_t		 frame_at;	/* offset of the frame in `out` */
	size_t		 count;
};
void	 ipc_events_begin(struct ipc_events_writer *, struct buf *out);
void	 ipc_events_add(struct ipc_events_writer *, uint64_t seq, struct slice subject, struct slice payload);
size_t	 ipc_events_size(const struct ipc_events_writer *);		/* bytes so far */
void	 ipc_events_end(struct ipc_events_writer *);

/*
 * Decodes the bytes after the length.  Slices of the body point into `frame`,
 * lists into the arena.  `from` is the side that sent it: a message that this side may
 * not send, an unknown number, a missing or doubled field, a wrong type, text
 * that is not UTF-8, trailing bytes are all ERR_INVALID; unknown fields are skipped.
 * Nothing is allocated before the lengths inside have been held against the frame.
 */
int	 ipc_decode(struct ipc_msg *, struct slice frame, enum ipc_side from, struct ipc_arena *, struct err *) MUST_CHECK;

const char *ipc_type_name(enum ipc_type);	/* "EVENTS"; "?" for an unknown one */

#endif
