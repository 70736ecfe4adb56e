#ifndef EDS_MYSQL_PRIVATE_H
#define EDS_MYSQL_PRIVATE_H

#include <mariadb/mysql.h>

#include "drivers/driver.h"
#include "drivers/mysql/mysql_url.h"
#include "drivers/mysql/mysql_value.h"
#include "drivers/sql/import.h"
#include "drivers/sql/stmts.h"
#include "drivers/sql/verdict.h"
#include "ipc/base/clock.h"

/* What the files of this driver share. */

struct drv {
	const struct drv_host	*host;
	const struct log	*log;
	struct my_url		 url;
	struct sql_backend	 backend;
	struct sql_store	 store;

	/* the connection; NULL: none at present */
	MYSQL			*db;
	mono_t			 used;		/* when it last answered                        */
	bool			 bulk;		/* the server takes arrays                      */
	bool			 lost;		/* it is of no more use                         */
	bool			 committing;	/* when it is lost now, nobody knows            */
	size_t			 packet;	/* bytes that one statement may have            */

	bool			 proven;	/* it has stored something: credentials and privileges suffice */
	bool			 after;		/* update_strategy: an older updatedDate does not win */
	struct buf		 told;		/* what was said already, see my_told() */

	struct sql_stmts	 stmts;		/* prepared on this connection */
	struct my_making	 making;	/* values of the statement at hand */
	struct sql_import	*import;
	const struct drv_env	*env;
};

/* What an error means and what to say of it; code of struct sql_blame. */
struct my_fault {
	unsigned	 number;	/* 0: none */
	const char	*state, *text;
};

/* mysql_error.c */

/* The result for an error of the server or the library.  `blame` may be NULL. */
enum drv_result	 my_result(struct drv *, struct my_fault, const char *doing, struct sql_blame *, struct err *);
bool		 my_is_lost(const struct my_fault *);	/* the connection is of no more use */
/* The server's words without what it quotes of a row. */
void		 my_redact(struct buf *, struct my_fault);

/* mysql_conn.c */
enum drv_result	 my_connect(struct drv *, struct err *);	/* connects unless it is connected and alive */
void		 my_disconnect(struct drv *);
enum drv_result	 my_exec(struct drv *, const char *sql, const char *doing, struct err *);
struct my_fault	 my_fault(struct drv *);			/* of the last call on the connection */
void		 my_rollback(struct drv *);

/* mysql_catalogue.c: callbacks of struct sql_backend. */
void		 my_dialect(struct drv *);			/* by URL and server */
enum drv_result	 my_read_table(struct drv *, struct slice table, struct sql_reading *, struct err *);
enum drv_result	 my_ddl(struct drv *, const char *sql, struct err *);

/* mysql.c: whether something `about` a name was said before; from now on it was. */
bool		 my_told(struct drv *, char about, struct slice name);

/* mysql_write.c: as sql_backend.apply. */
enum drv_result	 my_apply(struct drv *, const struct sql_group *, size_t n, enum sql_end, struct sql_blame *, struct err *);

/* mysql_import.c */
extern const struct sql_import_backend	my_import_backend;

/* mysql_test.c: tries all that the driver will need. */
enum drv_result	 my_try(struct drv *, struct err *);

#endif
