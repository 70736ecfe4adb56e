/* Prepared events as messages. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/bench/events.h"
#include "tests/bench/pull.h"

#define CHANGED	8u	/* characters of the key that tell the rounds apart */

struct one {
	const char	*subject, *id, *key, *payload;
	uint32_t	 subject_n, id_n, key_n, payload_n;
};

struct events {
	char		*map;
	size_t		 map_n;
	struct one	*v;
	size_t		 n, cap;
	char		*text;		/* the payload at hand */
	size_t		 text_cap;
};

static uint32_t
get_u32(const char *p)
{
	uint32_t	 v;

	(void)memcpy(&v, p, sizeof(v));		/* written on this machine */
	return v;
}

static const char *
cut(const char **at, const char *end, size_t n)
{
	const char	*p = *at;

	if ((size_t)(end - p) < n)
		die("reading the events", "the file ends in the middle of one");
	*at += n;
	return p;
}

static void
index_events(struct events *e)
{
	const char	*at = e->map, *end = e->map + e->map_n;

	while (at < end) {
		const char *head = cut(&at, end, 16);
		struct one *o;

		if (e->n == e->cap) {
			e->cap = e->cap == 0 ? 1024 : e->cap * 2;
			if ((e->v = realloc(e->v, e->cap * sizeof(*e->v))) == NULL)
				die("reading the events", "memory is short");
		}
		o = &e->v[e->n++];
		o->subject = cut(&at, end, o->subject_n = get_u32(head));
		o->id = cut(&at, end, o->id_n = get_u32(head + 4));
		o->key = cut(&at, end, o->key_n = get_u32(head + 8));
		o->payload = cut(&at, end, o->payload_n = get_u32(head + 12));
		if (o->key_n < CHANGED)
			die("reading the events", "a key is too short to be varied");
		if (o->payload_n > e->text_cap)
			e->text_cap = o->payload_n;
	}
	if (e->n == 0)
		die("reading the events", "there are none");
}

struct events *
events_open(const char *path)
{
	struct events	*e = calloc(1, sizeof(*e));
	struct stat	 st;
	int		 fd = open(path, O_RDONLY | O_CLOEXEC);

	if (e == NULL || fd == -1 || fstat(fd, &st) == -1)
		die("opening the events", path);
	e->map_n = (size_t)st.st_size;
	e->map = mmap(NULL, e->map_n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (e->map == MAP_FAILED)
		die("mapping the events", path);
	(void)close(fd);
	index_events(e);
	if ((e->text = malloc(e->text_cap)) == NULL)
		die("reading the events", "memory is short");
	return e;
}

static void
vary_key(char *text, const struct one *o, uint64_t round)
{
	char	 changed[CHANGED + 1];
	char	*at = text, *end = text + o->payload_n;

	(void)snprintf(changed, sizeof(changed), "%08" PRIx64, round & UINT32_MAX);
	while ((at = memmem(at, (size_t)(end - at), o->key, o->key_n)) != NULL) {
		(void)memcpy(at, changed, CHANGED);
		at += o->key_n;
	}
}

natsMsg *
events_message(struct events *e, uint64_t n)
{
	const struct one	*o = &e->v[n % e->n];
	uint64_t		 round = n / e->n;
	natsMsg			*msg = NULL;
	char			 subject[400], id[100];

	(void)snprintf(subject, sizeof(subject), "%.*s", (int)o->subject_n, o->subject);
	(void)snprintf(id, sizeof(id), "%.*s-%" PRIu64, (int)o->id_n, o->id, round);
	(void)memcpy(e->text, o->payload, o->payload_n);
	if (round > 0)
		vary_key(e->text, o, round);
	must(natsMsg_Create(&msg, subject, NULL, e->text, (int)o->payload_n), "making a message");
	must(natsMsgHeader_Set(msg, "Nats-Msg-Id", id), "making a message");
	return msg;
}

void
events_close(struct events **ep)
{
	struct events	*e = *ep;

	(void)munmap(e->map, e->map_n);
	free(e->v);
	free(e->text);
	free(e);
	*ep = NULL;
}
