/* Which columns a table has, over all versions of its schema. */

#include <stdlib.h>

#include "drivers/sql/table.h"

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for a table's columns");
}

struct sql_table *
sql_tables_find(const struct sql_tables *t, struct slice name)
{
	for (size_t i = 0; i < t->n; i++)
		if (slice_eq(t->v[i]->name, name))
			return t->v[i];
	return NULL;
}

size_t
sql_table_find(const struct sql_table *t, struct slice column)
{
	for (size_t i = 0; i < t->ncols; i++)
		if (slice_eq(t->cols[i].name, column))
			return i;
	return SQL_NO_COLUMN;
}

struct sql_version *
sql_table_version(const struct sql_table *t, struct slice version)
{
	for (struct sql_version *v = t->versions; v != NULL; v = v->next)
		if (slice_eq(v->schema->version, version))
			return v;
	return NULL;
}

static int
column_add(struct sql_table *t, const struct sql_column *like, struct err *err)
{
	struct sql_column	*cols, c = *like;
	size_t			 capacity = t->capacity == 0 ? 32 : t->capacity * 2;

	if (t->ncols == t->capacity) {
		if ((cols = reallocarray(t->cols, capacity, sizeof(*cols))) == NULL)
			return nomem(err);
		t->cols = cols;
		t->capacity = capacity;
	}
	if ((c.name.p = slice_dup(like->name)) == NULL)
		return nomem(err);
	c.items_type = (struct slice){ NULL, 0 };
	t->cols[t->ncols++] = c;
	return 0;
}

static void
version_free(struct sql_version *v)
{
	if (v == NULL)
		return;
	sql_schema_free(&v->schema);
	free(v->column);
	free(v->after);
	free(v);
}

static void
table_free(struct sql_table *t)
{
	if (t == NULL)
		return;
	while (t->versions != NULL) {
		struct sql_version *v = t->versions;

		t->versions = v->next;
		version_free(v);
	}
	for (size_t i = 0; i < t->ncols; i++)
		free((void *)(uintptr_t)t->cols[i].name.p);
	free(t->cols);
	free(t->held);
	free((void *)(uintptr_t)t->name.p);
	free(t);
}

void
sql_tables_free(struct sql_tables *t)
{
	for (size_t i = 0; i < t->n; i++)
		table_free(t->v[i]);
	free(t->v);
	*t = (struct sql_tables){ 0 };
}

static bool
tables_grow(struct sql_tables *t)
{
	size_t		  capacity = t->capacity == 0 ? 64 : t->capacity * 2;
	struct sql_table **v;

	if (t->n < t->capacity)
		return true;
	if ((v = reallocarray(t->v, capacity, sizeof(struct sql_table *))) == NULL)
		return false;
	t->v = v;
	t->capacity = capacity;
	return true;
}

struct sql_table *
sql_tables_add(struct sql_tables *all, struct slice name, const struct slice *keys, size_t nkeys, struct err *err)
{
	struct sql_table	*t = NULL;

	if (!tables_grow(all) || (t = calloc(1, sizeof(*t))) == NULL ||
	    (t->name = (struct slice){ slice_dup(name), name.n }).p == NULL) {
		nomem(err);
		goto fail;
	}
	for (size_t i = 0; i < nkeys; i++)
		if (column_add(t, &(struct sql_column){ .name = keys[i], .kind = SQL_OTHER, .is_key = true }, err) != 0)
			goto fail;
	t->nkeys = nkeys;
	t->id = (uint32_t)all->n;
	all->v[all->n++] = t;
	return t;
fail:
	table_free(t);
	return NULL;
}

static struct sql_table *
table_of_schema(struct sql_tables *all, const struct sql_schema *s, struct err *err)
{
	struct slice		*keys;
	struct sql_table	*t;

	if ((t = sql_tables_find(all, s->table)) != NULL)
		return t;
	if ((keys = calloc(s->nkeys, sizeof(*keys))) == NULL) {
		nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < s->nkeys; i++)
		keys[i] = s->cols[i].name;
	t = sql_tables_add(all, s->table, keys, s->nkeys, err);
	free(keys);
	return t;
}

/* Same names, any order. */
static int
check_key(const struct sql_table *t, const struct sql_schema *s, struct err *err)
{
	size_t	 same = 0, at;

	for (size_t i = 0; i < s->nkeys; i++)
		if ((at = sql_table_find(t, s->cols[i].name)) < t->nkeys)
			same++;
	if (same == t->nkeys && same == s->nkeys)
		return 0;
	return err_set(err, ERR_CONFLICT, "version \"" SLICE_FMT "\" of table \"" SLICE_FMT
	    "\" has another primary key than the destination's table; import that table anew",
	    SLICE_ARG(s->version), SLICE_ARG(s->table));
}

/* A table found in the destination knows only names; the first schema says what its columns are. */
static int
map_columns(struct sql_table *t, struct sql_version *v, struct err *err)
{
	for (size_t i = 0; i < v->schema->ncols; i++) {
		const struct sql_column	*c = &v->schema->cols[i];
		size_t			 at = sql_table_find(t, c->name);

		if (at == SQL_NO_COLUMN) {
			at = t->ncols;
			if (column_add(t, c, err) != 0)
				return -1;
			t->cols[at].is_key = false;
		} else if (t->versions == NULL) {
			t->cols[at].kind = c->kind;
			t->cols[at].nullable = c->nullable;
			t->cols[at].required = c->required;
		}
		v->column[i] = (uint32_t)at;
	}
	return 0;
}

struct sql_version *
sql_tables_take(struct sql_tables *all, struct sql_schema *s, struct err *err)
{
	struct sql_version	*v;
	struct sql_table	*t;

	if ((v = calloc(1, sizeof(*v))) == NULL) {
		sql_schema_free(&s);
		nomem(err);
		return NULL;
	}
	v->schema = s;
	if ((v->column = calloc(s->ncols, sizeof(*v->column))) == NULL ||
	    (v->after = calloc(s->ncols + 1, sizeof(*v->after))) == NULL) {
		nomem(err);
		goto fail;
	}
	if ((t = table_of_schema(all, s, err)) == NULL || check_key(t, s, err) != 0 || map_columns(t, v, err) != 0)
		goto fail;
	v->next = t->versions;
	t->versions = v;
	return v;
fail:
	version_free(v);
	return NULL;
}
