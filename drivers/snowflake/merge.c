/* One MERGE for all rows of a table. */

#include <stdio.h>
#include <stdlib.h>

#include "drivers/snowflake/cell.h"
#include "drivers/snowflake/merge.h"
#include "drivers/sql/quote.h"
#include "ipc/base/json_out.h"

#define UPDATED	"updatedDate"

void
snow_literal(struct buf *b, struct slice text)
{
	size_t	 from = 0;

	buf_addc(b, '\'');
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\'' || text.p[i] == '\\') {
			buf_add(b, text.p + from, i - from + 1);
			from = i;	/* once more, with what follows */
		}
	if (text.n > from)
		buf_add(b, text.p + from, text.n - from);
	buf_addc(b, '\'');
}

static bool
held(const struct sql_table *t, size_t i)
{
	return i < t->nheld && t->held[i].exists;
}

/* --- what the rows need --- */

static void
note_operations(struct snow_merge *m)
{
	const struct sql_row	*r = m->group->first;

	for (size_t i = 0; i < m->n; i++, r = r->next) {
		m->upserts |= r->what == SQL_UPSERT;
		m->replaces |= r->what == SQL_REPLACE;
		m->deletes |= r->what == SQL_DELETE;
	}
}

/* Key columns and those that some row has; of a whole row, all. */
static bool
is_used(const struct snow_merge *m, size_t column, bool *partial_r)
{
	const struct sql_row	*r = m->group->first;
	bool			 used = column < m->group->table->nkeys || m->replaces;

	*partial_r = false;
	for (size_t i = 0; i < m->n; i++, r = r->next) {
		if (r->what == SQL_DELETE)
			continue;
		if (r->v[column].type == JV_ABSENT)
			*partial_r = true;
		else
			used = true;
	}
	return used;
}

