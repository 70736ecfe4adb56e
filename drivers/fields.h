#ifndef EDS_FIELDS_H
#define EDS_FIELDS_H

#include "ipc/base/err.h"
#include "ipc/base/buf.h"

/*
 * The forms in which HQ asks for a destination's configuration (contract/hq-control.md
 * section 7): names, types and order are the contract's, descriptions ours.
 */
struct driver_field {
	const char	*name;
	const char	*description;
	const char	*preset;		/* shown in the empty field; NULL: nothing */
	bool		 number;
	bool		 secret;
	bool		 required;
};

struct driver_form {
	const char			*scheme;
	const char			*name, *description, *example, *help;
	bool				 tables;	/* the driver migrates tables */
	const struct driver_field	*fields;
	size_t				 n_fields;
};

/* All forms, sorted by scheme. */
const struct driver_form *driver_forms(size_t *n_r);

/* By scheme or alias ("postgresql", "mssql"); NULL when HQ has no form for it. */
const struct driver_form *driver_form_by_scheme(struct slice scheme);

/* False while this build has no driver for it. */
bool	 driver_form_is_offered(const struct driver_form *);

#endif
