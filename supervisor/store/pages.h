#ifndef EDS_PAGES_H
#define EDS_PAGES_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * The pages of an LMDB file, read without trusting them.  LMDB itself looks at no page twice: one
 * that was damaged on the disk ends the process, or is taken for others.  Here every page is read with
 * pread(), every number in it is checked, and what cannot be read is stepped over and told.
 * Source of the format: lmdb.h and mdb.c of LMDB 0.9, data version 1.
 *
 * While the file is being written, keep a read transaction of LMDB open from before
 * pages_newest() until after the walk: it keeps the pages from being used again.
 */
struct pages;

/* ERR_IO: the file cannot be opened.  Of its content nothing is looked at yet. */
int	 pages_open(struct pages **, const char *path, struct err *) MUST_CHECK;
void	 pages_close(struct pages **);

/* Which state of the file the walks below see: the newest one; the one before its last transaction. */
int	 pages_newest(struct pages *, struct err *) MUST_CHECK;		/* ERR_INVALID: none can be read */
int	 pages_before(struct pages *, struct err *) MUST_CHECK;		/* ERR_NOTFOUND: there is none   */

/* The file is shorter than the pages in use say.  LMDB may leave an unused last page out, so it proves nothing. */
bool	 pages_cut_short(const struct pages *);

struct pages_visitor {
	/* In key order.  A non-zero answer ends the walk.  Slices die with the call. */
	int	(*entry)(void *arg, struct slice key, struct slice value);
	/* Entries between two keys cannot be read; p == NULL: from the first, to the last one. */
	void	(*lost)(void *arg, struct slice after, struct slice before);
	void	*arg;
};

/*
 * Walks the entries of the database `name` (NULL: LMDB's own, of free pages) with a key > after ({ NULL, 0 }: all).
 * ERR_NOTFOUND: no such database.  ERR_INVALID: the list of databases cannot be read.  Pages that cannot be read are
 * no error: they are told to lost().
 */
int	 pages_walk(struct pages *, const char *name, struct slice after, const struct pages_visitor *, struct err *) MUST_CHECK;

/* As many entries as the list of databases says.  Errors as above. */
int	 pages_entries(struct pages *, const char *name, uint64_t *n_r, struct err *) MUST_CHECK;

#endif
