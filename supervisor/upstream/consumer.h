#ifndef EDS_CONSUMER_H
#define EDS_CONSUMER_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * The durable consumer as JSON: requests we send, answers we get
 * (contract/nats.md sections 2 and 3).  Pure.  Golden texts: tests/vectors/misc.json.
 */
#define CONSUMER_STREAM		"dbchange"
#define CONSUMER_MAX_BATCH	4096

enum deliver_policy { DELIVER_NEW, DELIVER_ALL, DELIVER_BY_TIME, DELIVER_BY_SEQ };

struct consumer_config {
	const char		*name;			/* durable_name */
	enum deliver_policy	 deliver;
	int64_t			 start_ns;		/* DELIVER_BY_TIME, epoch */
	uint64_t		 start_seq;		/* DELIVER_BY_SEQ */
	uint64_t		 max_ack_pending;
	uint64_t		 max_batch;		/* 0: absent */
	char *const		*companies;		/* NULL-ended */
	bool			 single_filter;		/* filter_subject: a server that knows no filter_subjects */
};

/* Names are restricted, so that no dot or wildcard gets into a subject: false when this one is not fit. */
bool	 consumer_name_ok(const char *) MUST_CHECK;

void	 consumer_create_json(struct buf *, const struct consumer_config *, const char *action);

/*
 * `action` "update": what a consumer that is there may be given.  Deliver policy, start and max_waiting
 * are copied from `have` (its config as the server sent it).
 */
struct consumer_info;
void	 consumer_update_json(struct buf *, const struct consumer_config *, const struct consumer_info *have);
/*
 * A short-lived consumer that nobody pulls from: where it starts tells the first sequence
 * the stream still holds, without any permission beyond CONSUMER.
 */
void	 consumer_probe_json(struct buf *, uint64_t start_seq, const char *company);
void	 consumer_pull_json(struct buf *, uint64_t batch, uint64_t max_bytes);	/* max_bytes 0: absent */

/* What INFO and CREATE answer. */
struct consumer_info {
	/* error, when the server refused */
	bool		 error;
	int64_t		 code, err_code;
	char		 description[300];
	/* state */
	uint64_t	 delivered_consumer_seq, delivered_stream_seq;
	uint64_t	 ack_floor_stream_seq;
	uint64_t	 num_ack_pending, num_waiting, num_pending, num_redelivered;
	/* config */
	bool		 push;			/* has a deliver_subject */
	uint64_t	 max_ack_pending, max_batch, start_seq, max_deliver;
	int64_t		 ack_wait_ns, max_waiting, inactive_threshold_ns;
	char		 deliver_policy[32];
	char		 start_time[48];
	char		 name[300];
	char		 **filters;		/* both spellings; NULL-ended; may be NULL */
};
#define JS_ERR_CONSUMER_NOT_FOUND	10014
#define JS_ERR_STREAM_NOT_FOUND		10059
#define JS_ERR_CANNOT_UPDATE		10012

int	 consumer_info_parse(struct consumer_info *, struct slice json, struct err *) MUST_CHECK;
void	 consumer_info_free(struct consumer_info *);

/* The consumer's filters are exactly those of the companies. */
bool	 consumer_filters_match(const struct consumer_info *, char *const *companies);
/* Something that may be updated differs from what we want. */
bool	 consumer_needs_update(const struct consumer_info *, const struct consumer_config *);

#endif
