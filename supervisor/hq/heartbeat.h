#ifndef EDS_HEARTBEAT_H
#define EDS_HEARTBEAT_H

#include "ipc/base/buf.h"

/* The heartbeat's payload and header, byte for byte (contract/nats.md section 10; tests/vectors/msgpack.json). */
struct heartbeat_memory {
#define MEM(name)	uint64_t name;
#include "supervisor/hq/heartbeat_memory.def"
#undef MEM
	double	used_percent;
};

struct heartbeat {
	const char	*session_id;
	int64_t		 offset;
	int64_t		 uptime_s;
	double		 flush_count, flush_duration, processing_duration, pending_events, total_events;
	struct heartbeat_memory	memory;
	double		 load1, load5, load15;
	int64_t		 paused_ns;		/* epoch; 0: not paused */
};

void	 heartbeat_encode(const struct heartbeat *, struct buf *);
void	 heartbeat_header(struct buf *, const char msg_id[17]);	/* NATS/1.0 block */
void	 heartbeat_read_machine(struct heartbeat *);		/* memory and load from /proc; what is missing is 0 */
void	 heartbeat_parse_meminfo(struct heartbeat_memory *, struct slice meminfo);	/* pure */

#endif
