#ifndef EDS_SNOWFLAKE_ACCOUNT_H
#define EDS_SNOWFLAKE_ACCOUNT_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * Where a Snowflake account is, and who we are there: everything that the URL says
 * (contract/snowflake.md section 2).
 *
 *	snowflake://user:password@account-or-host/DATABASE[/SCHEMA]?warehouse=...
 *	snowflake-keypair://user@account/DATABASE/SCHEMA?secret-key=ENV_NAME
 */
struct snow_param {
	char	*name, *value;
};

struct snow_account {
	bool		 keypair;
	char		*origin;	/* "https://host[:port]" */
	char		*host;
	char		*name;		/* ACCOUNT_NAME, as the user wrote it */
	char		*user, *password;
	char		*database, *schema, *warehouse, *role;	/* NULL: the user's default */
	char		*key_env;	/* environment variable, or ... */
	char		*key_file;	/* ... file that holds the private key */
	char		*key_passphrase;
	char		*client_id, *client_version;	/* what the server takes us for */
	char		*ca_file;	/* NULL: the system's certificates */
	uint64_t	 login_timeout_s;
	struct snow_param *params;	/* session parameters */
	size_t		 nparams;
};

/* ERR_CONFIG says what was expected; never quotes the URL.  On failure there is nothing to free. */
int	 snow_account_parse(struct snow_account *, const char *url, struct err *) MUST_CHECK;
void	 snow_account_free(struct snow_account *);

/* The pieces, for tests: host of an account identifier and a region (may be absent), and its name. */
void	 snow_account_host(struct buf *, struct slice account, struct slice region);
void	 snow_account_name(struct buf *, struct slice account);

#endif
