/*
 * The change event: from the payload that came from upstream to what a driver
 * looks at, and back to the text that files, S3 and Kafka store.  The payload
 * is walked over once; row images stay text until a driver wants a column.
 */

#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

#include "ipc/base/json_out.h"
#include "ipc/event.h"

enum field_kind {
	F_TEXT,		/* string; null leaves it as it is  */
	F_MAYBE,	/* string; null makes it absent     */
	F_LIST,		/* list of strings; null: absent    */
	F_ROW,		/* object or null, kept as text     */
	F_INTEGER,
	F_BOOL,
};

enum field {
	OPERATION, ID, TABLE, KEY, MODEL_VERSION, COMPANY_ID, LOCATION_ID, USER_ID,
	BEFORE, AFTER, DIFF, TIMESTAMP, MVCC_TIMESTAMP, IMPORTED,
	FIELDS
};

/* In the order in which they are stored.  `at` is the slice in struct event, for the string kinds. */
static const struct {
	struct slice	 name;
	enum field_kind	 kind;
	size_t		 at;
} fields[FIELDS] = {
#define TEXT(name, kind, member)	{ { name, sizeof(name) - 1 }, kind, offsetof(struct event, member) }
#define OTHER(name, kind)		{ { name, sizeof(name) - 1 }, kind, 0 }
	[OPERATION]	 = TEXT("operation", F_TEXT, operation),
	[ID]		 = TEXT("id", F_TEXT, id),
	[TABLE]		 = TEXT("table", F_TEXT, table),
	[KEY]		 = OTHER("key", F_LIST),
	[MODEL_VERSION]	 = TEXT("modelVersion", F_TEXT, model_version),
	[COMPANY_ID]	 = TEXT("companyId", F_MAYBE, company_id),
	[LOCATION_ID]	 = TEXT("locationId", F_MAYBE, location_id),
	[USER_ID]	 = TEXT("userId", F_MAYBE, user_id),
	[BEFORE]	 = OTHER("before", F_ROW),
	[AFTER]		 = OTHER("after", F_ROW),
	[DIFF]		 = OTHER("diff", F_LIST),
	[TIMESTAMP]	 = OTHER("timestamp", F_INTEGER),
	[MVCC_TIMESTAMP] = TEXT("mvccTimestamp", F_TEXT, mvcc_timestamp),
	[IMPORTED]	 = OTHER("imported", F_BOOL),
#undef TEXT
#undef OTHER
};

static const char *const operations[] = {
	[EVENT_INSERT] = "INSERT", [EVENT_UPDATE] = "UPDATE", [EVENT_DELETE] = "DELETE",
};

/* What a walk over the payload finds: for every field the last value that counts. */
struct findings {
	struct json_val	 val[FIELDS];
	const char	*wrong;		/* the first field of a wrong type ... */
	const char	*wanted;	/* ... and the type it should have     */
};

static struct slice *
text_of(struct event *ev, enum field f)
{
	return (struct slice *)(void *)((char *)ev + fields[f].at);
}

/* Names match whatever their case, as they do for the senders' own library. */
static enum field
field_find(const struct json_val *key)
{
	struct slice	 name = { key->raw.p + 1, key->raw.n - 2 };
	struct buf	 plain = { 0 };
	enum field	 f;

	if (key->escaped) {
		json_unescape(&plain, key);
		name = buf_slice(&plain);
	}
	for (f = 0; f < FIELDS; f++)
		if (name.n == fields[f].name.n && (name.p[0] | 0x20) == fields[f].name.p[0] &&
		    strncasecmp(name.p, fields[f].name.p, name.n) == 0)
			break;
	buf_free(&plain);
	return f;
}

static bool
is_list_of_strings(const struct json_val *v)
{
	struct json_iter it;
	struct json_val	 item;

	if (v->type != JV_ARRAY)
		return false;
	json_iter_init(&it, v);
	while (json_array_next(&it, &item))
		if (item.type != JV_STRING && item.type != JV_NULL)
			return false;
	return true;
}

/* NULL when the value suits the field, else what would. */
static const char *
unsuitable(enum field_kind kind, const struct json_val *v)
{
	int64_t	 unused;

	if (v->type == JV_NULL)
		return NULL;
	switch (kind) {
	case F_TEXT:
	case F_MAYBE:
		return v->type == JV_STRING ? NULL : "a string";
	case F_LIST:
		return is_list_of_strings(v) ? NULL : "a list of strings";
	case F_INTEGER:
		return v->type == JV_NUMBER && slice_i64(v->raw, &unused) ? NULL : "an integer of 64 bits";
	case F_BOOL:
		return v->type == JV_TRUE || v->type == JV_FALSE ? NULL : "true or false";
	case F_ROW:
		break;		/* only the last of several counts, so not yet */
	}
	return NULL;
}

