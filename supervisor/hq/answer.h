#ifndef EDS_ANSWER_H
#define EDS_ANSWER_H

#include "ipc/base/buf.h"

/*
 * What HQ is answered, byte for byte (contract/hq-control.md section 3;
 * tests/vectors/msgpack.json).  A NULL text leaves its key out.
 */

/* msgpack, published to eds.client.<sid>.<action>-status and -response */
void	 answer_generic(struct buf *, bool success, const char *message, const char *sid, const char *action);
void	 answer_sendlogs(struct buf *, const char *path, const char *sid);
void	 answer_import(struct buf *, bool success, const char *message, const char *sid);
void	 answer_upgrade(struct buf *, bool success, const char *message, const char *sid, const char *version);

/* JSON, to the subject that the request names */
struct answer_field_error {
	const char	*field;
	const char	*error;
};

void	 answer_configure(struct buf *, bool success, const char *message, const char *masked_url, const char *sid, bool backfill);
void	 answer_validate(struct buf *, bool success, const char *message, const struct answer_field_error *, size_t n,
	    const char *sid, const char *url);
void	 answer_driverconfig(struct buf *, const char *sid);

#endif
