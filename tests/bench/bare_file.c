/*
 * The ceiling of the file driver: pulls, and stores each payload as it came in a file
 * of its own, with the driver's durability.  Of a batch, up to a thousand messages, all
 * files are written under temporary names; one syncfs(); all are renamed; the directories are
 * synced; then all are acknowledged.  While one batch is written the next one arrives.
 *
 * It does not parse: the file's name is cut out of the subject and of the payload's
 * beginning, where the bench's events have it.
 *
 *	bare_file URL CREDS CONSUMER COUNT DIRECTORY
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/file_name.h"
#include "tests/bench/pull.h"

#define BATCH	1000u
#define TABLES	256u

struct dir {
	char	 name[128];
	int	 fd;
	bool	 touched;
};

struct store {
	int		 base;
	struct dir	 dirs[TABLES];
	size_t		 n;
};

static void
sys(const char *doing)
{
	die(doing, strerror(errno));
}

static struct dir *
dir_of(struct store *s, natsMsg *msg)
{
	size_t		 n;
	const char	*name = table_name(msg, &n);
	struct dir	*d;

	for (size_t i = 0; i < s->n; i++)
		if (strncmp(s->dirs[i].name, name, n) == 0 && s->dirs[i].name[n] == '\0')
			return &s->dirs[i];
	if (s->n == TABLES || n >= sizeof(d->name))
		die("storing", "too many tables, or a name too long");
	d = &s->dirs[s->n++];
	(void)snprintf(d->name, sizeof(d->name), "%.*s", (int)n, name);
	if (mkdirat(s->base, d->name, 0755) == -1 || (d->fd = openat(s->base, d->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		sys("making a directory");
	return d;
}

static void
temporary_name(char *out, size_t size, size_t i)
{
	(void)snprintf(out, size, ".bare-%zu", i);
}

static void
write_one(struct dir *d, size_t i, natsMsg *msg)
{
	char	 name[32];
	int	 fd, n = natsMsg_GetDataLength(msg);

	temporary_name(name, sizeof(name), i);
	if ((fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) == -1 ||
	    write(fd, natsMsg_GetData(msg), (size_t)n) != n || close(fd) == -1)
		sys("writing");
	d->touched = true;
}

static void
name_one(struct dir *d, size_t i, natsMsg *msg)
{
	char	 from[32], to[300];

	temporary_name(from, sizeof(from), i);
	file_name(to, sizeof(to), msg);
	if (renameat(d->fd, from, d->fd, to) == -1)
		sys("renaming");
}

static void
store(struct store *s, natsMsg **v, size_t n)
{
	struct dir	*at[BATCH];

	for (size_t i = 0; i < n; i++)
		write_one(at[i] = dir_of(s, v[i]), i, v[i]);
	if (syncfs(s->base) == -1)
		sys("syncing");
	for (size_t i = 0; i < n; i++)
		name_one(at[i], i, v[i]);
	for (size_t i = 0; i < s->n; i++) {
		if (s->dirs[i].touched && fsync(s->dirs[i].fd) == -1)
			sys("syncing a directory");
		s->dirs[i].touched = false;
	}
	if (fsync(s->base) == -1)
		sys("syncing the directory");
}

int
main(int argc, char **argv)
{
	static struct store	 s;
	uint64_t		 count;
	struct queue		*q;
	struct puller		*p;
	natsMsg			*v[BATCH];
	size_t			 n;

	if (argc != 6)
		die("usage", "bare_file URL CREDS CONSUMER COUNT DIRECTORY");
	if (mkdir(argv[5], 0755) == -1 || (s.base = open(argv[5], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		sys(argv[5]);
	count = strtoull(argv[4], NULL, 10);
	q = queue_new(count);
	p = pull_start(argv[1], argv[2], argv[3], count, queue_put, q);
	while ((n = queue_take(q, v, BATCH)) > 0) {
		store(&s, v, n);
		for (size_t i = 0; i < n; i++) {
			pull_ack(p, v[i]);
			natsMsg_Destroy(v[i]);
		}
	}
	pull_end(&p);
	queue_free(&q);
	return 0;
}
