/*
 * Frames to structs.  Three steps, each of which may rely on the one before:
 * bound_check() holds every length against the frame, msgpack-c unpacks, and
 * the rows of bodies.def say what must be there.  Texts and payloads are
 * not copied; only the lists need memory, and that is kept in the arena.
 */

#include <msgpack.h>
#include <stdlib.h>

#include "ipc/bound.h"
#include "ipc/codec_private.h"

/* What is being decoded, for the texts of errors and the lists. */
struct decoder {
	const struct ipc_desc	*desc;
	struct ipc_arena	*arena;
	size_t			 strs_used;
	size_t			 events_used;
	struct err		*err;
};

void
ipc_arena_free(struct ipc_arena *a)
{
	free(a->strs);
	free(a->events);
	*a = (struct ipc_arena){ 0 };
}

static bool
grow(void **p, size_t *cap, size_t want, size_t each)
{
	void	*bigger;

	if (want <= *cap)
		return true;
	if ((bigger = realloc(*p, want * each)) == NULL)	/* `want` is below BOUND_ITEMS */
		return false;
	*p = bigger;
	*cap = want;
	return true;
}

/* Both lists at their full length at once: growing later would move what bodies already point to. */
static int
arena_reserve(struct decoder *dec, size_t strs, size_t events)
{
	struct ipc_arena	*a = dec->arena;
	void			*s = a->strs, *e = a->events;
	bool			 ok;

	ok = grow(&s, &a->strs_cap, strs, sizeof(*a->strs));
	a->strs = s;
	ok = ok && grow(&e, &a->events_cap, events, sizeof(*a->events));
	a->events = e;
	return ok ? 0 : err_set(dec->err, ERR_NOMEM, "lists of message %s", dec->desc->name);
}

static int
bad_field(struct decoder *dec, const struct ipc_field *f, const char *what)
{
	return err_set(dec->err, ERR_INVALID, "message %s: field %s %s", dec->desc->name, f->name, what);
}

static bool
get_u64(const msgpack_object *o, uint64_t *out_r)
{
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return false;
	*out_r = o->via.u64;
	return true;
}

static bool
get_i64(const msgpack_object *o, int64_t *out_r)
{
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 > INT64_MAX)
		return false;
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER && o->type != MSGPACK_OBJECT_NEGATIVE_INTEGER)
		return false;
	*out_r = o->via.i64;
	return true;
}

/* Present, if empty: p must not be NULL then. */
static struct slice
present(const char *p, size_t n)
{
	return n == 0 ? SLICE("") : (struct slice){ p, n };
}

static bool
get_str(const msgpack_object *o, struct slice *out_r)
{
	if (o->type != MSGPACK_OBJECT_STR)
		return false;
	*out_r = present(o->via.str.ptr, o->via.str.size);
	return memchr(out_r->p, '\0', out_r->n) == NULL && slice_is_utf8(*out_r);
}

static bool
get_bin(const msgpack_object *o, struct slice *out_r)
{
	if (o->type != MSGPACK_OBJECT_BIN)
		return false;
	*out_r = present(o->via.bin.ptr, o->via.bin.size);
	return true;
}

static int
get_strs(struct decoder *dec, const struct ipc_field *f, const msgpack_object *o, struct ipc_strs *out_r)
{
	struct slice	*v = o->via.array.size == 0 ? NULL : dec->arena->strs + dec->strs_used;

	for (uint32_t i = 0; i < o->via.array.size; i++)
		if (!get_str(&o->via.array.ptr[i], &v[i]))
			return bad_field(dec, f, "holds something else than UTF-8 text without NUL");
	dec->strs_used += o->via.array.size;
	*out_r = (struct ipc_strs){ v, o->via.array.size };
	return 0;
}

static int
get_events(struct decoder *dec, const struct ipc_field *f, const msgpack_object *o, struct ipc_events *out_r)
{
	struct ipc_event	*v = o->via.array.size == 0 ? NULL : dec->arena->events + dec->events_used;

	for (uint32_t i = 0; i < o->via.array.size; i++) {
		const msgpack_object *ev = &o->via.array.ptr[i];

		if (ev->type != MSGPACK_OBJECT_ARRAY || ev->via.array.size != 3 ||
		    !get_u64(&ev->via.array.ptr[0], &v[i].seq) ||
		    !get_str(&ev->via.array.ptr[1], &v[i].subject) ||
		    !get_bin(&ev->via.array.ptr[2], &v[i].payload))
			return bad_field(dec, f, "holds something else than [sequence, subject, payload]");
	}
	dec->events_used += o->via.array.size;
	*out_r = (struct ipc_events){ v, o->via.array.size };
	return 0;
}

static int
get_value(struct decoder *dec, const struct ipc_field *f, const msgpack_object *o, void *to)
{
	switch (f->type) {
	case IPC_T_U64:
		return get_u64(o, to) ? 0 : bad_field(dec, f, "is not an unsigned integer");
	case IPC_T_I64:
		return get_i64(o, to) ? 0 : bad_field(dec, f, "is not a 64-bit integer");
	case IPC_T_BOOL:
		if (o->type != MSGPACK_OBJECT_BOOLEAN)
			return bad_field(dec, f, "is not true or false");
		*(bool *)to = o->via.boolean;
		return 0;
	case IPC_T_STR:
		return get_str(o, to) ? 0 : bad_field(dec, f, "is not UTF-8 text without NUL");
	case IPC_T_BIN:
		return get_bin(o, to) ? 0 : bad_field(dec, f, "is not of type bin");
	case IPC_T_STRS:
		return get_strs(dec, f, o, to);
	case IPC_T_EVENTS:
		return get_events(dec, f, o, to);
	}
	bug("field %s has a type that no row has", f->name);
}

