#ifndef EDS_S3_WINDOW_H
#define EDS_S3_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "ipc/base/clock.h"

/*
 * How many requests are under way at a time.  Two things limit it.  What the service bears: halved when it
 * says that it is overloaded, and grown again with successes.  And what is of use: with more
 * than it takes to have always an answer to look at, nothing is faster, but every
 * request costs more, for connections that are used seldom are in no cache.  A service that answers at once needs
 * about ten, one that is 100 ms away needs all.
 */
struct s3_window {
	size_t	 most;
	size_t	 bearable, useful;
	size_t	 since_slower;			/* stored since `bearable` was changed */
	mono_t	 slower_at;
	size_t	 answers;			/* in the present period, which lasts as many as are of use */
	int64_t	 begun_us, idle_us, starved_us;
};

void	 s3_window_init(struct s3_window *, size_t most);
size_t	 s3_window_size(const struct s3_window *);

void	 s3_window_stored(struct s3_window *);
void	 s3_window_slower(struct s3_window *, mono_t now);

/* So long nothing happened; `starved`: though all places were taken and there was more to send. */
void	 s3_window_waited(struct s3_window *, int64_t us, bool starved);
void	 s3_window_answered(struct s3_window *, int64_t now_us);

#endif
