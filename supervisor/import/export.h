#ifndef EDS_EXPORT_H
#define EDS_EXPORT_H

#include "supervisor/hq/http.h"

/*
 * HQ's bulk export (contract/hq-api.md section 7): a job is created, or one that exists
 * is taken up, and asked for until it is complete.
 */
struct export;

struct export_settings {
	struct ev_loop		*loop;
	struct http		*http;
	const char		*api_url, *token;
	const char		*job_id;	/* NULL: a new one */
	/* of a new job; lists end with NULL, NULL: no filter */
	int64_t			 time_offset_ms;	/* 0: none */
	const char *const	*company_ids, *const *location_ids, *const *tables;
};

/* One table of a job that is complete. */
struct export_table {
	char		*table;
	int64_t		 time_ns;	/* of the snapshot, epoch; 0: HQ did not tell */
	char		**urls;		/* NULL-ended; signed: never log them */
	size_t		 n;
};

struct export_events {
	void	*arg;
	/* The job has an id, and of `total` tables (0: not known yet) `completed` are ready. */
	void	(*progress)(void *arg, const char *job_id, size_t completed, size_t total);
	/* Complete.  The tables live as long as the export, or until the next answer. */
	void	(*complete)(void *arg, const struct export_table *, size_t n);
	void	(*failed)(void *arg, const struct err *);
};

/* Begins at once; callbacks come from the loop, and may free the export. */
int	 export_new(struct export **, const struct export_settings *, const struct export_events *, struct err *) MUST_CHECK;
void	 export_free(struct export **);

/* Asks once more: signed addresses go out of date.  Answers with complete() or failed(). */
void	 export_refresh(struct export *);

/* What HQ says of a job: 1 complete, 0 not yet, -1 failed or nonsense.  Pure; `e`'s tables are replaced. */
int	 export_take_answer(struct export *, const void *json_data, size_t *completed_r, size_t *total_r, struct err *) MUST_CHECK;
const struct export_table *export_tables(const struct export *, size_t *n_r);	/* of the last answer */
/* The request for a new job. */
void	 export_request_body(const struct export_settings *, struct buf *);

#endif
