#ifndef EDS_DOWNLOAD_H
#define EDS_DOWNLOAD_H

#include "supervisor/hq/http.h"

/*
 * Files of an export, fetched some at a time.  A file grows as part-NAME and gets its name once
 * it is all there; what broke off goes on where it was, also after a restart.
 */
struct downloads;

#define DOWNLOAD_PART	"part-"		/* in front of the name; no file of an export begins like that */

enum download_trouble {
	DOWNLOAD_STALE,		/* the address is of no use any more: another one may be */
	DOWNLOAD_FAILED,	/* tried often enough, or the disk is in the way */
};

struct download_events {
	void	*arg;
	/* Either one, once for each file, from the loop. */
	void	(*done)(void *arg, size_t file, uint64_t bytes);
	void	(*failed)(void *arg, size_t file, enum download_trouble, const struct err *);
};

int	 downloads_new(struct downloads **, struct ev_loop *, struct http *, const char *dir, unsigned parallel,
	    const struct download_events *, struct err *) MUST_CHECK;
void	 downloads_free(struct downloads **);	/* parts stay */

/* `name`: without folders.  A file of that name that is there already is taken as it is. */
int	 downloads_add(struct downloads *, size_t file, const char *url, const char *name, struct err *) MUST_CHECK;
size_t	 downloads_busy(const struct downloads *);	/* added and neither done nor failed */
uint64_t downloads_bytes(const struct downloads *);	/* received so far */

#endif
