/* Memory and load of this machine for the heartbeat, from /proc. */

#include <stdlib.h>

#include "supervisor/hq/heartbeat.h"
#include "supervisor/hq/machine.h"

static const struct {
	const char	*name;		/* in /proc/meminfo */
	size_t		 offset;
	unsigned	 unit;
} lines[] = {
#define KB(name, member)	{ name, offsetof(struct heartbeat_memory, member), 1024 }
#define PAGES(name, member)	{ name, offsetof(struct heartbeat_memory, member), 1 }
	KB("MemTotal", total), KB("MemAvailable", available), KB("MemFree", free), KB("Active", active),
	KB("Inactive", inactive), KB("Buffers", buffers), KB("Cached", cached), KB("Writeback", writeBack),
	KB("Dirty", dirty), KB("WritebackTmp", writeBackTmp), KB("Shmem", shared), KB("Slab", slab),
	KB("SReclaimable", sreclaimable), KB("SUnreclaim", sunreclaim), KB("PageTables", pageTables),
	KB("SwapCached", swapCached), KB("CommitLimit", commitLimit), KB("Committed_AS", committedAS),
	KB("HighTotal", highTotal), KB("HighFree", highFree), KB("LowTotal", lowTotal), KB("LowFree", lowFree),
	KB("SwapTotal", swapTotal), KB("SwapFree", swapFree), KB("Mapped", mapped), KB("VmallocTotal", vmallocTotal),
	KB("VmallocUsed", vmallocUsed), KB("VmallocChunk", vmallocChunk), PAGES("HugePages_Total", hugePagesTotal),
	PAGES("HugePages_Free", hugePagesFree), PAGES("HugePages_Rsvd", hugePagesRsvd),
	PAGES("HugePages_Surp", hugePagesSurp), KB("Hugepagesize", hugePageSize), KB("AnonHugePages", anonHugePages),
};

static void
take_line(struct heartbeat_memory *m, struct slice name, uint64_t value)
{
	for (size_t i = 0; i < NELEM(lines); i++)
		if (slice_is(name, lines[i].name))
			*(uint64_t *)(void *)((char *)m + lines[i].offset) = value * lines[i].unit;
}

void
heartbeat_parse_meminfo(struct heartbeat_memory *m, struct slice text)
{
	struct slice	 line, name, number;
	uint64_t	 value;

	*m = (struct heartbeat_memory){ 0 };
	while (slice_cut(&text, '\n', &line)) {
		if (!slice_cut(&line, ':', &name) || line.p == NULL)
			continue;
		line = slice_trim(line);
		if (slice_cut(&line, ' ', &number) && slice_u64(number, &value))
			take_line(m, name, value);
	}
	m->cached += m->sreclaimable;
	m->used = m->total - (m->available < m->total ? m->available : m->total);
	m->used_percent = m->total == 0 ? 0 : (double)m->used / (double)m->total * 100;
}

void
heartbeat_read_machine(struct heartbeat *h)
{
	struct buf	 text = { 0 };
	double		 load[3] = { 0 };

	(void)machine_read("/proc/meminfo", &text);
	heartbeat_parse_meminfo(&h->memory, buf_slice(&text));
	buf_free(&text);
	if (getloadavg(load, 3) != 3)
		load[0] = load[1] = load[2] = 0;
	h->load1 = load[0];
	h->load5 = load[1];
	h->load15 = load[2];
}
