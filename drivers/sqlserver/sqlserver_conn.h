#ifndef EDS_SQLSERVER_CONN_H
#define EDS_SQLSERVER_CONN_H

#include <sybfront.h>
#include <sybdb.h>

#include "drivers/driver.h"
#include "drivers/sqlserver/sqlserver_url.h"

/*
 * One connection to SQL Server through db-lib.  What db-lib says, it says to two handlers of the whole
 * process; they note it here.  One connection at a time.
 */
struct ms_conn {
	struct ms_url		 url;
	const struct drv_host	*host;
	char			*where;		/* host/database, for messages */
	DBPROCESS		*db;		/* NULL: not connected */
	int			 conf_fd;	/* freetds.conf in memory; -1: none yet */

	/* of the request at hand */
	int			 number;	/* the server's first error, 0 without any */
	int			 severity;
	int			 library;	/* db-lib's first error, 0 without any */
	bool			 stale;		/* it says that a table is not as it was read */
	long			 mark;		/* the last number that the server was told to PRINT */
	char			 words[600];	/* of `number`, or of `library` */
};

/* One row of text columns, valid until the next; p == NULL is NULL. */
typedef enum drv_result (*ms_row_fn)(void *arg, const struct slice *columns, size_t n, struct err *);

struct ms_param {
	const char	*name;		/* "@j1" */
	struct slice	 text;		/* NVARCHAR(MAX), never empty: FreeTDS sends that as NULL */
};

/* Takes the URL over.  0, or -1 with nothing to free. */
int	 ms_conn_init(struct ms_conn *, struct ms_url *, const struct drv_env *, struct err *) MUST_CHECK;
void	 ms_conn_free(struct ms_conn *);

/* Connects and signs in. */
enum drv_result	 ms_conn_open(struct ms_conn *, struct err *);
void	 ms_conn_close(struct ms_conn *);

/* True when a request failed in a way after which nobody knows what the connection is good for. */
bool	 ms_conn_is_broken(const struct ms_conn *);

/*
 * Run a batch, or a statement with parameters through sp_executesql, to the end of the last result.
 * `doing` is for the text of an error.  `fn` may be NULL when no rows are expected.
 */
enum drv_result	 ms_batch(struct ms_conn *, const char *sql, ms_row_fn, void *arg, const char *doing, struct err *);
enum drv_result	 ms_call(struct ms_conn *, const char *sql, const char *declared, const struct ms_param *, size_t n,
    ms_row_fn, void *arg, const char *doing, struct err *);

#endif
