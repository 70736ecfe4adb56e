/* Text of statements. */

#include "drivers/sql/quote.h"
#include "drivers/sql/upsert.h"

int
sql_add_names(struct buf *b, const struct sql_table *t, const uint64_t *mask, size_t from, size_t to, const char *sep,
    const char *end, struct err *err)
{
	bool	 first = true;

	for (size_t i = from; i < to; i++) {
		if (mask != NULL && !sql_mask_has(mask, i))
			continue;
		buf_adds(b, first ? "" : sep);
		first = false;
		if (sql_quote(b, t->cols[i].name, err) != 0)
			return -1;
		buf_adds(b, end);
	}
	return 0;
}

int
sql_add_conflict(struct buf *b, const struct sql_table *t, const uint64_t *mask, struct err *err)
{
	bool	 first = true;

	buf_adds(b, " ON CONFLICT (");
	if (sql_add_names(b, t, NULL, 0, t->nkeys, ", ", "", err) != 0)
		return -1;
	buf_adds(b, ") DO ");
	for (size_t i = t->nkeys; i < t->ncols; i++) {
		if (!sql_mask_has(mask, i))
			continue;
		buf_adds(b, first ? "UPDATE SET " : ", ");
		first = false;
		if (sql_quote(b, t->cols[i].name, err) != 0)
			return -1;
		buf_adds(b, " = excluded.");
		if (sql_quote(b, t->cols[i].name, err) != 0)
			return -1;
	}
	if (first)
		buf_adds(b, "NOTHING");
	return 0;
}
