#ifndef EDS_SNOWFLAKE_WIRE_H
#define EDS_SNOWFLAKE_WIRE_H

#include "drivers/driver.h"
#include "drivers/http/https.h"
#include "drivers/snowflake/account.h"
#include "ipc/base/clock.h"
#include "ipc/base/json_scan.h"
#include "ipc/base/uuid.h"

/*
 * Requests to the account's host and their repetition (contract/snowflake.md section 6).  The
 * request id of a call stays the same over all attempts, so that the server runs a statement
 * once however often it is asked; request_guid is new each time.
 */
struct snow_wire {
	struct https		*https;
	const struct snow_account *account;
	const struct drv_host	*host;
	mono_t			 deadline;	/* nothing goes on after that; 0: none */
	struct buf		 url, auth;	/* of the request at hand */
};

enum snow_patience {
	SNOW_ONCE,		/* the close of a session: nobody waits for it */
	SNOW_SIGN_IN,		/* login and renewal: the caller repeats with a new body */
	SNOW_STATEMENT,
};

struct snow_call {
	const char	*method;	/* "POST", "GET" */
	const char	*path;
	const char	*request_id;	/* NULL: a new one */
	const char	*params;	/* further query parameters "a=b&c=d", encoded; NULL: none */
	const char	*token;		/* NULL: signing in */
	const char	*accept;	/* NULL: application/snowflake */
	struct slice	 body;
	int64_t		 timeout_ms;	/* of one attempt */
	enum snow_patience patience;
	size_t		 answer_most;	/* 0: 64 MiB */
};

/* What the server says.  Lives until the next call. */
struct snow_reply {
	long		 status;	/* HTTP's */
	bool		 success;
	int		 code;		/* 0: none */
	struct slice	 message;
	struct json_val	 data;		/* an object, or absent */
};

/*
 * DRV_STORED: the server has answered, see success and code.  DRV_RETRY: not reached, too busy, or told to stop;
 * nothing was done.  DRV_UNSURE: it may have acted.  DRV_CONFIG: the host is none of Snowflake's, or not trusted.
 */
enum drv_result snow_call(struct snow_wire *, const struct snow_call *, struct snow_reply *, struct err *);

/* Takes an answer's body apart; -1: it is none of Snowflake's answers. */
int	 snow_reply_parse(struct snow_reply *, struct slice body, struct err *) MUST_CHECK;

/* A member of an object as text: strings as they are, other scalars as spelled; absent for null. */
struct slice snow_text(const struct json_val *object, const char *name, struct buf *scratch);
bool	 snow_is(const struct json_val *object, const char *name);	/* is there, and true */

/* Waits, unless the worker is to end: then false. */
bool	 snow_wait(struct snow_wire *, int64_t ms);

#endif
