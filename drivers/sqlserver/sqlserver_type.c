/* Column types, from HQ's schema and from the catalogue. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "drivers/sqlserver/sqlserver_type.h"

/* NVARCHAR(MAX) cannot be part of an index. */
const char *
ms_declared(const struct sql_column *c, bool as_key)
{
	switch (c->kind) {
	case SQL_INTEGER:
		return "BIGINT";
	case SQL_NUMBER:
		return "FLOAT";
	case SQL_BOOLEAN:
		return "BIT";
	case SQL_ENUM_ARRAY:
		return "VARCHAR(64)";
	case SQL_STRING:
	case SQL_DATETIME:
	case SQL_OBJECT:
	case SQL_ARRAY:
	case SQL_OTHER:
		break;
	}
	return as_key ? "VARCHAR(64)" : "NVARCHAR(MAX)";
}

static void
classify(struct ms_type *t)
{
	static const struct { const char *name; enum ms_class class; bool fixed; } known[] = {
		{ "nvarchar", MS_NTEXT, false }, { "nchar", MS_NTEXT, true }, { "varchar", MS_CTEXT, false },
		{ "char", MS_CTEXT, true }, { "bigint", MS_INTEGER, false }, { "int", MS_INTEGER, false },
		{ "smallint", MS_INTEGER, false }, { "tinyint", MS_INTEGER, false }, { "bit", MS_BIT, false },
		{ "float", MS_FLOAT, false }, { "real", MS_REAL, false }, { "decimal", MS_DECIMAL, false },
		{ "numeric", MS_DECIMAL, false },
	};

	t->class = MS_OTHER;
	for (size_t i = 0; i < NELEM(known); i++)
		if (strcmp(t->name, known[i].name) == 0) {
			t->class = known[i].class;
			t->fixed = known[i].fixed;
		}
}

/* It goes into statements as it is, for COLLATE takes no quoted names. */
static bool
is_plain_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '_')
			return false;
	return s.n > 0;
}

static bool
same(const struct ms_type *a, const struct ms_type *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->collation, b->collation) == 0 && a->precision == b->precision &&
	    a->scale == b->scale;
}

int
ms_types_add(struct ms_types *all, struct slice name, int precision, int scale, struct slice collation,
    uint32_t *number_r, struct err *err)
{
	size_t		 capacity = all->capacity == 0 ? 16 : all->capacity * 2;
	struct ms_type	 t = { .precision = precision, .scale = scale }, *v;

	(void)snprintf(t.name, sizeof(t.name), SLICE_FMT, SLICE_ARG(name));
	if (is_plain_word(collation) && collation.n < sizeof(t.collation))
		(void)snprintf(t.collation, sizeof(t.collation), SLICE_FMT, SLICE_ARG(collation));
	classify(&t);
	if ((t.class == MS_NTEXT || t.class == MS_CTEXT) && t.collation[0] == '\0')
		t.class = MS_OTHER;
	for (size_t i = 0; i < all->n; i++)
		if (same(&all->v[i], &t)) {
			*number_r = (uint32_t)i;
			return 0;
		}
	if (all->n == all->capacity) {
		if ((v = reallocarray(all->v, capacity, sizeof(*v))) == NULL)
			return err_set(err, ERR_NOMEM, "no memory for the types of columns");
		all->v = v;
		all->capacity = capacity;
	}
	all->v[all->n] = t;
	*number_r = (uint32_t)all->n++;
	return 0;
}

void
ms_types_free(struct ms_types *all)
{
	free(all->v);
	*all = (struct ms_types){ .v = NULL };
}
