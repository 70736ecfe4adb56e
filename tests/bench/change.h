#ifndef EDS_BENCH_CHANGE_H
#define EDS_BENCH_CHANGE_H

#include <nats/nats.h>

#include "ipc/base/json_scan.h"

/*
 * The table of the SQL paths and its events (path_sql_common.py), for their bare programs.  A column's name
 * begins with its kind: b boolean, d double, i integer, j JSON, t text, z time; "id" is text.
 */
#define CHANGE_TABLE	"bench"
#define CHANGE_COLUMNS	30u
#define CHANGE_BATCH	2000u	/* as the drivers' */

extern const char *const change_columns[CHANGE_COLUMNS];	/* id first, the rest sorted */
char	 change_kind(size_t column);				/* the key's is t */

struct change {
	natsMsg		*msg;		/* what the values point to */
	char		 op;		/* I, U or D */
	struct json_val	 id;
	struct json_val	 v[CHANGE_COLUMNS];
	struct json_val	 diff;		/* of an update */
};

/* Ends the program when the event is none of these.  The values live as long as the message. */
void	 change_read(struct change *, natsMsg *);

/*
 * Of several changes of a row the last one stays, which is all that matters of events with whole rows.
 * Returns how many are left, in order.
 */
size_t	 change_fold(struct change **, size_t n);

/*
 * The program around a store: PROGRAM URL CREDS CONSUMER COUNT DATABASE set|rows.  Up to CHANGE_BATCH events go to
 * `set`, or up to 500, as the Go server has it, to `rows`; while one batch is stored the next one arrives.
 */
struct change_store {
	void	(*open)(const char *database, bool set);
	void	(*set)(struct change *, size_t n);
	void	(*rows)(struct change *, size_t n);
	void	(*close)(void);
};
int	 change_main(int argc, char **argv, const struct change_store *);

#endif
