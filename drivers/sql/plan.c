/* DDL: what is missing, and how to say it. */

#include <stdlib.h>
#include <strings.h>

#include "drivers/sql/plan.h"
#include "drivers/sql/quote.h"

bool
sql_names_eq(enum sql_names names, struct slice a, struct slice b)
{
	if (names == SQL_NAMES_EXACT)
		return slice_eq(a, b);
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

/* Names that the source tells apart and the destination does not. */
static int
check_names(const struct sql_schema *s, enum sql_names names, struct err *err)
{
	if (names == SQL_NAMES_EXACT)
		return 0;
	for (size_t i = 0; i < s->ncols; i++)
		for (size_t j = i + 1; j < s->ncols; j++)
			if (sql_names_eq(names, s->cols[i].name, s->cols[j].name))
				return err_set(err, ERR_INVALID, "table \"" SLICE_FMT "\" has the columns \"" SLICE_FMT
				    "\" and \"" SLICE_FMT "\", which are one name to this destination",
				    SLICE_ARG(s->table), SLICE_ARG(s->cols[i].name), SLICE_ARG(s->cols[j].name));
	return 0;
}

static bool
have_column(const struct slice *have, size_t nhave, enum sql_names names, struct slice name)
{
	for (size_t i = 0; i < nhave; i++)
		if (sql_names_eq(names, have[i], name))
			return true;
	return false;
}

int
sql_plan_make(struct sql_plan *p, const struct sql_schema *s, const struct slice *have, size_t nhave,
    enum sql_names names, struct err *err)
{
	*p = (struct sql_plan){ .what = SQL_PLAN_NOTHING };
	if (check_names(s, names, err) != 0)
		return -1;
	if (have == NULL) {
		p->what = SQL_PLAN_CREATE;
		return 0;
	}
	if ((p->add = calloc(s->ncols, sizeof(*p->add))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the columns of a table");
	for (size_t i = 0; i < s->ncols; i++)
		if (!have_column(have, nhave, names, s->cols[i].name))
			p->add[p->n++] = i;
	if (p->n > 0)
		p->what = SQL_PLAN_ADD;
	return 0;
}

void
sql_plan_free(struct sql_plan *p)
{
	free(p->add);
	*p = (struct sql_plan){ .what = SQL_PLAN_NOTHING };
}

static int
quote(struct buf *b, const struct sql_dialect *d, struct slice name, struct err *err)
{
	return sql_quote_with(b, name, d->open, d->close, err);
}

static int
quote_table(struct buf *b, const struct sql_dialect *d, struct slice name, struct err *err)
{
	if (d->qualifier != NULL)
		buf_adds(b, d->qualifier);
	return quote(b, d, name, err);
}

static int
ddl_done(const struct buf *b, struct err *err)
{
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for a table's DDL") : 0;
}

static int
ddl_column(struct buf *b, const struct sql_dialect *d, const struct sql_column *c, struct err *err)
{
	buf_addc(b, '\t');
	if (quote(b, d, c->name, err) != 0)
		return -1;
	buf_addc(b, ' ');
	buf_adds(b, d->type(c, c->is_key));
	if (sql_column_not_null(c) || (c->is_key && (d->key_not_null || d->no_key)))
		buf_adds(b, " NOT NULL");
	return 0;
}

static int
ddl_key(struct buf *b, const struct sql_dialect *d, const struct sql_schema *s, struct err *err)
{
	buf_adds(b, ",\n\tPRIMARY KEY (");
	for (size_t i = 0; i < s->nkeys; i++) {
		buf_adds(b, i == 0 ? "" : ", ");
		if (quote(b, d, s->cols[i].name, err) != 0)
			return -1;
	}
	buf_addc(b, ')');
	return 0;
}

int
sql_ddl_create(struct buf *b, const struct sql_dialect *d, const struct sql_schema *s, struct err *err)
{
	buf_adds(b, d->create);
	buf_addc(b, ' ');
	if (quote_table(b, d, s->table, err) != 0)
		return -1;
	buf_adds(b, " (\n");
	for (size_t i = 0; i < s->ncols; i++) {
		buf_adds(b, i == 0 ? "" : ",\n");
		if (ddl_column(b, d, &s->cols[i], err) != 0)
			return -1;
	}
	if (!d->no_key && ddl_key(b, d, s, err) != 0)
		return -1;
	buf_adds(b, "\n)");
	buf_adds(b, d->create_end);
	return ddl_done(b, err);
}

int
sql_ddl_add(struct buf *b, const struct sql_dialect *d, const struct sql_schema *s, size_t column, struct err *err)
{
	const struct sql_column	*c = &s->cols[column];

	buf_adds(b, "ALTER TABLE ");
	if (quote_table(b, d, s->table, err) != 0)
		return -1;
	buf_addc(b, ' ');
	buf_adds(b, d->add);
	buf_addc(b, ' ');
	if (quote(b, d, c->name, err) != 0)
		return -1;
	buf_addc(b, ' ');
	buf_adds(b, d->type(c, false));
	return ddl_done(b, err);
}
