#ifndef EDS_DRIVERS_OFFER_H
#define EDS_DRIVERS_OFFER_H

#include "drivers/driver.h"

/*
 * How far a batch has come, for destinations that store events one by one and confirm them
 * later.  A batch that could not be finished is offered again, whole; this remembers what of
 * it is stored already and what is still under way, so that nothing is sent twice only
 * because something else had to wait.
 *
 * Entries keep their address until the next offer_begin(): what is under way may point to them.
 */
enum offer_state {
	OFFER_NEW,		/* to be sent                                                     */
	OFFER_SENT,		/* under way: the destination has not said anything yet           */
	OFFER_STORED,
	OFFER_FAILED,		/* the destination said no: `error` has its word                  */
	OFFER_REFUSED,		/* rejected; no longer in the batch that comes next               */
};

struct offer_entry {
	uint64_t		 seq;
	enum offer_state	 state;
	int			 error;		/* the destination's own code      */
	uint32_t		 hash;		/* what the partition is made from */
	int32_t			 partition;	/* where it went; -1: not known    */
};

struct offer {
	struct offer_entry	*v;
	size_t			 n, cap;
	bool			 open;		/* the batch is not finished */
};

/* The batch is the one that was not finished, but for what was refused of it. */
bool	 offer_resumes(const struct offer *, const struct drv_batch *);

/* A new batch; everything is OFFER_NEW.  Nothing may point to entries any more. */
int	 offer_begin(struct offer *, const struct drv_batch *, struct err *) MUST_CHECK;

/* The first entry in that state, NULL when there is none; the place of an entry in the batch that comes next. */
struct offer_entry *offer_first(const struct offer *, enum offer_state);
size_t	 offer_index(const struct offer *, const struct offer_entry *);

void	 offer_end(struct offer *);		/* finished: nothing of it is remembered */
void	 offer_free(struct offer *);

#endif
