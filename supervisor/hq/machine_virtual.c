/* Whether this machine is a guest of another one.  Later rules win over earlier ones. */

#include <stdio.h>
#include <unistd.h>

#include "supervisor/hq/machine.h"

/* file, a word in it ("" for "exists"), what follows from it */
static const struct {
	const char	*path, *word, *system, *role;
} rules[] = {
	{ "/proc/xen", "", "xen", "guest" },
	{ "/proc/xen/capabilities", "control_d", "xen", "host" },
	{ "/proc/modules", "kvm", "kvm", "host" },
	{ "/proc/modules", "hv_util", "hyperv", "guest" },
	{ "/proc/modules", "vboxdrv", "vbox", "host" },
	{ "/proc/modules", "vboxguest", "vbox", "guest" },
	{ "/proc/modules", "vmware", "vmware", "guest" },
	{ "/proc/cpuinfo", "QEMU Virtual CPU", "kvm", "guest" },
	{ "/proc/cpuinfo", "Common KVM processor", "kvm", "guest" },
	{ "/proc/cpuinfo", "Common 32-bit KVM processor", "kvm", "guest" },
	{ "/proc/bus/pci/devices", "virtio-pci", NULL, "guest" },
	{ "/proc/vz", "", "openvz", "guest" },
	{ "/proc/bc/0", "", "openvz", "host" },
	{ "/proc/1/environ", "container=lxc", "lxc", "guest" },
	{ "/proc/self/cgroup", "lxc", "lxc", "guest" },
	{ "/proc/self/cgroup", "docker", "docker", "guest" },
	{ "/proc/self/cgroup", "machine-rkt", "rkt", "guest" },
	{ "/.dockerenv", "", "docker", "guest" },
};

static bool
applies(const char *root, const char *path, const char *word, struct buf *text)
{
	char	 full[4200];

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	if (word[0] == '\0')
		return access(full, F_OK) == 0;
	return machine_read(full, text) && memmem(text->data, text->len, word, strlen(word)) != NULL;
}

void
machine_virtual(const char *root, struct machine_virtual *v)
{
	struct buf	 text = { 0 };

	*v = (struct machine_virtual){ "", "" };
	for (size_t i = 0; i < NELEM(rules); i++) {
		if (!applies(root, rules[i].path, rules[i].word, &text))
			continue;
		if (rules[i].system != NULL)
			v->system = rules[i].system;
		v->role = rules[i].role;
	}
	buf_free(&text);
}
