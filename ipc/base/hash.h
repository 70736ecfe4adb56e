#ifndef EDS_HASH_H
#define EDS_HASH_H

#include "ipc/base/slice.h"

/* contract/encoding.md section 8.  Golden values: tests/vectors/hashes.json. */
uint64_t hash_xxh64(struct slice);			/* seed 0 */
void	 hash_hex(struct slice, char out_r[17]);	/* 16 lower-case digits and a NUL */
uint32_t hash_fnv1a(struct slice);
uint32_t hash_modulo(struct slice, uint32_t n);		/* FNV-1a mod n, n > 0 */

#endif
