/*
 * A store that was damaged on the disk: it is built anew from what can be read, and what the journal has lost is on
 * record as a gap before anything behind it is delivered.
 */

#include <stdlib.h>

#include "supervisor/supervisor_private.h"

/* A large store takes longer than a service manager waits for a sign of life. */
static void
still_here(void *arg)
{
	struct supervisor	*s = arg;
	struct err		 err = { 0 };

	if (sd_notify_patience(s->sd, &err) == -1)
		log_debug(&s->log, "%s", err.text);
}

int
mend_open(struct supervisor *s, struct err *err)
{
	return store_open_patiently(&s->store, s->config->data_dir, (struct rebuild_tick){ still_here, s }, err);
}

static int
record(void *arg, uint64_t from, uint64_t to)
{
	return gaps_record(arg, from, to, "the journal's pages that held them were damaged on the disk");
}

int
mend_tell(struct supervisor *s, struct err *err)
{
	char	*kept = store_kept(s->store);

	if (kept != NULL)
		log_error(&s->log, "the store was damaged on the disk and has been built anew from what can be read of it; the damaged "
		    "one is kept as %s and can be removed.  Look at the disk: the kernel's log, smartctl", kept);
	free(kept);
	return store_lost_each(s->store, record, s, err);
}

static void
feed_later(int events, void *arg)
{
	(void)events;
	destinations_feed(arg);
}

/* At a start the stream would give the end of the journal once more; now it was acknowledged. */
static void
find_lost_end(struct supervisor *s, const struct journal_stats *was)
{
	uint64_t	 last = journal_stats(s->journal)->last_seq;

	if (last >= was->last_seq)
		return;
	s->lost_end_from = last == 0 ? was->first_seq : last + 1;
	s->lost_end_to = was->last_seq;
}

int
mend(struct supervisor *s, struct err *err)
{
	struct journal_stats	 was = *journal_stats(s->journal);
	bool			 damaged = store_damaged(s->store);

	if (store_mend(s->store, err) == -1)
		return -1;
	if (damaged && !store_damaged(s->store)) {
		if (journal_reopened(s->journal, err) == -1)
			return -1;
		find_lost_end(s, &was);
		s->losses_untold = true;
	}
	if (!s->losses_untold)
		return 0;
	if (mend_tell(s, err) == -1)
		return -1;
	if (s->lost_end_to > 0 && record(s, s->lost_end_from, s->lost_end_to) == -1)
		return err_set(err, ERR_IO, "what the journal has lost cannot be put on record");
	s->lost_end_to = 0;
	s->losses_untold = false;
	ev_once(s->loop, -1, 0, 0., feed_later, s);
	return 0;
}
