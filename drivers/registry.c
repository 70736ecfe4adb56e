/* Which driver serves which URL. */

#include <strings.h>

#include "drivers/registry.h"

static const struct driver_info drivers[] = {
#define DRIVER(id, schemes, name, description, example, ack_batch, flags, help) \
	{ #id, schemes, name, description, example, ack_batch, flags, help },
#include "drivers/drivers.def"
#undef DRIVER
};

const struct driver_info *
driver_info_all(size_t *n_r)
{
	*n_r = NELEM(drivers);
	return drivers;
}

const struct driver_info *
driver_info_by_scheme(struct slice scheme)
{
	for (size_t i = 0; i < NELEM(drivers); i++) {
		struct slice rest = slice_of(drivers[i].schemes), one;

		while (slice_cut(&rest, ' ', &one))
			if (one.n == scheme.n && strncasecmp(one.p, scheme.p, one.n) == 0)
				return &drivers[i];
	}
	return NULL;
}

const struct driver_info *
driver_info_by_name(struct slice name)
{
	for (size_t i = 0; i < NELEM(drivers); i++)
		if (name.n == strlen(drivers[i].name) && strncasecmp(drivers[i].name, name.p, name.n) == 0)
			return &drivers[i];
	return name.n == 0 ? NULL : driver_info_by_scheme(name);
}

struct slice
url_scheme(struct slice url)
{
	for (size_t i = 0; i < url.n; i++) {
		char c = url.p[i];

		if (c == ':')
			return i == 0 ? (struct slice){ NULL, 0 } : (struct slice){ url.p, i };
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (i > 0 && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'))))
			break;
	}
	return (struct slice){ NULL, 0 };
}
