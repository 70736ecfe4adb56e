#ifndef EDS_SNOWFLAKE_MERGE_H
#define EDS_SNOWFLAKE_MERGE_H

#include "drivers/sql/fold.h"

/*
 * The rows of one table as one statement.  The values travel in a JSON document, which the statement reads:
 *
 *	MERGE INTO "order" AS t USING (SELECT f.value['o']::VARCHAR AS o, f.value['r']['id'] AS c0, ...
 *	 FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?))) AS f) AS s ON t."id" = s.c0::VARCHAR
 *	WHEN MATCHED AND s.o = 'D' THEN DELETE
 *	WHEN MATCHED THEN UPDATE SET ...
 *	WHEN NOT MATCHED AND s.o <> 'D' THEN INSERT (...) VALUES (...)
 *
 * A row of the document is {"o":"U","r":{"id":"...", ...}}: U sets the columns that are there, R is the whole
 * row anew, D deletes.  In a staged file, one row a line, "t" says which table it is of.
 * Pure: text in, text out.
 */
struct snow_merge {
	const struct sql_group	*group;
	size_t			 n;		/* its first rows */
	size_t			 number;	/* of the table in a staged file */
	bool			 guarded;	/* update strategy `after`: never over a later updatedDate */
	size_t			*columns;	/* of the table, those that some row has; the key first */
	bool			*partial;	/* ... and some row has not */
	size_t			 ncolumns;
	bool			 upserts, replaces, deletes;
};

/* Looks the rows over.  To be freed also after a failure. */
int	 snow_merge_init(struct snow_merge *, const struct sql_group *, size_t number, bool guarded, struct err *)
    MUST_CHECK;
void	 snow_merge_free(struct snow_merge *);

/* One row of the document.  `staged`: with the number of its table.  ERR_INVALID: the row cannot be stored as it is. */
int	 snow_merge_row(struct buf *, const struct snow_merge *, const struct sql_row *, bool staged, struct buf *scratch,
    struct err *) MUST_CHECK;

/* `source` is what stands behind FROM, in which `row` is one row of the document. */
int	 snow_merge_sql(struct buf *, const struct snow_merge *, const char *row, const char *source_before,
    struct slice source, const char *source_after, struct err *) MUST_CHECK;

/* 'text', with every ' and \ doubled. */
void	 snow_literal(struct buf *, struct slice text);

#endif
