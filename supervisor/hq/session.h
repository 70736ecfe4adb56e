#ifndef EDS_SESSION_H
#define EDS_SESSION_H

#include "supervisor/config/config.h"
#include "supervisor/hq/http.h"

/*
 * The session with HQ: start (409 is waited out), renewal every
 * `renew_interval` without touching the data path, end.  HQ being away never stops
 * anything: it is tried again in the background.
 */
struct session;

enum session_state { SESSION_NONE, SESSION_STARTING, SESSION_CONFLICT, SESSION_ACTIVE, SESSION_RENEWING, SESSION_ENDED, SESSION_REFUSED };

/* Called from the loop.  A callback may start, renew and end the session, but not free it. */
struct session_events {
	void	*arg;
	/* A session began (first, or renewed): id and the decoded NATS creds file.  The file stands already
	 * as <data-dir>/<sid>/nats.creds (0600), `creds_path`. */
	void	(*started)(void *arg, const char *sid, const char *creds_path, struct slice creds);
	/* HQ has ended a session and signed URLs for its log and what crashed; "" none.  May be NULL. */
	void	(*ended)(void *arg, const char *log_url, const char *error_url);
	/* For the status: state changed; text says why, or what is waited for. */
	void	(*changed)(void *arg, enum session_state, const char *text);
	/* HQ refuses this server for good (401, 404, success:false ...): only the operator can mend it. */
	void	(*refused)(void *arg, const struct err *);
};

int	 session_new(struct session **, struct ev_loop *, struct http *, const struct config *, const struct session_events *,
	    struct err *) MUST_CHECK;
void	 session_start(struct session *);
/* After a reload: what HQ is told at the next renewal.  The config is not kept, here or in session_new(). */
int	 session_reconfigure(struct session *, const struct config *, struct err *) MUST_CHECK;
void	 session_renew(struct session *);		/* now; also happens by itself */
/*
 * Ends the session at HQ and removes its credentials; `done` is called once, from the loop, after
 * 5 s at the latest, also when HQ cannot be reached.
 */
void	 session_end(struct session *, bool errored, void (*done)(void *), void *arg);
void	 session_crashed(struct session *);		/* HQ is told at the end that something did */
void	 session_free(struct session **);
const char *session_id(const struct session *);		/* "" when there is none */
enum session_state session_state(const struct session *, const char **text_r);
const char *session_state_name(enum session_state);
int64_t	 session_since(const struct session *);		/* epoch ms: since when it is in that state */
int64_t	 session_expires(const struct session *);	/* epoch ms: when the credential at hand ends; 0: never */
bool	 session_deaf(const struct session *);	/* its credential gives HQ no way to speak to us, and us none to HQ */

/* Body of the session start, contract/hq-api.md section 4; pure apart from reading the machine. */
void	 session_request_body(const struct config *, struct buf *);

#endif
