#ifndef EDS_CODEC_PRIVATE_H
#define EDS_CODEC_PRIVATE_H

#include "ipc/messages.h"

#define IPC_LENGTH_BYTES	4		/* in front of every frame */

/*
 * ipc_encode() with its reason: ERR_NONE, ERR_NOMEM (out->oom is set) or
 * ERR_TOOBIG.  Without success nothing is appended.
 */
enum err_code	ipc_encode_frame(struct buf *out, enum ipc_type, const union ipc_body *) MUST_CHECK;

/* The announced length of a frame; `p` has IPC_LENGTH_BYTES bytes. */
static inline uint32_t
ipc_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void
ipc_put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

#endif
