/* Which distribution this is, in the order of files that HQ's users know from the reference. */

#include <stdio.h>
#include <strings.h>

#include "supervisor/hq/machine.h"

static const struct {
	const char	*platform, *family;
} families[] = {
	{ "debian", "debian" }, { "ubuntu", "debian" }, { "linuxmint", "debian" }, { "raspbian", "debian" },
	{ "centos", "rhel" }, { "redhat", "rhel" }, { "rhel", "rhel" }, { "amazon", "rhel" }, { "rocky", "rhel" },
	{ "almalinux", "rhel" }, { "oracle", "rhel" }, { "scientific", "rhel" }, { "fedora", "fedora" },
	{ "suse", "suse" }, { "opensuse", "suse" }, { "sles", "suse" }, { "gentoo", "gentoo" }, { "slackware", "slackware" },
	{ "arch", "arch" }, { "alpine", "alpine" }, { "coreos", "coreos" },
};

static bool
read_below(const char *root, const char *path, struct buf *text)
{
	char	 full[4200];

	(void)snprintf(full, sizeof(full), "%s%s", root, path);
	return machine_read(full, text) && slice_trim(buf_slice(text)).n > 0;
}

static void
copy(char *out, size_t room, struct slice s)
{
	(void)snprintf(out, room, SLICE_FMT, SLICE_ARG(s));
	for (; *out != '\0'; out++)
		if ((unsigned char)*out < 0x20)
			*out = ' ';
}

static void
copy_lower(char *out, size_t room, struct slice s)
{
	copy(out, room, s);
	for (; *out != '\0'; out++)
		if (*out >= 'A' && *out <= 'Z')
			*out |= 0x20;
}

static struct slice
first_line(const struct buf *text)
{
	struct slice	 rest = buf_slice(text), line = { "", 0 };

	(void)slice_cut(&rest, '\n', &line);
	return slice_trim(line);
}

/* KEY=value or KEY="value" of os-release and lsb-release; absent when there is none. */
static struct slice
shell_value(const struct buf *text, const char *key)
{
	struct slice	 rest = buf_slice(text), line, name;

	while (slice_cut(&rest, '\n', &line)) {
		if (!slice_cut(&line, '=', &name) || !slice_is(slice_trim(name), key) || line.p == NULL)
			continue;
		line = slice_trim(line);
		if (line.n >= 2 && (line.p[0] == '"' || line.p[0] == '\'') && line.p[line.n - 1] == line.p[0])
			line = (struct slice){ line.p + 1, line.n - 2 };
		return line;
	}
	return (struct slice){ NULL, 0 };
}

static void
debian(const char *root, const struct buf *version, struct machine_platform *p)
{
	struct buf	 lsb = { 0 };
	struct slice	 id = { NULL, 0 };

	if (read_below(root, "/etc/lsb-release", &lsb))
		id = shell_value(&lsb, "DISTRIB_ID");
	if (slice_is(id, "Ubuntu") || slice_is(id, "LinuxMint")) {
		copy_lower(p->platform, sizeof(p->platform), id);
		copy(p->version, sizeof(p->version), shell_value(&lsb, "DISTRIB_RELEASE"));
	} else {
		struct buf tool = { 0 };

		copy(p->platform, sizeof(p->platform), read_below(root, "/usr/bin/raspi-config", &tool) ? SLICE("raspbian") :
		    SLICE("debian"));
		copy(p->version, sizeof(p->version), first_line(version));
		buf_free(&tool);
	}
	buf_free(&lsb);
}

/* "Rocky Linux release 9.3 (Blue Onyx)" */
static void
redhat(const struct buf *text, struct machine_platform *p)
{
	struct slice	 rest = first_line(text), word;
	bool		 release = false;

	for (size_t i = 0; slice_cut(&rest, ' ', &word); i++) {
		if (i == 0)
			copy_lower(p->platform, sizeof(p->platform), word);
		if (release) {
			copy(p->version, sizeof(p->version), word);
			break;
		}
		release = slice_is(word, "release");
	}
	if (strcmp(p->platform, "red") == 0)
		copy(p->platform, sizeof(p->platform), SLICE("redhat"));
}

static void
named(const char *name, struct slice version, struct machine_platform *p)
{
	copy(p->platform, sizeof(p->platform), slice_of(name));
	copy(p->version, sizeof(p->version), version);
}

static void
find(const char *root, struct buf *text, struct machine_platform *p)
{
	if (read_below(root, "/etc/oracle-release", text)) {
		redhat(text, p);
		copy(p->platform, sizeof(p->platform), SLICE("oracle"));
	} else if (read_below(root, "/etc/slackware-version", text))
		named("slackware", first_line(text), p);
	else if (read_below(root, "/etc/debian_version", text))
		debian(root, text, p);
	else if (read_below(root, "/etc/redhat-release", text) || read_below(root, "/etc/system-release", text))
		redhat(text, p);
	else if (read_below(root, "/etc/gentoo-release", text))
		named("gentoo", first_line(text), p);
	else if (read_below(root, "/etc/arch-release", text))
		named("arch", SLICE(""), p);
	else if (read_below(root, "/etc/alpine-release", text))
		named("alpine", first_line(text), p);
	else if (read_below(root, "/etc/os-release", text) || read_below(root, "/usr/lib/os-release", text)) {
		copy_lower(p->platform, sizeof(p->platform), shell_value(text, "ID"));
		copy(p->version, sizeof(p->version), shell_value(text, "VERSION_ID"));
	}
}

void
machine_platform(const char *root, struct machine_platform *p)
{
	struct buf	 text = { 0 };

	*p = (struct machine_platform){ "", "", "" };
	find(root, &text, p);
	for (size_t i = 0; i < NELEM(families); i++)
		if (strcmp(p->platform, families[i].platform) == 0)
			copy(p->family, sizeof(p->family), slice_of(families[i].family));
	buf_free(&text);
}
