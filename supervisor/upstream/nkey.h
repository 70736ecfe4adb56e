#ifndef EDS_NKEY_H
#define EDS_NKEY_H

#include "ipc/base/slice.h"

/* NATS keys as text: base32 of prefix, 32 bytes and a CRC-16.  The prefix says what a key is for. */
#define NKEY_ACCOUNT	(0u << 3)
#define NKEY_USER	(20u << 3)

#define NKEY_BYTES	32

/* A public key of that kind, or a seed of that kind; false when the text is anything else. */
bool	 nkey_public(struct slice text, unsigned kind, uint8_t key_r[NKEY_BYTES]) MUST_CHECK;
bool	 nkey_seed(struct slice text, unsigned kind, uint8_t seed_r[NKEY_BYTES]) MUST_CHECK;

/* ed25519 by OpenSSL. */
bool	 nkey_verify(const uint8_t key[NKEY_BYTES], struct slice text, struct slice signature) MUST_CHECK;
bool	 nkey_seed_to_public(const uint8_t seed[NKEY_BYTES], uint8_t key_r[NKEY_BYTES]) MUST_CHECK;

#endif
