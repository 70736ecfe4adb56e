#ifndef EDS_SD_NOTIFY_H
#define EDS_SD_NOTIFY_H

#include <stdint.h>

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/* Telling the service manager how we are (sd_notify(3)), without linking its library. */
struct sd_notify;

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and takes them out of the environment, so that no
 * child speaks in our name.  Without a service manager this succeeds, and telling does nothing.
 */
int	 sd_notify_new(struct sd_notify **, struct err *) MUST_CHECK;
void	 sd_notify_free(struct sd_notify **);

/* Puts the variables back, for the program that is about to take this process over. */
void	 sd_notify_hand_on(const struct sd_notify *);

/* How often the manager wants to hear WATCHDOG=1, halved for safety; 0: not at all. */
int64_t	 sd_notify_watchdog_ms(const struct sd_notify *);

/* -1 when the message could not be handed over; log it, it is never a reason to stop. */
int	 sd_notify_ready(struct sd_notify *, struct err *);		/* also ends a reload */
int	 sd_notify_reloading(struct sd_notify *, struct err *);
int	 sd_notify_stopping(struct sd_notify *, struct err *);
int	 sd_notify_watchdog(struct sd_notify *, struct err *);
int	 sd_notify_patience(struct sd_notify *, struct err *);		/* busy for up to two minutes more, also while starting */
int	 sd_notify_status(struct sd_notify *, struct err *, const char *fmt, ...) PRINTF_LIKE(3, 4);	/* one line */

#endif
