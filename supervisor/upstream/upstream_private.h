#ifndef EDS_UPSTREAM_PRIVATE_H
#define EDS_UPSTREAM_PRIVATE_H

/* What upstream.c, jetstream.c and delivery.c share. */

#include "ipc/base/log.h"
#include "supervisor/upstream/consumer.h"
#include "supervisor/upstream/link.h"
#include "supervisor/upstream/upstream.h"

#define INBOX_SIZE	64	/* of the subject of an inbox, with its NUL */

struct upstream_login {
	char	*client_name;
	char	*creds_path;		/* NULL: no authentication */
	char	*notices;		/* subject on which HQ speaks; NULL: none */
	char	**companies;
};

/* What was asked of the JetStream API last; its answer decides what comes next. */
enum js_step { JS_IDLE, JS_PROBE, JS_PROBE_END, JS_INFO, JS_CREATE, JS_UPDATE, JS_DELETE };

struct upstream {
	struct ev_loop		*loop;
	struct window		*window;
	const struct routes	*routes;
	struct upstream_events	 on;
	struct upstream_config	 config;	/* its strings are the three below */
	char			*nats_url, *consumer, *ca_file;
	struct log		 log;
	struct upstream_stats	 stats;
	enum upstream_state	 state;
	char			 text[600];
	char			 complaint[256];	/* last permission violation */
	bool			 hold;
	char			 hold_why[200];

	/* the connection */
	struct upstream_login	 login;
	struct link		*link, *next_link;
	ev_timer		 retry;
	int64_t			 backoff_ms;

	/* one life of JetStream on it */
	natsSubscription	*api_sub, *pull_sub;
	char			 inbox[INBOX_SIZE];	/* of API answers */
	char			 pull_inbox[INBOX_SIZE];
	enum js_step		 step;
	uint64_t		 request;	/* number of the API request under way */
	ev_timer		 answer;	/* its deadline */
	bool			 ready;		/* the consumer is as it should be */
	uint64_t		 expected;	/* consumer sequence of the last delivery */
	uint64_t		 pull;		/* number of the pull under way */
	uint64_t		 pull_left;	/* deliveries it may still bring; 0: none open */
	ev_timer		 silence;	/* nothing heard of an open pull */
	bool			 pending_known;	/* stats.server_pending is of this consumer's last delivery */
	bool			 anew;		/* the stream is a new one: all of it behind acked_seq is ours, also behind 0 */
	bool			 pull_wanted;	/* after the probe */
	mono_t			 stalled_at;	/* since then there was no room or no wish to pull; 0: we do */
	bool			 rewind_wanted;	/* after the probe: our own pull is still open */
	uint64_t		 trusted_jump;	/* a delivery whose jump in the sequence was looked into */
	uint64_t		 event_bytes;	/* moving average, for the size of pulls */
	bool			 handover;	/* go over to next_link when the pull ends */
	/* knowledge about the server and the consumer */
	bool			 single_filter;	/* filter_subjects is not understood */
	struct consumer_info	 info;		/* last INFO */
	uint64_t		 create_seq;	/* start of the consumer to be created; 0: by policy */
};

void	 upstream_set_state(struct upstream *, enum upstream_state, const char *text);
/* Closes the connection and tries again after a back-off. */
void	 upstream_retry_later(struct upstream *, enum upstream_state, const char *text);
void	 upstream_take_next(struct upstream *);

natsConnection *upstream_nats(struct upstream *);	/* NULL: there is none */
natsStatus upstream_inbox(char out[INBOX_SIZE]);	/* a subject that nobody else has */

/* jetstream.c */
void	 jetstream_init(struct upstream *);
void	 jetstream_begin(struct upstream *);		/* the link is up */
void	 jetstream_end(struct upstream *);		/* before the link goes */
uint64_t jetstream_known_upto(const struct upstream *);	/* the last event that we have had, or know not to be for us */
void	 jetstream_ask_info(struct upstream *);		/* looks at the consumer */
void	 jetstream_ask_probe(struct upstream *);	/* looks at the stream */
void	 jetstream_rewind(struct upstream *, const char *why);	/* the consumer is made anew, to start at the first event not safe yet */
bool	 jetstream_take_answer(struct upstream *);	/* of the API; false: there is none */

/* delivery.c */
void	 delivery_init(struct upstream *);
void	 delivery_readable(struct upstream *);		/* messages may be there */
void	 delivery_wake(struct upstream *);		/* perhaps pull */
void	 delivery_handover(struct upstream *);		/* next_link is up */
void	 delivery_watch_silence(struct upstream *);	/* pull_left has changed */
natsStatus delivery_subscribe(struct upstream *);	/* for the pulls of a consumer that is new, or looked at anew */

#endif
