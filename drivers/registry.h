#ifndef EDS_REGISTRY_H
#define EDS_REGISTRY_H

#include "ipc/base/slice.h"

/* The drivers as known without loading them: drivers/drivers.def. */
#define DRIVER_HIDDEN	1

struct driver_info {
	const char	*id;
	const char	*schemes;
	const char	*name;
	const char	*description;
	const char	*example;
	unsigned	 ack_batch;
	unsigned	 flags;
	const char	*help;
};

const struct driver_info *driver_info_all(size_t *n_r);
const struct driver_info *driver_info_by_scheme(struct slice scheme);	/* any case; NULL when unknown   */
const struct driver_info *driver_info_by_name(struct slice name);	/* scheme, alias or display name */
struct slice url_scheme(struct slice url);				/* absent when there is none     */

#endif