int
snow_merge_init(struct snow_merge *m, const struct sql_group *g, size_t number, bool guarded, struct err *err)
{
	const struct sql_table	*t = g->table;
	bool			 partial;

	*m = (struct snow_merge){ .group = g, .n = g->n, .number = number, .guarded = guarded };
	m->columns = calloc(t->ncols, sizeof(*m->columns));
	m->partial = calloc(t->ncols, sizeof(*m->partial));
	if (m->columns == NULL || m->partial == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a statement");
	note_operations(m);
	for (size_t i = 0; i < t->ncols; i++) {
		if (!held(t, i) || !is_used(m, i, &partial))
			continue;
		m->columns[m->ncolumns] = i;
		m->partial[m->ncolumns++] = partial;
	}
	return 0;
}

void
snow_merge_free(struct snow_merge *m)
{
	free(m->columns);
	free(m->partial);
	*m = (struct snow_merge){ .group = NULL };
}

/* --- the document --- */

int
snow_merge_row(struct buf *b, const struct snow_merge *m, const struct sql_row *r, bool staged, struct buf *scratch,
    struct err *err)
{
	const struct sql_table	*t = m->group->table;
	bool			 first = true;

	buf_addc(b, '{');
	if (staged)
		buf_printf(b, "\"t\":%zu,", m->number);
	buf_printf(b, "\"o\":\"%c\",\"r\":{", "UDR"[r->what]);
	for (size_t k = 0; k < m->ncolumns; k++) {
		size_t	 i = m->columns[k];

		if (r->v[i].type == JV_ABSENT || (r->what == SQL_DELETE && i >= t->nkeys))
			continue;
		buf_adds(b, first ? "" : ",");
		first = false;
		json_out_str(b, t->cols[i].name);
		buf_addc(b, ':');
		if (snow_cell_add(b, &t->cols[i], &t->held[i], &r->v[i], scratch, err) != 0)
			return -1;
	}
	buf_adds(b, "}}");
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for a row") : 0;
}

/* --- the statement --- */

static void
add_converted(struct buf *b, const struct snow_merge *m, size_t k)
{
	char	 cell[32];

	(void)snprintf(cell, sizeof(cell), "s.c%zu", k);
	snow_cell_convert(b, &m->group->table->held[m->columns[k]], cell);
}

static int
add_name(struct buf *b, const struct snow_merge *m, size_t k, const char *before, struct err *err)
{
	buf_adds(b, before);
	return sql_quote(b, m->group->table->cols[m->columns[k]].name, err);
}

static void
add_source(struct buf *b, const struct snow_merge *m, const char *row)
{
	buf_printf(b, "SELECT %s['o']::VARCHAR AS o", row);
	for (size_t k = 0; k < m->ncolumns; k++) {
		buf_printf(b, ", %s['r'][", row);
		snow_literal(b, m->group->table->cols[m->columns[k]].name);
		buf_printf(b, "] AS c%zu", k);
	}
}

static int
add_on(struct buf *b, const struct snow_merge *m, struct err *err)
{
	buf_adds(b, ") AS s ON ");
	for (size_t k = 0; k < m->group->table->nkeys; k++) {
		if (add_name(b, m, k, k == 0 ? "t." : " AND t.", err) != 0)
			return -1;
		buf_adds(b, " = ");
		add_converted(b, m, k);
	}
	return 0;
}

/* Only a change of a row is held back by a later date; without both dates it is not. */
static int
add_guard(struct buf *b, const struct snow_merge *m, struct err *err)
{
	const struct sql_table	*t = m->group->table;

	for (size_t k = t->nkeys; m->guarded && k < m->ncolumns; k++) {
		const struct sql_held *h = &t->held[m->columns[k]];

		if (!slice_is(t->cols[m->columns[k]].name, UPDATED) ||
		    (h->type != SNOW_TIMESTAMP_NTZ && h->type != SNOW_TIMESTAMP_TZ))
			continue;
		buf_printf(b, " AND (s.o <> 'U' OR s.c%zu IS NULL", k);
		if (add_name(b, m, k, " OR t.", err) != 0)
			return -1;
		buf_adds(b, " IS NULL OR ");
		add_converted(b, m, k);
		if (add_name(b, m, k, " >= t.", err) != 0)
			return -1;
		buf_addc(b, ')');
	}
	return 0;
}

/* What a missing value becomes in a whole row; "NULL" where nothing is demanded. */
static const char *
missing(const struct snow_merge *m, size_t k)
{
	const struct sql_table	*t = m->group->table;
	const struct sql_held	*h = &t->held[m->columns[k]];
	const char		*value = h->demands ? snow_cell_default(&t->cols[m->columns[k]], h) : NULL;

	return value == NULL ? "NULL" : value;
}

static int
add_assignment(struct buf *b, const struct snow_merge *m, size_t k, struct err *err)
{
	bool	 has_default = strcmp(missing(m, k), "NULL") != 0;

	if (add_name(b, m, k, "", err) != 0)
		return -1;
	buf_adds(b, " = ");
	if (!m->partial[k]) {
		add_converted(b, m, k);
		return 0;
	}
	/* A missing one keeps what is there in a change, and is gone from a whole row. */
	buf_printf(b, "IFF(s.c%zu IS NULL%s, ", k, m->replaces && !has_default ? " AND s.o = 'U'" : "");
	if (m->replaces && has_default)
		buf_adds(b, "IFF(s.o = 'U', ");
	if (add_name(b, m, k, "t.", err) != 0)
		return -1;
	if (m->replaces && has_default)
		buf_printf(b, ", %s)", missing(m, k));
	buf_adds(b, ", ");
	add_converted(b, m, k);
	buf_addc(b, ')');
	return 0;
}

static int
add_update(struct buf *b, const struct snow_merge *m, struct err *err)
{
	size_t	 nkeys = m->group->table->nkeys;

	if (m->ncolumns == nkeys)
		return 0;	/* nothing but the key */
	buf_adds(b, "\nWHEN MATCHED");
	if (add_guard(b, m, err) != 0)
		return -1;
	buf_adds(b, " THEN UPDATE SET ");
	for (size_t k = nkeys; k < m->ncolumns; k++) {
		buf_adds(b, k == nkeys ? "" : ", ");
		if (add_assignment(b, m, k, err) != 0)
			return -1;
	}
	return 0;
}

static int
add_insert(struct buf *b, const struct snow_merge *m, struct err *err)
{
	const struct sql_table	*t = m->group->table;

	buf_printf(b, "\nWHEN NOT MATCHED%s THEN INSERT (", m->deletes ? " AND s.o <> 'D'" : "");
	for (size_t k = 0; k < m->ncolumns; k++)
		if (add_name(b, m, k, k == 0 ? "" : ", ", err) != 0)
			return -1;
	/* Those that the table demands and no row has. */
	for (size_t i = t->nkeys, k = t->nkeys; i < t->ncols; i++) {
		if (k < m->ncolumns && m->columns[k] == i) {
			k++;
		} else if (held(t, i) && t->held[i].demands && snow_cell_default(&t->cols[i], &t->held[i]) != NULL) {
			buf_adds(b, ", ");
			if (sql_quote(b, t->cols[i].name, err) != 0)
				return -1;
		}
	}
	buf_adds(b, ") VALUES (");
	for (size_t k = 0; k < m->ncolumns; k++) {
		bool	 fill = m->partial[k] && strcmp(missing(m, k), "NULL") != 0;

		buf_adds(b, k == 0 ? "" : ", ");
		if (fill)
			buf_printf(b, "IFF(s.c%zu IS NULL, %s, ", k, missing(m, k));
		add_converted(b, m, k);
		buf_adds(b, fill ? ")" : "");
	}
	for (size_t i = t->nkeys, k = t->nkeys; i < t->ncols; i++) {
		const char *value;

		if (k < m->ncolumns && m->columns[k] == i)
			k++;
		else if (held(t, i) && t->held[i].demands && (value = snow_cell_default(&t->cols[i], &t->held[i])) != NULL)
			buf_printf(b, ", %s", value);
	}
	buf_addc(b, ')');
	return 0;
}

int
snow_merge_sql(struct buf *b, const struct snow_merge *m, const char *row, const char *source_before, struct slice source,
    const char *source_after, struct err *err)
{
	buf_adds(b, "MERGE INTO ");
	if (sql_quote(b, m->group->table->name, err) != 0)
		return -1;
	buf_adds(b, " AS t USING (");
	add_source(b, m, row);
	buf_printf(b, " FROM %s", source_before);
	buf_adds_slice(b, source);
	buf_adds(b, source_after);
	if (add_on(b, m, err) != 0)
		return -1;
	if (m->deletes)
		buf_adds(b, "\nWHEN MATCHED AND s.o = 'D' THEN DELETE");
	if (m->upserts || m->replaces)
		if (add_update(b, m, err) != 0 || add_insert(b, m, err) != 0)
			return -1;
	return b->oom ? err_set(err, ERR_NOMEM, "no memory for a statement") : 0;
}
