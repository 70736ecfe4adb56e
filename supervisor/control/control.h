#ifndef EDS_CONTROL_H
#define EDS_CONTROL_H

#include <ev.h>

#include "supervisor/control/control_commands.h"

/*
 * The server's end of edsctl: a socket <data-dir>/eds.sock (0600) on the supervisor's loop.  Verbs and their
 * arguments have been held against control_commands.def before anybody else sees them.
 */
struct control;
struct control_request;

#define CONTROL_CLIENTS_MAX	32u
#define CONTROL_DEADLINE_MS	10000	/* a client must speak, and take its answer, within this time */

/*
 * One command.  The request must be given to control_reply() exactly once, now or later, also when the
 * client has gone meanwhile and after control_free(): the answer then goes nowhere.
 * `verb` and `args` live until the function returns.
 */
typedef void (*control_fn)(void *arg, struct control_request *, const char *verb, const struct ipc_strs *args);

/*
 * Listens.  The caller holds the data directory's lock, so a socket that is already there is a leftover and is
 * replaced; anything else of that name is an error.
 */
int	 control_new(struct control **, struct ev_loop *, const char *data_dir, control_fn, void *arg, struct err *) MUST_CHECK;

/* The user at the other end, as the kernel names him; -1 when he has gone. */
int64_t	 control_request_uid(const struct control_request *);

/*
 * At most once for a request: `fn` hears what control_reply_error() says to it, if it ever does.  `arg` is
 * free()d with the request, also when there is no error.
 */
void	 control_request_on_error(struct control_request *, void (*fn)(void *arg, const char *error), void *arg);

/* Answers and ends the request.  `json`: a document of STATUS.md, copied. */
void	 control_reply(struct control_request *, unsigned status, const char *json);

/* The common answers: {"version":1,"ok":true,"message":...} with status 0, and ok false with `error` and a status. */
void	 control_reply_message(struct control_request *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void	 control_reply_error(struct control_request *, enum control_status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Ends every client and removes the socket; not from inside the control_fn. */
void	 control_free(struct control **);

void	 control_set_deadline(struct control *, int64_t ms);	/* instead of CONTROL_DEADLINE_MS, for clients to come */
size_t	 control_clients(const struct control *);		/* connected now */

#endif
