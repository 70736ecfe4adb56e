#ifndef EDS_ERR_H
#define EDS_ERR_H

#include "ipc/base/compiler.h"

/*
 * An error on its way to whoever decides.  The text is written where the
 * cause is known; callers may put a context in front; it is logged once, by
 * the one who decides what to do.  Texts never hold secrets.
 */
enum err_code {
	ERR_NONE = 0,
	ERR_NOMEM,
	ERR_IO,			/* a system call failed                          */
	ERR_INVALID,		/* outside bytes that break their own rules       */
	ERR_CONFIG,		/* what the operator wrote; only he can mend it   */
	ERR_AUTH,		/* refused by a peer                              */
	ERR_NOTFOUND,
	ERR_CONFLICT,		/* somebody else holds it                         */
	ERR_TEMPORARY,		/* likely to go away by itself: try again         */
	ERR_TOOBIG,
	ERR_FULL,		/* disk or store has no room                      */
};

struct err {
	enum err_code	code;
	char		text[1000];
};

/* All four return -1, so that `return err_set(...)` reads well.  A NULL err is allowed. */
int	err_set(struct err *, enum err_code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int	err_sys(struct err *, const char *fmt, ...) PRINTF_LIKE(2, 3);	/* appends ": " and errno's text */
int	err_prefix(struct err *, const char *fmt, ...) PRINTF_LIKE(2, 3);	/* puts a context in front      */
int	err_remedy(struct err *, const char *remedy);	/* appends what to do; NULL: nothing is to be done */

/* Our own data contradicts itself: says so on stderr and aborts.  Never for input. */
void	bug(const char *fmt, ...) PRINTF_LIKE(1, 2) NO_RETURN;

#endif
