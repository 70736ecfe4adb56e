/* The object `osinfo` of the session start (contract/hq-api.md section 4.2). */

#include <dirent.h>
#include <stdlib.h>
#include <sched.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

#include "ipc/base/json_out.h"
#include "supervisor/hq/machine.h"

static void
add_text(struct buf *json, const char *key, const char *value)
{
	buf_printf(json, "\"%s\":", key);
	json_out_str(json, slice_of(value));
	buf_addc(json, ',');
}

static void
add_number(struct buf *json, const char *key, uint64_t value)
{
	buf_printf(json, "\"%s\":%llu,", key, (unsigned long long)value);
}

static uint64_t
count_processes(void)
{
	DIR		*dir = opendir("/proc");
	struct dirent	*e;
	uint64_t	 n = 0, pid;

	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL)
		n += slice_u64(slice_of(e->d_name), &pid);
	(void)closedir(dir);
	return n;
}

static uint64_t
boot_time(uint64_t uptime)
{
	struct buf	 text = { 0 };
	struct slice	 rest, line;
	uint64_t	 at = 0;

	if (machine_read("/proc/stat", &text)) {
		for (rest = buf_slice(&text); at == 0 && slice_cut(&rest, '\n', &line); )
			if (line.n > 6 && memcmp(line.p, "btime ", 6) == 0 &&
			    !slice_u64(slice_trim((struct slice){ line.p + 6, line.n - 6 }), &at))
				at = 0;
	}
	buf_free(&text);
	return at != 0 ? at : (uint64_t)time(NULL) - uptime;
}

static void
lower(struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] >= 'A' && b->data[i] <= 'Z')
			b->data[i] |= 0x20;
}

/* The board's uuid; else the machine id in a uuid's form; else one that lives as long as this boot. */
static void
host_id(struct buf *out)
{
	struct buf	 text = { 0 };
	struct slice	 id;

	if (machine_read("/sys/class/dmi/id/product_uuid", &text) && slice_trim(buf_slice(&text)).n > 0) {
		buf_adds_slice(out, slice_trim(buf_slice(&text)));
		lower(out);
	} else if (machine_read("/etc/machine-id", &text) && (id = slice_trim(buf_slice(&text))).n == 32)
		buf_printf(out, "%.8s-%.4s-%.4s-%.4s-%.12s", id.p, id.p + 8, id.p + 12, id.p + 16, id.p + 20);
	else if (machine_read("/proc/sys/kernel/random/boot_id", &text))
		buf_adds_slice(out, slice_trim(buf_slice(&text)));
	buf_free(&text);
}

static unsigned
usable_cpus(void)
{
	cpu_set_t	 set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	return (unsigned)get_nprocs();
}

static void
add_host(struct buf *json)
{
	struct buf		 text = { 0 };
	struct utsname		 u = { 0 };
	struct sysinfo		 info = { 0 };
	struct machine_platform	 platform;
	struct machine_virtual	 virtual;

	(void)uname(&u);
	(void)sysinfo(&info);
	machine_platform("", &platform);
	machine_virtual("", &virtual);
	add_text(json, "hostname", u.nodename);
	add_number(json, "uptime", (uint64_t)info.uptime);
	add_number(json, "bootTime", boot_time((uint64_t)info.uptime));
	add_number(json, "procs", count_processes());
	add_text(json, "os", "linux");
	add_text(json, "platform", platform.platform);
	add_text(json, "platformFamily", platform.family);
	add_text(json, "platformVersion", platform.version);
	add_text(json, "kernelVersion", u.release);
	add_text(json, "kernelArch", u.machine);
	add_text(json, "virtualizationSystem", virtual.system);
	add_text(json, "virtualizationRole", virtual.role);
	host_id(&text);
	buf_adds(json, "\"hostId\":");
	json_out_str(json, buf_slice(&text));
	buf_free(&text);
}

void
machine_osinfo(struct buf *json)
{
	buf_adds(json, "{\"host\":{");
	add_host(json);
	/* HQ shows this text; the key is older than this program. */
	buf_printf(json, "},\"num_cpu\":%u,\"go_version\":", usable_cpus());
	json_out_str(json, SLICE("eds-c/" EDS_VERSION));
	buf_addc(json, '}');
}
