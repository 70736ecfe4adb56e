/* HQ's description of a table, from JSON to columns in the order every destination uses. */

#include <jansson.h>
#include <stdlib.h>

#include "ipc/base/arena.h"
#include "drivers/sql/schema.h"
#include "ipc/base/hash.h"

struct sql_schema_own {
	struct arena	 arena;
	uint32_t		*slots;		/* column number + 1, 0 is free */
	size_t			 nslots;	/* a power of two */
};

static int
bad(struct err *err, const struct sql_schema *s, const char *field, const char *want)
{
	return err_set(err, ERR_INVALID, "schema of table \"" SLICE_FMT "\": `%s` must be %s; correct it in HQ's schema",
	    SLICE_ARG(s->table), field, want);
}

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for a table's schema");
}

/* A missing member and null are the same: nothing. */
static json_t *
member(const json_t *o, const char *key)
{
	json_t	*v = json_object_get(o, key);

	return json_is_null(v) ? NULL : v;
}

static int
member_bool(const struct sql_schema *s, const json_t *o, const char *key, bool *out_r, struct err *err)
{
	json_t	*v = member(o, key);

	if (v != NULL && !json_is_boolean(v))
		return bad(err, s, key, "true or false");
	*out_r = json_is_true(v);
	return 0;
}

static int
member_text(const struct sql_schema *s, const json_t *o, const char *key, struct slice *out_r, struct err *err)
{
	json_t	*v = member(o, key);

	*out_r = (struct slice){ NULL, 0 };
	if (v == NULL)
		return 0;
	if (!json_is_string(v))
		return bad(err, s, key, "a string");
	*out_r = arena_copy(&s->own->arena, (struct slice){ json_string_value(v), json_string_length(v) });
	return out_r->p == NULL ? nomem(err) : 0;
}

static int
array_kind(const struct sql_schema *s, const json_t *property, struct sql_column *c, struct err *err)
{
	json_t	*items = member(property, "items");

	c->kind = SQL_ARRAY;
	if (items == NULL)
		return 0;
	if (!json_is_object(items))
		return bad(err, s, "items", "an object");
	if (member(items, "enum") != NULL)
		c->kind = SQL_ENUM_ARRAY;
	return member_text(s, items, "type", &c->items_type, err);
}

static int
column_kind(const struct sql_schema *s, const json_t *property, struct sql_column *c, struct err *err)
{
	static const struct { const char *type; enum sql_kind kind; } kinds[] = {
		{ "string", SQL_STRING }, { "integer", SQL_INTEGER }, { "number", SQL_NUMBER },
		{ "boolean", SQL_BOOLEAN }, { "object", SQL_OBJECT },
	};
	struct slice	type, format;

	c->kind = SQL_OTHER;
	if (member_text(s, property, "type", &type, err) != 0 || member_text(s, property, "format", &format, err) != 0)
		return -1;
	if (slice_is(type, "array"))
		return array_kind(s, property, c, err);
	for (size_t i = 0; i < NELEM(kinds); i++)
		if (slice_is(type, kinds[i].type))
			c->kind = kinds[i].kind;
	if (c->kind == SQL_STRING && slice_is(format, "date-time"))
		c->kind = SQL_DATETIME;
	return 0;
}

/* `property` may be NULL: a primary key that no property describes is a column of unknown type. */
static int
column_init(const struct sql_schema *s, const char *name, const json_t *property, struct sql_column *c, struct err *err)
{
	bool	ignored;

	*c = (struct sql_column){ .kind = SQL_OTHER };
	if (*name == '\0')
		return bad(err, s, "properties", "an object without an empty name");
	if ((c->name = arena_copy(&s->own->arena, slice_of(name))).p == NULL)
		return nomem(err);
	if (property == NULL)
		return 0;
	if (!json_is_object(property))
		return bad(err, s, name, "an object");
	if (member_bool(s, property, "nullable", &c->nullable, err) != 0 ||
	    member_bool(s, property, "additionalProperties", &ignored, err) != 0)
		return -1;
	return column_kind(s, property, c, err);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct sql_column *)a)->name.p, ((const struct sql_column *)b)->name.p);
}

static bool
is_key(const struct sql_schema *s, const char *name)
{
	for (size_t i = 0; i < s->nkeys; i++)
		if (slice_is(s->cols[i].name, name))
			return true;
	return false;
}

static int
add_key(struct sql_schema *s, const char *name, const json_t *properties, struct err *err)
{
	struct sql_column	*c = &s->cols[s->nkeys];

	if (is_key(s, name))
		return bad(err, s, "primaryKeys", "a list without duplicates");
	if (column_init(s, name, member(properties, name), c, err) != 0)
		return -1;
	c->is_key = true;
	s->ncols = ++s->nkeys;
	return 0;
}

static int
add_keys(struct sql_schema *s, const json_t *keys, const json_t *properties, struct err *err)
{
	size_t	 i;
	json_t	*k;

	json_array_foreach(keys, i, k) {
		if (!json_is_string(k))
			return bad(err, s, "primaryKeys", "a list of strings");
		if (add_key(s, json_string_value(k), properties, err) != 0)
			return -1;
	}
	if (s->nkeys > 0)
		return 0;
	if (json_object_get(properties, "id") == NULL)
		return bad(err, s, "primaryKeys", "a list with at least one name, because there is no property `id`");
	return add_key(s, "id", properties, err);
}

