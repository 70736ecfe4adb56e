#ifndef EDS_TESTS_HOST_STUB_H
#define EDS_TESTS_HOST_STUB_H

#include <jansson.h>

#include "drivers/driver.h"

/* What a worker offers to its driver, from tables of a test: schemas by "table/version", versions by table. */
struct host_stub {
	json_t		*schemas;		/* "table/version": text; the test's own */
	json_t		*versions;		/* table: version, as the driver told them; the test's own */
	enum drv_result	 schema_result;		/* of host->schema(), unless DRV_STORED */
	unsigned	 asked;			/* for schemas */
	bool		 stopping;
};

struct drv_host host_stub(struct host_stub *);

#endif
