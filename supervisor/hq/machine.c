/* Who this machine is: id, host name, address. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "supervisor/hq/machine.h"

#define FILE_MAX	65536

bool
machine_read(const char *path, struct buf *out)
{
	int	 fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool	 ok = fd != -1;

	buf_reset(out);
	while (ok && out->len < FILE_MAX && buf_reserve(out, 4096)) {
		ssize_t n = read(fd, out->data + out->len, 4096);

		if (n <= 0) {
			ok = n == 0;
			break;
		}
		out->len += (size_t)n;
	}
	if (fd != -1)
		(void)close(fd);
	if (!ok)
		buf_reset(out);
	return ok && !out->oom;
}

void
machine_id_hash(struct slice file, struct buf *hex)
{
	struct slice	 id = slice_trim(file);
	unsigned char	 mac[EVP_MAX_MD_SIZE];
	unsigned	 n = 0;

	if (HMAC(EVP_sha256(), id.p == NULL ? "" : id.p, (int)id.n, (const unsigned char *)"eds", 3, mac, &n) != NULL)
		buf_hex(hex, mac, n);
}

/* A container has no id of its own: one is made up once, so that HQ sees the same machine again. */
static void
own_id(const char *data_dir, struct buf *id)
{
	struct buf	 path = { 0 };
	uint8_t		 random[16];
	int		 fd;

	buf_printf(&path, "%s/machine-id", data_dir);
	if (machine_read(buf_cstr(&path), id) && slice_trim(buf_slice(id)).n > 0)
		goto out;
	buf_reset(id);
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		goto out;
	buf_hex(id, random, sizeof(random));
	if ((fd = open(buf_cstr(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) == -1)
		goto out;		/* good for this run at least */
	if (write(fd, id->data, id->len) != (ssize_t)id->len)
		(void)unlink(buf_cstr(&path));
	(void)close(fd);
out:
	buf_free(&path);
}

void
machine_id(const char *data_dir, struct buf *hex)
{
	static const char *const paths[] = { "/var/lib/dbus/machine-id", "/etc/machine-id" };
	struct buf		 id = { 0 };
	bool			 found = false;

	for (size_t i = 0; i < NELEM(paths) && !found; i++)
		found = machine_read(paths[i], &id) && slice_trim(buf_slice(&id)).n > 0;
	if (!found)
		own_id(data_dir, &id);
	machine_id_hash(buf_slice(&id), hex);
	buf_free(&id);
}

static bool
is_private(uint32_t ip)
{
	return ip >> 24 == 10 || ip >> 20 == (172u << 4 | 1) || ip >> 16 == (192u << 8 | 168);
}

void
machine_private_ip(struct buf *out)
{
	struct ifaddrs	*all = NULL;
	char		 best[INET_ADDRSTRLEN] = "";

	if (getifaddrs(&all) == -1)
		return;
	for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next) {
		struct sockaddr_in in;
		bool private;

		if (a->ifa_addr == NULL || a->ifa_addr->sa_family != AF_INET || (a->ifa_flags & IFF_LOOPBACK) != 0)
			continue;
		(void)memcpy(&in, a->ifa_addr, sizeof(in));
		private = is_private(ntohl(in.sin_addr.s_addr));
		if (private || best[0] == '\0')
			(void)inet_ntop(AF_INET, &in.sin_addr, best, sizeof(best));
		if (private)
			break;
	}
	freeifaddrs(all);
	buf_adds(out, best);
}

void
machine_hostname(struct buf *out)
{
	struct utsname	 u;

	if (uname(&u) == 0)
		buf_adds(out, u.nodename);
}
