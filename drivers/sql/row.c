/* From the row images of an event to columns. */

#include "drivers/sql/row.h"
#include "ipc/base/json_bytes.h"

static const struct json_val	empty_object = { JV_OBJECT, false, { "{}", 2 } };
static const struct json_val	empty_array = { JV_ARRAY, false, { "[]", 2 } };
static const struct json_val	empty_string = { JV_STRING, false, { "\"\"", 2 } };
static const struct json_val	null = { JV_NULL, false, { "null", 4 } };

#define LOOK_AHEAD	8u	/* columns that a row may lack in a row of them */

/*
 * Which column of the schema a member is.  Rows of one version mostly have their members in the same order, though
 * not all of them: the column after *last is remembered, and the one after that.
 */
static size_t
find_member(struct sql_version *v, uint32_t *last, const struct json_val *key, struct buf *scratch)
{
	const struct sql_schema	*s = v->schema;
	struct slice		 name = { key->raw.p + 1, key->raw.n - 2 };
	size_t			 at = SQL_NO_COLUMN;
	uint32_t		 next = v->after[*last];

	if (key->escaped) {
		buf_reset(scratch);
		name = json_text(key, scratch);
	}
	for (unsigned i = 0; next != 0 && i < LOOK_AHEAD; i++, next = v->after[next])
		if (slice_eq(s->cols[next - 1].name, name)) {
			*last = next;
			return next - 1;
		}
	if ((at = sql_schema_find(s, name)) != SQL_NO_COLUMN)
		*last = v->after[*last] = (uint32_t)at + 1;
	return at;
}

static struct json_val
fill_empty(const struct sql_column *c, const struct json_val *val)
{
	bool	 empty = val->type == JV_NULL || (val->type == JV_STRING && val->raw.n == 2);

	if (!empty || c->nullable)
		return *val;
	if (c->kind == SQL_OBJECT)
		return empty_object;
	if (c->kind == SQL_ARRAY || c->kind == SQL_ENUM_ARRAY)
		return empty_array;
	return *val;
}

static void
map_member(struct sql_version *v, uint32_t *last, const struct json_val *key, const struct json_val *val,
    struct json_val *vals, struct buf *scratch)
{
	size_t	 at = find_member(v, last, key, scratch);

	if (at != SQL_NO_COLUMN)
		vals[v->column[at]] = fill_empty(&v->schema->cols[at], val);
}

static void
map_members(struct sql_version *v, const struct event *ev, struct json_val *vals, struct buf *scratch)
{
	struct json_iter	 it;
	struct json_val		 key, val;
	uint32_t		 last = 0;

	for (size_t i = 0; i < ev->members.n; i++) {
		event_member_get(ev, i, &key, &val);
		map_member(v, &last, &key, &val, vals, scratch);
	}
	if (ev->members.n > 0)
		return;
	json_iter_init(&it, &ev->after);
	while (json_object_next(&it, &key, &val))
		map_member(v, &last, &key, &val, vals, scratch);
}

/* Columns that changed to something `after` does not hold (hazard H12). */
static void
map_diff(struct sql_version *v, const struct json_val *diff, struct json_val *vals, struct buf *scratch)
{
	struct json_iter	 it;
	struct json_val		 name;
	size_t			 at;

	json_iter_init(&it, diff);
	while (json_array_next(&it, &name)) {
		if (name.type != JV_STRING)
			continue;
		buf_reset(scratch);
		at = sql_schema_find(v->schema, json_text(&name, scratch));
		if (at == SQL_NO_COLUMN || vals[v->column[at]].type != JV_ABSENT || v->schema->cols[at].is_key)
			continue;
		if (!sql_column_not_null(&v->schema->cols[at]))
			vals[v->column[at]] = fill_empty(&v->schema->cols[at], &null);
	}
}

/* Columns that must not be NULL stay absent, for the driver to fill in. */
static void
complete(const struct sql_table *t, struct json_val *vals)
{
	for (size_t i = t->nkeys; i < t->ncols; i++)
		if (vals[i].type == JV_ABSENT && !(i < t->nheld && t->held[i].demands))
			vals[i].type = JV_NULL;
}

int
sql_row_map(const struct sql_table *t, struct sql_version *v, const struct event *ev, struct json_val *vals,
    struct err *err)
{
	struct buf	 scratch = { 0 };
	bool		 oom;

