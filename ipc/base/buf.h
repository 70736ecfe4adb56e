#ifndef EDS_BUF_H
#define EDS_BUF_H

#include "ipc/base/slice.h"

/*
 * A growing byte buffer.  Additions never fail on the spot: shortage of memory
 * sets `oom`, later additions are ignored, and whoever uses the result looks
 * at `oom` once.  `{ 0 }` is an empty buffer.
 */
struct buf {
	uint8_t	*data;
	size_t	 len;
	size_t	 cap;
	bool	 oom;
};

void	 buf_free(struct buf *);		/* frees and leaves an empty buffer */
void	 buf_free_wiped(struct buf *);		/* the same for secrets, which do not stay behind in freed memory */
void	 free_wiped(char *);			/* free() for a secret that ends in NUL; copes with NULL */
void	 buf_reset(struct buf *);		/* forgets the bytes, keeps the memory */
bool	 buf_reserve(struct buf *, size_t more);	/* room for `more` bytes; false and oom otherwise */
void	 buf_add(struct buf *, const void *, size_t);
void	 buf_addc(struct buf *, char);
void	 buf_adds(struct buf *, const char *);
void	 buf_adds_slice(struct buf *, struct slice);
void	 buf_printf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void	 buf_consume(struct buf *, size_t n);	/* drops n bytes at the front */

/* The bytes, ended by a NUL that is not counted; "" when empty or out of memory. */
const char *buf_cstr(struct buf *);
struct slice buf_slice(const struct buf *);

/* The NUL-ended memory itself, for the caller to free(); the buffer is empty after.  NULL on oom. */
char	*buf_steal(struct buf *) MUST_CHECK;

/* Lower-case hexadecimal; standard base64 with padding. */
void	 buf_hex(struct buf *, const void *, size_t);
void	 buf_base64(struct buf *, const void *, size_t);

/* Decoders append and return false at the first byte that does not belong. */
bool	 buf_unbase64(struct buf *, struct slice);	/* standard alphabet, padded    */
bool	 buf_unbase64url(struct buf *, struct slice);	/* URL alphabet, without padding */

#endif
