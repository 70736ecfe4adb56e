/* From JSON text to a tree. */

#include "ipc/base/hash.h"
#include "worker/rules/dom.h"
#include "worker/rules/number.h"

#define FEW	8u		/* members that are looked through one by one */

uint32_t
dom_hash(struct slice key)
{
	return (uint32_t)hash_xxh64(key);
}

/* A power of two with room to spare. */
static uint32_t
slots_for(size_t n)
{
	uint32_t	 size = 4 * FEW;

	while (size < 2 * n)
		size *= 2;
	return size;
}

/* Where that key is, or would be. */
static uint32_t *
slot_of(const struct dom_member *members, uint32_t *slots, uint32_t size, struct slice key, uint32_t hash)
{
	uint32_t	 at = hash & (size - 1);

	while (slots[at] != 0) {
		const struct dom_member *m = &members[slots[at] - 1];

		if (m->hash == hash && slice_eq(m->key, key))
			break;
		at = (at + 1) & (size - 1);
	}
	return &slots[at];
}

static struct dom_member *
find_among(struct dom_member *members, size_t n, struct slice key, uint32_t hash)
{
	for (size_t i = 0; i < n; i++)
		if (members[i].hash == hash && slice_eq(members[i].key, key))
			return &members[i];
	return NULL;
}

int
dom_object(struct arena *a, const struct dom_member *v, size_t n, struct dom *out_r)
{
	struct dom_member	*to = arena_get(a, n * sizeof(*to)), *same;
	uint32_t		 size = n > FEW ? slots_for(n) : 0, *slots = NULL, *slot = NULL, count = 0;

	if (to == NULL || n > UINT32_MAX / 8 || (size > 0 && (slots = arena_get(a, size * sizeof(*slots))) == NULL))
		return -1;
	if (slots != NULL)
		(void)memset(slots, 0, size * sizeof(*slots));
	for (size_t i = 0; i < n; i++) {
		uint32_t hash = dom_hash(v[i].key);

		if (slots != NULL) {
			slot = slot_of(to, slots, size, v[i].key, hash);
			same = *slot != 0 ? &to[*slot - 1] : NULL;
		} else
			same = find_among(to, count, v[i].key, hash);
		if (same != NULL) {
			same->val = v[i].val;
			continue;
		}
		to[count] = v[i];
		to[count++].hash = hash;
		if (slot != NULL)
			*slot = count;
	}
	if (slots != NULL && slots_for(count) != size)
		return dom_object(a, to, count, out_r);		/* so many of the same name that the table has another size */
	*out_r = (struct dom){ .type = JV_OBJECT, .n = count, .u.members = to, .slots = count > FEW ? slots : NULL };
	return 0;
}

const struct dom *
dom_find(const struct dom *d, struct slice key, uint32_t hash)
{
	const struct dom_member	*m;
	uint32_t		 at;

	if (d->slots == NULL) {
		m = find_among(d->u.members, d->n, key, hash);
		return m == NULL ? NULL : &m->val;
	}
	at = *slot_of(d->u.members, d->slots, slots_for(d->n), key, hash);
	return at == 0 ? NULL : &d->u.members[at - 1].val;
}

const struct dom *
dom_get(const struct dom *d, const char *key)
{
	return d->type != JV_OBJECT ? NULL : dom_find(d, slice_of(key), dom_hash(slice_of(key)));
}

static int
make_text(struct dom_maker *m, const struct json_val *v, struct slice *to)
{
	if (!v->escaped) {
		*to = (struct slice){ v->raw.p + 1, v->raw.n - 2 };
		return 0;
	}
	buf_reset(&m->text);
	json_unescape(&m->text, v);
	*to = arena_copy(m->arena, buf_slice(&m->text));
	return m->text.oom || to->p == NULL ? -1 : 0;
}