static void
take_member(void *arg, const struct json_val *key, const struct json_val *val)
{
	struct findings	*found = arg;
	enum field	 f = field_find(key);
	const char	*wanted;

	if (f == FIELDS)
		return;
	if ((wanted = unsuitable(fields[f].kind, val)) != NULL) {
		if (found->wrong == NULL) {
			found->wrong = fields[f].name.p;
			found->wanted = wanted;
		}
		return;
	}
	if (val->type != JV_NULL || fields[f].kind == F_ROW)
		found->val[f] = *val;
	else if (fields[f].kind == F_MAYBE || fields[f].kind == F_LIST)
		found->val[f].type = JV_ABSENT;
}

static int
check_row(const struct findings *found, enum field f, struct err *err)
{
	enum json_type	 type = found->val[f].type;

	if (type == JV_ABSENT || type == JV_NULL || type == JV_OBJECT)
		return 0;
	return err_set(err, ERR_INVALID, "%s: expected an object or null", fields[f].name.p);
}

/*
 * Strings end up in the payload or, with escapes, in the arena.  That gets room for all
 * of the event when the first one comes: slices must not move, and most events have none.
 */
static int
take_text(struct event *ev, const struct json_val *v, size_t most, struct slice *to, struct err *err)
{
	if (v->escaped && ev->arena.len == 0 && !buf_reserve(&ev->arena, most))
		return err_set(err, ERR_NOMEM, "memory is short for an event of %zu bytes", most);
	*to = json_text(v, &ev->arena);
	return 0;
}

static int
take_texts(struct event *ev, const struct findings *found, size_t most, struct err *err)
{
	for (enum field f = 0; f < FIELDS; f++) {
		if (fields[f].kind != F_TEXT && fields[f].kind != F_MAYBE)
			continue;
		if (found->val[f].type == JV_STRING) {
			if (take_text(ev, &found->val[f], most, text_of(ev, f), err) != 0)
				return -1;
		} else if (fields[f].kind == F_TEXT)
			*text_of(ev, f) = SLICE("");
	}
	return 0;
}

static int
take_operation(struct event *ev, struct err *err)
{
	for (size_t i = 0; i < NELEM(operations); i++)
		if (slice_is(ev->operation, operations[i])) {
			ev->op = (enum event_op)i;
			return 0;
		}
	if (ev->operation.n == 0)
		return err_set(err, ERR_INVALID, "operation: missing");
	return err_set(err, ERR_INVALID, "operation: expected INSERT, UPDATE or DELETE");
}

/* The last component of `key`, even an empty one; without `key`, the row's `id` if it is a string. */
static int
take_primary_key(struct event *ev, size_t most, struct err *err)
{
	struct json_val	 object, last = { .type = JV_ABSENT }, item;
	struct json_iter it;

	if (ev->key.type == JV_ARRAY) {
		json_iter_init(&it, &ev->key);
		while (json_array_next(&it, &item))
			last = item;
	}
	if (last.type == JV_ABSENT) {
		object = event_object(ev);
		last = json_member(&object, "id");
		if (last.type != JV_STRING || last.raw.n == 2)
			return err_set(err, ERR_INVALID, "no primary key: `key` is empty and the row has no `id`");
	}
	if (last.type == JV_STRING && take_text(ev, &last, most, &ev->primary_key, err) != 0)
		return -1;
	if (ev->primary_key.n == 0)
		return err_set(err, ERR_INVALID, "no primary key: the last component of `key` is empty");
	return 0;
}

int
event_parse(struct event *ev, struct slice payload, struct err *err)
{
	struct findings	 found = { .wrong = NULL };
	struct json_val	 root, item;
	struct json_iter it;
	struct event	 old = *ev;

	buf_reset(&old.arena);
	old.members.n = 0;
	*ev = (struct event){ .arena = old.arena, .members = old.members };
	if (json_scan_members(payload, false, take_member, &found, &root, err) != 0)
		return -1;
	if (root.type != JV_OBJECT)
		return err_set(err, ERR_INVALID, "the payload is JSON but not an object");
	if (found.wrong != NULL)
		return err_set(err, ERR_INVALID, "%s: expected %s", found.wrong, found.wanted);
	if (check_row(&found, BEFORE, err) != 0 || check_row(&found, AFTER, err) != 0 ||
	    take_texts(ev, &found, payload.n, err) != 0)
		return -1;
	ev->key = found.val[KEY];
	ev->before = found.val[BEFORE];
	ev->after = found.val[AFTER];
	json_iter_init(&it, &found.val[DIFF]);
	if (json_array_next(&it, &item))
		ev->diff = found.val[DIFF];
	/* take_member() has seen that it is one; without the field it stays 0. */
	if (found.val[TIMESTAMP].type == JV_NUMBER && !slice_i64(found.val[TIMESTAMP].raw, &ev->timestamp_ms))
		return err_set(err, ERR_INVALID, "timestamp: expected an integer of 64 bits");
	ev->imported = found.val[IMPORTED].type == JV_TRUE;
	if (take_operation(ev, err) != 0)
		return -1;
	if (ev->table.n == 0)
		return err_set(err, ERR_INVALID, "table: missing");
	return take_primary_key(ev, payload.n, err);
}

