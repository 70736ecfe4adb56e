#ifndef EDS_MSGPACK_OUT_H
#define EDS_MSGPACK_OUT_H

#include "ipc/base/buf.h"

/*
 * msgpack in the very forms that HQ's reader expects (contract/encoding.md
 * section 7): integers at full width, map16 from 16 entries on.
 */
void	 msgpack_out_map(struct buf *, unsigned n);
void	 msgpack_out_str(struct buf *, const char *);		/* at most 65535 bytes of it */
void	 msgpack_out_bool(struct buf *, bool);
void	 msgpack_out_i64(struct buf *, int64_t);
void	 msgpack_out_u64(struct buf *, uint64_t);
void	 msgpack_out_double(struct buf *, double);
void	 msgpack_out_time(struct buf *, int64_t epoch_ns);	/* never before 1970 */

#endif