	if (ev->after.type != JV_OBJECT)
		return err_set(err, ERR_INVALID, "the " SLICE_FMT " of table \"" SLICE_FMT "\" has no `after`: "
		    "there is no row to store", SLICE_ARG(ev->operation), SLICE_ARG(ev->table));
	memset(vals, 0, t->ncols * sizeof(*vals));	/* JV_ABSENT is 0 */
	map_members(v, ev, vals, &scratch);
	if (ev->op == EVENT_UPDATE && ev->diff.type == JV_ARRAY)
		map_diff(v, &ev->diff, vals, &scratch);
	if (ev->imported)
		complete(t, vals);
	oom = scratch.oom;
	buf_free(&scratch);
	return oom ? err_set(err, ERR_NOMEM, "no memory for a row") : 0;
}

/* The component of `key` that stands for key column i of n, counted from the end. */
static struct json_val
key_component(const struct event *ev, size_t i, size_t n)
{
	struct json_iter	 it;
	struct json_val		 item, found = { .type = JV_ABSENT };
	size_t			 parts = 0, at = 0;

	if (ev->key.type != JV_ARRAY)
		return found;
	json_iter_init(&it, &ev->key);
	while (json_array_next(&it, &item))
		parts++;
	if (parts + i < n)
		return found;
	json_iter_init(&it, &ev->key);
	while (json_array_next(&it, &item))
		if (at++ == parts + i - n)
			return item;
	return found;
}

static struct json_val
key_value(const struct sql_table *t, const struct event *ev, size_t i, struct json_val known)
{
	const struct json_val	*rows[] = { &ev->after, &ev->before };
	struct json_val		 val = known;

	for (size_t r = 0; r < NELEM(rows); r++)
		if (val.type <= JV_NULL && rows[r]->type == JV_OBJECT)
			val = json_member(rows[r], t->cols[i].name.p);
	if (val.type <= JV_NULL)
		val = key_component(ev, i, t->nkeys);
	if (val.type <= JV_NULL && t->nkeys == 1 && rows[ev->after.type != JV_OBJECT]->type == JV_OBJECT)
		val = json_member(rows[ev->after.type != JV_OBJECT], "id");	/* what event_parse() took as primary key */
	return val;
}

int
sql_row_key(const struct sql_table *t, const struct event *ev, struct json_val *vals, struct err *err)
{
	for (size_t i = 0; i < t->nkeys; i++) {
		vals[i] = key_value(t, ev, i, ev->op == EVENT_DELETE ? (struct json_val){ .type = JV_ABSENT } : vals[i]);
		if (vals[i].type <= JV_NULL)
			return err_set(err, ERR_INVALID, "the " SLICE_FMT " of table \"" SLICE_FMT
			    "\" has no value for its key column \"" SLICE_FMT "\"",
			    SLICE_ARG(ev->operation), SLICE_ARG(t->name), SLICE_ARG(t->cols[i].name));
		if (vals[i].type >= JV_OBJECT)
			return err_set(err, ERR_INVALID, "key column \"" SLICE_FMT "\" of table \"" SLICE_FMT
			    "\" holds an object or array", SLICE_ARG(t->cols[i].name), SLICE_ARG(t->name));
	}
	return 0;
}

struct json_val
sql_row_default(enum sql_kind kind)
{
	switch (kind) {
	case SQL_INTEGER:
	case SQL_NUMBER:
		return (struct json_val){ JV_NUMBER, false, { "0", 1 } };
	case SQL_BOOLEAN:
		return (struct json_val){ JV_FALSE, false, { "false", 5 } };
	case SQL_OBJECT:
		return empty_object;
	case SQL_ARRAY:
	case SQL_ENUM_ARRAY:
		return empty_array;
	case SQL_STRING:
	case SQL_DATETIME:
	case SQL_OTHER:
		break;
	}
	return empty_string;
}

struct slice
sql_text(const struct json_val *v, struct buf *scratch)
{
	return v->type == JV_STRING ? json_text(v, scratch) : sql_json(v, scratch);
}

/* The first insignificant white space, or the end. */
static const char *
find_space(const char *p, const char *end)
{
	bool	 escaped;

	while (p < end && !is_space(*p))
		p = *p == '"' ? skip_string(p, end, &escaped) : p + 1;
	return p;
}

struct slice
sql_json(const struct json_val *v, struct buf *scratch)
{
	const char	*p = v->raw.p, *end = p + v->raw.n, *next;
	size_t		 start = scratch->len;

	if (v->type < JV_OBJECT || find_space(p, end) == end)
		return v->raw;
	for (; p < end; p = next) {
		next = find_space(p, end);
		buf_add(scratch, p, (size_t)(next - p));
		while (next < end && is_space(*next))
			next++;
	}
	if (scratch->oom)
		return (struct slice){ NULL, 0 };
	return (struct slice){ (const char *)scratch->data + start, scratch->len - start };
}