static int
make_object(struct dom_maker *m, const struct json_val *v, struct dom *out_r)
{
	size_t			 base = m->stack.len;
	struct dom_member	 one = { .hash = 0 };
	struct json_iter	 it;
	struct json_val		 key, val;
	int			 rc;

	json_iter_init(&it, v);
	while (json_object_next(&it, &key, &val)) {
		if (make_text(m, &key, &one.key) != 0 || dom_make(m, &val, &one.val) != 0)
			return -1;
		buf_add(&m->stack, &one, sizeof(one));
	}
	if (m->stack.oom)
		return -1;
	rc = dom_object(m->arena, m->stack.len == base ? NULL : (const struct dom_member *)(void *)(m->stack.data + base),
	    (m->stack.len - base) / sizeof(one), out_r);
	m->stack.len = base;
	return rc;
}

static int
make_array(struct dom_maker *m, const struct json_val *v, struct dom *out_r)
{
	size_t			 base = m->stack.len, bytes;
	struct dom		 one;
	struct json_iter	 it;
	struct json_val		 item;

	json_iter_init(&it, v);
	while (json_array_next(&it, &item)) {
		if (dom_make(m, &item, &one) != 0)
			return -1;
		buf_add(&m->stack, &one, sizeof(one));
	}
	bytes = m->stack.len - base;
	*out_r = (struct dom){ .type = JV_ARRAY, .n = (uint32_t)(bytes / sizeof(one)), .u.items = arena_get(m->arena, bytes) };
	if (m->stack.oom || out_r->u.items == NULL)
		return -1;
	if (bytes > 0)
		(void)memcpy(out_r->u.items, m->stack.data + base, bytes);
	m->stack.len = base;
	return 0;
}

int
dom_make(struct dom_maker *m, const struct json_val *v, struct dom *out_r)
{
	struct slice	 text;

	switch (v->type) {
	case JV_OBJECT:
		return make_object(m, v, out_r);
	case JV_ARRAY:
		return make_array(m, v, out_r);
	case JV_STRING:
		if (make_text(m, v, &text) != 0)
			return -1;
		*out_r = dom_of_text(text);
		return 0;
	default:
		*out_r = (struct dom){ .type = v->type, .n = (uint32_t)v->raw.n, .u.text = v->raw.p };
		return 0;
	}
}

void
dom_maker_free(struct dom_maker *m)
{
	buf_free(&m->stack);
	buf_free(&m->text);
}

bool
dom_equal(const struct dom *a, const struct dom *b)
{
	struct number	 x, y;

	if (a->type != b->type)
		return false;
	switch (a->type) {
	case JV_NUMBER:
		number_read(&x, dom_text(a));
		number_read(&y, dom_text(b));
		return number_cmp(&x, &y) == 0;
	case JV_STRING:
		return slice_eq(dom_text(a), dom_text(b));
	case JV_ARRAY:
		for (uint32_t i = 0; a->n == b->n && i < a->n; i++)
			if (!dom_equal(&a->u.items[i], &b->u.items[i]))
				return false;
		return a->n == b->n;
	case JV_OBJECT:
		for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
			const struct dom_member *m = &a->u.members[i];
			const struct dom *other = dom_find(b, m->key, m->hash);

			if (other == NULL || !dom_equal(&m->val, other))
				return false;
		}
		return a->n == b->n;
	default:
		return true;
	}
}

static uint64_t
mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 29;
}

uint64_t
dom_value_hash(const struct dom *d)
{
	uint64_t	 h = (uint64_t)d->type + 1;
	struct number	 x;

	switch (d->type) {
	case JV_NUMBER:
		number_read(&x, dom_text(d));
		return number_hash(&x);
	case JV_STRING:
		return hash_xxh64(dom_text(d));
	case JV_ARRAY:
		for (uint32_t i = 0; i < d->n; i++)
			h = mix(h * 31 + dom_value_hash(&d->u.items[i]));
		return h;
	case JV_OBJECT:		/* a sum, because the order does not count */
		for (uint32_t i = 0; i < d->n; i++)
			h += mix(d->u.members[i].hash ^ mix(dom_value_hash(&d->u.members[i].val)));
		return h;
	default:
		return mix(h);
	}
}
