#ifndef EDS_SNOWFLAKE_TROUBLE_H
#define EDS_SNOWFLAKE_TROUBLE_H

#include "drivers/snowflake/jwt.h"
#include "drivers/snowflake/wire.h"
#include "drivers/sql/backend.h"

/* What Snowflake's codes mean, for the worker and for people (contract/snowflake.md sections 3.7, 4, 6). */

#define SNOW_TOKEN_EXPIRED	390112
#define SNOW_IN_PROGRESS	333333
#define SNOW_DETACHED		333334

bool	 snow_is_jwt_code(int code);		/* a new token may help */
bool	 snow_is_session_gone(int code);	/* only a new sign-in helps */

/* Why a sign-in was refused, and what to do.  `key` NULL: by password. */
enum drv_result snow_login_refused(const struct snow_account *, const struct snow_key *key, const struct snow_reply *,
    struct err *);

/*
 * A statement was refused.  `opening`: what the operator has to mend is said so; later it is tried again
 * until somebody has.  `stale_r` may be NULL.
 */
enum drv_result snow_refused(const struct snow_reply *, const char *doing, bool opening, bool *stale_r, struct err *);

#endif
