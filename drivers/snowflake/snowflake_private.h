#ifndef EDS_SNOWFLAKE_PRIVATE_H
#define EDS_SNOWFLAKE_PRIVATE_H

#include "drivers/driver.h"
#include "drivers/snowflake/catalogue.h"
#include "drivers/snowflake/statement.h"
#include "drivers/sql/store.h"
#include "ipc/base/hash.h"

/* What the files of this driver share. */

/* A statement of whose end nobody has heard: the same one is asked for again under the same id. */
struct snow_pending {
	char		 id[UUID_LEN + 1];	/* "" when there is none */
	uint64_t	 hash;			/* of its text and value */
	uint64_t	 session;		/* in which it was begun */
};

/* The stage for batches that are too large for a statement's text; it goes with its session. */
struct snow_spill {
	char		 name[64];
	uint64_t	 session;		/* in which it was made, 0: not yet */
	unsigned	 files;			/* in it */
};

struct snow_import;

struct drv {
	const struct drv_host	*host;
	const struct log	*log;
	struct snow_account	 account;
	struct https		*https;
	struct snow_session	 session;
	struct sql_store	 store;
	struct snow_catalogue	 catalogue;
	uint64_t		 catalogue_of;		/* store.generation in which it was read */
	bool			 ddl;			/* the table to be read next was changed */
	uint64_t		 session_seen;		/* session.number at the last look */
	char			*spool_dir;
	bool			 guarded;		/* update strategy `after` */
	char			 sid[UUID_LEN + 1];	/* the UUID in HQ's session id, or "" */
	uint64_t		 flushes;		/* non-empty ones that were stored */
	size_t			 batch_n;		/* events of the batch at hand */
	bool			 open_transaction;	/* something failed inside one */
	struct snow_pending	 pending;
	struct snow_spill	 spill;
	struct snow_import	*import;
};

/* snowflake.c: signed in, and nothing left over from an earlier session. */
enum drv_result snow_ready(struct drv *, struct err *);

/* flush.c: the backend's apply() and undo(). */
enum drv_result snow_apply(struct drv *, const struct sql_group *, size_t n, enum sql_end, struct sql_blame *, struct err *);
void	 snow_undo(struct drv *);

/* import.c */
enum drv_result snow_import_begin(struct drv *, const struct drv_import *, struct err *);
enum drv_result snow_import_file(struct drv *, size_t table, int fd, const char *name, struct err *);
enum drv_result snow_import_commit(struct drv *, struct err *);
enum drv_result snow_import_end(struct drv *, struct err *);
void	 snow_import_abort(struct drv *);
void	 snow_import_free(struct drv *);

extern const struct sql_dialect snow_dialect;

#endif
