#ifndef EDS_HANDSHAKE_H
#define EDS_HANDSHAKE_H

#include "ipc/channel.h"

/* Queues our HELLO: the versions we speak, who we are, which generation (0 for none). */
int	 handshake_send(struct channel *, const char *program, uint64_t generation, struct err *) MUST_CHECK;

/*
 * Looks at the peer's HELLO.  Succeeds with the highest common protocol version
 * in *version_r, or fails with ERR_CONFLICT and a text that names both programs' versions and
 * says to install them from the same package.
 */
int	 handshake_check(const struct ipc_hello_body *, const char *our_program, uint64_t *version_r, struct err *) MUST_CHECK;

/* A worker that was given rules and does not say in READY that it goes by them would deliver what they hold back. */
#define HANDSHAKE_NO_RULES	"the worker's program knows nothing of schema_validator, and would deliver what the rules hold back; install it " \
				"and eds from the same package"

#endif
