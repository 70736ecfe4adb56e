#ifndef EDS_UNZIP_H
#define EDS_UNZIP_H

#include "ipc/base/err.h"
#include "ipc/base/slice.h"

/* A file's bytes, unpacked where its first ones say that it is gzip: one member or several behind each other. */
struct unzip;

/* `fd` is at the file's start and stays the caller's. */
int	 unzip_new(struct unzip **, int fd, struct err *) MUST_CHECK;
void	 unzip_free(struct unzip **);

/*
 * Fills the room as far as the file goes; *n_r is less than it only at the file's end.
 * ERR_INVALID: the file is damaged.
 */
int	 unzip_read(struct unzip *, char *to, size_t room, size_t *n_r, struct err *) MUST_CHECK;

bool	 unzip_over(const struct unzip *);		/* nothing more will come out of it */
uint64_t unzip_bytes(const struct unzip *);		/* read of the file */

#endif
