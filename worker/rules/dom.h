#ifndef EDS_RULES_DOM_H
#define EDS_RULES_DOM_H

#include "ipc/base/arena.h"
#include "ipc/base/json_scan.h"

/*
 * A JSON text as a tree: what a schema is written in, and what it is held against.  Texts
 * are decoded; numbers stay text, so that none loses a digit (number.h).  Of
 * several members of one name the last one counts.
 */
struct dom_member;

struct dom {
	enum json_type	 type;
	uint32_t	 n;			/* members, items, or bytes of a text */
	union {
		const char		*text;	/* JV_STRING, JV_NUMBER */
		struct dom		*items;
		struct dom_member	*members;	/* in order */
	} u;
	uint32_t	*slots;			/* of an object with many members: finds them by hash */
};

struct dom_member {
	struct slice	 key;
	uint32_t	 hash;
	struct dom	 val;
};

/* Memory that making trees uses over and over; `{ 0 }` at first. */
struct dom_maker {
	struct arena	*arena;			/* where the tree goes */
	struct buf	 stack;
	struct buf	 text;
};

/* From a value that json_scan() has accepted, whose text must last as long as the tree.  -1: memory is short. */
int	 dom_make(struct dom_maker *, const struct json_val *, struct dom *out_r) MUST_CHECK;
void	 dom_maker_free(struct dom_maker *);

/* For a tree made by hand: an object of these members, whose `hash` need not be set.  -1: memory is short. */
int	 dom_object(struct arena *, const struct dom_member *, size_t n, struct dom *out_r) MUST_CHECK;

uint32_t dom_hash(struct slice key);
const struct dom *dom_find(const struct dom *object, struct slice key, uint32_t hash);	/* NULL: it has none */
const struct dom *dom_get(const struct dom *, const char *key);	/* NULL as well when it is no object */

/* Which of the object's members a value is that dom_find() has found. */
static inline uint32_t
dom_place(const struct dom *object, const struct dom *val)
{
	return (uint32_t)((size_t)((const char *)val - (const char *)&object->u.members[0].val) / sizeof(struct dom_member));
}

static inline struct slice
dom_text(const struct dom *d)
{
	return (struct slice){ d->u.text, d->n };
}

static inline struct dom
dom_of_text(struct slice s)
{
	return (struct dom){ .type = JV_STRING, .n = (uint32_t)s.n, .u.text = s.p };
}

/* Equal as JSON Schema has it: numbers by value, objects whatever the order of their members. */
bool	 dom_equal(const struct dom *, const struct dom *);
uint64_t dom_value_hash(const struct dom *);		/* the same for what is equal */

#endif
