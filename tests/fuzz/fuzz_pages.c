/* The store's file as a bad disk may leave it. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/store/pages.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct seen {
	uint8_t		 last[511];
	size_t		 last_n, n, holes;
};

static int
compare(struct slice a, struct slice b)
{
	int	 c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

/* Every byte of what is handed out can be read, and keys rise, whatever the file holds. */
static int
entry(void *arg, struct slice key, struct slice value)
{
	struct seen		*s = arg;
	volatile uint8_t	 sum = 0;

	for (size_t i = 0; i < value.n; i++)
		sum = (uint8_t)(sum + value.p[i]);
	if (key.n == 0 || key.n > sizeof(s->last) || (s->last_n > 0 && compare(key, (struct slice){ (const char *)s->last, s->last_n }) <= 0))
		abort();
	(void)memcpy(s->last, key.p, s->last_n = key.n);
	s->n++;
	return 0;
}

static void
lost(void *arg, struct slice after, struct slice before)
{
	struct seen	*s = arg;

	if (after.p != NULL && before.p != NULL && compare(after, before) >= 0)
		abort();
	s->holes++;
}

static void
walk(struct pages *p)
{
	struct seen	 s = { { 0 }, 0, 0, 0 };
	struct err	 err = { 0 };

	if (pages_walk(p, "journal", (struct slice){ 0 }, &(struct pages_visitor){ entry, lost, &s }, &err) == -1 && err.text[0] == '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct pages	*p = NULL;
	struct err	 err = { 0 };
	char		 path[64];
	int		 fd = memfd_create("store", MFD_CLOEXEC);

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd == -1 || write(fd, data, len) != (ssize_t)len || pages_open(&p, path, &err) == -1)
		abort();
	if (pages_newest(p, &err) == 0)
		walk(p);
	if (pages_newest(p, &err) == 0 && pages_before(p, &err) == 0)
		walk(p);
	pages_close(&p);
	(void)close(fd);
	return 0;
}
