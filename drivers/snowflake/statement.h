#ifndef EDS_SNOWFLAKE_STATEMENT_H
#define EDS_SNOWFLAKE_STATEMENT_H

#include "drivers/snowflake/session.h"

/* One statement, or several in one text, and what comes of it (contract/snowflake.md section 5). */
struct snow_statement {
	struct slice	 sql;
	unsigned	 count;		/* statements in it; 0: one */
	struct slice	 bind;		/* value of the one parameter; absent: none */
	const char	*tag;		/* QUERY_TAG; NULL: none */
	bool		 transfer;	/* PUT: answered with what the client is to do */
	const char	*request_id;	/* NULL: a new one */
	const char	*doing;		/* for messages: "reading the catalogue" */
	bool		 opening;	/* see snow_refused() */
	bool		 stale;		/* out: a table or column is not there */
};

/* A row of the result: texts, absent for NULL. */
struct snow_row {
	const struct snow_columns *columns;
	struct slice		*cells;
};
struct slice snow_cell(const struct snow_row *, const char *column);	/* absent: no such column, or NULL */

typedef int (*snow_row_fn)(void *arg, const struct snow_row *, struct err *);

/*
 * Runs it and waits for its end, however long that takes.  Each row of the result goes to `fn`, unless NULL;
 * what fn answers other than 0 ends the reading with DRV_RETRY.  *reply_r, unless NULL, gets the answer, which
 * lives until the next call.
 */
enum drv_result snow_run(struct snow_session *, struct snow_statement *, snow_row_fn, void *arg,
    struct snow_reply *reply_r, struct err *);

/* Asks the server to end a statement of which nobody knows whether it runs; nothing comes of a failure. */
void	 snow_abort(struct snow_session *, const char *request_id);

/* Rows without the enclosing brackets, perhaps gzipped, as they come in chunks: the JSON array, into *out. */
int	 snow_chunk_text(struct buf *out, struct slice body, struct err *) MUST_CHECK;

#endif