/* Which value belongs to which field.  Unknown names are skipped: a newer peer may say more. */
static int
match_fields(struct decoder *dec, const msgpack_object_map *map, const msgpack_object **value_r)
{
	const struct ipc_field	*fields = dec->desc->fields();

	for (uint32_t i = 0; i < map->size; i++) {
		const msgpack_object *key = &map->ptr[i].key;

		if (key->type != MSGPACK_OBJECT_STR)
			return err_set(dec->err, ERR_INVALID, "message %s: a field's name is not text", dec->desc->name);
		for (size_t k = 0; fields[k].name != NULL; k++) {
			if (!slice_is((struct slice){ key->via.str.ptr, key->via.str.size }, fields[k].name))
				continue;
			if (value_r[k] != NULL)
				return bad_field(dec, &fields[k], "is there twice");
			value_r[k] = &map->ptr[i].val;
			break;
		}
	}
	for (size_t k = 0; fields[k].name != NULL; k++)
		if (fields[k].required && value_r[k] == NULL)
			return bad_field(dec, &fields[k], "is missing");
	return 0;
}

/* Lists must be lists, of a bearable length; adds up what they need. */
static int
reserve_lists(struct decoder *dec, const msgpack_object *const *value)
{
	const struct ipc_field	*f = dec->desc->fields();
	size_t			 strs = 0, events = 0;

	for (size_t k = 0; f[k].name != NULL; k++) {
		bool is_strs = f[k].type == IPC_T_STRS, is_events = f[k].type == IPC_T_EVENTS;

		if (value[k] == NULL || (!is_strs && !is_events))
			continue;
		if (value[k]->type != MSGPACK_OBJECT_ARRAY)
			return bad_field(dec, &f[k], "is not a list");
		if (value[k]->via.array.size > (is_strs ? IPC_STRS_MAX : IPC_EVENTS_MAX))
			return bad_field(dec, &f[k], "is a list that is too long");
		*(is_strs ? &strs : &events) += value[k]->via.array.size;
	}
	return arena_reserve(dec, strs, events);
}

static int
decode_body(struct decoder *dec, const msgpack_object_map *map, union ipc_body *body)
{
	const msgpack_object	*value[IPC_FIELDS_MAX] = { NULL };
	const struct ipc_field	*f = dec->desc->fields();

	if (match_fields(dec, map, value) < 0 || reserve_lists(dec, value) < 0)
		return -1;
	for (size_t k = 0; f[k].name != NULL; k++)
		if (value[k] != NULL && get_value(dec, &f[k], value[k], (char *)body + f[k].offset) < 0)
			return -1;
	return 0;
}

static int
decode_root(struct ipc_msg *msg, const msgpack_object *root, enum ipc_side from, struct ipc_arena *arena, struct err *err)
{
	struct decoder	 dec = { .arena = arena, .err = err };
	uint64_t	 number;

	if (root->type != MSGPACK_OBJECT_ARRAY || root->via.array.size != 2 ||
	    !get_u64(&root->via.array.ptr[0], &number) || root->via.array.ptr[1].type != MSGPACK_OBJECT_MAP)
		return err_set(err, ERR_INVALID, "frame: not a pair of message number and body");
	if ((dec.desc = ipc_find(number)) == NULL)
		return err_set(err, ERR_INVALID, "message number %llu is not known here: install all programs from the "
		    "same package", (unsigned long long)number);
	if (dec.desc->from != IPC_ANY && dec.desc->from != from)
		return err_set(err, ERR_INVALID, "message %s may be sent by the %s only, and came from the %s",
		    dec.desc->name, ipc_side_name(dec.desc->from), ipc_side_name(from));
	msg->type = dec.desc->type;
	return decode_body(&dec, &root->via.array.ptr[1].via.map, &msg->body);
}

int
ipc_decode(struct ipc_msg *msg, struct slice frame, enum ipc_side from, struct ipc_arena *arena, struct err *err)
{
	msgpack_unpacked	 un;
	size_t			 off = 0;
	int			 rc = -1;

	(void)memset(msg, 0, sizeof(*msg));
	if (frame.n > IPC_FRAME_MAX)
		return err_set(err, ERR_INVALID, "frame: %zu bytes are more than %u", frame.n, IPC_FRAME_MAX);
	if (bound_check(frame, err) < 0)
		return err_prefix(err, "frame");
	msgpack_unpacked_init(&un);
	switch (msgpack_unpack_next(&un, frame.p, frame.n, &off)) {
	case MSGPACK_UNPACK_SUCCESS:
		rc = decode_root(msg, &un.data, from, arena, err);
		break;
	case MSGPACK_UNPACK_NOMEM_ERROR:
		(void)err_set(err, ERR_NOMEM, "unpacking a frame of %zu bytes", frame.n);
		break;
	default:
		(void)err_set(err, ERR_INVALID, "frame: not msgpack");
		break;
	}
	/* Slices point into the frame, lists into the arena: nothing in `msg` needs what is freed here. */
	msgpack_unpacked_destroy(&un);
	return rc;
}
