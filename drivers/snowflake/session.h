#ifndef EDS_SNOWFLAKE_SESSION_H
#define EDS_SNOWFLAKE_SESSION_H

#include "drivers/snowflake/jwt.h"
#include "drivers/snowflake/wire.h"

/* A session in the account: signed in, renewed, heard of, ended (contract/snowflake.md sections 3 and 4). */
struct snow_session {
	struct snow_wire	 wire;
	struct snow_account	*account;
	const struct log	*log;
	char			*token, *master;	/* NULL: not signed in */
	uint64_t		 number;	/* counts sign-ins: 1, 2, ... */
	uint64_t		 sequence;	/* of the statements in this session */
	char			*database, *schema;	/* as the server has it */
};

/* Keeps the pointers; the session is not signed in yet. */
void	 snow_session_init(struct snow_session *, struct https *, struct snow_account *, const struct drv_host *,
    const struct log *);

/* Ends the session at the server too, when it can be reached at once. */
void	 snow_session_free(struct snow_session *);

/* Signs in unless that is done.  DRV_CONFIG: what the operator has to mend. */
enum drv_result snow_sign_in(struct snow_session *, struct err *);

/*
 * snow_call() with the session's token, which is renewed and the call repeated when it has run out.
 * DRV_RETRY with `token` NULL afterwards: the session is gone, and with it temporary objects and any transaction.
 */
enum drv_result snow_ask(struct snow_session *, struct snow_call *, struct snow_reply *, struct err *);

/* Says that the session is still wanted. */
void	 snow_heartbeat(struct snow_session *);

/* The session is of no more use, e.g. because nobody knows what goes on in it. */
void	 snow_session_drop(struct snow_session *);

#endif
