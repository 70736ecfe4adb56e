#ifndef EDS_PROGRAMS_H
#define EDS_PROGRAMS_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * Which programs run.  An upgrade puts a version into <data-dir>/programs/<version>/ and points the
 * link programs/current at it; every `eds server` on that data directory then hands over to it.  What ran
 * before stays as it is, installed or from an upgrade before (the link programs/previous), and takes over again
 * when the newer one does not get well: until programs_trust() says so, programs/trial counts how often it was
 * started.
 */
#define PROGRAMS_TRIES	3
#define PROGRAMS_BASE	"EDS_BASE_PROGRAM"	/* variable: the installed program that handed over */

/*
 * The program that is to run instead of this one, `self`; absent when this is it.  Counts a trial, ends one that
 * failed, and forgets a version that is not newer than this one.  What is worth saying stands in `said`.
 */
struct slice programs_choose(const char *data_dir, const char *self, struct buf *path, struct buf *said);

/* The folder for a version, made ready: programs/ is there, an earlier attempt is gone. */
int	 programs_folder(const char *data_dir, const char *version, struct buf *path, struct err *) MUST_CHECK;

/* From the next start on, that version is on trial. */
int	 programs_switch(const char *data_dir, const char *version, struct err *) MUST_CHECK;

/* The version that runs here on trial; absent when there is none. */
struct slice programs_on_trial(const char *data_dir, const char *self, struct buf *version);

/* It is well: no trial any more, older versions are removed. */
int	 programs_trust(const char *data_dir, struct err *) MUST_CHECK;

/* It is not: what ran before runs from the next start on; its version, "" for the installed program. */
void	 programs_give_up(const char *data_dir, struct buf *version);

#endif
