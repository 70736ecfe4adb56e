#ifndef EDS_S3_PRIVATE_H
#define EDS_S3_PRIVATE_H

#include "drivers/driver.h"
#include "drivers/s3/cred.h"
#include "drivers/s3/s3_config.h"
#include "drivers/s3/s3_cuts.h"
#include "drivers/s3/s3_error.h"
#include "drivers/s3/s3_key.h"
#include "drivers/s3/s3_window.h"
#include "drivers/s3/sigv4.h"
#include "ipc/base/clock.h"

/* One request to the service, before it is signed. */
struct s3_request {
	const char			*method;
	struct slice			 key;		/* "": the bucket */
	const struct sigv4_pair		*query;
	size_t				 n_query;
	struct slice			 body;		/* stays in place until the answer */
	const char			*content_type;	/* NULL: none */
};

#define S3_LINES_MOST	16

/* The request as it is sent; its memory is used again. */
struct s3_wire {
	struct buf		 host, path, url, text;
	size_t			 at[S3_LINES_MOST];	/* header lines in `text` */
	size_t			 n;
	const char		*lines[S3_LINES_MOST + 1];
	char			 region[64];		/* signed for */
	int64_t			 clock_ms;		/* by the clock of that offset */
};

/* One object of a delivery. */
struct s3_object {
	struct slice	 chain[2];	/* objects of one chain, which have one key, are stored one after the */
	uint64_t	 chain_no;	/* other, in order; all three parts are the same */
	const struct drv_event *first;	/* of its events, of which ... */
	size_t		 event;		/* ... this is the index in the delivery */
	size_t		 n_events;
	uint64_t	 id;		/* stream sequence of that event */
	uint32_t	 next;		/* in the chain; S3_NONE */
	uint32_t	 beside;	/* another with that hash */
	bool		 stored;
};

#define S3_NONE	UINT32_MAX

struct s3_job {
	const char		*content_type;
	/* Key and body of an object, the same each time. */
	void			(*render)(struct drv *, const struct s3_job *, const struct s3_object *, struct buf *key,
				    struct buf *body);
	const struct drv_flow	*flow;		/* one object per event: where further ones come from; NULL: nowhere */
	const struct drv_batch	*batch;		/* rolls */
	const uint32_t		*next_event;	/* of the same object; S3_NONE: that was all */
};

struct drv {
	const struct drv_env	*env;
	struct s3_config	 config;
	char			 region[64];	/* where the bucket turned out to be */
	int64_t			 clock_ms;	/* the service's clock is that much ahead of ours */
	struct cred_chain	*creds;
	struct https		*https;
	struct sigv4		 sign;
	bool			 in_a_hurry;	/* test(): an answer within seconds, whatever it is */
	bool			 stored_any;	/* so a request of ours can be right */

	struct s3_put		*puts;		/* s3_upload.c: as many as may be under way */
	struct s3_window	 window;	/* how many of them are used */
	size_t			 batch_events;	/* most that come at once */

	struct s3_object	*objects;	/* s3_chain.c: a ring */
	size_t			 cap_objects;	/* a power of two */
	size_t			 n_objects, oldest;	/* added in this call, and the first of them not stored */
	uint32_t		*buckets;
	uint32_t		*ready;		/* a ring: these may begin */
	size_t			 first_ready, n_ready;
	uint64_t		*kept;		/* ids that a call which failed has stored, ascending */
	size_t			 n_kept, at_kept;

	struct s3_cuts		*cuts;		/* s3_roll.c */
	uint32_t		*next_event;
	size_t			 cap_events;
	struct s3_import	*import;	/* s3_import.c */
};

/* s3_wire.c */
int	 s3_wire_sign(struct drv *, const struct s3_request *, struct s3_wire *, struct https_request *out, struct err *)
    MUST_CHECK;
void	 s3_wire_free(struct s3_wire *);
bool	 s3_mend(struct drv *, const struct s3_wire *, const struct s3_error *);	/* true: worth another attempt at once */
int	 s3_call(struct drv *, const struct s3_request *, struct s3_error *, enum https_outcome *, struct err *) MUST_CHECK;
void	 s3_say(const struct drv *, const struct s3_error *, struct slice hide, struct err *);

/* s3_chain.c */
int	 s3_chain_begin(struct drv *, size_t objects, struct err *) MUST_CHECK;	/* a new delivery, room for so many */
void	 s3_chain_add(struct drv *, const struct s3_object *);
uint32_t s3_chain_take_ready(struct drv *);			/* while n_ready > 0 */
void	 s3_chain_done(struct drv *, uint32_t number, bool stored);	/* the next in its chain may begin */
bool	 s3_chain_advance(struct drv *);			/* true: `oldest` has changed */
size_t	 s3_chain_room(const struct drv *);
void	 s3_chain_keep(struct drv *, bool flows);	/* the delivery is over: remembers what it has stored */
struct s3_object *s3_object_at(const struct drv *, size_t number);
void	 s3_chain_free(struct drv *);

/* s3_upload.c: all objects that were added, or why not. */
enum drv_result	 s3_upload(struct drv *, const struct s3_job *, struct drv_outcome *);
int	 s3_upload_new(struct drv *, struct err *) MUST_CHECK;
void	 s3_upload_free(struct drv *);

/* s3_roll.c */
enum drv_result	 s3_roll(struct drv *, const struct drv_batch *, struct drv_outcome *);
#define S3_ROLL_TYPE(c)	((c)->gzip ? "application/gzip" : "application/x-ndjson")

/* s3_import.c */
enum drv_result	 s3_import_begin(struct drv *, const struct drv_import *, struct err *);
enum drv_result	 s3_import_rows(struct drv *, size_t table, const struct drv_batch *, struct drv_outcome *);
enum drv_result	 s3_import_commit(struct drv *, struct err *);
enum drv_result	 s3_import_end(struct drv *, struct err *);
void	 s3_import_abort(struct drv *);
void	 s3_import_free(struct drv *);

/* s3.c: one object per event. */
enum drv_result	 s3_events(struct drv *, const struct drv_batch *, struct drv_outcome *);
void	 s3_add_events(struct drv *, const struct drv_batch *);

static inline bool
s3_stopping(const struct drv *drv)
{
	return drv->env->host != NULL && drv->env->host->stopping(drv->env->host->ctx);
}

#endif