static int
add_rest(struct sql_schema *s, json_t *properties, struct err *err)
{
	json_t	*p;
	void	*at;

	for (at = json_object_iter(properties); at != NULL;
	    at = json_object_iter_next(properties, at)) {
		const char *name = json_object_iter_key(at);

		p = json_object_iter_value(at);
		if (is_key(s, name))
			continue;
		if (column_init(s, name, p, &s->cols[s->ncols], err) != 0)
			return -1;
		s->ncols++;
	}
	qsort(s->cols + s->nkeys, s->ncols - s->nkeys, sizeof(s->cols[0]), by_name);
	return 0;
}

static int
index_columns(struct sql_schema *s, struct err *err)
{
	struct sql_schema_own	*own = s->own;
	size_t			 bytes;

	for (own->nslots = 16; own->nslots < s->ncols * 2; )
		own->nslots *= 2;
	bytes = own->nslots * sizeof(*own->slots);
	if ((own->slots = arena_get(&own->arena, bytes)) == NULL)
		return nomem(err);
	memset(own->slots, 0, bytes);
	for (size_t i = 0; i < s->ncols; i++) {
		size_t at = hash_xxh64(s->cols[i].name) & (own->nslots - 1);

		while (own->slots[at] != 0)
			at = (at + 1) & (own->nslots - 1);
		own->slots[at] = (uint32_t)i + 1;
	}
	return 0;
}

static int
mark_required(struct sql_schema *s, const json_t *required, struct err *err)
{
	size_t	 i, col;
	json_t	*r;

	json_array_foreach(required, i, r) {
		if (!json_is_string(r))
			return bad(err, s, "required", "a list of strings");
		col = sql_schema_find(s, (struct slice){ json_string_value(r), json_string_length(r) });
		if (col != SQL_NO_COLUMN)
			s->cols[col].required = true;
	}
	return 0;
}

static int
fill(struct sql_schema *s, const json_t *root, struct err *err)
{
	json_t	*properties, *required, *keys;
	size_t	 most;

	if (!json_is_object(root))
		return err_set(err, ERR_INVALID, "a table's schema must be a JSON object");
	if (member_text(s, root, "table", &s->table, err) != 0 ||
	    member_text(s, root, "modelVersion", &s->version, err) != 0)
		return -1;
	if (s->table.n == 0 || memchr(s->table.p, '\0', s->table.n) != NULL)
		return bad(err, s, "table", "a name");
	properties = member(root, "properties");
	required = member(root, "required");
	keys = member(root, "primaryKeys");
	if (!json_is_object(properties))
		return bad(err, s, "properties", "an object");
	if (required != NULL && !json_is_array(required))
		return bad(err, s, "required", "a list of strings");
	if (keys != NULL && !json_is_array(keys))
		return bad(err, s, "primaryKeys", "a list of strings");
	most = json_object_size(properties) + json_array_size(keys) + 1;
	if ((s->cols = arena_get(&s->own->arena, most * sizeof(s->cols[0]))) == NULL)
		return nomem(err);
	if (add_keys(s, keys, properties, err) != 0 || add_rest(s, properties, err) != 0 || index_columns(s, err) != 0)
		return -1;
	return mark_required(s, required, err);
}

int
sql_schema_parse(struct sql_schema **schema_r, struct slice json, struct err *err)
{
	struct sql_schema	*s = NULL;
	json_error_t		 why;
	json_t			*root = NULL;
	int			 rc = -1;

	if ((s = calloc(1, sizeof(*s))) == NULL || (s->own = calloc(1, sizeof(*s->own))) == NULL) {
		nomem(err);
		goto out;
	}
	if ((root = json_loadb(json.p == NULL ? "" : json.p, json.n, 0, &why)) == NULL) {
		err_set(err, ERR_INVALID, "a table's schema is not JSON: %s at byte %d", why.text, why.position);
		goto out;
	}
	if (fill(s, root, err) != 0)
		goto out;
	*schema_r = s;
	s = NULL;
	rc = 0;
out:
	json_decref(root);
	sql_schema_free(&s);
	return rc;
}

void
sql_schema_free(struct sql_schema **sp)
{
	struct sql_schema	*s = *sp;

	if (s == NULL)
		return;
	if (s->own != NULL)
		arena_free(&s->own->arena);
	free(s->own);
	free(s);
	*sp = NULL;
}

size_t
sql_schema_find(const struct sql_schema *s, struct slice name)
{
	size_t	at = hash_xxh64(name) & (s->own->nslots - 1);

	for (; s->own->slots[at] != 0; at = (at + 1) & (s->own->nslots - 1))
		if (slice_eq(s->cols[s->own->slots[at] - 1].name, name))
			return s->own->slots[at] - 1;
	return SQL_NO_COLUMN;
}

bool
sql_column_not_null(const struct sql_column *c)
{
	return c->required && !c->nullable;
}

bool
sql_kind_is_json(enum sql_kind kind)
{
	return kind == SQL_OBJECT || kind == SQL_ARRAY;
}

const char *
sql_kind_postgres(enum sql_kind kind)
{
	switch (kind) {
	case SQL_DATETIME:
		return "TIMESTAMP WITH TIME ZONE";
	case SQL_INTEGER:
		return "BIGINT";
	case SQL_NUMBER:
		return "DOUBLE PRECISION";
	case SQL_BOOLEAN:
		return "BOOLEAN";
	case SQL_OBJECT:
	case SQL_ARRAY:
		return "JSONB";
	case SQL_ENUM_ARRAY:
		return "VARCHAR(64)";
	case SQL_STRING:
	case SQL_OTHER:
		break;
	}
	return "TEXT";
}
