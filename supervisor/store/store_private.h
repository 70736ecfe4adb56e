#ifndef EDS_STORE_PRIVATE_H
#define EDS_STORE_PRIVATE_H

/* What the parts of the store share among themselves. */

#include <lmdb.h>

#include "supervisor/store/store.h"

enum store_db { STORE_META, STORE_CURSORS, STORE_TABLES, STORE_SCHEMAS, STORE_QUARANTINE, STORE_JOURNAL, STORE_DBS };

struct store {
	char		*path;
	MDB_env		*env;
	MDB_dbi		 db[STORE_DBS];
	MDB_txn		*batch;		/* open between batch_begin and batch_commit */
	int		 batch_rc;	/* first failure inside the batch            */
	unsigned	 openings;	/* how often the environment was opened again */
	unsigned	 walks;		/* callbacks that hold slices of the map     */
};

void	 store_put_u64(uint8_t *out, uint64_t);		/* 8 bytes, big endian */
uint64_t store_get_u64(const void *);
int	 store_error(struct store *, int rc, const char *what, struct err *);
/* Begins a transaction; LMDB's codes.  After a failed write LMDB wants the environment opened anew: done here. */
int	 store_begin(struct store *, unsigned flags, MDB_txn **) MUST_CHECK;
int	 store_write_begin(struct store *, MDB_txn **, struct err *) MUST_CHECK;
int	 store_write_end(struct store *, MDB_txn *, int rc, const char *what, struct err *) MUST_CHECK;

#endif
