/* Bump allocation for what comes to its end all at once. */

#include <stdlib.h>

#include "ipc/base/arena.h"

#define CHUNK_SIZE	((size_t)256 * 1024)
#define ALIGN		_Alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk	*older;
	size_t			 size;
	_Alignas(max_align_t) char data[];
};

static bool
chunk_add(struct arena *a, size_t least)
{
	size_t			 size = least > CHUNK_SIZE ? least : CHUNK_SIZE;
	struct arena_chunk	*c = size > SIZE_MAX - sizeof(*c) ? NULL : malloc(sizeof(*c) + size);

	if (c == NULL) {
		a->oom = true;
		return false;
	}
	c->size = size;
	c->older = a->chunks;
	a->chunks = c;
	a->used = 0;
	return true;
}

void *
arena_get(struct arena *a, size_t n)
{
	void	*p;

	if (n > SIZE_MAX - ALIGN) {
		a->oom = true;
		return NULL;
	}
	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if ((a->chunks == NULL || n > a->chunks->size - a->used) && !chunk_add(a, n))
		return NULL;
	p = a->chunks->data + a->used;
	a->used += n;
	return p;
}

struct slice
arena_copy(struct arena *a, struct slice s)
{
	char	*p = arena_get(a, s.n + 1);

	if (p == NULL)
		return (struct slice){ NULL, 0 };
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct slice){ p, s.n };
}

void
arena_reset(struct arena *a)
{
	struct arena_chunk	*keep = NULL;

	while (a->chunks != NULL) {
		struct arena_chunk *c = a->chunks;

		a->chunks = c->older;
		if (keep == NULL && c->size == CHUNK_SIZE)
			keep = c;
		else
			free(c);
	}
	if (keep != NULL)
		keep->older = NULL;
	a->chunks = keep;
	a->used = 0;
	a->oom = false;
}

void
arena_free(struct arena *a)
{
	arena_reset(a);
	free(a->chunks);
	*a = (struct arena){ 0 };
}
