#ifndef EDS_STORE_PRIVATE_H
#define EDS_STORE_PRIVATE_H

/* What the parts of the store share among themselves. */

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "supervisor/store/journal.h"
#include "supervisor/store/rebuild.h"
#include "supervisor/store/store.h"

enum store_db { STORE_META, STORE_CURSORS, STORE_TABLES, STORE_SCHEMAS, STORE_QUARANTINE, STORE_JOURNAL, STORE_DBS };

struct store {
	char		*path;
	void		*map;		/* where LMDB has mapped the file; NULL: not known */
	MDB_env		*env;
	MDB_dbi		 db[STORE_DBS];
	pthread_t	 thread;	/* that opened the store; batches are its own */
	MDB_txn		*batch;		/* open between batch_begin and batch_commit */
	int		 batch_rc;	/* first failure inside the batch            */
	unsigned	 walks;		/* callbacks that hold slices of the map     */
	atomic_bool	 broken;	/* LMDB may want to be opened again          */
	atomic_bool	 damaged;	/* a page was not what it should be          */
	struct pages	*pages;		/* the same file for reading the journal; opened at need */
	struct rebuild_tick tick;
	char		*kept;		/* see store_kept() */
};

#define STORE_LOST_FACT	"fact:journal-lost"

const char *store_db_name(enum store_db);
int	 store_env_open(MDB_env **, const char *path, unsigned flags) MUST_CHECK;	/* as LMDB answers */
void	 store_note_damage(struct store *);		/* any thread */

/* One entry; `what` is for the message. */
int	 store_put(struct store *, enum store_db, struct slice key, struct slice value, const char *what, struct err *) MUST_CHECK;
int	 store_get(struct store *, enum store_db, struct slice key, struct buf *, const char *what, struct err *) MUST_CHECK;

/* An entry as it lies in the journal: false when it is none; payload.p == NULL when its checksum does not fit. */
bool	 journal_entry_of(struct slice key, struct slice value, struct journal_entry *) MUST_CHECK;

/*
 * What was read stays mapped and would count as our memory, up to the whole
 * file.  The pages are clean and in the page cache, so giving them back costs little.  Any thread.
 */
void	 store_give_back_pages(struct store *);

void	 store_put_u64(uint8_t *out, uint64_t);		/* 8 bytes, big endian */
uint64_t store_get_u64(const void *);
int	 store_error(struct store *, int rc, const char *what, struct err *);
/* mdb_txn_begin(), also when store_mend() could not open the environment again. */
int	 store_begin(struct store *, unsigned flags, MDB_txn **) MUST_CHECK;
int	 store_write_begin(struct store *, MDB_txn **, struct err *) MUST_CHECK;
int	 store_write_end(struct store *, MDB_txn *, int rc, const char *what, struct err *) MUST_CHECK;

#endif
