#ifndef EDS_SNOWFLAKE_RESULT_H
#define EDS_SNOWFLAKE_RESULT_H

#include "drivers/snowflake/statement.h"

/* The rows of an answer, and where the rest of them lie. */
struct snow_columns {
	struct buf	 names;		/* each ended by a NUL */
	size_t		 n;
};

/* Names of the columns; -1: the answer is not as it should be. */
int	 snow_columns_read(struct snow_columns *, const struct json_val *data, struct err *) MUST_CHECK;
void	 snow_columns_free(struct snow_columns *);

/* Every row of a JSON array of arrays. */
int	 snow_rows_read(const struct snow_columns *, const struct json_val *rowset, snow_row_fn, void *arg, struct err *)
    MUST_CHECK;

/* The first rows and then those of the chunks.  `data` is of the last answer, and gone afterwards. */
enum drv_result snow_result_read(struct snow_session *, const struct json_val *data, snow_row_fn, void *arg, struct err *);

#endif
