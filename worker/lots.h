#ifndef EDS_LOTS_H
#define EDS_LOTS_H

#include "drivers/driver.h"
#include "worker/rows.h"

/*
 * A file's rows in lots as a driver takes them, made ahead by a thread of its own: while the driver thread
 * stores one lot, the next is read, unpacked and parsed.  The functions are for the driver thread.
 */
struct lots;

struct lot {
	struct drv_event	*v;		/* seq: the number of the row in its file */
	size_t			 n;
	size_t			 bytes;		/* of all payloads */
	uint64_t		 rows;		/* of the file so far, what follows included */
	uint64_t		 file_bytes;

	/*
	 * What follows these rows.  ROWS_PAUSE: the next lot.  ROWS_BAD: row `rows`, whose text is `text`, is
	 * none, then the next lot.  Anything else: nothing more.
	 */
	enum rows_result	 then;
	struct slice		 text;
	struct err		 err;		/* of ROWS_BAD, ROWS_DAMAGED and ROWS_NOMEM */
};

static inline bool
lot_goes_on(const struct lot *lot)
{
	return lot->then == ROWS_PAUSE || lot->then == ROWS_BAD;
}

/* `most`: rows of a lot.  `room`: bytes of rows, unless one has more; up to three times that much is in memory. */
int	 lots_new(struct lots **, size_t most, size_t room, struct err *) MUST_CHECK;
void	 lots_free(struct lots **);

/* The file's rows follow.  `fd` and what `source` points to must last until lots_end(). */
int	 lots_begin(struct lots *, int fd, const struct rows_source *, struct err *) MUST_CHECK;

/* Waits for the next lot, which is the caller's to change; the one before it is done with. */
struct lot *lots_next(struct lots *);

/* The file is of no interest any more, wherever it was. */
void	 lots_end(struct lots *);

#endif
