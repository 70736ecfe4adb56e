#ifndef EDS_RULES_FORMAT_H
#define EDS_RULES_FORMAT_H

#include "ipc/base/slice.h"

/* Whether a text has the form that a `format` of JSON Schema names. */
typedef bool (*format_fn)(struct slice);

/* NULL: a name that is not known, or one (idn-hostname) whose rules fill a book. */
format_fn format_find(struct slice name);

/* format_time.c, format_net.c, format_uri.c */
bool	 format_date(struct slice);
bool	 format_time(struct slice);
bool	 format_date_time(struct slice);
bool	 format_duration(struct slice);
bool	 format_email(struct slice);
bool	 format_idn_email(struct slice);
bool	 format_hostname(struct slice);
bool	 format_ipv4(struct slice);
bool	 format_ipv6(struct slice);
bool	 format_uri(struct slice);
bool	 format_uri_reference(struct slice);
bool	 format_iri(struct slice);
bool	 format_iri_reference(struct slice);
bool	 format_uri_template(struct slice);

#endif
