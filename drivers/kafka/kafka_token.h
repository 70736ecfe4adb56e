#ifndef EDS_DRIVERS_KAFKA_TOKEN_H
#define EDS_DRIVERS_KAFKA_TOKEN_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * A bearer token from a file that somebody else keeps fresh: the token (free() it) and when it ends, in
 * milliseconds since 1970 by its own `exp`.
 */
int	 kafka_token_read(const char *path, char **token_r, int64_t *expires_ms_r, struct err *) MUST_CHECK;

/* When a JSON web token ends; ERR_INVALID when it does not say. */
int	 kafka_token_expiry(struct slice token, int64_t *expires_ms_r, struct err *) MUST_CHECK;

#endif
