#ifndef EDS_SNOWFLAKE_CELL_H
#define EDS_SNOWFLAKE_CELL_H

#include "drivers/sql/row.h"

/*
 * Values on their way into a column.  In the document that a statement reads, every value is a JSON
 * string of its exact text, so that nothing passes through a double on the way; NULL is
 * null, and what is absent is not there.
 */
enum snow_type {
	SNOW_TEXT,
	SNOW_NUMBER,		/* sql_held.size is the scale */
	SNOW_FLOAT,
	SNOW_BOOLEAN,
	SNOW_TIMESTAMP_NTZ,
	SNOW_TIMESTAMP_TZ,	/* with an offset, or local */
	SNOW_DATE,
	SNOW_TIME,
	SNOW_VARIANT,
	SNOW_OBJECT,
	SNOW_ARRAY,
	SNOW_OTHER,
};

/* The type as information_schema.columns.data_type has it. */
enum snow_type snow_type_of(struct slice data_type);

/* The type of a new column (contract/drivers.md section 1.7). */
const char *snow_type_new(const struct sql_column *, bool as_key);

/*
 * Appends the JSON of a value.  ERR_INVALID: the column would round or cut it; the text names the
 * column and never the value.  `scratch` is reused from call to call.
 */
int	 snow_cell_add(struct buf *, const struct sql_column *, const struct sql_held *, const struct json_val *,
    struct buf *scratch, struct err *) MUST_CHECK;

/* An SQL expression that makes the column's type of `cell`, a VARIANT expression. */
void	 snow_cell_convert(struct buf *, const struct sql_held *, const char *cell);

/* What a new row gets in a column that must not be NULL, when the event does not say; NULL: nothing fits. */
const char *snow_cell_default(const struct sql_column *, const struct sql_held *);

/* "2024-07-11T23:16:51.5+02:00" as UTC; -1: no such moment, or finer than nanoseconds. */
int	 snow_utc(struct buf *, struct slice) MUST_CHECK;

#endif
