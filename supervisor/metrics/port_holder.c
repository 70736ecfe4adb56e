/* Who listens on a TCP port, as far as /proc lets us see: for the message "port in use". */

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/metrics/metrics_http.h"

#define TCP_LISTEN_STATE	0x0a

/* Inode of the listening socket; 0 when there is none in this table. */
static unsigned long long
listening_inode(const char *table, uint16_t port)
{
	char			 line[512];
	unsigned long long	 inode = 0;
	FILE			*f;

	if ((f = fopen(table, "re")) == NULL)
		return 0;
	while (inode == 0 && fgets(line, sizeof(line), f) != NULL) {
		unsigned long long i;
		unsigned p, state;

		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %llu", &p, &state, &i) == 3 &&
		    p == port && state == TCP_LISTEN_STATE)
			inode = i;
	}
	(void)fclose(f);
	return inode;
}

static bool
process_holds(const char *pid, unsigned long long inode)
{
	char		 path[300], want[40], got[40];
	struct dirent	*e;
	DIR		*dir;
	bool		 holds = false;

	(void)snprintf(want, sizeof(want), "socket:[%llu]", inode);
	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	if ((dir = opendir(path)) == NULL)
		return false;
	while (!holds && (e = readdir(dir)) != NULL) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, got, sizeof(got) - 1);

		if (n > 0) {
			got[n] = '\0';
			holds = strcmp(got, want) == 0;
		}
	}
	(void)closedir(dir);
	return holds;
}

static void
add_process(struct buf *out, const char *pid)
{
	char	 path[300], name[64] = "";
	FILE	*f;

	(void)snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	if ((f = fopen(path, "re")) != NULL) {
		if (fgets(name, sizeof(name), f) == NULL)
			name[0] = '\0';
		(void)fclose(f);
	}
	name[strcspn(name, "\n")] = '\0';
	buf_printf(out, "%s (pid %s)", name[0] == '\0' ? "a process" : name, pid);
}

void
port_holder(struct buf *out, uint16_t port)
{
	unsigned long long	 inode;
	struct dirent		*e;
	DIR			*dir;

	if ((inode = listening_inode("/proc/net/tcp", port)) == 0)
		inode = listening_inode("/proc/net/tcp6", port);
	if (inode == 0 || (dir = opendir("/proc")) == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (isdigit((unsigned char)e->d_name[0]) && process_holds(e->d_name, inode)) {
			add_process(out, e->d_name);
			break;
		}
	}
	(void)closedir(dir);
}