void
event_free(struct event *ev)
{
	buf_free(&ev->arena);
	free(ev->members.v);
	*ev = (struct event){ .op = EVENT_INSERT };
}

bool
event_member_add(struct event *ev, const char *row, const struct json_val *key, const struct json_val *val)
{
	struct event_member	*v;
	size_t			 cap = ev->members.cap == 0 ? 32 : ev->members.cap * 2;

	if (ev->members.n == ev->members.cap) {
		if ((v = reallocarray(ev->members.v, cap, sizeof(*v))) == NULL)
			return false;
		ev->members.v = v;
		ev->members.cap = cap;
	}
	ev->members.v[ev->members.n++] = (struct event_member){ .key = (uint32_t)(key->raw.p - row), .key_n = (uint32_t)key->raw.n,
	    .val = (uint32_t)(val->raw.p - row), .val_n = (uint32_t)val->raw.n, .type = (uint8_t)val->type,
	    .key_escaped = key->escaped, .escaped = val->escaped };
	return true;
}

void
event_member_get(const struct event *ev, size_t i, struct json_val *key_r, struct json_val *val_r)
{
	const struct event_member	*m = &ev->members.v[i];
	const char			*row = ev->after.raw.p;

	*key_r = (struct json_val){ JV_STRING, m->key_escaped, { row + m->key, m->key_n } };
	*val_r = (struct json_val){ (enum json_type)m->type, m->escaped, { row + m->val, m->val_n } };
}

struct json_val
event_object(const struct event *ev)
{
	return ev->after.type != JV_ABSENT ? ev->after : ev->before;
}

/* A member that is there only when the slice is. */
static void
store_text(struct buf *b, const char *start, struct slice s)
{
	if (s.p == NULL)
		return;
	buf_adds(b, start);
	json_out_str(b, s);
}

static void
store_row(struct buf *b, const char *start, const struct json_val *v)
{
	if (v->type == JV_ABSENT)
		return;
	buf_adds(b, start);
	json_out_compact(b, v->raw);
}

static void
store_list(struct buf *b, const struct json_val *v)
{
	struct json_iter it;
	struct json_val	 item;
	struct buf	 plain = { 0 };
	const char	*sep = "[";

	json_iter_init(&it, v);
	for (; json_array_next(&it, &item); sep = ",") {
		buf_adds(b, sep);
		buf_reset(&plain);
		json_out_str(b, item.type == JV_STRING ? json_text(&item, &plain) : SLICE(""));
	}
	buf_adds(b, *sep == '[' ? "[]" : "]");
	b->oom |= plain.oom;
	buf_free(&plain);
}

void
event_store_json(const struct event *ev, struct buf *b)
{
	store_text(b, "{\"operation\":", ev->operation);
	store_text(b, ",\"id\":", ev->id);
	store_text(b, ",\"table\":", ev->table);
	buf_adds(b, ",\"key\":");
	if (ev->key.type == JV_ABSENT)
		buf_adds(b, "null");
	else
		store_list(b, &ev->key);
	store_text(b, ",\"modelVersion\":", ev->model_version);
	store_text(b, ",\"companyId\":", ev->company_id);
	store_text(b, ",\"locationId\":", ev->location_id);
	store_text(b, ",\"userId\":", ev->user_id);
	store_row(b, ",\"before\":", &ev->before);
	store_row(b, ",\"after\":", &ev->after);
	if (ev->diff.type != JV_ABSENT) {
		buf_adds(b, ",\"diff\":");
		store_list(b, &ev->diff);
	}
	buf_printf(b, ",\"timestamp\":%lld", (long long)ev->timestamp_ms);
	store_text(b, ",\"mvccTimestamp\":", ev->mvcc_timestamp);
	buf_adds(b, ev->imported ? ",\"imported\":true}" : "}");
}

bool
event_subject_parse(struct slice subject, struct event_subject *out_r)
{
	struct event_subject	 s;
	struct slice		 first, schema;

	if (!slice_cut(&subject, '.', &first) || !slice_is(first, "dbchange") ||
	    !slice_cut(&subject, '.', &s.table) || !slice_cut(&subject, '.', &s.operation) ||
	    !slice_cut(&subject, '.', &s.company) || !slice_cut(&subject, '.', &s.location) ||
	    !slice_cut(&subject, '.', &schema) || !slice_is(schema, "PUBLIC") || subject.p == NULL)
		return false;
	s.id = subject;		/* the filters end in `PUBLIC.>`: it may hold dots */
	if (s.table.n == 0 || s.operation.n == 0 || s.company.n == 0 || s.location.n == 0 || s.id.n == 0)
		return false;
	*out_r = s;
	return true;
}
