#ifndef EDS_FIELDS_URL_H
#define EDS_FIELDS_URL_H

#include <jansson.h>

#include "drivers/fields.h"

/* What is wrong with one field; both texts are the holder's. */
struct field_error {
	char	*field;
	char	*error;
};

struct field_errors {
	struct field_error	*v;
	size_t			 n;
};

void	 field_errors_free(struct field_errors *);

/*
 * The URL that the values of a form make, components percent-encoded, appended to `url`
 * (contract/hq-control.md section 7.3; hazards H38, H39, H40).  `values` is the object from HQ,
 * whatever it holds.  False when a field is wrong: then errors_r says which, and nothing was
 * appended.  Looks at the file system for `file`, so it runs as the user that would write there.
 */
bool	 fields_url(const struct driver_form *, const json_t *values, struct buf *url, struct field_errors *errors_r);

#endif
