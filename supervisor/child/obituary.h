#ifndef EDS_OBITUARY_H
#define EDS_OBITUARY_H

#include <stddef.h>
#include <sys/types.h>

#include "ipc/base/slice.h"

/* How a process ended, in words: "exit status 1", "killed by signal 9 (Killed)". */
void	 obituary(char *out, size_t size, int wait_status);

/* The last lines somebody wrote. */
struct last_words {
	char	*line[10];
	size_t	 n;
	char	 partial[500];
	size_t	 partial_n;
};

/* Takes bytes in; each line that is complete is also handed to fn, if given. */
void	 last_words_add(struct last_words *, struct slice, void (*fn)(void *arg, const char *line), void *arg);
void	 last_words_clear(struct last_words *);

/* One listener in this process hears of every worker that died without being told to; NULL: none any more. */
typedef void (*obituary_fn)(void *arg, const char *name, pid_t pid, const char *how, const struct last_words *);
void	 obituary_listen(obituary_fn, void *arg);
void	 obituary_tell(const char *name, pid_t pid, const char *how, const struct last_words *);

#endif
