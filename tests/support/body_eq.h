#ifndef EDS_TEST_BODY_EQ_H
#define EDS_TEST_BODY_EQ_H

#include "ipc/messages.h"

/* Compares two bodies by the rows of bodies.def; returns the first field that differs, NULL for none. */
static inline bool
value_eq(const struct ipc_field *f, const void *a, const void *b)
{
	const struct ipc_strs	*sa = a, *sb = b;
	const struct ipc_events	*ea = a, *eb = b;

	switch (f->type) {
	case IPC_T_U64:
	case IPC_T_I64:
		return memcmp(a, b, sizeof(uint64_t)) == 0;
	case IPC_T_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case IPC_T_STR:
	case IPC_T_BIN:
		return slice_eq(*(const struct slice *)a, *(const struct slice *)b) &&
		    (((const struct slice *)a)->p == NULL) == (((const struct slice *)b)->p == NULL);
	case IPC_T_STRS:
		if (sa->n != sb->n)
			return false;
		for (size_t i = 0; i < sa->n; i++)
			if (!slice_eq(sa->v[i], sb->v[i]))
				return false;
		return true;
	case IPC_T_EVENTS:
		if (ea->n != eb->n)
			return false;
		for (size_t i = 0; i < ea->n; i++)
			if (ea->v[i].seq != eb->v[i].seq || !slice_eq(ea->v[i].subject, eb->v[i].subject) ||
			    !slice_eq(ea->v[i].payload, eb->v[i].payload))
				return false;
		return true;
	}
	return false;
}

static inline const char *
body_differs(const struct ipc_desc *d, const union ipc_body *a, const union ipc_body *b)
{
	for (const struct ipc_field *f = d->fields(); f->name != NULL; f++)
		if (!value_eq(f, (const char *)a + f->offset, (const char *)b + f->offset))
			return f->name;
	return NULL;
}

#endif
