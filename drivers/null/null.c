/*
 * The null driver: counts what it is given and stores nothing.  For measuring
 * the way from upstream to a destination without a destination, and the
 * worked example of WRITING.md.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "drivers/driver.h"

struct drv {
	const struct drv_env	*env;
	uint64_t		 events;
	uint64_t		 bytes;
};

static int
null_validate(const char *url, struct err *err)
{
	(void)url;
	(void)err;
	return 0;		/* nothing in the URL means anything here */
}

static enum drv_result
null_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv	*drv = calloc(1, sizeof(*drv));

	if (drv == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		return DRV_RETRY;
	}
	drv->env = env;
	*drv_r = drv;
	return DRV_STORED;
}

static enum drv_result
null_deliver(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	(void)out;		/* looked at only when something went wrong */
	drv->events += batch->n;
	drv->bytes += batch->bytes;
	return DRV_STORED;
}

static enum drv_result
null_import_rows(struct drv *drv, size_t table, const struct drv_batch *batch, struct drv_outcome *out)
{
	(void)table;
	return null_deliver(drv, batch, out);
}

static void
null_close(struct drv **drv)
{
	if (*drv == NULL)
		return;
	log_info((*drv)->env->log, "%" PRIu64 " events of %" PRIu64 " bytes were thrown away", (*drv)->events, (*drv)->bytes);
	free(*drv);
	*drv = NULL;
}

const struct driver driver_null = {
	.abi		= DRIVER_ABI,
	.id		= "null",
	.caps		= DRV_CAP_IDEMPOTENT | DRV_CAP_ATOMIC,
	.batch_events	= 10000,
	.batch_bytes	= 16 << 20,
	.validate	= null_validate,
	.open		= null_open,
	.deliver	= null_deliver,
	.import_rows	= null_import_rows,
	.close		= null_close,
};
