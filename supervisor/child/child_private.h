#ifndef EDS_CHILD_PRIVATE_H
#define EDS_CHILD_PRIVATE_H

/* What child.c (lives) and child_ipc.c (words) share. */

#include "supervisor/child/child.h"
#include "supervisor/child/obituary.h"
#include "supervisor/child/suspect.h"

#define RATE_SLOTS	12		/* of RATE_SLOT_MS each */
#define RATE_SLOT_MS	5000

/*
 * An event that kills the worker.  It counts as sent without being sent; it goes to the quarantine
 * once a later event was stored, which shows that the worker is well.
 */
struct verdict {
	uint64_t	 seq, attempts;
	char		 why[400];
};

struct child {
	struct child_host		 host;
	const struct destination_config	*config;
	struct log			 log;
	unsigned			 slot;
	bool				 paused;	/* the operator's wish */
	enum child_state		 state;
	struct cursor			 cursor;
	struct child_stats		 stats;
	struct backoff			 backoff;
	char				 reason[700], trouble[600], last_exit[100];
	struct last_words		 words;

	/* this life */
	pid_t				 pid;		/* 0: none */
	ev_child			 exit_status;
	ev_io				 stderr_io;
	int				 stderr_fd;
	ev_timer			 deadline, ping;
	mono_t				 heard_at, running_since;
	bool				 ruled;		/* its CONFIGURE had rules */
	bool				 broken_config;	/* it said so itself */
	bool				 said_broken;	/* it gave a reason that has nothing to do with an event */
	bool				 hung;		/* we killed it for hanging in the driver */
	struct channel			*channel;	/* NULL: closed */
	bool				 reading;	/* channel_read() is on the stack ... */
	bool				 end_wanted;	/* ... and the channel is to be freed behind it */
	ev_io				 readable, writable;
	struct credit			 credit;
	bool				 greeted;	/* its HELLO was fine */
	struct ipc_arena		 arena;

	/* events that kill, or are refused */
	struct suspect			 suspect;
	struct verdict			 verdicts[SUSPECT_ROW];	/* found guilty, not yet carried out */
	size_t				 n_verdicts;
	unsigned			 guilty_in_a_row;
	bool				 excused;	/* the last death does not count as a crash */
	mono_t				 aside_since;	/* the limit's present window ...  */
	uint64_t			 aside;		/* ... and what was set aside in it */

	/* one event of the quarantine, offered again: between the others, alone */
	struct child_retry		 retry;
	bool				 retry_wanted, retry_sent, retry_refused;
	struct buf			 retry_subject, retry_payload;
	char				 retry_reason[600];

	/* events committed in the last minute */
	uint64_t			 rate[RATE_SLOTS];
	int64_t				 rate_slot;	/* number of the newest */
};

void	 child_set_reason(struct child *, const char *);

/* One more event is set aside; false with the reason set when that is too many for the time. */
bool	 child_count_aside(struct child *) MUST_CHECK;
/* Carries out the verdicts up to seq; -1: not all of them. */
int	 child_carry_out(struct child *, uint64_t seq, struct err *) MUST_CHECK;
void	 child_retry_over(struct child *, bool stored, const char *why);

void	 child_ipc_init(struct child *);
int	 child_ipc_begin(struct child *, int fd, struct err *) MUST_CHECK;	/* takes fd over */
void	 child_ipc_end(struct child *);
void	 child_ipc_read_rest(struct child *);	/* it is dead: take what it still said */
void	 child_ipc_ping(struct child *);
void	 child_ipc_drain(struct child *);
double	 child_ipc_rate(const struct child *);

#endif
